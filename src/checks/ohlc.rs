//! `ohlc`: the numbers of one bar must agree with each other.
//!
//! Evaluates each row by itself, with or without a readable timestamp: the high is the highest and the low the
//! lowest price, prices are positive, volume and amount are not negative, all of them finite. One finding a
//! row, under the strongest cause; every broken condition is in the evidence. It knows no other row.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cause::causes;
use super::evidence::{LONGEST_VALUE, Shown};
use super::params::Params;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, NumberColumn, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::escape::shortened;

/// The check `ohlc`.
pub(crate) struct Ohlc;

const PARAMS: &[Key] = &[
    key(
        "negative",
        Holds::Flag,
        Otherwise::Nothing,
        "Whether prices of zero and below are accepted, as futures and spreads have them; as `[bars] negative` says where not given.",
    ),
    key(
        "tolerance",
        Holds::Number { min: 0.0, max: 0.1 },
        Otherwise::Number(1e-9),
        "Share of a price by which high and low may fail it, for prices that were adjusted and rounded.",
    ),
];

/// Rows looked at together before any of them is looked at alone.
const CHUNK: usize = 64;

const NAMES: [&str; 6] = ["open", "high", "low", "close", "volume", "amount"];
const OPEN: usize = 0;
const HIGH: usize = 1;
const LOW: usize = 2;
const CLOSE: usize = 3;
const PRICES: Range<usize> = 0..4;
const SIZES: Range<usize> = 4..6;

causes! {
    /// A value is infinite or NaN.
    NotFinite = "not-finite",
    /// A price is not above zero.
    NonPositive = "non-positive",
    /// The bar is right once high and low are exchanged.
    Swapped = "swapped-high-low",
    /// High or low were rounded, and a price of the bar was not.
    Rounded = "rounded",
    /// The high is below a price that was traded.
    HighBelow = "high-below",
    /// The low is above a price that was traded.
    LowAbove = "low-above",
    /// The volume is negative.
    NegativeVolume = "negative-volume",
    /// The amount is negative.
    NegativeAmount = "negative-amount",
}

/// The broken conditions and the bar itself, without what is NULL.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    broken: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Shown>,
    /// High and low in each other's place, where they are swapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed: Option<Proposed>,
}

/// High and low as they would be right.
#[derive(Debug, Serialize, Deserialize)]
struct Proposed {
    high: Shown,
    low: Shown,
}

impl Described for Ohlc {
    fn name(&self) -> &'static str {
        "ohlc"
    }

    fn explain(&self) -> &'static str {
        include_str!("ohlc.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { broken, high, low, .. } = facts.evidence();
        let other = |price: Option<f64>| price.map(|price| format!(", {price}")).unwrap_or_default();
        let what = match facts.cause.and_then(Cause::parse) {
            Some(Cause::Swapped) => {
                let [high, low] = [high, low].map(|price| price.unwrap_or(Shown::Nothing));
                return format!("high {high} and low {low} are swapped");
            }
            Some(Cause::Rounded) => {
                let price = other(facts.expected_lo.or(facts.expected_hi));
                format!("{} was rounded past another price of its bar{price}", facts.subject())
            }
            Some(Cause::NotFinite) => format!("{} is not finite", facts.subject()),
            Some(Cause::NonPositive) => format!("{} is not above 0", facts.subject()),
            Some(Cause::HighBelow) => {
                format!("{} is below another price of its bar{}", facts.subject(), other(facts.expected_lo))
            }
            Some(Cause::LowAbove) => {
                format!("{} is above another price of its bar{}", facts.subject(), other(facts.expected_hi))
            }
            Some(Cause::NegativeVolume | Cause::NegativeAmount) => format!("{} is negative", facts.subject()),
            None => facts.generic(),
        };
        if broken.len() < 2 {
            return what;
        }
        let broken: Vec<String> = broken.iter().map(|condition| shortened(condition, LONGEST_VALUE)).collect();
        format!("{what}; broken: {}", broken.join(", "))
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("ohlc_examples.md")
    }
}

impl CheckKind for Ohlc {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let prices = [OPEN, HIGH, LOW, CLOSE].map(|field| params.bar_field(NAMES[field]));
        let sizes = [4, 5].map(|field| params.optional_bar_field(NAMES[field]));
        let negative = if params.given("negative") { params.flag("negative") } else { bars.negative };
        let floor = if negative { f64::NEG_INFINITY } else { 0.0 };
        let tolerance = params.number("tolerance");
        Box::new(Conditions { prices, sizes, floor, tolerance, names: NAMES.map(Arc::from) })
    }
}

/// The conditions of one rule: where the fields are, and the limits.
struct Conditions {
    prices: [usize; 4],
    sizes: [Option<usize>; 2],
    /// Prices must be above it.
    floor: f64,
    tolerance: f64,
    names: [Arc<str>; 6],
}

/// One broken condition.
struct Breach {
    cause: Cause,
    field: usize,
    /// What should hold, e.g. `high >= close`.
    condition: String,
}

/// The values of one row in the order of [`NAMES`]; `None` where NULL or where the bars have no such field.
type Bar = [Option<f64>; 6];

/// The columns of one series.
struct Columns<'a> {
    prices: [NumberColumn<'a>; 4],
    sizes: [Option<NumberColumn<'a>>; 2],
}

impl Columns<'_> {
    fn bar(&self, row: usize) -> Bar {
        let [open, high, low, close] = self.prices.map(|column| column.get(row));
        let [volume, amount] = self.sizes.map(|column| column.and_then(|column| column.get(row)));
        [open, high, low, close, volume, amount]
    }

    /// Whether no condition can be broken in any of `rows`, however small the tolerance. A NULL is a NaN
    /// here and fails every comparison, so rows with one are looked at alone.
    fn plainly_good(&self, rows: Range<usize>, floor: f64) -> bool {
        let [open, high, low, close] = self.prices.map(|column| &column.values()[rows.clone()]);
        let mut good = true;
        for (((open, high), low), close) in open.iter().zip(high).zip(low).zip(close) {
            good &= *low > floor;
            good &= low <= open;
            good &= low <= close;
            good &= open <= high;
            good &= close <= high;
            good &= *high < f64::INFINITY;
        }
        for column in self.sizes.iter().flatten() {
            for size in &column.values()[rows.clone()] {
                // Without a sign, floats are in the order of their bits; a zero with one is looked at alone.
                good &= size.to_bits() < f64::INFINITY.to_bits();
            }
        }
        good
    }
}

impl Check for Conditions {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let columns = Columns {
            prices: self.prices.map(|index| series.number(index)),
            sizes: self.sizes.map(|index| index.map(|index| series.number(index))),
        };
        for start in (0..series.rows).step_by(CHUNK) {
            let chunk = start..(start + CHUNK).min(series.rows);
            if columns.plainly_good(chunk.clone(), self.floor) {
                continue;
            }
            for row in chunk {
                let bar = columns.bar(row);
                let breaches = self.breaches(&bar);
                if !breaches.is_empty() {
                    findings.push(self.finding(row, &bar, &breaches));
                }
            }
        }
        findings.evaluated(series.reported());
    }
}

impl Conditions {
    /// Every broken condition of one bar. A condition that needs a NULL or a value that is not finite is not evaluated.
    fn breaches(&self, bar: &Bar) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let mut broken = |cause, field: usize, condition: String| breaches.push(Breach { cause, field, condition });
        for (field, value) in bar.iter().enumerate() {
            if value.is_some_and(|value| !value.is_finite()) {
                broken(Cause::NotFinite, field, format!("{} is finite", NAMES[field]));
            }
        }
        let bar = finite(bar);
        for field in PRICES.filter(|field| bar[*field].is_some_and(|price| price <= self.floor)) {
            broken(Cause::NonPositive, field, format!("{} > 0", NAMES[field]));
        }
        let blamed = self.blamed(&bar);
        for other in [OPEN, CLOSE, LOW].into_iter().filter(|other| self.below(bar[HIGH], bar[*other])) {
            broken(blamed, if blamed == Cause::LowAbove { LOW } else { HIGH }, format!("high >= {}", NAMES[other]));
        }
        for other in [OPEN, CLOSE].into_iter().filter(|other| self.below(bar[*other], bar[LOW])) {
            broken(blamed, if blamed == Cause::LowAbove { LOW } else { HIGH }, format!("low <= {}", NAMES[other]));
        }
        for field in SIZES.filter(|field| bar[*field].is_some_and(|size| size < 0.0)) {
            let cause = if field == SIZES.start { Cause::NegativeVolume } else { Cause::NegativeAmount };
            broken(cause, field, format!("{} >= 0", NAMES[field]));
        }
        breaches
    }

    /// Whether `small` is below `large` by more than the tolerance; not where one of them is missing.
    fn below(&self, small: Option<f64>, large: Option<f64>) -> bool {
        small.zip(large).is_some_and(|(small, large)| small < large - self.tolerance * large.abs())
    }

    /// Which end of a bar whose high and low break a condition is wrong: both if the bar is right once they
    /// are swapped, the high if it is below a price that was traded, else the low.
    fn blamed(&self, bar: &Bar) -> Cause {
        let [open, high, low, close, ..] = *bar;
        let fits =
            |high, low| ![open, close].into_iter().any(|price| self.below(high, price) || self.below(price, low));
        if self.below(high, low) && fits(low, high) {
            Cause::Swapped
        } else if self.below(high, open) || self.below(high, close) {
            Cause::HighBelow
        } else {
            Cause::LowAbove
        }
    }

    /// The one finding of a row, under its strongest cause.
    fn finding(&self, row: usize, bar: &Bar, breaches: &[Breach]) -> Finding {
        let Some(worst) = breaches.iter().min_by_key(|breach| breach.cause) else { return Finding::row(row) };
        let prices = finite(bar);
        let rounded = breaches.iter().all(|breach| breach.cause == worst.cause) && is_rounded(&prices, worst.cause);
        let of =
            |fields: &[usize], pick: fn(f64, f64) -> f64| fields.iter().filter_map(|field| prices[*field]).reduce(pick);
        let cause = if rounded { Cause::Rounded } else { worst.cause };
        // Such a bar is as good as its digits.
        let finding = Finding::row(row).field(&self.names[worst.field]).cause(cause).report_only(rounded);
        let finding = match worst.cause {
            Cause::NotFinite => finding.expected_text("a finite number"),
            Cause::NonPositive => finding.expected_text("a price above 0"),
            Cause::Swapped | Cause::HighBelow | Cause::Rounded => {
                finding.expected(of(&[OPEN, CLOSE, LOW], f64::max).unwrap_or(f64::NAN), f64::INFINITY)
            }
            Cause::LowAbove => {
                finding.expected(f64::NEG_INFINITY, of(&[OPEN, CLOSE, HIGH], f64::min).unwrap_or(f64::NAN))
            }
            Cause::NegativeVolume | Cause::NegativeAmount => finding.expected(0.0, f64::INFINITY),
        };
        let finding = finding.evidence(evidence(bar, breaches, worst.cause));
        match bar[worst.field] {
            Some(value) => finding.observed(value),
            None => finding,
        }
    }
}

/// Whether the high, or the low, misses the other prices by no more than its own rounding: half a unit of the last digit
/// that high and low have, where the price it misses has more digits.
fn is_rounded(bar: &Bar, cause: Cause) -> bool {
    let [open, high, low, close, ..] = *bar;
    let missed = [open, close].into_iter().flatten();
    let (end, price) = match cause {
        Cause::HighBelow => (high, missed.reduce(f64::max)),
        Cause::LowAbove => (low, missed.reduce(f64::min)),
        _ => return false,
    };
    let (Some(end), Some(price)) = (end, price) else { return false };
    let digits = [high, low].into_iter().flatten().map(decimals).max().unwrap_or(0);
    decimals(price) > digits && (price - end).abs() <= 0.5 * 0.1_f64.powi(digits) * (1.0 + 1e-6)
}

/// How many digits a number has after the point, in its shortest form.
fn decimals(number: f64) -> i32 {
    let text = number.to_string();
    text.split_once('.').map_or(0, |(_, digits)| i32::try_from(digits.len()).unwrap_or(i32::MAX))
}

/// The bar with what is not finite left out.
fn finite(bar: &Bar) -> Bar {
    bar.map(|value| value.filter(|value| value.is_finite()))
}

/// The broken conditions and the bar itself.
fn evidence(bar: &Bar, breaches: &[Breach], cause: Cause) -> Evidence {
    let [open, high, low, close, volume, amount] = bar.map(|value| value.map(|value| Shown::number(Some(value))));
    let broken = breaches.iter().map(|breach| breach.condition.clone()).collect();
    let proposed = || Some(Proposed { high: low.clone()?, low: high.clone()? });
    let proposed = if cause == Cause::Swapped { proposed() } else { None };
    Evidence { broken, open, high, low, close, volume, amount, proposed }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use serde_json::json;

    use super::*;
    use crate::checks::testing::{Evaluated, Fixture, compile};

    const RULE: &str = "check = \"ohlc\"";
    const EXACT: &str = "check = \"ohlc\"\ntolerance = 0";
    const HEAD: &str = "time,open,high,low,close,volume,amount";

    fn evaluate(rule: &str, rows: &[&str]) -> Evaluated {
        let rows = rows.iter().map(|row| format!("2024-01-02,{row}\n")).collect::<Vec<_>>().concat();
        Fixture::daily(&format!("{HEAD}\n{rows}")).evaluate(rule)
    }

    /// Field and cause of the only finding of a one-row series; empty where there is none.
    fn verdict(row: &str) -> String {
        let evaluated = evaluate(RULE, &[row]);
        assert!(evaluated.findings.len() <= 1, "one finding a row");
        let text = |finding: &Finding| format!("{} {}", finding.field.as_deref()?, finding.cause?).into();
        evaluated.findings.first().and_then(text).unwrap_or_default()
    }

    #[test]
    fn proper_bars_are_clean_and_one_price_bars_are_legal() {
        let evaluated = evaluate(RULE, &["10,12,9,11,100,1050", "5,5,5,5,0,0"]);
        assert_eq!(evaluated.lines, [""; 0]);
        assert_eq!(evaluated.totals.evaluated, 2);
    }

    #[test]
    fn high_below_a_traded_price_is_flagged_with_its_bound() {
        let evaluated = evaluate(RULE, &["10,10.5,9,11,1,1"]);
        assert_eq!(evaluated.lines, ["2024-01-02 high observed=10.5 cause=high-below"]);
        assert_eq!((evaluated.findings[0].expected_lo, evaluated.findings[0].expected_hi), (Some(11.0), None));
        let evidence = evaluated.findings[0].evidence.clone().unwrap_or_default();
        assert_eq!(evidence["broken"], json!(["high >= close"]));
        assert_eq!(evidence["close"], json!(11.0));
    }

    #[test]
    fn low_above_a_traded_price_is_flagged_with_its_bound() {
        let evaluated = evaluate(RULE, &["10,12,10.5,11,1,1"]);
        assert_eq!(evaluated.lines, ["2024-01-02 low observed=10.5 cause=low-above"]);
        assert_eq!((evaluated.findings[0].expected_lo, evaluated.findings[0].expected_hi), (None, Some(10.0)));
    }

    #[test]
    fn a_high_or_low_that_was_rounded_is_reported_and_stays() {
        let rounded = evaluate(RULE, &["0.00000876,0.00000889,0.00000872,0.000008892772,1,1"]);
        assert_eq!(rounded.lines, ["2024-01-02 high observed=0.00000889 cause=rounded"]);
        assert!(rounded.findings[0].report_only);
        assert_eq!(verdict("10,10.13,9.96,9.9553,1,1"), "low rounded");
        assert_eq!(verdict("10,10.13,9.96,10.1351,1,1"), "high high-below", "more than half a unit");
        assert_eq!(verdict("10,10.13,9.96,10.14,1,1"), "high high-below", "no more digits than the high has");
    }

    #[test]
    fn swapped_high_and_low_are_one_finding() {
        let evaluated = evaluate(RULE, &["10,9,12,11,1,1"]);
        assert_eq!(evaluated.lines, ["2024-01-02 high observed=9 cause=swapped-high-low"]);
        let evidence = evaluated.findings[0].evidence.as_ref().unwrap();
        assert_eq!(evidence["proposed"], json!({ "high": 12.0, "low": 9.0 }));
        let evidence = evaluated.findings[0].evidence.clone().unwrap_or_default();
        let all = json!(["high >= open", "high >= close", "high >= low", "low <= open", "low <= close"]);
        assert_eq!(evidence["broken"], all);
    }

    #[test]
    fn a_high_below_everything_and_a_low_above_everything_are_not_called_swapped() {
        assert_eq!(verdict("10,8,9,11,1,1"), "high high-below");
        assert_eq!(verdict("10,12,13,11,1,1"), "low low-above");
    }

    #[test]
    fn price_of_zero_or_below_is_blamed_before_high_and_low() {
        assert_eq!(verdict("10,12,9,0,1,1"), "close non-positive");
        assert_eq!(verdict("10,12,-9,11,1,1"), "low non-positive");
        assert_eq!(evaluate("check = \"ohlc\"\nnegative = true", &["0,1,-37.63,-1,1,1"]).lines, [""; 0]);
        let below = evaluate("check = \"ohlc\"\nnegative = true", &["-1,-2,-3,-2,1,1"]);
        assert_eq!(below.lines, ["2024-01-02 high observed=-2 cause=high-below"]);
    }

    #[test]
    fn negative_volume_and_amount_are_flagged_and_zero_is_not() {
        assert_eq!(verdict("10,12,9,11,-1,1"), "volume negative-volume");
        assert_eq!(verdict("10,12,9,11,1,-1"), "amount negative-amount");
        assert_eq!(verdict("10,12,9,11,0,0"), "");
    }

    #[test]
    fn nan_and_infinities_are_flagged_in_every_field() {
        for (row, field) in [
            ("NaN,12,9,11,1,1", "open"),
            ("10,inf,9,11,1,1", "high"),
            ("10,12,-inf,11,1,1", "low"),
            ("10,12,9,inf,1,1", "close"),
            ("10,12,9,11,NaN,1", "volume"),
            ("10,12,9,11,1,inf", "amount"),
        ] {
            assert_eq!(verdict(row), format!("{field} not-finite"), "{row}");
        }
        let evidence = evaluate(RULE, &["NaN,12,9,11,1,1"]).findings[0].evidence.clone().unwrap_or_default();
        assert_eq!(evidence["open"], json!("NaN"));
        assert_eq!(evaluate("check = \"ohlc\"\nnegative = true", &["10,inf,9,11,1,1"]).findings.len(), 1);
    }

    #[test]
    fn null_leaves_only_its_own_conditions_not_evaluated() {
        for row in [",,,,,", "10,12,9,11,,", ",12,9,,,", "10,,,11,,", "10,,9,11,,", "10,12,,11,,"] {
            assert_eq!(verdict(row), "", "{row}");
        }
        assert_eq!(verdict("10,9,,11,,"), "high high-below");
        assert_eq!(verdict("10,,12,11,,"), "low low-above");
        assert_eq!(verdict(",9,12,,,"), "high swapped-high-low");
        assert_eq!(verdict(",9,12,15,,"), "high high-below");
        assert_eq!(verdict(",,,,-5,"), "volume negative-volume");
    }

    #[test]
    fn tolerance_forgives_rounding_and_no_more() {
        let rounding = ["100.00000005,100,99,99.5,1,1", "100,101,100.00000005,100.5,1,1"];
        assert_eq!(evaluate(RULE, &rounding).lines, [""; 0]);
        assert_eq!(evaluate(EXACT, &rounding).findings.len(), 2);
        assert_eq!(evaluate(RULE, &["100.0000002,100,99,99.5,1,1"]).findings.len(), 1);
    }

    #[test]
    fn bars_without_volume_are_evaluated_by_their_prices() {
        let bars = Fixture::daily("time,open,high,low,close\n2024-01-02,1,2,1,3\n,1,2,1,4");
        assert_eq!(bars.evaluate(RULE).lines.len(), 2, "a row without a timestamp is evaluated too");
    }

    #[test]
    fn violation_past_the_first_chunk_is_found_at_its_row() {
        let mut rows = vec!["10,12,9,11,-0.0,1"; 3 * CHUNK + 7];
        rows[2 * CHUNK] = "10,12,9,13,1,1";
        rows[3 * CHUNK + 6] = "10,12,9,11,1,-1";
        let found: Vec<_> = evaluate(RULE, &rows).findings.into_iter().filter_map(|f| f.rows).collect();
        assert_eq!(found, [128..129, 198..199]);
    }

    #[test]
    fn empty_series_is_clean() {
        let bars = Fixture::daily("time,open,high,low,close");
        assert_eq!(bars.evaluate(RULE).findings, []);
    }

    #[test]
    fn missing_price_field_and_wide_tolerance_are_mistakes() {
        let bars = Fixture::daily("time,open,high,low,last\n2024-01-02,1,1,1,1");
        let mistakes = compile("check = \"ohlc\"\ntolerance = 0.5", &bars.spec).err().unwrap_or_default();
        let text: String = mistakes.iter().map(|mistake| mistake.render(false)).collect();
        assert!(text.contains("needs the field `close`"), "{text}");
        assert!(text.contains("`tolerance` is out of range") && text.contains("[0, 0.1]"), "{text}");
    }

    /// Few values, so that they collide often; NULL, NaN, infinities and rubbish among them.
    fn value() -> impl Strategy<Value = Option<f64>> {
        let odd = [None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(0.0), Some(-1.0)];
        let plain = (1..6i32).prop_map(|price| Some(f64::from(price)));
        prop_oneof![9 => plain, 1 => prop::sample::select(odd.to_vec())]
    }

    /// The definition read aloud, for a tolerance of zero.
    fn is_wrong(bar: &[Option<f64>]) -> bool {
        let [open, high, low, close] = [bar[0], bar[1], bar[2], bar[3]];
        let pair = |small: Option<f64>, large: Option<f64>| match (small, large) {
            (Some(small), Some(large)) if small.is_finite() && large.is_finite() => small > large,
            _ => false,
        };
        bar.iter().flatten().any(|value| !value.is_finite())
            || bar[..4].iter().flatten().any(|price| *price <= 0.0)
            || [open, close, low].into_iter().any(|price| pair(price, high))
            || [open, close].into_iter().any(|price| pair(low, price))
            || bar[4..].iter().flatten().any(|size| *size < 0.0)
    }

    proptest! {
        #[test]
        fn exactly_the_wrong_rows_are_flagged_once(
            bars in prop::collection::vec(prop::collection::vec(value(), 6), 1..20),
        ) {
            let cell = |value: &Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            let rows: Vec<String> =
                bars.iter().map(|bar| bar.iter().map(cell).collect::<Vec<_>>().join(",")).collect();
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            let found: Vec<usize> =
                evaluate(EXACT, &rows).findings.into_iter().filter_map(|f| Some(f.rows?.start)).collect();
            let expected: Vec<usize> = (0..bars.len()).filter(|row| is_wrong(&bars[*row])).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
