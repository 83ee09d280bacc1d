//! Why a date is flagged, and the sentence about it.

use super::{closed_days, same_extra};
use crate::bars::TIME;
use crate::bars::time::TimeFault;
use crate::checks::Facts;
use crate::checks::cause::causes;
use crate::checks::displaced::OfSessions;
use crate::text::numbers::counted;

causes! {
    /// The text has the shape of none of the formats.
    NotAFormat = "not-a-format",
    /// The value is of a type that the formats do not read.
    WrongType = "wrong-type",
    /// The date or time does not exist.
    Impossible = "impossible-date",
    /// The date is outside the years that can be read.
    OutOfRange = "out-of-range",
    /// The clocks of the zone jumped over this local time.
    Skipped = "skipped-by-zone",
    /// The clocks of the zone showed this local time twice.
    Repeated = "repeated-by-zone",
    /// The date is before the earliest that passes.
    BeforeMin = "before-min",
    /// The date is after the latest that passes.
    AfterMax = "after-max",
    /// There is no session on the date.
    NotASession = "not-a-session",
    /// The week or month has a bar already, under another date.
    SecondInPeriod = "second-in-period",
    /// The week or month is dated by another day.
    OtherDay = "other-day",
    /// The timestamp is outside trading hours.
    OffHours = "off-hours",
    /// The timestamp is between two bars.
    OffGrid = "off-grid",
    /// The bars of many sessions lie beside the calendar by the same time.
    Shifted = "shifted",
    /// Bars lie outside of trading hours in one session after the other.
    SameBarsExtra = "same-bars-extra",
    /// Most series traded on a day that the calendar calls closed.
    MarketOpen = "market-open",
}

impl From<TimeFault> for Cause {
    fn from(fault: TimeFault) -> Self {
        match fault {
            TimeFault::WrongType => Self::WrongType,
            TimeFault::Format => Self::NotAFormat,
            TimeFault::OutOfRange => Self::OutOfRange,
            TimeFault::Impossible => Self::Impossible,
            TimeFault::Skipped => Self::Skipped,
            TimeFault::Repeated => Self::Repeated,
        }
    }
}

impl Cause {
    /// The sentence about a timestamp or a date in a field.
    pub(crate) fn message(self, facts: &Facts<'_>) -> String {
        let subject = match (facts.observed_text, facts.time) {
            (None, Some(time)) => format!("{} {}", facts.field_or(TIME), facts.timestamp(time)),
            _ => facts.subject(),
        };
        let expected = facts.expected();
        match self {
            Self::NotAFormat => format!("{subject} is not written as {expected}"),
            Self::WrongType => format!("{subject} is of a type that {expected} does not read"),
            Self::Impossible => format!("{subject} is not a date or time that exists"),
            Self::OutOfRange => format!("{subject} is outside the years 1678 to 2261"),
            Self::Skipped => format!("{subject} is a local time that the clocks jumped over"),
            Self::Repeated => format!("{subject} is a local time that the clocks showed twice"),
            Self::BeforeMin => format!("{subject} is too early: it must be {expected}"),
            Self::AfterMax => format!("{subject} is too late: it must be {expected}"),
            Self::SecondInPeriod => format!("{subject} is in a {expected} that has a bar under another date"),
            Self::OffHours => format!("{subject} is outside {expected}"),
            Self::OtherDay => format!("{subject} is not the day that dates its bar: {expected}"),
            Self::Shifted => {
                let rows = counted(facts.bars, "bar");
                format!("{}; {rows} outside of {expected}", facts.evidence::<OfSessions>().displaced(facts))
            }
            Self::SameBarsExtra => same_extra::message(facts),
            Self::MarketOpen => closed_days::message(facts),
            Self::NotASession | Self::OffGrid => format!("{subject} is not {expected}"),
        }
    }
}
