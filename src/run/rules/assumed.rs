//! Rules compiled while their source is not known: over the bars that a job or a rule file lets expect. Which fields
//! there are is the source's to say: a field that only a rule knows of is taken to be there.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use crate::bars::time::TimeFormat;
use crate::bars::{BarsSpec, FieldKind, FieldSpec, Fold, Label, NUMBERS, TimeSpec};
use crate::config::{Literal, RuleFile, RuleSet, rules};
use crate::engine::expressions;
use crate::market::{Calendar, Grid, Interval};
use crate::schema::Diagnostic;

/// The bars that most sources have: daily, of every weekday.
pub(super) fn usual_bars() -> BarsSpec {
    let mut fields: Vec<FieldSpec> = NUMBERS.iter().map(|name| field(name, FieldKind::Number)).collect();
    fields.insert(0, field("symbol", FieldKind::Text));
    let calendar = Calendar::named("weekdays");
    let grid = calendar.as_ref().map(|days| Arc::new(Grid::new(Arc::clone(days), Interval::Day, Label::Session)));
    let time = TimeSpec {
        sources: vec![Arc::from("time")],
        digits: false,
        formats: TimeFormat::compile("%Y-%m-%d").into_iter().collect(),
        zone: chrono_tz::UTC,
        label: Label::Session,
        fold: Fold::Refuse,
    };
    BarsSpec { series: vec![Arc::from("symbol")], calendar, grid, fields, ..BarsSpec::new(Interval::Day, time) }
}

fn field(name: &str, kind: FieldKind) -> FieldSpec {
    FieldSpec::plain(name, kind)
}

/// Compiles `files` over `bars` and whatever fields they use besides. The bars come back with these fields.
///
/// # Errors
/// Every mistake that does not depend on what the source has.
pub(super) fn compile(
    files: &[RuleFile],
    bars: BarsSpec,
    context: &SessionContext,
) -> Result<(RuleSet, BarsSpec), Vec<Diagnostic>> {
    let mut assumed = Assumed { known: bars.fields.len(), bars };
    loop {
        let mut mistakes = match rules::compile(files, &assumed.bars) {
            Err(mistakes) => mistakes,
            Ok(rules) if assumed.take_kinds_of_tests(&rules) => continue,
            Ok(rules) => match expressions::check(context, &assumed.bars, &rules.expressions) {
                Ok(_) => return Ok((rules, assumed.bars)),
                Err(mistakes) if mistakes.iter().all(|mistake| assumed.depends_on_source(mistake)) => {
                    return Ok((rules, assumed.bars));
                }
                Err(mistakes) => mistakes,
            },
        };
        if !assumed.learn(&mistakes) {
            mistakes.retain(|mistake| !assumed.depends_on_source(mistake));
            return Err(mistakes);
        }
    }
}

/// Bars with fields that only rules know of, behind those that are known.
struct Assumed {
    bars: BarsSpec,
    known: usize,
}

impl Assumed {
    /// Takes fields to be there, and numeric, where that is all that is wrong; whether there was any.
    fn learn(&mut self, mistakes: &[Diagnostic]) -> bool {
        let mut learned = false;
        for mistake in mistakes {
            match mistake.code {
                "unknown-field" | "unknown-test-field" => {
                    learned |= missing_field(mistake).is_some_and(|name| self.add(&name));
                }
                "not-numeric" => learned |= text_at(mistake).is_some_and(|name| self.set_number(&name)),
                _ => {}
            }
        }
        learned
    }

    fn add(&mut self, name: &str) -> bool {
        let missing = self.bars.field(name).is_none();
        if missing {
            self.bars.fields.push(field(name, FieldKind::Text));
        }
        missing
    }

    fn set_number(&mut self, name: &str) -> bool {
        let assumed = self.bars.fields[self.known..].iter_mut().find(|field| *field.name == *name);
        let text = assumed.filter(|field| field.kind == FieldKind::Text);
        text.map(|field| field.kind = FieldKind::Number).is_some()
    }

    /// Takes a field to be numeric that the test rows of rules give numbers only; whether there was any.
    fn take_kinds_of_tests(&mut self, rules: &RuleSet) -> bool {
        let tests = rules.rules.iter().flat_map(|rule| &rule.tests);
        let values: Vec<&(String, Literal)> = tests.flat_map(|test| test.rows.iter().flatten()).collect();
        let is_text = |(_, value): &&&(String, Literal)| matches!(value, Literal::Text(_));
        let texts: BTreeSet<&str> = values.iter().filter(is_text).map(|(name, _)| name.as_str()).collect();
        let names: BTreeSet<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
        let set = names.difference(&texts).filter(|name| self.set_number(name));
        set.count() > 0
    }

    /// Whether a mistake in SQL may come from the kind that a field was taken to have.
    fn depends_on_source(&self, mistake: &Diagnostic) -> bool {
        let sql = mistake.file.text.get(mistake.span.clone()).unwrap_or_default();
        let names: BTreeSet<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        mistake.code == "bad-expression"
            && self.bars.fields[self.known..].iter().any(|field| names.contains(&*field.name))
    }
}

/// The field that a mistake says is missing: named in its label where it is in SQL, else at its place.
fn missing_field(mistake: &Diagnostic) -> Option<String> {
    match mistake.label.strip_prefix("unknown field `") {
        Some(rest) => rest.strip_suffix('`').map(str::to_owned),
        None => text_at(mistake),
    }
}

/// The word at the place of a mistake, without its quotes.
fn text_at(mistake: &Diagnostic) -> Option<String> {
    let text = mistake.file.text.get(mistake.span.clone())?;
    let name = text.trim_matches(['"', '\'']);
    (!name.is_empty() && !name.contains(['\n', '[', '='])).then(|| name.to_owned())
}
