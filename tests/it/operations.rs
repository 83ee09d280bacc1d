//! `docs/operations.md`: its schedules are ones, and its commands say what stands below them.

use std::fs;

use crate::cli_support::{BARS, Project};
use crate::support::package;

/// The code blocks of a kind.
fn blocks<'t>(text: &'t str, kind: &str) -> Vec<&'t str> {
    text.split(&format!("```{kind}\n")).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// A project with a job for each schedule of the document.
fn project(text: &str) -> Project {
    let project = Project::new(BARS);
    let job = fs::read_to_string(project.path("job.toml"))
        .unwrap()
        .replace("\"rules.toml\"", "\"../rules.toml\"")
        .replace("\"bars.csv\"", "\"../bars.csv\"");
    let schedules: Vec<&str> = blocks(text, "toml").into_iter().filter(|text| text.starts_with("[schedule]")).collect();
    assert_eq!(schedules.len(), 2);
    for (name, schedule) in ["evening", "close"].into_iter().zip(schedules) {
        project.write(
            &format!("jobs/{name}.toml"),
            format!("{}\n{schedule}", job.replace("\"demo\"", &format!("\"{name}\""))),
        );
    }
    project
}

#[test]
fn the_commands_of_the_document_say_what_stands_below_them() {
    let text = fs::read_to_string(package().join("docs/operations.md")).unwrap();
    let project = project(&text);
    let commands = blocks(&text, "console");
    assert_eq!(commands.len(), 7);
    for command in commands {
        let (line, expected) = command.split_once('\n').unwrap();
        let words: Vec<&str> = line.strip_prefix("$ barkeep ").unwrap().split(' ').collect();
        let output = project.call(&words).exits(0);
        assert!(!output.out.is_empty(), "{line}");
        if !expected.is_empty() {
            assert_eq!(output.out, expected, "{line}");
        }
    }
    let listed = project.call(&["schedule", "list"]).exits(0).out;
    assert!(listed.contains("\nclose  ") && listed.contains("\nevening  "), "{listed}");
}
