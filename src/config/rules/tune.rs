//! `[tune.RULE]` of a job: values in the place of those that a rule file writes, for all series or for one symbol.
//!
//! The table of a rule is read with the values of the job in it. Meanwhile their places have an offset that is larger than
//! any file, which distinguishes them from places in the rule file; it is taken off before anything is shown.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::head::RULE;
use crate::checks::Expression;
use crate::config::document;
use crate::schema::diagnostic::{Diagnostic, SourceText, suggestion};

/// The offset of places in the job file; no file is as long. Those in values that are tried have twice of it.
const JOB: usize = usize::MAX / 4;

/// Keys of a rule that belong to what it is, and are not tuned.
const FIXED: [&str; 3] = ["id", "check", "test"];

/// The key below which values for one symbol stand.
const SYMBOL: &str = "symbol";

/// What a job, or a text of values that are tried, writes about one rule.
pub(super) struct Tuning<'a> {
    job: &'a Arc<SourceText>,
    table: &'a DeTable<'a>,
    /// The offset of places in the text.
    offset: usize,
}

/// The tables of `[tune]`, by rule, of a job that parses.
pub(super) fn tables<'a>(document: &'a DeTable<'a>) -> Option<&'a DeTable<'a>> {
    document.get("tune")?.get_ref().as_table()
}

impl<'a> Tuning<'a> {
    /// What `tables` of `job` say of the rule `id`; `place` is 0 for a job and 1 for values that are tried over its own.
    pub(super) fn of(
        job: &'a Arc<SourceText>,
        tables: Option<&'a DeTable<'a>>,
        (id, place): (&str, usize),
    ) -> Option<Self> {
        let table = tables?.get(id)?.get_ref().as_table()?;
        Some(Self { job, table, offset: JOB * (place + 1) })
    }

    /// The keys that are set for all series.
    pub(super) fn keys(&self) -> Vec<String> {
        self.table.keys().map(|key| key.get_ref().to_string()).filter(|key| key != SYMBOL).collect()
    }

    /// `rule` with the values for all series.
    pub(super) fn merged(&self, rule: &DeTable<'a>) -> DeTable<'a> {
        with(rule, self.table, self.offset)
    }

    /// The symbols with values of their own, each with the keys of these, and `rule` with them.
    pub(super) fn by_symbol(&self, rule: &DeTable<'a>) -> Vec<(String, Vec<String>, DeTable<'a>)> {
        let tables = self.table.get(SYMBOL).and_then(|tables| tables.get_ref().as_table());
        let of = |(symbol, values): (&Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let values = values.get_ref().as_table()?;
            let keys = values.keys().map(|key| key.get_ref().to_string()).collect();
            let mut entries = with(rule, values, self.offset);
            // Of the keys that every rule has only those are looked at that name it.
            for key in RULE.keys.iter().filter(|key| !matches!(key.name, "id" | "check")) {
                entries.remove(key.name);
            }
            Some((AsRef::<str>::as_ref(symbol.get_ref()).to_owned(), keys, entries))
        };
        tables.into_iter().flatten().filter_map(of).collect()
    }

    /// What cannot be tuned.
    pub(super) fn mistakes(&self, across: bool) -> Vec<Diagnostic> {
        let mut mistakes = Vec::new();
        let mut reject = |span: Range<usize>, title: String, help: &str| {
            mistakes.push(Diagnostic::new("bad-tuning", title, self.job, span).help(help));
        };
        for key in self.table.keys().filter(|key| FIXED.contains(&key.get_ref().as_ref())) {
            let title = format!("`{}` cannot be tuned: it says what the rule is", key.get_ref());
            reject(key.span(), title, "write a rule of your own in a rule file of the job");
        }
        let Some(symbols) = self.table.get(SYMBOL) else { return mistakes };
        let Some(tables) = symbols.get_ref().as_table() else {
            reject(
                symbols.span(),
                "`symbol` holds a table for each symbol".into(),
                "write [tune.RULE.symbol.\"BRK/B\"]",
            );
            return mistakes;
        };
        if across {
            let title = "a rule that evaluates series by each other has one set of values for all of them";
            reject(symbols.span(), title.into(), "leave `symbol` out, or leave series out with `where`");
        }
        for (symbol, values) in tables {
            let Some(values) = values.get_ref().as_table() else {
                let title = format!("`{}` must be a table of values", symbol.get_ref());
                reject(symbol.span(), title, "write [tune.RULE.symbol.\"BRK/B\"] and the values below it");
                continue;
            };
            for key in values.keys().filter(|key| is_of_rule(key.get_ref())) {
                let title = format!("`{}` is the same for all symbols", key.get_ref());
                reject(key.span(), title, "by symbol the parameters of the check can be tuned");
            }
        }
        mistakes
    }

    /// Puts mistakes at values of the job where these stand.
    pub(super) fn placed(&self, mut mistake: Diagnostic) -> Diagnostic {
        if self.holds(mistake.span.start) {
            mistake.span = mistake.span.start - self.offset..mistake.span.end - self.offset;
            mistake.file = Arc::clone(self.job);
        }
        mistake
    }

    /// Whether a place is one in the text.
    fn holds(&self, place: usize) -> bool {
        (self.offset..self.offset + JOB).contains(&place)
    }

    /// Puts an expression that the job writes where it stands.
    pub(super) fn place(&self, expression: &mut Expression) {
        if self.holds(expression.span.start) {
            expression.span = expression.span.start - self.offset..expression.span.end - self.offset;
            expression.file = Arc::clone(self.job);
        }
    }
}

/// The entries of `rule` with `values` over them.
fn with<'a>(rule: &DeTable<'a>, values: &DeTable<'a>, offset: usize) -> DeTable<'a> {
    let mut merged = rule.clone();
    for (key, value) in values {
        let name = key.get_ref();
        if FIXED.contains(&name.as_ref()) || name == SYMBOL {
            continue;
        }
        merged.remove(name.as_ref());
        merged.insert(Spanned::new(behind(&key.span(), offset), name.clone()), moved(value, offset));
    }
    merged
}

/// Whether every rule has the key `name`.
fn is_of_rule(name: &str) -> bool {
    RULE.keys.iter().any(|key| key.name == name)
}

fn behind(span: &Range<usize>, offset: usize) -> Range<usize> {
    span.start + offset..span.end + offset
}

/// A value of the job, its place and those inside of it with the offset.
fn moved<'a>(value: &Spanned<DeValue<'a>>, offset: usize) -> Spanned<DeValue<'a>> {
    let inside = match value.get_ref() {
        DeValue::Array(items) => {
            let mut array = DeArray::new();
            items.iter().for_each(|item| array.push(moved(item, offset)));
            DeValue::Array(array)
        }
        other => other.clone(),
    };
    Spanned::new(behind(&value.span(), offset), inside)
}

/// Rules that `[tune]` of `job` names and that are none of `ids`.
pub(in crate::config) fn unknown(job: &Arc<SourceText>, ids: &[Arc<str>]) -> Vec<Diagnostic> {
    let (document, _) = document::parse(job);
    let named = tables(document.get_ref()).into_iter().flatten();
    let unknown = named.filter(|(id, _)| !ids.iter().any(|other| **other == **id.get_ref()));
    let mistake = |id: &Spanned<_>| {
        let name = AsRef::<str>::as_ref(id.get_ref());
        let help = suggestion(name, "rules", ids.iter().map(|id| &**id));
        let title = format!("`[tune]` names a rule `{name}`, which this job does not have");
        Diagnostic::new("unknown-rule", title, job, id.span()).label("unknown rule").help(help)
    };
    unknown.map(|(id, _)| mistake(id)).collect()
}
