//! `parse-error`: a value that does not decode. No rule names it: every run reports it.

use serde::{Deserialize, Serialize};

use super::cause::causes;
use super::{Described, Facts, date_format};
use crate::bars::TIME;
use crate::bars::number::NumberFault;
use crate::bars::time::TimeFault;
use crate::text::escape::shortened;

/// What findings about values that do not decode have in the place of a rule and of a check.
pub const NAME: &str = "parse-error";

/// Most characters of a reason that a message shows.
const LONGEST_REASON: usize = 80;

/// Describes the findings about values that do not decode.
pub(super) struct ParseError;

causes! {
    /// The row cannot be split into fields.
    BrokenRow = "broken-row",
    /// A field of the series key is missing, or of another type: the row belongs to no series.
    NoSeriesKey = "no-series-key",
    /// The text is not a number.
    NotANumber = "not-a-number",
    /// The number is too large, or the date outside the years that can be read.
    OutOfRange = "out-of-range",
    /// The value is of a type that holds no such value.
    WrongType = "wrong-type",
    /// The timestamp has the shape of none of the formats.
    NotAFormat = "not-a-format",
    /// The timestamp is a date or time that does not exist.
    Impossible = "impossible-date",
    /// The timestamp is a local time that the clocks of the zone jumped over.
    Skipped = "skipped-by-zone",
    /// The timestamp is a local time that the clocks of the zone showed twice.
    Repeated = "repeated-by-zone",
}

impl From<NumberFault> for Cause {
    fn from(fault: NumberFault) -> Self {
        match fault {
            NumberFault::NotANumber => Self::NotANumber,
            NumberFault::OutOfRange => Self::OutOfRange,
        }
    }
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

/// What is wrong with a row that cannot be split into fields.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// In the words of the parser.
    pub reason: Option<String>,
}

impl Described for ParseError {
    fn name(&self) -> &'static str {
        NAME
    }

    fn explain(&self) -> &'static str {
        include_str!("parse_error.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        if facts.field == Some(TIME)
            && let Some(cause) = facts.cause.and_then(date_format::Cause::parse)
        {
            return cause.message(facts);
        }
        match facts.cause.and_then(Cause::parse) {
            Some(Cause::BrokenRow) => {
                let reason = facts.evidence::<Evidence>().reason.unwrap_or_else(|| "it is broken".to_owned());
                format!("the row cannot be read: {}", shortened(&reason, LONGEST_REASON))
            }
            Some(Cause::NoSeriesKey) => match (facts.field, facts.observed_text) {
                (Some(_), Some(_)) => format!("no series key: {} is not text", facts.subject()),
                (Some(field), None) => format!("no series key: {field} is missing"),
                (None, _) => "no series key".to_owned(),
            },
            Some(Cause::NotANumber) => format!("{} is not a number", facts.subject()),
            Some(Cause::OutOfRange) => format!("{} is too large for a number", facts.subject()),
            Some(Cause::WrongType) => format!("{} is of a type that holds no number", facts.subject()),
            Some(Cause::NotAFormat | Cause::Impossible | Cause::Skipped | Cause::Repeated) | None => facts.generic(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::checks::{Finding, message};
    use crate::market::Interval;

    fn reported(finding: &Finding) -> String {
        message(&Facts::of(NAME, Interval::Day, finding, Some(0)))
    }

    #[test]
    fn every_cause_is_reported_with_the_raw_text() {
        let number = Finding::row(0).field(&Arc::from("close")).observed_text("1,000").expected_text("a number");
        let time = Finding::row(0).field(&Arc::from(TIME)).observed_text("17").expected_text("%Y-%m-%d");
        let broken = Finding::row(0).observed_text("a,b").evidence(Evidence { reason: Some("2 fields".to_owned()) });
        let cases = [
            (broken, Cause::BrokenRow, "the row cannot be read: 2 fields"),
            (Finding::row(0).field(&Arc::from("symbol")), Cause::NoSeriesKey, "no series key: symbol is missing"),
            (number.clone(), Cause::NotANumber, "close `1,000` is not a number"),
            (number.clone(), Cause::OutOfRange, "close `1,000` is too large for a number"),
            (number, Cause::WrongType, "close `1,000` is of a type that holds no number"),
            (time.clone(), Cause::OutOfRange, "time `17` is outside the years 1678 to 2261"),
            (time.clone(), Cause::WrongType, "time `17` is of a type that %Y-%m-%d does not read"),
            (time.clone(), Cause::NotAFormat, "time `17` is not written as %Y-%m-%d"),
            (time.clone(), Cause::Impossible, "time `17` is not a date or time that exists"),
            (time.clone(), Cause::Skipped, "time `17` is a local time that the clocks jumped over"),
            (time, Cause::Repeated, "time `17` is a local time that the clocks showed twice"),
        ];
        for (finding, cause, text) in &cases {
            assert_eq!(reported(&finding.clone().cause(*cause)), *text);
        }
        let shown = |word: &&str| cases.iter().any(|(_, cause, _)| <&str>::from(*cause) == *word);
        assert!(Cause::WORDS.iter().all(shown));
    }
}
