//! Consecutive bars that differ by one ratio.

use super::compare::Difference;
use super::limits::{Limits, PRICES};

/// Bars of one source that differ, one after the other, by one ratio; or a single one.
#[derive(Debug)]
pub(super) struct Run<'d> {
    /// The bars, ascending; at least one.
    pub(super) bars: Vec<&'d Difference>,
}

/// The runs of `differences`, which are of one source and ascend.
pub(super) fn runs<'d>(differences: &[&'d Difference], limits: Limits) -> Vec<Run<'d>> {
    let is_price = |found: &Difference| found.field < PRICES;
    let mut runs: Vec<Run<'d>> = Vec::new();
    for prices in [true, false] {
        let near = 2.0 * if prices { limits.price } else { limits.volume }.max(1e-9);
        let mut open: Option<Run<'d>> = None;
        for found in differences.iter().copied().filter(|found| is_price(found) == prices) {
            let goes_on = open.as_ref().is_some_and(|run| {
                let (first, last) = (run.bars[0], run.bars[run.bars.len() - 1]);
                found.place == last.place + 1 && (found.ratio / first.ratio - 1.0).abs() <= near
            });
            match &mut open {
                Some(run) if goes_on => run.bars.push(found),
                _ => runs.extend(open.replace(Run { bars: vec![found] })),
            }
        }
        runs.extend(open);
    }
    runs.sort_by_key(|run| run.bars[0].place);
    runs
}
