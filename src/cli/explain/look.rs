//! How a terminal shows it.

/// What a terminal can show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Columns.
    pub(super) width: usize,
    /// Whether candles can be drawn: a person reads it, and the terminal has the signs for it.
    pub(super) drawn: bool,
    /// Whether it may be coloured.
    pub(super) colour: bool,
}
