//! Rows under a wrong timestamp, or one that nobody can read.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime};

use crate::accuracy::cut::{Cut, Touched};

/// The cell of the timestamp has this text. The next bar then follows an earlier one, which is a finding about the fault.
fn written(cut: &mut Cut<'_>, time: String) -> Option<Touched> {
    (time != cut.row().time).then_some(())?;
    cut.row().time = time;
    cut.mark(1);
    let touched = cut.hole(1)?;
    Some(Touched { all: (touched.all.0, cut.rows[cut.at + 1].at), ..touched })
}

/// The same, where the text is a date that the row now stands under.
fn moved(cut: &mut Cut<'_>, date: NaiveDate) -> Option<Touched> {
    let at = date.and_time(NaiveTime::MIN).and_utc().timestamp();
    let touched = written(cut, cut.clock.text(at))?;
    // Between the bars of the series and one far from them there is a gap.
    let (first, last) = (cut.rows[0].at, cut.rows[cut.rows.len() - 1].at);
    Some(Touched { moved: Some((at.min(last), at.max(first))), ..touched })
}

/// The date of the bar.
fn date(cut: &Cut<'_>) -> NaiveDate {
    DateTime::from_timestamp(cut.rows[cut.at].at, 0).unwrap().date_naive()
}

/// The date is in another format.
pub(in crate::accuracy) fn format(cut: &mut Cut<'_>, format: &str) -> Option<Touched> {
    let text = date(cut).format(format).to_string();
    written(cut, text)
}

/// Instead of the date stands the number of the row.
pub(in crate::accuracy) fn number(cut: &mut Cut<'_>) -> Option<Touched> {
    written(cut, cut.at.to_string())
}

/// The date is the first one of computers.
pub(in crate::accuracy) fn epoch(cut: &mut Cut<'_>) -> Option<Touched> {
    moved(cut, NaiveDate::default())
}

/// Day and month are exchanged, where that makes another date.
pub(in crate::accuracy) fn day_and_month_swapped(cut: &mut Cut<'_>) -> Option<Touched> {
    let date = date(cut);
    moved(cut, NaiveDate::from_ymd_opt(date.year(), date.day(), date.month())?)
}

/// The year is mistyped: a bar of 80 years later.
pub(in crate::accuracy) fn later(cut: &mut Cut<'_>) -> Option<Touched> {
    let date = date(cut);
    moved(cut, date.with_year(date.year() + 80)?)
}

/// `count` rows are late by so many seconds.
pub(in crate::accuracy) fn shifted(cut: &mut Cut<'_>, count: usize, seconds: i64) -> Option<Touched> {
    let (at, clock) = (cut.at, cut.clock);
    let touched = cut.run(count)?;
    for row in &mut cut.rows[at..at + count] {
        row.time = clock.text(row.at + seconds);
    }
    Some(Touched::at((touched.all.0, touched.all.1 + seconds)))
}
