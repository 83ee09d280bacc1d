use super::*;
use crate::bars::Label;
use crate::checks::testing::Fixture;

const HOUR_US: i64 = DAY_US / 24;

fn sessions(bars: &str) -> Sessions {
    let spec = Fixture::new(bars, "time").spec;
    let grid = spec.grid.expect("a calendar");
    Sessions { grid, labelled_at_end: spec.time.label == Label::End, intraday: true }
}

fn midnight(date: &str) -> i64 {
    i64::from(date.parse::<chrono::NaiveDate>().expect("a date").to_epoch_days()) * DAY_US
}

/// The expected timestamps from one date until another.
fn complete(sessions: &Sessions, from: &str, until: &str) -> Vec<i64> {
    let grid = &sessions.grid;
    let (first, last) = (grid.first_at_or_after(midnight(from)), grid.last_at_or_before(midnight(until)));
    (first.expect("a bar")..=last.expect("a bar")).map(|position| grid.timestamp(position)).collect()
}

/// By how many minutes the bars are late, whether the label is the reason, in how many of how many sessions.
fn found(sessions: &Sessions, time: &[i64]) -> Vec<(i64, bool, u64, u64)> {
    let line = |one: Displaced| (one.late() / 60_000_000, one.other_label(), one.sessions, one.of);
    displaced(sessions, time).into_iter().map(line).collect()
}

#[test]
fn complete_bars_are_not_displaced() {
    for calendar in ["XNYS", "XSHG", "XHKG", "XTKS", "CMES", "FX", "24/7", "weekdays"] {
        let sessions = sessions(&format!("interval = \"1h\"\ncalendar = \"{calendar}\""));
        assert_eq!(found(&sessions, &complete(&sessions, "2024-01-02", "2024-12-30")), [], "{calendar}");
    }
}

#[test]
fn a_wrong_zone_is_found_also_where_no_bar_is_left_in_trading_hours() {
    // (calendar, hours too late, sessions): New York, Shanghai and Tokyo read as UTC, and UTC read as their time.
    for (calendar, interval, late, sessions_found) in [
        ("XNYS", "1h", -5, 14),
        ("XNYS", "1m", 5, 14),
        ("XSHG", "1m", 8, 15),
        ("XSHG", "30m", -8, 15),
        ("XTKS", "1h", 9, 14),
        ("XTKS", "1h", -9, 14),
        ("CMES", "1h", 1, 15),
    ] {
        let sessions = sessions(&format!("interval = \"{interval}\"\ncalendar = \"{calendar}\""));
        let time: Vec<i64> =
            complete(&sessions, "2024-01-08", "2024-01-27").iter().map(|time| time + late * HOUR_US).collect();
        let found = found(&sessions, &time);
        assert_eq!(found.len(), 1, "{calendar} {late}: {found:?}");
        assert_eq!((found[0].0, found[0].2), (late * 60, sessions_found), "{calendar} {late}: {found:?}");
    }
}

#[test]
fn a_change_of_the_clocks_that_was_missed_is_a_part_of_the_year() {
    let sessions = sessions("interval = \"30m\"\ncalendar = \"XNYS\"");
    let summer = midnight("2024-03-10")..midnight("2024-11-03");
    let shifted = |time: i64| if summer.contains(&time) { time + HOUR_US } else { time };
    let time: Vec<i64> = complete(&sessions, "2024-01-02", "2024-12-30").into_iter().map(shifted).collect();
    let all = displaced(&sessions, &time);
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].late(), all[0].sessions, all[0].of), (HOUR_US, 165, 165));
    assert_eq!(
        (all[0].first, all[0].last),
        (midnight("2024-03-11") + 13 * HOUR_US + HOUR_US / 2, midnight("2024-11-01") + 20 * HOUR_US + HOUR_US / 2)
    );
}

#[test]
fn the_other_label_is_known_by_a_last_bar_that_is_cut_short() {
    let start = sessions("interval = \"1h\"\ncalendar = \"XNYS\"\nlabel = \"start\"");
    let end = sessions("interval = \"1h\"\ncalendar = \"XNYS\"\nlabel = \"end\"");
    let of = |sessions: &Sessions| complete(sessions, "2024-01-08", "2024-01-27");
    assert_eq!(found(&start, &of(&end)), [(60, true, 14, 14)]);
    assert_eq!(found(&end, &of(&start)), [(-60, true, 14, 14)]);
}

#[test]
fn bars_that_are_missing_besides_do_not_hide_it() {
    let sessions = sessions("interval = \"1m\"\ncalendar = \"XSHG\"");
    let time: Vec<i64> = complete(&sessions, "2024-01-08", "2024-01-27").iter().map(|time| time + HOUR_US).collect();
    let thin: Vec<i64> = time.iter().enumerate().filter(|(at, _)| at * 31 % 11 != 3).map(|(_, time)| *time).collect();
    assert_eq!(found(&sessions, &thin), [(60, false, 15, 15)]);
}

#[test]
fn bars_before_and_after_the_hours_and_four_shifted_sessions_are_not_displaced() {
    let sessions = sessions("interval = \"30m\"\ncalendar = \"XNYS\"");
    let time = complete(&sessions, "2024-01-08", "2024-01-27");
    let shifted: Vec<i64> =
        time.iter().map(|time| time + if *time < midnight("2024-01-12") { HOUR_US } else { 0 }).collect();
    assert_eq!(found(&sessions, &shifted), []);
    let mut longer: Vec<i64> = time.iter().flat_map(|time| [time - 5 * HOUR_US, *time, time + 4 * HOUR_US]).collect();
    longer.sort_unstable();
    longer.dedup();
    assert_eq!(found(&sessions, &longer), []);
}
