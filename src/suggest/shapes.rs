//! What symbols look like, as a pattern.

use std::collections::{BTreeMap, BTreeSet};

/// More shapes than these are not one kind of symbol.
const MOST: usize = 3;
/// Symbols that tell a shape.
const ENOUGH: usize = 3;
/// Symbols of one shape that are looked at for what they are made of.
const LONGEST: usize = 40;

/// A run of characters of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Run {
    Capitals,
    Smalls,
    Digits,
    Just(char),
}

/// The pattern that all `symbols` match and others like them; `None` where they are too few or too different.
pub(super) fn pattern(symbols: &BTreeSet<String>) -> Option<String> {
    if symbols.len() < ENOUGH || symbols.iter().any(|symbol| symbol.is_empty() || symbol.len() > LONGEST) {
        return None;
    }
    // Runs, and of each how short and how long it is.
    let mut shapes: BTreeMap<Vec<Run>, Vec<(usize, usize)>> = BTreeMap::new();
    for symbol in symbols {
        let (runs, lengths) = runs(symbol)?;
        let known = shapes.entry(runs).or_insert_with(|| lengths.iter().map(|length| (*length, *length)).collect());
        for (bounds, length) in known.iter_mut().zip(lengths) {
            *bounds = (bounds.0.min(length), bounds.1.max(length));
        }
    }
    if shapes.len() > MOST {
        return None;
    }
    let written = shapes
        .iter()
        .map(|(runs, bounds)| runs.iter().zip(bounds).map(|(run, bounds)| written(*run, *bounds)).collect::<String>());
    Some(written.collect::<Vec<_>>().join("|"))
}

fn runs(symbol: &str) -> Option<(Vec<Run>, Vec<usize>)> {
    let (mut runs, mut lengths): (Vec<Run>, Vec<usize>) = (Vec::new(), Vec::new());
    for c in symbol.chars() {
        let run = match c {
            'A'..='Z' => Run::Capitals,
            'a'..='z' => Run::Smalls,
            '0'..='9' => Run::Digits,
            '.' | '-' | '_' | '/' | ':' | '=' | '^' => Run::Just(c),
            _ => return None,
        };
        match lengths.last_mut() {
            Some(length) if runs.last() == Some(&run) => *length += 1,
            _ => {
                runs.push(run);
                lengths.push(1);
            }
        }
    }
    Some((runs, lengths))
}

fn written(run: Run, (least, most): (usize, usize)) -> String {
    let class = match run {
        Run::Capitals => "[A-Z]".to_owned(),
        Run::Smalls => "[a-z]".to_owned(),
        Run::Digits => "[0-9]".to_owned(),
        Run::Just(c @ ('.' | '^')) => format!("\\{c}"),
        Run::Just(c) => c.to_string(),
    };
    match (run, least, most) {
        (_, 1, 1) => class,
        // Symbols of letters have many lengths, of which a few do not show all.
        (Run::Capitals | Run::Smalls, least, most) if least != most => format!("{class}{{1,{most}}}"),
        (_, least, most) if least == most => format!("{class}{{{least}}}"),
        (_, least, most) => format!("{class}{{{least},{most}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(symbols: &[&str]) -> Option<String> {
        pattern(&symbols.iter().map(|symbol| (*symbol).to_owned()).collect())
    }

    #[test]
    fn symbols_of_one_kind_have_a_pattern() {
        for (symbols, expected) in [
            (&["000001", "600000", "300750"][..], Some("[0-9]{6}")),
            (&["AAPL", "MSFT", "F", "GE"], Some("[A-Z]{1,4}")),
            (&["600000.SH", "000001.SZ", "830799.BJ"], Some("[0-9]{6}\\.[A-Z]{2}")),
            (&["AAPL", "BRK-B", "F"], Some("[A-Z]{1,4}|[A-Z]{3}-[A-Z]")),
            (&["BTC/USDT", "ETH/USDT", "DOGE/BTC"], Some("[A-Z]{1,4}/[A-Z]{1,4}")),
            (&["A", "B"], None),
            (&["平安银行", "万科", "茅台"], None),
            (&["a1", "1a", "A1", "1A", "A-1"], None),
        ] {
            assert_eq!(of(symbols).as_deref(), expected, "{symbols:?}");
        }
    }
}
