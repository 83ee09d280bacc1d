//! What is known of the runs before: what was sent of them, and when all was well.

use super::super::job::Job;
use super::unreported;
use crate::durable::Disk;
use crate::notify::{Event, Past};
use crate::report::notification::{self, EarlierRun};
use crate::report::run_id::RunId;

/// Earlier runs that are looked at for their notifications.
const MOST_RUNS: usize = 400;

/// The runs before one that ends.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Those whose end was looked at for something to say, newest first.
    pub(super) past: Vec<Past>,
    /// When the last one with exit code 0 ended, µs UTC; `None` where none is known.
    pub(super) last_success: Option<i64>,
    /// Most memory that the run itself held, in bytes, where its row says so.
    pub(super) own_peak_rss: Option<u64>,
}

impl Earlier {
    /// Those of `job` before `run`, with the last success where that is `wanted`. What cannot be read is said, and every event
    /// is sent then.
    pub(super) fn read(job: &Job, run: &RunId, wanted: bool) -> Self {
        let mut earlier = Self::default();
        let (mut seen, mut delivered) = (0, false);
        let read = notification::each_run(job.report_dir(), job.name(), &mut |one| {
            seen += 1;
            if one.run == run.as_str() {
                earlier.own_peak_rss = one.peak_rss;
                return true;
            }
            earlier.last_success = earlier.last_success.or((one.exit_code == 0).then_some(one.finished_at));
            if !delivered {
                earlier.past.extend(past(job, &one));
                delivered = one.notification.is_some_and(|one| one.delivered);
            }
            seen < MOST_RUNS && !(delivered && (earlier.last_success.is_some() || !wanted))
        });
        if let Err(error) = read {
            let what = "warning: the notifications of earlier runs cannot be read, so every event is sent";
            job.context.note(&format!("{what}: {error}"));
        }
        match unreported::read(&Disk::system(), &unreported::path(&job.loaded.job)) {
            Ok(unreported) => earlier.past.extend(unreported.iter().map(unreported::Unreported::past)),
            Err(why) => {
                job.context.note(&format!("warning: {why}: what was sent of runs without a report is sent again"));
            }
        }
        earlier.past.sort_by_key(|past| std::cmp::Reverse(past.finished_at));
        earlier
    }
}

/// A run whose end was looked at; `None` where the job had no notifications then.
fn past(job: &Job, run: &EarlierRun) -> Option<Past> {
    let notification = run.notification.as_ref()?;
    let event = notification.event.as_deref().and_then(Event::parse);
    // What was delivered is said. Where the exit code is 0, `new` stands for findings, of this run or owed by it.
    let owed = event.is_some() && !notification.delivered;
    let says_so = event == Some(Event::New) && run.exit_code == 0;
    let found = || {
        notification::found_new(job.report_dir(), job.name(), &run.run).unwrap_or_else(|error| {
            job.context
                .note(&format!("warning: what run {} found cannot be read, so it is said again: {error}", run.run));
            true
        })
    };
    let new = owed && (says_so || found());
    let (exit_code, delivered, finished_at) = (run.exit_code, notification.delivered, run.finished_at);
    Some(Past { exit_code, event, new, delivered, finished_at })
}
