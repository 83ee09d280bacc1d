//! `docs/operations.md`: its schedules are ones, and its commands say what stands below them.

use std::fs;

use barkeep::quarantine::item::State;

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

/// The document in front of what is to be done after a run that broke off, and that.
fn before_recovery(text: &str) -> (&str, &str) {
    text.split_once("\n## Recovery\n").unwrap()
}

/// The words behind `barkeep` of a command, with one text between quotes at most.
fn words(line: &str) -> Vec<&str> {
    let words = line.strip_prefix("$ barkeep ").unwrap().split('"').enumerate();
    let words = words.flat_map(|(place, part)| match place % 2 {
        0 => part.split_whitespace().collect(),
        _ => vec![part],
    });
    words.collect()
}

/// A project whose job `evening` has two bad bars, after a run that ended at the crash point `point`.
fn cut_short(text: &str, point: &str) -> Project {
    let project = project(text);
    let job = fs::read_to_string(project.path("jobs/evening.toml")).unwrap();
    let told_nobody = job.lines().filter(|line| !line.starts_with("mail")).collect::<Vec<_>>().join("\n");
    project.write("jobs/evening.toml", told_nobody);
    project.write("bars.csv", format!("{BARS}A,2024-01-05,10,1,9.5,10.5,1\nB,2024-01-05,20,1,19.5,20.5,1\n"));
    let run = project.command(&["run", "jobs/evening.toml"]).env("BARKEEP_CRASH_AT", point).output().unwrap();
    assert_eq!(run.status.code(), None, "{point}: {run:?}");
    project.tidy();
    project
}

#[test]
fn the_commands_of_the_recovery_do_what_the_document_says() {
    let text = fs::read_to_string(package().join("docs/operations.md")).unwrap();
    let commands = blocks(before_recovery(&text).1, "console");
    assert_eq!(commands.len(), 10);
    for (point, state) in [
        ("files.quarantine.after", "copied"),
        ("files.intent.after", "removing"),
        ("files.exchange.after", "removing"),
        ("report.before", "removed"),
    ] {
        let project = cut_short(&text, point);
        let listed = project.call(&["quarantine", "list", "jobs/evening.toml", "--format", "json"]).exits(0).json();
        assert!(!listed.is_empty() && listed.iter().all(|item| item["state"] == state), "{point}: {listed:?}");
        for command in &commands {
            let (line, expected) = command.split_once('\n').unwrap();
            let listed = project.call(&["quarantine", "list", "jobs/evening.toml", "--format", "json"]).exits(0).json();
            let item = listed[0]["id"].as_str().or(listed[0]["quarantine_id"].as_str()).unwrap().to_owned();
            let line = line.replace("ITEM", &item);
            let output = project.call(&words(&line));
            assert!(matches!(output.code, Some(0 | 1)), "{point}: {line}: {output:?}");
            if line.contains(" doctor ") {
                assert!(output.out.contains("reports") && output.out.contains("next `run`"), "{point}: {output:?}");
            }
            if line.contains(" run ") {
                let rows: Vec<serde_json::Value> = crate::support::table(&project.path("reports"), "actions");
                let states: Vec<&str> = rows.iter().filter_map(|row| row["state"].as_str()).collect();
                // Of rows that had not left nothing is to be told: they leave in this run.
                let had_left = ["files.exchange.after", "report.before"].contains(&point);
                let told = states.iter().any(|state| state.starts_with("earlier_")) || !had_left;
                assert!(
                    told && states.iter().any(|state| state.ends_with("removed") || *state == "earlier_moved"),
                    "{point}: {states:?}"
                );
            }
            if !expected.is_empty() {
                assert_eq!(output.out, expected, "{point}: {line}");
            }
        }
        let back = fs::read_to_string(project.path("bars.csv")).unwrap();
        assert_eq!(back.lines().count(), BARS.lines().count() + 2, "{point}: the rows are back");
    }
}

#[test]
fn the_recovery_names_every_state_of_a_row() {
    let text = fs::read_to_string(package().join("docs/operations.md")).unwrap();
    let recovery = before_recovery(&text).1;
    for state in State::ALL.map(State::as_str) {
        assert!(recovery.contains(&format!("\n| `{state}` |")), "{state}");
    }
}

#[test]
fn the_commands_of_the_document_say_what_stands_below_them() {
    let text = fs::read_to_string(package().join("docs/operations.md")).unwrap();
    let project = project(&text);
    let commands = blocks(before_recovery(&text).0, "console");
    assert_eq!(commands.len(), 18);
    for command in commands {
        let (line, expected) = command.split_once('\n').unwrap();
        let words = words(line);
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
