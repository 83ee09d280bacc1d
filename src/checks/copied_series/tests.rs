use crate::checks::testing::several::evaluate;

/// Daily bars of a series whose prices follow from `seed`, from day `from` on.
fn bars(symbol: &str, seed: u64, days: std::ops::Range<u64>) -> String {
    let mut csv = String::new();
    for day in days {
        let date = chrono::NaiveDate::from_epoch_days(15_000 + i32::try_from(day).unwrap()).unwrap();
        let open = 10.0 + ((day * 31 + seed * 17) % 97) as f64 / 10.0;
        csv += &format!(
            "{date},{symbol},{open},{},{},{},{}\n",
            open + 0.3,
            open - 0.2,
            open + 0.1,
            1_000 + day * (seed + 1)
        );
    }
    csv
}

const HEAD: &str = "time,symbol,open,high,low,close,volume\n";
const RULE: &str = "check = \"copied-series\"";

fn lines(rows: &[String]) -> Vec<String> {
    evaluate("", &(HEAD.to_owned() + &rows.concat()), RULE).lines
}

#[test]
fn a_copy_is_found_under_another_name() {
    let found = lines(&[bars("A", 1, 0..100), bars("B", 2, 0..100), bars("Z", 1, 0..100)]);
    assert_eq!(found, ["Z 2011-01-26 .. 2011-05-05 observed=1 bars=100 cause=copy"]);
}

#[test]
fn a_copy_over_a_part_and_one_that_was_patched_are_found() {
    let part = lines(&[bars("A", 1, 0..200), bars("B", 1, 100..300)]);
    assert_eq!(part.len(), 1, "{part:?}");
    let patched = bars("B", 1, 0..100).replace(",1002\n", ",7\n");
    assert_eq!(lines(&[bars("A", 1, 0..100), patched.clone()]).len(), 1);
    let half = bars("B", 1, 0..50) + &bars("B", 3, 50..100);
    assert_eq!(lines(&[bars("A", 1, 0..100), half]), [""; 0]);
}

#[test]
fn several_copies_have_a_finding_each_and_too_short_a_span_has_none() {
    let found = lines(&["A", "B", "C", "D"].map(|symbol| bars(symbol, 5, 0..80)));
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(lines(&[bars("A", 1, 0..59), bars("B", 1, 0..59)]), [""; 0]);
}

#[test]
fn another_volume_is_another_series() {
    let other = bars("B", 1, 0..100).replace('\n', "1\n");
    assert_eq!(lines(&[bars("A", 1, 0..100), other]), [""; 0]);
}

#[test]
fn series_that_stand_still_are_no_copies() {
    let flat = |symbol: &str| {
        let days = 0..100;
        days.map(|day| {
            let date = chrono::NaiveDate::from_epoch_days(15_000 + day).unwrap();
            format!("{date},{symbol},5,5,5,5,100\n")
        })
        .collect::<String>()
    };
    let evaluated = evaluate("", &(HEAD.to_owned() + &flat("A") + &flat("B")), RULE);
    assert_eq!((evaluated.lines.len(), evaluated.totals.evaluated, evaluated.totals.insufficient), (0, 0, 200));
}

#[test]
fn long_series_are_compared_by_a_sample() {
    let found = lines(&[bars("A", 1, 0..5_000), bars("B", 2, 0..5_000), bars("Z", 1, 1_000..5_000)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("Z ") && found[0].contains("observed=1 "), "{found:?}");
}

#[test]
fn a_series_is_no_copy_of_one_it_shares_a_placeholder_with() {
    let shared = bars("A", 9, 0..30);
    let own = |symbol: &str, seed| shared.replace(",A,", &format!(",{symbol},")) + &bars(symbol, seed, 30..130);
    assert_eq!(lines(&[own("A", 1), own("B", 2), own("C", 3)]), [""; 0]);
}
