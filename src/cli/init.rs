//! `barkeep init`: a folder to start in. Files that are there already are never overwritten.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::args::{Global, InitArgs};
use super::demo;
use super::output::Output;
use super::preview::preview;
use crate::config::schema;
use crate::durable::paths;
use crate::inspect::{self, InspectError};
use crate::run::shell::typed;
use crate::run::{Exit, Failure};
use crate::suggest::sets::{OHLCV, SETS};
use crate::text::escape::visible;

const DEMO_JOB: &str = include_str!("../../jobs/demo.toml");

/// A first job; a person puts the path and the fields of their own bars in.
const FIRST_JOB: &str = r#"#:schema ../schema/job.schema.json
name  = "daily"
rules = ["../rules/ohlcv.toml"]

[source.files]
path = "../data/*.csv"                 # CSV, NDJSON or Parquet; a file, a folder or a pattern

[bars]
series   = ["symbol"]
interval = "1d"
calendar = "XNYS"                      # or XSHG, XHKG, XTKS, XLON, CMES, weekdays, 24/7
time     = { field = "date", formats = ["%Y-%m-%d"] }

[limits]                               # a run that wants to move more is refused
rows     = 10_000
fraction = 0.01

[report]
dir = "../reports"
"#;

/// Says editors (the TOML language server taplo) which schema a file has.
const TAPLO: &str = r#"[[rule]]
include = ["jobs/*.toml"]
[rule.schema]
path = "./schema/job.schema.json"

[[rule]]
include = ["rules/*.toml"]
[rule.schema]
path = "./schema/rules.schema.json"
"#;

/// Makes the folder.
pub(crate) fn init(args: &InitArgs, output: &mut Output) -> Result<Exit, Failure> {
    let files = files(args.demo);
    let root = paths::tidy(&args.dir);
    let there: Vec<String> = files
        .iter()
        .map(|(name, _)| root.join(name))
        .filter(|path| path.exists())
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if !there.is_empty() {
        let message = format!("these files are there already: {}", there.join(", "));
        return Err(Failure::Usage(message, "choose an empty folder, or move them away; nothing was written".into()));
    }
    let mut written: Vec<PathBuf> = Vec::new();
    for (name, text) in &files {
        let path = root.join(name);
        if let Err(failure) = write(&path, text) {
            // Half a project is none: what was written goes, what was there stays.
            for path in &written {
                drop(fs::remove_file(path));
            }
            return Err(failure);
        }
        written.push(path);
    }
    if !output.is_json() {
        for path in &written {
            output.line(&format!("wrote {}", path.display()))?;
        }
    }
    let job = if args.demo { "jobs/demo.toml" } else { "jobs/daily.toml" };
    let next = root.join(job);
    if output.is_json() {
        let names: Vec<&Path> = files.iter().map(|(name, _)| name.as_path()).collect();
        let dir = args.dir.display().to_string();
        output.line(&serde_json::json!({ "type": "init", "dir": dir, "files": names }).to_string())?;
    } else {
        output.line(&format!("next: barkeep check {}", typed(&next)))?;
    }
    Ok(Exit::Ok)
}

/// Makes the folder with a job for the files that the flags name. What else there is already stays as it is; a job of
/// the same name is never overwritten.
pub(crate) async fn from_files(global: &Global, args: &InitArgs, output: &mut Output) -> Result<Exit, Failure> {
    let root = paths::tidy(&args.dir);
    let dir = paths::absolute(&root)?;
    let patterns = args.from.iter().map(|path| paths::absolute(path)).collect::<Result<Vec<_>, _>>()?;
    let proposal = inspect::look(&patterns, &dir.join("jobs")).map_err(|error| match error {
        InspectError::Unfit(message, help) => Failure::Usage(message, help),
        InspectError::Source(error) => error.into(),
    })?;
    let job = root.join("jobs").join(format!("{}.toml", proposal.name));
    if job.exists() {
        let message = format!("`{}` is there already", job.display());
        return Err(Failure::Usage(message, "choose another folder, or move it away; nothing was written".into()));
    }
    let mut written = Vec::new();
    for (name, text) in shared() {
        let path = root.join(name);
        if !path.exists() {
            write(&path, &text)?;
            written.push(path);
        }
    }
    write(&job, &proposal.text)?;
    written.push(job.clone());
    if output.is_json() {
        let files: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        let dir = args.dir.display().to_string();
        let object = serde_json::json!({ "type": "init", "dir": dir, "files": files, "confirm": proposal.confirm });
        output.line(&object.to_string())?;
    } else {
        for path in &written {
            output.line(&format!("wrote {}", path.display()))?;
        }
    }
    preview(global, &job, output).await?;
    if !output.is_json() {
        output.line("confirm:")?;
        for line in &proposal.confirm {
            output.line(&format!("  {}", visible(line)))?;
        }
        output.line(&format!("next: barkeep check {}", typed(&job)))?;
    }
    Ok(Exit::Ok)
}

/// What every project has.
fn shared() -> Vec<(&'static str, String)> {
    let sets = SETS.iter().map(|(name, text)| (*name, (*text).to_owned()));
    let mut files = vec![(OHLCV.0, OHLCV.1.to_owned())];
    files.extend(sets);
    files.extend([
        ("schema/job.schema.json", format!("{:#}", schema::job_schema())),
        ("schema/rules.schema.json", format!("{:#}", schema::rules_schema())),
        (".taplo.toml", TAPLO.to_owned()),
    ]);
    files
}

fn files(demo: bool) -> Vec<(PathBuf, String)> {
    let mut files = shared();
    if demo {
        files.push(("jobs/demo.toml", DEMO_JOB.to_owned()));
        let made = demo::bars();
        files.push(("jobs/demo/faults.csv", made.truth()));
        files.push(("jobs/demo/bars.csv", made.csv));
    } else {
        files.push(("jobs/daily.toml", FIRST_JOB.to_owned()));
    }
    files.into_iter().map(|(name, text)| (PathBuf::from(name), text)).collect()
}

/// Writes a new file; one that came up meanwhile is left alone.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        let message = format!("cannot write `{}`: {error}", path.display());
        Failure::Broken(message.into())
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(refused)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(refused)?;
    file.write_all(text.as_bytes()).map_err(|error| {
        // The failure to write is the one to report.
        drop(fs::remove_file(path));
        refused(error)
    })
}
