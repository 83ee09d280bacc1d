//! Days that the calendar calls closed and on which most series traded all the same: the calendar is wrong about them, and
//! not each bar.
//!
//! Each series notes on which such days it traded, and between which days it has bars at all. A day is one of trading where
//! at least [`LEAST_SERIES`] series traded, and two of three that have bars around it. That is known when all series were
//! read; where there is such a day they are read again, and their bars of it are excused.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bars::BarsSpec;
use crate::checks::across::{to_bytes, to_words};
use crate::checks::{Across, AcrossSink, Facts, Finding, Note, Noted, Series};
use crate::market::{DAY_US, Grid, Interval, Slot, zone};
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// The cause of the findings.
const MARKET_OPEN: &str = "market-open";
/// Series that traded at least: in fewer the same fault may be there by chance, or by the same loader.
const LEAST_SERIES: u64 = 5;
/// µs of a quarter of an hour, within which no day begins on the clocks of any exchange.
const QUARTER_US: i64 = 900_000_000;
/// Days that are reported one by one, each with what to write into the calendar; more are one finding.
const MOST_DAYS: usize = 10;

/// The days of one rule.
pub(super) struct ClosedDays {
    grid: Arc<Grid>,
    daily: bool,
    /// Index of the field with the volume.
    volume: Option<usize>,
}

/// What is noted of a series; days are those since 1970-01-01.
#[derive(Debug, Default, PartialEq, Eq)]
struct Days {
    /// First and last day of each stretch of bars that are near to each other.
    spans: Vec<(i64, i64)>,
    /// Closed days on which it traded, with the number of bars.
    traded: Vec<(i64, i64)>,
}

/// A closed day on which most series traded.
struct Day {
    date: i64,
    series: u64,
    of: u64,
    bars: u64,
}

/// What a finding adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    /// So many series traded, on the first of the days.
    series: u64,
    /// Of so many that have bars around it.
    of: u64,
    /// On so many days.
    days: u64,
    calendar: String,
    /// Usual hours, as the calendar of a job writes them.
    hours: String,
}

impl ClosedDays {
    /// `None` where the bars have no calendar.
    pub(super) fn new(bars: &BarsSpec, volume: Option<usize>) -> Option<Self> {
        Some(Self { grid: Arc::clone(bars.grid.as_ref()?), daily: bars.daily(), volume })
    }

    /// The closed day that the bar at `time` is one of, in days since 1970-01-01: that at the exchange; of weekly bars the
    /// Monday.
    pub(super) fn day(&self, time: i64) -> i64 {
        let day = match self.daily {
            true => zone::day_of(time),
            false => zone::local_day(self.grid.calendar().zone(), time),
        };
        let day = i64::from(day);
        // 1970-01-05 was a Monday.
        if self.grid.interval() == Interval::Week { day - (day + 3).rem_euclid(7) } else { day }
    }

    /// Bars further apart than so many days do not surround a day: longer than the holidays of any exchange.
    fn near(&self) -> i64 {
        match self.grid.interval() {
            Interval::Seconds(_) | Interval::Day => 14,
            Interval::Week => 28,
            Interval::Month => 92,
        }
    }

    fn days(&self, series: &Series<'_>) -> Days {
        let volumes = self.volume.map(|index| &series.number(index).values()[..series.dated()]);
        // A feed without volumes says nothing by them.
        let volumes = volumes.filter(|volumes| volumes.iter().any(|volume| *volume > 0.0));
        let displaced = |time: i64| series.displaced.iter().any(|(first, last)| (*first..=*last).contains(&time));
        let mut days = Days::default();
        let mut known: Option<(i64, i64)> = None;
        for (row, time) in series.time.iter().enumerate() {
            let quarter = time.div_euclid(QUARTER_US);
            let day = match known {
                Some((of, day)) if of == quarter => day,
                _ => self.day(*time),
            };
            known = Some((quarter, day));
            match days.spans.last_mut() {
                Some((_, last)) if day - *last <= self.near() => *last = day,
                _ => days.spans.push((day, day)),
            }
            if self.grid.slot(*time) != Slot::Closed || displaced(*time) {
                continue;
            }
            // A bar that was filled in is no trade.
            if volumes.is_none_or(|volumes| volumes[row] > 0.0) {
                match days.traded.last_mut() {
                    Some((last, bars)) if *last == day => *bars += 1,
                    _ => days.traded.push((day, 1)),
                }
            }
        }
        days
    }

    /// The days on which most series traded, ascending, from `from` on (µs UTC).
    fn of_most(&self, notes: &[Note], from: Option<i64>) -> Vec<Day> {
        let series: Vec<Days> = notes.iter().map(|note| Days::from_bytes(&note.bytes)).collect();
        let mut traded: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
        for (day, bars) in series.iter().flat_map(|series| &series.traded) {
            let (series, all) = traded.entry(*day).or_default();
            *series += 1;
            *all += bars.unsigned_abs();
        }
        let known = |day: i64| from.is_none_or(|from| day.saturating_mul(DAY_US) >= from);
        traded.retain(|day, (series, _)| *series >= LEAST_SERIES && known(*day));
        let counted = |(day, (traded, bars)): (i64, (u64, u64))| {
            let sides: Vec<[bool; 2]> = series.iter().map(|series| series.around(day, self.near())).collect();
            // At the ends of the data there are bars on one side only, and of no series on the other.
            let any = [0, 1].map(|side| sides.iter().any(|sides| sides[side]));
            let around =
                |sides: &[bool; 2]| sides.contains(&true) && sides.iter().zip(any).all(|(own, any)| *own || !any);
            let of = series.iter().zip(&sides).filter(|(series, sides)| series.traded_on(day) || around(sides)).count()
                as u64;
            Day { date: day, series: traded, of, bars }
        };
        traded.into_iter().map(counted).filter(|day| 3 * day.series >= 2 * day.of).collect()
    }

    fn finding(&self, days: &[Day]) -> Option<Finding> {
        let (first, last) = (days.first()?, days.last()?);
        let calendar = self.grid.calendar();
        let evidence = Evidence {
            series: first.series,
            of: first.of,
            days: days.len() as u64,
            calendar: calendar.name().to_owned(),
            hours: self.hours(first.date).unwrap_or_default(),
        };
        let bars = days.iter().map(|day| day.bars).sum();
        let finding = Finding::gap(first.date * DAY_US, last.date * DAY_US, bars).cause(MARKET_OPEN);
        Some(finding.expected_text(format!("a session of {}", calendar.name())).evidence(evidence))
    }

    /// The hours of the session before `day`, or the one after it, as the calendar of a job writes them.
    fn hours(&self, day: i64) -> Option<String> {
        let (calendar, day) = (self.grid.calendar(), i32::try_from(day).ok()?);
        let ordinal = calendar.last_on_or_before(day).or_else(|| calendar.first_on_or_after(day))?;
        let session = calendar.session(ordinal);
        let clock = |instant: i64| {
            let local = instant + zone::offset_at(calendar.zone(), instant);
            let minute = local.rem_euclid(DAY_US) / 60_000_000;
            format!("{:02}:{:02}", minute / 60, minute % 60)
        };
        let mut hours =
            if zone::local_day(calendar.zone(), session.open) < session.day { "<".to_owned() } else { String::new() };
        hours += &clock(session.open);
        for (start, end) in session.breaks() {
            hours += &format!("-{}, {}", clock(start), clock(end));
        }
        Some(hours + "-" + &clock(session.close))
    }
}

impl Across for ClosedDays {
    fn note(&self, series: &Series<'_>) -> Option<Noted> {
        let days = self.days(series);
        (!days.spans.is_empty()).then(|| Noted { bytes: days.to_bytes(), row: None })
    }

    fn least_series(&self) -> usize {
        // The rule evaluates each series by itself too.
        0
    }

    fn open_days(&self, notes: &[Note], from: Option<i64>) -> Vec<i64> {
        self.of_most(notes, from).into_iter().map(|day| day.date).collect()
    }

    fn conclude(&self, notes: &[Note], sink: &mut AcrossSink) {
        let days = self.of_most(notes, sink.from);
        let most = if days.len() > MOST_DAYS { days.len() } else { 1 };
        days.chunks(most).filter_map(|days| self.finding(days)).for_each(|finding| sink.push_of_all(finding));
    }
}

impl Days {
    /// Whether it has bars near before `day`, and near after it.
    fn around(&self, day: i64, near: i64) -> [bool; 2] {
        let before = self.spans.partition_point(|(first, _)| *first < day).checked_sub(1);
        let after = self.spans.partition_point(|(_, last)| *last <= day);
        let before = before.and_then(|at| self.spans.get(at)).is_some_and(|(_, last)| *last >= day - near);
        [before, self.spans.get(after).is_some_and(|(first, _)| *first <= day + near)]
    }

    fn traded_on(&self, day: i64) -> bool {
        self.traded.binary_search_by_key(&day, |(day, _)| *day).is_ok()
    }

    /// As the bytes of a note.
    fn to_bytes(&self) -> Vec<u8> {
        let spans = i64::try_from(self.spans.len()).unwrap_or(0);
        to_bytes(
            std::iter::once(spans).chain(self.spans.iter().chain(&self.traded).flat_map(|(one, other)| [*one, *other])),
        )
    }

    /// What [`Days::to_bytes`] wrote.
    fn from_bytes(bytes: &[u8]) -> Self {
        let words = to_words(bytes);
        let Some((spans, pairs)) = words.split_first() else { return Self::default() };
        let mut spans_and_days: Vec<(i64, i64)> = pairs.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let traded = spans_and_days.split_off(usize::try_from(*spans).unwrap_or(0).min(spans_and_days.len()));
        Self { spans: spans_and_days, traded }
    }
}

/// The sentence about it.
pub(super) fn message(facts: &Facts<'_>) -> String {
    let Evidence { series, of, days, calendar, hours } = facts.evidence();
    let day = |time: Option<i64>| UtcMicros(time.unwrap_or_default()).timestamp(true);
    let first = day(facts.time);
    let traded = format!("{series} of {} traded on {first}", counted(of, "series"));
    if days > 1 {
        let days = counted(days, "day");
        return format!(
            "most series traded on {days} from {first} to {}, which {calendar} calls closed ({traded}): is it another \
             calendar, or the zone of the dates that is wrong? No row is moved for it",
            day(facts.time_until)
        );
    }
    format!(
        "{traded}, which {calendar} calls closed: add it to the calendar, e.g. `base = \"{calendar}\"` and `sessions = {{ \
         {first} = \"{hours}\" }}` in `[calendar.CORRECTED]`, or ask for an update. No row is moved for it"
    )
}

#[cfg(test)]
mod tests;
