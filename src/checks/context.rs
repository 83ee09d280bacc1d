/// What a verdict about a bar depends on besides the bar itself and its copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// So many bars before and after it, not counting those that [`Check::counts`](super::Check::counts) leaves out.
    Bars {
        /// Bars before.
        before: usize,
        /// Bars after.
        after: usize,
    },
    /// All of the series.
    Whole,
}

impl Context {
    /// Nothing besides the bar.
    pub const NONE: Self = Self::Bars { before: 0, after: 0 };
}

#[cfg(test)]
mod tests;
