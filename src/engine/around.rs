//! The bars of a finding and those around it, which show what it looks like.

use std::ops::Range;

use super::flagged::Flagged;
use super::frame::{Frame, Layout};
use super::program::Program;

/// Findings of a rule whose bars leave an operator.
pub const MOST_SHOWN: usize = 200;
/// Bars on each side of those that a finding is about.
pub const BESIDE: usize = 15;
/// Bars of one finding, beside those around it.
pub const MOST_OF_FINDING: usize = 30;

/// The names of the values of a bar, in the order in which they are written.
pub const OF_BAR: [&str; 5] = ["open", "high", "low", "close", "volume"];

/// Open, high, low, close and volume; `None` for a value that is NULL, or a field that the bars do not have.
pub type Bar = [Option<f64>; OF_BAR.len()];

/// One of the bars around a finding.
#[derive(Debug, PartialEq)]
pub struct BarAround {
    /// The row of the frame.
    pub row: usize,
    /// Its place from the first bar of the finding on, or, for a gap, from the first bar behind it.
    pub offset: i64,
    /// Whether the finding is about it.
    pub flagged: bool,
}

/// Picks the bars around findings, of the first [`MOST_SHOWN`] of each rule.
#[derive(Debug)]
pub struct Around {
    fields: [Option<usize>; OF_BAR.len()],
    shown: Vec<usize>,
}

impl Around {
    /// For the findings of `program` over frames of `layout`.
    pub fn new(program: &Program, layout: &Layout) -> Self {
        let read = |name: &str| {
            let index = program.bars.field(name)?.0;
            (layout.fields[index].value.is_some() && layout.numeric[index]).then_some(index)
        };
        Self { fields: OF_BAR.map(read), shown: vec![0; program.parse_error() + 1] }
    }

    /// The fields that a bar is made of, by index into those of the bars.
    pub fn fields(&self) -> impl Iterator<Item = usize> + '_ {
        self.fields.iter().flatten().copied()
    }

    /// The bar in `row`.
    pub fn bar(&self, frame: &Frame, row: usize) -> Bar {
        self.fields.map(|field| frame.number(field?, row))
    }

    /// The bars around `flagged`, in the order of time; none where its row has no timestamp, or enough were shown for the
    /// rule. `time` are the timestamps of the dated rows, which come first in a frame.
    pub fn of(&mut self, flagged: &Flagged, time: &[i64]) -> Vec<BarAround> {
        let Some(shown) = self.shown.get_mut(flagged.rule).filter(|shown| **shown < MOST_SHOWN) else {
            return Vec::new();
        };
        let (first, rows) = match flagged.rows.first() {
            Some(first) if first >= time.len() => return Vec::new(),
            Some(first) => {
                let last = flagged.rows.iter().last().unwrap_or(first);
                (first, first..(last + 1).min(first + MOST_OF_FINDING))
            }
            None => {
                let Some(missing) = flagged.finding.time else { return Vec::new() };
                let behind = time.partition_point(|time| *time < missing);
                (behind, behind..behind)
            }
        };
        *shown += 1;
        let about: Vec<usize> = flagged.rows.iter().take_while(|row| *row < rows.end).collect();
        let range: Range<usize> = rows.start.saturating_sub(BESIDE)..(rows.end + BESIDE).min(time.len());
        let place = |row: usize| i64::try_from(row).unwrap_or(i64::MAX);
        range
            .map(|row| BarAround { row, offset: place(row) - place(first), flagged: about.binary_search(&row).is_ok() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Finding;

    /// A bar every ten µs.
    const TIME: [i64; 60] = {
        let mut time = [0; 60];
        let mut row = 1;
        while row < 60 {
            time[row] = time[row - 1] + 10;
            row += 1;
        }
        time
    };

    fn around() -> Around {
        Around { fields: [None; OF_BAR.len()], shown: vec![0; 2] }
    }

    fn span(bars: &[BarAround]) -> Option<(usize, usize, i64, i64)> {
        let (first, last) = (bars.first()?, bars.last()?);
        Some((first.row, last.row, first.offset, last.offset))
    }

    fn flagged(finding: Finding) -> Flagged {
        Flagged::new(0, finding, None)
    }

    #[test]
    fn a_row_has_bars_on_both_sides_as_far_as_there_are_some() {
        let mut around = around();
        let bars = around.of(&flagged(Finding::row(20)), &TIME);
        assert_eq!(span(&bars), Some((5, 35, -15, 15)));
        assert_eq!(bars.iter().filter(|bar| bar.flagged).map(|bar| bar.row).collect::<Vec<_>>(), [20]);
        assert_eq!(span(&around.of(&flagged(Finding::row(0)), &TIME)), Some((0, 15, 0, 15)));
        assert_eq!(span(&around.of(&flagged(Finding::row(59)), &TIME)), Some((44, 59, -15, 0)));
    }

    #[test]
    fn a_gap_lies_between_the_bars_before_and_those_behind() {
        let bars = around().of(&flagged(Finding::gap(205, 207, 2)), &TIME);
        assert_eq!(span(&bars), Some((6, 35, -15, 14)));
        assert_eq!((bars[14].row, bars[14].offset, bars[15].row, bars[15].offset), (20, -1, 21, 0));
        assert!(bars.iter().all(|bar| !bar.flagged));
    }

    #[test]
    fn of_a_long_run_the_beginning_is_shown_and_of_scattered_rows_each() {
        let bars = around().of(&flagged(Finding::run(2..58)), &TIME);
        assert_eq!(span(&bars), Some((0, 46, -2, 44)));
        assert_eq!(bars.iter().filter(|bar| bar.flagged).count(), MOST_OF_FINDING);
        let scattered = Finding::scattered(&[20, 23, 55]).unwrap();
        let bars = around().of(&flagged(scattered), &TIME);
        let about: Vec<usize> = bars.iter().filter(|bar| bar.flagged).map(|bar| bar.row).collect();
        assert_eq!((span(&bars), about), (Some((5, 59, -15, 39)), vec![20, 23]));
    }

    #[test]
    fn a_row_without_a_timestamp_has_none_and_so_have_findings_beyond_the_most() {
        let mut around = around();
        assert_eq!(around.of(&flagged(Finding::row(60)), &TIME), []);
        assert_eq!(around.of(&flagged(Finding::row(0)), &[]), []);
        for _ in 0..MOST_SHOWN {
            assert!(!around.of(&flagged(Finding::row(3)), &TIME).is_empty());
        }
        assert_eq!(around.of(&flagged(Finding::row(3)), &TIME), []);
        let other_rule = Flagged::new(1, Finding::row(3), None);
        assert!(!around.of(&other_rule, &TIME).is_empty());
    }
}
