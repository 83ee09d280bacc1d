//! `zero-volume`: a bar that says nothing was traded.
//!
//! A bar without volume whose prices did not move either is a suspension or a quiet minute and is excused; one
//! whose prices moved contradicts itself. A feed without volumes altogether (an index, a currency pair) is reported by
//! the share of its zeros. Negative volumes are not looked at.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Exempt;
use super::cause::causes;
use super::params::Params;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, NumberColumn, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::counted;

/// The check `zero-volume`.
pub(crate) struct ZeroVolume;

/// Bars without volume in a row that are a run, not single ones.
const RUN: usize = 3;

/// Fewest bars that show whether a feed has volumes at all.
const FEWEST_BARS: usize = 20;

const PARAMS: &[Key] = &[
    key("field", Holds::NumberField, Otherwise::Text("volume"), "The volume."),
    key(
        "nulls",
        Holds::Choice(&["ignore", "zero"]),
        Otherwise::Text("ignore"),
        "Whether a volume that is NULL is ignored or stands for nothing traded (zero).",
    ),
    key(
        "suspensions",
        Holds::Choice(&["excuse", "flag"]),
        Otherwise::Text("excuse"),
        "What becomes of bars without volume whose prices did not move.",
    ),
    key(
        "max_share",
        Holds::Number { min: 0.0, max: 1.0 },
        Otherwise::Number(0.95),
        "Share of bars without volume above which a series is taken to have no volumes, and is excused.",
    ),
];

causes! {
    /// Prices moved although nothing was traded.
    PriceMoved = "price-moved",
    /// One of several such bars in a row.
    Run = "run",
    /// Such a bar alone.
    Single = "single",
}

/// Bars without volume in a row, and the closes of the bar and before it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    run: u64,
    close: Option<f64>,
    previous_close: Option<f64>,
}

impl Described for ZeroVolume {
    fn name(&self) -> &'static str {
        "zero-volume"
    }

    fn explain(&self) -> &'static str {
        include_str!("zero_volume.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { run, close, previous_close } = facts.evidence();
        let field = facts.field_or("volume");
        let volume = if facts.observed.is_some() { format!("{field} is 0") } else { format!("{field} is missing") };
        match (facts.cause.and_then(Cause::parse), previous_close, close) {
            (Some(Cause::PriceMoved), Some(before), Some(close)) if before != close => {
                format!("{volume} although the close moved from {before} to {close}")
            }
            (Some(Cause::PriceMoved), ..) => format!("{volume} although prices moved"),
            (Some(Cause::Run), ..) => format!("{volume}, in a run of {}", counted(run, "such bar")),
            (Some(Cause::Single) | None, ..) => volume,
        }
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("zero_volume_examples.md")
    }
}

impl CheckKind for ZeroVolume {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn excused_by_default(&self) -> &'static [Exempt] {
        &[Exempt::Halted]
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let volume = params.number_field("field");
        let field = bars.fields.get(volume).map(|field| Arc::clone(&field.name)).unwrap_or_default();
        let [open, high, low, close, previous] =
            ["open", "high", "low", "close", "pre_close"].map(|field| params.optional_bar_field(field));
        Box::new(Rule {
            volume,
            field,
            nulls: params.choice("nulls") == "zero",
            excuse: params.choice("suspensions") == "excuse",
            max_share: params.number("max_share"),
            close,
            others: [open, high, low].into_iter().flatten().collect(),
            previous,
        })
    }
}

/// One rule of the check.
struct Rule {
    volume: usize,
    field: Arc<str>,
    nulls: bool,
    excuse: bool,
    max_share: f64,
    close: Option<usize>,
    others: Vec<usize>,
    previous: Option<usize>,
}

/// The prices of one series.
struct Prices<'a> {
    close: Option<NumberColumn<'a>>,
    others: Vec<NumberColumn<'a>>,
    previous: Option<NumberColumn<'a>>,
}

/// What the prices of a bar without volume did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// All stand where the bar before closed.
    Still,
    Moved,
    /// There is no close to show.
    Unknown,
}

/// A bar without volume.
#[derive(Debug, Clone, Copy)]
struct Empty {
    row: usize,
    close: Option<f64>,
    /// The close before it: as the row itself says, else of the newest clean row that has one.
    before: Option<f64>,
    /// Bars without volume in a row, this one among them.
    run: usize,
}

impl Prices<'_> {
    fn close(&self, row: usize) -> Option<f64> {
        self.close.map(|column| column.values()[row]).filter(|price| price.is_finite())
    }

    fn stated_before(&self, row: usize) -> Option<f64> {
        self.previous.map(|column| column.values()[row]).filter(|price| price.is_finite())
    }

    fn movement(&self, empty: Empty) -> Move {
        let Some(close) = empty.close else {
            return Move::Unknown;
        };
        // Some feeds write 0 for the prices of a day without trades.
        let others = self.others.iter().map(|column| column.values()[empty.row]);
        let others = others.filter(|price| price.is_finite() && *price != 0.0);
        if others.chain(empty.before).all(|price| alike(price, close)) { Move::Still } else { Move::Moved }
    }
}

/// Whether two prices are the same but for the rounding of an adjustment.
fn alike(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

impl Check for Rule {
    fn context(&self) -> Context {
        // What share of the bars is without volume, and how long a run of them is, hangs on all of them; where there is none,
        // nothing does.
        Context::Quiet { before: 0, after: 0 }
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let column = series.number(self.volume);
        let volumes = &column.values()[..series.dated()];
        let zero = |row: usize| volumes[row] == 0.0 || self.nulls && column.is_null(row);
        let zeros = (0..volumes.len()).filter(|row| zero(*row)).count();
        if zeros > 0 {
            findings.depends_on_all();
        }
        let is_known = |row: &usize| zero(*row) || !volumes[*row].is_nan();
        let known = (0..volumes.len()).filter(is_known).count();
        let counted = (series.from..volumes.len()).filter(is_known).count();
        if zeros as f64 > self.max_share * known as f64 {
            // With too few bars a feed without volumes looks like a broken one.
            return if known < FEWEST_BARS { findings.insufficient(counted) } else { findings.excused(counted) };
        }
        let excused = if zeros > 0 { self.evaluate_runs(series, &zero, findings) } else { 0 };
        findings.evaluated(counted - excused);
        findings.excused(excused);
    }
}

impl Rule {
    /// Evaluates the rows for which `zero` holds; the number of those that are excused.
    fn evaluate_runs(&self, series: &Series<'_>, zero: &dyn Fn(usize) -> bool, findings: &mut FindingSink) -> usize {
        let prices = Prices {
            close: self.close.map(|index| series.number(index)),
            others: self.others.iter().map(|index| series.number(*index)).collect(),
            previous: self.previous.map(|index| series.number(index)),
        };
        let (mut excused, mut run, mut newest) = (0, 0..0, None);
        for row in 0..series.dated() {
            let close = prices.close(row);
            if zero(row) {
                if row >= run.end {
                    run = row..(row..series.dated()).find(|row| !zero(*row)).unwrap_or(series.dated());
                }
                let before = prices.stated_before(row).or(newest);
                match self.finding(series, &prices, Empty { row, close, before, run: run.len() }) {
                    Some(finding) => findings.push(finding),
                    None => excused += series.count(row),
                }
            }
            newest = close.or(newest);
        }
        excused
    }

    /// The finding about a bar without volume, unless it is excused.
    fn finding(&self, series: &Series<'_>, prices: &Prices<'_>, empty: Empty) -> Option<Finding> {
        let cause = match prices.movement(empty) {
            Move::Still if self.excuse => return None,
            Move::Moved => Cause::PriceMoved,
            Move::Still | Move::Unknown if empty.run >= RUN => Cause::Run,
            Move::Still | Move::Unknown => Cause::Single,
        };
        let evidence = Evidence { run: empty.run as u64, close: empty.close, previous_close: empty.before };
        let finding =
            Finding::row(empty.row).field(&self.field).expected_text("above 0").cause(cause).evidence(evidence);
        Some(match series.number(self.volume).get(empty.row) {
            Some(volume) => finding.observed(volume),
            None => finding,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::checks::Totals;
    use crate::checks::testing::{Evaluated, Fixture};
    use proptest::prelude::*;

    const RULE: &str = "check = \"zero-volume\"\n";

    /// Rows evaluated, without enough bars, excused.
    fn rows(totals: Totals) -> (u64, u64, u64) {
        (totals.evaluated, totals.insufficient, totals.excused)
    }

    /// Bars from 2024-01-01 as `open,high,low,close,volume`.
    fn evaluate(rule: &str, bars: &[&str]) -> Evaluated {
        let mut csv = String::from("time,open,high,low,close,volume\n");
        for (day, bar) in bars.iter().enumerate() {
            csv += &format!("2024-01-{:02},{bar}\n", day + 1);
        }
        Fixture::daily(&csv).evaluate(rule)
    }

    fn volumes(volumes: &[Option<f64>]) -> Evaluated {
        Fixture::column("volume", volumes).evaluate(RULE)
    }

    #[test]
    fn bar_that_moved_without_volume_contradicts_itself() {
        let evaluated = evaluate(RULE, &["5,6,5,6,100", "6,7,6,6,0", "6,6,6,6,100", "7,7,7,7,0", "7,7,7,7,9"]);
        assert_eq!(
            evaluated.lines,
            ["2024-01-02 volume observed=0 cause=price-moved", "2024-01-04 volume observed=0 cause=price-moved"]
        );
        assert_eq!(evaluated.findings[0].evidence, Some(json!({ "run": 1, "close": 6.0, "previous_close": 6.0 })));
        assert_eq!(rows(evaluated.totals), (5, 0, 0));
    }

    #[test]
    fn flat_bars_at_the_last_close_are_a_suspension() {
        let bars = ["5,6,5,6,100", "6,6,6,6,0", "6,6,6,6,0", "6,6,6,6,-0", "6,7,6,7,100"];
        let evaluated = evaluate(RULE, &bars);
        assert_eq!((evaluated.findings.len(), rows(evaluated.totals)), (0, (2, 0, 3)));
        let flagged = evaluate(&format!("{RULE}suspensions = \"flag\""), &bars);
        assert_eq!(flagged.findings.iter().map(|f| f.cause).collect::<Vec<_>>(), [Some("run"); 3]);
        let single = evaluate(&format!("{RULE}suspensions = \"flag\""), &bars[..3]);
        assert_eq!(single.findings.iter().map(|f| f.cause).collect::<Vec<_>>(), [Some("single"); 2]);
    }

    #[test]
    fn zeros_for_the_prices_of_a_day_without_trades_are_no_move() {
        assert_eq!(rows(evaluate(RULE, &["5,6,5,6,100", "0,0,0,6,0", "6,6,6,6,9"]).totals), (2, 0, 1));
    }

    #[test]
    fn stated_previous_close_goes_before_the_bar_before() {
        let csv = "time,close,pre_close,volume\n2024-01-01,6,6,9\n2024-01-02,5,5,0\n2024-01-03,5,4,0\n2024-01-04,5,5,9";
        let evaluated = Fixture::daily(csv).evaluate(RULE);
        assert_eq!(evaluated.lines, ["2024-01-03 volume observed=0 cause=price-moved"]);
        assert_eq!(evaluated.totals.excused, 1);
    }

    #[test]
    fn rounding_of_an_adjustment_is_no_move() {
        let csv = "time,close,volume\n2024-01-01,6.123456789012,9\n2024-01-02,6.123456789013,0\n2024-01-03,6,9";
        assert_eq!(Fixture::daily(csv).evaluate(RULE).totals.excused, 1);
    }

    #[test]
    fn null_is_no_statement_unless_the_rule_says_so() {
        let bars = ["5,6,5,6,100", "6,7,6,7,", "7,8,7,8,", "8,8,8,8,NaN", "8,8,8,8,100"];
        let ignored = evaluate(RULE, &bars);
        assert_eq!((ignored.findings.len(), rows(ignored.totals)), (0, (2, 0, 0)));
        let zero = evaluate(&format!("{RULE}nulls = \"zero\""), &bars);
        assert_eq!(zero.lines, ["2024-01-02 volume cause=price-moved", "2024-01-03 volume cause=price-moved"]);
        assert_eq!(rows(zero.totals), (4, 0, 0));
    }

    #[test]
    fn runs_are_counted_in_the_evidence_of_each_row() {
        let evaluated = volumes(&[Some(1.0), Some(0.0), Some(0.0), Some(0.0), Some(1.0), Some(0.0), Some(1.0)]);
        let causes: Vec<_> = evaluated.findings.iter().map(|f| f.cause.unwrap_or("")).collect();
        let runs: Vec<_> = evaluated.findings.iter().filter_map(|f| f.evidence.as_ref()?["run"].as_u64()).collect();
        assert_eq!((causes, runs), (vec!["run", "run", "run", "single"], vec![3, 3, 3, 1]));
        assert!(evaluated.findings.iter().all(|finding| finding.bars_affected == 1));
    }

    #[test]
    fn feed_without_volumes_is_excused() {
        let mut feed = vec![Some(0.0); 100];
        assert_eq!(rows(volumes(&feed).totals), (0, 0, 100));
        feed[..5].fill(Some(1.0));
        assert_eq!(
            (volumes(&feed).findings.len(), volumes(&feed).totals.evaluated),
            (95, 100),
            "95 % is not above 95 %"
        );
        feed[4] = Some(0.0);
        assert_eq!((volumes(&feed).findings.len(), rows(volumes(&feed).totals)), (0, (0, 0, 100)));
    }

    #[test]
    fn with_few_bars_a_feed_without_volumes_is_not_distinguished_from_a_broken_one() {
        assert_eq!(rows(volumes(&[Some(0.0); 19]).totals), (0, 19, 0));
        assert_eq!(rows(volumes(&[Some(0.0); 20]).totals), (0, 0, 20));
        assert_eq!(rows(volumes(&[]).totals), (0, 0, 0));
        let all = Fixture::column("volume", &[Some(0.0)]).evaluate(&format!("{RULE}max_share = 1"));
        assert_eq!((all.findings.len(), rows(all.totals)), (1, (1, 0, 0)));
    }

    #[test]
    fn negative_and_infinite_volumes_are_the_business_of_others() {
        let evaluated = volumes(&[Some(-1.0), Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(1.0)]);
        assert_eq!((evaluated.findings.len(), rows(evaluated.totals)), (0, (4, 0, 0)));
    }

    proptest! {
        #[test]
        fn rows_and_causes_agree_with_a_plain_reading(
            bars in prop::collection::vec((0..3_u8, 0..3_u8, 0..5_u8), 0..40),
            nulls in any::<bool>(),
            excuse in any::<bool>(),
        ) {
            // Codes of the close: missing, 1 or 2; of the high above the close; of the volume: 0, missing, or some.
            let close = |row: usize| (bars[row].0 > 0).then(|| f64::from(bars[row].0));
            let zero = |row: usize| bars[row].2 == 0 || nulls && bars[row].2 == 1;
            let mut csv = String::from("time,high,close,volume\n");
            for (row, (_, above, volume)) in bars.iter().enumerate() {
                let text = close(row).map_or(String::new(), |c| c.to_string());
                let high = close(row).map_or(String::new(), |c| (c + f64::from(*above / 2)).to_string());
                let volume = if *volume == 1 { String::new() } else { volume.to_string() };
                csv += &format!("2024-{:02}-{:02},{high},{text},{volume}\n", row / 28 + 1, row % 28 + 1);
            }
            let (nulls, suspensions) = (if nulls { "zero" } else { "ignore" }, if excuse { "excuse" } else { "flag" });
            let rule = format!("{RULE}nulls = \"{nulls}\"\nsuspensions = \"{suspensions}\"\nmax_share = 1");
            let mut wanted = Vec::new();
            for row in (0..bars.len()).filter(|row| zero(*row)) {
                let before = (0..row).rev().find_map(close);
                let moved = close(row).map(|c| bars[row].1 == 2 || before.is_some_and(|b| b != c));
                let back = (0..=row).rev().take_while(|at| zero(*at)).count();
                let ahead = (row + 1..bars.len()).take_while(|at| zero(*at)).count();
                match moved {
                    Some(false) if excuse => {}
                    Some(true) => wanted.push((row, "price-moved")),
                    _ => wanted.push((row, if back + ahead >= 3 { "run" } else { "single" })),
                }
            }
            let evaluated = Fixture::daily(&csv).evaluate(&rule);
            let found: Vec<_> = evaluated.findings.iter().filter_map(|f| Some((f.rows.as_ref()?.start, f.cause?))).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
