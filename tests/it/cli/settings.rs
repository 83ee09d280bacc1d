//! Settings from outside the job: `${NAME}`, the `.env` beside the job, environment variables, and secrets.

use crate::cli_support::{BARS, JOB, Project};

#[test]
fn an_unset_variable_is_reported_with_its_place() {
    let project = Project::new(BARS);
    project.edit("job.toml", "dir = \"reports\"", "dir = \"${BARKEEP_TEST_UNSET}/reports\"");
    insta::assert_snapshot!(project.call(&["check", "job.toml"]).exits(2).err, @r#"
error[unset-variable]: environment variable `BARKEEP_TEST_UNSET` is not set
  --> job.toml:14:7
   |
14 | dir = "${BARKEEP_TEST_UNSET}/reports"
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ used here
   |
   = help: set it in the environment or in a `.env` beside the job, or write `${NAME:-default}`

error: 1 mistake; nothing was read
"#);
}

#[test]
fn variables_come_from_the_environment_then_from_the_env_file_beside_the_job() {
    let project = Project::empty();
    project.write("jobs/job.toml", JOB.replace("dir = \"reports\"", "dir = \"${BARKEEP_TEST_DIR:-fallback}\""));
    project.write("jobs/rules.toml", crate::cli_support::RULES);
    project.write("jobs/bars.csv", BARS);
    project.call(&["check", "jobs/job.toml"]).exits(0);
    assert!(project.path("jobs/fallback/runs").is_dir());
    project.write("jobs/.env", "# where reports go\nBARKEEP_TEST_DIR='from file'\n");
    project.call(&["check", "jobs/job.toml"]).exits(0);
    assert!(project.path("jobs/from file/runs").is_dir());
    let output = project.command(&["check", "jobs/job.toml"]).env("BARKEEP_TEST_DIR", "outside").output().unwrap();
    project.output(output).exits(0);
    assert!(project.path("jobs/outside/runs").is_dir());
}

#[test]
fn a_broken_env_file_is_reported_without_its_text() {
    let project = Project::new(BARS);
    project.write(".env", "A=1\nhunter2 is the password\n");
    let output = project.call(&["check", "job.toml"]).exits(2).says(&["`.env`", "not `NAME=value`", "after 1 good"]);
    assert!(!output.err.contains("hunter2"), "{}", output.err);
}

#[test]
fn secrets_are_never_printed_or_stored() {
    let project =
        Project::new("symbol,date,open,high,low,close,volume\nA,2024-01-02,1,2,3,1.5,1\nA,2024-01-03,1,2,1,1.5,1\n");
    project.write(".env", "BARKEEP_TEST_SECRET=hunter2-from-file\n");
    project.edit(
        "job.toml",
        "[bars]",
        "filter = { symbol = [\"A\", \"${BARKEEP_TEST_SECRET}\", \"${BARKEEP_TEST_OTHER}\"] }\n\n[bars]",
    );
    project.edit("rules.toml", "why = \"", "owner = \"${BARKEEP_TEST_SECRET}\"\nwhy = \"");
    let call = |args: &[&str]| {
        project.output(project.command(args).env("BARKEEP_TEST_OTHER", "hunter2-from-env").output().unwrap())
    };
    for args in [
        &["check", "job.toml", "-vv"][..],
        &["run", "job.toml", "--format", "json"],
        &["check", "job.toml", "--since", "2031-01-01"],
        &["report", "show"],
        &["rules", "list", "job.toml"],
        &["rules", "lint", "job.toml"],
    ] {
        let output = call(args);
        assert!(!output.out.contains("hunter2") && !output.err.contains("hunter2"), "{args:?}: {output:?}");
    }
    project.edit("job.toml", "[report]", "password = \"hunter2-in-job\"\n[report]");
    let output = call(&["check", "job.toml"]).exits(2).says(&["password", "*****"]);
    assert!(!output.err.contains("hunter2"), "{}", output.err);
    let output = call(&["check", "job.toml", "--format", "json"]).exits(2);
    assert!(!output.out.contains("hunter2"), "{}", output.out);
}

#[test]
fn flags_count_before_the_environment() {
    let project = Project::new(BARS);
    let call = |args: &[&str], name: &str, value: &str| {
        project.output(project.command(args).env(name, value).output().unwrap())
    };
    call(&["check", "job.toml"], "BARKEEP_THREADS", "none").exits(2);
    call(&["check", "job.toml"], "BARKEEP_TEMP_DIR", "nowhere")
        .exits(2)
        .says(&["`nowhere` is not a folder", "`--temp-dir`"]);
    call(&["check", "job.toml", "--temp-dir", "tmp"], "BARKEEP_TEMP_DIR", "nowhere").exits(0);
}
