//! Why a timestamp cannot be read.

/// Why a timestamp cannot be read. A later variant came closer to being readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeFault {
    /// A value of a type the job's formats do not read.
    WrongType,
    /// The text has the shape of none of the formats.
    Format,
    /// A date outside the years 1678 to 2261, or an epoch number with digits of no known unit.
    OutOfRange,
    /// The text has the shape of a format, but there is no such date or time (2020-02-30).
    Impossible,
    /// A local time that the clocks of the zone jumped over.
    Skipped,
    /// A local time that the clocks of the zone showed twice, where the job does not say which is meant.
    Repeated,
}
