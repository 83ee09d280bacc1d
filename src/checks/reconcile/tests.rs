use serde_json::json;

use crate::bars::DAY_US;
use crate::checks::OtherBar;
use crate::checks::testing::{Fixture, compile};

const BARS: &str = "series = [\"symbol\", \"data_source\"]";
const RULE: &str = "check = \"reconcile\"\nby = \"data_source\"\n";

/// Daily bars of one symbol, of each day the closes of the sources; an empty one is no bar.
fn closes(sources: &[&str], days: &[&[&str]]) -> Fixture {
    let mut csv = String::from("time,data_source,symbol,close\n");
    for (day, closes) in days.iter().enumerate() {
        for (source, close) in sources.iter().zip(*closes).filter(|(_, close)| !close.is_empty()) {
            csv += &format!("2024-01-{:02},{source},A,{close}\n", day + 1);
        }
    }
    Fixture::new(BARS, &csv)
}

#[test]
fn of_three_sources_the_odd_one_is_named_with_the_value_of_the_others() {
    let bars = closes(&["a", "b", "c"], &[&["10", "10", "10"], &["10", "11", "10.001"], &["12", "12", "12"]]);
    let evaluated = bars.evaluate(RULE);
    assert_eq!(evaluated.lines, ["2024-01-02 close observed=11 cause=odd-one"]);
    let evidence = evaluated.findings[0].evidence.clone().unwrap();
    assert_eq!((&evidence["source"], &evidence["proposed"]), (&json!("b"), &json!({ "close": 10.0 })));
    assert_eq!(evidence["others"], json!({ "a": 10.0, "c": 10.001 }));
    assert_eq!((evaluated.totals.evaluated, evaluated.totals.insufficient), (9, 0));
}

#[test]
fn of_two_sources_the_difference_is_at_both_and_nothing_is_proposed() {
    let evaluated = closes(&["a", "b"], &[&["10", "10"], &["10", "11"]]).evaluate(RULE);
    assert_eq!(
        evaluated.lines,
        ["2024-01-02 close observed=10 cause=differs", "2024-01-02 close observed=11 cause=differs"]
    );
    assert!(
        evaluated.findings.iter().all(|found| found.evidence.as_ref().is_some_and(|it| it.get("proposed").is_none()))
    );
}

#[test]
fn three_values_that_all_differ_have_no_odd_one() {
    let evaluated = closes(&["a", "b", "c"], &[&["10", "11", "12"]]).evaluate(RULE);
    assert_eq!(evaluated.lines.len(), 3);
    assert!(evaluated.lines.iter().all(|line| line.ends_with("cause=differs")), "{:?}", evaluated.lines);
}

#[test]
fn consecutive_bars_of_one_ratio_are_one_finding_and_another_ratio_another() {
    let days: [&[&str]; 6] = [
        &["10", "10", "10"],
        &["10", "10", "1000"],
        &["11", "11", "1100"],
        &["12", "12", "1200"],
        &["12", "12", "24"],
        &["12", "12", "12"],
    ];
    let evaluated = closes(&["a", "b", "c"], &days).evaluate(RULE);
    let expected = [
        "2024-01-02 .. 2024-01-04 close observed=1000 bars=3 cause=ratio",
        "2024-01-05 close observed=24 cause=odd-one",
    ];
    assert_eq!(evaluated.lines, expected);
    assert_eq!(evaluated.findings[0].evidence.as_ref().unwrap()["ratio"], json!(100.0));
}

#[test]
fn bars_of_one_ratio_with_an_equal_one_between_them_are_no_run() {
    let days: [&[&str]; 3] = [&["10", "10", "1000"], &["11", "11", "11"], &["12", "12", "1200"]];
    let evaluated = closes(&["a", "b", "c"], &days).evaluate(RULE);
    let expected = ["2024-01-01 close observed=1000 cause=odd-one", "2024-01-03 close observed=1200 cause=odd-one"];
    assert_eq!(evaluated.lines, expected);
}

#[test]
fn tolerances_are_of_share_and_of_amount() {
    let bars = closes(&["a", "b"], &[&["10", "10.01"], &["0.05", "0.06"]]);
    assert_eq!(bars.evaluate(RULE).lines.len(), 2, "one of ten thousand passes");
    assert_eq!(bars.evaluate(&format!("{RULE}tick = 0.01")).lines.len(), 0);
    assert_eq!(bars.evaluate(&format!("{RULE}price = 0.0001")).lines.len(), 4);
}

#[test]
fn one_source_has_nothing_to_compare_and_a_missing_value_is_not_compared() {
    let evaluated = closes(&["a"], &[&["10"], &["11"]]).evaluate(RULE);
    assert_eq!((evaluated.lines.len(), evaluated.totals.evaluated, evaluated.totals.insufficient), (0, 0, 2));
    let alone = closes(&["a", "b"], &[&["10", "10"], &["11", ""], &["NaN", "12"]]).evaluate(RULE);
    assert_eq!((alone.lines.len(), alone.totals.evaluated, alone.totals.insufficient), (0, 4, 1));
}

#[test]
fn a_field_that_does_not_name_the_source_is_a_mistake() {
    let mistakes = |bars: &str, by: &str| {
        let spec = Fixture::new(bars, "time,data_source,symbol,name,close\n2024-01-01,a,A,x,1").spec;
        let mistakes = compile(&format!("check = \"reconcile\"\nby = \"{by}\""), &spec).err().unwrap_or_default();
        mistakes.iter().map(|mistake| mistake.render(false)).collect::<String>()
    };
    assert!(mistakes(BARS, "name").contains("names no field of the series key"), "{}", mistakes(BARS, "name"));
    assert!(mistakes("series = [\"symbol\"]", "symbol").contains("the only field of the series key"));
    assert!(mistakes(BARS, "nowhere").contains("uses a field these bars do not have"));
}

/// Daily closes of 10, 11 and 12, beside those of another job.
fn beside(closes: &[(i64, f64)], rule: &str) -> crate::checks::testing::Evaluated {
    let mut bars = Fixture::daily("time,close\n2024-01-01,10\n2024-01-02,11\n2024-01-03,12");
    let first = bars.with_series(|series| series.time[0]);
    let bar = |(day, close): &(i64, f64)| OtherBar {
        time: first + day * DAY_US,
        values: [f64::NAN, f64::NAN, f64::NAN, *close, f64::NAN],
    };
    bars.other = closes.iter().map(bar).collect();
    bars.evaluate(&format!("check = \"reconcile\"\nwith = \"jobs/minute.toml\"\n{rule}"))
}

#[test]
fn bars_of_another_job_are_compared_where_both_have_one() {
    let found = beside(&[(-1, 9.0), (0, 10.0), (2, 14.0), (3, 15.0)], "");
    assert_eq!(found.lines, ["2024-01-03 close observed=12 cause=differs"]);
    assert_eq!(found.findings[0].evidence.as_ref().unwrap()["others"], json!({ "minute": 14.0 }));
    assert_eq!((found.totals.evaluated, found.totals.insufficient), (2, 1));
    assert_eq!(beside(&[(0, 10.0), (2, 12.005)], "").lines.len(), 0);
    assert_eq!(
        beside(&[(0, 1000.0), (1, 1100.0), (2, 1200.0)], "").lines,
        ["2024-01-01 .. 2024-01-03 close observed=10 bars=3 cause=ratio"]
    );
}

#[test]
fn another_job_without_the_symbol_or_its_timestamps_is_no_ok() {
    let found = beside(&[], "");
    assert_eq!((found.lines.len(), found.totals.evaluated, found.totals.insufficient), (0, 0, 3));
    assert_eq!(beside(&[(7, 1.0)], "").lines, ["2024-01-01 .. 2024-01-03 cause=nothing-common"]);
}

#[test]
fn a_rule_compares_sources_or_jobs() {
    let spec = Fixture::new(BARS, "time,data_source,symbol,close\n2024-01-01,a,A,1").spec;
    let mistakes = |rule: &str| {
        let mistakes = compile(&format!("check = \"reconcile\"\n{rule}"), &spec).err().unwrap_or_default();
        mistakes.iter().map(|mistake| mistake.render(false)).collect::<String>()
    };
    assert!(mistakes("").contains("nothing says what is compared"), "{}", mistakes(""));
    let both = mistakes("by = \"data_source\"\nwith = \"x.toml\"");
    assert!(both.contains("`by` and `with` are two comparisons"), "{both}");
}
