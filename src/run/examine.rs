//! Whether a job can do its work, and what to do where it cannot. Changes nothing.

use std::path::Path;

use chrono::{Days, NaiveDate};

use super::examination::{Examination, Health, Line};
use super::failure::Failure;
use super::job::Job;
use super::unreported::unreported_runs;
use crate::quarantine::item::{State, Which};
use crate::text::numbers::counted;

/// Free bytes below which a disk is said to be nearly full.
const LITTLE: u64 = 1 << 30;
/// Days a calendar should reach ahead.
pub(super) const AHEAD: u64 = 60;

impl Job {
    /// Finds out whether the job can do its work: calendar, disks, source, privileges, quarantine. Each thing is shown as
    /// it is found out; returns the worst of it. Changes nothing.
    ///
    /// # Errors
    /// What ends the examination, as where the job names a field that the source lacks, and what `show` fails with.
    pub async fn examine(
        &self,
        mut show: impl FnMut(Line<'_>) -> Result<(), Failure> + Send,
    ) -> Result<Health, Failure> {
        let mut lines = Examination::new(&mut show);
        lines.ok("job", &format!("{} and {} rule files have no mistakes", self.path.display(), self.rule_files()))?;
        self.examine_calendar(&mut lines)?;
        disk("reports", self.report_dir(), &mut lines)?;
        disk("snapshots", &self.context.temp.clone().unwrap_or_else(std::env::temp_dir), &mut lines)?;
        if self.source.examine(&mut lines).await? {
            self.examine_source(&mut lines).await?;
        }
        Ok(lines.worst)
    }

    async fn examine_source(&self, lines: &mut Examination<'_>) -> Result<(), Failure> {
        let opened = self.open_source().await;
        let Some(opened) = lines.reached(Health::Fail, "source", opened)? else { return Ok(()) };
        let examined = opened.source.examine(lines).await;
        opened.source.close().await;
        lines.reached(Health::Fail, "source", examined)?;
        let examined = self.examine_quarantine(lines).await;
        // Of privileges that are missing was reported; who only checks need not look into it.
        let health = if lines.wanting { Health::Warn } else { Health::Fail };
        lines.reached(health, "quarantine", examined).map(|_| ())
    }

    fn examine_calendar(&self, lines: &mut Examination<'_>) -> Result<(), Failure> {
        let zones = chrono_tz::IANA_TZDB_VERSION;
        let Some(calendar) = &self.loaded.job.bars.calendar else {
            return lines.ok("calendar", &format!("none; time zones {zones}"));
        };
        let last = calendar.last().and_then(NaiveDate::from_epoch_days);
        let soon = self.context.clock.now().date_naive().checked_add_days(Days::new(AHEAD));
        match last.zip(soon) {
            Some((last, soon)) if last < soon => {
                let detail = format!(
                    "{} is known until {last} only; write later days in `[bars] calendar_file`",
                    calendar.name()
                );
                lines.warn("calendar", &detail)
            }
            _ => {
                let until = last.map_or_else(|| "for ever".to_owned(), |last| format!("until {last}"));
                lines.ok("calendar", &format!("{} is known {until}; time zones {zones}", calendar.name()))
            }
        }
    }

    async fn examine_quarantine(&self, lines: &mut Examination<'_>) -> Result<(), Failure> {
        let store = match self.source.quarantine().await {
            // Of a source whose rows never leave nothing is kept.
            Err(Failure::Refused(reason, _)) => return lines.ok("quarantine", &reason),
            store => store?,
        };
        let items = store.items(&Which::default(), false, &|text: &str| self.context.note(text)).await;
        let under_way = store.under_way().await;
        store.close().await;
        let (items, under_way) = (items?, under_way?);
        let count = |state: State| items.iter().filter(|item| item.state == state).count();
        let states = State::ALL.map(|state| (state, count(state))).into_iter().filter(|(_, count)| *count > 0);
        let states: Vec<String> = states.map(|(state, count)| format!("{count} {}", state.as_str())).collect();
        let rows = counted(items.len() as u64, "row");
        let detail = format!("{rows}{}{}", if states.is_empty() { "" } else { ": " }, states.join(", "));
        match count(State::Removing) {
            0 => lines.ok("quarantine", &detail),
            _ => lines.warn("quarantine", &format!("{detail}; the next `run` finishes those that were being removed")),
        }?;
        for run in unreported_runs(self.report_dir(), self.name())? {
            let detail = format!("{run} moved rows, or was about to, and has none; the next `run` names the rows");
            lines.warn("reports", &detail)?;
        }
        if let Some(holder) = under_way.holder {
            lines.warn("lease", &format!("rows are being moved by {holder}"))?;
        }
        match under_way.runs.as_slice() {
            [] => Ok(()),
            runs => lines
                .warn("runs", &format!("cut short, or under way: {}; the next `run` finishes them", runs.join(", "))),
        }
    }
}

fn disk(about: &str, folder: &Path, lines: &mut Examination<'_>) -> Result<(), Failure> {
    let there = folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."));
    let name = folder.display();
    if let Err(error) = tempfile::tempfile_in(there) {
        return lines.fail(about, &format!("`{name}` cannot be written: {error}"));
    }
    let free = match rustix::fs::statvfs(there) {
        Ok(at) => at.f_bavail.saturating_mul(at.f_frsize),
        Err(error) => return lines.warn(about, &format!("`{name}` does not say how much is free: {error}")),
    };
    let detail = format!("`{name}` has {} MiB free", free >> 20);
    if free < LITTLE { lines.warn(about, &detail) } else { lines.ok(about, &detail) }
}
