//! Looks at files that nobody described yet, and writes the job that reads them.
//!
//! Everything that is guessed about data is guessed here, once, into a file that a person can read; a run guesses nothing.
//!
//! ```text
//! sample    rows of some of the files          layout    delimiter, header, what is no record, encoding
//! columns   which column is which field        numbers   how numbers are written
//! time      where the timestamp stands         place     the symbol in the names of files
//! market    interval, calendar, zone           write     the job as text
//! header    names where no header says them    table     rows as texts
//! outcome   a job, or why there is none            wide      tables of dates by tickers
//! document  where the records of JSON are
//! ```

mod columns;
mod document;
mod header;
mod layout;
mod market;
mod numbers;
mod outcome;
mod place;
mod sample;
mod table;
mod time;
mod wide;
mod write;

use std::path::{Path, PathBuf};

use self::outcome::unfit;
pub(crate) use self::outcome::{InspectError, Proposal};
use crate::bars::layout::Delimiter;

/// How numbers are written that are not read as they are, as jobs write `numbers`, where cells are held apart by
/// `delimiter`; `None` where nothing reads them.
pub(crate) fn numbers_as_written(texts: &[String], delimiter: Delimiter) -> Option<String> {
    numbers::as_written(texts, delimiter)
}

/// Whether whole prices are probably counts of billionths.
pub(crate) fn are_billionths(prices: &[i64]) -> bool {
    numbers::are_billionths(prices)
}

/// The format by which timestamps are written; `None` where none that is known reads them.
pub(crate) fn time_as_written(texts: &[String]) -> Option<String> {
    time::as_written(texts)
}

/// Looks at the files that `patterns` name and writes the job for them, which will lie in the folder `jobs`.
pub(crate) fn look(patterns: &[PathBuf], jobs: &Path) -> Result<Proposal, InspectError> {
    let sample = sample::take(patterns)?;
    let roles = columns::assign(&sample.table);
    let place = if roles.symbol.is_none() && !sample.hive.iter().any(|name| name == "symbol") {
        Some(place::pattern(&sample.files))
    } else {
        None
    };
    let series = market::series_of(&sample, &roles, place.as_ref());
    let Some(time) = time::find(&sample.table, &series) else {
        return unfit(
            "no column holds dates or times that barkeep reads",
            "write the job by hand: `barkeep init DIR` makes one, and `time = { field = \"…\", formats = […] }` says how",
        );
    };
    let symbols = market::symbols_of(&sample, &roles, place.as_ref());
    let roles = columns::without_time(&sample.table, roles, &time);
    let needed = ["open", "high", "low", "close"].into_iter().filter(|_| sample.layout.wide.is_none());
    if let Some(missing) = needed.into_iter().find(|name| roles.of(name).is_none()) {
        let names: Vec<String> = sample.table.columns.iter().map(|column| format!("`{}`", column.name)).collect();
        let message = format!("no column is called as the {missing} usually is: {}", names.join(", "));
        return unfit(
            message,
            "write the job by hand: `barkeep init DIR` makes one, and `fields = { … }` says which column is which",
        );
    }
    let numbers = numbers::choose(&sample, &roles, &time);
    let market = market::choose(&sample.table, &series, &time, &symbols);
    Ok(write::Draft { sample: &sample, roles: &roles, place, time: &time, numbers, market }.job(patterns, jobs))
}
