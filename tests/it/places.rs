//! Commands from wherever they are typed: the folder of the project, that of its jobs, and elsewhere; and paths however
//! they are written.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::package;

/// A folder that a shell does not take for one word.
const FOLDER: &str = "it's my $HOME project";

/// A folder that is the home of the user, with a project in it, and a place elsewhere.
struct Places {
    home: tempfile::TempDir,
}

impl Places {
    /// A project with two bad rows, in CSV and in Parquet.
    fn new() -> Self {
        let places = Self { home: tempfile::tempdir().unwrap() };
        for folder in ["elsewhere", "tmp"] {
            fs::create_dir(places.home.path().join(folder)).unwrap();
        }
        for folder in ["jobs", "rules", "data/of symbols"] {
            fs::create_dir_all(places.project().join(folder)).unwrap();
        }
        let bars = "symbol,date,open,high,low,close,volume\nA,2024-01-02,10,11,9.5,10.5,1000\nA,2024-01-03,10.5,9,10,10.8,1100\n\
             A,2024-01-04,10.8,11.2,10.5,11,900\nA,2024-01-05,10.8,11.2,10.5,11,900\n";
        places.write("data/of symbols/bars.csv", bars);
        places.write("rules/own.toml", crate::cli_support::RULES);
        let times = ["2024-01-02T00:00:00", "2024-01-03T00:00:00", "2024-01-03T00:00:00", "2024-01-04T00:00:00"];
        crate::support::write_local_bars(&places.project().join("data/bars.parquet"), &times);
        places.job("daily", "../data/of symbols/bars.csv");
        places.job("typed", "../jobs/../data/*.parquet");
        places
    }

    fn project(&self) -> PathBuf {
        self.home.path().join(FOLDER)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.project().join(name), text).unwrap();
    }

    /// A job over the files at `path`, with limits that let rows go.
    fn job(&self, name: &str, path: &str) {
        let text = format!(
            "name = \"{name}\"\nrules = [\"../rules/own.toml\", \"../rules/copies.toml\"]\n\n[source.files]\npath = \"{path}\"\n\n[bars]\nseries = [\"symbol\"]\n\
             interval = \"1d\"\ncalendar = \"XNYS\"\ntime = {{ field = \"date\" }}\n\n[limits]\nfraction = 1.0\nseries_fraction = 1.0\n\n\
             [report]\ndir = \"../jobs/../reports\"\n"
        );
        self.write(&format!("jobs/{name}.toml"), &text);
        self.write("rules/copies.toml", "[[rule]]\nid = \"copies\"\ncheck = \"duplicate\"\naction = \"quarantine\"\n");
    }

    /// Where commands are typed, each with the way from there to the project.
    fn folders(&self) -> [(PathBuf, String); 3] {
        let project = self.project();
        [
            (project.clone(), ".".to_owned()),
            (project.join("jobs"), "..".to_owned()),
            (self.home.path().join("elsewhere"), format!("../{FOLDER}")),
        ]
    }

    fn command(&self, program: &str, folder: &Path) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_barkeep")).parent().unwrap().to_path_buf();
        let path = std::env::join_paths(
            std::iter::once(binary).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let mut command = Command::new(program);
        command.current_dir(folder).env("PATH", path.unwrap()).env("HOME", self.home.path());
        command.env("TMPDIR", self.home.path().join("tmp")).env("NO_COLOR", "1").env_remove("BARKEEP_REPORTS");
        command
    }

    /// Types a line into a shell.
    #[track_caller]
    fn typed(&self, line: &str, folder: &Path) -> Output {
        let output = self.command("sh", folder).args(["-c", line]).output().unwrap();
        works(&output, &format!("{line} in {}", folder.display()));
        output
    }

    #[track_caller]
    fn call(&self, args: &[&str], folder: &Path) -> Output {
        let output = self.command("barkeep", folder).args(args).output().unwrap();
        works(&output, &format!("{args:?} in {}", folder.display()));
        output
    }
}

/// Fails where a command was not understood, or did not find what it names.
#[track_caller]
fn works(output: &Output, what: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{what}: {}\n{out}\n{err}", output.status);
    for bad in ["no such", "not found", "No such", "no file", "panicked"] {
        assert!(!err.contains(bad), "{what}: {err}");
    }
}

/// The commands under `next` in the output of one that writes JSON, or under `next:` in text.
fn next(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let objects = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let steps = objects.filter_map(|object| object["next"].as_array().cloned()).flatten();
    let of_json = steps.map(|step| step["command"].as_str().unwrap().to_owned());
    let of_text = text.lines().filter_map(|line| line.strip_prefix("next: "));
    // Behind some blanks stands what a command is for.
    let of_text = of_text.map(|line| line.split("   ").next().unwrap_or_default().to_owned());
    of_json.chain(of_text).collect()
}

#[test]
fn what_is_printed_as_next_works_where_it_is_printed() {
    for job in ["daily", "typed"] {
        for at in 0..3 {
            let places = Places::new();
            let (folder, way) = &places.folders()[at];
            let job = format!("{way}/jobs/{job}.toml");
            let quoted = format!("'{}'", job.replace('\'', "'\\''"));
            let first = ["check", "run --dry-run", "plan"].map(|command| format!("barkeep {command} {quoted}"));
            let mut waiting: VecDeque<String> = first.into();
            let mut typed = BTreeSet::new();
            while let Some(line) = waiting.pop_front() {
                // A plan of each run has a name of its own.
                let known = line.split(".plan").next().unwrap_or_default().split("plans/").next().unwrap_or_default();
                if !typed.insert(known.to_owned()) {
                    continue;
                }
                let output = places.typed(&line.replacen("barkeep", "barkeep --format json", 1), folder);
                waiting.extend(next(&output));
            }
            for command in ["report show --dir ", "plan ", "apply ", "run ", "quarantine list "] {
                let some = typed.iter().any(|line| line.starts_with(&format!("barkeep {command}")));
                assert!(some, "{command} is never printed in {}: {typed:?}", folder.display());
            }
        }
    }
}

/// The commands of the README that need no server, over the demo.
#[test]
fn the_commands_of_the_readme_work_from_everywhere() {
    let readme = fs::read_to_string(package().join("README.md")).unwrap();
    let demo =
        |line: &&str| line.contains("jobs/demo.toml") || line.contains("report show") || line.contains("FROM findings");
    let lines = readme.lines().filter_map(|line| line.strip_prefix("$ ")).filter(|line| line.starts_with("barkeep"));
    let lines: Vec<&str> = lines.filter(demo).collect();
    assert!(lines.len() >= 4, "{lines:?}");
    let places = Places::new();
    let made = places.typed("barkeep demo 'a demo'", places.home.path());
    for line in next(&made) {
        places.typed(&line, places.home.path());
    }
    let demo = places.home.path().join("a demo");
    for (folder, way) in
        [(demo.clone(), "."), (demo.join("jobs"), ".."), (places.home.path().join("elsewhere"), "'../a demo'")]
    {
        for line in &lines {
            let line = line.replace("jobs/demo.toml", &format!("{way}/jobs/demo.toml"));
            let line = match line.contains(" sql ") && !line.contains("--job") || line.contains("report show") {
                true => format!("BARKEEP_REPORTS={way}/reports {line}"),
                false => line,
            };
            places.typed(&line, &folder);
        }
    }
}

/// Every command takes a job, and a job its files, whatever way they are written.
#[test]
fn paths_are_understood_however_they_are_written() {
    let places = Places::new();
    let project = places.project();
    let address = |path: &Path| format!("file://{}", path.display().to_string().replace(' ', "%20"));
    let data = project.join("data");
    let sources = [
        "../data/of symbols/../of symbols/bars.csv".to_owned(),
        format!("~/{FOLDER}/data/of symbols/*.csv"),
        address(&data.join("of symbols/bars.csv")),
        format!("~/{FOLDER}/data/bars.parquet"),
        address(&data.join("bars.parquet")),
        data.join("of symbols/{symbol}s.csv").display().to_string().replace("{symbol}s", "*"),
    ];
    let elsewhere = places.home.path().join("elsewhere");
    for source in &sources {
        places.job("daily", source);
        let job = project.join("jobs/daily.toml");
        let ways = [
            format!("../{FOLDER}/jobs/../jobs/daily.toml"),
            format!("~/{FOLDER}/jobs/daily.toml"),
            address(&job),
            job.display().to_string(),
        ];
        for way in &ways {
            for args in [
                vec!["preview", way],
                vec!["check", way],
                vec!["run", "--dry-run", way],
                vec!["doctor", way],
                vec!["quarantine", "list", way],
                vec!["rules", "lint", way],
                vec!["rules", "test", way],
                vec!["rules", "list", way],
                vec!["sql", "--job", way, "SELECT count(*) FROM bars"],
                vec!["plan", way, "-o", "~/a plan"],
            ] {
                places.call(&args, &elsewhere);
            }
            let reports = way.replace("jobs/daily.toml", "reports");
            places.call(&["report", "list", "--dir", &reports], &elsewhere);
            places.call(&["report", "show", "--dir", &reports], &elsewhere);
            places.call(&["sql", "--dir", &reports, "SELECT count(*) FROM findings"], &elsewhere);
        }
        assert!(places.home.path().join("a plan").is_file());
        assert!(!elsewhere.join("~").exists());
    }
}

/// `init` looks at files and makes its folder wherever it is checked to, and what it prints next works.
#[test]
fn init_takes_paths_however_they_are_written() {
    let places = Places::new();
    let elsewhere = places.home.path().join("elsewhere");
    for (at, from) in [
        format!("../{FOLDER}/data/of symbols/bars.csv"),
        format!("~/{FOLDER}/data/of symbols/*.csv"),
        format!(
            "file://{}",
            places
                .project()
                .join("data/of%20symbols")
                .display()
                .to_string()
                .replace("/it's my $HOME project", "/it's%20my%20$HOME%20project")
        ),
    ]
    .iter()
    .enumerate()
    {
        for (number, dir) in
            [format!("made {at}"), format!("~/made {at}"), format!("../x/../a {at}")].iter().enumerate()
        {
            let made = places.call(&["init", dir, "--from", from], &elsewhere);
            let steps = next(&made);
            assert_eq!(steps.len(), 1, "{dir}");
            places.typed(&steps[0], &elsewhere);
            assert!(number != 1 || places.home.path().join(format!("made {at}/jobs")).is_dir());
        }
    }
}
