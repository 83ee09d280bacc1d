//! The parameters of one rule, as its check reads them.
//!
//! A check declares its parameters once, as a list of [`Key`](crate::schema::Key)s; reading, defaults, unknown keys, the
//! documentation and the editor schema all come from that list. Every getter returns a usable value and records a
//! [`Diagnostic`] where the file is wrong, so that all mistakes are seen at once; a rule with any mistake never runs.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;

use super::other_job::OtherJob;
use crate::bars::{BarsSpec, FieldKind, TIME};
use crate::schema::diagnostic::suggestion;
use crate::schema::{Diagnostic, SectionReader, SourceText};

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
    /// How many bars before and after a bar it depends on; the engine says that.
    pub reach: (usize, usize),
}

/// Reads the parameters of one rule; see the module.
pub struct Params<'a> {
    section: SectionReader<'a>,
    bars: &'a BarsSpec,
    rule: Arc<str>,
    expressions: &'a mut Vec<Expression>,
    used: Vec<usize>,
    lacking: Vec<Lacking>,
}

/// A field that a rule needs and the bars do not have.
#[derive(Debug)]
pub struct Lacking {
    /// Its name.
    pub field: String,
    /// That it is a mistake.
    pub mistake: Diagnostic,
}

impl<'a> Params<'a> {
    /// Parameters of the rule `rule`, read from `section`. Expressions are appended to `expressions`; their position
    /// there is the slot a `Series` answers to.
    pub fn new(
        section: SectionReader<'a>,
        bars: &'a BarsSpec,
        rule: Arc<str>,
        expressions: &'a mut Vec<Expression>,
    ) -> Self {
        Self { section, bars, rule, expressions, used: Vec::new(), lacking: Vec::new() }
    }

    /// Whether the rule file gives `name`.
    pub fn given(&self, name: &str) -> bool {
        self.section.has(name)
    }

    /// Records a contradiction at the value of `name`; where that value is wrong already, the contradiction
    /// only follows from it and is not reported.
    pub fn reject(&mut self, name: &str, title: impl Into<String>, help: impl Into<String>) {
        let value = self.section.span_of(name);
        let given = self.given(name);
        let at_value = |mistake: &Diagnostic| value.contains(&mistake.span.start);
        let lacking = self.lacking.iter().any(|lacking| at_value(&lacking.mistake));
        if given && (lacking || self.section.reader().diagnostics.iter().any(at_value)) {
            return;
        }
        let title = format!("rule `{}`: {}", self.rule, title.into());
        self.section.reject(name, title, help);
    }

    /// A number, where given or defaulted.
    pub fn maybe_number(&mut self, name: &str) -> Option<f64> {
        self.section.number(name)
    }

    /// A number that has a default or is required; NaN where it is missing, which is reported.
    pub fn number(&mut self, name: &str) -> f64 {
        self.section.number(name).unwrap_or(f64::NAN)
    }

    /// A whole number, where given or defaulted.
    pub fn maybe_count(&mut self, name: &str) -> Option<usize> {
        self.section.count(name).and_then(|count| usize::try_from(count).ok())
    }

    /// A whole number that has a default or is required; 1 where it is missing, which is reported.
    pub fn count(&mut self, name: &str) -> usize {
        self.maybe_count(name).unwrap_or(1)
    }

    /// A truth value; false where there is no default.
    pub fn flag(&mut self, name: &str) -> bool {
        self.section.flag(name)
    }

    /// One of the declared words; empty where the file is wrong, which is reported.
    pub fn choice(&mut self, name: &str) -> &'static str {
        self.section.choice(name).unwrap_or_default()
    }

    /// A string, where given or defaulted.
    pub fn maybe_text(&mut self, name: &str) -> Option<String> {
        self.section.text(name).map(Spanned::into_inner)
    }

    /// Strings; empty where not given.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        self.section.texts(name).into_iter().map(Spanned::into_inner).collect()
    }

    /// Index of the numeric field a parameter names; 0 where the file is wrong, which is reported.
    pub fn number_field(&mut self, name: &str) -> usize {
        match self.any_field(name) {
            Some(FieldRef::Number(index)) => index,
            Some(_) => {
                let title = format!("`{name}` names a field that is not numeric");
                let help = format!("numeric fields: {}", self.numeric_names());
                let before = self.section.reader().diagnostics.len();
                self.reject(name, title, help);
                if let Some(mistake) = self.section.reader().diagnostics.get_mut(before) {
                    mistake.code = "not-numeric";
                }
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
                let at = Diagnostic::new("unknown-field", title, self.section.file(), self.section.span()).help(help);
                self.lacking.push(Lacking { field: field.to_owned(), mistake: at });
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
        let field = self.section.text(name)?;
        self.resolve(field.get_ref(), field.span())
    }

    /// The fields a parameter names; empty where not given.
    pub fn any_fields(&mut self, name: &str) -> Vec<FieldRef> {
        let fields = self.section.texts(name);
        fields.into_iter().filter_map(|field| self.resolve(field.get_ref(), field.span())).collect()
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
                Diagnostic::new("unknown-field", title, self.section.file(), span).label("unknown field").help(help);
            self.lacking.push(Lacking { field: field.to_owned(), mistake: at });
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
        if matches!(self.bars.time.sources.as_slice(), [only] if **only == *field) {
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

    /// The job file that `name` names, from the folder of the rule file, where given.
    pub fn other_job(&mut self, name: &str) -> Option<OtherJob> {
        let text = self.section.text(name)?;
        let file = Arc::clone(self.section.file());
        let folder = file.path.parent().unwrap_or(Path::new(""));
        Some(OtherJob { path: folder.join(text.get_ref()), span: text.span(), file })
    }

    /// The slot of a boolean SQL expression, where given.
    pub fn expression(&mut self, name: &str) -> Option<usize> {
        let text = self.section.text(name)?;
        let (span, sql) = (text.span(), text.into_inner());
        let (file, rule) = (Arc::clone(self.section.file()), Arc::clone(&self.rule));
        self.expressions.push(Expression { sql, span, file, rule, reach: (0, 0) });
        Some(self.expressions.len() - 1)
    }

    /// Ends reading: all mistakes, unknown keys and parameters without effect among them, the fields that are used, and
    /// those that the bars lack.
    pub fn finish(mut self) -> (Vec<Diagnostic>, Vec<usize>, Vec<Lacking>) {
        let ignored: Vec<_> = self.section.ignored().collect();
        for name in ignored {
            let title = format!("rule `{}`: `{name}` has no effect beside the other parameters", self.rule);
            let at = Diagnostic::new("unused-parameter", title, self.section.file(), self.section.span_of(name));
            self.section.reader().push(at.help("leave it out, or choose parameters that use it"));
        }
        (self.section.finish(), self.used, self.lacking)
    }
}
