//! `price-limit`: a price beyond the limit of its exchange for the day.
//!
//! The limits are worked out in `price_band.rs` from the reference price, by the table of the board or by a fact.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cause::causes;
use super::params::{FieldRef, Params};
use super::price_band::{Band, Bands, Known, price};
use super::reason::Exempt;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage};
use crate::bars::BarsSpec;
use crate::market::Interval;
use crate::market::price_limits::MOST_FIRST_SESSIONS;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::rough;

/// The check `price-limit`.
pub(crate) struct PriceLimits;

const PARAMS: &[Key] = &[
    key(
        "table",
        Holds::Choice(&["auto", "cn", "none"]),
        Otherwise::Text("auto"),
        "Limits that hold where the job's facts name none: `cn` those of Shanghai, Shenzhen and Beijing, by the six digits of \
         the symbol; `auto` these where the calendar is one of theirs; `none` facts alone.",
    ),
    key(
        "special",
        Holds::Field,
        Otherwise::Nothing,
        "The field that says that a share is under special treatment (ST): 1, `true`, or a name that begins with `ST` or `*ST`.",
    ),
    key("tick", Holds::Number { min: 1e-9, max: 1e9 }, Otherwise::Number(0.01), "The price step of the market."),
];

causes! {
    /// The high is above the highest price allowed.
    Above = "above-limit",
    /// The low is below the lowest price allowed.
    Below = "below-limit",
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    /// The price the limits are worked out from.
    reference: Option<f64>,
    /// How far it may move, as a share.
    limit: Option<f64>,
    /// The board; without one, a fact of the job says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<String>,
}

impl Described for PriceLimits {
    fn name(&self) -> &'static str {
        "price-limit"
    }

    fn explain(&self) -> &'static str {
        include_str!("price_limit.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { reference, limit, board } = facts.evidence();
        let (side, bound) = match facts.cause.and_then(Cause::parse) {
            Some(Cause::Above) => ("above", facts.expected_hi),
            Some(Cause::Below) => ("below", facts.expected_lo),
            None => return facts.generic(),
        };
        let bound = bound.map(|bound| format!(" {}", rough(bound, 9))).unwrap_or_default();
        let from = limit.zip(reference);
        let from = from.map(|(limit, from)| format!(", {} % from {}", rough(limit * 100.0, 4), rough(from, 9)));
        let by = board.map_or_else(|| "a fact of the job".to_owned(), |board| format!("board {board}"));
        format!("{} is {side} the limit{bound}{} ({by})", facts.subject(), from.unwrap_or_default())
    }
}

impl CheckKind for PriceLimits {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn excused_by_default(&self) -> &'static [Exempt] {
        &[Exempt::CorporateAction, Exempt::Listing]
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        if bars.interval != Interval::Day {
            let help = "limits are those of a trading day: use it in a job with `interval = \"1d\"`";
            params.reject("check", "`price-limit` is for daily bars", help);
        }
        let built_in = match params.choice("table") {
            "cn" => true,
            "none" => false,
            _ => Bands::are_of_china(bars),
        };
        let special = params.any_field("special").and_then(|field| match field {
            FieldRef::Number(index) | FieldRef::Text(index) => Some(index),
            FieldRef::Time => None,
        });
        let bands = Bands {
            close: params.bar_field("close"),
            pre_close: params.optional_bar_field("pre_close"),
            special,
            tick: params.number("tick"),
            grid: bars.grid.clone(),
            built_in,
        };
        Box::new(Rule {
            bands,
            high: params.bar_field("high"),
            low: params.bar_field("low"),
            names: [Arc::from("high"), Arc::from("low")],
        })
    }
}

/// One rule of the check.
struct Rule {
    bands: Bands,
    high: usize,
    low: usize,
    /// The names of both fields.
    names: [Arc<str>; 2],
}

impl Check for Rule {
    fn context(&self) -> Context {
        // The first sessions of a listing, and the close before them.
        Context::Bars { before: MOST_FIRST_SESSIONS as usize + 1, after: 0 }
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let board = self.bands.board(series);
        if board.is_none() && !series.facts.has_limits() {
            return;
        }
        for row in 0..series.dated() {
            let (high, low) = (price(series, self.high, row), price(series, self.low, row));
            if high.is_none() && low.is_none() {
                continue;
            }
            match self.bands.of(series, board, row) {
                Known::Unlimited => {}
                Known::Insufficient => findings.insufficient(series.count(row)),
                Known::Band(band) => {
                    findings.evaluated(series.count(row));
                    self.evaluate(row, (high, low), &band, findings);
                }
            }
        }
    }
}

impl Rule {
    fn evaluate(&self, row: usize, (high, low): (Option<f64>, Option<f64>), band: &Band, findings: &mut FindingSink) {
        // The next price there is lies a whole tick beyond the limit; floats differ by less than this part of one.
        let beyond = self.bands.tick * 1e-4;
        let [of_high, of_low] = &self.names;
        let evidence = |limit: Option<u32>| Evidence {
            reference: Some(band.reference),
            limit: limit.map(|limit| f64::from(limit) / 10_000.0),
            board: band.board.map(|board| board.word().to_owned()),
        };
        if let Some(high) = high.filter(|high| *high > band.high + beyond) {
            let score = (high - band.high) / self.bands.tick;
            let finding = Finding::row(row).field(of_high).observed(high).expected(band.low, band.high);
            findings.push(finding.score(score).cause(Cause::Above).evidence(evidence(band.limit.up)));
        }
        if let Some(low) = low.filter(|low| *low < band.low - beyond) {
            let score = (band.low - low) / self.bands.tick;
            let finding = Finding::row(row).field(of_low).observed(low).expected(band.low, band.high);
            findings.push(finding.score(score).cause(Cause::Below).evidence(evidence(band.limit.down)));
        }
    }
}

#[cfg(test)]
mod tests;
