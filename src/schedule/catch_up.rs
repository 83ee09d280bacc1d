//! Moments at which nobody started a job, and how far from its moment a job starts.

use chrono::TimeDelta;

use super::plan::{Due, Schedule};

const HOUR_US: i64 = 3_600_000_000;

/// The newest moments of `schedule` after `after` and not after `until`, both µs UTC, oldest first; at most `most`.
///
/// Moments far back are not counted one by one: it looks back in steps that grow until it has enough.
pub fn newest(schedule: &Schedule, after: i64, until: i64, most: usize) -> Vec<i64> {
    let mut back = HOUR_US;
    loop {
        let start = until.saturating_sub(back).max(after);
        let mut found = Vec::new();
        let mut from = start;
        while let Due::At(fire) = schedule.next(from) {
            if fire.at > until {
                break;
            }
            from = fire.at;
            found.push(fire.at);
        }
        if found.len() >= most || start <= after {
            let first = found.len().saturating_sub(most);
            return found.split_off(first);
        }
        back = back.saturating_mul(24);
    }
}

/// How long after its moment the job `name` starts, µs: always the same for a name, spread over `jitter`.
pub fn delay(name: &str, jitter: TimeDelta) -> i64 {
    let seconds = u64::try_from(jitter.num_seconds()).unwrap_or_default();
    if seconds == 0 {
        return 0;
    }
    let hash = twox_hash::XxHash64::oneshot(0, name.as_bytes());
    i64::try_from(hash % seconds).unwrap_or_default() * 1_000_000
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use chrono_tz::Tz;

    use super::*;
    use crate::schedule::{Cron, When};

    fn micros(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn cron(pattern: &str, zone: Tz) -> Schedule {
        Schedule::new(When::Cron(Cron::parse(pattern).unwrap()), zone)
    }

    fn found(schedule: &Schedule, after: &str, until: &str, most: usize) -> Vec<String> {
        let found = newest(schedule, micros(after), micros(until), most);
        found.into_iter().map(|at| DateTime::from_timestamp_micros(at).unwrap().to_rfc3339()).collect()
    }

    #[test]
    fn the_newest_moments_are_found_however_far_back_they_are() {
        let evening = cron("30 18 * * MON-FRI", Tz::Asia__Shanghai);
        assert_eq!(
            found(&evening, "2026-11-20T00:00:00Z", "2026-11-30T00:00:00Z", 2),
            ["2026-11-26T10:30:00+00:00", "2026-11-27T10:30:00+00:00"]
        );
        let leap_day = cron("0 6 29 2 *", Tz::UTC);
        assert_eq!(found(&leap_day, "2021-01-01T00:00:00Z", "2026-11-28T00:00:00Z", 1), ["2024-02-29T06:00:00+00:00"]);
        assert_eq!(found(&leap_day, "2025-01-01T00:00:00Z", "2026-11-28T00:00:00Z", 9), [] as [&str; 0]);
        let every_minute = cron("* * * * *", Tz::UTC);
        let minutes = newest(&every_minute, micros("2020-01-01T00:00:00Z"), micros("2026-01-01T00:00:00Z"), 100);
        assert_eq!((minutes.len(), minutes[99]), (100, micros("2026-01-01T00:00:00Z")), "the end is part of it");
    }

    #[test]
    fn the_beginning_is_no_part_of_it() {
        let evening = cron("0 18 * * *", Tz::UTC);
        assert_eq!(found(&evening, "2026-11-27T18:00:00Z", "2026-11-28T17:59:59Z", 9), [] as [&str; 0]);
        assert_eq!(found(&evening, "2026-11-27T17:59:59Z", "2026-11-27T18:00:00Z", 9).len(), 1);
    }

    #[test]
    fn a_moment_that_clocks_skip_or_show_twice_is_one() {
        let night = |after: &str, until: &str| found(&cron("30 1,2 * * *", Tz::America__New_York), after, until, 9);
        assert_eq!(
            night("2026-03-08T05:00:00Z", "2026-03-08T12:00:00Z"),
            ["2026-03-08T06:30:00+00:00", "2026-03-08T07:00:00+00:00"],
            "spring"
        );
        assert_eq!(
            night("2026-11-01T04:00:00Z", "2026-11-01T12:00:00Z"),
            ["2026-11-01T05:30:00+00:00", "2026-11-01T07:30:00+00:00"],
            "autumn"
        );
    }

    #[test]
    fn a_name_has_one_delay_and_names_are_spread() {
        let five_minutes = TimeDelta::minutes(5);
        assert_eq!(delay("cn-daily", five_minutes), delay("cn-daily", five_minutes));
        assert_eq!(delay("cn-daily", TimeDelta::zero()), 0);
        let delays: Vec<i64> = (0..1_000).map(|n| delay(&format!("job-{n}"), five_minutes)).collect();
        assert!(delays.iter().all(|delay| (0..300_000_000).contains(delay) && delay % 1_000_000 == 0));
        let early = delays.iter().filter(|delay| **delay < 150_000_000).count();
        assert!((400..600).contains(&early), "{early} of 1,000 start in the first half");
    }

    #[test]
    fn the_delay_of_a_name_is_the_same_in_every_version() {
        let hour = TimeDelta::hours(1);
        assert_eq!([delay("cn-daily", hour), delay("us-daily", hour)].map(|at| at / 1_000_000), [1401, 2316]);
    }
}
