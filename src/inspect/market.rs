//! The interval, calendar and zone that most bars fit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono_tz::Tz;

use super::columns::Roles;
use super::place::Place;
use super::sample::Sample;
use super::table::Table;
use super::time::Found;
use crate::bars::time::Parsed;
use crate::market::zone::{self, Local};
use crate::market::{Calendar, DAY_US, Grid, Interval, Label, Lookup, Slot};

/// Calendars from the simplest on.
const CALENDARS: [&str; 8] = ["24/7", "weekdays", "XNYS", "XLON", "XHKG", "XTKS", "XSHG", "CMES"];
/// Zones that vendors write times in, besides that of the exchange.
const ZONES: [Tz; 6] =
    [Tz::UTC, Tz::America__New_York, Tz::Europe__London, Tz::Europe__Berlin, Tz::Europe__Athens, Tz::Asia__Shanghai];
/// A calendar that fewer bars fit is none of theirs.
const LEAST_FIT: f64 = 0.5;
/// So many bars say that none fits.
const ENOUGH_BARS: usize = 20;
/// Bars longer than so many seconds may be cut on the clock instead of from an open at half past an hour.
const ON_ANY_CLOCK: u32 = 1_800;
/// Bars that are held against each candidate.
const BARS: usize = 3000;

/// What was chosen, and by what.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each was seen by itself")]
pub(super) struct Market {
    pub(super) interval: String,
    /// The one that most bars fit; `None` where few fit any.
    pub(super) calendar: Option<&'static str>,
    /// Where it is not that of the calendar.
    pub(super) zone: Option<Tz>,
    /// Bars are cut at full hours of the clock.
    pub(super) on_the_clock: bool,
    /// Timestamps are where bars end.
    pub(super) ends: bool,
    /// The share of bars that fit.
    pub(super) fit: f64,
    /// The best calendars with their shares.
    pub(super) others: Vec<(&'static str, f64)>,
    /// Whether the data say the zone.
    pub(super) zone_is_known: bool,
    /// Whether bars are daily or longer.
    pub(super) daily: bool,
}

struct Candidate {
    calendar: &'static str,
    zone: Tz,
    ends: bool,
    on_the_clock: bool,
    fit: f64,
    /// More speaks for it: the looks of symbols, bars that begin with the session, the usual zone.
    evidence: u32,
}

/// A number for the series of each row.
pub(super) fn series_of(sample: &Sample, roles: &Roles, place: Option<&Place>) -> Vec<usize> {
    let column = roles.symbol.or_else(|| sample.table.position("symbol"));
    let names = place.map(Place::symbols).unwrap_or_default();
    let mut known: HashMap<String, usize> = HashMap::new();
    let of_row = |row: usize| {
        let file = sample.table.file[row];
        let key = match column {
            Some(at) => sample.table.columns[at].cells[row].clone().unwrap_or_default(),
            None => names.get(file).cloned().unwrap_or_else(|| file.to_string()),
        };
        let next = known.len();
        *known.entry(key).or_insert(next)
    };
    (0..sample.table.file.len()).map(of_row).collect()
}

/// Chooses.
pub(super) fn choose(table: &Table, series: &[usize], time: &Found, symbols: &[String]) -> Market {
    let mut bars: BTreeMap<usize, Vec<Parsed>> = BTreeMap::new();
    for (value, series) in time.values.iter().zip(series).take(table.file.len()) {
        bars.entry(*series).or_default().extend(*value);
    }
    let mut left = BARS;
    let bars: Vec<Vec<Parsed>> = bars
        .into_values()
        .map(|mut bars| {
            bars.sort_unstable_by_key(|bar| micros(*bar));
            bars.dedup();
            bars.truncate(left);
            left -= bars.len();
            bars
        })
        .filter(|bars| !bars.is_empty())
        .collect();
    let all = || bars.iter().flatten();
    let local = all().any(|bar| matches!(bar, Parsed::Local { .. }));
    let hint = hinted(symbols);
    let interval = interval(&bars);
    if interval.is_daily_or_longer() {
        let midnight = !local && all().all(|bar| micros(*bar).rem_euclid(DAY_US) == 0);
        return daily(&bars, interval, hint, (local, midnight));
    }
    intraday(&bars, interval, hint, if local { time.zone } else { Some(Tz::UTC) })
}

fn micros(bar: Parsed) -> i64 {
    match bar {
        Parsed::Instant(micros) => micros,
        Parsed::Local { day, micros } => i64::from(day) * DAY_US + micros,
    }
}

/// The most common step from bar to bar.
fn interval(bars: &[Vec<Parsed>]) -> Interval {
    let mut steps: BTreeMap<i64, usize> = BTreeMap::new();
    for pair in bars.iter().flat_map(|bars| bars.windows(2)) {
        let seconds = (micros(pair[1]) - micros(pair[0])) / 1_000_000;
        if seconds > 0 {
            *steps.entry(seconds).or_default() += 1;
        }
    }
    let common = steps.iter().max_by_key(|(step, count)| (**count, -**step)).map_or(86_400, |(step, _)| *step);
    match common {
        2_400_000..=2_700_000 => Interval::Month,
        600_000..=608_400 => Interval::Week,
        82_800..=i64::MAX => Interval::Day,
        seconds => {
            let divides = |seconds: &u32| 86_400_u32.is_multiple_of(*seconds);
            let seconds = u32::try_from(seconds).unwrap_or(1);
            Interval::Seconds(
                (1..=seconds).rev().filter(|step| seconds.is_multiple_of(*step)).find(divides).unwrap_or(1),
            )
        }
    }
}

fn daily(bars: &[Vec<Parsed>], interval: Interval, hint: Option<&str>, (local, midnight): (bool, bool)) -> Market {
    let candidates = CALENDARS.iter().filter_map(|name| {
        let calendar = Calendar::named(name)?;
        let zone = if local || midnight { Tz::UTC } else { calendar.zone() };
        let day = |bar: &Parsed| match bar {
            Parsed::Local { day, .. } => *day,
            Parsed::Instant(micros) => zone::local_day(zone, *micros),
        };
        let (mut on, mut all, mut missing) = (0, 0, 0);
        for bars in bars {
            let days: Vec<i32> = bars.iter().map(day).collect();
            let ordinals: Vec<i64> = days
                .iter()
                .filter_map(|day| match calendar.session_on(*day) {
                    Lookup::Session(ordinal) => Some(ordinal),
                    _ => None,
                })
                .collect();
            let expected = ordinals.first().zip(ordinals.last()).map_or(0, |(first, last)| last - first + 1);
            all += days.len();
            on += ordinals.len();
            missing += usize::try_from(expected).unwrap_or_default().saturating_sub(ordinals.len());
        }
        let fit = on as f64 / (all + if interval == Interval::Day { missing } else { 0 }).max(1) as f64;
        let evidence = u32::from(hint == Some(name));
        Some(Candidate { calendar: name, zone, ends: false, on_the_clock: false, fit, evidence })
    });
    let market = best(candidates.collect(), interval, count(bars));
    Market { zone: market.zone.filter(|_| !local), zone_is_known: true, ..market }
}

fn intraday(bars: &[Vec<Parsed>], interval: Interval, hint: Option<&str>, known: Option<Tz>) -> Market {
    let mut candidates = Vec::new();
    for name in CALENDARS {
        let Some(calendar) = Calendar::named(name) else { continue };
        let long = matches!(interval, Interval::Seconds(seconds) if seconds > ON_ANY_CLOCK);
        for (ends, on_the_clock) in [(false, false), (true, false), (false, true), (true, true)] {
            // A market that never closes has no open to cut from, and its bars begin by the step.
            if (ends || on_the_clock) && calendar.first().is_none() || on_the_clock && !long {
                continue;
            }
            let grid = Grid::new(Arc::clone(&calendar), interval, if ends { Label::End } else { Label::Start });
            let grid = if on_the_clock { grid.with_clock_alignment() } else { grid };
            let own = calendar.zone();
            let mut zones = vec![own];
            if calendar.first().is_some() {
                zones.extend(ZONES.into_iter().filter(|zone| *zone != own));
            }
            for zone in known.map_or(zones, |zone| vec![zone]) {
                let (fit, opens) = fit(&grid, bars, zone);
                let (hinted, usual) = (hint == Some(name), zone == own || known.is_some());
                // In a zone of no market here, some session always begins when the bars do.
                let begins = opens && (hinted || usual);
                let evidence = 4 * u32::from(hinted) + 2 * u32::from(begins) + u32::from(usual);
                candidates.push(Candidate { calendar: name, zone, ends, on_the_clock, fit, evidence });
            }
        }
    }
    let market = best(candidates, interval, count(bars));
    Market { zone_is_known: known.is_some(), zone: market.zone.filter(|_| known != Some(Tz::UTC)), ..market }
}

/// How many bars there are.
fn count(bars: &[Vec<Parsed>]) -> usize {
    bars.iter().map(Vec::len).sum()
}

/// The share of expected timestamps and bars that are both, and whether most days begin with the session.
fn fit(grid: &Grid, bars: &[Vec<Parsed>], zone: Tz) -> (f64, bool) {
    let instant = |bar: &Parsed| match bar {
        Parsed::Instant(micros) => Some(*micros),
        Parsed::Local { day, micros } => match zone::from_local(zone, *day, *micros) {
            Local::At(instant) | Local::Repeated(instant, _) => Some(instant),
            Local::Skipped | Local::OutOfRange => None,
        },
    };
    let (mut on, mut all, mut missing, mut opens, mut days) = (0_usize, 0_usize, 0_usize, 0_usize, 0_usize);
    for bars in bars {
        let times: Vec<i64> = bars.iter().filter_map(instant).collect();
        let positions: Vec<i64> = times
            .iter()
            .filter_map(|time| match grid.slot(*time) {
                Slot::On(position) => Some(position),
                _ => None,
            })
            .collect();
        all += bars.len();
        on += positions.len();
        let expected = positions.first().zip(positions.last()).map_or(0, |(first, last)| last - first + 1);
        missing += usize::try_from(expected).unwrap_or_default().saturating_sub(positions.len());
        for (at, time) in times.iter().enumerate() {
            let begins = at == 0 || *time - times[at - 1] > 3 * 3_600_000_000;
            days += usize::from(begins);
            // What begins with the session comes long after the expected bar before it.
            let alone = match grid.slot(*time) {
                Slot::On(position) => *time - grid.timestamp(position - 1) > 3 * 3_600_000_000,
                _ => false,
            };
            opens += usize::from(begins && alone);
        }
    }
    (on as f64 / (all + missing).max(1) as f64, opens * 2 > days)
}

/// The candidate that most of `bars` bars fit; of about equal ones the one for which more speaks, else the simplest. No
/// calendar where few of them fit any.
fn best(candidates: Vec<Candidate>, interval: Interval, bars: usize) -> Market {
    let most = candidates.iter().map(|candidate| candidate.fit).fold(0.0, f64::max);
    let mut others: Vec<(&'static str, f64)> = Vec::new();
    for candidate in &candidates {
        match others.iter_mut().find(|(name, _)| *name == candidate.calendar) {
            Some((_, fit)) => *fit = fit.max(candidate.fit),
            None => others.push((candidate.calendar, candidate.fit)),
        }
    }
    others.sort_by(|one, other| other.1.total_cmp(&one.1));
    let equal = candidates
        .into_iter()
        .filter(|candidate| candidate.fit >= most - if candidate.evidence >= 4 { 0.02 } else { 0.001 });
    // The first of the best is the simplest.
    let chosen = equal.reduce(|best, next| if next.evidence > best.evidence { next } else { best });
    let none = Candidate { calendar: "24/7", zone: Tz::UTC, ends: false, on_the_clock: false, fit: 0.0, evidence: 0 };
    let Candidate { calendar, zone, ends, on_the_clock, fit, .. } = chosen.unwrap_or(none);
    let own = Calendar::named(calendar).map_or(Tz::UTC, |calendar| calendar.zone());
    let daily = interval.is_daily_or_longer();
    let fits = fit >= LEAST_FIT || bars < ENOUGH_BARS;
    Market {
        interval: interval.to_string(),
        calendar: fits.then_some(calendar),
        // Without a calendar no zone goes without saying.
        zone: (zone != own || !fits).then_some(zone),
        ends: ends && fits,
        on_the_clock: on_the_clock && fits,
        fit,
        others,
        zone_is_known: false,
        daily,
    }
}

/// The calendar that symbols look like those of.
fn hinted(symbols: &[String]) -> Option<&'static str> {
    let look = |symbol: &String| -> Option<&'static str> {
        let upper = symbol.to_ascii_uppercase();
        let digits = upper.bytes().filter(u8::is_ascii_digit).count();
        let letters = upper.bytes().filter(u8::is_ascii_alphabetic).count();
        let index = ["IF", "IC", "IH", "IM"]
            .iter()
            .any(|root| upper.strip_prefix(root).is_some_and(|rest| rest.len() == 4 && digits == 4));
        let coin = ["USDT", "USDC", "BTC", "XBT", "ETH"].iter().any(|coin| upper.contains(coin));
        let market = upper.rsplit_once('.').map_or("", |(_, market)| market);
        match () {
            () if index || digits == 6 => Some("XSHG"),
            () if market == "HK" || digits == 5 && letters == 0 => Some("XHKG"),
            () if market == "T" || digits == 4 && letters == 0 => Some("XTKS"),
            () if market == "L" => Some("XLON"),
            () if coin => Some("24/7"),
            () if market == "US" || digits == 0 && (1..=5).contains(&letters) => Some("XNYS"),
            () => None,
        }
    };
    let looks: Vec<&str> = symbols.iter().take(50).filter_map(look).collect();
    let first = *looks.first()?;
    CALENDARS
        .into_iter()
        .find(|name| *name == first && looks.iter().filter(|look| *look == name).count() * 2 > symbols.len().min(50))
}

/// The symbols of the rows that were read.
pub(super) fn symbols_of(sample: &Sample, roles: &Roles, place: Option<&Place>) -> Vec<String> {
    match roles.symbol.or_else(|| sample.table.position("symbol")) {
        Some(at) => {
            let mut symbols: Vec<String> = sample.table.columns[at].cells.iter().flatten().cloned().collect();
            symbols.sort();
            symbols.dedup();
            symbols
        }
        None => place.map(Place::symbols).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(first: i64, count: i64) -> Vec<Vec<Parsed>> {
        // 2024-01-02 is a Tuesday.
        vec![(0..count).map(|n| Parsed::Local { day: 19_724, micros: (first + n) * 60_000_000 }).collect()]
    }

    #[test]
    fn the_step_that_most_bars_have_is_the_interval() {
        assert_eq!(interval(&minutes(570, 30)), Interval::minutes(1));
        let days = vec![[19_723, 19_724, 19_725, 19_728].map(|day| Parsed::Local { day, micros: 0 }).to_vec()];
        assert_eq!(interval(&days), Interval::Day);
    }

    #[test]
    fn bars_of_a_session_tell_calendar_and_zone() {
        let of = |bars: &[Vec<Parsed>], hint| {
            let market = intraday(bars, Interval::minutes(1), hint, None);
            (market.calendar, market.zone)
        };
        assert_eq!(of(&minutes(570, 390), Some("XNYS")), (Some("XNYS"), None));
        assert_eq!(of(&minutes(930, 390), Some("XNYS")), (Some("XNYS"), Some(Tz::Europe__Berlin)));
        assert_eq!(of(&minutes(0, 1440), None), (Some("24/7"), None));
    }

    /// Bars at each of `hours` of 20 days from 2024-01-02 on that are no weekends, in the local time of nobody knows where.
    fn hourly(hours: &[i64]) -> Vec<Vec<Parsed>> {
        let days = (19_724..19_752).filter(|day| (day + 3) % 7 < 5);
        vec![
            days.flat_map(|day| hours.iter().map(move |hour| Parsed::Local { day, micros: hour * 3_600_000_000 }))
                .collect(),
        ]
    }

    #[test]
    fn bars_on_full_hours_of_a_market_that_opens_at_half_past_are_cut_on_the_clock() {
        let of = |hours: &[i64]| {
            let market = intraday(&hourly(hours), Interval::minutes(60), Some("XNYS"), None);
            (market.calendar, market.zone, market.ends, market.on_the_clock)
        };
        assert_eq!(of(&[9, 10, 11, 12, 13, 14, 15]), (Some("XNYS"), None, false, true));
        assert_eq!(of(&[10, 11, 12, 13, 14, 15, 16]), (Some("XNYS"), None, true, true));
    }

    #[test]
    fn where_few_bars_fit_any_calendar_none_is_written() {
        let market = intraday(&hourly(&[1, 21]), Interval::minutes(60), None, None);
        assert_eq!((market.calendar, market.on_the_clock, market.ends), (None, false, false));
        assert!(market.zone.is_some() && market.fit < 0.5, "{}", market.fit);
        // Two bars say nothing.
        let few = vec![hourly(&[1, 21])[0][..2].to_vec()];
        assert!(intraday(&few, Interval::minutes(60), None, None).calendar.is_some());
    }

    #[test]
    fn symbols_hint_at_their_market() {
        let hint = |symbol: &str| hinted(&[symbol.to_owned()]);
        assert_eq!(hint("600519"), Some("XSHG"));
        assert_eq!(hint("BTCUSDT"), Some("24/7"));
        assert_eq!(hint("BRK-B"), Some("XNYS"));
        assert_eq!(hint("XAUUSD"), None);
    }
}
