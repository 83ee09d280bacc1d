//! Where the findings of a run are: series by days, weeks, months or years, counted and drawn as SVG.
//!
//! The page counts in the same cells for one rule or for missing bars, and draws them with the shape given here.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, Days, Months, NaiveDate};
use minijinja::HtmlEscape;
use serde::Serialize;

use super::names::Names;
use crate::text::escape::{shortened, visible};

/// Series that are drawn, the worst.
const SERIES: usize = 200;
/// Columns at most.
const COLUMNS: i64 = 92;
/// Width of the drawing without the names, where the cells can fill it.
const WIDE: usize = 1_000;
/// Characters of a name.
const NAME: usize = 20;
/// The rule of missing bars.
pub(super) const MISSING: i64 = -1;

/// Columns of a map: each begins where the one before ended.
#[derive(Debug, Clone)]
pub(super) struct Times {
    /// First days of the columns, since 1970-01-01.
    starts: Vec<i64>,
    /// The last day of the last column.
    last: i64,
    /// What a column is.
    pub(super) what: &'static str,
}

impl Times {
    /// Columns over the days `first` to `last`: days where these are few enough, else weeks, months or years.
    pub(super) fn over(first: i64, last: i64) -> Self {
        let last = last.max(first);
        let days = last - first + 1;
        let (what, starts) = match date(first) {
            Some(from) if days > COLUMNS * 7 => {
                let months = days / 28 < COLUMNS;
                let begin = from.with_day(1).unwrap_or(from);
                let begin = if months { begin } else { begin.with_month(1).unwrap_or(begin) };
                let step = Months::new(if months { 1 } else { 12 });
                let all = std::iter::successors(Some(begin), |day| day.checked_add_months(step));
                (if months { "months" } else { "years" }, all.map(number).take_while(|day| *day <= last).collect())
            }
            Some(from) if days > COLUMNS => {
                let monday =
                    from.checked_sub_days(Days::new(from.weekday().num_days_from_monday().into())).unwrap_or(from);
                ("weeks", (number(monday)..=last).step_by(7).collect())
            }
            _ => ("days", (first..=last).collect()),
        };
        Self { starts, last, what }
    }

    /// The column of a day; days before the first and behind the last count to these.
    fn column(&self, day: i64) -> usize {
        self.starts.partition_point(|start| *start <= day).saturating_sub(1)
    }

    fn texts(&self) -> Vec<String> {
        self.starts.iter().map(|day| text(*day)).collect()
    }

    /// The last days of the columns.
    fn ends(&self) -> Vec<String> {
        self.starts.iter().skip(1).map(|next| text(next - 1)).chain([text(self.last)]).collect()
    }
}

fn date(day: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp(day.checked_mul(86_400)?, 0).map(|time| time.date_naive())
}

fn number(date: NaiveDate) -> i64 {
    date.and_hms_opt(0, 0, 0).map_or(0, |time| time.and_utc().timestamp().div_euclid(86_400))
}

/// A day, since 1970-01-01, as `YYYY-MM-DD`.
fn text(day: i64) -> String {
    date(day).map_or_else(|| day.to_string(), |date| date.format("%Y-%m-%d").to_string())
}

/// Counts by series, column and rule.
#[derive(Debug)]
pub(super) struct Tally {
    times: Times,
    cells: HashMap<(u32, usize, i64), u64>,
    /// Errors and findings by series.
    weights: HashMap<u32, (u64, u64)>,
}

impl Tally {
    /// Nothing yet.
    pub(super) fn new(times: Times) -> Self {
        Self { times, cells: HashMap::new(), weights: HashMap::new() }
    }

    /// Counts a finding of `rule` about `series` on `day`, and the bars that it says are missing.
    pub(super) fn add(&mut self, (series, rule): (u32, u32), day: i64, is_error: bool, missing: u64) {
        let column = self.times.column(day);
        *self.cells.entry((series, column, i64::from(rule))).or_default() += 1;
        if missing > 0 {
            *self.cells.entry((series, column, MISSING)).or_default() += missing;
        }
        let weight = self.weights.entry(series).or_default();
        *weight = (weight.0 + u64::from(is_error), weight.1 + 1);
    }

    /// The map of the worst series; `None` where nothing was counted.
    pub(super) fn map(self, names: &Names) -> Option<Map> {
        let mut worst: Vec<(u32, (u64, u64))> = self.weights.into_iter().collect();
        worst.sort_by(|(a, one), (b, other)| other.cmp(one).then_with(|| names.name(*a).cmp(names.name(*b))));
        let series_hit = worst.len();
        worst.truncate(SERIES);
        let rows: HashMap<u32, usize> = worst.iter().enumerate().map(|(row, (series, _))| (*series, row)).collect();
        let columns = self.times.starts.len();
        let mut cells: Vec<(i64, usize, u64)> = self
            .cells
            .into_iter()
            .filter_map(|((series, column, rule), count)| Some((rule, rows.get(&series)? * columns + column, count)))
            .collect();
        cells.sort_unstable();
        let series = worst.into_iter().map(|(series, _)| series).collect::<Vec<_>>();
        (!series.is_empty()).then(|| Map { shape: Shape::of(columns), series, series_hit, cells, times: self.times })
    }
}

/// Where the cells are, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Shape {
    left: usize,
    top: usize,
    wide: usize,
    high: usize,
}

impl Shape {
    fn of(columns: usize) -> Self {
        Self { left: 150, top: 20, wide: (WIDE / columns.max(1)).clamp(9, 26), high: 15 }
    }
}

/// The worst series, and their cells.
#[derive(Debug)]
pub(super) struct Map {
    times: Times,
    /// The series, worst first, by their places.
    pub(super) series: Vec<u32>,
    /// Series with findings.
    pub(super) series_hit: usize,
    /// Rule, cell (row by row), and count, in this order.
    pub(super) cells: Vec<(i64, usize, u64)>,
    /// How it is drawn.
    pub(super) shape: Shape,
}

impl Map {
    /// First days of the columns.
    pub(super) fn columns(&self) -> Vec<String> {
        self.times.texts()
    }

    /// Last days of the columns.
    pub(super) fn ends(&self) -> Vec<String> {
        self.times.ends()
    }

    /// Days, weeks, months or years.
    pub(super) fn what(&self) -> &'static str {
        self.times.what
    }

    /// Whether bars are missing somewhere.
    pub(super) fn has_missing(&self) -> bool {
        self.cells.first().is_some_and(|cell| cell.0 == MISSING)
    }

    /// Findings by cell.
    fn all(&self) -> BTreeMap<usize, u64> {
        let mut all = BTreeMap::new();
        for (_, cell, count) in self.cells.iter().filter(|cell| cell.0 != MISSING) {
            *all.entry(*cell).or_default() += count;
        }
        all
    }

    /// Findings in all cells, and in the fullest.
    pub(super) fn sums(&self) -> (u64, u64) {
        let all = self.all();
        (all.values().sum(), all.values().copied().max().unwrap_or(0))
    }

    /// The drawing of all findings.
    pub(super) fn svg(&self, names: &Names) -> String {
        let Shape { left, top, wide, high } = self.shape;
        let columns = self.times.starts.len();
        let (width, height) = (left + columns * wide + 60, top + self.series.len() * high + 4);
        let mut svg = format!(
            "<svg id=\"heat-svg\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"Findings by series and {}\">",
            self.times.what
        );
        // A label needs as much room as it is long.
        let every = (80 / wide).max(1);
        for (place, day) in self.times.texts().iter().enumerate().step_by(every) {
            svg += &format!("<text x=\"{}\" y=\"12\">{}</text>", left + place * wide, HtmlEscape(day));
        }
        let (ground, rows) = (columns * wide - 1, self.series.len() * high - 1);
        svg += &format!("<rect class=\"ground\" x=\"{left}\" y=\"{top}\" width=\"{ground}\" height=\"{rows}\"/>");
        svg += "<g class=\"rows\">";
        for (row, series) in self.series.iter().enumerate() {
            let name = visible(names.name(*series));
            let y = top + row * high + 11;
            svg += &format!("<text x=\"0\" y=\"{y}\">{}</text>", HtmlEscape(&shortened(&name, NAME)));
        }
        svg += "</g>";
        for (level, path) in self.paths().iter().enumerate() {
            svg += &format!("<path class=\"level-{}\" d=\"{path}\"/>", level + 1);
        }
        let (cursor_wide, cursor_high) = (wide + 1, high + 1);
        svg += &format!(
            "<rect class=\"cursor\" width=\"{cursor_wide}\" height=\"{cursor_high}\" visibility=\"hidden\"/></svg>"
        );
        svg
    }

    /// The cells of each of four levels.
    fn paths(&self) -> [String; 4] {
        let Shape { left, top, wide, high } = self.shape;
        let (all, columns) = (self.all(), self.times.starts.len());
        let most = all.values().copied().max().unwrap_or(1);
        let mut paths = <[String; 4]>::default();
        for (cell, count) in all {
            let (x, y) = (left + cell % columns * wide, top + cell / columns * high);
            paths[level(count, most)] += &format!("M{x} {y}h{}v{}h-{}z", wide - 1, high - 1, wide - 1);
        }
        paths
    }
}

/// How dark a cell is, 0 to 3: one finding, then by the logarithm of the count against that of the most.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 3")]
fn level(count: u64, most: u64) -> usize {
    if count <= 1 {
        return 0;
    }
    let share = 3.0 * (count as f64).ln() / (most as f64 + 1.0).ln();
    (1 + share as usize).min(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i64 {
        number(text.parse().unwrap())
    }

    #[test]
    fn columns_are_days_or_longer_and_leave_no_day_out() {
        for (first, last, what, columns) in [
            ("2026-11-20", "2026-11-20", "days", 1),
            ("2026-08-21", "2026-11-20", "days", 92),
            ("2026-08-20", "2026-11-20", "weeks", 14),
            ("2020-01-15", "2026-11-20", "months", 83),
            ("1990-05-01", "2026-11-20", "years", 37),
            ("2026-11-20", "2020-01-01", "days", 1),
        ] {
            let times = Times::over(day(first), day(last));
            assert_eq!((times.what, times.starts.len()), (what, columns), "{first} {last}");
            assert!(times.starts.len() as i64 <= COLUMNS + 1);
            assert!(times.starts[0] <= day(first) && times.column(day(first)) == 0);
            assert_eq!(times.column(day(last).max(day(first))), columns - 1);
            assert_eq!(times.ends().len(), columns);
        }
        let weeks = Times::over(day("2026-08-20"), day("2026-11-20"));
        // A week begins on its Monday.
        assert_eq!((weeks.texts()[0].as_str(), weeks.ends()[0].as_str()), ("2026-08-17", "2026-08-23"));
        assert_eq!(weeks.ends()[13], "2026-11-20");
        assert_eq!(weeks.column(day("1970-01-01")), 0);
    }

    #[test]
    fn the_worst_series_are_first_and_every_finding_is_in_a_cell() {
        let mut names = Names::default();
        let places = ["A", "B", "C"].map(|name| names.place(name));
        let mut tally = Tally::new(Times::over(0, 2));
        // A: two warnings; B: one error; C: a gap of five bars, and two days later a finding of another rule.
        tally.add((places[0], 1), 0, false, 0);
        tally.add((places[0], 1), 0, false, 0);
        tally.add((places[1], 0), 1, true, 0);
        tally.add((places[2], 2), 0, false, 5);
        tally.add((places[2], 1), 2, false, 0);
        let map = tally.map(&names).unwrap();
        assert_eq!(map.series, [places[1], places[0], places[2]]);
        assert_eq!(map.cells, [(MISSING, 6, 5), (0, 1, 1), (1, 3, 2), (1, 8, 1), (2, 6, 1)]);
        assert_eq!((map.sums(), map.series_hit, map.has_missing()), ((5, 2), 3, true));
        assert_eq!(map.columns(), ["1970-01-01", "1970-01-02", "1970-01-03"]);
        assert!(Tally::new(Times::over(0, 2)).map(&names).is_none());
    }

    #[test]
    fn the_drawing_is_the_cells_and_names_are_inert() {
        let mut names = Names::default();
        let hostile = names.place("</text><script>\u{202e}&\"");
        let mut tally = Tally::new(Times::over(0, 1));
        tally.add((hostile, 0), 1, true, 0);
        let svg = tally.map(&names).unwrap().svg(&names);
        assert!(!svg.contains("<script") && !svg.contains('\u{202e}'), "{svg}");
        assert!(
            svg.contains("<path class=\"level-1\" d=\"M176 20h25v14h-25z\"/><path class=\"level-2\" d=\"\"/>"),
            "{svg}"
        );
    }

    #[test]
    fn levels_grow_with_the_logarithm() {
        assert_eq!([1, 2, 9, 10, 50, 100, 1_000].map(|count| level(count, 1_000)), [0, 1, 1, 1, 2, 2, 3]);
        assert_eq!([1, 2].map(|count| level(count, 2)), [0, 2]);
    }
}
