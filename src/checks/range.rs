//! `range`: a number must lie in a closed interval.
//!
//! Evaluates each row by itself, with or without a readable timestamp. NULL passes, NaN does not, infinities are
//! compared like any number. It knows no other field and no other row.

use std::sync::Arc;

use super::cause::causes;
use super::params::Params;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage, Threshold};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};

/// The check `range`.
pub(crate) struct Range;

const ANY_NUMBER: Holds = Holds::Number { min: f64::NEG_INFINITY, max: f64::INFINITY };

const PARAMS: &[Key] = &[
    key("field", Holds::NumberField, Otherwise::Mistake, "The numeric field to evaluate."),
    key("min", ANY_NUMBER, Otherwise::Nothing, "Smallest value that passes."),
    key("max", ANY_NUMBER, Otherwise::Nothing, "Largest value that passes."),
];

causes! {
    /// The number is smaller than the smallest that passes.
    Below = "below",
    /// The number is larger than the largest that passes.
    Above = "above",
    /// The value is NaN.
    Nan = "nan",
}

impl Described for Range {
    fn name(&self) -> &'static str {
        "range"
    }

    fn explain(&self) -> &'static str {
        include_str!("range.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        // The limits are those a person wrote, and are not rounded.
        match (facts.cause.and_then(Cause::parse), facts.expected_lo, facts.expected_hi) {
            (Some(Cause::Below), Some(lo), _) => format!("{} is below {lo}", facts.subject()),
            (Some(Cause::Above), _, Some(hi)) => format!("{} is above {hi}", facts.subject()),
            (Some(Cause::Nan), ..) => format!("{} is not a number", facts.field_or("the value")),
            _ => facts.generic(),
        }
    }
}

impl CheckKind for Range {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let index = params.number_field("field");
        let name = bars.fields.get(index).map(|field| Arc::clone(&field.name)).unwrap_or_default();
        let (min, max) = (params.maybe_number("min"), params.maybe_number("max"));
        if !params.given("min") && !params.given("max") {
            params.reject("field", "gives neither `min` nor `max`", "give at least one of `min`, `max`");
        }
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            let title = format!("`min` and `max` are contradictory: no number is at least {min} and at most {max}");
            params.reject("min", title, "`min` must not be above `max`");
        }
        Box::new(Interval { index, name, min: min.unwrap_or(f64::NEG_INFINITY), max: max.unwrap_or(f64::INFINITY) })
    }
}

/// A closed interval over one column; an end the rule leaves open is infinite.
struct Interval {
    index: usize,
    name: Arc<str>,
    min: f64,
    max: f64,
}

impl Check for Interval {
    fn threshold(&self) -> Option<Threshold> {
        match (self.min.is_finite(), self.max.is_finite()) {
            (true, false) => Some(Threshold { key: "min", value: self.min }),
            (false, true) => Some(Threshold { key: "max", value: self.max }),
            _ => None,
        }
    }

    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let column = series.number(self.index);
        for (row, &value) in column.values().iter().enumerate() {
            if value >= self.min && value <= self.max || column.is_null(row) {
                continue;
            }
            let cause = match value {
                value if value < self.min => Cause::Below,
                value if value > self.max => Cause::Above,
                _ => Cause::Nan,
            };
            let finding = Finding::row(row).field(&self.name).observed(value).expected(self.min, self.max);
            findings.push(finding.cause(cause));
        }
        findings.evaluated(series.reported());
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::testing::{Fixture, compile};

    const RULE: &str = "check = \"range\"\nfield = \"close\"\nmin = 1\nmax = 100.5";

    fn mistake(rule: &str) -> String {
        let bars = Fixture::daily("time,close,name\n2024-01-02,1,x");
        let mistakes = compile(rule, &bars.spec).err().unwrap_or_default();
        mistakes.iter().map(|m| m.render(false)).collect()
    }

    #[test]
    fn values_inside_and_at_both_ends_are_clean() {
        let evaluated = Fixture::column("close", &[Some(1.0), Some(50.0), Some(100.5)]).evaluate(RULE);
        assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 3));
    }

    #[test]
    fn values_outside_carry_the_limits() {
        let evaluated = Fixture::column("close", &[Some(0.999), Some(100.6)]).evaluate(RULE);
        let causes: Vec<_> = evaluated.findings.iter().map(|f| (f.observed, f.cause)).collect();
        assert_eq!(causes, [(Some(0.999), Some("below")), (Some(100.6), Some("above"))]);
        assert_eq!((evaluated.findings[0].expected_lo, evaluated.findings[0].expected_hi), (Some(1.0), Some(100.5)));
    }

    #[test]
    fn null_passes_and_nan_does_not() {
        let evaluated = Fixture::column("close", &[None, Some(f64::NAN)]).evaluate(RULE);
        assert_eq!(evaluated.findings.len(), 1);
        assert_eq!((evaluated.findings[0].rows.clone(), evaluated.findings[0].cause), (Some(1..2), Some("nan")));
    }

    #[test]
    fn infinities_compare_like_numbers() {
        let values = [Some(f64::INFINITY), Some(f64::NEG_INFINITY)];
        let both = Fixture::column("close", &values).evaluate(RULE);
        assert_eq!(both.findings.iter().map(|f| f.cause).collect::<Vec<_>>(), [Some("above"), Some("below")]);
        let open = Fixture::column("close", &values).evaluate("check = \"range\"\nfield = \"close\"\nmin = 1");
        assert_eq!(open.findings.iter().map(|f| f.cause).collect::<Vec<_>>(), [Some("below")]);
        assert_eq!(open.findings[0].expected_hi, None);
    }

    #[test]
    fn nan_is_flagged_where_one_end_is_open() {
        let evaluated =
            Fixture::column("close", &[Some(f64::NAN)]).evaluate("check = \"range\"\nfield = \"close\"\nmax = 9");
        assert_eq!(evaluated.findings[0].cause, Some("nan"));
    }

    #[test]
    fn empty_series_is_clean() {
        assert_eq!(Fixture::column("close", &[]).evaluate(RULE).findings, []);
    }

    #[test]
    fn contradictory_limits_are_a_mistake_at_the_value_of_min() {
        insta::assert_snapshot!(mistake("check = \"range\"\nfield = \"close\"\nmin = 5\nmax = 4"), @r"
        error[bad-value]: rule `test`: `min` and `max` are contradictory: no number is at least 5 and at most 4
         --> rule.toml:3:7
          |
        3 | min = 5
          |       ^
          |
          = help: `min` must not be above `max`
        ");
    }

    #[test]
    fn a_rule_without_limits_and_one_on_text_are_mistakes() {
        let neither = mistake("check = \"range\"\nfield = \"close\"");
        assert!(neither.contains("gives neither `min` nor `max`"), "{neither}");
        let text = mistake("check = \"range\"\nfield = \"name\"\nmin = 1");
        assert!(text.contains("not numeric") && text.contains("numeric fields: close"), "{text}");
        let absent = mistake("check = \"range\"\nmin = 1");
        assert!(absent.contains("lacks `field`"), "{absent}");
    }

    #[test]
    fn equal_limits_are_no_mistake() {
        let one = "check = \"range\"\nfield = \"close\"\nmin = 5\nmax = 5";
        assert_eq!(Fixture::column("close", &[Some(5.0), Some(6.0)]).evaluate(one).findings.len(), 1);
    }
}
