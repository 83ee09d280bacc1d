//! Reads a section of a job or rule file by its declared keys. Getters answer with a usable value where there is a
//! default and record a [`Diagnostic`] where the file is wrong.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use chrono::TimeDelta;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, SourceText};
use super::keys::{Holds, Key, Otherwise, Section};
use super::moment::{Moment, parse_duration};
use super::reader::{Reader, unknown_key};

/// Reads one section.
pub struct SectionReader<'a> {
    name: Cow<'static, str>,
    /// The keys, and before them those of a section that this one goes on with.
    keys: [&'static [Key]; 2],
    reader: Reader<'a>,
}

static EMPTY: LazyLock<DeTable<'static>> = LazyLock::new(DeTable::new);

impl<'a> SectionReader<'a> {
    /// Reads `section` from `reader`.
    pub fn new(section: &'static Section, reader: Reader<'a>) -> Self {
        Self { name: Cow::Borrowed(section.name), keys: [&[], section.keys], reader }
    }

    /// The same table with `keys` too, which are those of `name`: a rule has its own keys and those of its check.
    #[must_use]
    pub fn continued(mut self, name: String, keys: &'static [Key]) -> Self {
        self.report_missing();
        let [_, common] = self.keys;
        Self { name: Cow::Owned(name), keys: [common, keys], ..self }
    }

    /// The reader below, for keys that need more than the getters here.
    pub fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }

    /// The file.
    pub fn file(&self) -> &'a Arc<SourceText> {
        self.reader.file()
    }

    /// Where the section stands.
    pub fn span(&self) -> Range<usize> {
        self.reader.span()
    }

    /// Where the value of `name` stands, or the section where it is absent.
    pub fn span_of(&self, name: &str) -> Range<usize> {
        self.reader.span_of(name)
    }

    /// Whether `name` is written.
    pub fn has(&self, name: &str) -> bool {
        self.reader.has(name)
    }

    fn key(&self, name: &str) -> &'static Key {
        let key = self.all_keys().find(|key| key.name == name);
        key.unwrap_or_else(|| unreachable!("bug: {} does not declare `{name}`", self.name))
    }

    fn all_keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.keys.into_iter().flatten()
    }

    /// Records a mistake at the value of `name`.
    pub fn reject(&mut self, name: &str, title: impl Into<String>, help: impl Into<String>) {
        let span = self.span_of(name);
        self.reject_at(span, title, help);
    }

    /// Records a mistake at `span`.
    pub fn reject_at(&mut self, span: Range<usize>, title: impl Into<String>, help: impl Into<String>) {
        let mistake = Diagnostic::new("bad-value", title, self.file(), span).help(help);
        self.reader.push(mistake);
    }

    /// A string, where written or defaulted.
    pub fn text(&mut self, name: &str) -> Option<Spanned<String>> {
        let key = self.key(name);
        match (self.reader.value(name), key.otherwise) {
            (Some(_), _) => self.written_text(key),
            (None, Otherwise::Text(text)) => Some(Spanned::new(self.reader.span(), text.to_owned())),
            (None, _) => None,
        }
    }

    fn written_text(&mut self, key: &'static Key) -> Option<Spanned<String>> {
        let text = self.reader.string(key.name)?;
        if text.get_ref().is_empty() {
            self.reject(key.name, format!("`{}` is empty", key.name), key.doc);
            return None;
        }
        Some(text)
    }

    /// Strings, where written or defaulted; empty otherwise.
    pub fn texts(&mut self, name: &str) -> Vec<Spanned<String>> {
        let key = self.key(name);
        match (self.reader.value(name), key.otherwise) {
            (Some(_), _) => self.written_texts(key),
            (None, Otherwise::Texts(texts)) => {
                texts.iter().map(|text| Spanned::new(self.reader.span(), (*text).to_owned())).collect()
            }
            (None, _) => Vec::new(),
        }
    }

    fn written_texts(&mut self, key: &'static Key) -> Vec<Spanned<String>> {
        let Some(texts) = self.reader.strings(key.name) else { return Vec::new() };
        if matches!(key.holds, Holds::SomeTexts) {
            if self.is_empty_array(key.name) {
                self.reject(key.name, format!("`{}` is empty", key.name), key.doc);
            }
            for text in texts.iter().filter(|text| text.get_ref().is_empty()) {
                self.reject_at(text.span(), format!("`{}` holds an empty string", key.name), key.doc);
            }
        }
        texts
    }

    fn is_empty_array(&mut self, name: &str) -> bool {
        let array = self.reader.value(name).and_then(|value| value.get_ref().as_array());
        array.is_some_and(|array| array.is_empty())
    }

    /// One of the declared words, where written or defaulted.
    pub fn choice(&mut self, name: &str) -> Option<&'static str> {
        let key = self.key(name);
        let Holds::Choice(words) = key.holds else { unreachable!("bug: `{name}` is not declared a choice") };
        match (self.reader.value(name), key.otherwise) {
            (Some(_), _) => self.reader.choice(name, words),
            (None, Otherwise::Text(word)) => Some(word),
            (None, _) => None,
        }
    }

    /// A whole number, where written or defaulted.
    pub fn count(&mut self, name: &str) -> Option<u64> {
        let key = self.key(name);
        if self.reader.value(name).is_none() {
            return if let Otherwise::Count(count) = key.otherwise { Some(count) } else { None };
        }
        let Holds::Count { min, max } = key.holds else { unreachable!("bug: `{name}` is not declared a count") };
        let count = *self.reader.integer(name)?.get_ref();
        if max == i64::MAX && min == 0 && count < 0 {
            self.reject(name, format!("`{name}` must not be negative"), key.doc);
        } else if count < min || count > max {
            self.reject_out_of_range(name, min, max);
        }
        u64::try_from(count).ok()
    }

    /// A truth value, where written or defaulted.
    pub fn flag(&mut self, name: &str) -> bool {
        let otherwise = matches!(self.key(name).otherwise, Otherwise::Flag(true));
        match self.reader.value(name) {
            Some(_) => self.reader.boolean(name).map_or(otherwise, Spanned::into_inner),
            None => otherwise,
        }
    }

    fn reject_out_of_range(&mut self, name: &str, min: impl Display, max: impl Display) {
        self.reject(name, format!("`{name}` is out of range"), format!("{name} must lie in [{min}, {max}]"));
    }

    /// A number or a share, where written or defaulted.
    pub fn number(&mut self, name: &str) -> Option<f64> {
        let key = self.key(name);
        if self.reader.value(name).is_none() {
            return if let Otherwise::Number(number) = key.otherwise { Some(number) } else { None };
        }
        let number = *self.reader.number(name)?.get_ref();
        match key.holds {
            Holds::Share if number <= 0.0 || number > 1.0 => {
                self.reject(name, format!("`{name}` must be above 0 and at most 1"), key.doc);
            }
            Holds::Number { min, max } if number < min || number > max => self.reject_out_of_range(name, min, max),
            _ => {}
        }
        Some(number)
    }

    /// A span of time, where written or defaulted.
    pub fn duration(&mut self, name: &str) -> Option<TimeDelta> {
        let text = self.text(name)?;
        parse_duration(text.get_ref()).map_err(|problem| self.reject(name, problem, self.key(name).doc)).ok()
    }

    /// A date or a time, as a string or as TOML's own.
    pub fn moment(&mut self, name: &str) -> Option<Moment> {
        let key = self.key(name);
        let value = self.reader.value(name)?;
        let text = match value.get_ref() {
            DeValue::Datetime(datetime) => datetime.to_string(),
            DeValue::String(_) => self.reader.string(name)?.into_inner(),
            _ => {
                self.reader.wrong_type(name, value, "a date or a time");
                return None;
            }
        };
        Moment::parse(&text).map_err(|problem| self.reject(name, problem, key.doc)).ok()
    }

    /// Whole numbers; empty where not written.
    pub fn indices(&mut self, name: &str) -> Vec<Spanned<i64>> {
        self.reader.integers(name).unwrap_or_default()
    }

    /// The section below `name`. Where it is not written: `None` if it is required, else an empty one, so
    /// that its defaults hold.
    pub fn section(&mut self, name: &str) -> Option<SectionReader<'a>> {
        let key = self.key(name);
        let Holds::Table(section) = key.holds else { unreachable!("bug: `{name}` is not declared a table") };
        let reader = match (self.reader.value(name), key.otherwise) {
            (Some(_), _) => self.reader.table(name)?,
            (None, Otherwise::Mistake) => return None,
            (None, _) => self.reader.part(&EMPTY, self.reader.span()),
        };
        Some(SectionReader::new(section, reader))
    }

    /// The sections of the array below `name`; empty where not written.
    pub fn sections(&mut self, name: &str) -> Vec<SectionReader<'a>> {
        let key = self.key(name);
        let Holds::Tables(section) = key.holds else {
            unreachable!("bug: `{name}` is not declared an array of tables")
        };
        let readers = self.reader.tables(name).unwrap_or_default();
        if matches!(key.otherwise, Otherwise::Mistake) && self.is_empty_array(name) {
            self.reject(name, format!("`{name}` is empty"), key.doc);
        }
        readers.into_iter().map(|reader| SectionReader::new(section, reader)).collect()
    }

    /// Takes over the mistakes of a section below this one.
    pub fn absorb(&mut self, mistakes: Vec<Diagnostic>) {
        self.reader.absorb(mistakes);
    }

    /// Ends reading: all mistakes, missing and unknown keys among them.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.report_missing();
        let all = self.all_keys();
        let names = all.map(|key| key.name);
        for (name, span) in self.reader.keys() {
            if !names.clone().any(|known| known == name) {
                self.reader.push(unknown_key(self.file(), name, span, &self.name, names.clone()));
            }
        }
        self.reader.diagnostics
    }

    /// The mistakes so far, where it is not known which other keys the table may have.
    pub fn unfinished(mut self) -> Vec<Diagnostic> {
        self.report_missing();
        self.reader.diagnostics
    }

    /// The keys that are written and that nobody asked for: they have no effect.
    pub fn ignored(&self) -> impl Iterator<Item = &'static str> + use<'_, 'a> {
        self.all_keys().map(|key| key.name).filter(|name| self.reader.ignored(name))
    }

    fn report_missing(&mut self) {
        let [_, keys] = self.keys;
        for key in keys {
            if matches!(key.otherwise, Otherwise::Mistake) && !self.has(key.name) {
                let written = if matches!(key.holds, Holds::Tables(_)) {
                    format!("[[{}]]", key.name)
                } else {
                    key.name.to_owned()
                };
                let title = format!("{} lacks `{written}`", self.name);
                let mistake = Diagnostic::new("missing-key", title, self.file(), self.reader.span());
                self.reader.push(mistake.help(format!("{}: {}", key.name, key.doc)));
            }
        }
    }
}
