//! Between which prices a bar could trade: the reference price of the day, and the limits of its board.

use std::sync::Arc;

use super::{Column, Series};
use crate::bars::{BarsSpec, DAY_US};
use crate::market::facts::{Listed, reference_price};
use crate::market::price_limits::{Board, PriceLimit, first_limit, usual_limit};
use crate::market::{Grid, Slot, zone};

/// How far from a whole number of ticks a raw price may be, in ticks: what 64 bits make of a decimal.
const OFF_TICK: f64 = 1e-4;

/// Calendars of the exchanges whose limits are built in.
const OF_CHINA: [&str; 4] = ["XSHG", "XSHE", "XBSE", "XBJE"];

/// Days that are taken for one session where no calendar counts them.
const DAYS_OF_A_SESSION: i64 = 3;

/// So many days may lie between two bars that follow each other, where no calendar says it.
const MOST_DAYS_BETWEEN: i64 = 4;

/// What the limits of a bar are worked out from.
#[derive(Debug, Clone)]
pub(super) struct Bands {
    pub(super) close: usize,
    pub(super) pre_close: Option<usize>,
    /// Whether a share is under special treatment (ST), as text or number that is not 0.
    pub(super) special: Option<usize>,
    /// The step of prices.
    pub(super) tick: f64,
    pub(super) grid: Option<Arc<Grid>>,
    /// Whether the limits of Shanghai, Shenzhen and Beijing hold where no fact says otherwise.
    pub(super) built_in: bool,
}

/// What is known of the limits of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Known {
    /// No limit holds for it, or its prices are not those that were traded.
    Unlimited,
    /// It is not known from which price it moved, or whether it is among the first of a listing.
    Insufficient,
    /// Its limits.
    Band(Band),
}

/// The limits of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Band {
    /// The price it moved from.
    pub(super) reference: f64,
    /// The lowest and the highest price allowed; infinite where there is no limit.
    pub(super) low: f64,
    pub(super) high: f64,
    /// How far it may move.
    pub(super) limit: PriceLimit,
    /// The board, where the limit is that of one.
    pub(super) board: Option<Board>,
}

impl Bands {
    /// Whether the limits of Shanghai, Shenzhen and Beijing hold for daily bars described by `bars`.
    pub(super) fn are_of_china(bars: &BarsSpec) -> bool {
        bars.calendar.as_ref().is_some_and(|calendar| OF_CHINA.contains(&calendar.name()))
    }

    /// The board of the series, where the limits of boards hold.
    pub(super) fn board(&self, series: &Series<'_>) -> Option<Board> {
        series.facts.symbol().filter(|_| self.built_in).and_then(Board::of)
    }

    /// What is known of the limits of the bar in `row` of a series on `board`.
    pub(super) fn of(&self, series: &Series<'_>, board: Option<Board>, row: usize) -> Known {
        let time = series.time[row];
        let (limit, board) = match series.facts.limit(time) {
            Some(limit) => (limit, None),
            None => {
                let Some(board) = board else { return Known::Unlimited };
                match self.of_board(series, board, row) {
                    Some(limit) => (limit, Some(board)),
                    None => return Known::Insufficient,
                }
            }
        };
        if limit == PriceLimit::NONE {
            return Known::Unlimited;
        }
        let Some(reference) = self.reference(series, row) else { return Known::Insufficient };
        let Some(ticks) = self.ticks(reference) else { return Known::Unlimited };
        let (low, high) = limit.band(ticks);
        let price = |ticks: i64| self.price(ticks);
        Known::Band(Band {
            reference: self.price(ticks),
            low: low.map_or(f64::NEG_INFINITY, price),
            high: high.map_or(f64::INFINITY, price),
            limit,
            board,
        })
    }

    /// A number of ticks as the nearest float of the price.
    fn price(&self, ticks: i64) -> f64 {
        let steps = (1.0 / self.tick).round();
        // 1554 / 100 is the float nearest to 15.54, and 1554 × 0.01 is not.
        if (steps * self.tick - 1.0).abs() < 1e-9 { ticks as f64 / steps } else { ticks as f64 * self.tick }
    }

    /// A price in whole ticks; `None` for one that no tick divides, which was adjusted.
    pub(super) fn ticks(&self, price: f64) -> Option<i64> {
        let ticks = price / self.tick;
        let whole = (ticks - ticks.round()).abs() <= OFF_TICK && (0.5..1e15).contains(&ticks);
        #[expect(clippy::cast_possible_truncation, reason = "it lies below 10^15")]
        whole.then(|| ticks.round() as i64)
    }

    /// The limit that `board` sets for `row`; `None` where it is not known whether the share was listed just before.
    fn of_board(&self, series: &Series<'_>, board: Board, row: usize) -> Option<PriceLimit> {
        let time = series.time[row];
        let day = zone::day_of(time);
        match series.facts.listed(time) {
            Some((Listed::Yes, listing)) if listing.from > i64::MIN => {
                let session = self.session_since(listing.from, time);
                if let Some(first) = first_limit(board, zone::day_of(listing.from), session) {
                    return Some(first);
                }
            }
            Some((Listed::Yes, _)) => {}
            // Without a listing the first bars of a series may be those of a new share.
            _ if row < first_sessions(board, series) => return None,
            _ => {}
        }
        let special = self.special.is_some_and(|field| is_special(series, field, row));
        Some(usual_limit(board, day, special))
    }

    /// The number (from 1) of the session at `time` of a share listed at `from`.
    fn session_since(&self, from: i64, time: i64) -> u32 {
        let counted = self.grid.as_ref().and_then(|grid| match grid.slot(time) {
            Slot::On(position) => Some(position - grid.first_at_or_after(from)? + 1),
            _ => None,
        });
        let sessions = counted.unwrap_or_else(|| (time - from) / DAY_US / DAYS_OF_A_SESSION + 1);
        u32::try_from(sessions.max(1)).unwrap_or(u32::MAX)
    }

    /// The price that `row` moved from: its own previous close, else the close before it as corporate actions leave it.
    fn reference(&self, series: &Series<'_>, row: usize) -> Option<f64> {
        if let Some(own) = self.pre_close.and_then(|field| price(series, field, row)) {
            return Some(own);
        }
        let before = row.checked_sub(1)?;
        let close = price(series, self.close, before)?;
        let (since, time) = (series.time[before], series.time[row]);
        if !self.follows(series, since, time) {
            return None;
        }
        let actions = series.facts.actions(since, time);
        match actions.is_empty() {
            true => Some(close),
            // Exchanges round the reference price to the tick, the half up.
            false => {
                let ticks = (reference_price(actions, close)? / self.tick + 0.5 + 1e-9).floor();
                #[expect(clippy::cast_possible_truncation, reason = "a price has fewer ticks than 2^53")]
                Some(self.price(ticks as i64))
            }
        }
    }

    /// Whether the bar at `time` is the first after that at `since` in which the share could be traded.
    fn follows(&self, series: &Series<'_>, since: i64, time: i64) -> bool {
        let Some(grid) = &self.grid else {
            let suspended = series.facts.suspended_between(since, time);
            return suspended || time - since <= MOST_DAYS_BETWEEN * DAY_US;
        };
        let (Slot::On(before), Slot::On(here)) = (grid.slot(since), grid.slot(time)) else { return false };
        (before + 1..here).all(|position| series.facts.suspension(grid.timestamp(position)).is_some())
    }
}

/// More sessions than any board gives a new share limits of its own for.
pub(super) const FIRST_SESSIONS: u32 = 20;

/// How many sessions after its listing a share has limits of its own, were it listed with the first bar.
fn first_sessions(board: Board, series: &Series<'_>) -> usize {
    let listed = series.time.first().map_or(0, |first| zone::day_of(*first));
    (1..=FIRST_SESSIONS).take_while(|session| first_limit(board, listed, *session).is_some()).count()
}

/// The price in the column at `index`, where there is one and it can be one.
pub(super) fn price(series: &Series<'_>, index: usize, row: usize) -> Option<f64> {
    let Column::Number(numbers) = series.columns.get(index)? else { return None };
    numbers.get(row).filter(|price| price.is_finite() && *price > 0.0)
}

/// Whether a field says that a share is under special treatment.
fn is_special(series: &Series<'_>, field: usize, row: usize) -> bool {
    match series.columns[field] {
        Column::Number(numbers) => numbers.get(row).is_some_and(|number| number != 0.0),
        Column::Text(texts) => texts.get(row).is_some_and(|text| {
            let text = text.trim().to_ascii_lowercase();
            matches!(text.as_str(), "1" | "true" | "y" | "yes") || text.trim_start_matches('*').starts_with("st")
        }),
        Column::Absent => false,
    }
}
