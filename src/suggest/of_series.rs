//! The bars of one series, and what they add to a profile.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};

use super::profile::{Coverage, Numbers, Profile, Turnover};
use crate::bars::{BarsSpec, TIME};
use crate::market::Slot;

/// The numeric fields that are looked at as such, in the order of `OfSeries::numbers`.
const MEASURED: [&str; 8] = ["open", "high", "low", "close", "volume", "amount", "pre_close", "pct_chg"];

/// Values from which on the quantiles of a series say what is usual.
const LONG: usize = 100;
/// Percentage points by which `pct_chg` may be off, as for the check `pct-change`.
const CHANGE: f64 = 0.01;
/// Share of a price by which a mean price may leave the bar, as for the check `turnover`.
const TURNOVER: f64 = 0.001;

/// The bars of one series, in the order of time.
#[derive(Debug, Default)]
pub(super) struct OfSeries {
    /// The series key; `None` before the first bar.
    pub(super) key: Option<Vec<String>>,
    times: Vec<Option<i64>>,
    /// One column for each of [`MEASURED`]; empty where the bars do not have the field.
    numbers: [Vec<f64>; MEASURED.len()],
}

impl OfSeries {
    pub(super) fn take(&mut self, batch: &RecordBatch) {
        self.times.extend(times(batch));
        for (known, name) in self.numbers.iter_mut().zip(MEASURED) {
            known.extend(numbers(batch, name));
        }
    }

    pub(super) fn add_to(self, profile: &mut Profile, bars: &BarsSpec) {
        let Some(key) = &self.key else { return };
        profile.bars += self.times.len() as u64;
        profile.series += 1;
        profile.symbols.extend(key.first().cloned());
        self.add_times(profile, bars);
        let [open, high, low, close, volume, ..] = &self.numbers;
        add_numbers(&mut profile.closes, close);
        add_numbers(&mut profile.volumes, volume);
        profile.zero_volume += volume.iter().filter(|volume| **volume == 0.0).count() as u64;
        profile.not_positive += close.iter().filter(|close| **close <= 0.0).count() as u64;
        [open, high, low, close].into_iter().flatten().for_each(|price| profile.steps.take(*price));
        self.add_returns(profile, &key.join(" "));
        self.add_turnover(&mut profile.turnover);
        self.add_changes(&mut profile.changes);
    }

    fn add_times(&self, profile: &mut Profile, bars: &BarsSpec) {
        let times: Vec<i64> = self.times.iter().copied().flatten().collect();
        profile.timeless += (self.times.len() - times.len()) as u64;
        profile.repeated += times.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        if let (Some(first), Some(last)) = (times.first(), times.last()) {
            profile.span = Some(profile.span.map_or((*first, *last), |(lo, hi)| (lo.min(*first), hi.max(*last))));
        }
        let (Some(coverage), Some(grid)) = (&mut profile.coverage, &bars.grid) else { return };
        let mut positions = Vec::new();
        for time in &times {
            match grid.slot(*time) {
                Slot::On(position) => positions.push(position),
                Slot::OtherDay(_) | Slot::OffGrid | Slot::OffHours | Slot::Closed => coverage.elsewhere += 1,
                Slot::Tolerated | Slot::OutOfRange => {}
            }
        }
        positions.dedup();
        let expected = positions.first().zip(positions.last());
        let more = Coverage {
            expected: expected.map_or(0, |(first, last)| grid.expected_between(*first, *last)),
            there: positions.len() as u64,
            elsewhere: 0,
        };
        coverage.expected += more.expected;
        coverage.there += more.there;
    }

    /// Returns from bar to bar by the first copy of each timestamp, as `ret(close)` has them.
    fn add_returns(&self, profile: &mut Profile, series: &str) {
        let mut before: Option<(Option<i64>, f64)> = None;
        for (time, close) in self.times.iter().zip(&self.numbers[3]) {
            if time.is_none() || before.is_some_and(|(known, _)| known == *time) {
                continue;
            }
            if let (Some((_, previous)), Some(time)) = (before, time)
                && previous > 0.0
                && *close > 0.0
                && (close / previous).is_finite()
            {
                let change = close / previous - 1.0;
                profile.returns.sizes.take(change.abs());
                if profile.returns.largest.as_ref().is_none_or(|(largest, ..)| change.abs() > largest.abs()) {
                    profile.returns.largest = Some((change, series.to_owned(), *time));
                }
            }
            before = Some((*time, *close));
        }
    }

    fn add_turnover(&self, turnover: &mut Turnover) {
        let [_, high, low, _, volume, amount, ..] = &self.numbers;
        for (((high, low), volume), amount) in high.iter().zip(low).zip(volume).zip(amount) {
            let mean = amount / volume;
            if !(*high > 0.0 && *low > 0.0 && *volume > 0.0 && *amount > 0.0 && mean.is_finite()) {
                continue;
            }
            turnover.evaluated += 1;
            let inside = |mean: f64| mean >= low * (1.0 - TURNOVER) && mean <= high * (1.0 + TURNOVER);
            turnover.inside += u64::from(inside(mean));
            for (power, count) in (-4..=4).zip(&mut turnover.by_power) {
                *count += u64::from(inside(mean * 10_f64.powi(power)));
            }
        }
    }

    fn add_changes(&self, (follow, evaluated): &mut (u64, u64)) {
        let [.., close, _, _, before, percent] = &self.numbers;
        for ((close, before), percent) in close.iter().zip(before).zip(percent) {
            if *before > 0.0 && close.is_finite() && percent.is_finite() {
                *evaluated += 1;
                *follow += u64::from((percent - (close / before - 1.0) * 100.0).abs() <= CHANGE);
            }
        }
    }
}

fn add_numbers(known: &mut Numbers, values: &[f64]) {
    let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    finite.sort_unstable_by(f64::total_cmp);
    let (Some(least), Some(most)) = (finite.first(), finite.last()) else { return };
    known.count += finite.len() as u64;
    Numbers::widen(&mut known.all, (*least, *most));
    let median = finite[finite.len() / 2];
    let usual = match finite.len() {
        short if short < LONG => (median, median),
        long => (finite[long / 100], finite[long - 1 - long / 100]),
    };
    Numbers::widen(&mut known.usual, usual);
}

/// The timestamps of a batch.
fn times(batch: &RecordBatch) -> Vec<Option<i64>> {
    let column = batch.column_by_name(TIME).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    column.map_or_else(|| vec![None; batch.num_rows()], |times| times.iter().collect())
}

/// The numbers of a batch; a NULL is NaN, and a field that there is not is empty.
fn numbers(batch: &RecordBatch, name: &str) -> Vec<f64> {
    let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Float64Type>());
    column.map_or_else(Vec::new, |numbers| numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}
