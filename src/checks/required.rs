//! `required`: a value must be there.
//!
//! Evaluates each row by itself, with or without a readable timestamp. NULL and NaN are distinguished. It does not
//! evaluate what a value is: an unreadable timestamp is a value, and so is an empty text.

use std::sync::Arc;

use super::cause::causes;
use super::params::{FieldRef, Params};
use super::{
    Check, CheckKind, Context, Described, Facts, Finding, FindingSink, NumberColumn, Series, Stage, TextColumn,
};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};

/// The check `required`.
pub(crate) struct Required;

const PARAMS: &[Key] = &[key(
    "fields",
    Holds::Fields,
    Otherwise::Nothing,
    "Fields that must hold a value; without it `time` and those of `open`, `high`, `low`, `close` there are.",
)];

/// Required where a rule names no fields and the bars have them.
const PRICES: [&str; 4] = ["open", "high", "low", "close"];

causes! {
    /// There is no value.
    Null = "null",
    /// The value is NaN.
    Nan = "nan",
}

impl Described for Required {
    fn name(&self) -> &'static str {
        "required"
    }

    fn explain(&self) -> &'static str {
        include_str!("required.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let missing = match facts.cause.and_then(Cause::parse) {
            Some(Cause::Nan) => "is NaN",
            Some(Cause::Null) | None => "is missing",
        };
        format!("{} {missing}", facts.field_or("a value"))
    }
}

impl CheckKind for Required {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, _bars: &BarsSpec) -> Box<dyn Check> {
        let given = params.given("fields");
        let mut named = params.any_fields("fields");
        if !given {
            let prices = PRICES.iter().filter_map(|name| params.optional_bar_field(name)).map(FieldRef::Number);
            named = std::iter::once(FieldRef::Time).chain(prices).collect();
        } else if named.is_empty() {
            params.reject("fields", "`fields` names no field", "name at least one, or leave `fields` out");
        }
        let mut fields: Vec<(FieldRef, Arc<str>)> = Vec::with_capacity(named.len());
        for field in named {
            if fields.iter().all(|(known, _)| *known != field) {
                fields.push((field, params.name_of(field)));
            }
        }
        Box::new(RequiredFields { fields })
    }
}

/// The fields one rule asks for, each once.
struct RequiredFields {
    fields: Vec<(FieldRef, Arc<str>)>,
}

impl Check for RequiredFields {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        for (field, name) in &self.fields {
            match *field {
                FieldRef::Time => missing_timestamps(series, name, findings),
                FieldRef::Number(index) => missing_numbers(series.number(index), name, findings),
                FieldRef::Text(index) => missing_texts(series.text(index), 0..series.rows, name, findings),
            }
        }
        findings.evaluated(series.reported());
    }
}

fn null(row: usize, name: &Arc<str>) -> Finding {
    Finding::row(row).field(name).cause(Cause::Null)
}

/// A row without a readable timestamp may still have one that `date-format` answers for.
fn missing_timestamps(series: &Series<'_>, name: &Arc<str>, findings: &mut FindingSink) {
    let undated = series.dated()..series.rows;
    match series.time_text {
        Some(timestamps) => missing_texts(timestamps, undated, name, findings),
        None => undated.for_each(|row| findings.push(null(row, name))),
    }
}

fn missing_texts(column: TextColumn<'_>, rows: std::ops::Range<usize>, name: &Arc<str>, findings: &mut FindingSink) {
    rows.filter(|row| column.is_null(*row)).for_each(|row| findings.push(null(row, name)));
}

fn missing_numbers(column: NumberColumn<'_>, name: &Arc<str>, findings: &mut FindingSink) {
    for (row, value) in column.values().iter().enumerate().filter(|(_, value)| value.is_nan()) {
        findings.push(if column.is_null(row) {
            null(row, name)
        } else {
            Finding::row(row).field(name).observed(*value).cause(Cause::Nan)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{Fixture, compile};

    const RULE: &str = r#"check = "required""#;

    #[test]
    fn complete_bars_are_clean() {
        let bars = Fixture::daily("time,open,high,low,close\n2024-01-02,1,2,1,2\n2024-01-03,2,2,1,1");
        let evaluated = bars.evaluate(RULE);
        assert_eq!(evaluated.lines, [""; 0]);
        assert_eq!(evaluated.totals.evaluated, 2);
    }

    #[test]
    fn null_and_nan_are_distinguished() {
        let bars = Fixture::daily("time,open,high,low,close\n2024-01-02,1,2,1,\n2024-01-03,NaN,2,1,inf");
        let evaluated = bars.evaluate(RULE);
        assert_eq!(evaluated.lines, ["2024-01-03 open observed=NaN cause=nan", "2024-01-02 close cause=null"]);
    }

    #[test]
    fn default_asks_only_for_prices_the_bars_have() {
        let bars = Fixture::daily("time,close,volume\n2024-01-02,,");
        assert_eq!(bars.evaluate(RULE).lines, ["2024-01-02 close cause=null"]);
    }

    #[test]
    fn missing_timestamp_is_flagged_and_an_unreadable_one_is_not() {
        let bars = Fixture::daily("time,close\n,1\n17,1\n2024-01-02,1");
        let evaluated = bars.evaluate(RULE);
        assert_eq!(evaluated.findings.len(), 1);
        assert_eq!(evaluated.findings[0].rows, Some(1..2), "undated rows keep the order of the source");
        assert_eq!(evaluated.findings[0].cause, Some("null"));
    }

    #[test]
    fn missing_timestamp_of_a_source_with_typed_timestamps_is_flagged() {
        let bars = Fixture::daily("time,close\n2024-01-02,1\n,1");
        let series = Series { key: "TEST", time: &[0], rows: 2, source_rank: &[0, 1], ..Series::default() };
        let check = compile(
            r#"check = "required"
            fields = "time""#,
            &bars.spec,
        )
        .unwrap_or_else(|_| panic!("a good rule"));
        let mut sink = FindingSink::default();
        check.check(&series, &mut sink);
        assert_eq!(sink.findings.iter().map(|f| f.rows.clone()).collect::<Vec<_>>(), [Some(1..2)]);
    }

    #[test]
    fn null_text_is_flagged_and_each_field_is_evaluated_once() {
        let bars = Fixture::daily("time,close,exchange\n2024-01-02,1,SH\n2024-01-03,1,");
        let evaluated = bars.evaluate("check = \"required\"\nfields = [\"exchange\", \"exchange\"]");
        assert_eq!(evaluated.lines, ["2024-01-03 exchange cause=null"]);
    }

    #[test]
    fn empty_series_is_clean() {
        let evaluated = Fixture::column("close", &[]).evaluate(RULE);
        assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 0));
    }

    #[test]
    fn no_field_and_an_unknown_field_are_mistakes() {
        let bars = Fixture::column("close", &[]);
        let empty = compile("check = \"required\"\nfields = []", &bars.spec).err().unwrap_or_default();
        assert!(empty[0].render(false).contains("`fields` names no field"), "{}", empty[0].render(false));
        let unknown = compile("check = \"required\"\nfields = [\"clsoe\"]", &bars.spec).err().unwrap_or_default();
        assert!(unknown[0].render(false).contains("did you mean `close`?"), "{}", unknown[0].render(false));
    }
}
