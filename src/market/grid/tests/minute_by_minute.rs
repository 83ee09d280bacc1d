//! Slots of the grid against sessions that are cut minute by minute.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeZone, Timelike};
use proptest::prelude::*;

use super::*;
use crate::market::Session;

/// The timestamps of one session and whether it holds `time`, minute by minute.
struct Naive {
    timestamps: BTreeSet<i64>,
    covered: bool,
    /// The end of the last bar.
    end: i64,
}

fn naive(session: &Session, zone: chrono_tz::Tz, step: i64, label: Label, aligned: bool, time: i64) -> Naive {
    let mut naive = Naive { timestamps: BTreeSet::new(), covered: false, end: i64::MIN };
    for (from, to) in session.stretches() {
        for minute in (from..to).step_by(60_000_000) {
            let bar = if aligned {
                let local = zone.from_utc_datetime(&DateTime::from_timestamp_micros(minute).unwrap().naive_utc());
                minute - (i64::from(local.num_seconds_from_midnight()) * 1_000_000) % step
            } else {
                minute - (minute - from) % step
            };
            let end = if aligned { bar + step } else { (bar + step).min(to) };
            naive.end = naive.end.max(end);
            naive.timestamps.insert(if label == Label::End { end } else { bar });
            naive.covered |= if label == Label::End { bar < time && time <= end } else { bar <= time && time < end };
        }
    }
    naive
}

fn calendars() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(Calendar::names().collect::<Vec<_>>())
}

fn steps() -> impl Strategy<Value = u32> {
    proptest::sample::select(vec![1, 5, 15, 30, 60, 90, 120, 240, 480, 720])
}

fn timestamps() -> impl Strategy<Value = Label> {
    proptest::sample::select(vec![Label::Start, Label::End])
}

/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;

/// 1991-01-01 to 2026-12-30 in minutes, inside every calendar but the first years of XTKS.
const MINUTES: std::ops::Range<i64> = 11_045_000..29_970_000;

/// A time around the open, the close or the pause of a session, or anywhere.
fn moments() -> impl Strategy<Value = (i64, usize, i64, i64)> {
    let minutes = prop_oneof![Just(0), -3..=3_i64, -1_500..1_500_i64];
    (MINUTES, 0..4_usize, minutes, proptest::sample::select(vec![0, 0, 0, -1, 1, 1_000_000, 59_000_000]))
}

fn moment(calendar: &Calendar, (at, edge, minutes, micros): (i64, usize, i64, i64)) -> i64 {
    let anywhere = at * MINUTE_US;
    let ordinal = calendar.last_on_or_before(zone::day_of(anywhere));
    let edge = ordinal.map_or(anywhere, |ordinal| {
        let session = calendar.session(ordinal);
        let (start, end) = session.breaks().next().unwrap_or((session.open, anywhere));
        [session.open, session.close, start, end][edge]
    });
    edge + minutes * MINUTE_US + micros
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn intraday_slots_agree_with_sessions_cut_minute_by_minute(
        name in calendars(), minutes in steps(), timestamp in timestamps(), aligned: bool, around in moments(),
    ) {
        let calendar = Calendar::named(name).unwrap();
        let grid = Grid::new(Arc::clone(&calendar), Interval::minutes(minutes), timestamp);
        let grid = if aligned { grid.with_clock_alignment() } else { grid };
        let time = moment(&calendar, around);
        let day = zone::local_day(calendar.zone(), time);
        let (mut expected, mut covered, mut auction) = (BTreeSet::new(), false, false);
        for ordinal in (day - 1..=day + 1).filter_map(|day| match calendar.session_on(day) {
            Lookup::Session(ordinal) => Some(ordinal),
            _ => None,
        }) {
            let step = i64::from(minutes) * MINUTE_US;
            let session = calendar.session(ordinal);
            let naive = naive(&session, calendar.zone(), step, timestamp, aligned, time);
            let closes_by_one = session.auction_end > session.close || ["XTKS", "XSHG"].contains(&calendar.name());
            auction |= closes_by_one && (naive.end..=session.auction_end.max(naive.end)).contains(&time);
            expected.extend(naive.timestamps);
            covered |= naive.covered;
        }
        match grid.slot(time) {
            Slot::On(position) => {
                prop_assert!(expected.contains(&time));
                prop_assert_eq!(grid.timestamp(position), time);
            }
            Slot::OffGrid => prop_assert!(covered && !expected.contains(&time)),
            other => {
                prop_assert!(!covered && !expected.contains(&time));
                let by_date = match calendar.session_on(day) {
                    _ if auction => Slot::Tolerated,
                    Lookup::Session(_) => Slot::OffHours,
                    Lookup::Closed => Slot::Closed,
                    Lookup::OutOfRange => Slot::OutOfRange,
                };
                let formula = calendar.days_of_week().is_some();
                prop_assert_eq!(other, if formula { Slot::Closed } else { by_date });
            }
        }
        let positions: Vec<_> = expected.iter().map(|timestamp| grid.slot(*timestamp)).collect();
        for pair in positions.windows(2) {
            let [Slot::On(one), Slot::On(next)] = pair else { panic!("{pair:?}") };
            prop_assert_eq!(*next, one + 1);
        }
    }

    #[test]
    fn consecutive_positions_have_increasing_timestamps_that_lead_back(
        name in calendars(), interval in proptest::sample::select(vec!["1m", "1h", "4h", "1d", "1w", "1M"]),
        timestamp in timestamps(), aligned: bool, around in moments(),
    ) {
        let grid = grid(name, interval, timestamp);
        let grid = if aligned { grid.with_clock_alignment() } else { grid };
        let time = moment(grid.calendar(), around);
        let (Some(before), Some(after)) = (grid.last_at_or_before(time), grid.first_at_or_after(time)) else {
            return Ok(());
        };
        let (one, next) = (grid.timestamp(before), grid.timestamp(after));
        prop_assert!(one <= time && time <= next);
        prop_assert_eq!(grid.slot(one), Slot::On(before));
        prop_assert_eq!(grid.slot(next), Slot::On(after));
        match grid.slot(time) {
            Slot::On(here) if grid.timestamp(here) == time => prop_assert_eq!((before, after), (here, here)),
            _ => prop_assert_eq!(after, before + 1),
        }
        if let Some(earlier) = grid.last_at_or_before(one - 1) {
            prop_assert!(earlier == before - 1 && grid.timestamp(earlier) < one);
        }
        if let Some(later) = grid.first_at_or_after(next + 1) {
            prop_assert!(later == after + 1 && grid.timestamp(later) > next);
        }
    }
}
