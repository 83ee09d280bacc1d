//! Why a source, a series or a bar is flagged, and the sentence about it.

use super::evidence::Evidence;
use crate::checks::Facts;
use crate::checks::cause::causes;
use crate::checks::evidence::LONGEST_VALUE;
use crate::text::UtcMicros;
use crate::text::escape::{shortened, visible};
use crate::text::numbers::counted;

causes! {
    /// The bar begins after the moment it is evaluated for.
    Future = "future",
    /// Nearly all series end together, and too early.
    SourceEnds = "source-ends",
    /// Some series end too early while others go on.
    SeriesEnds = "series-ends",
    /// The bar is older than the calendar, which knows nothing of its day.
    BeforeCalendar = "before-calendar",
    /// The bar is on a day after the last one of the calendar.
    AfterCalendar = "after-calendar",
    /// The calendar ends before the moment.
    CalendarEnds = "calendar-ends",
}

impl Cause {
    /// The sentence about it.
    pub(super) fn message(self, facts: &Facts<'_>) -> String {
        let Evidence { as_of, late, series, longer, lag, unit, names } = facts.evidence();
        let (as_of, at) = (UtcMicros(as_of).timestamp(false), facts.timestamp(facts.time.unwrap_or_default()));
        let lag = format!("{} late", counted(lag, &unit));
        let longer = if longer == 1 { "1 goes on longer".to_owned() } else { format!("{longer} go on longer") };
        match self {
            Self::Future if facts.bars > 1 => {
                let until = facts.timestamp(facts.time_until.unwrap_or_default());
                format!("{} from {at} to {until} begin after {as_of}", counted(facts.bars, "bar"))
            }
            Self::Future => format!("the bar of {at} begins after {as_of}"),
            Self::BeforeCalendar | Self::AfterCalendar => {
                let (bars, calendar) =
                    (counted(facts.bars, "bar"), visible(facts.observed_text.unwrap_or("of the job")));
                let until = facts.timestamp(facts.time_until.or(facts.time).unwrap_or_default());
                let side = if self == Self::BeforeCalendar { "before the first" } else { "after the last" };
                format!("{bars} from {at} to {until}, {side} day that the calendar {calendar} knows")
            }
            Self::SourceEnds => format!("{late} of {series} series end {at}, {lag}"),
            Self::SeriesEnds if late > 1 => {
                let named = names.iter().map(|name| shortened(name, LONGEST_VALUE)).collect::<Vec<_>>().join(", ");
                let more = if late > names.len() as u64 { ", …" } else { "" };
                format!("{late} of {series} series end {at}, {lag}, and {longer}: {named}{more}")
            }
            Self::SeriesEnds => format!("ends {at}, {lag}; of {series} series {longer}"),
            Self::CalendarEnds => {
                let calendar = visible(facts.observed_text.unwrap_or("of the job"));
                format!("the calendar {calendar} ends on {at}: what is missing from then until {as_of} is not known")
            }
        }
    }
}
