//! What the bars of a job are like.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::magnitudes::Magnitudes;
use super::steps::Steps;
use crate::bars::FieldKind;

/// What bars are like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    /// Bars, those without a readable timestamp included.
    pub(super) bars: u64,
    pub(super) series: u64,
    pub(super) symbols: BTreeSet<String>,
    /// Bars without a timestamp that could be read.
    pub(super) timeless: u64,
    /// Bars with the series and the timestamp of another.
    pub(super) repeated: u64,
    /// First and last timestamp, µs UTC on the scale of the bars.
    pub(super) span: Option<(i64, i64)>,
    /// Bars that the calendar expects between the first and the last of each series, and how many of them are there;
    /// nothing without a calendar.
    pub(super) coverage: Option<Coverage>,
    pub(super) fields: Vec<FieldProfile>,
    pub(super) closes: Numbers,
    pub(super) volumes: Numbers,
    /// Bars with a volume of 0.
    pub(super) zero_volume: u64,
    /// Bars with a close of 0 or below.
    pub(super) not_positive: u64,
    pub(super) returns: Returns,
    pub(super) steps: Steps,
    pub(super) turnover: Turnover,
    /// Bars whose `pct_chg` follows from `close` and `pre_close`, of those that have all three.
    pub(super) changes: (u64, u64),
}

/// How many of the expected bars are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) expected: u64,
    pub(super) there: u64,
    /// Bars on no expected timestamp.
    pub(super) elsewhere: u64,
}

/// How a field is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldProfile {
    pub(super) name: Arc<str>,
    pub(super) kind: FieldKind,
    /// Bars in which it is NULL or not a number.
    pub(super) nulls: u64,
}

/// How large a field is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Numbers {
    pub(super) count: u64,
    /// The smallest and the largest value.
    pub(super) all: Option<(f64, f64)>,
    /// The smallest 1 % quantile and the largest 99 % quantile of a series; of a short series its median.
    pub(super) usual: Option<(f64, f64)>,
}

impl Numbers {
    pub(super) fn widen(known: &mut Option<(f64, f64)>, (least, most): (f64, f64)) {
        *known = Some(known.map_or((least, most), |(lo, hi)| (lo.min(least), hi.max(most))));
    }
}

/// The sizes of returns from close to close.
#[derive(Debug, Clone, Default)]
pub(super) struct Returns {
    pub(super) sizes: Magnitudes,
    /// The largest one, with its series and timestamp.
    pub(super) largest: Option<(f64, String, i64)>,
}

/// Bars whose amount over volume lies between low and high, and how many would by a power of ten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Turnover {
    pub(super) evaluated: u64,
    pub(super) inside: u64,
    /// By powers of ten from -4 to 4.
    pub(super) by_power: [u64; 9],
}
