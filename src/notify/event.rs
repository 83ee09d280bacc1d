//! Whether there is something to say of a run: a failure, something new, or that it works again.
//!
//! What was said before is known from the runs before. A message that could not be delivered, or was held back for another
//! went out just before, is owed: it is said by a later run, as long as what it says is still so.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// The exit code is not 0.
    Fail,
    /// The exit code is 0, and the last message said otherwise.
    Recovery,
    /// There are findings that the run before did not have, or it fails in another way than before.
    New,
}

impl Event {
    /// The words, as jobs write them.
    pub const WORDS: &'static [&'static str] = &["fail", "recovery", "new"];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Recovery => "recovery",
            Self::New => "new",
        }
    }

    /// What `word` stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Fail, Self::Recovery, Self::New].into_iter().find(|event| event.as_str() == word)
    }
}

/// A run that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// Its exit code.
    pub exit_code: u8,
    /// Findings that the run before did not have; `None` where that is not known.
    pub new: Option<u64>,
    /// All findings it has.
    pub findings: u64,
    /// When it ended, µs UTC.
    pub finished_at: i64,
}

/// A run before, of those whose end was looked at for something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Its exit code.
    pub exit_code: u8,
    /// What there was to say; `None` where there was nothing.
    pub event: Option<Event>,
    /// Whether it had findings that the run before it did not have.
    pub new: bool,
    /// Whether it was said: to one channel at least.
    pub delivered: bool,
    /// When it ended, µs UTC.
    pub finished_at: i64,
}

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What about; `None` where there is nothing.
    pub event: Option<Event>,
    /// The last message went out less than the span of the job ago: this one waits.
    pub held_back: bool,
}

/// What there is to say of a run, by what a job wants to hear (`on`) and how often at most; `past` are the runs before,
/// newest first.
pub fn decide(present: &Present, past: &[Past], on: &[Event], at_most_every: Option<TimeDelta>) -> Decision {
    let event = event(present, past).into_iter().find(|event| on.contains(event));
    let since = at_most_every.map(|span| present.finished_at - span.num_microseconds().unwrap_or(i64::MAX));
    let recent = |run: &Past| since.is_some_and(|since| run.finished_at > since);
    let held_back = event.is_some() && past.iter().find(|run| run.delivered).is_some_and(recent);
    Decision { event, held_back }
}

/// What can be said of the run, the plainest first.
fn event(present: &Present, past: &[Past]) -> Vec<Event> {
    let last_delivered = past.iter().find(|run| run.delivered);
    let undelivered = || past.iter().take_while(|run| !run.delivered);
    let owed = undelivered().any(|run| matches!(run.event, Some(Event::Fail | Event::New)));
    let found = present.new.is_some_and(|new| new > 0);
    if present.exit_code == 0 {
        let recovered = last_delivered.is_some_and(|run| run.exit_code != 0);
        // Findings that nobody heard of are still there, as far as is known without looking at each.
        let owes_new = present.findings > 0 && undelivered().any(|run| run.event.is_some() && run.new);
        return [(recovered, Event::Recovery), (found || owes_new, Event::New)]
            .into_iter()
            .filter_map(|(is, event)| is.then_some(event))
            .collect();
    }
    let other_end = past.first().is_none_or(|run| run.exit_code != present.exit_code);
    if found || other_end || owed { vec![Event::Fail, Event::New] } else { vec![Event::Fail] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const ALL: &[Event] = &[Event::Fail, Event::Recovery, Event::New];
    const NEW: &[Event] = &[Event::Recovery, Event::New];

    fn at(hour: i64, exit_code: u8, new: u64, findings: u64) -> Present {
        Present { exit_code, new: Some(new), findings, finished_at: hour * HOUR }
    }

    /// Runs one after the other, hour by hour: what is said of each. `delivered` tells whether the channels work.
    fn said(on: &[Event], every: Option<TimeDelta>, runs: &[(u8, u64, bool)]) -> Vec<&'static str> {
        let mut past: Vec<Past> = Vec::new();
        let (mut said, mut findings) = (Vec::new(), 0);
        for (hour, (exit_code, new, delivered)) in (0..).zip(runs) {
            // A finding stays; where the exit code is 0 after one that is not, it is gone.
            findings = if *exit_code == 0 && past.first().is_some_and(|run| run.exit_code != 0) { 0 } else { findings };
            findings += *new;
            let present = at(hour, *exit_code, *new, findings);
            let Decision { event, held_back } = decide(&present, &past, on, every);
            let delivered_now = event.is_some() && !held_back && *delivered;
            said.push(match (event, held_back) {
                (None, _) => "",
                (Some(_), true) => "held back",
                (Some(event), false) => event.as_str(),
            });
            let (delivered, finished_at) = (delivered_now, present.finished_at);
            past.insert(0, Past { exit_code: *exit_code, event, new: *new > 0, delivered, finished_at });
        }
        said
    }

    #[test]
    fn a_failure_is_said_each_time_and_its_end_once() {
        let runs = [(0, 0, true), (1, 2, true), (1, 0, true), (0, 0, true), (0, 0, true)];
        assert_eq!(said(ALL, None, &runs), ["", "fail", "fail", "recovery", ""]);
        assert_eq!(said(&[Event::Fail], None, &runs), ["", "fail", "fail", "", ""]);
    }

    #[test]
    fn only_what_is_new_is_said() {
        let runs = [(1, 2, true), (1, 0, true), (1, 1, true), (1, 0, true), (3, 0, true), (3, 0, true), (0, 0, true)];
        assert_eq!(said(NEW, None, &runs), ["new", "", "new", "", "new", "", "recovery"]);
        // Findings of a job that no finding makes red.
        assert_eq!(said(NEW, None, &[(0, 0, true), (0, 4, true), (0, 0, true)]), ["", "new", ""]);
    }

    #[test]
    fn what_was_not_delivered_is_said_again() {
        assert_eq!(said(NEW, None, &[(1, 2, false), (1, 0, true), (1, 0, true)]), ["new", "new", ""]);
        // The failure was not delivered, so its end is not sent.
        assert_eq!(said(NEW, None, &[(1, 2, false), (0, 0, true)]), ["new", ""]);
        // The recovery was not heard: it is said by the next run.
        let runs = [(1, 2, true), (0, 0, false), (0, 0, true), (0, 0, true)];
        assert_eq!(said(NEW, None, &runs), ["new", "recovery", "recovery", ""]);
    }

    #[test]
    fn new_findings_that_make_no_run_fail_are_said_until_somebody_hears_of_them() {
        assert_eq!(said(NEW, None, &[(0, 1, false), (0, 0, true), (0, 0, true)]), ["new", "new", ""]);
        assert_eq!(said(NEW, None, &[(0, 1, false), (0, 0, false), (0, 0, true)]), ["new", "new", "new"]);
        let every = Some(TimeDelta::hours(2));
        let runs = [(0, 1, true), (0, 1, true), (0, 0, true), (0, 0, true)];
        assert_eq!(said(NEW, every, &runs), ["new", "held back", "new", ""]);
        // The recovery and what was found by then are one message.
        let runs = [(1, 2, true), (0, 1, false), (0, 0, true), (0, 0, true)];
        assert_eq!(said(NEW, None, &runs), ["new", "recovery", "recovery", ""]);
        assert_eq!(said(&[Event::New], None, &runs), ["new", "new", "new", ""]);
        // What nobody heard of and is gone needs no message, nor do findings that were known before a failure.
        let lost = |exit_code, new| Past { exit_code, event: Some(Event::New), new, delivered: false, finished_at: 0 };
        let event = |findings, past: &[Past]| decide(&at(1, 0, 0, findings), past, NEW, None).event;
        assert_eq!((event(0, &[lost(0, true)]), event(3, &[lost(3, false)])), (None, None));
        assert_eq!(event(1, &[lost(1, true)]), Some(Event::New));
    }

    #[test]
    fn one_message_goes_out_in_the_span_and_the_rest_waits() {
        let every = Some(TimeDelta::hours(3));
        let runs = [(1, 1, true), (1, 1, true), (0, 0, true), (0, 0, true), (0, 0, true)];
        assert_eq!(said(ALL, every, &runs), ["fail", "held back", "held back", "recovery", ""]);
        let runs = [(1, 1, true), (0, 0, true), (1, 1, true), (1, 0, true), (1, 0, true)];
        assert_eq!(said(NEW, every, &runs), ["new", "held back", "held back", "new", ""]);
    }

    #[test]
    fn words_read_back() {
        for word in Event::WORDS {
            assert_eq!(Event::parse(word).map(Event::as_str), Some(*word));
        }
        assert_eq!(Event::parse("always"), None);
    }
}
