//! The bars around as candles, with the volume below, the bar marked, and the band that a rule allowed.
//!
//! One bar is one column, and a row of the chart shows two steps of price: `│` is the way from low to high, `┃` that from open
//! to close.

use super::look::Look;
use super::table::nearest;
use crate::run::explain::{Bar, Explanation, Finding};
use crate::text::numbers::rough;
use crate::text::utc::UtcMicros;

/// Rows of the candles, and of the volume.
const HEIGHT: usize = 12;
const VOLUME: usize = 2;
/// Digits of prices beside the chart.
const DIGITS: usize = 6;
/// Prices so many times apart are drawn by their logarithms.
const WIDE: f64 = 8.0;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The lines of the chart; none where no bar has a price.
pub(super) fn lines(explanation: &Explanation, look: Look) -> Vec<String> {
    let all: Vec<&Bar> = explanation.bars.iter().collect();
    let Some(scale) = Scale::of(&all, band(explanation)) else { return Vec::new() };
    let axis = scale.labels().iter().map(String::len).max().unwrap_or(0);
    let room = look.width.saturating_sub(axis + 3).max(1);
    let rows = explanation.rows().count().max(1);
    let shown = nearest(explanation, room.saturating_sub(rows) / 2);
    let Some(scale) = Scale::of(&shown, band(explanation)) else { return Vec::new() };
    let mut lines = vec![String::new()];
    for row in 0..HEIGHT {
        let label = scale.label_at(row);
        let cells: String = shown.iter().map(|bar| cell(bar, row, &scale, (explanation.time, look))).collect();
        lines.push(format!("{label:>axis$} ┤{cells}"));
    }
    lines.extend(volumes(&shown, axis));
    let mark = |bar: &&Bar| if bar.time == explanation.time { '▲' } else { ' ' };
    let marks: String = shown.iter().map(mark).collect();
    lines.push(format!("{:>axis$}  {}", "", marks.trim_end()));
    lines.push(format!("{:>axis$}  {}", "", times(explanation, &shown, room)));
    if let Some((rule, finding)) = flagged(explanation) {
        let field = finding.field.as_deref().unwrap_or_default();
        let allowed = match finding.expected.map(|end| end.map(|end| rough(end, DIGITS))) {
            [Some(low), Some(high)] => format!("{low} to {high}"),
            [Some(low), None] => format!("at least {low}"),
            [_, high] => format!("at most {}", high.unwrap_or_default()),
        };
        lines.push(format!("{:>axis$}  ┈ {field} that {rule} allows: {allowed}", ""));
    }
    lines
}

/// The rule, with its finding, whose band is drawn: the first that allows a band of a price.
fn flagged(explanation: &Explanation) -> Option<(&str, &Finding)> {
    let prices = ["open", "high", "low", "close"];
    let has_band = |finding: &&Finding| {
        let of_price = finding.field.as_deref().is_some_and(|field| prices.contains(&field));
        of_price && finding.expected.iter().any(Option::is_some)
    };
    let mut each =
        explanation.rules.iter().filter_map(|rule| Some((rule.rule.as_str(), rule.findings.iter().find(has_band)?)));
    each.next()
}

fn band(explanation: &Explanation) -> [Option<f64>; 2] {
    flagged(explanation).map_or([None, None], |(_, finding)| finding.expected)
}

/// Prices as rows from the top, in half rows.
struct Scale {
    low: f64,
    high: f64,
    log: bool,
    band: [Option<f64>; 2],
}

impl Scale {
    /// That of the prices of `bars`, with the band; `None` where there is no price.
    fn of(bars: &[&Bar], band: [Option<f64>; 2]) -> Option<Self> {
        let prices = bars.iter().flat_map(|bar| bar.values[..4].iter().flatten().copied());
        let all = prices.chain(band.into_iter().flatten()).filter(|price| price.is_finite());
        let (low, high) =
            all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), price| (low.min(price), high.max(price)));
        (low <= high).then_some(Self { low, high, log: low > 0.0 && high > WIDE * low, band })
    }

    fn value(&self, price: f64) -> f64 {
        if self.log { price.ln() } else { price }
    }

    /// The half row of a price, 0 at the top.
    fn half(&self, price: f64) -> usize {
        let (low, high) = (self.value(self.low), self.value(self.high));
        let share = if high > low { (high - self.value(price)) / (high - low) } else { 0.5 };
        let last = (2 * HEIGHT - 1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the rows of the chart")]
        let half = (share * last).round().clamp(0.0, last) as usize;
        half
    }

    fn labels(&self) -> Vec<String> {
        (0..HEIGHT).map(|row| self.label_at(row)).collect()
    }

    /// The price beside a row; not beside each.
    fn label_at(&self, row: usize) -> String {
        let (low, high) = (self.value(self.low), self.value(self.high));
        let middle = HEIGHT / 2;
        let price = match row {
            0 => self.high,
            row if row == HEIGHT - 1 => self.low,
            row if row == middle => {
                let share = (2 * middle) as f64 / (2 * HEIGHT - 1) as f64;
                let at = high - share * (high - low);
                return rough(if self.log { at.exp() } else { at }, 4);
            }
            _ => return String::new(),
        };
        rough(price, DIGITS)
    }

    /// Whether an end of the band is in a row.
    fn is_edge(&self, row: usize) -> bool {
        self.band.iter().flatten().any(|end| self.half(*end) / 2 == row)
    }
}

/// What one bar shows in one row.
fn cell(bar: &Bar, row: usize, scale: &Scale, (asked, look): (i64, Look)) -> String {
    let [open, high, low, close, _] = bar.values;
    // A bar that lacks prices is drawn by those it has.
    let own: Vec<f64> = bar.values[..4].iter().flatten().copied().filter(|price| price.is_finite()).collect();
    let most = own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = own.iter().copied().fold(f64::INFINITY, f64::min);
    let span = |one: Option<f64>, other: Option<f64>| {
        let (one, other) = (one.filter(|price| price.is_finite())?, other.filter(|price| price.is_finite())?);
        let (one, other) = (scale.half(one), scale.half(other));
        Some(one.min(other)..=one.max(other))
    };
    let wick = if own.is_empty() { None } else { span(high.or(Some(most)), low.or(Some(least))) };
    let body = span(open.or(close), close.or(open));
    let weight = |half: usize| {
        let is_in =
            |span: &Option<std::ops::RangeInclusive<usize>>| span.as_ref().is_some_and(|span| span.contains(&half));
        if is_in(&body) { 2 } else { u8::from(is_in(&wick)) }
    };
    let sign = match (weight(2 * row), weight(2 * row + 1)) {
        (0, 0) if scale.is_edge(row) => '┈',
        (0, 0) => ' ',
        (0, 1) => '╷',
        (1, 0) => '╵',
        (1, 1) => '│',
        (0, _) => '╻',
        (_, 0) => '╹',
        (1, _) => '╽',
        (_, 1) => '╿',
        (_, _) => '┃',
    };
    if !look.colour || sign == ' ' || sign == '┈' {
        return sign.to_string();
    }
    let code = match (open.zip(close), bar.time == asked) {
        (_, true) => "1;33",
        (Some((open, close)), _) if close < open => "31",
        _ => "32",
    };
    format!("\u{1b}[{code}m{sign}\u{1b}[0m")
}

/// The volume of each bar; no lines where none has one.
fn volumes(bars: &[&Bar], axis: usize) -> Vec<String> {
    let most = bars.iter().filter_map(|bar| bar.values[4]).filter(|volume| volume.is_finite()).fold(0.0, f64::max);
    if most <= 0.0 {
        return Vec::new();
    }
    let steps = (VOLUME * 8) as f64;
    let height = |bar: &Bar| {
        let share = bar.values[4].filter(|volume| volume.is_finite()).unwrap_or(0.0).max(0.0) / most;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a few steps")]
        let height = (share * steps).ceil() as usize;
        height
    };
    let line = |row: usize| {
        let below = (VOLUME - 1 - row) * 8;
        let blocks: String = bars.iter().map(|bar| BLOCKS[height(bar).saturating_sub(below).min(8)]).collect();
        let label = if row == 0 { rough(most, 3) } else { String::new() };
        // A large number has no place beside the prices.
        let label = if label.len() > axis { String::new() } else { label };
        format!("{label:>axis$} ┤{blocks}").trim_end().to_owned()
    };
    (0..VOLUME).map(line).collect()
}

/// The first timestamp, that which is asked about, and the last, as far as they fit.
fn times(explanation: &Explanation, bars: &[&Bar], room: usize) -> String {
    let daily = explanation.is_daily();
    let text = |time: i64| UtcMicros(time).timestamp(daily);
    let at = bars.iter().position(|bar| bar.time >= explanation.time).unwrap_or(bars.len());
    let asked = text(explanation.time);
    let start = at.saturating_sub(asked.len() / 2).min(room.saturating_sub(asked.len()));
    let mut line = String::new();
    if let Some(first) = bars.first().filter(|bar| bar.time != explanation.time).map(|bar| text(bar.time))
        && first.len() + 1 < start
    {
        line = first;
    }
    line = format!("{line:<start$}{asked}");
    if let Some(last) = bars.last().filter(|bar| bar.time != explanation.time).map(|bar| text(bar.time)) {
        let from = bars.len().saturating_sub(last.len());
        if from > line.len() {
            line = format!("{line:<from$}{last}");
        }
    }
    line
}
