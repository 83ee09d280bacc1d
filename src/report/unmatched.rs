//! Symbols that facts name and no series has.

use std::collections::BTreeSet;

use crate::engine::program::Program;
use crate::text::numbers::counted;

/// So many are named.
const MOST_NAMED: usize = 5;

/// The symbols of facts that no series had so far.
#[derive(Debug)]
pub struct Unmatched {
    symbols: BTreeSet<String>,
    /// How many symbols facts name.
    all: usize,
    /// The field of the series key that is compared with them, by its name and its place.
    field: (String, usize),
}

impl Unmatched {
    /// All symbols that facts of `program` name.
    pub(super) fn new(program: &Program) -> Self {
        let symbols: BTreeSet<String> = program.facts.symbols().map(str::to_owned).collect();
        let [field, _] = program.fact_fields();
        let name = field.map(ToString::to_string).unwrap_or_default();
        let place = program.bars.series.iter().position(|series| Some(series) == field).unwrap_or(0);
        Self { all: symbols.len(), symbols, field: (name, place) }
    }

    /// Takes the symbol of a series out.
    pub(super) fn see(&mut self, series: &str) {
        if !self.symbols.is_empty()
            && let Some(symbol) = field_of(series, self.field.1)
        {
            self.symbols.remove(&symbol);
        }
    }

    /// What is to be said of a run, which read `whole` series or a window of them: then symbols may rightly be missing, but
    /// not all of them.
    pub fn warning(&self, whole: bool) -> Option<String> {
        let none = self.symbols.len() == self.all;
        if self.symbols.is_empty() || !whole && !none {
            return None;
        }
        let named: Vec<String> = self.symbols.iter().take(MOST_NAMED).map(|symbol| format!("`{symbol}`")).collect();
        let more = if self.symbols.len() > MOST_NAMED { ", …" } else { "" };
        Some(format!(
            "no series has {} of the {} that facts name: {}{more}; they are compared with `{}`, character by character: \
             `[facts] symbol` names another field",
            self.symbols.len(),
            counted(self.all as u64, "symbol"),
            named.join(", "),
            self.field.0,
        ))
    }
}

/// The field at `place` of a series key, whose fields are joined with `|`, written `\|` inside one.
fn field_of(key: &str, place: usize) -> Option<String> {
    let mut fields = vec![String::new()];
    let mut chars = key.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                fields.last_mut()?.push('|');
            }
            '|' => fields.push(String::new()),
            _ => fields.last_mut()?.push(char),
        }
    }
    fields.into_iter().nth(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmatched(symbols: &[&str]) -> Unmatched {
        let symbols: BTreeSet<String> = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        Unmatched { all: symbols.len(), symbols, field: ("symbol".to_owned(), 1) }
    }

    #[test]
    fn fields_of_a_key_are_apart() {
        assert_eq!(field_of("a\\|b|c", 0).as_deref(), Some("a|b"));
        assert_eq!((field_of("a|c", 1).as_deref(), field_of("a", 1)), (Some("c"), None));
    }

    #[test]
    fn symbols_that_no_series_has_are_named_once() {
        let mut some = unmatched(&["A", "B", "C"]);
        some.see("x|B");
        let warning = some.warning(true).unwrap();
        assert!(warning.starts_with("no series has 2 of the 3 symbols that facts name: `A`, `C`;"), "{warning}");
        assert_eq!(some.warning(false), None, "they may lie outside of the window");
        assert!(unmatched(&["A"]).warning(false).is_some(), "not all of them");
        let mut all = unmatched(&["A"]);
        all.see("x|A");
        assert_eq!((all.warning(true), unmatched(&[]).warning(true)), (None, None));
    }
}
