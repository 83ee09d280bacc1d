//! The parameters of one rule, as its check reads them.
//!
//! A check declares its parameters once, as a `&'static [Param]`; reading, defaults, unknown keys, the
//! documentation and the editor schema all come from that list. Every getter returns a usable value and
//! records a [`Diagnostic`] where the file is wrong, so that all mistakes are seen at once; a rule with
//! any mistake never runs.

use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, SourceText, suggestion};
use super::reader::Reader;
use crate::bars::{BarsSpec, FieldKind, TIME};

/// One parameter of a check.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// The key in the rule file.
    pub name: &'static str,
    /// What it holds.
    pub kind: ParamKind,
    /// The default as TOML text; `None`: there is none (see `required`).
    pub default: Option<&'static str>,
    /// Whether a rule must give it.
    pub required: bool,
    /// One sentence for the person who writes the rule.
    pub doc: &'static str,
}

/// What a parameter holds.
#[derive(Debug, Clone, Copy)]
pub enum ParamKind {
    /// A number within the closed interval.
    Number {
        /// Smallest accepted value.
        min: f64,
        /// Largest accepted value.
        max: f64,
    },
    /// A whole number within the closed interval.
    Count {
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
    },
    /// true or false.
    Flag,
    /// A string.
    Text,
    /// A string or an array of strings.
    Texts,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The name of a numeric field of the bars.
    NumberField,
    /// The name of any field of the bars, or `time`.
    AnyField,
    /// Names of any fields of the bars, or `time`.
    AnyFields,
    /// A boolean SQL expression over the fields of a bar.
    Expression,
}

/// A field of the bars as a rule names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldRef {
    /// The timestamp.
    Time,
    /// Index into `BarsSpec::fields` of a numeric field.
    Number(usize),
    /// Index into `BarsSpec::fields` of a text field.
    Text(usize),
}

/// A boolean SQL expression of a rule; the engine plans it and reports what is wrong with it at `span`.
#[derive(Debug, Clone)]
pub struct Expression {
    /// The SQL text.
    pub sql: String,
    /// Where it stands.
    pub span: Range<usize>,
    /// The file it stands in.
    pub file: Arc<SourceText>,
    /// The rule it belongs to.
    pub rule: Arc<str>,
}

/// Reads the parameters of one rule; see the module.
pub struct Params<'a> {
    reader: Reader<'a>,
    specs: &'static [Param],
    bars: &'a BarsSpec,
    rule: Arc<str>,
    expressions: &'a mut Vec<Expression>,
    used: Vec<usize>,
}

impl<'a> Params<'a> {
    /// Parameters of the rule `rule`, declared by `specs`, read from `reader`. Expressions are appended
    /// to `expressions`; their position there is the slot a `Series` answers to.
    pub fn new(
        reader: Reader<'a>,
        specs: &'static [Param],
        bars: &'a BarsSpec,
        rule: Arc<str>,
        expressions: &'a mut Vec<Expression>,
    ) -> Self {
        Self { reader, specs, bars, rule, expressions, used: Vec::new() }
    }

    /// The reader below, for the keys every rule has.
    pub fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }

    fn spec(&self, name: &str) -> &'static Param {
        self.specs
            .iter()
            .find(|param| param.name == name)
            .unwrap_or_else(|| unreachable!("bug: check asks for parameter `{name}`, which it does not declare"))
    }

    /// Whether the rule file gives `name`.
    pub fn given(&self, name: &str) -> bool {
        self.reader.has(name)
    }

    /// Records a contradiction at the value of `name`; where that value is wrong already, the contradiction
    /// only follows from it and is not reported.
    pub fn reject(&mut self, name: &str, title: impl Into<String>, help: impl Into<String>) {
        let value = self.reader.span_of(name);
        if self.reader.has(name) && self.reader.diagnostics.iter().any(|d| value.contains(&d.span.start)) {
            return;
        }
        let title = format!("rule `{}`: {}", self.rule, title.into());
        let at = self.reader.reject(name, "bad-parameter", title);
        at.help = Some(help.into());
    }

    fn default_of(&mut self, name: &str) -> Option<&'static str> {
        let spec = self.spec(name);
        if spec.required {
            let title = format!("rule `{}` lacks `{name}`", self.rule);
            let at = Diagnostic::new("missing-parameter", title, self.reader.file(), self.reader.span())
                .help(format!("{name}: {}", spec.doc));
            self.reader.push(at);
        }
        spec.default
    }

    fn within(&mut self, name: &str, value: f64, min: f64, max: f64) {
        if value < min || value > max {
            let title = format!("`{name}` is out of range");
            self.reject(name, title, format!("{name} must lie in [{min}, {max}]"));
        }
    }

    /// A number, where given or defaulted.
    pub fn maybe_number(&mut self, name: &str) -> Option<f64> {
        let ParamKind::Number { min, max } = self.spec(name).kind else {
            unreachable!("bug: `{name}` is not declared a number")
        };
        if !self.reader.has(name) {
            self.reader.value(name);
            return self.default_of(name).and_then(|text| text.parse().ok());
        }
        let value = *self.reader.number(name)?.get_ref();
        self.within(name, value, min, max);
        Some(value)
    }

    /// A number that has a default or is required; NaN where it is missing, which is reported.
    pub fn number(&mut self, name: &str) -> f64 {
        self.maybe_number(name).unwrap_or(f64::NAN)
    }

    /// A whole number that has a default or is required; 1 where it is missing, which is reported.
    pub fn count(&mut self, name: &str) -> usize {
        self.maybe_count(name).unwrap_or(1)
    }

    /// A whole number, where given or defaulted.
    pub fn maybe_count(&mut self, name: &str) -> Option<usize> {
        let ParamKind::Count { min, max } = self.spec(name).kind else {
            unreachable!("bug: `{name}` is not declared a count")
        };
        if !self.reader.has(name) {
            self.reader.value(name);
            return self.default_of(name).and_then(|text| text.parse().ok());
        }
        let value = *self.reader.integer(name)?.get_ref();

        self.within(name, value as f64, min as f64, max as f64);
        usize::try_from(value).ok()
    }

    /// A boolean; false where there is no default.
    pub fn flag(&mut self, name: &str) -> bool {
        if !self.reader.has(name) {
            self.reader.value(name);
            return self.default_of(name) == Some("true");
        }
        self.reader.boolean(name).is_some_and(|flag| *flag.get_ref())
    }

    /// One of the declared words; the first one where the file is wrong, which is reported.
    pub fn choice(&mut self, name: &str) -> &'static str {
        let ParamKind::Choice(words) = self.spec(name).kind else {
            unreachable!("bug: `{name}` is not declared a choice")
        };
        if !self.reader.has(name) {
            self.reader.value(name);
            return self.default_of(name).unwrap_or(words[0]);
        }
        self.reader.choice(name, words).unwrap_or(words[0])
    }

    /// A string, where given or defaulted.
    pub fn maybe_text(&mut self, name: &str) -> Option<String> {
        if !self.reader.has(name) {
            self.reader.value(name);
            return self.default_of(name).map(str::to_owned);
        }
        self.reader.string(name).map(toml::Spanned::into_inner)
    }

    /// Strings, where given; empty otherwise.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        if !self.reader.has(name) {
            self.reader.value(name);
            return self.default_of(name).map(str::to_owned).into_iter().collect();
        }
        let texts = self.reader.strings(name).unwrap_or_default();
        texts.into_iter().map(toml::Spanned::into_inner).collect()
    }

    /// Index of the numeric field a parameter names; 0 where the file is wrong, which is reported.
    pub fn number_field(&mut self, name: &str) -> usize {
        match self.any_field(name) {
            Some(FieldRef::Number(index)) => index,
            Some(_) => {
                let title = format!("`{name}` names a field that is not numeric");
                let help = format!("numeric fields: {}", self.numeric_names());
                self.reject(name, title, help);
                0
            }
            None => 0,
        }
    }

    fn numeric_names(&self) -> String {
        let names = self.bars.fields.iter().filter(|field| field.kind == FieldKind::Number);
        names.map(|field| &*field.name).collect::<Vec<_>>().join(", ")
    }

    /// Index of the numeric field called `field`, which the check needs whatever the rule says; 0 where
    /// the bars lack it, which is reported.
    pub fn bar_field(&mut self, field: &str) -> usize {
        match self.optional_bar_field(field) {
            Some(index) => index,
            None => {
                let title = format!("rule `{}` needs the field `{field}`, which these bars do not have", self.rule);
                let help = suggestion(field, "fields", self.bars.names());
                let at = Diagnostic::new("unknown-field", title, self.reader.file(), self.reader.span()).help(help);
                self.reader.push(at);
                0
            }
        }
    }

    /// Index of the numeric field called `field`, where the bars have it.
    pub fn optional_bar_field(&mut self, field: &str) -> Option<usize> {
        let (index, _) = self.bars.field(field).filter(|(_, spec)| spec.kind == FieldKind::Number)?;
        self.used.push(index);
        Some(index)
    }

    /// The field a parameter names, where given or defaulted.
    pub fn any_field(&mut self, name: &str) -> Option<FieldRef> {
        let (field, span) = if self.reader.has(name) {
            let text = self.reader.string(name)?;
            let span = text.span();
            (text.into_inner(), span)
        } else {
            self.reader.value(name);
            (self.default_of(name)?.to_owned(), self.reader.span())
        };
        self.resolve(&field, span)
    }

    /// The fields a parameter names; empty where not given and without default.
    pub fn any_fields(&mut self, name: &str) -> Vec<FieldRef> {
        if self.reader.has(name) {
            let texts = self.reader.strings(name).unwrap_or_default();
            return texts.into_iter().filter_map(|text| self.resolve(text.get_ref(), text.span())).collect();
        }
        self.reader.value(name);
        let span = self.reader.span();
        let default = self.default_of(name).unwrap_or("").to_owned();
        default
            .split(',')
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .filter_map(|f| self.resolve(f, span.clone()))
            .collect()
    }

    fn resolve(&mut self, field: &str, span: Range<usize>) -> Option<FieldRef> {
        if field == TIME {
            return Some(FieldRef::Time);
        }
        let bars = self.bars;
        let Some((index, spec)) = bars.field(field) else {
            let title = format!("rule `{}` uses a field these bars do not have", self.rule);
            let help = match self.renamed(field) {
                Some(name) => format!("the source's `{field}` is called `{name}` in rules"),
                None => suggestion(field, "fields", self.bars.names()),
            };
            let at =
                Diagnostic::new("unknown-field", title, self.reader.file(), span).label("no such field").help(help);
            self.reader.push(at);
            return None;
        };
        self.used.push(index);
        Some(match spec.kind {
            FieldKind::Number => FieldRef::Number(index),
            FieldKind::Text => FieldRef::Text(index),
        })
    }

    /// What rules call the source field `field`, where it has another name than in the source.
    fn renamed(&self, field: &str) -> Option<&'a str> {
        if *self.bars.time.source == *field {
            return Some(TIME);
        }
        let renamed = self.bars.fields.iter().find(|spec| *spec.source == *field);
        renamed.map(|spec| &*spec.name)
    }

    /// The name of a field for findings.
    pub fn name_of(&self, field: FieldRef) -> Arc<str> {
        match field {
            FieldRef::Time => Arc::from(TIME),
            FieldRef::Number(index) | FieldRef::Text(index) => Arc::clone(&self.bars.fields[index].name),
        }
    }

    /// The slot of a boolean SQL expression, where given.
    pub fn expression(&mut self, name: &str) -> Option<usize> {
        if !self.reader.has(name) {
            self.reader.value(name);
            self.default_of(name);
            return None;
        }
        let text = self.reader.string(name)?;
        let (span, sql) = (text.span(), text.into_inner());
        self.expressions.push(Expression {
            sql,
            span,
            file: Arc::clone(self.reader.file()),
            rule: Arc::clone(&self.rule),
        });
        Some(self.expressions.len() - 1)
    }

    /// Ends reading: all mistakes, unknown keys and parameters without effect among them, and the fields
    /// that are used.
    pub fn finish(mut self) -> (Vec<Diagnostic>, Vec<usize>) {
        let what = format!("rule `{}`", self.rule);
        let ignored: Vec<_> = self.specs.iter().filter(|param| self.reader.ignored(param.name)).collect();
        for param in ignored {
            let title = format!("{what}: `{}` has no effect beside the other parameters", param.name);
            let at = Diagnostic::new("unused-parameter", title, self.reader.file(), self.reader.span_of(param.name));
            self.reader.diagnostics.push(at.help("leave it out, or choose parameters that use it"));
        }
        self.reader.know(self.specs.iter().map(|param| param.name));
        (self.reader.finish(&what), self.used)
    }
}
