/// One part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// This byte.
    Literal(u8),
    /// The `T`, `t` or blank of RFC 3339.
    Separator,
    /// The `Z` that ends a pattern: UTC.
    Zulu,
    /// So many digits.
    Digits(Field, u8),
    /// One or two digits without leading zero.
    Unpadded(Field),
    /// The same right before so many digits of other parts: what they leave over of the digits that stand there.
    UnpaddedBefore(Field, u8),
    /// Two digits, the first of which may be a blank.
    BlankPadded(Field),
    /// Two digits of a year.
    ShortYear,
    /// `Jan` to `Dec`, in any case.
    MonthName,
    /// `AM` or `PM`, in any case.
    HalfDay,
    /// Digits of a fraction of a second: so many at least, so many at most.
    Fraction(u8, u8),
    /// A point and 1 to 9 such digits, or nothing.
    PointFraction,
    /// `+08:00`, or also `+0800` where the colon is not needed; `Z`.
    Offset { colon_needed: bool },
}

/// What digits stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    Month,
    Day,
    DayOfYear,
    Hour,
    /// Of the twelve hours before or after noon.
    Hour12,
    Minute,
    Second,
}
