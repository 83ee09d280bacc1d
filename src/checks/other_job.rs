//! The bars of another job, for rules that compare with them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::series::Series;
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
    /// The bars of `series` with the values of `fields` (open, high, low, close, volume), of each timestamp the first;
    /// bars with one time by `place` are one: the first open, the last close, the highest high, the lowest low and all of
    /// the volume.
    pub fn collect(series: &Series<'_>, fields: [Option<usize>; 5], place: &impl Fn(i64) -> i64) -> Vec<Self> {
        let columns = fields.map(|field| field.map(|index| series.number(index).values()));
        let mut bars: Vec<Self> = Vec::new();
        let mut last = None;
        for row in 0..series.dated() {
            let (time, values) =
                (series.time[row], columns.map(|column| column.map_or(f64::NAN, |values| values[row])));
            if last.replace(time) == Some(time) {
                continue;
            }
            let time = place(time);
            match bars.last_mut().filter(|bar| bar.time == time) {
                Some(bar) => bar.add(values),
                None => bars.push(Self { time, values }),
            }
        }
        bars
    }

    fn add(&mut self, [open, high, low, close, volume]: [f64; 5]) {
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

    /// The bars of `symbol`, in the order of time.
    pub fn of(&self, symbol: &str) -> &[OtherBar] {
        self.0.get(symbol).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::Fixture;

    #[test]
    fn bars_of_one_session_are_one_bar_and_missing_values_are_left_out() {
        let csv = "time,open,high,low,close,volume\n2024-01-01,10,11,9,10.5,100\n2024-01-02,10.5,12,10,11,50\n\
                   2024-01-03,,,,,\n2024-01-04,11,11.5,8,9,25\n2024-01-05,20,21,19,20,1";
        let fixture = Fixture::daily(csv);
        let day = 86_400_000_000;
        let fields = [0, 1, 2, 3, 4].map(Some);
        let bars = fixture.with_series(|series| {
            OtherBar::collect(series, fields, &|time| if time < series.time[4] { 7 } else { time / day })
        });
        let expected = [
            OtherBar { time: 7, values: [10.0, 12.0, 8.0, 9.0, 175.0] },
            OtherBar { time: 19_727, values: [20.0, 21.0, 19.0, 20.0, 1.0] },
        ];
        assert_eq!(bars, expected);
        let mut others = OtherBars::default();
        OtherBar::to_pieces(&bars).iter().for_each(|piece| others.take("A", piece));
        assert_eq!((others.of("A"), others.of("B")), (expected.as_slice(), [].as_slice()));
    }
}
