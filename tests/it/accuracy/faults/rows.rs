//! Rows that are missing, repeated, or of days without trading.

use chrono::{DateTime, Datelike as _, Weekday};

use crate::accuracy::bars::Price;
use crate::accuracy::cut::{Cut, Touched};

const DAY: i64 = 86_400;

/// `count` bars are missing.
pub(in crate::accuracy) fn dropped(cut: &mut Cut<'_>, count: usize) -> Option<Touched> {
    let touched = cut.hole(count);
    let at = cut.at;
    cut.rows.drain(at..at + count);
    touched
}

/// The row stands there twice.
pub(in crate::accuracy) fn twice(cut: &mut Cut<'_>) -> Option<Touched> {
    let row = cut.row().clone();
    let at = row.at;
    cut.insert(row, at);
    cut.one()
}

/// The bar stands there twice, with another close and volume.
pub(in crate::accuracy) fn twice_differently(cut: &mut Cut<'_>) -> Option<Touched> {
    let row = cut.row().clone();
    let at = row.at;
    cut.insert(row, at);
    let close = cut.price(Price::Close) * 1.004;
    cut.set(Price::Close, close);
    cut.reach(close);
    cut.scale_volume(1, 0.93);
    cut.one()
}

/// `count` bars repeat the one before them, with its volume or with their own.
pub(in crate::accuracy) fn frozen(cut: &mut Cut<'_>, count: usize, volume: bool) -> Option<Touched> {
    let at = cut.at;
    let first = cut.row().clone();
    (first.volume() > 0.0).then_some(())?;
    for row in &mut cut.rows[at + 1..=at + count] {
        row.prices.clone_from(&first.prices);
        if volume {
            row.volume.clone_from(&first.volume);
        }
    }
    cut.run(count + 1)
}

/// `count` bars were not there and are filled with the close before them and no volume.
pub(in crate::accuracy) fn filled(cut: &mut Cut<'_>, count: usize) -> Option<Touched> {
    let at = cut.at;
    let close = cut.rows[at - 1].prices[Price::Close as usize].clone();
    for row in &mut cut.rows[at..at + count] {
        row.prices = std::array::from_fn(|_| close.clone());
        "0".clone_into(&mut row.volume);
    }
    cut.run(count)
}

/// A row of a Saturday, with the prices of Friday.
pub(in crate::accuracy) fn weekend(cut: &mut Cut<'_>) -> Option<Touched> {
    without_trading(cut, |day| day == Weekday::Sat)
}

/// A row of a holiday, with the prices of the day before.
pub(in crate::accuracy) fn holiday(cut: &mut Cut<'_>) -> Option<Touched> {
    // Where another symbol has the day, this one was suspended.
    cut.stranger(cut.rows[cut.at].at + DAY).is_none().then_some(())?;
    without_trading(cut, |day| !matches!(day, Weekday::Sat | Weekday::Sun))
}

fn without_trading(cut: &mut Cut<'_>, wanted: fn(Weekday) -> bool) -> Option<Touched> {
    let row = cut.row().clone();
    let (day, next) = (row.at + DAY, cut.rows[cut.at + 1].at);
    let weekday = DateTime::from_timestamp(day, 0).unwrap().weekday();
    (day < next && wanted(weekday)).then(|| cut.insert(row, day))?;
    Some(Touched::at((day, day)))
}

/// A row of an hour at night, with the prices of the last hour of the day.
pub(in crate::accuracy) fn at_night(cut: &mut Cut<'_>) -> Option<Touched> {
    let row = cut.row().clone();
    let (hour, next) = (row.at + 5 * 3600, cut.rows[cut.at + 1].at);
    (hour < next).then(|| cut.insert(row, hour))?;
    Some(Touched::at((hour, hour)))
}

/// Two rows have changed places in the file.
pub(in crate::accuracy) fn swapped(cut: &mut Cut<'_>) -> Option<Touched> {
    let touched = cut.run(2);
    let at = cut.at;
    cut.rows.swap(at, at + 1);
    touched
}

/// `count` rows stand behind the `count` rows after them.
pub(in crate::accuracy) fn moved(cut: &mut Cut<'_>, count: usize) -> Option<Touched> {
    let touched = cut.run(2 * count);
    let at = cut.at;
    cut.rows[at..at + 2 * count].rotate_left(count);
    touched
}
