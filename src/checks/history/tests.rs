use super::*;
use crate::checks::testing::{Fixture, compile};

fn runs(values: &[f64]) -> Vec<RunTotals> {
    let run = |(number, rows): (usize, &f64)| RunTotals {
        run: format!("r{number}"),
        values: [(Measure::Rows, *rows), (Measure::Findings("gap".to_owned()), rows / 100.0)].into(),
    };
    values.iter().enumerate().map(run).collect()
}

/// Field, cause, lowest and highest value that is usual.
type Found = (String, &'static str, f64, f64);

/// What a rule with `params` finds of the last of `runs` by those before.
fn found(params: &str, runs: &[RunTotals]) -> (Vec<Found>, u64, u64) {
    let rule = compile(&format!("check = \"history\"\n{params}"), &Fixture::daily("time").spec);
    let rule = rule.unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(false)));
    let mut sink = AcrossSink::default();
    let (present, earlier) = runs.split_last().unwrap();
    rule.history().unwrap().conclude(present, earlier, &mut sink);
    let line = |found: super::super::OfSeries| {
        let finding = found.finding;
        let (lowest, highest) = (finding.expected_lo.unwrap(), finding.expected_hi.unwrap());
        (finding.field.unwrap().to_string(), finding.cause.unwrap(), lowest, highest)
    };
    (sink.findings.into_iter().map(line).collect(), sink.totals.evaluated, sink.totals.insufficient)
}

#[test]
fn a_run_far_from_the_median_is_found_with_the_range() {
    // Median 10,000, deviations 0, 10, 10, 20, 20, 30, 30: MAD 20, below 2 % of the median.
    let mut runs = runs(&[10_000.0, 9990.0, 10_010.0, 9980.0, 10_020.0, 9970.0, 10_030.0, 8700.0]);
    let wanted = ("rows".to_owned(), "fewer", 8800.0, 11_200.0);
    assert_eq!(found("", &runs), (vec![wanted], 2, 0));
    runs[7].values.insert(Measure::Rows, 8801.0);
    assert!(found("", &runs).0.is_empty());
    runs[7].values.insert(Measure::Rows, 11_201.0);
    assert_eq!(found("", &runs).0[0].1, "more");
    assert!(found("limit = 7.0", &runs).0.is_empty());
}

#[test]
fn the_scale_is_that_of_the_runs_where_they_differ() {
    // Median 100, MAD 20: 1.4826 * 20 * 6 = 177.912.
    let runs = runs(&[100.0, 80.0, 120.0, 60.0, 140.0, 90.0, 120.0, 277.0]);
    assert!(found("", &runs).0.is_empty());
    let mut more = runs;
    more[7].values.insert(Measure::Rows, 278.0);
    let (field, cause, lowest, highest) = found("", &more).0.remove(0);
    assert_eq!((field.as_str(), cause, lowest), ("rows", "more", 0.0));
    assert!((highest - 277.912).abs() < 1e-9, "{highest}");
}

#[test]
fn findings_that_are_gone_are_no_fault_and_many_new_ones_are() {
    let mut runs = runs(&[5000.0; 8]);
    let gap = || Measure::Findings("gap".to_owned());
    runs[7].values.insert(gap(), 0.0);
    assert!(found("", &runs).0.is_empty());
    // Median 50: its root, 7.07, is more than 2 % of it.
    runs[7].values.insert(gap(), 93.0);
    assert_eq!(found("", &runs).0[0].0, "findings of gap");
    runs[7].values.insert(gap(), 92.0);
    assert!(found("", &runs).0.is_empty());
}

#[test]
fn what_too_few_runs_counted_is_insufficient() {
    let mut runs = runs(&[100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 9000.0]);
    assert_eq!(found("", &runs), (Vec::new(), 0, 2));
    assert_eq!(found("least = 6", &runs).0.len(), 2);
    // A rule that the runs before did not have.
    runs[6].values.insert(Measure::Findings("new".to_owned()), 1000.0);
    assert_eq!(found("least = 6", &runs).2, 1);
}

#[test]
fn only_the_newest_runs_count() {
    let runs = runs(&[100.0, 100.0, 100.0, 100.0, 9000.0, 9000.0, 9000.0, 9000.0]);
    assert!(found("runs = 3\nleast = 3", &runs).0.is_empty());
    assert_eq!(found("runs = 7\nleast = 3", &runs).0.len(), 2);
}

#[test]
fn shares_of_missing_values_have_a_floor() {
    let run = |run: &str, volumes: u64| RunTotals::new(run, 10_000, 3, Some((0, volumes)));
    let mut runs: Vec<RunTotals> = (0..7).map(|_| run("r", 0)).collect();
    runs.push(run("last", 30));
    assert!(found("", &runs).0.is_empty());
    runs[7] = run("last", 31);
    assert_eq!(found("", &runs).0[0].0, "missing_volumes");
}

#[test]
fn more_runs_needed_than_compared_with_is_a_mistake() {
    let Err(mistakes) = compile("check = \"history\"\nruns = 5\nleast = 6", &Fixture::daily("time").spec) else {
        panic!("no mistake")
    };
    assert!(mistakes[0].title.contains("`least` is 6"), "{}", mistakes[0].title);
}
