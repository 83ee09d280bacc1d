//! What a value far from its neighbours looks like, by its ratio to them and by what else happened in its bar.

use crate::bars::BarsSpec;
use crate::checks::Series;
use crate::checks::cause::causes;
use crate::checks::jump::power_of_ten;
use crate::checks::params::Params;
use crate::checks::robust::median;
use crate::checks::traded::{FEWEST, SIDE, around, busy};

causes! {
    /// Nothing else explains it.
    Blip = "blip",
    /// A power of ten from its neighbours.
    UnitSlip = "unit-slip",
    /// Much was traded, or, for a volume, the price moved with it.
    RealMove = "real-move",
    /// A volume that lost 2^32.
    Wrapped = "wrapped",
}

/// Largest logarithm of a move that volume explains: no market doubles for a bar and comes back.
const LARGEST_MOVE: f64 = 0.7;

/// Largest logarithm of a volume that a move explains, about 55 times the usual one: the largest news of 18,661 daily bars
/// of four American shares came with 46 times.
const LARGEST_VOLUME: f64 = 4.0;

/// From so many times the usual range on, a price is taken to have moved with its volume.
const WIDE: f64 = 1.5;

/// By how much the logarithm of a ratio may miss that of a power of ten: for a price, and for a volume, in scales.
const PRICE_TOLERANCE: f64 = 0.15;
const SCALES: f64 = 1.0;

/// What a number of 32 bits loses.
const WRAP: f64 = 4_294_967_296.0;

/// What the values of a field are, with the columns that say what else happened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Prices, beside volumes.
    Price(Option<usize>),
    /// Volumes, beside highs and lows.
    Volume(Option<[usize; 2]>),
    /// Anything else.
    Other,
}

/// A value that is far from its neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Far {
    /// Its row in the series.
    pub(super) row: usize,
    pub(super) value: f64,
    /// What its neighbours are around.
    pub(super) centre: f64,
    /// Their spread, as a natural logarithm.
    pub(super) scale: f64,
}

impl Kind {
    pub(super) fn of(field: &str, params: &mut Params<'_>, bars: &BarsSpec) -> Self {
        let has = |name: &str| bars.field(name).is_some();
        match field {
            "open" | "high" | "low" | "close" => Self::Price(params.optional_bar_field("volume")),
            "volume" | "amount" if has("high") && has("low") => {
                let ends = ["high", "low"].map(|name| params.optional_bar_field(name));
                Self::Volume(ends[0].zip(ends[1]).map(|(high, low)| [high, low]))
            }
            "volume" | "amount" => Self::Volume(None),
            _ => Self::Other,
        }
    }

    pub(super) fn is_price(self) -> bool {
        matches!(self, Self::Price(_))
    }

    /// Bars on each side that are looked at.
    pub(super) fn side(self) -> usize {
        match self {
            Self::Price(Some(_)) | Self::Volume(Some(_)) => SIDE,
            Self::Price(None) | Self::Volume(None) | Self::Other => 0,
        }
    }

    /// What `far` looks like; nothing is said of fields that are neither prices nor volumes.
    pub(super) fn look(self, series: &Series<'_>, far: Far) -> Option<Cause> {
        let size = (far.value / far.centre).ln();
        match self {
            Self::Other => None,
            Self::Price(volume) => Some(match power_of_ten(size, PRICE_TOLERANCE) {
                Some(_) => Cause::UnitSlip,
                None if size.abs() <= LARGEST_MOVE && volume.is_some_and(|volume| busy(series, volume, far.row)) => {
                    Cause::RealMove
                }
                None => Cause::Blip,
            }),
            Self::Volume(ends) => Some(if is_wrapped(far) {
                Cause::Wrapped
            } else if (0.0..=LARGEST_VOLUME).contains(&size) && ends.is_some_and(|ends| is_wide(series, ends, far.row))
            {
                Cause::RealMove
            } else if power_of_ten(size, (SCALES * far.scale).min(0.35)).is_some() {
                Cause::UnitSlip
            } else {
                Cause::Blip
            }),
        }
    }
}

/// The value that `far` would have, where its cause says so.
pub(super) fn proposed(cause: Option<Cause>, far: Far) -> Option<f64> {
    match cause? {
        Cause::UnitSlip => {
            let power = ((far.value / far.centre).log10().round()).clamp(-300.0, 300.0);
            Some(far.value / 10_f64.powf(power))
        }
        Cause::Wrapped => Some(far.value + WRAP),
        Cause::Blip | Cause::RealMove => None,
    }
}

/// Whether a volume would be in line if it had not lost 2^32.
fn is_wrapped(far: Far) -> bool {
    far.centre > WRAP / 2.0
        && far.value < far.centre
        && ((far.value + WRAP) / far.centre).ln().abs() <= far.scale.max(0.7)
}

/// Whether the bar in `row` moved much more than those around it.
fn is_wide(series: &Series<'_>, [high, low]: [usize; 2], row: usize) -> bool {
    let [highs, lows] = [high, low].map(|index| &series.number(index).values()[..series.dated()]);
    let range = |row: usize| Some((highs[row] / lows[row]).ln()).filter(|range| range.is_finite());
    let mut usual: Vec<f64> = around(row, highs.len()).into_iter().flatten().filter_map(range).collect();
    usual.len() >= FEWEST && range(row).is_some_and(|range| range >= WIDE * median(&mut usual))
}
