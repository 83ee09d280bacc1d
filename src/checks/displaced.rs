//! Bars that lie beside the calendar by the same time in one session after the other: their zone, their label or the calendar
//! is wrong, and not each of them.
//!
//! Candidates are the distances from the opens of sessions at which bars begin, and the label that the bars are not said to have.
//! A candidate holds in a session where bars lie outside of trading hours and nearly all bars, moved back by it, lie inside.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::sessions::{Sessions, Span};
use super::stretches::{LEAST_SESSIONS, stretches};
use crate::market::{DAY_US, Grid, Interval, Slot, zone};
use crate::text::numbers::counted;

/// The cause of findings about bars that are displaced.
pub const SHIFTED: &str = "shifted";

/// So many distances are tried: those at which most bars begin.
const MOST_TRIED: usize = 6;
/// One bar of so many of a session may lie elsewhere.
const ONE_BAR_IN: u64 = 20;
/// Sessions without a pause between them that are looked at together, e.g. the five days of a week of foreign exchange.
const MOST_TOUCHING: i64 = 7;

/// A stretch of sessions whose bars are displaced alike.
#[derive(Debug, Clone)]
pub(super) struct Displaced {
    /// First and last timestamp that it is about, µs UTC, of bars that are there or missing.
    pub(super) first: i64,
    pub(super) last: i64,
    /// In so many sessions; those without a pause between them count as one.
    pub(super) sessions: u64,
    /// Of so many.
    pub(super) of: u64,
    /// Bars of these sessions that it does not explain.
    strays: u64,
    by: By,
}

/// How bars are displaced.
#[derive(Debug, Clone)]
enum By {
    /// So many µs too late.
    Time(i64),
    /// They have the timestamps of bars with the other label, as this grid has them, which are so many µs later.
    OtherLabel(Arc<Grid>, i64),
}

impl By {
    /// Where the bar at `time` would lie were it not displaced.
    fn slot(&self, grid: &Grid, time: i64) -> Slot {
        match self {
            Self::Time(late) => grid.slot(time - late),
            Self::OtherLabel(other, _) => other.slot(time),
        }
    }

    /// How much too late the bars are, µs.
    fn late(&self) -> i64 {
        match self {
            Self::Time(late) | Self::OtherLabel(_, late) => *late,
        }
    }
}

impl Displaced {
    /// How much too late the bars are, µs; below 0 where they are too early.
    pub(super) fn late(&self) -> i64 {
        self.by.late()
    }

    /// Whether the bars have the timestamps of bars that are labelled with their other end.
    pub(super) fn other_label(&self) -> bool {
        matches!(self.by, By::OtherLabel(..))
    }

    /// Whether `time` lies in the stretch.
    pub(super) fn covers(&self, time: i64) -> bool {
        (self.first..=self.last).contains(&time)
    }

    /// Whether the bar at `time` is out of place for being displaced.
    pub(super) fn explains_bar(&self, grid: &Grid, time: i64) -> bool {
        self.covers(time) && matches!(self.by.slot(grid, time), Slot::On(_) | Slot::Tolerated)
    }

    /// Whether the bar at `position` is missing because no displaced bar comes to lie there.
    pub(super) fn explains_gap(&self, grid: &Grid, position: i64) -> bool {
        let time = grid.timestamp(position);
        self.covers(time) && !matches!(self.by.slot(grid, time), Slot::On(_))
    }
}

/// What a finding about bars that are displaced, or missing, alike in many sessions adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OfSessions {
    /// In so many sessions, of so many; those without a pause between them count as one where bars are displaced.
    pub(super) sessions: u64,
    pub(super) of: u64,
    /// How much too late the bars are, µs; below 0 where they are too early.
    pub(super) late: i64,
    /// Whether they have the timestamps of bars that are labelled with their other end.
    pub(super) other_label: bool,
}

impl From<&Displaced> for OfSessions {
    fn from(one: &Displaced) -> Self {
        Self { sessions: one.sessions, of: one.of, late: one.late(), other_label: one.other_label() }
    }
}

impl OfSessions {
    /// In which of the sessions, and from when to when.
    pub(super) fn stretch(&self, facts: &Facts<'_>) -> String {
        let sessions = format!("in {} of {}", self.sessions, counted(self.of, "session"));
        match (facts.time, facts.time_until) {
            (Some(first), Some(last)) => {
                format!("{sessions} from {} to {}", facts.timestamp(first), facts.timestamp(last))
            }
            _ => sessions,
        }
    }

    /// That bars are displaced, and what may be wrong.
    pub(super) fn displaced(&self, facts: &Facts<'_>) -> String {
        let seconds = self.late.unsigned_abs() / 1_000_000;
        let time = match seconds % 60 {
            0 => counted(seconds / 60, "minute"),
            _ => counted(seconds, "second"),
        };
        let side = if self.late < 0 { "early" } else { "late" };
        let why = match self.other_label {
            true => "is it `label`, the time zone, or the calendar that is wrong?",
            false => "is it the time zone, a change of the clocks, or the calendar that is wrong?",
        };
        format!("bars are {time} {side} against the calendar {}: {why}", self.stretch(facts))
    }
}

/// Whether a bar there lies beside the calendar.
pub(super) fn is_beside(slot: Slot) -> bool {
    matches!(slot, Slot::OffHours | Slot::Closed | Slot::OffGrid)
}

/// The stretches in which the bars at `time` (µs UTC, ascending) are displaced, in order of time; none overlaps another.
pub(super) fn displaced(sessions: &Sessions, time: &[i64]) -> Vec<Displaced> {
    let grid = &sessions.grid;
    if !sessions.intraday
        || time.iter().filter(|time| is_beside(grid.slot(**time))).take(LEAST_SESSIONS).count() < LEAST_SESSIONS
    {
        return Vec::new();
    }
    let mut found: Vec<Displaced> = Vec::new();
    for by in candidates(sessions, time) {
        found.extend(of_candidate(sessions, time, &by));
    }
    // The one that holds in most sessions is right; the label is the likelier reason for one bar.
    found.sort_by_key(|one| {
        (std::cmp::Reverse(one.sessions), one.strays, !one.other_label(), one.late().abs(), one.first)
    });
    let mut chosen: Vec<Displaced> = Vec::new();
    for one in found {
        if chosen.iter().all(|other| one.last < other.first || other.last < one.first) {
            chosen.push(one);
        }
    }
    chosen.sort_by_key(|one| one.first);
    chosen
}

/// By how much the bars may be displaced.
fn candidates(sessions: &Sessions, time: &[i64]) -> Vec<By> {
    let step = sessions.step();
    let mut votes: HashMap<i64, u32> = HashMap::new();
    let mut before = None;
    for time in time {
        if before.is_none_or(|before| time - before > step) {
            for open in sessions.opens_near(*time) {
                let late = time - open;
                if late != 0 && late.abs() < DAY_US {
                    *votes.entry(late).or_default() += 1;
                }
            }
        }
        before = Some(*time);
    }
    let mut votes: Vec<(i64, u32)> = votes.into_iter().filter(|(_, votes)| *votes as usize >= LEAST_SESSIONS).collect();
    votes.sort_unstable_by_key(|(late, votes)| (std::cmp::Reverse(*votes), late.abs(), *late));
    let late = if sessions.labelled_at_end { -step } else { step };
    let other = By::OtherLabel(Arc::new(Grid::clone(&sessions.grid).with_other_label()), late);
    std::iter::once(other).chain(votes.into_iter().take(MOST_TRIED).map(|(late, _)| By::Time(late))).collect()
}

/// What there is of one session, or of several without a pause between them.
struct Unit {
    span: Span,
    first: i64,
    last: i64,
    bars: u64,
    /// Bars beside the calendar that are in it once they are moved back.
    beside: u64,
    /// Bars that are not in it once they are moved back.
    strays: u64,
}

/// The stretches of sessions in which the bars are displaced as `by` says.
fn of_candidate(sessions: &Sessions, time: &[i64], by: &By) -> Vec<Displaced> {
    let grid = &sessions.grid;
    let mut units: Vec<Unit> = Vec::new();
    let mut strays: Vec<i64> = Vec::new();
    for time in time {
        match by.slot(grid, *time) {
            Slot::On(position) => {
                let begins = units.last().is_none_or(|unit| unit.span.last < position);
                if begins {
                    // A bar between two sessions is one of the nearer one.
                    let ended = units.last_mut();
                    let of_ended = ended
                        .as_ref()
                        .map_or(0, |unit| strays.partition_point(|stray| stray - unit.last <= *time - stray));
                    if let Some(unit) = ended {
                        unit.strays += of_ended as u64;
                    }
                    strays.drain(..of_ended);
                    let span = sessions.touching(position, MOST_TOUCHING);
                    let span = span.unwrap_or(Span { first: position, last: position });
                    units.push(Unit { span, first: *time, last: *time, bars: 0, beside: 0, strays: 0 });
                }
                if let Some(unit) = units.last_mut() {
                    unit.strays += strays.drain(..).len() as u64;
                    unit.bars += 1;
                    unit.last = *time;
                    unit.beside += u64::from(is_beside(grid.slot(*time)));
                }
            }
            Slot::OffHours | Slot::Closed | Slot::OffGrid => {
                strays.push(*time);
            }
            Slot::OtherDay(_) | Slot::Tolerated | Slot::OutOfRange => {}
        }
    }
    if let Some(unit) = units.last_mut() {
        unit.strays += strays.len() as u64;
    }
    let holds: Vec<bool> = units.iter().map(|unit| unit.beside > 0 && unit.strays * ONE_BAR_IN <= unit.bars).collect();
    let stretch = |range: std::ops::Range<usize>| {
        let (one, other) = (units.get(range.start)?, units.get(range.end - 1)?);
        Some(Displaced {
            first: one.first.min(grid.timestamp(one.span.first)),
            last: other.last.max(grid.timestamp(other.span.last)),
            sessions: holds[range.clone()].iter().filter(|holds| **holds).count() as u64,
            of: range.len() as u64,
            strays: units[range.clone()].iter().map(|unit| unit.strays).sum(),
            by: by.clone(),
        })
    };
    stretches(&holds).into_iter().filter_map(stretch).collect()
}

impl Sessions {
    /// The step from bar to bar, µs.
    fn step(&self) -> i64 {
        match self.grid.interval() {
            Interval::Seconds(seconds) => i64::from(seconds) * 1_000_000,
            _ => DAY_US,
        }
    }

    /// The first timestamps of the sessions around `time`, µs UTC.
    fn opens_near(&self, time: i64) -> impl Iterator<Item = i64> + '_ {
        let calendar = self.grid.calendar();
        let day = zone::local_day(calendar.zone(), time);
        let nearby = calendar.first_on_or_after(day - 1).zip(calendar.last_on_or_before(day + 1));
        let nearby = nearby.map_or(0..0, |(first, last)| first..last + 1);
        nearby.filter_map(|ordinal| Some(self.grid.timestamp(self.span(ordinal)?.first)))
    }

    /// The positions of the session of `position`, and of at most `most` sessions on each side that it touches without a pause.
    fn touching(&self, position: i64, most: i64) -> Option<Span> {
        let calendar = self.grid.calendar();
        let ordinal = self.ordinal(position)?;
        let day = calendar.day_of(ordinal);
        let (start, end) = (calendar.first_on_or_after(day - 10)?, calendar.last_on_or_before(day + 10)?);
        let touches = |ordinal: i64| calendar.session(ordinal).close == calendar.session(ordinal + 1).open;
        let (mut first, mut last) = (ordinal, ordinal);
        while first > start.max(ordinal - most) && touches(first - 1) {
            first -= 1;
        }
        while last < end.min(ordinal + most) && touches(last) {
            last += 1;
        }
        Some(Span { first: self.span(first)?.first, last: self.span(last)?.last })
    }
}

#[cfg(test)]
mod tests;
