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
    let of =
        |section: &str| blocks(text, "toml").into_iter().filter(|text| text.starts_with(section)).collect::<Vec<_>>();
    let schedules = of("[schedule]");
    assert_eq!(schedules.len(), 2);
    let [window, notify, report] = ["[window]", "[notify]", "[report]"].map(|section| of(section)[0]);
    let nightly = job.replace("\"demo\"", "\"nightly\"").replace("dir = \"reports\"", "dir = \"../reports\"");
    project.write("jobs/nightly.toml", format!("{nightly}\n{window}"));
    fs::create_dir(project.path("metrics")).unwrap();
    let notify = notify.replace("/var/lib/node_exporter", project.path("metrics").to_str().unwrap());
    let job = job.replace("[report]\ndir = \"reports\"\n", &format!("{report}\n{notify}\n"));
    assert!(job.contains("keep_daily"));
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
    assert_eq!(commands.len(), 13);
    for command in commands {
        let (line, expected) = command.split_once('\n').unwrap();
        let words = line.strip_prefix("$ barkeep ").unwrap();
        // One text between quotes at most.
        let words: Vec<&str> = words
            .split('"')
            .enumerate()
            .flat_map(|(place, part)| match place % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            })
            .collect();
        let output = project.call(&words).exits(0);
        // Nothing is wrong, and so nothing is said.
        assert_eq!(output.out.is_empty(), words.contains(&"--quiet"), "{line}: {output:?}");
        if !expected.is_empty() {
            assert_eq!(output.out, expected, "{line}");
        }
    }
    assert!(
        fs::read_to_string(project.path("metrics/barkeep-evening.prom"))
            .unwrap()
            .contains("barkeep_job_exit_code{job=\"evening\"} 0")
    );
    let listed = project.call(&["schedule", "list"]).exits(0).out;
    assert!(listed.contains("\nclose  ") && listed.contains("\nevening  "), "{listed}");
}

#[test]
fn the_second_night_looks_at_what_may_have_changed() {
    let text = fs::read_to_string(package().join("docs/operations.md")).unwrap();
    let project = project(&text);
    let night = |day: &str, more: &[&str]| {
        let summary = ["run", "jobs/nightly.toml", "--as-of", day, "--format", "json"];
        project.call(&[&summary, more].concat()).exits(0).json().remove(0)["window"]["since"].clone()
    };
    assert!(night("2024-01-20", &[]).is_null(), "the first looks at everything");
    assert!(project.path("state/nightly.json").exists());
    assert!(night("2024-01-06", &[]).is_string());
    assert!(night("2024-01-06", &["--full"]).is_null());
}
