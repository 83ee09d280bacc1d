//! Bars of a real file as the generator changes them: cells are texts, as they stand in the file.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::base::Base;

/// The prices of a bar in the order of their columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Price {
    Open,
    High,
    Low,
    Close,
}

/// Open, high, low, close.
pub(super) const PRICES: [Price; 4] = [Price::Open, Price::High, Price::Low, Price::Close];

/// Where the previous close and the amount stand in [`Row::others`], for the files that have them.
pub(super) const PREVIOUS: usize = 0;
const AMOUNT: usize = 2;

/// One row of the file.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its true timestamp in seconds UTC.
    pub(super) at: i64,
    /// The cell of its timestamp.
    pub(super) time: String,
    pub(super) prices: [String; 4],
    pub(super) volume: String,
    /// Cells that only some files have: those of [`Base::others`], in this order.
    pub(super) others: Vec<String>,
    /// The fault that changed or added it, by its index.
    pub(super) fault: Option<usize>,
}

impl Row {
    /// A price as a number; NaN where the cell is none.
    pub(super) fn price(&self, price: Price) -> f64 {
        self.prices[price as usize].parse().unwrap_or(f64::NAN)
    }

    pub(super) fn volume(&self) -> f64 {
        self.volume.parse().unwrap_or(f64::NAN)
    }

    /// Hands of 100 shares and thousands of yuan, in shares and yuan.
    fn in_shares_and_yuan(&mut self) {
        self.volume = format!("{:.0}", self.volume() * 100.0);
        let amount: f64 = self.others[AMOUNT].parse().unwrap();
        self.others[AMOUNT] = format!("{:.0}", amount * 1000.0);
    }

    /// Digits after the point of its prices, at least 2.
    pub(super) fn digits(&self) -> usize {
        let digits = |cell: &String| cell.split_once('.').map_or(0, |(_, digits)| digits.len());
        self.prices.iter().map(digits).max().unwrap_or(0).max(2)
    }
}

/// The rows of one symbol, in time order.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) symbol: String,
    pub(super) rows: Vec<Row>,
}

/// The rows of a file, symbol by symbol.
#[derive(Debug, Clone)]
pub(super) struct Bars {
    pub(super) series: Vec<Series>,
}

impl Bars {
    /// The rows of `base` in the folder `data`.
    pub(super) fn read(base: &Base, data: &Path) -> Self {
        let mut reader = csv::Reader::from_path(data.join(base.file)).unwrap();
        let header = reader.headers().unwrap().clone();
        let column = |name: &str| header.iter().position(|cell| cell == name).unwrap_or_else(|| panic!("no `{name}`"));
        let columns = ["symbol", base.time, "open", "high", "low", "close", base.volume].map(column);
        let others: Vec<Option<usize>> =
            base.others.iter().map(|name| header.iter().position(|cell| cell == *name)).collect();
        let filter = base.filter.map(|(name, value)| (column(name), value));
        let mut series: Vec<Series> = Vec::new();
        for record in reader.records() {
            let record = record.unwrap();
            if filter.is_some_and(|(column, value)| &record[column] != value) {
                continue;
            }
            let [symbol, time, open, high, low, close, volume] = columns.map(|column| record[column].to_owned());
            let at = base.clock.seconds(&time);
            // The one column that a file lacks is the symbol with its exchange, which here is the symbol.
            let others = others.iter().map(|column| column.map_or(&*symbol, |column| &record[column]).to_owned());
            let mut row =
                Row { at, time, prices: [open, high, low, close], volume, others: others.collect(), fault: None };
            if base.hands {
                row.in_shares_and_yuan();
            }
            match series.iter_mut().find(|series| series.symbol == symbol) {
                Some(series) => series.rows.push(row),
                None => series.push(Series { symbol, rows: vec![row] }),
            }
        }
        // Chinese files begin with the newest bar.
        for series in &mut series {
            series.rows.sort_by_key(|row| row.at);
        }
        Self { series }.in_pieces(base)
    }

    /// Each series in pieces of the length that `base` wants, called `AAPL.A`, `AAPL.B`, ….
    fn in_pieces(self, base: &Base) -> Self {
        let Some(length) = base.piece else { return self };
        let pieces = |series: Series| {
            // Patterns of symbols allow a letter after a point.
            let pieces = ('A'..='Z').zip(series.rows.chunks_exact(length));
            let piece = |(letter, rows): (char, &[Row])| Series {
                symbol: format!("{}.{letter}", series.symbol),
                rows: rows.to_vec(),
            };
            pieces.map(piece).collect::<Vec<_>>()
        };
        Self { series: self.series.into_iter().flat_map(pieces).collect() }
    }

    /// Writes the rows as CSV.
    pub(super) fn write(&self, base: &Base, path: &Path) {
        let mut text = format!("symbol,{},open,high,low,close,volume", base.time);
        base.others.iter().for_each(|name| write!(text, ",{name}").unwrap());
        text.push('\n');
        for series in &self.series {
            for row in &series.rows {
                write!(text, "{},{},{},{}", series.symbol, row.time, row.prices.join(","), row.volume).unwrap();
                row.others.iter().for_each(|cell| write!(text, ",{cell}").unwrap());
                text.push('\n');
            }
        }
        fs::write(path, text).unwrap();
    }
}
