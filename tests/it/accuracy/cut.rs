//! The place at which a fault is put in, and what it may do there.

use super::bars::{Bars, PREVIOUS, Price, Row, Series};
use super::base::Clock;
use super::random::Random;

/// Timestamps from the first to the last, in seconds UTC.
pub(super) type Span = (i64, i64);

/// What a fault changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touched {
    /// Where a finding must begin or end to have found it: its bars, or the bars before and behind a seam.
    pub(super) seam: Span,
    /// Whether it goes on: then findings about its other bars do not find it.
    pub(super) lasting: bool,
    /// All timestamps that it changed: a finding there is not false.
    pub(super) all: Span,
    /// Where rows stand now that it moved: a finding there is not false either.
    pub(super) moved: Option<Span>,
}

impl Touched {
    /// Found anywhere in `span`.
    pub(super) fn at(span: Span) -> Self {
        Self { seam: span, lasting: false, all: span, moved: None }
    }
}

/// A fault that was put in.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// The series it is found in.
    pub(super) symbol: String,
    /// The real series that a copy was made of.
    pub(super) original: Option<String>,
    pub(super) touched: Touched,
    /// Whether it is all of its series, so that any finding about the series finds it.
    pub(super) whole: bool,
    /// The lines of its rows in the file, from 1.
    pub(super) lines: Vec<usize>,
}

impl Fault {
    /// Where it is.
    pub(super) fn line(&self) -> String {
        let time = |at: i64| chrono::DateTime::from_timestamp(at, 0).unwrap().format("%Y-%m-%d %H:%M").to_string();
        let line = self.lines.first().map(|line| format!(" line {line}")).unwrap_or_default();
        format!("{} {} .. {}{line}", self.symbol, time(self.touched.seam.0), time(self.touched.seam.1))
    }
}

/// A place in a series. The bars after it may hold other faults, far enough away.
pub(super) struct Cut<'a> {
    pub(super) rows: &'a mut Vec<Row>,
    /// The bar that the fault begins with.
    pub(super) at: usize,
    pub(super) random: &'a mut Random,
    /// All series without faults, and the symbol of this one.
    pub(super) clean: &'a Bars,
    pub(super) symbol: &'a str,
    pub(super) clock: Clock,
    /// Series that the fault adds.
    pub(super) added: &'a mut Vec<Series>,
    /// The index of the fault.
    pub(super) id: usize,
}

impl Cut<'_> {
    pub(super) fn row(&mut self) -> &mut Row {
        &mut self.rows[self.at]
    }

    /// A price of the bar.
    pub(super) fn price(&self, price: Price) -> f64 {
        self.rows[self.at].price(price)
    }

    /// Writes a price with the digits that the bar has.
    pub(super) fn set(&mut self, price: Price, value: f64) {
        set(&mut self.rows[self.at], price, value);
    }

    /// Makes high and low of the bar reach to `value`.
    pub(super) fn reach(&mut self, value: f64) {
        if self.price(Price::High) < value {
            self.set(Price::High, value);
        }
        if self.price(Price::Low) > value {
            self.set(Price::Low, value);
        }
    }

    /// Puts a row after the bar; its timestamp is `at`.
    pub(super) fn insert(&mut self, mut row: Row, at: i64) {
        (row.at, row.time, row.fault) = (at, self.clock.text(at), Some(self.id));
        self.rows.insert(self.at + 1, row);
    }

    /// Multiplies all prices of `count` bars.
    pub(super) fn scale(&mut self, count: usize, factor: f64) {
        self.rows[self.at..self.at + count].iter_mut().for_each(|row| scale(row, factor, row.digits()));
    }

    /// Multiplies the volume of `count` bars.
    pub(super) fn scale_volume(&mut self, count: usize, factor: f64) {
        for row in &mut self.rows[self.at..self.at + count] {
            let volume = row.volume() * factor;
            set_volume(row, volume);
        }
    }

    /// Bars from the place to the end.
    pub(super) fn left(&self) -> usize {
        self.rows.len() - self.at
    }

    /// The bar was changed and no other one.
    pub(super) fn one(&mut self) -> Option<Touched> {
        self.run(1)
    }

    /// `count` bars were changed.
    #[expect(clippy::unnecessary_wraps, reason = "a fault gives what it touched, or nothing where it has no room")]
    pub(super) fn run(&mut self, count: usize) -> Option<Touched> {
        let span = (self.rows[self.at].at, self.rows[self.at + count - 1].at);
        self.mark(count);
        Some(Touched::at(span))
    }

    /// `count` bars have another level. The first one after them jumps back, and a finding there is right.
    pub(super) fn level(&mut self, count: usize) -> Option<Touched> {
        let touched = self.run(count)?;
        let back = self.rows[self.at + count].at;
        Some(Touched::at((touched.seam.0, back)))
    }

    /// The bars from here to the end were changed: it is found at the seam.
    pub(super) fn rest(&mut self) -> Option<Touched> {
        let before = self.rows[self.at - 1].at;
        let touched = self.run(self.left())?;
        Some(Touched {
            seam: (before, self.rows[self.at].at),
            lasting: true,
            all: (before, touched.all.1),
            moved: None,
        })
    }

    /// The bars up to here were changed.
    #[expect(clippy::unnecessary_wraps, reason = "a fault gives what it touched, or nothing where it has no room")]
    pub(super) fn past(&mut self) -> Option<Touched> {
        let (seam, first) = ((self.rows[self.at - 1].at, self.rows[self.at].at), self.rows[0].at);
        self.rows[..self.at].iter_mut().for_each(|row| row.fault = Some(self.id));
        Some(Touched { seam, lasting: true, all: (first, seam.1), moved: None })
    }

    /// All bars of the series were changed.
    pub(super) fn whole(&mut self) -> Option<Touched> {
        self.at = 0;
        self.run(self.rows.len())
    }

    /// `count` bars are missing from here on, or stand under another timestamp.
    #[expect(clippy::unnecessary_wraps, reason = "a fault gives what it touched, or nothing where it has no room")]
    pub(super) fn hole(&mut self, count: usize) -> Option<Touched> {
        let span = (self.rows[self.at].at, self.rows[self.at + count - 1].at);
        Some(Touched::at(span))
    }

    /// The bars are of the fault.
    pub(super) fn mark(&mut self, count: usize) {
        self.rows[self.at..self.at + count].iter_mut().for_each(|row| row.fault = Some(self.id));
    }

    /// The bar of another symbol at the timestamp `at`.
    pub(super) fn stranger(&self, at: i64) -> Option<Row> {
        let mut others = self.clean.series.iter().filter(|series| series.symbol != self.symbol);
        let row = |series: &Series| {
            series.rows.binary_search_by_key(&at, |row| row.at).ok().map(|row| series.rows[row].clone())
        };
        others.find_map(row)
    }
}

/// Writes a price with the digits that its bar has.
pub(super) fn set(row: &mut Row, price: Price, value: f64) {
    row.prices[price as usize] = format!("{value:.0$}", row.digits());
}

/// Multiplies all prices of a bar, which get so many digits.
pub(super) fn scale(row: &mut Row, factor: f64, digits: usize) {
    row.prices.iter_mut().for_each(|cell| *cell = times(cell, factor, digits));
}

/// The same, with the previous close where the file has it: the bar agrees with itself.
pub(super) fn scale_whole(row: &mut Row, factor: f64, digits: usize) {
    scale(row, factor, digits);
    row.others.get_mut(PREVIOUS).into_iter().for_each(|cell| *cell = times(cell, factor, digits));
}

/// A smaller unit takes more digits: a hundredth of 24.55 is 0.2455.
fn times(cell: &str, factor: f64, digits: usize) -> String {
    let more = [0.2, 0.02, 0.002].iter().filter(|limit| factor < **limit).count();
    format!("{:.1$}", cell.parse::<f64>().unwrap() * factor, digits + more)
}

/// Writes a volume with the digits that it has.
pub(super) fn set_volume(row: &mut Row, value: f64) {
    let digits = if row.volume.contains('.') { 8 } else { 0 };
    row.volume = format!("{value:.digits$}");
}
