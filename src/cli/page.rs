//! `barkeep report html` and `report open`: the page of a run, or of all jobs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::Utc;

use super::args::PageArgs;
use super::log::message;
use super::output::Output;
use crate::page::{self, Options};
use crate::report::store;
use crate::run::shell::typed;
use crate::run::unresolved::unresolved;
use crate::run::{Exit, Failure};
use crate::text::escape::visible;
use crate::text::numbers::{counted, thousands};
use crate::text::utc::UtcMicros;

/// Programs that open a file in a browser.
const OPENERS: &[&str] = if cfg!(target_os = "macos") { &["open"] } else { &["xdg-open", "wslview"] };

/// Writes the page.
pub(crate) fn html(args: &PageArgs, target: Option<&Path>, output: &mut Output) -> Result<Exit, Failure> {
    let page = Page::write(args, target)?;
    if output.is_json() {
        output.line(&page.json(None).to_string())?;
    } else {
        output.line(&page.text())?;
    }
    Ok(Exit::Ok)
}

/// Writes the page and opens it in the browser; where there is none, says where the page is.
pub(crate) fn open(args: &PageArgs, output: &mut Output) -> Result<Exit, Failure> {
    let page = Page::write(args, None)?;
    let opened = OPENERS.iter().any(|opener| opens(opener, &page.path));
    if output.is_json() {
        output.line(&page.json(Some(opened)).to_string())?;
        return Ok(Exit::Ok);
    }
    output.line(&page.text())?;
    if !opened {
        message("nothing here opens a browser; open the file with one");
    }
    Ok(Exit::Ok)
}

fn opens(opener: &str, path: &Path) -> bool {
    let mut command = Command::new(opener);
    command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A page that was written.
struct Page {
    path: PathBuf,
    /// Findings of the run and of the page, where it is that of a run.
    findings: Option<(u64, u64)>,
    jobs: Option<usize>,
    missing: Vec<String>,
}

impl Page {
    fn write(args: &PageArgs, target: Option<&Path>) -> Result<Self, Failure> {
        let dir = &args.reports.dir;
        let Some(asked) = &args.run else {
            let path = target.map_or_else(|| dir.join("pages").join("index.html"), Path::to_path_buf);
            let open = format!("barkeep report open --dir {}", typed(dir));
            let jobs = page::write_overview(dir, &open, UtcMicros::from(Utc::now()), &path)?;
            return Ok(Self { path, findings: None, jobs: Some(jobs), missing: Vec::new() });
        };
        let run = store::resolve_run(dir, asked).map_err(unresolved)?;
        let path = target.map_or_else(|| page::page_of(dir, &run), Path::to_path_buf);
        let written = page::write_run(dir, &run, &Options { most: args.findings }, &path)?;
        for missing in &written.missing {
            message(&format!("warning: the page lacks something: {}", visible(missing)));
        }
        Ok(Self { path, findings: Some(written.findings), jobs: None, missing: written.missing })
    }

    fn text(&self) -> String {
        let path = visible(&self.path.display().to_string()).into_owned();
        match (self.findings, self.jobs) {
            (Some((there, held)), _) if held < there => {
                format!("{path}   {} of {}; all are counted", thousands(held), counted(there, "finding"))
            }
            (Some((there, _)), _) => format!("{path}   {}", counted(there, "finding")),
            (None, jobs) => format!("{path}   {}", counted(jobs.unwrap_or(0) as u64, "job")),
        }
    }

    fn json(&self, opened: Option<bool>) -> serde_json::Value {
        serde_json::json!({
            "type": "page", "file": self.path.display().to_string(), "opened": opened, "jobs": self.jobs,
            "findings": self.findings.map(|(there, _)| there), "findings_held": self.findings.map(|(_, held)| held),
            "missing": self.missing,
        })
    }
}
