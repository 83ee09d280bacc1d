use crate::checks::testing::{Evaluated, Fixture};

const RULE: &str = "check = \"price-limit\"\ntable = \"cn\"";
const CHINA: &str = "calendar = \"XSHG\"";

/// Bars of `symbol` with date, `pre_close`, high, low, close.
fn evaluate_as(symbol: &str, head: &str, rule: &str, rows: &[&str]) -> Evaluated {
    let bars = format!("time,pre_close,high,low,close\n{}\n", rows.join("\n"));
    Fixture::new(head, &bars).called(symbol).evaluate(rule)
}

/// What is found in a bar after `before` quiet ones of a share of the main board that has been there for long.
fn one(rows: &[&str]) -> Evaluated {
    evaluate_as("600000", &format!("{CHINA}\nfacts = [\"listed 1999-11-10\"]"), RULE, rows)
}

#[test]
fn prices_at_the_limit_are_allowed_and_a_tick_beyond_is_not() {
    // The low of 000001.SZ on 2020-02-03 was 13.99, from 15.54.
    assert!(one(&["2020-02-03,15.54,17.09,13.99,13.99"]).lines.is_empty());
    let found = one(&["2020-02-03,15.54,17.10,13.98,14.00"]);
    assert_eq!(
        found.lines,
        ["2020-02-03 high observed=17.1 cause=above-limit", "2020-02-03 low observed=13.98 cause=below-limit"]
    );
    assert_eq!((found.findings[0].expected_lo, found.findings[0].expected_hi), (Some(13.99), Some(17.09)));
    assert_eq!(found.totals.evaluated, 1);
}

#[test]
fn golden_limits_are_rounded_in_decimals() {
    for (symbol, date, pre_close, high, low) in [
        ("600000", "2020-02-03", 10.05, 11.06, 9.05),
        ("300750", "2021-02-03", 12.34, 14.81, 9.87),
        ("688981", "2021-02-03", 12.34, 14.81, 9.87),
        ("830799", "2023-02-03", 7.77, 10.10, 5.44),
        ("300750", "2020-08-21", 10.05, 11.06, 9.05),
    ] {
        let head = format!("{CHINA}\nfacts = [\"listed 1999-11-10\"]");
        let lines = |high: f64, low: f64| {
            evaluate_as(symbol, &head, RULE, &[&format!("{date},{pre_close},{high},{low},{low}")]).lines.len()
        };
        assert_eq!(lines(high, low), 0, "{symbol} {date}");
        assert_eq!(lines(high + 0.01, low - 0.01), 2, "{symbol} {date}");
    }
}

#[test]
fn a_share_under_special_treatment_moves_half_as_far() {
    let bars = "time,pre_close,high,low,close,isST\n2020-02-03,3.35,3.52,3.18,3.20,1\n2020-02-04,3.35,3.53,3.18,3.20,1\n\
                2020-02-05,3.35,3.53,3.18,3.20,0\n2026-07-06,3.35,3.53,3.18,3.20,1\n";
    let fixture = Fixture::new(&format!("{CHINA}\nfacts = [\"listed 1999-11-10\"]"), bars).called("600000");
    let found = fixture.evaluate(&format!("{RULE}\nspecial = \"isST\""));
    assert_eq!(found.lines, ["2020-02-04 high observed=3.53 cause=above-limit"]);
}

#[test]
fn first_sessions_of_a_listing_have_no_limit() {
    let rows: Vec<String> = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"]
        .map(|date| format!("{date},10,20,10,10"))
        .into();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let listed = evaluate_as("688001", &format!("{CHINA}\nfacts = [\"listed 2024-01-02\"]"), RULE, &rows);
    assert_eq!((listed.lines.len(), listed.totals.evaluated, listed.totals.insufficient), (1, 1, 0));
    let unknown = evaluate_as("688001", CHINA, RULE, &rows);
    assert_eq!((unknown.lines.len(), unknown.totals.evaluated, unknown.totals.insufficient), (1, 1, 5));
    let old = evaluate_as("688001", &format!("{CHINA}\nfacts = [\"listed 2020-01-02\"]"), RULE, &rows);
    assert_eq!(old.lines.len(), 6);
}

#[test]
fn the_first_day_of_an_older_listing_has_a_wider_limit() {
    let head = format!("{CHINA}\nfacts = [\"listed 2022-01-04\"]");
    let found = evaluate_as("601000", &head, RULE, &["2022-01-04,10,14.40,6.40,14.40", "2022-01-05,14.40,15.84,14,15"]);
    assert!(found.lines.is_empty(), "{:?}", found.lines);
    let found = evaluate_as("601000", &head, RULE, &["2022-01-04,10,14.41,6.40,14.40", "2022-01-05,14.40,15.85,14,15"]);
    assert_eq!(found.lines.len(), 2);
}

#[test]
fn without_a_previous_close_that_of_the_day_before_is_adjusted_for_what_was_paid_out() {
    let bars = "time,high,low,close\n2024-01-02,10.1,9.9,10.00\n2024-01-03,5.50,4.50,5.00\n2024-01-05,9,8,8\n";
    let head = |facts: &str| format!("{CHINA}\nfacts = [\"listed 1999-11-10\", {facts}]");
    let run = |facts: &str| Fixture::new(&head(facts), bars).called("600000").evaluate(RULE);
    let found = run("\"split 2 2024-01-03\"");
    assert_eq!(
        (found.lines.len(), found.totals.evaluated, found.totals.insufficient),
        (0, 1, 2),
        "of the 4th there is no bar"
    );
    let found = run("\"dividend 0.5 2024-01-03\"");
    assert_eq!(found.lines, ["2024-01-03 low observed=4.5 cause=below-limit"]);
    let found = run("\"suspended 2024-01-04 2024-01-05\"");
    assert_eq!((found.lines.len(), found.totals.evaluated), (2, 2), "a suspension keeps the close before it");
}

#[test]
fn facts_set_other_limits_and_limits_of_other_markets() {
    let rows = ["2024-01-02,10,10.40,9.60,10", "2024-01-03,10,10.60,9.60,10", "2024-01-04,10,11.1,9.60,10"];
    let facts = "calendar = \"XNYS\"\nfacts = [\"limit 500 2024-01-03 2024-01-04\"]";
    let found = evaluate_as("AAPL", facts, "check = \"price-limit\"", &rows);
    assert_eq!((found.lines.len(), found.totals.evaluated), (1, 1));
    let none = evaluate_as("AAPL", "calendar = \"XNYS\"", "check = \"price-limit\"", &rows);
    assert_eq!((none.lines.len(), none.totals.evaluated), (0, 0));
    let auto =
        evaluate_as("600000", &format!("{CHINA}\nfacts = [\"listed 1999-11-10\"]"), "check = \"price-limit\"", &rows);
    assert_eq!(auto.lines, ["2024-01-04 high observed=11.1 cause=above-limit"]);
    let none = "check = \"price-limit\"\ntable = \"none\"";
    assert_eq!(evaluate_as("600000", CHINA, none, &rows).totals.evaluated, 0);
}

#[test]
fn a_reference_between_two_ticks_was_adjusted_and_is_stepped_over() {
    let found = one(&["2024-01-02,9.8737,12,8,10", "2024-01-03,10,12,8,10"]);
    assert_eq!((found.lines.len(), found.totals.evaluated, found.totals.insufficient), (2, 1, 0));
}

#[test]
fn what_is_no_share_of_a_board_is_stepped_over() {
    for symbol in ["510300", "900901", "000001.SH", "AAPL"] {
        let found = evaluate_as(symbol, CHINA, RULE, &["2024-01-02,10,20,10,10"]);
        assert_eq!((found.lines.len(), found.totals.evaluated, found.totals.insufficient), (0, 0, 0), "{symbol}");
    }
}

#[test]
fn only_daily_bars_have_limits() {
    let spec = Fixture::new("interval = \"1h\"\ncalendar = \"XSHG\"", "time,high,low,close").spec;
    let mistakes = crate::checks::testing::compile(RULE, &spec).err().unwrap();
    assert!(mistakes[0].title.contains("`price-limit` is for daily bars"));
}
