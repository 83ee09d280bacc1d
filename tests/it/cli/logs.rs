//! What is written to stderr while jobs run: as JSON every line is an object that names its job and its run, whatever goes
//! wrong, and no line holds a secret.

use serde_json::Value;

use crate::cli_support::{BARS, Project, Told};

const BAD: &str = "A,2024-01-05,10,1,9.5,10.5,1000\n";
const SECRET: &str = "hunter2-secret";

/// The lines of stderr, each an object with a time, a level and what happened.
#[track_caller]
fn lines(told: &Told) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let lines: Vec<Value> = told.err.lines().map(read).collect();
    for line in &lines {
        let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {line}"));
        assert!(chrono::DateTime::parse_from_rfc3339(text("time")).is_ok() && text("time").ends_with('Z'), "{line}");
        assert!(["error", "warn", "info", "debug"].contains(&text("level")), "{line}");
        assert!(!text("message").is_empty(), "{line}");
    }
    lines
}

/// The one run that all of `lines` name, with the job.
#[track_caller]
fn run_of(lines: &[Value], job: &str) -> String {
    let run = lines[0]["run"].as_str().unwrap().to_owned();
    for line in lines {
        assert_eq!((line["job"].as_str(), line["run"].as_str()), (Some(job), Some(run.as_str())), "{line}");
    }
    run
}

#[track_caller]
fn only<'l>(lines: &'l [Value], message: &str) -> &'l Value {
    let found: Vec<&Value> = lines.iter().filter(|line| line["message"] == message).collect();
    assert_eq!(found.len(), 1, "{message}: {lines:?}");
    found[0]
}

#[test]
fn a_good_run_tells_its_start_its_stages_and_its_end() {
    let project = Project::new(BARS);
    let told = project.call(&["run", "job.toml", "-v", "--log-format", "json"]).exits(0);
    let lines = lines(&told);
    assert_eq!(run_of(&lines, "demo"), project.runs()[0].0);
    let start = only(&lines, "start");
    assert_eq!((start["command"].as_str(), start["source"].as_str()), (Some("run"), Some("bars.csv")), "{start}");
    let stages: Vec<&str> =
        lines.iter().filter(|line| line["message"] == "stage").map(|line| line["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["load", "extract", "check", "apply", "report"]);
    assert!(lines.iter().filter(|line| line["message"] == "stage").all(|line| line["seconds"].is_number()));
    let end = only(&lines, "end");
    assert_eq!(
        (end["verdict"].as_str(), end["exit_code"].as_i64(), end["rows"].as_i64(), end["level"].as_str()),
        (Some("OK"), Some(0), Some(6), Some("info")),
        "{end}"
    );
    assert!(lines.iter().all(|line| line["level"] == "info"), "{lines:?}");
}

#[test]
fn without_flags_only_what_a_person_should_see_is_a_line() {
    let project = Project::new(BARS);
    let quiet = project.call(&["check", "job.toml", "--log-format", "json"]).exits(0);
    assert_eq!(quiet.err, "");
    project.write("bars.csv", format!("{BARS}{BAD}"));
    let lines = lines(&project.call(&["check", "job.toml", "--log-format", "json"]).exits(1));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((lines[0]["message"].as_str(), lines[0]["level"].as_str()), (Some("end"), Some("error")));
    // As text the summary says it.
    assert_eq!(project.call(&["check", "job.toml"]).exits(1).err, "");
}

#[test]
fn text_lines_carry_the_same() {
    let project = Project::new(BARS);
    let told = project.call(&["check", "job.toml", "-v"]).exits(0);
    let run = project.runs()[0].0.clone();
    let logged: Vec<&str> = told.err.lines().filter(|line| line.contains("message=")).collect();
    assert!(logged.len() >= 6, "{told:?}");
    for line in &logged {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok() && time.ends_with('Z'), "{line}");
        assert!(rest.starts_with(&format!(" INFO job=demo run={run} message=")), "{line}");
    }
    assert!(logged.iter().any(|line| line.contains("message=end verdict=OK exit_code=0")), "{told:?}");
}

#[test]
fn what_is_wrong_before_a_job_is_read_is_json_too() {
    let project = Project::new(BARS);
    project.edit("rules.toml", "check = \"ohlc\"", "check = \"olhc\"");
    let wrong = lines(&project.call(&["check", "job.toml", "--log-format", "json"]).exits(2));
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    let error = &wrong[0];
    assert_eq!((error["level"].as_str(), error["code"].as_i64()), (Some("error"), Some(2)), "{error}");
    assert_eq!((error["file"].as_str(), error["name"].as_str()), (Some("job.toml"), Some("usage")), "{error}");
    let mistake = &error["mistakes"][0];
    assert_eq!((mistake["file"].as_str(), mistake["line"].as_i64()), (Some("rules.toml"), Some(3)), "{mistake}");
    for args in [
        &["check", "nowhere.toml"][..],
        &["check", "job.toml", "--since", "someday"],
        &["check", "job.toml", "--nonsense"],
        &["nonsense"],
        &["apply", "no.plan"],
        &["quarantine", "list", "nowhere.toml"],
        &["rules", "lint", "rules.toml"],
        &["rules", "test", "nowhere.toml"],
        &["label", "nowhere.toml", "rule=a", "known", "--why", "b"],
        &["doctor", "nowhere.toml"],
        &["extract", "nowhere.toml", "-o", "x"],
        &["preview", "nowhere.toml"],
        &["schedule", "next", "nowhere.toml"],
        &["sql", "SELECT"],
    ] {
        let told = project.call(&[args, &["--log-format", "json"]].concat());
        let lines = lines(&told);
        assert!(told.code != Some(0) && lines.iter().any(|line| line["level"] == "error"), "{args:?}: {told:?}");
        let code = lines.iter().find_map(|line| line["code"].as_i64());
        assert_eq!(code, told.code.map(i64::from), "{args:?}: {told:?}");
    }
}

#[test]
fn a_missing_file_is_an_error_of_the_run() {
    let project = Project::new(BARS);
    std::fs::remove_file(project.path("bars.csv")).unwrap();
    let told = project.call(&["run", "job.toml", "--log-format", "json"]);
    let lines = lines(&told);
    assert_eq!(run_of(&lines, "demo"), project.runs()[0].0);
    let error = lines.iter().find(|line| line["code"].is_number()).unwrap();
    assert_eq!(error["code"].as_i64(), told.code.map(i64::from), "{error}");
    assert!(error["message"].as_str().unwrap().contains("bars.csv"), "{error}");
    assert_eq!(only(&lines, "end")["verdict"], "FAIL");
}

#[test]
fn each_line_of_two_jobs_names_its_own() {
    let project = Project::new(BARS);
    project.write("other.toml", std::fs::read_to_string(project.path("job.toml")).unwrap());
    project.edit("other.toml", "name = \"demo\"", "name = \"other\"");
    project.edit("other.toml", "bars.csv", "more.csv");
    project.write("more.csv", format!("{BARS}{BAD}"));
    let told = project.call(&["check", "job.toml", "other.toml", "gone.toml", "-v", "--log-format", "json"]).exits(2);
    let lines = lines(&told);
    let of = |job: &str| lines.iter().filter(|line| line["job"] == job).cloned().collect::<Vec<_>>();
    let (demo, other) = (of("demo"), of("other"));
    assert_ne!(run_of(&demo, "demo"), run_of(&other, "other"));
    assert_eq!(
        (only(&demo, "end")["exit_code"].as_i64(), only(&other, "end")["exit_code"].as_i64()),
        (Some(0), Some(1))
    );
    let rest: Vec<&Value> = lines.iter().filter(|line| line["job"].is_null()).collect();
    assert!(rest.iter().all(|line| line["file"] == "gone.toml") && rest.len() == 1, "{rest:?}");
}

#[cfg(feature = "mongodb")]
#[test]
fn a_server_that_is_stopped_is_an_error_of_the_run() {
    let project = Project::new(BARS);
    project.edit(
        "job.toml",
        "[source.files]\npath = \"bars.csv\"",
        "[source.mongodb]\nuri = \"${MONGO}\"\ndatabase = \"d\"\ncollection = \"c\"",
    );
    project.edit("job.toml", "[report]", "[notify]\nslack = \"${HOOK}\"\n\n[report]");
    for (format, verbose) in [("json", "info"), ("json", "trace"), ("text", "trace")] {
        let mut command = project.command(&["run", "job.toml", "--log-format", format]);
        command.env("MONGO", format!("mongodb://user:{SECRET}@127.0.0.1:1/?authSource=admin"));
        command.env("HOOK", format!("http://127.0.0.1:1/{SECRET}")).env("BARKEEP_LOG", verbose);
        let told = project.output(command.output().unwrap()).exits(3);
        assert!(!told.err.contains(SECRET) && !told.out.contains(SECRET), "{told:?}");
        assert!(told.err.contains("127.0.0.1:1"), "{told:?}");
        if verbose == "info" {
            let lines = lines(&told);
            run_of(&lines, "demo");
            assert!(lines.iter().any(|line| line["code"] == 3 && line["level"] == "error"), "{lines:?}");
            let untold = |line: &&Value| {
                line["message"].as_str().unwrap().starts_with("warning: notification not delivered: slack")
            };
            assert_eq!(lines.iter().find(untold).unwrap()["level"], "warn");
        }
    }
}

#[test]
fn no_line_of_any_command_holds_a_secret() {
    let project = Project::new(format!("{BARS}{BAD}"));
    let keys = "[notify]\nwebhook = \"${HOOK}\"\nwebhook_secret = \"${KEY}\"\nslack = \"${HOOK}\"\nfeishu = \"${HOOK}\"\n\
                feishu_secret = \"${KEY}\"\ndingtalk = \"${HOOK}\"\nwecom = \"${HOOK}\"\nhealthchecks = \"${HOOK}\"\n\n[report]";
    project.edit("job.toml", "[report]", keys);
    for format in ["text", "json"] {
        for args in [
            &["check", "job.toml"][..],
            &["plan", "job.toml"],
            &["run", "job.toml", "--dry-run"],
            &["run", "job.toml"],
            &["run", "job.toml", "nowhere.toml"],
            &["doctor", "job.toml"],
            &["preview", "job.toml"],
            &["extract", "job.toml", "-o", format],
            &["quarantine", "list", "job.toml"],
            &["rules", "list", "job.toml"],
            &["rules", "lint", "job.toml"],
            &["report", "show"],
            &["sql", "SELECT * FROM runs"],
            &["schedule", "next", "job.toml"],
            &["label", "job.toml", "rule=ohlc", "known", "--why", "b"],
        ] {
            let mut command = project.command(&[args, &["--log-format", format]].concat());
            command.env("HOOK", format!("http://127.0.0.1:1/{SECRET}")).env("KEY", SECRET).env("BARKEEP_LOG", "trace");
            let told = project.output(command.output().unwrap());
            assert!(!told.err.contains(SECRET) && !told.out.contains(SECRET), "{args:?}: {told:?}");
        }
    }
    for file in project.files("reports") {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{}", file.display());
    }
}
