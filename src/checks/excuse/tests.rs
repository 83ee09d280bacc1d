use super::*;
use crate::checks::testing::{Evaluated, Fixture};

/// Quiet bars from 2024-01-02 on sessions of New York, with the closes of `closes` in place of 10 by index.
fn series(facts: &str, closes: &[(usize, f64)]) -> Fixture {
    let grid = crate::market::Calendar::named("XNYS").unwrap();
    let first = grid.first_on_or_after(19_724).unwrap();
    let mut rows = String::from("time,open,high,low,close,volume\n");
    for index in 0..60_usize {
        let day = grid.day_of(first + i64::try_from(index).unwrap());
        let date = chrono::NaiveDate::from_epoch_days(day).unwrap();
        let usual = 10.0 + [0.0, 0.05, -0.03, 0.02][index % 4];
        let close = closes.iter().rfind(|(at, _)| *at == index).map_or(usual, |(_, close)| *close);
        rows += &format!("{date},{close},{},{},{close},100\n", close + 0.01, close - 0.01);
    }
    Fixture::new(&format!("calendar = \"XNYS\"\nfacts = [{facts}]"), &rows)
}

/// Bars at a quarter of the price from the 30th on, 2024-02-14.
fn split(facts: &str) -> Fixture {
    let closes: Vec<(usize, f64)> =
        (30..60).map(|index| (index, (10.0 + [0.0, 0.05, -0.03, 0.02][index % 4]) / 4.0)).collect();
    series(facts, &closes)
}

fn by(evaluated: &Evaluated, reason: Reason) -> (u64, u64) {
    let Excused { findings, bars } = evaluated.totals.excused_by[reason as usize];
    (findings, bars)
}

fn sum(evaluated: &Evaluated) -> u64 {
    evaluated.totals.evaluated + evaluated.totals.insufficient + evaluated.totals.excused
}

const SPLIT: &str = "check = \"split\"";
const ACTIONS: &[Exempt] = &[Exempt::CorporateAction];

#[test]
fn a_split_that_is_recorded_is_excused_and_one_that_is_not_is_found() {
    let found = split("").excused(SPLIT, ACTIONS);
    assert_eq!(found.lines, ["2024-02-14 open observed=2.4925 cause=split"]);
    let excused = split("\"split 4 2024-02-14\"").excused(SPLIT, ACTIONS);
    assert!(excused.lines.is_empty());
    assert_eq!((by(&excused, Reason::CorporateAction), excused.totals.excused), ((1, 1), 1));
    assert_eq!((excused.totals.evaluated, sum(&excused)), (found.totals.evaluated - 1, sum(&found)));
    assert_eq!(split("\"split 4 2024-02-14\"").excused(SPLIT, &[]).lines.len(), 1, "the rule does not name the fact");
    assert_eq!(split("\"split 4 2024-02-13\"").excused(SPLIT, ACTIONS).lines.len(), 1, "of another date");
}

#[test]
fn an_action_excuses_only_a_move_that_it_accounts_for() {
    for (facts, found) in [
        ("\"dividend 0.05 2024-02-14\"", 1),
        ("\"split 3.5 2024-02-14\"", 0),
        ("\"split 1.5 2024-02-14\"", 1),
        ("\"split 0.25 2024-02-14\"", 1),
        ("\"dividend 7.4 2024-02-14\"", 0),
    ] {
        assert_eq!(split(facts).excused(SPLIT, ACTIONS).lines.len(), found, "{facts}");
    }
}

#[test]
fn a_bad_tick_on_the_ex_date_is_still_found() {
    let rule = "check = \"outlier\"\nfield = \"close\"";
    let tick = series("\"dividend 0.1 2024-02-14\"", &[(30, 100.0)]);
    assert_eq!(tick.excused(rule, ACTIONS).lines, ["2024-02-14 close observed=100 cause=unit-slip"]);
    let special = series("\"dividend 5 2024-02-14\"", &[(30, 5.0)]);
    let excused = special.excused(rule, ACTIONS);
    assert_eq!((excused.lines.len(), by(&excused, Reason::CorporateAction)), (0, (1, 1)));
}

#[test]
fn the_first_bar_of_another_company_is_excused() {
    let facts = "\"listed 2010-01-01 2024-02-10\", \"listed 2024-02-14\"";
    let excused = split(facts).excused(SPLIT, &[Exempt::Listing]);
    assert_eq!((excused.lines.len(), by(&excused, Reason::NewListing)), (0, (1, 1)));
    assert_eq!(split("\"listed 2010-01-01\"").excused(SPLIT, &[Exempt::Listing]).lines.len(), 1);
}

#[test]
fn bars_of_a_suspension_and_the_first_after_it_are_excused() {
    let rule = "check = \"stale\"\nbars = 5";
    let flat: Vec<(usize, f64)> = (20..30).map(|index| (index, 11.0)).collect();
    let found = series("", &flat).excused(rule, &[Exempt::Halted]);
    assert_eq!(found.lines.len(), 1, "{:?}", found.lines);
    // The run begins with the last bar before the suspension.
    let excused = series("\"suspended 2024-02-01 2024-02-15\"", &flat).excused(rule, &[Exempt::Halted]);
    assert_eq!((excused.lines.len(), by(&excused, Reason::Suspended)), (0, (1, 9)), "{:?}", excused.lines);
    assert_eq!(sum(&excused), sum(&found));
    let part = series("\"suspended 2024-02-06 2024-02-15\"", &flat).excused(rule, &[Exempt::Halted]);
    assert_eq!(part.lines.len(), 1, "a suspension that covers a part of the run explains nothing");
}

#[test]
fn a_jump_after_a_suspension_is_excused_where_the_rule_says_so() {
    let rule = "check = \"price-spike\"\nlimit = 6.0";
    let closes = [(30, 16.0)];
    let facts = "\"suspended 2024-02-13 2024-02-14\"";
    assert_eq!(series(facts, &closes).excused(rule, &[Exempt::CorporateAction]).lines.len(), 1);
    let excused = series(facts, &closes).excused(rule, &[Exempt::Halted]);
    assert_eq!((excused.lines.len(), by(&excused, Reason::Suspended)), (0, (1, 1)));
}

#[test]
fn a_price_at_the_limit_of_the_day_is_excused() {
    let rule = "check = \"price-spike\"\nlimit = 6.0";
    let facts = "\"limit 5000 2024-01-01\"";
    // The close before is 10.05, and half of it more is 15.075, rounded to 15.08.
    let at_limit = series(facts, &[(30, 15.08)]).excused(rule, &[Exempt::LimitMove]);
    assert_eq!((at_limit.lines.len(), by(&at_limit, Reason::LimitMove)), (0, (1, 1)), "{:?}", at_limit.lines);
    assert_eq!(series(facts, &[(30, 15.07)]).excused(rule, &[Exempt::LimitMove]).lines.len(), 1);
    assert_eq!(series("", &[(30, 15.08)]).excused(rule, &[Exempt::LimitMove]).lines.len(), 1);
}

#[test]
fn an_exception_takes_its_rule_back_for_its_time_only() {
    let range = "check = \"range\"\nfield = \"close\"\nmax = 10.5";
    let closes = [(10, 20.0), (40, 20.0)];
    let facts = "\"exception 2024-01-10 2024-01-20\"";
    let excused = series(facts, &closes).excused(range, &[]);
    assert_eq!((excused.lines.len(), by(&excused, Reason::Exception)), (1, (1, 1)));
    assert_eq!((excused.totals.evaluated, excused.totals.excused), (59, 1));
    assert_eq!(series("\"exception\"", &closes).excused(range, &[]).lines.len(), 0);
}

#[test]
fn a_row_with_another_finding_of_the_rule_stays_evaluated() {
    let ohlc = "check = \"required\"\nfields = [\"open\", \"close\"]";
    let fixture = Fixture::new("facts = [\"exception\"]", "time,open,close\n2024-01-02,,\n2024-01-03,1,1\n");
    let excused = fixture.excused(ohlc, &[]);
    assert_eq!(
        (excused.lines.len(), excused.totals.evaluated, excused.totals.excused),
        (0, 1, 1),
        "two findings of one row"
    );
}

mod gaps {
    use super::*;

    const GAP: &str = "check = \"gap\"";
    const ALL: &[Exempt] = &[Exempt::Halted, Exempt::Outage, Exempt::Listing, Exempt::Quarantined];

    fn gaps(facts: &str, rule: &str, exempt: &[Exempt], dates: &[&str]) -> Evaluated {
        let rows = dates.iter().map(|date| format!("{date},1\n")).collect::<String>();
        let head = format!("calendar = \"XNYS\"\nfacts = [{facts}]");
        Fixture::new(&head, &format!("time,close\n{rows}")).excused(rule, exempt)
    }

    #[test]
    fn closed_days_and_half_days_are_no_gap() {
        // 2023-11-23 was a holiday, and the 24th a half-day.
        assert!(gaps("", GAP, ALL, &["2023-11-22", "2023-11-24", "2023-11-27"]).lines.is_empty());
        let minutes: String = (0..210)
            .map(|minute| {
                let at = 14 * 60 + 30 + minute;
                format!("2023-11-24T{:02}:{:02}:00Z,1\n", at / 60, at % 60)
            })
            .collect();
        let rows = format!("time,close\n{minutes}2023-11-27T14:30:00Z,1\n");
        let half_day = Fixture::new("interval = \"1m\"\ncalendar = \"XNYS\"", &rows).excused(GAP, ALL);
        assert!(half_day.lines.is_empty(), "{:?}", half_day.lines);
    }

    #[test]
    fn each_cause_is_excused_by_its_fact_and_counted() {
        let dates = ["2024-01-02", "2024-01-10"];
        for (fact, exempt, reason, left) in [
            ("\"suspended 2024-01-03 2024-01-10\"", Exempt::Halted, Reason::Suspended, 0),
            ("\"outage 2024-01-03 2024-01-10\"", Exempt::Outage, Reason::Outage, 0),
            ("\"moved 2024-01-04\"", Exempt::Quarantined, Reason::Quarantined, 2),
            ("\"listed 2024-01-10\"", Exempt::Listing, Reason::BeforeListing, 0),
            ("\"listed 2020-01-01 2024-01-03\", \"listed 2024-01-10\"", Exempt::Listing, Reason::Delisted, 0),
            ("\"suspended 2024-01-04 2024-01-10\"", Exempt::Halted, Reason::Suspended, 1),
        ] {
            let excused = gaps(fact, GAP, &[exempt], &dates);
            assert_eq!(excused.lines.len(), left, "{fact}: {:?}", excused.lines);
            let explained = if reason == Reason::Quarantined { 1 } else { 5 - left as u64 };
            assert_eq!(by(&excused, reason), (1, explained), "{fact}");
            let others: Vec<Exempt> = ALL.iter().copied().filter(|other| *other != exempt).collect();
            assert_eq!(gaps(fact, GAP, &others, &dates).lines.len(), 1 + left, "{fact}");
        }
    }

    #[test]
    fn thin_trading_is_sparse() {
        let dates = ["2024-01-02", "2024-01-04", "2024-01-10"];
        let found = gaps("", "check = \"gap\"\nmin = 2", ALL, &dates);
        assert_eq!((found.lines.len(), by(&found, Reason::Sparse)), (1, (1, 1)));
    }

    #[test]
    fn an_exception_takes_out_a_gap_that_it_covers() {
        let dates = ["2024-01-02", "2024-01-10"];
        assert_eq!(gaps("\"exception 2024-01-03 2024-01-10\"", GAP, ALL, &dates).lines.len(), 0);
        assert_eq!(gaps("\"exception 2024-01-04 2024-01-10\"", GAP, ALL, &dates).lines.len(), 1);
    }

    #[test]
    fn listings_make_one_gap_of_the_thousands_of_a_ticker_that_was_used_again() {
        // The first company ended in 2003 and the second began in 2023: 5,006 sessions lie between, one of which is missing.
        let calendar = crate::market::Calendar::named("XNYS").unwrap();
        let first = calendar.first_on_or_after(12_000).unwrap();
        let date =
            |ordinal: i64| chrono::NaiveDate::from_epoch_days(calendar.day_of(first + ordinal)).unwrap().to_string();
        let (last, listed, begins) = (date(10), date(11), date(11 + 5_004));
        let mut dates: Vec<String> = (0..=10).map(date).collect();
        // The new company lacks its first session.
        dates.extend((11 + 5_005..11 + 5_020).map(date));
        let dates: Vec<&str> = dates.iter().map(String::as_str).collect();
        let before = gaps("", GAP, ALL, &dates);
        assert_eq!(before.findings[0].bars_affected, 5_005, "after {last}");
        let facts = format!("\"listed 1990-01-01 {listed}\", \"listed {begins}\"");
        let after = gaps(&facts, GAP, ALL, &dates);
        assert_eq!(after.lines, [format!("{begins} .. {begins} cause=unexplained")]);
        assert_eq!(by(&after, Reason::Delisted), (1, 5_004));
    }
}
