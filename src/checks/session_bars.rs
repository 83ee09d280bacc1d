//! Bars of a series for rules of another job: as they are, or those of one session as one bar.

use super::other_job::OtherBar;
use super::series::Series;

/// The bars of `series` with the values of `fields` (open, high, low, close, volume), of each timestamp the first;
/// bars with one time by `place` are one: the first open, the last close, the highest high, the lowest low and all of
/// the volume.
pub fn session_bars(series: &Series<'_>, fields: [Option<usize>; 5], place: &impl Fn(i64) -> i64) -> Vec<OtherBar> {
    let columns = fields.map(|field| field.map(|index| series.number(index).values()));
    let mut bars: Vec<OtherBar> = Vec::new();
    let mut last = None;
    for row in 0..series.dated() {
        let (time, values) = (series.time[row], columns.map(|column| column.map_or(f64::NAN, |values| values[row])));
        if last.replace(time) == Some(time) {
            continue;
        }
        let time = place(time);
        match bars.last_mut().filter(|bar| bar.time == time) {
            Some(bar) => bar.add(values),
            None => bars.push(OtherBar { time, values }),
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::OtherBars;
    use crate::checks::testing::Fixture;

    #[test]
    fn bars_of_one_session_are_one_bar_and_missing_values_are_left_out() {
        let csv = "time,open,high,low,close,volume\n2024-01-01,10,11,9,10.5,100\n2024-01-02,10.5,12,10,11,50\n\
                   2024-01-03,,,,,\n2024-01-04,11,11.5,8,9,25\n2024-01-05,20,21,19,20,1";
        let fixture = Fixture::daily(csv);
        let day = 86_400_000_000;
        let fields = [0, 1, 2, 3, 4].map(Some);
        let bars = fixture.with_series(|series| {
            session_bars(series, fields, &|time| if time < series.time[4] { 7 } else { time / day })
        });
        let expected = [
            OtherBar { time: 7, values: [10.0, 12.0, 8.0, 9.0, 175.0] },
            OtherBar { time: 19_727, values: [20.0, 21.0, 19.0, 20.0, 1.0] },
        ];
        assert_eq!(bars, expected);
        let mut others = OtherBars::default();
        for piece in OtherBar::to_pieces(&bars) {
            others.take("A", &piece);
        }
        assert_eq!((others.of("A"), others.of("B")), (expected.as_slice(), [].as_slice()));
    }
}
