//! Whether facts explain what a rule found: such findings are excused, counted and named.

use std::sync::Arc;

use super::price_band::{Bands, FIRST_SESSIONS, Known, price};
use super::reason::{Excused, Exempt, Reason};
use super::{Finding, FindingSink, Series};
use crate::bars::{BarsSpec, FieldKind, FieldSpec};
use crate::market::facts::{Listed, Stretch, reference_price};

/// The names of prices; a finding about one of them is excused by a corporate action that accounts for it.
const PRICES: [&str; 4] = ["open", "high", "low", "close"];

/// The facts that excuse findings of one rule, and what has to be looked at to see it.
#[derive(Debug, Clone, Default)]
pub struct Excuses {
    exempt: Vec<Exempt>,
    rule: Arc<str>,
    /// The prices the bars have, by name.
    prices: Vec<(Arc<str>, usize)>,
    close: Option<usize>,
    bands: Option<Bands>,
}

impl Excuses {
    /// Those of the rule `rule`, whose findings facts named `exempt` excuse, on bars described by `bars`.
    pub fn new(rule: &Arc<str>, exempt: &[Exempt], bars: &BarsSpec) -> Self {
        let numeric = |field: &&FieldSpec| field.kind == FieldKind::Number;
        let field = |name: &str| bars.field(name).filter(|(_, field)| numeric(field)).map(|(index, _)| index);
        let looks = |one: Exempt| exempt.contains(&one);
        let priced = looks(Exempt::CorporateAction) || looks(Exempt::LimitMove);
        let prices = PRICES.iter().filter_map(|name| Some((Arc::from(*name), field(name)?)));
        let close = field("close").filter(|_| priced);
        let bands = close.filter(|_| looks(Exempt::LimitMove)).map(|close| Bands {
            close,
            pre_close: field("pre_close"),
            special: None,
            tick: 0.01,
            grid: bars.grid.clone(),
            built_in: Bands::are_of_china(bars),
        });
        let prices = if priced { prices.collect() } else { Vec::new() };
        Self { exempt: exempt.to_vec(), rule: Arc::clone(rule), prices, close, bands }
    }

    /// Whether limits that are built in may explain findings, where the job has no facts.
    pub fn knows_limits(&self) -> bool {
        self.bands.as_ref().is_some_and(|bands| bands.built_in)
    }

    /// Indices into `BarsSpec::fields` of what has to be read for it. The price that a finding is about is read by its check.
    pub fn fields(&self) -> Vec<usize> {
        let pre_close = self.bands.as_ref().and_then(|bands| bands.pre_close);
        self.close.into_iter().chain(pre_close).collect()
    }

    /// So many bars before a bar decide whether it is excused, those that count for it (see [`Excuses::counts`]).
    pub fn bars_before(&self) -> usize {
        let looks = |one: Exempt| self.exempt.contains(&one);
        if self.bands.is_some() {
            return FIRST_SESSIONS as usize + 1;
        }
        let one = looks(Exempt::Halted) || looks(Exempt::Listing) || looks(Exempt::CorporateAction);
        usize::from(one)
    }

    /// Whether a later bar may be compared with `row`: it has a price, where that matters.
    pub fn counts(&self, series: &Series<'_>, row: usize) -> bool {
        self.close.is_none_or(|close| price(series, close, row).is_some())
    }

    /// Takes the findings out of `sink` that facts of `series` explain, and counts them: a row of which nothing else was
    /// found is excused instead of evaluated.
    pub fn apply(&self, series: &Series<'_>, sink: &mut FindingSink) {
        if sink.findings.is_empty() || !self.may_explain(series) {
            return;
        }
        let mut rows: Vec<usize> = Vec::new();
        let mut excused = Vec::new();
        sink.findings.retain(|finding| {
            let Some(reason) = self.reason(series, finding) else { return true };
            if is_reported(series, finding) {
                excused.push((reason, Excused { findings: 1, bars: finding.bars_affected }));
            }
            rows.extend(finding.rows.clone().into_iter().flatten());
            false
        });
        for (reason, more) in excused {
            sink.excuse(reason, more);
        }
        rows.retain(|row| *row >= series.from);
        rows.retain(|row| !sink.findings.iter().any(|kept| kept.rows.as_ref().is_some_and(|rows| rows.contains(row))));
        rows.sort_unstable();
        rows.dedup();
        sink.move_to_excused(rows.len() as u64);
    }

    fn may_explain(&self, series: &Series<'_>) -> bool {
        !series.facts.is_empty() || self.knows_limits()
    }

    /// The fact that explains `finding`. One over several rows is explained where all of them are, or all but the first,
    /// which the others only repeat.
    fn reason(&self, series: &Series<'_>, finding: &Finding) -> Option<Reason> {
        let Some(rows) = &finding.rows else { return self.of_gap(series, finding) };
        let mut reasons = rows.clone().map(|row| self.of_row(series, finding, row));
        let first = reasons.next().flatten();
        let mut others = None;
        for reason in reasons {
            others = Some(reason?);
        }
        if rows.len() == 1 { first } else { others }
    }

    /// A finding that stands for no row is taken out where its cause is a fact, or an exception covers all of it.
    fn of_gap(&self, series: &Series<'_>, finding: &Finding) -> Option<Reason> {
        let has = |exempt: Exempt| self.exempt.contains(&exempt);
        match finding.cause {
            Some("before-listing") if has(Exempt::Listing) => return Some(Reason::BeforeListing),
            Some("delisted") if has(Exempt::Listing) => return Some(Reason::Delisted),
            Some("suspended") if has(Exempt::Halted) => return Some(Reason::Suspended),
            Some("outage") if has(Exempt::Outage) => return Some(Reason::Outage),
            Some("quarantined") if has(Exempt::Quarantined) => return Some(Reason::Quarantined),
            _ => {}
        }
        let first = finding.time?;
        let last = finding.time_until.unwrap_or(first);
        let mut exceptions = series.facts.exceptions(&self.rule);
        let covered = exceptions.any(|one| one.stretch.covers(first) && one.stretch.covers(last));
        covered.then_some(Reason::Exception)
    }

    fn of_row(&self, series: &Series<'_>, finding: &Finding, row: usize) -> Option<Reason> {
        let facts = series.facts;
        let Some(time) = series.time.get(row).copied() else {
            // A row without a timestamp lies in no stretch but in all of time.
            let always = facts.exceptions(&self.rule).any(|one| one.stretch == Stretch::ALWAYS);
            return always.then_some(Reason::Exception);
        };
        if facts.exceptions(&self.rule).any(|one| one.stretch.covers(time)) {
            return Some(Reason::Exception);
        }
        let before = row.checked_sub(1).map(|before| series.time[before]);
        self.exempt.iter().find_map(|exempt| match exempt {
            Exempt::Halted => {
                let until_now = before.is_some_and(|before| facts.suspended_between(before, time));
                (facts.suspension(time).is_some() || until_now).then_some(Reason::Suspended)
            }
            Exempt::Outage => facts.outage(time).map(|_| Reason::Outage),
            Exempt::Listing => {
                let (listed, listing) = facts.listed(time)?;
                let begins = listed == Listed::Yes && before.is_some_and(|before| before < listing.from);
                begins.then_some(Reason::NewListing)
            }
            Exempt::CorporateAction => {
                self.accounted_for(series, finding, row, before?).then_some(Reason::CorporateAction)
            }
            // Bars in quarantine are not there to be found.
            Exempt::Quarantined => None,
            Exempt::LimitMove => self.at_limit(series, finding, row).then_some(Reason::LimitMove),
        })
    }

    /// Whether a corporate action takes effect with `row` and accounts for what was found: of the move of the price from the
    /// close before, it leaves less than half.
    fn accounted_for(&self, series: &Series<'_>, finding: &Finding, row: usize, before: i64) -> bool {
        let actions = series.facts.actions(before, series.time[row]);
        if actions.is_empty() {
            return false;
        }
        let (Some(price), Some(close)) = (self.price(series, finding, row), self.close_before(series, row)) else {
            // What was found is not about a price, or there is none to compare it with.
            return true;
        };
        let Some(reference) = reference_price(actions, close) else { return true };
        (price / reference).ln().abs() < (price / close).ln().abs() / 2.0
    }

    /// Whether the price that was found stands at the limit of the day.
    fn at_limit(&self, series: &Series<'_>, finding: &Finding, row: usize) -> bool {
        let Some(bands) = &self.bands else { return false };
        let found = self.price(series, finding, row).or_else(|| price(series, bands.close, row));
        let Some(ticks) = found.and_then(|price| bands.ticks(price)) else { return false };
        let Known::Band(band) = bands.of(series, bands.board(series), row) else { return false };
        [band.low, band.high].into_iter().any(|limit| bands.ticks(limit) == Some(ticks))
    }

    /// The price that a finding is about.
    fn price(&self, series: &Series<'_>, finding: &Finding, row: usize) -> Option<f64> {
        let name = finding.field.as_ref()?;
        let (_, index) = self.prices.iter().find(|(price, _)| price == name)?;
        price(series, *index, row)
    }

    fn close_before(&self, series: &Series<'_>, row: usize) -> Option<f64> {
        let close = self.close?;
        (0..row).rev().find_map(|before| price(series, close, before))
    }
}

/// Whether any of what was found is reported on.
fn is_reported(series: &Series<'_>, finding: &Finding) -> bool {
    match &finding.rows {
        Some(rows) => rows.end > series.from || finding.more.iter().any(|row| *row >= series.from),
        None => finding.time_until.or(finding.time).is_none_or(|last| last >= series.since),
    }
}

#[cfg(test)]
mod tests;
