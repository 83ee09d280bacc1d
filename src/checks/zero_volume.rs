//! `zero-volume`: a bar that says nothing was traded.
//!
//! A bar without volume whose prices did not move either is a suspension or a quiet minute and is excused; one
//! whose prices moved contradicts itself. A feed without volumes altogether (an index, a currency pair) is told by
//! the share of its zeros. Negative volumes are not looked at.

use std::sync::Arc;

use serde_json::json;

use super::{Check, CheckKind, Finding, FindingSink, NumberColumn, Series, Stage};
use crate::bars::BarsSpec;
use crate::config::{Param, ParamKind, Params};

/// The check `zero-volume`.
pub(crate) struct ZeroVolume;

/// Bars without volume in a row that are a run, not single ones.
const RUN: usize = 3;

/// Fewest bars that show whether a feed has volumes at all.
const FEWEST_BARS: usize = 20;

const PARAMS: &[Param] = &[
    Param { name: "field", kind: ParamKind::NumberField, default: Some("volume"), required: false, doc: "The volume." },
    Param {
        name: "nulls",
        kind: ParamKind::Choice(&["ignore", "zero"]),
        default: Some("ignore"),
        required: false,
        doc: "Whether NULL is no statement (ignore) or stands for nothing traded (zero).",
    },
    Param {
        name: "suspensions",
        kind: ParamKind::Choice(&["excuse", "flag"]),
        default: Some("excuse"),
        required: false,
        doc: "What becomes of bars without volume whose prices did not move.",
    },
    Param {
        name: "max_share",
        kind: ParamKind::Number { min: 0.0, max: 1.0 },
        default: Some("0.95"),
        required: false,
        doc: "Share of bars without volume above which a series is taken to have no volumes, and is excused.",
    },
];

impl CheckKind for ZeroVolume {
    fn name(&self) -> &'static str {
        "zero-volume"
    }

    fn explain(&self) -> &'static str {
        include_str!("zero_volume.md")
    }

    fn params(&self) -> &'static [Param] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
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
    /// There is no close to tell.
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
    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let column = series.number(self.volume);
        let volumes = &column.values()[..series.dated()];
        let zero = |row: usize| volumes[row] == 0.0 || self.nulls && column.is_null(row);
        let zeros = (0..volumes.len()).filter(|row| zero(*row)).count();
        let known = (0..volumes.len()).filter(|row| zero(*row) || !volumes[*row].is_nan()).count();
        if zeros as f64 > self.max_share * known as f64 {
            // Too few bars cannot tell a feed without volumes from a broken one.
            return if known < FEWEST_BARS { findings.insufficient(known) } else { findings.excused(known) };
        }
        let excused = if zeros > 0 { self.judge_runs(series, &zero, findings) } else { 0 };
        findings.judged(known - excused);
        findings.excused(excused);
    }
}

impl Rule {
    /// Judges the rows for which `zero` holds; the number of those that are excused.
    fn judge_runs(&self, series: &Series<'_>, zero: &dyn Fn(usize) -> bool, findings: &mut FindingSink) -> usize {
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
                    None => excused += 1,
                }
            }
            newest = close.filter(|_| !series.condemned[row]).or(newest);
        }
        excused
    }

    /// The finding about a bar without volume, unless it is excused.
    fn finding(&self, series: &Series<'_>, prices: &Prices<'_>, empty: Empty) -> Option<Finding> {
        let cause = match prices.movement(empty) {
            Move::Still if self.excuse => return None,
            Move::Moved => "price-moved",
            Move::Still | Move::Unknown if empty.run >= RUN => "run",
            Move::Still | Move::Unknown => "single",
        };
        let evidence = json!({ "run": empty.run, "close": empty.close, "previous_close": empty.before });
        let finding =
            Finding::row(empty.row).field(&self.field).expected_text("above 0").cause(cause).evidence(evidence);
        Some(match series.number(self.volume).get(empty.row) {
            Some(volume) => finding.observed(volume),
            None => finding,
        })
    }
}
