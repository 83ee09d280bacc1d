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
    /// The run of bars with the same fault that it belongs to, however long that is; fewer than `least` of them are no run.
    Run {
        /// The shortest run.
        least: usize,
    },
    /// So many bars before and after it, unless the check says that what it evaluated depends on all of the series, see
    /// [`FindingSink::depends_on_all`](super::FindingSink::depends_on_all).
    Quiet {
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

    /// What two verdicts depend on together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole, _)
            | (_, Self::Whole)
            | (Self::Quiet { .. }, Self::Run { .. })
            | (Self::Run { .. }, Self::Quiet { .. }) => Self::Whole,
            (
                Self::Quiet { before, after },
                Self::Quiet { before: more, after: later } | Self::Bars { before: more, after: later },
            )
            | (Self::Bars { before: more, after: later }, Self::Quiet { before, after }) => {
                Self::Quiet { before: before.max(more), after: after.max(later) }
            }
            (Self::Bars { before, after }, Self::Bars { before: more_before, after: more_after }) => {
                Self::Bars { before: before.max(more_before), after: after.max(more_after) }
            }
            (Self::Run { least }, Self::Run { least: other }) => Self::Run { least: least.max(other) },
            (Self::Run { least }, Self::Bars { before, after })
            | (Self::Bars { before, after }, Self::Run { least }) => Self::Run { least: least.max(before).max(after) },
        }
    }
}

#[cfg(test)]
mod tests;
