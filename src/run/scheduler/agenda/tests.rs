use chrono::{DateTime, TimeDelta};
use chrono_tz::Tz;

use super::*;
use crate::schedule::{Cron, When};

fn at(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

/// A job that is due at 18:00 in `zone`.
fn evening(zone: Tz, catch_up: CatchUp) -> Plan {
    let when = When::Cron(Cron::parse("0 18 * * *").unwrap());
    Plan { name: "evening".to_owned(), schedule: Schedule { catch_up, ..Schedule::new(when, zone) } }
}

/// An agenda at `now` with that job, last started at `last`.
fn agenda(now: &str, plan: Plan, last: Option<&str>) -> Agenda {
    let mut agenda = Agenda::new(1, at(now));
    agenda.set(0, plan, last.map(at));
    agenda
}

/// What is wanted at `now`.
fn wanted(agenda: &mut Agenda, now: &str) -> Vec<i64> {
    agenda.observe(at(now));
    agenda.entries[0].wanted.iter().copied().collect()
}

/// Runs what is wanted at `now`; how many runs that are.
fn run_all(agenda: &mut Agenda, now: &str) -> usize {
    agenda.observe(at(now));
    let mut runs = 0;
    while let Some((job, _)) = agenda.ready().first().copied() {
        agenda.began(job);
        agenda.ended(job);
        runs += 1;
    }
    runs
}

#[test]
fn a_job_is_wanted_once_at_its_moment() {
    let mut agenda = agenda("2026-11-28T12:00:00Z", evening(Tz::UTC, CatchUp::Latest), None);
    assert_eq!(agenda.next_start(), Some(at("2026-11-28T18:00:00Z")));
    assert_eq!(run_all(&mut agenda, "2026-11-28T17:59:59Z"), 0);
    assert_eq!(run_all(&mut agenda, "2026-11-28T18:00:00Z"), 1);
    assert_eq!(run_all(&mut agenda, "2026-11-28T18:00:01Z"), 0);
    assert_eq!(agenda.next_start(), Some(at("2026-11-29T18:00:00Z")));
}

#[test]
fn what_was_missed_while_nothing_ran_is_made_up_for_as_the_job_says() {
    for (catch_up, runs) in [(CatchUp::Latest, 1), (CatchUp::All, 3), (CatchUp::None, 0)] {
        let plan = evening(Tz::UTC, catch_up);
        let mut agenda = agenda("2026-11-28T12:00:00Z", plan.clone(), Some("2026-11-24T18:00:05Z"));
        assert_eq!(run_all(&mut agenda, "2026-11-28T12:00:00Z"), runs, "{catch_up:?}");
        assert_eq!(run_all(&mut agenda, "2026-11-28T18:00:00Z"), 1, "{catch_up:?}: the next one is due");
        let mut new = self::agenda("2026-11-28T12:00:00Z", plan, None);
        assert_eq!(run_all(&mut new, "2026-11-28T12:00:00Z"), 0, "a job that never ran missed nothing");
    }
}

#[test]
fn no_more_than_a_hundred_moments_are_made_up_for() {
    let mut agenda = agenda("2026-11-28T12:00:00Z", evening(Tz::UTC, CatchUp::All), Some("2020-01-01T00:00:00Z"));
    let wanted = wanted(&mut agenda, "2026-11-28T12:00:00Z");
    assert_eq!((wanted.len(), wanted[99]), (100, at("2026-11-27T18:00:00Z")));
}

#[test]
fn a_machine_that_was_suspended_makes_up_for_what_it_missed() {
    for (catch_up, runs) in [(CatchUp::Latest, 1), (CatchUp::All, 2), (CatchUp::None, 0)] {
        let mut agenda = agenda("2026-11-26T12:00:00Z", evening(Tz::UTC, catch_up), None);
        assert_eq!(run_all(&mut agenda, "2026-11-28T09:00:00Z"), runs, "{catch_up:?}");
    }
    // Awake a moment after it was due: that is no moment missed.
    let mut agenda = agenda("2026-11-28T17:00:00Z", evening(Tz::UTC, CatchUp::None), None);
    assert_eq!(run_all(&mut agenda, "2026-11-28T18:01:59Z"), 1);
}

#[test]
fn a_clock_that_is_set_back_a_little_repeats_nothing() {
    let mut agenda = agenda("2026-11-28T17:00:00Z", evening(Tz::UTC, CatchUp::All), None);
    assert_eq!(run_all(&mut agenda, "2026-11-28T18:00:10Z"), 1);
    assert_eq!(agenda.observe(at("2026-11-28T17:30:00Z")), (false, Vec::new()));
    assert_eq!(run_all(&mut agenda, "2026-11-28T18:05:00Z"), 0, "18:00 comes a second time");
    assert_eq!(run_all(&mut agenda, "2026-11-29T18:00:00Z"), 1);
}

#[test]
fn by_a_clock_that_was_wrong_by_hours_nothing_is_lost() {
    // It showed local time as UTC: 18:00 was there eight hours too early.
    let mut agenda = agenda("2026-11-28T17:00:00Z", evening(Tz::UTC, CatchUp::Latest), None);
    assert_eq!(run_all(&mut agenda, "2026-11-28T18:00:10Z"), 1);
    assert!(agenda.observe(at("2026-11-28T10:00:20Z")).0, "that is said");
    assert_eq!(agenda.next_start(), Some(at("2026-11-28T18:00:00Z")));
    assert_eq!(run_all(&mut agenda, "2026-11-28T18:00:00Z"), 1);
    // A run that the reports date into the future decides nothing either.
    let agenda = self::agenda("2026-11-28T12:00:00Z", evening(Tz::UTC, CatchUp::Latest), Some("2031-01-01T00:00:00Z"));
    assert_eq!(agenda.next_start(), Some(at("2026-11-28T18:00:00Z")));
}

#[test]
fn a_clock_that_is_set_forward_skips_no_run() {
    let mut agenda = agenda("2026-11-28T17:00:00Z", evening(Tz::UTC, CatchUp::Latest), None);
    assert_eq!(run_all(&mut agenda, "2026-11-28T21:00:00Z"), 1);
    assert_eq!(run_all(&mut agenda, "2026-11-29T18:00:00Z"), 1);
}

#[test]
fn clocks_that_change_for_summer_neither_repeat_nor_lose_a_run() {
    let night = |zone, catch_up| {
        let when = When::Cron(Cron::parse("30 2 * * *").unwrap());
        Plan { name: "night".to_owned(), schedule: Schedule { catch_up, ..Schedule::new(when, zone) } }
    };
    let runs = |from: &str, hours: i64| {
        let mut agenda = agenda(from, night(Tz::America__New_York, CatchUp::All), None);
        let minutes = (0..hours * 60).map(|minute| at(from) + minute * 60_000_000);
        let shown = minutes.filter_map(|now| {
            let now = DateTime::from_timestamp_micros(now).unwrap().to_rfc3339();
            (run_all(&mut agenda, &now) > 0).then(|| now[..16].to_owned())
        });
        shown.collect::<Vec<_>>()
    };
    assert_eq!(runs("2026-03-07T12:00:00Z", 48), ["2026-03-08T07:00", "2026-03-09T06:30"], "02:30 is skipped");
    assert_eq!(runs("2026-10-31T12:00:00Z", 48), ["2026-11-01T07:30", "2026-11-02T07:30"]);
}

#[test]
fn a_job_starts_so_much_later_as_its_name_says() {
    let mut plan = evening(Tz::UTC, CatchUp::None);
    plan.schedule.jitter = TimeDelta::hours(2);
    let later = delay("evening", TimeDelta::hours(2));
    assert!(later > 0);
    let mut agenda = Agenda::new(1, at("2026-11-28T12:00:00Z"));
    agenda.set(0, plan, None);
    let start = at("2026-11-28T18:00:00Z") + later;
    assert_eq!(agenda.next_start(), Some(start));
    agenda.observe(start - 1);
    assert_eq!(agenda.ready(), []);
    assert_eq!(agenda.observe(start), (false, Vec::new()), "so late it is on time");
    assert_eq!(agenda.ready(), [(0, at("2026-11-28T18:00:00Z"))]);
}

#[test]
fn a_moment_that_comes_while_the_run_before_is_at_work_waits_or_is_passed_over() {
    for (catch_up, runs, said) in [
        (CatchUp::Latest, 1, vec![]),
        (CatchUp::All, 2, vec![]),
        (CatchUp::None, 0, vec![(0, PassedOver::AtWork), (0, PassedOver::AtWork)]),
    ] {
        let mut agenda = agenda("2026-11-26T17:00:00Z", evening(Tz::UTC, catch_up), None);
        agenda.observe(at("2026-11-26T18:00:00Z"));
        agenda.began(0);
        let mut passed_over = agenda.observe(at("2026-11-27T18:00:00Z")).1;
        passed_over.extend(agenda.observe(at("2026-11-28T18:00:00Z")).1);
        assert_eq!(agenda.ready(), [], "{catch_up:?}: never two runs of a job at once");
        assert_eq!(passed_over, said, "{catch_up:?}");
        agenda.ended(0);
        assert_eq!(run_all(&mut agenda, "2026-11-28T20:00:00Z"), runs, "{catch_up:?}");
    }
}

#[test]
fn jobs_that_wait_longest_are_first() {
    let mut agenda = Agenda::new(3, at("2026-11-28T12:00:00Z"));
    for (job, pattern) in [(0, "0 18 * * *"), (1, "30 17 * * *"), (2, "0 18 * * *")] {
        let schedule = Schedule::new(When::Cron(Cron::parse(pattern).unwrap()), Tz::UTC);
        agenda.set(job, Plan { name: format!("job-{job}"), schedule }, None);
    }
    agenda.observe(at("2026-11-28T18:00:00Z"));
    assert_eq!(agenda.ready().iter().map(|(job, _)| *job).collect::<Vec<_>>(), [1, 0, 2]);
}

#[test]
fn a_schedule_that_changed_counts_from_then_on() {
    let mut agenda = agenda("2026-11-28T12:00:00Z", evening(Tz::UTC, CatchUp::All), None);
    assert_eq!(run_all(&mut agenda, "2026-11-28T18:00:00Z"), 1);
    agenda.observe(at("2026-11-28T18:10:00Z"));
    let when = When::Cron(Cron::parse("*/30 * * * *").unwrap());
    agenda.set(0, Plan { name: "evening".to_owned(), schedule: Schedule::new(when, Tz::UTC) }, None);
    assert_eq!(agenda.next_start(), Some(at("2026-11-28T18:30:00Z")));
}
