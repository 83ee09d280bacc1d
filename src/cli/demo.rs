//! The bars of `barkeep demo`: four years of daily bars with faults at known places.
//!
//! The same bytes on every machine and on every day; `jobs/demo/` holds them too, for a clone. What a demo run must
//! find, and nothing else, is the list of faults beside the bars.

mod faults;
mod walk;

use faults::CHANGES;
use walk::Row;

/// Bars and what is wrong with them.
pub(crate) struct Demo {
    /// The file of bars.
    pub(crate) csv: String,
    /// What its rules must find, by rule, symbol and time.
    pub(crate) faults: Vec<Fault>,
}

/// One finding that a run must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// The rule that must find it.
    pub(crate) rule: &'static str,
    /// The symbol as its row has it.
    pub(crate) symbol: String,
    /// The timestamp as its row has it; of a gap and of a run, the first.
    pub(crate) time: String,
    /// What was done to the bar.
    pub(crate) what: &'static str,
}

/// Makes the demo.
pub(crate) fn bars() -> Demo {
    let mut rows = walk::clean();
    let mut faults = Vec::new();
    for (change, symbol, date) in CHANGES {
        let Some(at) = rows.iter().position(|row| row.symbol == *symbol && row.date == *date) else {
            unreachable!("bug: the demo has no bar of {symbol} on {date}")
        };
        for (place, (symbol, time)) in change.apply(&mut rows, at).into_iter().enumerate() {
            let of_runs: &[&str] = if place == 0 { change.rules_of_runs() } else { &[] };
            let reported = change.rules().iter().chain(of_runs);
            let what = change.what();
            faults.extend(reported.map(|rule| Fault { rule, symbol: symbol.clone(), time: time.clone(), what }));
        }
    }
    let what = "a split that the prices before it are not adjusted for";
    let split = |(symbol, date): (&str, &str)| Fault { rule: "split", symbol: symbol.into(), time: date.into(), what };
    faults.extend(walk::splits().map(split));
    faults.sort();
    Demo { csv: text(&rows), faults }
}

impl Demo {
    /// The list of faults as CSV.
    pub(crate) fn truth(&self) -> String {
        let mut text = String::from("rule,symbol,time,what\n");
        for Fault { rule, symbol, time, what } in &self.faults {
            text += &[rule, symbol.as_str(), time, what].join(",");
            text.push('\n');
        }
        text
    }
}

fn text(rows: &[Row]) -> String {
    let mut text = String::from("symbol,date,open,high,low,close,volume\n");
    for Row { symbol, date, prices, volume } in rows {
        let [open, high, low, close] = prices.map(|price| price.map(dollars).unwrap_or_default());
        text += &[symbol, date, &open, &high, &low, &close, &volume.to_string()].map(String::as_str).join(",");
        text.push('\n');
    }
    text
}

/// Micro-dollars as dollars, with two decimals and as many more as there are.
fn dollars(micros: i64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let kept = text.trim_end_matches('0').len().max(text.len() - 4);
    text[..kept].to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;
    use std::{env, fs};

    use super::*;

    #[test]
    fn committed_files_are_what_the_generator_makes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs/demo");
        let demo = bars();
        for (name, made) in [("bars.csv", &demo.csv), ("faults.csv", &demo.truth())] {
            let path = folder.join(name);
            if env::var_os("BARKEEP_BLESS").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, made).unwrap();
            }
            let committed = fs::read_to_string(&path).unwrap_or_default();
            let same = committed == *made;
            assert!(
                same,
                "jobs/demo/{name} is out of date: run `BARKEEP_BLESS=1 cargo test --lib demo` and look at the change"
            );
        }
    }

    #[test]
    fn faults_are_far_apart() {
        let places: BTreeMap<(String, String), usize> =
            walk::clean().into_iter().enumerate().map(|(at, row)| ((row.symbol, row.date), at)).collect();
        let at = |symbol: &str, date: &str| places[&(symbol.to_owned(), date.to_owned())];
        let mut changed: Vec<usize> = CHANGES.iter().map(|(_, symbol, date)| at(symbol, date)).collect();
        changed.sort_unstable();
        assert!(changed.windows(2).all(|pair| pair[1] - pair[0] >= 70), "{changed:?}");
        for (_, symbol, date) in CHANGES {
            let (first, last) = (at(symbol, "2022-01-03"), at(symbol, "2025-12-31"));
            assert!((first + 70..last - 70).contains(&at(symbol, date)), "{symbol} {date} is near an end");
        }
    }

    #[test]
    fn nothing_but_the_faults_is_changed() {
        let (clean, demo) = (text(&walk::clean()), bars().csv);
        let (before, after): (BTreeSet<_>, BTreeSet<_>) = (clean.lines().collect(), demo.lines().collect());
        // 11 rows were put in and 3 written twice, 51 altered and 7 left out.
        assert_eq!((after.difference(&before).count(), before.difference(&after).count()), (11 + 51, 51 + 7));
        assert_eq!(demo.lines().count(), clean.lines().count() + 11 + 3 - 7);
        assert!(demo.len() < 1_500_000);
    }

    #[test]
    fn prices_are_written_with_the_digits_they_have() {
        assert_eq!([dollars(12_340_000), dollars(5_000_000), dollars(98_737_010)], ["12.34", "5.00", "98.73701"]);
    }
}
