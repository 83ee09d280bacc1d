//! Clean daily bars of invented companies: random walks that share a market, on the sessions of New York.
//!
//! Integer arithmetic and a generator of its own, so that every machine makes the same bytes. No clock and no
//! files; what is wrong with the demo's bars is put in by `faults.rs`.

use chrono::{NaiveDate, TimeDelta};

use crate::market::{Calendar, Lookup, Session};

/// The companies; none of them exists.
pub(super) const SYMBOLS: [&str; 24] = [
    "ACORN", "ALDER", "ASPEN", "BEECH", "BIRCH", "CEDAR", "EBONY", "ELDER", "FICUS", "GUAVA", "HAZEL", "HOLLY",
    "LARCH", "LILAC", "MANGO", "MAPLE", "OLIVE", "OSIER", "PECAN", "ROWAN", "SUMAC", "THORN", "THUJA", "TULIP",
];

/// Trading dates the bars lie between, both included.
const FIRST: (i32, u32, u32) = (2022, 1, 3);
const LAST: (i32, u32, u32) = (2025, 12, 31);

/// Micro-dollars of a cent.
const CENT: i64 = 10_000;

/// Parts of a return: one million is 100 %.
const WHOLE: i64 = 1_000_000;

/// Real events: symbol, date, what the price is multiplied with, and whether it is a split, in which case the number of
/// shares grows as the price falls. The others no rule may take for a fault: they come with much volume.
const EVENTS: [(&str, &str, (i64, i64), bool); 4] = [
    ("BIRCH", "2023-06-12", (1, 2), true),
    ("MAPLE", "2024-08-26", (1, 4), true),
    ("OLIVE", "2022-10-27", (62, 100), false),
    ("SUMAC", "2025-02-06", (127, 100), false),
];

/// How many times the usual number of shares is traded on the day of a crash or a jump.
const NEWS: i64 = 6;

/// The splits among the events, by symbol and date.
pub(super) fn splits() -> impl Iterator<Item = (&'static str, &'static str)> {
    EVENTS.iter().filter(|(.., split)| *split).map(|(symbol, date, ..)| (*symbol, *date))
}

/// One row of the demo's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) symbol: String,
    /// The timestamp as the file has it.
    pub(super) date: String,
    /// Micro-dollars: open, high, low, close; `None` is an empty cell.
    pub(super) prices: [Option<i64>; 4],
    /// Shares.
    pub(super) volume: i64,
}

/// The clean bars, by symbol and date.
pub(super) fn clean() -> Vec<Row> {
    let sessions = sessions();
    let market = market(sessions.len());
    let mut rows = Vec::with_capacity(SYMBOLS.len() * sessions.len());
    for (symbol, seed) in SYMBOLS.iter().zip(1_u64..) {
        let mut walk = Walk::new(symbol, seed);
        rows.extend(sessions.iter().zip(&market).map(|(session, market)| walk.step(session, *market)));
    }
    rows
}

/// The sessions of New York, with their dates.
fn sessions() -> Vec<(String, Session)> {
    let date = |(year, month, day)| NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
    let Some(calendar) = Calendar::named("XNYS") else { return Vec::new() };
    let mut sessions = Vec::new();
    let mut day = date(FIRST);
    while day <= date(LAST) {
        if let Lookup::Session(ordinal) = calendar.session_on(day.to_epoch_days()) {
            sessions.push((day.to_string(), calendar.session(ordinal)));
        }
        day += TimeDelta::days(1);
    }
    sessions
}

/// What the whole market does on a day.
#[derive(Debug, Clone, Copy)]
struct Market {
    /// Its return, in parts of a million.
    gain: i64,
    /// How nervous it is, in parts of a thousand.
    nerves: i64,
}

/// The market on `days` days; quiet and nervous times follow each other slowly.
fn market(days: usize) -> Vec<Market> {
    let mut random = Random(0);
    let mut nerves = 1_000;
    let day = |_| {
        nerves = (nerves + (1_000 - nerves) / 50 + random.normal(70)).clamp(500, 2_200);
        Market { gain: random.normal(8 * nerves), nerves }
    };
    (0..days).map(day).collect()
}

/// The walk of one company.
struct Walk {
    symbol: &'static str,
    random: Random,
    /// Last price, in micro-dollars and not rounded.
    price: i64,
    /// Shares of an ordinary day.
    volume: i64,
    /// How much of the market's return it takes over, in parts of a thousand.
    beta: i64,
    /// Standard deviation of its own return, in parts of a million.
    spread: i64,
}

impl Walk {
    fn new(symbol: &'static str, seed: u64) -> Self {
        let mut random = Random(seed << 32);
        let price = (20 + random.below(220)) * 100 * CENT;
        let volume = 300_000 + random.below(6_000_000);
        let (beta, spread) = (600 + random.below(800), 7_000 + random.below(8_000));
        Self { symbol, random, price, volume, beta, spread }
    }

    /// The bar of the next session.
    fn step(&mut self, (date, session): &(String, Session), market: Market) -> Row {
        let event = EVENTS.iter().find(|(symbol, day, ..)| *symbol == self.symbol && day == date);
        if let Some((_, _, (numerator, denominator), split)) = event {
            self.price = self.price * numerator / denominator;
            if *split {
                self.volume = self.volume * denominator / numerator;
            }
        }
        let spread = self.spread * market.nerves / 1_000;
        let open = moved(self.price, market.gain * self.beta / 3_000 + self.random.normal(spread / 3));
        let own = self.random.normal(spread);
        let close = moved(open, market.gain * self.beta / 1_500 + own + self.drift());
        let high = moved(open.max(close), self.random.normal(spread / 2).abs());
        let low = moved(open.min(close), -self.random.normal(spread / 2).abs());
        self.price = close;
        let busy = 600_000 + self.random.below(700_000) + own.abs() * WHOLE / (3 * self.spread);
        let news = if matches!(event, Some((.., false))) { NEWS } else { 1 };
        let shares = self.volume * busy / WHOLE * news;
        let volume = if session.half_day { shares * 45 / 100 } else { shares };
        let prices = [open, high, low, close].map(|price| Some((price + CENT / 2) / CENT * CENT));
        Row { symbol: self.symbol.to_owned(), date: date.clone(), prices, volume }
    }

    /// Prices grow a little; far off the usual range they are drawn back.
    fn drift(&self) -> i64 {
        match self.price / (100 * CENT) {
            ..15 => 2_000,
            400.. => -2_000,
            _ => 200,
        }
    }
}

/// `price` after a return in parts of a million.
fn moved(price: i64, gain: i64) -> i64 {
    price + price * gain / WHOLE
}

/// The generator `SplitMix64` (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// Four numbers from 0 to 65,535.
    fn quarters(&mut self) -> [i64; 4] {
        let bytes = self.word().to_be_bytes();
        [0, 2, 4, 6].map(|at| i64::from(u16::from_be_bytes([bytes[at], bytes[at + 1]])))
    }

    /// A number from 0 up to `bound`, which is far below 2^47.
    fn below(&mut self, bound: i64) -> i64 {
        let [high, low, ..] = self.quarters();
        (high * 65_536 + low) * bound / (65_536 * 65_536)
    }

    /// A number that is nearly normal with this standard deviation: the sum of twelve uniform ones.
    fn normal(&mut self, deviation: i64) -> i64 {
        let sum: i64 = (0..3).flat_map(|_| self.quarters()).sum();
        (sum - 6 * 65_535) * deviation / 65_536
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generator_gives_the_published_numbers() {
        let mut random = Random(1_234_567);
        assert_eq!([random.word(), random.word()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn sums_of_uniform_numbers_spread_as_asked() {
        let mut random = Random(7);
        let draws: Vec<i64> = (0..20_000).map(|_| random.normal(1_000)).collect();
        let mean = draws.iter().sum::<i64>() / 20_000;
        let variance = draws.iter().map(|draw| draw * draw).sum::<i64>() / 20_000;
        assert!(mean.abs() < 30 && (960_000..1_040_000).contains(&variance), "{mean} {variance}");
        assert!((0..20_000).all(|_| (0..50).contains(&random.below(50))));
    }

    #[test]
    fn every_session_has_one_bar_a_symbol_and_half_days_are_thin() {
        let rows = clean();
        assert_eq!(rows.len(), SYMBOLS.len() * sessions().len());
        let dates = |day: &str| rows.iter().filter(|row| row.date == day).count();
        assert_eq!(
            [dates("2024-07-03"), dates("2024-07-04"), dates("2025-01-09"), dates("2025-12-31")],
            [24, 0, 0, 24]
        );
        let volume = |day: &str| rows.iter().filter(|row| row.date == day).map(|row| row.volume).sum::<i64>();
        assert!(volume("2024-11-29") * 10 < volume("2024-11-26") * 6);
    }

    #[test]
    fn bars_are_sound_and_priced_in_cents() {
        for row in clean() {
            let [Some(open), Some(high), Some(low), Some(close)] = row.prices else { panic!("{row:?} lacks a price") };
            assert!(low <= open.min(close) && high >= open.max(close) && low > 500 * CENT, "{row:?}");
            assert!([open, high, low, close].iter().all(|price| price % CENT == 0) && row.volume > 0);
        }
    }
}
