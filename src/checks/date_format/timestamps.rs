//! The timestamps of the bars: format, date, session and hours.

use std::sync::Arc;

use super::cause::Cause;
use super::closed_days::ClosedDays;
use super::dates::{Dates, alternatives};
use super::same_extra::{SameExtra, same_extra};
use crate::bars::time::TimeFault;
use crate::bars::{BarsSpec, Label, TimeSpec};
use crate::checks::displaced::{OfSessions, SHIFTED, displaced};
use crate::checks::reason::{Excused, Reason};
use crate::checks::sessions::Sessions;
use crate::checks::stretches::LEAST_SESSIONS;
use crate::checks::{Across, Check, Context, Finding, FindingSink, Series, TextColumn};
use crate::market::{Grid, Interval, Slot, zone};
use crate::text::utc::UtcMicros;

/// Evaluates the timestamps of the bars.
pub(super) struct Timestamps {
    pub(super) name: Arc<str>,
    /// Whether the rule has formats of its own, so that timestamps the job could read are read again.
    pub(super) rereads: bool,
    pub(super) time: TimeSpec,
    pub(super) dates: Dates,
    pub(super) daily: bool,
    pub(super) market: Option<Market>,
    /// Days on which it may be the calendar that is wrong; `None` where the rule does not ask for sessions.
    pub(super) closed_days: Option<ClosedDays>,
}

/// What a rule compares timestamps with besides their format and their date.
pub(super) struct Market {
    grid: Arc<Grid>,
    sessions: bool,
    hours: bool,
}

impl Market {
    /// `None` where the bars have no calendar or the rule does not ask.
    pub(super) fn new(bars: &BarsSpec, sessions: bool, hours: bool) -> Option<Self> {
        let grid = bars.grid.as_ref().filter(|_| sessions || hours)?;
        Some(Self { grid: Arc::clone(grid), sessions, hours })
    }

    /// What one bar stands for, where that is more than a day and the rule asks for sessions.
    fn period(&self) -> Option<&'static str> {
        match self.grid.interval() {
            Interval::Week if self.sessions => Some("week"),
            Interval::Month if self.sessions => Some("month"),
            _ => None,
        }
    }

    /// What is wrong with a timestamp at `slot`, as cause and as what would have passed.
    fn fault(&self, slot: Slot) -> Option<(Cause, String)> {
        let name = self.grid.calendar().name();
        match slot {
            Slot::Closed if self.sessions => Some((Cause::NotASession, format!("a session of {name}"))),
            Slot::OtherDay(position) if self.sessions => {
                Some((Cause::OtherDay, UtcMicros(self.grid.timestamp(position)).timestamp(true)))
            }
            Slot::OffHours if self.hours => Some((Cause::OffHours, format!("trading hours of {name}"))),
            Slot::OffGrid if self.hours => {
                Some((Cause::OffGrid, format!("a timestamp of the {} bars of {name}", self.grid.interval())))
            }
            _ => None,
        }
    }
}

impl Check for Timestamps {
    fn context(&self) -> Context {
        let long = self.market.as_ref().is_some_and(|market| market.period().is_some());
        // A month has so many dates.
        if long { Context::Bars { before: 31, after: 0 } } else { Context::NONE }
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let (mut excused, mut first) = (0, None);
        let plain = !self.rereads && self.dates.unbounded() && self.market.is_none();
        for row in if plain { series.dated() } else { 0 }..series.rows {
            let fault =
                self.fault(series, row, &mut excused).or_else(|| self.second_in_period(series, row, &mut first));
            if let Some((cause, expected)) = fault {
                findings.push(self.finding(series, row, cause, expected));
            }
        }
        findings.evaluated(series.reported() - excused);
        findings.excused(excused);
    }

    fn across(&self) -> Option<&dyn Across> {
        self.closed_days.as_ref().map(|days| days as &dyn Across)
    }

    fn merge(&self, series: &Series<'_>, findings: &mut FindingSink) {
        self.merge_displaced(series, findings);
        self.merge_extra(series, findings);
        self.excuse_open_days(series, findings);
    }

    fn merged(&self) -> &'static [&'static str] {
        &[SHIFTED, "same-bars-extra"]
    }
}

/// The row of a finding about a bar beside the calendar, with the finding's index.
fn beside((index, finding): (usize, &Finding)) -> Option<(usize, usize)> {
    let cause = finding.cause.and_then(Cause::parse)?;
    let row = finding.rows.as_ref()?.start;
    matches!(cause, Cause::OffHours | Cause::NotASession | Cause::OffGrid).then_some((index, row))
}

impl Timestamps {
    /// One finding of the bars that lie beside the calendar by the same time in many sessions; it stands for each of them.
    fn merge_displaced(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let Some(market) = self.market.as_ref().filter(|market| market.hours) else { return };
        let beside: Vec<(usize, usize)> = findings.findings.iter().enumerate().filter_map(beside).collect();
        if beside.len() < LEAST_SESSIONS {
            return;
        }
        let labelled_at_end = self.time.label == Label::End;
        let sessions = Sessions { grid: Arc::clone(&market.grid), labelled_at_end, intraday: !self.daily };
        let mut merged = vec![false; findings.findings.len()];
        let mut of_many = Vec::new();
        for one in displaced(&sessions, series.time) {
            let explained = beside.iter().filter(|(_, row)| one.explains_bar(&market.grid, series.time[*row]));
            let (indices, rows): (Vec<usize>, Vec<usize>) = explained.copied().unzip();
            let Some((finding, last)) = Finding::scattered(&rows).zip(rows.last()) else { continue };
            for index in indices {
                merged[index] = true;
            }
            let expected = format!("trading hours of {}", market.grid.calendar().name());
            let finding = finding.field(&self.name).cause(Cause::Shifted).until(series.time[*last]);
            of_many.push(finding.expected_text(expected).evidence(OfSessions::from(&one)));
        }
        let mut merged = merged.into_iter();
        findings.findings.retain(|_| !merged.next().unwrap_or(false));
        findings.findings.extend(of_many);
    }

    /// One finding of the bars that are outside of trading hours, or between two bars, in one session after the other; it
    /// stands for each of them.
    fn merge_extra(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let Some(market) = self.market.as_ref().filter(|market| market.hours) else { return };
        let open = |(_, row): &(usize, usize)| market.grid.slot(series.time[*row]) != Slot::Closed;
        let extra: Vec<(usize, usize)> = findings.findings.iter().enumerate().filter_map(beside).filter(open).collect();
        let times: Vec<i64> = extra.iter().map(|(_, row)| series.time[*row]).collect();
        let mut merged = vec![false; findings.findings.len()];
        let mut of_many = Vec::new();
        for SameExtra { bars, evidence } in same_extra(&market.grid, series.time, &times) {
            let rows: Vec<usize> = bars.iter().map(|bar| extra[*bar].1).collect();
            let Some((finding, last)) = Finding::scattered(&rows).zip(rows.last()) else { continue };
            for bar in &bars {
                merged[extra[*bar].0] = true;
            }
            let expected = format!("trading hours of {}", market.grid.calendar().name());
            let finding = finding.field(&self.name).cause(Cause::SameBarsExtra).until(series.time[*last]);
            of_many.push(finding.expected_text(expected).evidence(evidence));
        }
        let mut merged = merged.into_iter();
        findings.findings.retain(|_| !merged.next().unwrap_or(false));
        findings.findings.extend(of_many);
    }

    /// Excuses the bars of days that the calendar calls closed and on which most series traded: that is one finding about
    /// all of them.
    fn excuse_open_days(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let Some(days) = self.closed_days.as_ref().filter(|_| !series.open_days.is_empty()) else { return };
        let mut excused = 0;
        findings.findings.retain(|finding| {
            let row = finding.rows.as_ref().map_or(0, |rows| rows.start);
            let closed = finding.cause == Some(Cause::NotASession.into());
            let open = closed && series.open_days.binary_search(&days.day(series.time[row])).is_ok();
            excused += if open { series.count(row) as u64 } else { 0 };
            !open
        });
        if excused > 0 {
            findings.excuse(Reason::MarketOpen, Excused { findings: excused, bars: excused });
            findings.move_to_excused(excused);
        }
    }

    /// What is wrong with the timestamp of a row, as cause and as what would have passed. Counts the row as excused
    /// where the calendar does not reach it.
    fn fault(&self, series: &Series<'_>, row: usize, excused: &mut usize) -> Option<(Cause, String)> {
        let time = series.time.get(row).copied();
        if (self.rereads || time.is_none())
            && let Some(fault) = series.time_text.and_then(|texts| self.unreadable(texts, row))
        {
            return Some((fault.into(), alternatives(&self.time.formats)));
        }
        let time = time?;
        self.date_fault(time).or_else(|| {
            let market = self.market.as_ref()?;
            let slot = market.grid.slot(time);
            *excused += if slot == Slot::OutOfRange { series.count(row) } else { 0 };
            market.fault(slot)
        })
    }

    /// Whether the week or the month of a row has a bar before it under another date. `first` is the first bar of the
    /// period before, as its position and timestamp; copies under one date are those of `duplicate`.
    fn second_in_period(
        &self,
        series: &Series<'_>,
        row: usize,
        first: &mut Option<(i64, i64)>,
    ) -> Option<(Cause, String)> {
        let market = self.market.as_ref()?;
        let (period, time) = (market.period()?, *series.time.get(row)?);
        let Slot::On(position) = market.grid.slot(time) else { return None };
        match first {
            Some((of, at)) if *of == position => (*at != time).then(|| (Cause::SecondInPeriod, period.to_owned())),
            _ => {
                *first = Some((position, time));
                None
            }
        }
    }

    /// Why the timestamp of a row does not read; NULL is not a fault.
    fn unreadable(&self, texts: TextColumn<'_>, row: usize) -> Option<TimeFault> {
        match texts.get(row) {
            Some(text) => self.time.read_text(text).err(),
            None => self.time.read_literal(texts.other(row)?).err(),
        }
    }

    fn date_fault(&self, time: i64) -> Option<(Cause, String)> {
        if self.dates.unbounded() {
            return None;
        }
        self.dates.fault(if self.daily { zone::day_of(time) } else { zone::local_day(self.dates.zone, time) })
    }

    fn finding(&self, series: &Series<'_>, row: usize, cause: Cause, expected: String) -> Finding {
        let finding = Finding::row(row).field(&self.name).cause(cause).expected_text(expected);
        match series.time_text.and_then(|texts| texts.get(row).or(texts.other(row))) {
            Some(text) => finding.observed_text(text),
            None => finding,
        }
    }
}
