//! `barkeep init`: a folder to start in. Files that are there already are never overwritten.

use std::path::{Path, PathBuf};

use super::args::{Global, InitArgs};
use super::output::Output;
use super::preview::preview;
use super::project::{shared, there_already, write, write_all};
use crate::durable::paths;
use crate::inspect::{self, InspectError};
use crate::run::shell::typed;
use crate::run::{Exit, Failure};
use crate::text::escape::visible;

const FIRST: &str = "jobs/daily.toml";

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

/// Makes the folder.
pub(crate) fn init(args: &InitArgs, output: &mut Output) -> Result<Exit, Failure> {
    let mut files: Vec<(PathBuf, String)> = shared().into_iter().map(|(name, text)| (name.into(), text)).collect();
    files.push((FIRST.into(), FIRST_JOB.to_owned()));
    let root = paths::tidy(&args.dir);
    let there: Vec<PathBuf> = files.iter().map(|(name, _)| root.join(name)).filter(|path| path.exists()).collect();
    if !there.is_empty() {
        return Err(there_already(&there));
    }
    let written = write_all(&root, &files)?;
    if !output.is_json() {
        for path in &written {
            output.line(&format!("wrote {}", path.display()))?;
        }
    }
    let next = root.join(FIRST);
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
