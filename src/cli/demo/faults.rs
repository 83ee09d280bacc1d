//! The faults of the demo's bars: what is done to which bar, and which rules must find it.
//!
//! Far apart, so that each fault is evaluated by clean bars. Bars a feed may well send (a suspension) are among the
//! changes too: no rule may take them for a fault.

use super::walk::Row;

/// Micro-dollars of a cent.
const CENT: i64 = 10_000;

/// What is done to a bar, or from that bar on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// One more row, with a timestamp that is not a date.
    Unreadable(&'static str),
    /// One more row, on a day without trading.
    Closed(&'static str),
    /// One more row, with the symbol in lower case.
    LowerCase,
    /// The row again.
    Twin,
    /// The row again, with another close and half the volume.
    Conflict,
    /// No close.
    Blank,
    /// A high below open or close.
    HighBelow,
    /// A low above open or close.
    LowAbove,
    /// High and low in each other's place.
    Swapped,
    /// The volume with a minus sign.
    Negative,
    /// The largest number of 32 bits for a volume.
    Overflow,
    /// No volume, although the price moved.
    Untraded,
    /// A close that is this many per cent of the true one.
    Spike(i64),
    /// A low 30 % below the true one.
    Wick,
    /// Two bars at a tenth of their prices.
    Tenth,
    /// Prices in ten-thousandths of a dollar.
    Unscaled,
    /// Prices corrected for a dividend, among raw ones.
    Adjusted,
    /// So many bars that repeat this one.
    Stale(usize),
    /// So many bars left out.
    Gap(usize),
    /// The row after the one that should follow it.
    Late,
    /// So many bars without trades, at the last close: as it should be.
    Suspended(usize),
}

use Change::{
    Adjusted, Blank, Closed, Conflict, Gap, HighBelow, Late, LowAbove, LowerCase, Negative, Overflow, Spike, Stale,
    Suspended, Swapped, Tenth, Twin, Unreadable, Unscaled, Untraded, Wick,
};

/// Every change, with the symbol and the trading date of its bar.
pub(super) const CHANGES: &[(Change, &str, &str)] = &[
    (Unreadable("2023-02-29"), "ROWAN", "2023-02-28"),
    (Unreadable("417"), "OSIER", "2025-06-30"),
    (Unreadable("15.03.2024"), "FICUS", "2024-03-15"),
    (Unreadable("2022-11-31"), "LARCH", "2022-11-30"),
    (Closed("2024-11-28"), "TULIP", "2024-11-27"),
    (Closed("2023-07-15"), "PECAN", "2023-07-14"),
    (Closed("2025-01-09"), "ACORN", "2025-01-08"),
    (LowerCase, "GUAVA", "2024-12-18"),
    (LowerCase, "ASPEN", "2022-12-15"),
    (Twin, "BEECH", "2023-11-01"),
    (Twin, "LILAC", "2023-05-01"),
    (Twin, "HOLLY", "2024-07-17"),
    (Conflict, "BIRCH", "2024-08-29"),
    (Conflict, "ELDER", "2022-05-17"),
    (Blank, "HAZEL", "2023-12-26"),
    (Blank, "MAPLE", "2023-01-25"),
    (HighBelow, "THORN", "2022-12-20"),
    (HighBelow, "THUJA", "2025-07-31"),
    (LowAbove, "ALDER", "2022-11-18"),
    (Swapped, "EBONY", "2022-04-29"),
    (Swapped, "CEDAR", "2023-03-07"),
    (Negative, "MANGO", "2022-12-29"),
    (Negative, "OLIVE", "2023-07-05"),
    (Overflow, "SUMAC", "2023-02-17"),
    (Overflow, "CEDAR", "2025-02-24"),
    (Untraded, "ELDER", "2023-11-17"),
    (Untraded, "HOLLY", "2022-05-31"),
    (Spike(72), "MANGO", "2024-01-05"),
    (Spike(131), "HAZEL", "2022-08-03"),
    (Spike(76), "TULIP", "2022-05-03"),
    (Wick, "LILAC", "2024-04-15"),
    (Wick, "THORN", "2024-04-02"),
    (Tenth, "OSIER", "2023-12-19"),
    (Tenth, "ROWAN", "2024-01-11"),
    (Unscaled, "EBONY", "2023-11-08"),
    (Adjusted, "ALDER", "2025-05-29"),
    (Adjusted, "BIRCH", "2025-09-03"),
    (Stale(6), "LARCH", "2023-07-13"),
    (Stale(9), "ACORN", "2024-02-02"),
    (Gap(1), "BEECH", "2023-03-06"),
    (Gap(1), "PECAN", "2024-05-31"),
    (Gap(5), "GUAVA", "2023-07-28"),
    (Late, "FICUS", "2025-08-01"),
    (Late, "ASPEN", "2024-11-14"),
    (Suspended(4), "OLIVE", "2025-04-08"),
    (Suspended(7), "THUJA", "2023-08-02"),
];

impl Change {
    /// The rules that must find it.
    pub(super) fn rules(self) -> &'static [&'static str] {
        match self {
            Unreadable(_) => &["date-format"],
            Closed(_) => &["off-calendar"],
            LowerCase => &["us-symbol"],
            Twin => &["duplicate", "duplicate-copy"],
            Conflict => &["duplicate"],
            Blank => &["required"],
            HighBelow | LowAbove | Swapped | Negative => &["ohlc"],
            Overflow => &["volume-overflow"],
            Untraded => &["zero-volume"],
            Spike(_) => &["price-spike", "outlier", "bar-excess"],
            Wick => &["bar-excess"],
            Tenth => &["outlier"],
            Unscaled => &["us-price-range"],
            Adjusted => &["us-price-step"],
            Stale(_) => &["stale"],
            Gap(_) => &["gap"],
            Late => &["order"],
            Suspended(_) => &[],
        }
    }

    /// The rules that report all the bars of the change at once, under the first.
    pub(super) fn rules_of_runs(self) -> &'static [&'static str] {
        match self {
            Tenth => &["unit-slip"],
            _ => &[],
        }
    }

    /// What was done, for the reader of the list of faults.
    pub(super) fn what(self) -> &'static str {
        match self {
            Unreadable(_) => "a timestamp that is not a date",
            Closed(_) => "a bar on a day without trading",
            LowerCase => "a symbol in lower case",
            Twin => "the same row twice",
            Conflict => "two rows for one day that differ",
            Blank => "no close",
            HighBelow => "a high below open or close",
            LowAbove => "a low above open or close",
            Swapped => "high and low swapped",
            Negative => "a negative volume",
            Overflow => "a volume cut off at 32 bits",
            Untraded => "no volume although the price moved",
            Spike(_) => "a close that comes back the next day",
            Wick => "a low 30 % too low",
            Tenth => "two bars at a tenth of their prices",
            Unscaled => "prices in ten-thousandths of a dollar",
            Adjusted => "adjusted prices among raw ones",
            Stale(_) => "the same bar for days",
            Gap(_) => "sessions left out",
            Late => "a row after its successor",
            Suspended(_) => "a suspension",
        }
    }

    /// Changes the bar at `at` of `rows`, or those from there on. Returns symbol and timestamp of what must be found.
    pub(super) fn apply(self, rows: &mut Vec<Row>, at: usize) -> Vec<(String, String)> {
        let place = |row: &Row| (row.symbol.clone(), row.date.clone());
        match self {
            Unreadable(_) | Closed(_) | LowerCase | Twin | Conflict => {
                let extra = self.extra(&rows[at]);
                let found = place(&extra);
                rows.insert(at + 1, extra);
                vec![found]
            }
            Tenth => {
                rows[at..at + 2].iter_mut().for_each(|row| scale(row, |price| cents(price / 10)));
                rows[at..at + 2].iter().map(place).collect()
            }
            Stale(bars) => {
                let prices = rows[at].prices;
                rows[at + 1..=at + bars].iter_mut().for_each(|row| row.prices = prices);
                vec![place(&rows[at + 1])]
            }
            Suspended(bars) => {
                let close = rows[at - 1].prices[3];
                rows[at..at + bars].iter_mut().for_each(|row| (row.prices, row.volume) = ([close; 4], 0));
                Vec::new()
            }
            Gap(bars) => rows.drain(at..at + bars).take(1).map(|row| place(&row)).collect(),
            Late => {
                rows.swap(at, at + 1);
                vec![place(&rows[at + 1])]
            }
            _ => {
                self.alter(&mut rows[at]);
                vec![place(&rows[at])]
            }
        }
    }

    /// The row to put after `row`.
    fn extra(self, row: &Row) -> Row {
        let row = row.clone();
        match self {
            Unreadable(date) | Closed(date) => Row { date: date.to_owned(), ..row },
            LowerCase => Row { symbol: row.symbol.to_lowercase(), ..row },
            Conflict => {
                let [open, high, low, _] = row.prices;
                Row { prices: [open, high, low, open], volume: row.volume / 2, ..row }
            }
            _ => row,
        }
    }

    /// Changes one row in place.
    fn alter(self, row: &mut Row) {
        let [open, high, low, close] = &mut row.prices;
        match self {
            Blank => *close = None,
            HighBelow => *high = (*open).max(*close).map(|price| price - 10 * CENT),
            LowAbove => *low = (*open).min(*close).map(|price| price + 10 * CENT),
            Swapped => std::mem::swap(high, low),
            Wick => *low = low.map(|price| cents(price * 7 / 10)),
            Spike(percent) => {
                *close = close.map(|price| cents(price * percent / 100));
                (*high, *low) = ((*high).max(*close), (*low).min(*close));
            }
            Unscaled => scale(row, |price| price * 10_000),
            Adjusted => scale(row, |price| price * 98_737 / 100_000),
            Negative => row.volume = -row.volume,
            Overflow => row.volume = i64::from(i32::MAX),
            Untraded => row.volume = 0,
            _ => {}
        }
    }
}

fn scale(row: &mut Row, by: impl Fn(i64) -> i64) {
    row.prices = row.prices.map(|price| price.map(&by));
}

/// Rounded down to cents.
fn cents(price: i64) -> i64 {
    price / CENT * CENT
}
