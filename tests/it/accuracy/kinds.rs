//! The kinds of faults: what each is, which files it is put into and where, and why it is not found where it is not.

use super::bars::{Bars, Price};
use super::base::{Base, CN_DAILY, CN_PIECES, DAYS, HOURS, MINUTES, US_DAILY, US_PIECES};
use super::cut::{Cut, Touched, set_volume};
use super::faults::{levels, prices, rows, times, volumes, whole};

/// Puts a fault in; where it does not fit it changes nothing and says so.
pub(super) type Apply = fn(&mut Cut<'_>) -> Option<Touched>;

/// Where faults of a kind are put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At several bars of each series, far enough apart.
    Apart,
    /// At one bar in the middle third of each series.
    Middle,
    /// At the newest bar of each series.
    Newest,
    /// In all of the series whose symbol begins so.
    Whole(&'static str),
}

/// A kind of faults.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// What is wrong, in a line.
    pub(super) what: &'static str,
    pub(super) bases: &'static [&'static Base],
    pub(super) place: Place,
    pub(super) apply: Apply,
    /// What makes the file fit for this fault; the file without faults gets it too.
    pub(super) prepare: Option<fn(&mut Bars)>,
    /// Why bars alone do not show it, or not always.
    pub(super) why: Option<&'static str>,
}

impl Kind {
    fn apart(name: &'static str, what: &'static str, bases: &'static [&'static Base], apply: Apply) -> Self {
        Self { name, what, bases, place: Place::Apart, apply, prepare: None, why: None }
    }

    /// From one bar on, or up to it, once in each series.
    fn lasting(name: &'static str, what: &'static str, bases: &'static [&'static Base], apply: Apply) -> Self {
        Self { place: Place::Middle, ..Self::apart(name, what, bases, apply) }
    }

    fn newest(name: &'static str, what: &'static str, apply: Apply) -> Self {
        Self { place: Place::Newest, ..Self::apart(name, what, PIECES, apply) }
    }

    fn whole(name: &'static str, what: &'static str, apply: Apply) -> Self {
        Self { place: Place::Whole("AAPL"), ..Self::apart(name, what, PIECES, apply) }
    }

    fn why(self, why: &'static str) -> Self {
        Self { why: Some(why), ..self }
    }

    fn prepared(self, prepare: fn(&mut Bars)) -> Self {
        Self { prepare: Some(prepare), ..self }
    }
}

const SHARES: &[&Base] = &[&US_DAILY];
const PIECES: &[&Base] = &[&US_PIECES];
const COINS: &[&Base] = &[&MINUTES];
const MANY: &[&Base] = &[&US_DAILY, &CN_DAILY, &DAYS, &MINUTES];

const SMALL: &str = "so small an error lies within the usual range of a nervous share or coin";

/// All of them.
pub(super) fn kinds() -> Vec<Kind> {
    [wicks(), bodies(), whole_bars(), contradictions(), for_some(), for_good(), volumes_of_bars(), volumes_of_series()]
        .into_iter()
        .chain([repeated(), missing(), added(), dates(), ends()])
        .flatten()
        .collect()
}

fn wicks() -> Vec<Kind> {
    vec![
        Kind::apart("low-3", "the low is 3 % too low", SHARES, |cut| prices::low(cut, 0.03)).why(SMALL),
        Kind::apart("low-5", "the low is 5 % too low", SHARES, |cut| prices::low(cut, 0.05)).why(SMALL),
        Kind::apart("low-10", "the low is 10 % too low", MANY, |cut| prices::low(cut, 0.10)).why(SMALL),
        Kind::apart("low-30", "the low is 30 % too low", &[&US_DAILY, &HOURS], |cut| prices::low(cut, 0.30)),
        Kind::apart("high-3", "the high is 3 % too high", SHARES, |cut| prices::high(cut, 0.03)).why(SMALL),
        Kind::apart("high-5", "the high is 5 % too high", SHARES, |cut| prices::high(cut, 0.05)).why(SMALL),
        Kind::apart("high-10", "the high is 10 % too high", &[&US_DAILY, &HOURS], |cut| prices::high(cut, 0.10))
            .why(SMALL),
        Kind::apart("high-30", "the high is 30 % too high", SHARES, |cut| prices::high(cut, 0.30)),
        Kind::apart("low-slip", "the low is a tenth", SHARES, prices::low_slip),
        Kind::apart("high-lost", "the high is that of open and close", SHARES, prices::high_lost)
            .why("a bar without a wick is a bar: only another source knows what was traded above"),
    ]
}

fn bodies() -> Vec<Kind> {
    vec![
        Kind::apart("open-3", "the open is 3 % off", SHARES, |cut| prices::inside(cut, Price::Open, 0.03)).why(SMALL),
        Kind::apart("open-10", "the open is 10 % off", SHARES, |cut| prices::inside(cut, Price::Open, 0.10)),
        Kind::apart("open-30", "the open is 30 % off", SHARES, |cut| prices::inside(cut, Price::Open, 0.30)),
        Kind::apart("close-3", "the close is 3 % off, and back on the next bar", SHARES, |cut| {
            prices::inside(cut, Price::Close, 0.03)
        })
        .why(SMALL),
        Kind::apart("close-5", "the close is 5 % off, and back on the next bar", SHARES, |cut| {
            prices::inside(cut, Price::Close, 0.05)
        })
        .why(SMALL),
        Kind::apart("close-10", "the close is 10 % off, and back on the next bar", MANY, |cut| {
            prices::inside(cut, Price::Close, 0.10)
        })
        .why(SMALL),
        Kind::apart("close-30", "the close is 30 % off, and back on the next bar", SHARES, |cut| {
            prices::inside(cut, Price::Close, 0.30)
        }),
        Kind::apart("close-times-10", "the close alone is ten times too high", SHARES, |cut| {
            prices::slip(cut, Price::Close, 10.0)
        }),
        Kind::apart("digit-lost", "the close lost its first digit", SHARES, prices::digit_lost),
    ]
}

fn whole_bars() -> Vec<Kind> {
    vec![
        Kind::apart("bar-5", "all four prices are 5 % off", SHARES, |cut| prices::all(cut, 0.05)).why(SMALL),
        Kind::apart("bar-10", "all four prices are 10 % off", SHARES, |cut| prices::all(cut, 0.10)).why(SMALL),
        Kind::apart("bar-30", "all four prices are 30 % off", SHARES, |cut| prices::all(cut, 0.30)),
        Kind::apart("bar-times-10", "all four prices are ten times too high", MANY, |cut| prices::scaled(cut, 10.0)),
        Kind::apart("bar-by-10", "all four prices are a tenth", SHARES, |cut| prices::scaled(cut, 0.1)),
        Kind::apart("bar-times-100", "all four prices are a hundred times too high", SHARES, |cut| {
            prices::scaled(cut, 100.0)
        }),
        Kind::apart("bar-by-100", "all four prices are a hundredth", SHARES, |cut| prices::scaled(cut, 0.01)),
        Kind::apart("stranger", "the bar of another symbol on that day", &[&US_DAILY, &MINUTES], prices::stranger)
            .why("where both symbols cost about the same, the bar fits"),
        Kind::apart("rounded", "21 bars without digits after the point", SHARES, |cut| prices::rounded(cut, 21))
            .why("prices of old shares are round too: only the digits of the bars around tell"),
        Kind::apart("truncated", "21 bars with three digits", SHARES, |cut| prices::truncated(cut, 21))
            .why("prices of old shares are round too: only the digits of the bars around tell"),
    ]
}

fn contradictions() -> Vec<Kind> {
    vec![
        Kind::apart("high-low-swapped", "high and low are exchanged", SHARES, prices::high_and_low_swapped),
        Kind::apart("open-close-swapped", "open and close are exchanged", SHARES, prices::open_and_close_swapped)
            .why("the bar agrees with itself, and a gap to the bar before is as usual as none"),
        Kind::apart("columns-shifted", "each price stands one column too far left", SHARES, prices::columns_shifted),
        Kind::apart("high-too-low", "the high lies between open and close", MANY, prices::high_too_low),
        Kind::apart("low-too-high", "the low lies between open and close", SHARES, prices::low_too_high),
        Kind::apart("zero-close", "the close is 0", SHARES, |cut| prices::text(cut, Price::Close, "0")),
        Kind::apart("negative-close", "the close has a minus", SHARES, prices::negative),
        Kind::apart("null-close", "the close is NULL", SHARES, |cut| prices::text(cut, Price::Close, "")),
        Kind::apart("nan-low", "the low is NaN", SHARES, |cut| prices::text(cut, Price::Low, "NaN")),
        Kind::apart("infinite-high", "the high is infinite", SHARES, |cut| prices::text(cut, Price::High, "Infinity")),
        Kind::apart("text-open", "the open is `n.a.`", SHARES, |cut| prices::text(cut, Price::Open, "n.a.")),
        Kind::apart("zero-prices", "all prices are 0", SHARES, prices::nothing),
        Kind::lasting(
            "close-alone",
            "the closes before a day are adjusted by a fifth, the other prices are not",
            PIECES,
            |cut| levels::close_alone(cut, 0.8),
        ),
    ]
}

fn for_some() -> Vec<Kind> {
    vec![
        Kind::apart("5-times-10", "prices of 5 bars are ten times too high", SHARES, |cut| {
            levels::for_some(cut, 5, 10.0)
        }),
        Kind::apart("8-times-100", "prices of 8 bars are a hundred times too high", &[&US_DAILY, &DAYS], |cut| {
            levels::for_some(cut, 8, 100.0)
        }),
        Kind::apart("40-by-100", "prices of 40 bars are a hundredth", SHARES, |cut| levels::for_some(cut, 40, 0.01)),
        Kind::apart("60-by-10", "prices of 60 minutes are a tenth", COINS, |cut| levels::for_some(cut, 60, 0.1)),
        Kind::apart("5-half", "prices of 5 bars are half", SHARES, |cut| levels::for_some(cut, 5, 0.5)),
    ]
}

fn for_good() -> Vec<Kind> {
    vec![
        Kind::lasting("good-times-10", "from a day on prices are ten times too high", PIECES, |cut| {
            levels::for_good(cut, 10.0)
        }),
        Kind::lasting("good-times-100", "from a day on prices are in hundredths of the currency", PIECES, |cut| {
            levels::for_good(cut, 100.0)
        }),
        Kind::lasting("good-by-100", "from a day on prices are a hundredth", PIECES, |cut| levels::for_good(cut, 0.01)),
        Kind::lasting("good-by-1000", "from a day on prices are a thousandth", PIECES, |cut| {
            levels::for_good(cut, 0.001)
        }),
        Kind::lasting("good-by-7", "from a day on prices are in another currency, a seventh", PIECES, |cut| {
            levels::for_good(cut, 1.0 / 7.1)
        })
        .why("a ratio that is no split and no power of ten looks like news"),
        Kind::lasting("split-2", "a split 2:1 that nobody adjusted", PIECES, |cut| levels::split(cut, 2.0)),
        Kind::lasting("split-3-2", "a split 3:2 that nobody adjusted", PIECES, |cut| levels::split(cut, 1.5)),
        Kind::lasting("split-7", "a split 7:1 that nobody adjusted", PIECES, |cut| levels::split(cut, 7.0)),
        Kind::lasting("split-1-10", "ten shares become one, and nobody adjusted", PIECES, |cut| {
            levels::split(cut, 0.1)
        }),
        Kind::lasting("bonus-3", "10 shares become 13, a bonus of Chinese shares", &[&CN_PIECES], |cut| {
            levels::split(cut, 1.3)
        }),
        Kind::lasting("bonus-8", "10 shares become 18", &[&CN_PIECES], |cut| levels::split(cut, 1.8)),
        Kind::lasting("seam-3", "prices before a day are adjusted by 3 %, those after are not", PIECES, |cut| {
            levels::seam(cut, 0.97)
        })
        .why("3 % is a move of an ordinary day; the digits show it where prices are otherwise raw"),
        Kind::lasting("seam-40", "prices before a day are adjusted by 40 %, those after are not", PIECES, |cut| {
            levels::seam(cut, 0.6)
        }),
        Kind::lasting("reused", "from a day on the bars of another company", PIECES, |cut| levels::reused(cut, 0))
            .why("where both cost about the same, the seam is no jump"),
        Kind::lasting(
            "reused-later",
            "another company has the ticker, 60 sessions after the last bar",
            PIECES,
            |cut| levels::reused(cut, 60),
        ),
    ]
}

fn volumes_of_bars() -> Vec<Kind> {
    vec![
        Kind::apart("no-volume", "volume 0 in a bar that moved", MANY, volumes::nothing),
        Kind::apart("volume-times-10", "the volume of a bar is ten times too high", SHARES, |cut| {
            volumes::scaled(cut, 1, 10.0)
        })
        .why("days of news have ten times the usual volume"),
        Kind::apart(
            "volume-times-100",
            "the volume of a bar is a hundred times too high",
            &[&US_DAILY, &CN_DAILY],
            |cut| volumes::scaled(cut, 1, 100.0),
        ),
        Kind::apart("volume-times-1000", "the volume of a bar is a thousand times too high", SHARES, |cut| {
            volumes::scaled(cut, 1, 1000.0)
        }),
        Kind::apart("volume-by-100", "the volume of a bar is a hundredth", &[&US_DAILY, &CN_DAILY], |cut| {
            volumes::scaled(cut, 1, 0.01)
        }),
        Kind::apart("volume-minus", "the volume has a minus", SHARES, volumes::negative),
        Kind::apart("volume-null", "a bar without a volume", SHARES, |cut| volumes::missing(cut, 1)),
        Kind::apart("volume-wrapped", "a volume above 2^32 without what is above", SHARES, volumes::wrapped)
            .prepared(|bars| to_median(bars, 2_000_000_000.0))
            .why("what is left of a busy day is often a usual volume"),
        Kind::apart("volume-cut", "a volume above 2^31 is 2^31 - 1", SHARES, volumes::cut_off)
            .prepared(|bars| to_median(bars, 1_500_000_000.0)),
        Kind::apart("volume-overflow", "a volume above 2^31 is negative", SHARES, volumes::overflowed)
            .prepared(|bars| to_median(bars, 1_500_000_000.0)),
    ]
}

fn volumes_of_series() -> Vec<Kind> {
    vec![
        Kind::apart(
            "21-volumes-times-100",
            "volumes of 21 bars are a hundred times too high",
            &[&US_DAILY, &CN_DAILY],
            |cut| volumes::scaled(cut, 21, 100.0),
        ),
        Kind::apart("21-volumes-by-1000", "volumes of 21 bars are a thousandth", SHARES, |cut| {
            volumes::scaled(cut, 21, 0.001)
        }),
        Kind::lasting(
            "volume-good-by-100",
            "from a day on volumes are in hundreds",
            &[&US_PIECES, &CN_PIECES],
            |cut| volumes::for_good(cut, 0.01),
        ),
        Kind::apart("21-volumes-null", "21 bars without a volume", SHARES, |cut| volumes::missing(cut, 21)),
        Kind::whole("volumes-null", "a series without any volume", whole::no_volume)
            .why("a feed without any volume is excused: indices and currencies have none"),
    ]
}

fn repeated() -> Vec<Kind> {
    vec![
        Kind::apart("frozen-1", "a bar is repeated once, with its volume", SHARES, |cut| rows::frozen(cut, 1, true)),
        Kind::apart("frozen-3", "a bar is repeated 3 times, with its volume", SHARES, |cut| rows::frozen(cut, 3, true)),
        Kind::apart("frozen-6", "a bar is repeated 6 times, with its volume", &[&US_DAILY, &HOURS], |cut| {
            rows::frozen(cut, 6, true)
        }),
        Kind::apart("frozen-12", "a bar is repeated 12 times, with its volume", SHARES, |cut| {
            rows::frozen(cut, 12, true)
        }),
        Kind::apart("frozen-3-prices", "the prices of a bar are repeated 3 times", SHARES, |cut| {
            rows::frozen(cut, 3, false)
        })
        .why("four equal bars with volumes of their own: `stale` wants five"),
        Kind::apart("frozen-6-prices", "the prices of a bar are repeated 6 times", SHARES, |cut| {
            rows::frozen(cut, 6, false)
        }),
        Kind::apart("frozen-12-prices", "the prices of a bar are repeated 12 times", SHARES, |cut| {
            rows::frozen(cut, 12, false)
        }),
        Kind::apart("frozen-10-minutes", "a minute is repeated 10 times, with its volume", COINS, |cut| {
            rows::frozen(cut, 10, true)
        }),
        Kind::apart("frozen-60-minutes", "a minute is repeated 60 times, with its volume", COINS, |cut| {
            rows::frozen(cut, 60, true)
        }),
        Kind::apart("frozen-40-minutes-prices", "the prices of a minute are repeated 40 times", COINS, |cut| {
            rows::frozen(cut, 40, false)
        }),
        Kind::apart("filled-1", "a missing session was filled with the close before it", SHARES, |cut| {
            rows::filled(cut, 1)
        }),
        Kind::apart("filled-5", "5 missing sessions were filled with the close before them", SHARES, |cut| {
            rows::filled(cut, 5)
        }),
    ]
}

fn missing() -> Vec<Kind> {
    vec![
        Kind::apart("dropped", "a session is missing", &[&US_DAILY, &CN_DAILY, &DAYS], |cut| rows::dropped(cut, 1)),
        Kind::apart("dropped-20", "20 sessions are missing", SHARES, |cut| rows::dropped(cut, 20)),
        Kind::apart("dropped-hour", "an hour is missing", &[&HOURS], |cut| rows::dropped(cut, 1)),
        Kind::apart("dropped-minutes", "3 minutes are missing", COINS, |cut| rows::dropped(cut, 3)),
        Kind::lasting("dropped-half-day", "half a day of minutes is missing", COINS, |cut| rows::dropped(cut, 720)),
    ]
}

fn added() -> Vec<Kind> {
    vec![
        Kind::apart("twice", "a row stands there twice", MANY, rows::twice),
        Kind::apart(
            "twice-differently",
            "a bar stands there twice, with another close",
            SHARES,
            rows::twice_differently,
        ),
        Kind::apart("weekend", "a row of a Saturday", &[&US_DAILY, &CN_DAILY], rows::weekend),
        Kind::apart("holiday", "a row of a holiday", &[&US_DAILY, &CN_DAILY], rows::holiday),
        Kind::apart("night", "a row of an hour at night", &[&HOURS], rows::at_night),
        Kind::apart("swapped-rows", "two rows have changed places", SHARES, rows::swapped),
        Kind::apart("moved-rows", "20 rows stand behind the 20 after them", SHARES, |cut| rows::moved(cut, 20)),
    ]
}

fn dates() -> Vec<Kind> {
    vec![
        Kind::apart("compact-date", "the date without its dashes", SHARES, |cut| times::format(cut, "%Y%m%d")),
        Kind::apart("day-first", "the date as 31/12/2003", SHARES, |cut| times::format(cut, "%d/%m/%Y")),
        Kind::apart("number-for-date", "the number of the row instead of its date", SHARES, times::number),
        Kind::apart("epoch", "1970-01-01 instead of the date", SHARES, times::epoch),
        Kind::apart(
            "day-month-swapped",
            "day and month are exchanged, which makes another date",
            SHARES,
            times::day_and_month_swapped,
        ),
        Kind::lasting("later-year", "a bar of 80 years later", PIECES, times::later),
        Kind::apart("late-row", "a row under the next day", SHARES, |cut| times::shifted(cut, 1, 86_400)),
        Kind::apart("late-hours", "21 rows 5 hours late, as if in another zone", &[&HOURS], |cut| {
            times::shifted(cut, 21, 5 * 3_600)
        }),
        Kind::apart("late-minutes", "60 rows an hour late", COINS, |cut| times::shifted(cut, 60, 3_600)),
    ]
}

fn ends() -> Vec<Kind> {
    vec![
        Kind::newest("newest-times-10", "the newest bar is ten times too high", |cut| prices::scaled(cut, 10.0)),
        Kind::newest("newest-half", "the newest bar is half", |cut| prices::scaled(cut, 0.5)),
        Kind::newest("newest-low-30", "the low of the newest bar is 30 % too low", |cut| prices::low(cut, 0.30)),
        Kind::newest("newest-low-10", "the low of the newest bar is 10 % too low", |cut| prices::low(cut, 0.10))
            .why(SMALL),
        Kind::newest("newest-close-20", "the close of the newest bar is 20 % off", |cut| {
            prices::inside(cut, Price::Close, 0.20)
        })
        .why("until the next bar it may be news"),
        Kind::newest("newest-repeated", "the newest bar is the one before it once more", whole::repeated),
        Kind::newest("newest-half-finished", "the newest bar has half of its range and volume", whole::half_finished)
            .why("a quiet day looks the same; the next run sees the whole bar"),
        Kind::whole("shifted", "all values stand one session later", whole::shifted).why(
            "the others are two or three shares, of which some are shifted too, and one follows them by less than 0.3",
        ),
        Kind::whole("copied", "the same bars under another name", whole::copied),
    ]
}

/// Volumes in a unit in which their median is about `median`.
fn to_median(bars: &mut Bars, median: f64) {
    for series in &mut bars.series {
        let mut volumes: Vec<f64> = series.rows.iter().map(super::bars::Row::volume).collect();
        volumes.sort_by(f64::total_cmp);
        let factor = (median / volumes[volumes.len() / 2]).round();
        for row in &mut series.rows {
            let volume = row.volume() * factor;
            set_volume(row, volume);
        }
    }
}
