//! A bar and its neighbours, as the methods see them, and what they say of it.

use crate::checks::robust::SlidingMedian;

/// The clean values around one bar, in units of the scale and in the order of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neighbours<'a> {
    /// All clean values of the series.
    pub(super) clean: &'a [f64],
    /// How many of them come before the bar.
    pub(super) before: usize,
    /// Most values to take on a side.
    pub(super) half: usize,
}

impl<'a> Neighbours<'a> {
    pub(super) fn left(&self) -> &'a [f64] {
        &self.clean[self.before.saturating_sub(self.half)..self.before]
    }

    pub(super) fn right(&self) -> &'a [f64] {
        &self.clean[self.before + 1..self.clean.len().min(self.before + 1 + self.half)]
    }

    /// Left and right neighbours with the bar itself between them.
    pub(super) fn window(&self) -> &'a [f64] {
        &self.clean[self.before.saturating_sub(self.half)..self.clean.len().min(self.before + 1 + self.half)]
    }
}

/// What the methods reuse from bar to bar: memory, and where the last median was. No verdict depends on it.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) median: SlidingMedian,
    pub(super) scratch: Vec<f64>,
}

/// What a method says of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    Inside,
    Outside(Band),
    /// The neighbours do not decide it.
    Undecided,
}

/// The values a method would have let pass, in units of the scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Band {
    /// The median or mean the bar was compared with.
    pub(super) centre: f64,
    /// The spread of the neighbours.
    pub(super) scale: f64,
    /// Largest distance from the centre that passes.
    pub(super) reach: f64,
    /// Number of values compared.
    pub(super) values: usize,
}
