//! The checks: each one a unit struct in a file of its own, with its documentation in the `.md` beside it.
//!
//! A check evaluates the bars of one series, given as slices in time order. It never parses a source value,
//! never allocates per row, and knows nothing of files, servers or DataFusion. To add one, write its two
//! files and add one line to [`CHECKS`].

mod date_format;
mod duplicate;
mod finding;
mod gap;
mod matches;
mod ohlc;
mod order;
mod outlier;
mod price_spike;
mod range;
mod required;
mod robust;
mod series;
mod sql;
mod stale;
#[cfg(test)]
pub(crate) mod testing;
mod zero_volume;

pub use finding::{Finding, FindingSink, Totals};
pub use series::{Column, NumberColumn, Series, Standing, TextColumn};

use crate::bars::BarsSpec;
use crate::config::{Param, Params};

/// Every check there is, in the order of the documentation.
pub const CHECKS: &[&dyn CheckKind] = &[
    &date_format::DateFormat,
    &required::Required,
    &range::Range,
    &matches::Matches,
    &ohlc::Ohlc,
    &duplicate::Duplicate,
    &order::Order,
    &gap::Gap,
    &zero_volume::ZeroVolume,
    &outlier::Outlier,
    &price_spike::PriceSpike,
    &stale::Stale,
    &sql::Sql,
];

/// The check called `name`.
pub fn find(name: &str) -> Option<&'static dyn CheckKind> {
    CHECKS.iter().copied().find(|check| check.name() == name)
}

/// What a rule is about, and with it when it runs and which rows it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Evaluates each row by itself, rows without a readable timestamp too.
    Row,
    /// Evaluates a bar by its neighbours; sees dated rows, one of each timestamp, and no rejected row.
    Series,
    /// Evaluates which rows of a series are the same bar; sees all rows, and how they stand after the other rules.
    Copies,
}

/// One kind of check: what it is called, what it takes, and how a rule of it is made.
pub trait CheckKind: Sync {
    /// Kebab-case name as rules write it; never renamed once released.
    fn name(&self) -> &'static str;

    /// Its documentation, the `.md` beside its source.
    fn explain(&self) -> &'static str;

    /// The parameters it takes.
    fn params(&self) -> &'static [Param];

    /// When it runs.
    fn stage(&self) -> Stage;

    /// Whether its findings stand for rows; gaps between rows can only be reported.
    fn flags_rows(&self) -> bool {
        true
    }

    /// Reads the parameters of one rule. Mistakes are recorded in `params`, which the caller looks at: the
    /// returned check is used only where there were none.
    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check>;
}

/// A check with its parameters, ready to evaluate.
pub trait Check: Send + Sync {
    /// Whether of equally good copies of a bar it keeps the last one; then that copy is the one other rules see.
    fn keeps_last(&self) -> bool {
        false
    }

    /// Evaluates one series, which may be empty.
    fn check(&self, series: &Series<'_>, findings: &mut FindingSink);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::checks::testing::run_examples;
    use crate::config::ParamKind;

    const HEADINGS: [&str; 6] =
        ["What it flags", "Why it matters", "Parameters", "Example", "False alarms", "Missing values"];

    /// The row of the table of parameters that is about `name`.
    fn parameter_row<'a>(markdown: &'a str, name: &str) -> Option<Vec<&'a str>> {
        let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
        let named = format!("`{name}`");
        let rows = markdown.lines().filter(|line| line.starts_with("| `")).map(cells);
        rows.into_iter().find(|cells| cells[0].split(", ").any(|cell| cell == named))
    }

    #[test]
    fn names_are_kebab_case_unique_and_found() {
        let mut seen = BTreeSet::new();
        for check in CHECKS {
            let name = check.name();
            let word =
                |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            assert!(name.split('-').all(word), "`{name}` is not kebab-case");
            assert!(seen.insert(name), "`{name}` is listed twice");
            assert_eq!(find(name).map(CheckKind::name), Some(name));
        }
        assert!(find("no-such-check").is_none());
    }

    #[test]
    fn documentation_has_its_headings_in_order_and_a_modest_length() {
        for check in CHECKS {
            let (name, markdown) = (check.name(), check.explain());
            let headings: Vec<&str> = markdown.lines().filter_map(|line| line.strip_prefix("## ")).collect();
            assert_eq!(headings, HEADINGS, "`{name}`");
            assert_eq!(markdown.lines().next(), Some(format!("# {name}").as_str()));
            assert!((20..=60).contains(&markdown.lines().count()), "`{name}` has {} lines", markdown.lines().count());
        }
    }

    #[test]
    fn documentation_names_every_parameter_with_its_default() {
        for check in CHECKS {
            for param in check.params() {
                let place = format!("`{}` of `{}`", param.name, check.name());
                let row =
                    parameter_row(check.explain(), param.name).unwrap_or_else(|| panic!("{place} is not in the table"));
                assert_eq!(row.len(), 3, "{place}");
                let wanted = match param.default {
                    Some(default) => format!("`{default}`"),
                    None if param.required => "required".to_owned(),
                    None => String::new(),
                };
                assert!(row[1].contains(&wanted) && !row[1].is_empty(), "default of {place}: {}", row[1]);
            }
        }
    }

    #[test]
    fn documentation_names_no_parameter_that_is_not_there() {
        for check in CHECKS {
            let known: BTreeSet<String> = check.params().iter().map(|param| format!("`{}`", param.name)).collect();
            let rows = check.explain().lines().filter(|line| line.starts_with("| `"));
            for name in rows.flat_map(|line| line.trim_matches('|').split('|').next().unwrap_or("").trim().split(", "))
            {
                assert!(known.contains(name), "`{}` documents {name}", check.name());
            }
        }
    }

    #[test]
    fn parameters_have_one_name_and_a_sentence_each() {
        for check in CHECKS {
            let names: BTreeSet<&str> = check.params().iter().map(|param| param.name).collect();
            assert_eq!(names.len(), check.params().len(), "`{}` has a parameter twice", check.name());
            for param in check.params() {
                let place = format!("`{}` of `{}`", param.name, check.name());
                assert!(
                    param.doc.ends_with('.') && param.doc.starts_with(char::is_uppercase),
                    "{place}: {}",
                    param.doc
                );
                assert!(!(param.required && param.default.is_some()), "{place} is required and has a default");
            }
        }
    }

    #[test]
    fn examples_find_what_they_say() {
        let planned = |check: &&&dyn CheckKind| {
            let expression = |param: &Param| matches!(param.kind, ParamKind::Expression);
            !check.params().iter().any(expression)
        };
        for check in CHECKS.iter().filter(planned) {
            run_examples(check.name(), check.explain());
        }
    }
}
