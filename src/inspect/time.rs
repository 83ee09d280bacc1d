//! Where the timestamp stands, and how it is written.

use std::collections::HashSet;

use chrono_tz::Tz;

use super::table::{Column, Table};
use crate::bars::time::{Parsed, TimeFormat};

/// The timestamp, as it was found.
#[derive(Debug)]
pub(super) struct Found {
    /// The columns it stands in.
    pub(super) fields: Vec<String>,
    /// How it is written; none for typed columns.
    pub(super) formats: Vec<String>,
    pub(super) values: Vec<Option<Parsed>>,
    /// The zone that stands behind every text.
    pub(super) zone: Option<Tz>,
    /// Day and month might be the other way round.
    pub(super) ambiguous: bool,
}

impl Found {
    fn has_clock(&self) -> bool {
        self.values.iter().flatten().any(|value| !matches!(value, Parsed::Local { micros: 0, .. }))
    }
}

const DATES: [&str; 14] = [
    "%Y-%m-%d",
    "%Y%m%d",
    "%Y/%m/%d",
    "%Y/%-m/%-d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%-m/%-d/%Y",
    "%-d/%-m/%Y",
    "%d-%b-%Y",
    "%d-%m-%Y",
    "%d-%b-%y",
    "%m/%d/%y",
];
const CLOCKS: [&str; 13] = [
    "%H:%M:%S",
    "%H:%M",
    "%H%M%S",
    "%H:%M:%S%.f",
    "%I:%M:%S %p",
    "%-I:%M:%S %p",
    "%I:%M %p",
    "%-I:%M %p",
    "%H%M",
    "%-H%M%S",
    "%-H%M",
    "%-H:%M:%S",
    "%-H:%M",
];
const WHOLE: [&str; 4] = ["rfc3339", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S%3f", "%Y%m%d%H%M"];
/// The share of texts that a format must read.
const ENOUGH: f64 = 0.98;

/// Finds the timestamp. `series` numbers the series of each row.
pub(super) fn find(table: &Table, series: &[usize]) -> Option<Found> {
    let found: Vec<Found> = table.columns.iter().enumerate().filter_map(|(at, column)| of_column(column, at)).collect();
    let end = |found: &&Found| {
        let name = found.fields[0].to_lowercase();
        name.contains("close") || name.contains("end")
    };
    let first = |good: &dyn Fn(&Found) -> bool| {
        let good = || found.iter().filter(|found| good(found));
        good().find(|found| !end(found)).or_else(|| good().next())
    };
    let date = first(&|found| !found.has_clock());
    if let Some(date) = date
        && is_unique(date, series)
    {
        return Some(copy(date));
    }
    let instant = |found: &Found| found.values.iter().flatten().all(|value| matches!(value, Parsed::Instant(_)));
    if let Some(whole) = first(&|found| found.has_clock() && instant(found)).or_else(|| first(&Found::has_clock)) {
        return Some(copy(whole));
    }
    let date = date?;
    let clock = table.columns.iter().find(|column| column.name != date.fields[0] && is_clock_column(column));
    Some(clock.and_then(|clock| joined(table, date, clock)).unwrap_or_else(|| copy(date)))
}

fn copy(found: &Found) -> Found {
    Found {
        fields: found.fields.clone(),
        formats: found.formats.clone(),
        values: found.values.clone(),
        zone: found.zone,
        ambiguous: found.ambiguous,
    }
}

/// Whether most bars of a series have a date of their own.
fn is_unique(date: &Found, series: &[usize]) -> bool {
    let mut seen = HashSet::new();
    let days = date.values.iter().zip(series).filter_map(|(value, series)| match value {
        Some(Parsed::Local { day, .. }) => Some((*series, *day)),
        _ => None,
    });
    let all: Vec<_> = days.collect();
    let distinct = all.iter().filter(|key| seen.insert(**key)).count();
    distinct * 10 >= all.len() * 7
}

fn of_column(column: &Column, at: usize) -> Option<Found> {
    let found = |formats: Vec<String>, values, zone, ambiguous| {
        Some(Found { fields: vec![column.name.clone()], formats, values, zone, ambiguous })
    };
    if let Some(typed) = &column.typed {
        return found(Vec::new(), typed.clone(), None, false);
    }
    let texts: Vec<&str> = column.cells.iter().flatten().map(String::as_str).collect();
    if texts.is_empty() || column.clock {
        return None;
    }
    if let Some(epoch) = epoch(&texts).filter(|_| at == 0 || is_called_time(&column.name)) {
        return found(vec![epoch.to_owned()], read(&[epoch.to_owned()], &column.cells)?, None, false);
    }
    let (zone, suffix) = zone_behind(&texts).map_or((None, ""), |(zone, suffix)| (Some(zone), suffix));
    let bare = |text: &str| text.strip_suffix(suffix).unwrap_or(text).to_owned();
    let cells: Vec<Option<String>> = column.cells.iter().map(|cell| cell.as_deref().map(bare)).collect();
    let (format, ambiguous) = format_of(&cells)?;
    let values = read(std::slice::from_ref(&format), &cells)?;
    found(vec![format!("{format}{}", suffix.replace('%', "%%"))], values, zone, ambiguous)
}

fn is_called_time(name: &str) -> bool {
    let name = name.to_lowercase();
    ["time", "date", "unix", "epoch", "ts_", "window_start", "datum", "时间", "日期"]
        .iter()
        .any(|part| name.contains(part))
        || ["t", "ts"].contains(&name.as_str())
}

/// The values by the first format that reads them; `None` where too few are read.
fn read(formats: &[String], cells: &[Option<String>]) -> Option<Vec<Option<Parsed>>> {
    let formats: Vec<TimeFormat> = formats.iter().filter_map(|format| TimeFormat::compile(format).ok()).collect();
    let one = |cell: &Option<String>| {
        let text = cell.as_deref()?;
        // A number with a fraction of nothing is what some programs make of an integer.
        let text = text.strip_suffix(".0").unwrap_or(text);
        formats.iter().find_map(|format| format.parse(text).ok())
    };
    let values: Vec<Option<Parsed>> = cells.iter().map(one).collect();
    let there = cells.iter().flatten().count();
    (values.iter().flatten().count() as f64 >= there as f64 * ENOUGH).then_some(values)
}

/// The epoch that integers are, where their digits tell it and the years are those of markets.
fn epoch(texts: &[&str]) -> Option<&'static str> {
    let mut lengths = HashSet::new();
    for text in texts {
        let digits = text.strip_suffix(".0").unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let seconds = digits.get(..10)?.parse::<i64>().ok()?;
        if !(1_000_000_000..2_200_000_000).contains(&seconds) {
            return None;
        }
        lengths.insert(digits.len());
    }
    let mut lengths: Vec<usize> = lengths.into_iter().collect();
    lengths.sort_unstable();
    match lengths.as_slice() {
        [10] => Some("epoch-s"),
        [13] => Some("epoch-ms"),
        [16] => Some("epoch-us"),
        [19] => Some("epoch-ns"),
        several if several.iter().all(|length| [10, 13, 16, 19].contains(length)) => Some("epoch"),
        _ => None,
    }
}

/// The zone that all texts end with, and that end.
fn zone_behind<'a>(texts: &[&'a str]) -> Option<(Tz, &'a str)> {
    let first = texts.first()?;
    let at = first.rfind(' ')?;
    let zone: Tz = first[at + 1..].parse().ok()?;
    texts.iter().all(|text| text.ends_with(&first[at..])).then_some((zone, &first[at..]))
}

/// The format that reads the texts, and whether another one with day and month exchanged does too.
fn format_of(cells: &[Option<String>]) -> Option<(String, bool)> {
    let few: Vec<Option<String>> = cells.iter().filter(|cell| cell.is_some()).take(3).cloned().collect();
    let mut all: Vec<String> = DATES.iter().chain(&WHOLE).map(|format| (*format).to_owned()).collect();
    for date in DATES {
        for between in [" ", "T", "  ", ", "] {
            all.extend(CLOCKS.iter().map(|clock| format!("{date}{between}{clock}")));
        }
    }
    let quick = |format: &&String| read(std::slice::from_ref(*format), &few).is_some();
    let fits: Vec<&String> =
        all.iter().filter(quick).filter(|format| read(std::slice::from_ref(*format), cells).is_some()).collect();
    let best = *fits.first()?;
    let exchanged = |format: &&&String| format.starts_with("%d/") || format.starts_with("%-d/");
    Some((best.clone(), best.contains("%m/%d/") && fits.iter().any(|other| exchanged(&other))))
}

/// The format that reads `texts`, which are all that is known of them.
pub(super) fn as_written(texts: &[String]) -> Option<String> {
    let all: Vec<&str> = texts.iter().map(|text| text.trim()).collect();
    if let Some(epoch) = epoch(&all) {
        return Some(epoch.to_owned());
    }
    let cells: Vec<Option<String>> = all.iter().map(|text| Some((*text).to_owned())).collect();
    let (format, ambiguous) = format_of(&cells)?;
    // Whether day or month comes first is for a person to say.
    (!ambiguous).then_some(format)
}

/// Whether texts are dates or instants.
pub(super) fn is_moment(texts: &[&str]) -> bool {
    let cells: Vec<Option<String>> = texts.iter().take(20).map(|text| Some((*text).to_owned())).collect();
    !cells.is_empty() && (epoch(texts).is_some() || format_of(&cells).is_some())
}

/// Whether texts are times of day.
pub(super) fn is_clock(texts: &[&str]) -> bool {
    clock_format(texts).is_some()
}

fn clock_format(texts: &[&str]) -> Option<&'static str> {
    let reads = |clock: &&&str| {
        let format = TimeFormat::compile(&format!("%Y-%m-%d {clock}"));
        format.is_ok_and(|format| texts.iter().all(|text| format.parse(&format!("2024-01-02 {text}")).is_ok()))
    };
    let found = CLOCKS.iter().find(reads).filter(|_| !texts.is_empty())?;
    Some(found)
}

fn is_clock_column(column: &Column) -> bool {
    let texts: Vec<&str> = column.cells.iter().flatten().map(String::as_str).collect();
    let distinct: HashSet<&&str> = texts.iter().collect();
    distinct.len() > 1
        && (column.clock || clock_format(&texts).is_some() && !column.name.to_lowercase().contains("vol"))
}

/// Date and time of day, joined by a blank.
fn joined(table: &Table, date: &Found, clock: &Column) -> Option<Found> {
    let dates = &table.columns[table.position(&date.fields[0])?];
    let texts: Vec<&str> = clock.cells.iter().flatten().map(String::as_str).collect();
    let typed = dates.typed.is_some() || clock.clock;
    let format = match typed {
        true => "%Y-%m-%d %H:%M:%S%.f".to_owned(),
        false => format!("{} {}", date.formats.first()?, clock_format(&texts)?),
    };
    let both =
        |(date, clock): (&Option<String>, &Option<String>)| Some(format!("{} {}", date.as_deref()?, clock.as_deref()?));
    let cells: Vec<Option<String>> = dates.cells.iter().zip(&clock.cells).map(both).collect();
    let values = read(std::slice::from_ref(&format), &cells)?;
    let fields = vec![date.fields[0].clone(), clock.name.clone()];
    let formats = if typed { Vec::new() } else { vec![format] };
    Some(Found { fields, formats, values, zone: None, ambiguous: date.ambiguous })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, cells: &[&str]) -> Column {
        Column {
            name: name.to_owned(),
            cells: cells.iter().map(|cell| Some((*cell).to_owned())).collect(),
            ..Column::default()
        }
    }

    fn found(columns: Vec<Column>) -> (Vec<String>, Vec<String>) {
        let rows = columns[0].cells.len();
        let found = find(&Table { columns, file: vec![0; rows], drift: false }, &vec![0; rows]).unwrap();
        (found.fields, found.formats)
    }

    #[test]
    fn timestamps_are_found_by_what_reads_them() {
        for (texts, format) in [
            (["2024-01-02", "2024-01-03"], "%Y-%m-%d"),
            (["02.01.2024", "31.01.2024"], "%d.%m.%Y"),
            (["1/2/2024 9:30 AM", "1/2/2024 10:31 AM"], "%-m/%-d/%Y %-I:%M %p"),
            (["20240102093500000", "20240102094000000"], "%Y%m%d%H%M%S%3f"),
            (["20240102 09:30:00 US/Eastern", "20240102 09:31:00 US/Eastern"], "%Y%m%d %H:%M:%S US/Eastern"),
            (["1704067200000", "1735689600000000"], "epoch"),
        ] {
            assert_eq!(found(vec![column("time", &texts)]).1, [format], "{texts:?}");
        }
    }

    #[test]
    fn a_date_that_repeats_is_joined_with_the_time_of_day() {
        let (fields, formats) =
            found(vec![column("date", &["20240102", "20240102", "20240102"]), column("time", &["930", "931", "1000"])]);
        assert_eq!((fields, formats), (vec!["date".to_owned(), "time".to_owned()], vec!["%Y%m%d %-H%M".to_owned()]));
        let daily = found(vec![column("date", &["20240102", "20240103"]), column("time", &["000000", "000000"])]);
        assert_eq!(daily.0, ["date"]);
    }
}
