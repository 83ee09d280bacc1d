//! A bar, its neighbours and what the rules say, as text.

use super::look::Look;
use super::{answers, chart, table};
use crate::run::explain::{Bar, ByCalendar, Explanation};
use crate::text::columns::{columns, wrapped};
use crate::text::escape::visible;
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// The bar, its neighbours and the rules, at most so wide as the terminal.
pub(super) fn text(explanation: &Explanation, look: Look) -> Vec<String> {
    let mut lines = head(explanation);
    if look.drawn {
        lines.extend(chart::lines(explanation, look));
    } else {
        lines.extend(table::lines(explanation, look.width));
    }
    lines.push(String::new());
    lines.extend(answers::lines(explanation, look));
    let wide = |line: String| match line.contains('\u{1b}') || columns(&line) <= look.width {
        true => vec![line],
        false => wrapped(&line, look.width),
    };
    lines.into_iter().flat_map(wide).collect()
}

/// What is asked about, and what is there.
fn head(explanation: &Explanation) -> Vec<String> {
    let daily = explanation.is_daily();
    let time = UtcMicros(explanation.time).timestamp(daily);
    let series = visible(&explanation.series);
    let rows: Vec<&Bar> = explanation.rows().collect();
    let calendar = explanation.calendar.as_deref().unwrap_or_default();
    let says = match explanation.by_calendar {
        ByCalendar::None => "the job has no calendar".to_owned(),
        ByCalendar::Expected => format!("{calendar} expects a bar there"),
        ByCalendar::Possible => format!("{calendar} expects no bar there, and one may be there"),
        ByCalendar::OffGrid => format!("by {calendar} no bar of {} begins there", explanation.interval),
        ByCalendar::OffHours => format!("it is outside of the hours of {calendar}"),
        ByCalendar::Closed => format!("{calendar} is closed on that day"),
        ByCalendar::NotKnown => format!("{calendar} does not reach that day"),
    };
    if rows.is_empty() {
        let mut lines = vec![format!("no bar of {series} at {time}: {says}")];
        let [before, behind] = explanation.nearest();
        let at = |time: Option<i64>| time.map_or_else(|| "none".to_owned(), |time| UtcMicros(time).timestamp(daily));
        lines.push(format!("nearest: {} before, {} behind", at(before), at(behind)));
        return lines;
    }
    let mut lines = vec![format!("{series}   {time}   {}", says)];
    if rows.len() > 1 {
        lines.push(format!("{} of that time: these are copies", counted(rows.len() as u64, "row")));
    }
    for bar in rows {
        lines.push(format!("  {}   {}", values(bar), visible(&bar.place)));
    }
    lines
}

/// The numbers of a row with their names.
fn values(bar: &Bar) -> String {
    let names = ["open", "high", "low", "close", "volume"];
    let each = names.iter().zip(bar.values).filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    each.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests;
