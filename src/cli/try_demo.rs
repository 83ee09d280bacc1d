//! `barkeep demo`: bars with known faults, a job over them, a run, and what to look at next, in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::{DemoArgs, Global, PageArgs, ReportsDir};
use super::demo::{self, Demo, Fault};
use super::events;
use super::output::{self, Output};
use super::page;
use super::project::{shared, there_already, write_all};
use crate::durable::paths;
use crate::page::MOST;
use crate::report::render::render_text;
use crate::run::shell::{typed, typed_word};
use crate::run::{CheckOptions, Exit, Failure, Job, Stop};
use crate::text::numbers::counted;

const JOB: &str = "jobs/demo.toml";
const JOB_TEXT: &str = include_str!("../../jobs/demo.toml");
const BARS: &str = "jobs/demo/bars.csv";
const FAULTS: &str = "jobs/demo/faults.csv";
/// The rule of the fault that is explained as an example.
const EXAMPLE: &str = "price-spike";

/// Makes the folder and checks its bars. A demo that is there is checked again.
pub(crate) async fn demo(global: &Global, args: &DemoArgs, output: &mut Output) -> Result<Exit, Failure> {
    let root = paths::tidy(&args.dir);
    let made = demo::bars();
    let written = make(&root, &made)?;
    let job = root.join(JOB);
    let context = events::context(global, Stop::never());
    let opened = Job::open(&context, &job)?;
    let reports = opened.report_dir().to_path_buf();
    let result = opened.check(CheckOptions::default()).await?;
    let page =
        PageArgs { run: Some(result.summary.run_id.clone()), reports: ReportsDir { dir: reports }, findings: MOST };
    if output.is_json() {
        let files: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        let object = serde_json::json!({
            "type": "demo", "dir": args.dir.display().to_string(), "files": files, "job": job.display().to_string(),
            "faults": root.join(FAULTS).display().to_string(),
        });
        output.line(&object.to_string())?;
        output.line(&output::summary(&result.summary)?)?;
        page::html(&page, None, output)?;
    } else {
        let files = counted(written.len() as u64, "file");
        output.line(&match written.is_empty() {
            true => format!("the demo in {} is checked again", root.display()),
            false => format!("{files} written into {}", root.display()),
        })?;
        output.line(&format!("{} lists what is wrong with the bars\n", root.join(FAULTS).display()))?;
        output.line(render_text(&result.summary, output.colour(), output::width()).trim_end())?;
        match output.terminal() {
            true => page::open(&page, output)?,
            false => page::html(&page, None, output)?,
        };
        if let Some(Fault { symbol, time, .. }) = made.faults.iter().find(|fault| fault.rule == EXAMPLE) {
            let symbol = typed_word(symbol.as_ref());
            output.line(&format!("      barkeep explain {} --series {symbol} --at {time}", typed(&job)))?;
        }
    }
    // Faults are what a demo has.
    match (result.failure, result.exit) {
        (Some(failure), _) => Err(failure),
        (None, Exit::Findings) => Ok(Exit::Ok),
        (None, exit) => Ok(exit),
    }
}

/// Writes the files of the demo; none where all of them are there as they would be written.
fn make(root: &Path, made: &Demo) -> Result<Vec<PathBuf>, Failure> {
    let mut files: Vec<(PathBuf, String)> = shared().into_iter().map(|(name, text)| (name.into(), text)).collect();
    let own = [(JOB, JOB_TEXT.to_owned()), (FAULTS, made.truth()), (BARS, made.csv.clone())];
    files.extend(own.into_iter().map(|(name, text)| (name.into(), text)));
    let there: Vec<PathBuf> = files.iter().map(|(name, _)| root.join(name)).filter(|path| path.exists()).collect();
    let is_same =
        |(name, text): &(PathBuf, String)| fs::read(root.join(name)).is_ok_and(|bytes| bytes == text.as_bytes());
    match there.is_empty() {
        true => write_all(root, &files),
        false if files.iter().all(is_same) => Ok(Vec::new()),
        false => Err(there_already(&there)),
    }
}
