//! Which moments of which job are over, and which runs are wanted because of them. Values in, values out: what time it is
//! comes from outside, and may jump.

use std::collections::VecDeque;

use crate::schedule::{CatchUp, Due, Schedule, delay, newest};

/// A clock that goes back by less repeats no moment; by more, it was wrong before, and everything is due by the new one.
const SET_BACK: i64 = 3 * 3_600_000_000;
/// A moment that is seen so much after it was due was missed.
const LATE: i64 = 120_000_000;
/// Most runs that one job is owed.
const MOST: usize = 100;

/// What the agenda knows of a job.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Its name.
    pub(super) name: String,
    /// When it is due.
    pub(super) schedule: Schedule,
}

/// One job.
#[derive(Debug)]
struct Entry {
    plan: Option<Plan>,
    /// Moments up to it were dealt with, µs UTC.
    seen: i64,
    /// The moment after it, where that is known.
    next: Option<i64>,
    /// Moments that want a run, oldest first.
    wanted: VecDeque<i64>,
    running: bool,
}

/// Moments of one job that get no run of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassedOver {
    /// They were missed, and the job makes up for none.
    Missed,
    /// The run before was still at work.
    AtWork,
}

/// The jobs, by number.
#[derive(Debug)]
pub(super) struct Agenda {
    entries: Vec<Entry>,
    /// When it was looked at last, µs UTC.
    observed: i64,
}

impl Agenda {
    /// So many jobs of which nothing is known yet, at `now`.
    pub(super) fn new(jobs: usize, now: i64) -> Self {
        let entry = |_| Entry { plan: None, seen: now, next: None, wanted: VecDeque::new(), running: false };
        Self { entries: (0..jobs).map(entry).collect(), observed: now }
    }

    /// Takes the plan of a job, which may have changed. `last` is when it was started last, as far as the reports say, for one
    /// that was not known: what was due since then was missed. A job that never ran missed nothing.
    pub(super) fn set(&mut self, job: usize, plan: Plan, last: Option<i64>) {
        let now = self.observed;
        let entry = &mut self.entries[job];
        if entry.plan.is_none() {
            entry.seen = last.filter(|last| *last <= now.saturating_add(SET_BACK)).unwrap_or(now);
        }
        entry.plan = Some(plan);
        entry.look_ahead();
    }

    /// Whether the plan of a job is known.
    pub(super) fn knows(&self, job: usize) -> bool {
        self.entries[job].plan.is_some()
    }

    /// The name of a job, where its plan is known.
    pub(super) fn plan(&self, job: usize) -> Option<&Plan> {
        self.entries[job].plan.as_ref()
    }

    /// Looks at what is due by now; tells the moments that get no run. Whether the clock was set back by much comes first.
    pub(super) fn observe(&mut self, now: i64) -> (bool, Vec<(usize, PassedOver)>) {
        let set_back = now < self.observed.saturating_sub(SET_BACK);
        self.observed = now;
        let mut passed_over = Vec::new();
        for (job, entry) in self.entries.iter_mut().enumerate() {
            if set_back {
                entry.seen = entry.seen.min(now.saturating_sub(entry.delay()));
                entry.look_ahead();
            }
            passed_over.extend(entry.observe(now).map(|why| (job, why)));
        }
        (set_back, passed_over)
    }

    /// The first moment at which a job is to be started that is not wanted already, µs UTC.
    pub(super) fn next_start(&self) -> Option<i64> {
        self.entries.iter().filter_map(|entry| entry.next.map(|next| next.saturating_add(entry.delay()))).min()
    }

    /// The jobs that want a run and have none, those that wait longest first, each with the moment it is about.
    pub(super) fn ready(&self) -> Vec<(usize, i64)> {
        let waiting = self.entries.iter().enumerate().filter(|(_, entry)| !entry.running && entry.plan.is_some());
        let mut ready: Vec<_> = waiting.filter_map(|(job, entry)| Some((job, *entry.wanted.front()?))).collect();
        ready.sort_by_key(|(job, moment)| (*moment, *job));
        ready
    }

    /// A run of `job` began.
    pub(super) fn began(&mut self, job: usize) {
        let entry = &mut self.entries[job];
        entry.wanted.pop_front();
        entry.running = true;
    }

    /// The run of `job` ended.
    pub(super) fn ended(&mut self, job: usize) {
        self.entries[job].running = false;
    }
}

impl Entry {
    /// How long after its moments the job starts, µs.
    fn delay(&self) -> i64 {
        self.plan.as_ref().map_or(0, |plan| delay(&plan.name, plan.schedule.jitter))
    }

    fn look_ahead(&mut self) {
        self.next = self.plan.as_ref().and_then(|plan| match plan.schedule.next(self.seen) {
            Due::At(fire) => Some(fire.at),
            Due::BeyondCalendar(_) => None,
        });
    }

    fn observe(&mut self, now: i64) -> Option<PassedOver> {
        let until = now.saturating_sub(self.delay());
        let plan = self.plan.as_ref()?;
        let moments = match self.next {
            Some(next) if next <= until => newest(&plan.schedule, self.seen, until, MOST),
            _ => return None,
        };
        let catch_up = plan.schedule.catch_up;
        self.seen = until;
        self.look_ahead();
        let newest = moments.last().copied()?;
        match catch_up {
            CatchUp::All => {
                self.wanted.extend(moments);
                let excess = self.wanted.len().saturating_sub(MOST);
                self.wanted.drain(..excess);
                None
            }
            CatchUp::None if self.running => Some(PassedOver::AtWork),
            CatchUp::None if newest < until.saturating_sub(LATE) => Some(PassedOver::Missed),
            // One run stands for all that is over.
            CatchUp::Latest | CatchUp::None => {
                self.wanted = VecDeque::from([newest]);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
