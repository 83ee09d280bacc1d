//! The bars around as a table: where no candles can be drawn.

use crate::run::explain::{Bar, Explanation};
use crate::text::utc::UtcMicros;

/// Rows before the timestamp, and behind it.
const SIDE: usize = 5;
/// What stands for a number that a row does not have.
const NONE: &str = "-";

/// The rows around the timestamp, the ones that are asked about behind a `>`; columns that do not fit are left out.
pub(super) fn lines(explanation: &Explanation, width: usize) -> Vec<String> {
    let shown = nearest(explanation, SIDE);
    if shown.is_empty() {
        return Vec::new();
    }
    let daily = explanation.is_daily();
    let time = |bar: &Bar| UtcMicros(bar.time).timestamp(daily);
    // What says most comes first where not all fits.
    let order = [("close", 3), ("open", 0), ("high", 1), ("low", 2), ("volume", 4)];
    let cell = |bar: &Bar, at: usize| bar.values[at].map_or_else(|| NONE.to_owned(), |value| value.to_string());
    let wide = |at: usize, name: &str| {
        let cells = shown.iter().map(|bar| cell(bar, at).len());
        cells.max().unwrap_or(0).max(name.len())
    };
    let of_time = shown.iter().map(|bar| time(bar).len()).max().unwrap_or(0);
    let mut left = width.saturating_sub(of_time + 2);
    let mut columns: Vec<(usize, &str, usize)> = Vec::new();
    for (name, at) in order {
        let wide = wide(at, name);
        let any = shown.iter().any(|bar| bar.values[at].is_some());
        if any && wide + 2 <= left {
            left -= wide + 2;
            columns.push((at, name, wide));
        }
    }
    columns.sort_by_key(|(at, ..)| *at);
    let line = |mark: char, time: &str, cell: &dyn Fn(usize, &str) -> String| {
        let cells = columns.iter().map(|(at, name, wide)| format!("  {:>wide$}", cell(*at, name)));
        format!("{mark} {time:<of_time$}{}", cells.collect::<String>())
    };
    let mut lines = vec![String::new(), line(' ', "time", &|_, name| name.to_owned())];
    for bar in &shown {
        let mark = if bar.time == explanation.time { '>' } else { ' ' };
        lines.push(line(mark, &time(bar), &|at, _| cell(bar, at)));
    }
    lines
}

/// The rows of the timestamp with `side` rows on each side.
pub(super) fn nearest(explanation: &Explanation, side: usize) -> Vec<&Bar> {
    let from = explanation.bars.partition_point(|bar| bar.time < explanation.time);
    let behind = explanation.bars.partition_point(|bar| bar.time <= explanation.time);
    let last = explanation.bars.len().min(behind + side);
    explanation.bars[from.saturating_sub(side)..last].iter().collect()
}
