//! `barkeep report`: how each job stands.

use std::fs;

use crate::cli_support::Project;

const RULES: &str = "[[rule]]\nid = \"close\"\ncheck = \"range\"\nfield = \"close\"\nmin = 5\nseverity = \"error\"\n";

fn bars(closes: &[u32]) -> String {
    let line = |(day, close): (usize, &u32)| format!("A,2024-01-{:02},{close}\n", day + 1);
    "symbol,time,close\n".to_owned() + &closes.iter().enumerate().map(line).collect::<String>()
}

fn job(name: &str) -> String {
    format!(
        "name = \"{name}\"\nrules = \"rules.toml\"\nsource.files.path = \"{name}.csv\"\nreport.dir = \"reports\"\n\
         [bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\ntime = {{ field = \"time\", formats = [\"%Y-%m-%d\"] }}\n"
    )
}

fn project() -> Project {
    let project = Project::empty();
    project.write("rules.toml", RULES);
    for (name, closes) in [("calm", &[9, 9, 9][..]), ("bad", &[9, 1, 9])] {
        project.write(&format!("{name}.toml"), job(name));
        project.write(&format!("{name}.csv"), bars(closes));
    }
    project
}

#[test]
fn jobs_stand_in_a_line_each_the_worst_first() {
    let project = project();
    assert!(project.call(&["report"]).exits(0).out.starts_with("no run in `reports` yet"));
    project.call(&["check", "calm.toml", "bad.toml"]).exits(1);
    project.write("bad.csv", bars(&[9, 1, 9, 2]));
    project.call(&["check", "bad.toml"]).exits(1);
    let output = project.call(&["report"]).exits(0);
    let lines: Vec<&str> = output.out.lines().collect();
    assert!(lines[1].starts_with("FAIL  bad") && lines[2].starts_with("OK    calm"), "{output:?}");
    let bad: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(bad[2..8], ["1", "0", "4", "2024-01-04", "-", "0"], "new, fixed, rows, last bar, late, moved");
    assert!(lines[3].starts_with("next: barkeep report show --dir reports ") && lines.len() == 4, "{output:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80));
    let run = lines[3].rsplit(' ').next().unwrap();
    let shown = project.call(&["report", "show", run]).exits(0).out;
    let findings: Vec<&str> = shown.lines().filter(|line| line.contains("error close ")).collect();
    assert!(
        findings[0].starts_with("+ error close A 2024-01-04") && findings[1].starts_with("  error close A 2024-01-02"),
        "{shown}"
    );
    let only = |more: &[&str]| {
        let output = project.call(&[&["report", "show", run], more].concat()).exits(0).out;
        output.lines().filter(|line| line.contains("error close ")).count()
    };
    assert_eq!(
        [
            &["--new"][..],
            &["--rule", "close"],
            &["--rule", "other"],
            &["--series", "A", "--severity", "error"],
            &["--severity", "info"]
        ]
        .map(only),
        [1, 2, 0, 2, 0]
    );
    assert!(
        project
            .call(&["report", "show", run, "--new", "--severity", "warn"])
            .exits(0)
            .out
            .contains("no finding of the run is one of these")
    );
    let json = project.call(&["report", "--format", "json"]).exits(0);
    let first: serde_json::Value = serde_json::from_str(json.out.lines().next().unwrap()).unwrap();
    assert_eq!((&first["job"], &first["new"], &first["verdict"]), (&"bad".into(), &1.into(), &"FAIL".into()));
    assert_eq!(first["findings"], serde_json::json!([1, 2]), "oldest first");
}

#[test]
fn a_job_whose_newest_run_broke_off_says_why() {
    let project = project();
    project.call(&["check", "calm.toml", "bad.toml"]).exits(1);
    fs::remove_file(project.path("calm.csv")).unwrap();
    project.call(&["check", "calm.toml"]).exits(3);
    let output = project.call(&["report"]).exits(0);
    assert!(
        output.out.contains("FAIL  calm") && output.out.contains("calm.csv") && output.out.contains(" x"),
        "the run before found nothing, this one did not come to its end: {output:?}"
    );
}

#[test]
fn a_folder_that_is_damaged_is_named() {
    let project = project();
    project.call(&["check", "calm.toml"]).exits(0);
    let runs =
        project.files("reports").into_iter().find(|path| path.to_string_lossy().contains("runs/job=calm")).unwrap();
    fs::write(&runs, "no Parquet").unwrap();
    project.call(&["report"]).exits(3).says(&["runs/job=calm", ".parquet"]);
}
