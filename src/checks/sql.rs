//! `sql`: anything else, as a boolean expression that is true for good rows.
//!
//! The engine plans the expression and evaluates it over the columns of a row; here only its result is
//! evaluated. Planning mistakes are the engine's to report, at the place the rule gives.

use super::cause::causes;
use super::params::Params;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};

/// The check `sql`.
pub(crate) struct Sql;

const PARAMS: &[Key] = &[
    key(
        "assert",
        Holds::Expression,
        Otherwise::Mistake,
        "Boolean SQL expression over the fields of a bar, true for good rows.",
    ),
    key(
        "nulls",
        Holds::Choice(&["fail", "pass"]),
        Otherwise::Text("fail"),
        "What a row is for which the expression is NULL.",
    ),
];

causes! {
    /// The expression is false.
    False = "false",
    /// The expression is NULL.
    Null = "null",
}

impl Described for Sql {
    fn name(&self) -> &'static str {
        "sql"
    }

    fn explain(&self) -> &'static str {
        include_str!("sql.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        match facts.cause.and_then(Cause::parse) {
            Some(Cause::False) => format!("`{}` is false", facts.expected()),
            Some(Cause::Null) => format!("`{}` is NULL: a value it needs is missing", facts.expected()),
            None => facts.generic(),
        }
    }
}

impl CheckKind for Sql {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, _bars: &BarsSpec) -> Box<dyn Check> {
        let slot = params.expression("assert");
        let sql = slot.and_then(|_| params.maybe_text("assert")).unwrap_or_default();
        let nulls_pass = params.choice("nulls") == "pass";
        Box::new(Assertion { slot: slot.unwrap_or_default(), sql, nulls_pass })
    }
}

/// One expression, by its slot in the series.
struct Assertion {
    slot: usize,
    sql: String,
    nulls_pass: bool,
}

impl Check for Assertion {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        findings.evaluated(series.reported());
        let result = series.expressions[self.slot];
        if result.true_count() == series.rows {
            return;
        }
        for (row, verdict) in result.iter().enumerate() {
            let cause = match verdict {
                Some(true) => continue,
                Some(false) => Cause::False,
                None if self.nulls_pass => continue,
                None => Cause::Null,
            };
            findings.push(Finding::row(row).expected_text(self.sql.clone()).cause(cause));
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::BooleanArray;

    use super::*;
    use crate::checks::Records;
    use crate::checks::testing::{Fixture, compile};

    const RULE: &str = "check = \"sql\"\nassert = \"close < 10\"";

    fn evaluate(rule: &str, result: &[Option<bool>]) -> FindingSink {
        let bars = Fixture::column("close", &[]);
        let check = compile(rule, &bars.spec).unwrap_or_else(|_| panic!("a good rule"));
        let result = BooleanArray::from(result.to_vec());
        let ranks: Vec<u64> = (0..result.len() as u64).collect();
        let series = Series {
            key: "TEST",
            time: &[],
            rows: result.len(),
            columns: &[],
            time_text: None,
            records: Records::default(),
            source_rank: &ranks,
            expressions: &[&result],
            present: &[],
            standing: &[],
            facts: crate::market::facts::SeriesFacts::NONE,
            peers: None,
            other: &[],
            displaced: &[],
            open_days: &[],
            from: 0,
            since: i64::MIN,
        };
        let mut sink = FindingSink::default();
        check.check(&series, &mut sink);
        sink
    }

    fn causes(sink: &FindingSink) -> Vec<(usize, &'static str)> {
        let row = |finding: &Finding| finding.rows.as_ref().map_or(usize::MAX, |rows| rows.start);
        sink.findings.iter().map(|finding| (row(finding), finding.cause.unwrap_or("none"))).collect()
    }

    #[test]
    fn true_rows_are_clean() {
        let sink = evaluate(RULE, &[Some(true), Some(true)]);
        assert_eq!((sink.findings.len(), sink.totals.evaluated), (0, 2));
    }

    #[test]
    fn false_and_null_are_flagged_with_the_expression() {
        let sink = evaluate(RULE, &[Some(true), Some(false), None]);
        assert_eq!(causes(&sink), [(1, "false"), (2, "null")]);
        assert_eq!(sink.findings[0].expected_text.as_deref(), Some("close < 10"));
    }

    #[test]
    fn null_passes_where_the_rule_says_so() {
        let sink = evaluate(&format!("{RULE}\nnulls = \"pass\""), &[None, Some(false)]);
        assert_eq!(causes(&sink), [(1, "false")]);
    }

    #[test]
    fn empty_series_is_clean() {
        assert_eq!(evaluate(RULE, &[]).findings, []);
    }

    #[test]
    fn missing_and_mistyped_expressions_are_one_mistake_each() {
        let bars = Fixture::column("close", &[]);
        let missing = compile("check = \"sql\"", &bars.spec).err().unwrap_or_default();
        assert_eq!(missing.len(), 1);
        assert!(missing[0].render(false).contains("lacks `assert`"), "{}", missing[0].render(false));
        let number = compile("check = \"sql\"\nassert = 1", &bars.spec).err().unwrap_or_default();
        assert_eq!(number.len(), 1);
        assert!(number[0].render(false).contains("`assert` must be a string"), "{}", number[0].render(false));
        let word = compile(&format!("{RULE}\nnulls = \"skip\""), &bars.spec).err().unwrap_or_default();
        assert!(word[0].render(false).contains("choices: fail, pass"), "{}", word[0].render(false));
    }
}
