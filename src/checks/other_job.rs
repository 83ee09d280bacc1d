//! The bars of another job, for rules that compare with them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::schema::SourceText;

/// Another job that a rule names.
#[derive(Debug, Clone)]
pub struct OtherJob {
    /// Its file.
    pub path: PathBuf,
    /// The rule file that names it, and where.
    pub file: Arc<SourceText>,
    /// The place of the name.
    pub span: Range<usize>,
}

/// A bar of another job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OtherBar {
    /// Its timestamp as the bars of this job have it, µs UTC.
    pub time: i64,
    /// Open, high, low, close and volume; NaN where it has none.
    pub values: [f64; 5],
}

/// The bars of another job by symbol, each in the order of time.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct OtherBars(BTreeMap<String, Vec<OtherBar>>);

/// Bytes of a bar.
const WIDTH: usize = 48;
/// At most so many bars are written as one piece, which then stays below a megabyte.
const IN_PIECE: usize = 16_384;

impl OtherBar {
    /// Adds a later bar of the same session.
    pub(super) fn add(&mut self, [open, high, low, close, volume]: [f64; 5]) {
        let [first, highest, lowest, last, all] = &mut self.values;
        if first.is_nan() {
            *first = open;
        }
        // The larger and the smaller of two numbers is the other one where one is missing.
        *highest = highest.max(high);
        *lowest = lowest.min(low);
        if !close.is_nan() {
            *last = close;
        }
        *all = if all.is_nan() { volume } else { *all + if volume.is_nan() { 0.0 } else { volume } };
    }

    /// Bars as pieces of bytes.
    pub fn to_pieces(bars: &[Self]) -> Vec<Vec<u8>> {
        let bytes =
            |bar: &Self| bar.time.to_le_bytes().into_iter().chain(bar.values.into_iter().flat_map(f64::to_le_bytes));
        bars.chunks(IN_PIECE).map(|piece| piece.iter().flat_map(bytes).collect()).collect()
    }
}

impl OtherBars {
    /// Takes a piece that [`OtherBar::to_pieces`] wrote, of the series of `symbol`; pieces of one series come in order.
    pub fn take(&mut self, symbol: &str, piece: &[u8]) {
        let bars = self.0.entry(symbol.to_owned()).or_default();
        for bytes in piece.chunks_exact(WIDTH) {
            let (words, _) = bytes.as_chunks::<8>();
            if let [time, values @ ..] = words
                && let Some(values) = values.first_chunk::<5>()
            {
                bars.push(OtherBar { time: i64::from_le_bytes(*time), values: values.map(f64::from_le_bytes) });
            }
        }
    }

    /// Bytes of memory that they take, about.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(symbol, bars)| symbol.capacity() + bars.capacity() * size_of::<OtherBar>()).sum()
    }

    /// The bars of `symbol`, in the order of time.
    pub fn of(&self, symbol: &str) -> &[OtherBar] {
        self.0.get(symbol).map_or(&[], Vec::as_slice)
    }
}
