//! Quantiles of sizes in memory that does not grow with their number.

/// Bins of one factor e; a bin is 0.5 % wide.
const BINS: f64 = 200.0;
/// Sizes below are as good as nothing: exp(-23) is 1e-10.
const LOWEST: f64 = -23.0;
/// exp(23) is 1e10; what is larger counts as that.
const HIGHEST: f64 = 23.0;

/// How often each size occurred, to half a per cent.
#[derive(Debug, Clone, Default)]
pub(super) struct Magnitudes {
    counts: Vec<u64>,
    all: u64,
}

impl Magnitudes {
    /// Takes a size, 0 or above and finite.
    pub(super) fn take(&mut self, size: f64) {
        let bin = bin(size);
        if self.counts.len() <= bin {
            self.counts.resize(bin + 1, 0);
        }
        self.counts[bin] += 1;
        self.all += 1;
    }

    /// How many sizes were taken.
    pub(super) fn count(&self) -> u64 {
        self.all
    }

    /// A size which at least `share` of all sizes do not exceed, at most half a per cent above the smallest one; `None`
    /// where there is none.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = share * self.all as f64;
        let mut sum = 0_u64;
        for (bin, count) in self.counts.iter().enumerate() {
            sum += count;
            if *count > 0 && sum as f64 >= wanted {
                return Some(if bin == 0 { 0.0 } else { (LOWEST + bin as f64 / BINS).exp() });
            }
        }
        None
    }
}

/// The bin that a size falls into; its upper end is included.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped, and not negative")]
fn bin(size: f64) -> usize {
    ((size.ln().clamp(LOWEST, HIGHEST) - LOWEST) * BINS).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_at_most_half_a_per_cent_above_the_size() {
        let mut sizes = Magnitudes::default();
        assert_eq!(sizes.quantile(0.5), None);
        (1..=1000).for_each(|n| sizes.take(f64::from(n) / 1000.0));
        assert_eq!(sizes.count(), 1000);
        for (share, size) in [(0.5, 0.5), (0.999, 0.999), (1.0, 1.0), (0.0, 0.001)] {
            let found = sizes.quantile(share).unwrap();
            assert!(found >= size * 0.999_999 && found <= size * 1.0051, "{share}: {found}");
        }
    }

    #[test]
    fn what_is_nothing_and_what_is_beyond_all_bins_counts_too() {
        let mut sizes = Magnitudes::default();
        for size in [0.0, 0.0, 1e300] {
            sizes.take(size);
        }
        assert_eq!(sizes.quantile(0.6), Some(0.0));
        assert!(sizes.quantile(1.0).unwrap() > 9e9);
    }
}
