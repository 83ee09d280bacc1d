//! Reads one TOML table key by key, keeps every place, and collects every mistake.
//!
//! A key that nobody asked for is unknown: [`Reader::finish`] reports it with the nearest valid name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, SourceText, suggestion};

/// Values for `${NAME}` in strings: a `.env` beside the job, then the process environment over it.
#[derive(Debug, Default, Clone)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// An environment of the given names and values; later ones win.
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(values.into_iter().collect())
    }

    /// Replaces `${NAME}` and `${NAME:-default}`; `$$` stands for one `$`.
    ///
    /// # Errors
    /// The name that is not set, or the text that is not a reference.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(tail) = rest.strip_prefix('$') {
                out.push('$');
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix('{') {
                let end = tail.find('}').ok_or_else(|| "`${` is never closed".to_owned())?;
                out.push_str(&self.lookup(&tail[..end])?);
                rest = &tail[end + 1..];
            } else {
                out.push('$');
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn lookup(&self, reference: &str) -> Result<String, String> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        match (self.0.get(name), default) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(format!("environment variable `{name}` is not set")),
        }
    }
}

/// Reads one table; see the module.
pub struct Reader<'a> {
    file: &'a Arc<SourceText>,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    environment: &'a Environment,
    asked: BTreeSet<String>,
    /// Every mistake found so far.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// Reads `table`, which stands at `span` of `file`.
    pub fn new(
        file: &'a Arc<SourceText>,
        table: &'a DeTable<'a>,
        span: Range<usize>,
        environment: &'a Environment,
    ) -> Self {
        Self { file, table, span, environment, asked: BTreeSet::new(), diagnostics: Vec::new() }
    }

    /// The file this table stands in.
    pub fn file(&self) -> &'a Arc<SourceText> {
        self.file
    }

    /// Values for `${NAME}`.
    pub fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// Where the table stands; for mistakes that concern the whole of it.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Where the value of `key` stands, or the table where the key is absent.
    pub fn span_of(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// Whether `key` is written.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Records a mistake at the value of `key`.
    pub fn reject(&mut self, key: &str, code: &'static str, title: impl Into<String>) -> &mut Diagnostic {
        let diagnostic = Diagnostic::new(code, title, self.file, self.span_of(key));
        self.push(diagnostic)
    }

    /// Records a mistake.
    pub fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        self.diagnostics.push(diagnostic);
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// The value of `key` as it stands.
    pub fn value(&mut self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.insert(key.to_owned());
        self.table.get(key)
    }

    /// A string, with `${NAME}` replaced.
    pub fn string(&mut self, key: &str) -> Option<Spanned<String>> {
        let value = self.value(key)?;
        self.string_at(key, value)
    }

    /// The string that `value`, at or inside `key`, is.
    pub fn string_at(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Spanned<String>> {
        let span = value.span();
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a string");
            return None;
        };
        match self.environment.expand(text) {
            Ok(text) => Some(Spanned::new(span, text)),
            Err(problem) => {
                let help = "set it in the environment or in a `.env` beside the job, or write `${NAME:-default}`";
                let at = Diagnostic::new("unset-variable", problem, self.file, span).label("used here").help(help);
                self.push(at);
                None
            }
        }
    }

    /// An integer.
    pub fn integer(&mut self, key: &str) -> Option<Spanned<i64>> {
        let value = self.value(key)?;
        self.integer_at(key, value)
    }

    fn integer_at(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Spanned<i64>> {
        let parsed = value
            .get_ref()
            .as_integer()
            .and_then(|number| i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok());
        if parsed.is_none() {
            self.wrong_type(key, value, "an integer");
        }
        parsed.map(|number| Spanned::new(value.span(), number))
    }

    /// An array of integers.
    pub fn integers(&mut self, key: &str) -> Option<Vec<Spanned<i64>>> {
        let value = self.value(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "an array of integers");
            return None;
        };
        Some(items.iter().filter_map(|item| self.integer_at(key, item)).collect())
    }

    /// A number; integers are accepted, infinities and NaN are not.
    pub fn number(&mut self, key: &str) -> Option<Spanned<f64>> {
        let value = self.value(key)?;
        let parsed = number_of(value.get_ref()).filter(|number| number.is_finite());
        if parsed.is_none() {
            self.wrong_type(key, value, "a finite number");
        }
        parsed.map(|number| Spanned::new(value.span(), number))
    }

    /// A boolean.
    pub fn boolean(&mut self, key: &str) -> Option<Spanned<bool>> {
        let value = self.value(key)?;
        let parsed = value.get_ref().as_bool();
        if parsed.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        parsed.map(|flag| Spanned::new(value.span(), flag))
    }

    /// An array of strings; one string stands for an array of one.
    pub fn strings(&mut self, key: &str) -> Option<Vec<Spanned<String>>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(_) => Some(self.string_at(key, value).into_iter().collect()),
            DeValue::Array(items) => Some(items.iter().filter_map(|item| self.string_at(key, item)).collect()),
            _ => {
                self.wrong_type(key, value, "a string or an array of strings");
                None
            }
        }
    }

    /// One of `choices`.
    pub fn choice(&mut self, key: &str, choices: &'static [&'static str]) -> Option<&'static str> {
        let text = self.string(key)?;
        let found = choices.iter().find(|choice| **choice == text.get_ref().as_str()).copied();
        if found.is_none() {
            // As written: what the environment holds may be a secret.
            let written = self.table.get(key).and_then(|value| value.get_ref().as_str()).unwrap_or_default();
            let help = suggestion(written, "choices", choices.iter().copied());
            let title = format!("`{written}` is not a value of `{key}`");
            let at = Diagnostic::new("unknown-value", title, self.file, text.span()).label("unknown value").help(help);
            self.push(at);
        }
        found
    }

    /// A table below `key`, to be read by its own reader; hand its mistakes back with [`Reader::absorb`].
    pub fn table(&mut self, key: &str) -> Option<Reader<'a>> {
        let value = self.value(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, "a table");
        }
        table.map(|table| Reader::new(self.file, table, value.span(), self.environment))
    }

    /// A table that stands for a part of this one that is not written; `span` is where its mistakes are shown.
    pub(super) fn part(&self, table: &'a DeTable<'a>, span: Range<usize>) -> Reader<'a> {
        Reader::new(self.file, table, span, self.environment)
    }

    /// The tables of an array below `key` (`[[key]]`).
    pub fn tables(&mut self, key: &str) -> Option<Vec<Reader<'a>>> {
        let value = self.value(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "an array of tables");
            return None;
        };
        let mut readers = Vec::with_capacity(items.len());
        for item in items {
            match item.get_ref().as_table() {
                Some(table) => readers.push(Reader::new(self.file, table, item.span(), self.environment)),
                None => self.wrong_type(key, item, "a table"),
            }
        }
        Some(readers)
    }

    /// Takes over the mistakes of a reader of a part of this table.
    pub fn absorb(&mut self, part: Vec<Diagnostic>) {
        self.diagnostics.extend(part);
    }

    /// The whole table, as it stands.
    pub fn entries(&self) -> &'a DeTable<'a> {
        self.table
    }

    /// The keys as written, with their places.
    pub fn keys(&self) -> impl Iterator<Item = (&'a str, Range<usize>)> + use<'a> {
        self.table.keys().map(|key| (key.get_ref().as_ref(), key.span()))
    }

    /// Reports that `key` holds something else than `expected`.
    pub fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = value.get_ref().type_str();
        let title = format!("`{key}` must be {expected}");
        let at =
            Diagnostic::new("wrong-type", title, self.file, value.span()).label(format!("this is of type {found}"));
        self.push(at);
    }

    /// Reports a mistake that concerns the whole table.
    pub fn reject_whole(&mut self, title: impl Into<String>, help: impl Into<String>) {
        let at = Diagnostic::new("bad-value", title, self.file, self.span()).help(help);
        self.push(at);
    }

    /// Counts `keys` as known, written or not.
    pub fn know(&mut self, keys: impl IntoIterator<Item = &'static str>) {
        self.asked.extend(keys.into_iter().map(str::to_owned));
    }

    /// Whether `key` is written and nobody asked for it.
    pub fn ignored(&self, key: &str) -> bool {
        self.has(key) && !self.asked.contains(key)
    }

    /// Reports every key nobody asked for, and returns all mistakes. `what` names the table, e.g. "a rule".
    pub fn finish(mut self, what: &str) -> Vec<Diagnostic> {
        let unknown: Vec<_> = self.keys().filter(|(key, _)| !self.asked.contains(*key)).collect();
        for (key, span) in unknown {
            let at = unknown_key(self.file, key, span, what, self.asked.iter().map(String::as_str));
            self.push(at);
        }
        self.diagnostics
    }
}

/// The mistake of writing `key`, which is none of `known`, in the table that messages call `what`.
pub(super) fn unknown_key<'k>(
    file: &Arc<SourceText>,
    key: &str,
    span: Range<usize>,
    what: &str,
    known: impl IntoIterator<Item = &'k str> + Clone,
) -> Diagnostic {
    let title = format!("unknown key `{key}` in {what}");
    Diagnostic::new("unknown-key", title, file, span).label("unknown key").help(suggestion(key, "keys", known))
}

/// The number a value holds, infinities and NaN included; `None` where it holds none.
pub fn number_of(value: &DeValue<'_>) -> Option<f64> {
    let text = match value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return None,
    };
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::new([("A".to_owned(), "1".to_owned()), ("EMPTY".to_owned(), String::new())])
    }

    #[test]
    fn references_are_replaced_and_other_dollars_stay() {
        for (text, expanded) in [
            ("${A}/${A}", "1/1"),
            ("${EMPTY}", ""),
            ("${B:-x}${A:-x}", "x1"),
            ("${B:-}", ""),
            ("$$1 ^\\d+$ $A", "$1 ^\\d+$ $A"),
            ("$${A}", "${A}"),
        ] {
            assert_eq!(environment().expand(text).as_deref(), Ok(expanded), "{text}");
        }
    }

    #[test]
    fn unset_and_unclosed_references_are_named() {
        assert_eq!(environment().expand("${B}").unwrap_err(), "environment variable `B` is not set");
        assert!(environment().expand("${B").unwrap_err().contains("never closed"));
    }

    #[test]
    fn later_values_of_an_environment_win() {
        let twice = Environment::new([("A".to_owned(), "1".to_owned()), ("A".to_owned(), "2".to_owned())]);
        assert_eq!(twice.expand("${A}").as_deref(), Ok("2"));
    }

    #[test]
    fn what_the_environment_holds_is_not_shown() {
        let file = SourceText::new("x.toml", "action = \"${A}\"\n");
        let table = DeTable::parse(&file.text).unwrap();
        let environment = environment();
        let mut reader = Reader::new(&file, table.get_ref(), table.span(), &environment);
        assert_eq!(reader.choice("action", &["report"]), None);
        assert_eq!(reader.finish("x")[0].title, "`${A}` is not a value of `action`");
    }

    #[test]
    fn numbers_are_read_in_every_notation_of_toml() {
        let file = SourceText::new("x.toml", "a = 1_000\nb = -1.5e3\nc = 0x10\nd = nan\n");
        let table = DeTable::parse(&file.text).unwrap();
        let environment = Environment::default();
        let mut reader = Reader::new(&file, table.get_ref(), table.span(), &environment);
        assert_eq!(reader.number("a").map(Spanned::into_inner), Some(1000.0));
        assert_eq!(reader.number("b").map(Spanned::into_inner), Some(-1500.0));
        assert_eq!(reader.integer("c").map(Spanned::into_inner), Some(16));
        assert_eq!(reader.number("d"), None);
        assert_eq!(reader.finish("x").len(), 1);
    }
}
