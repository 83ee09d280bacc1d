//! Dates of MongoDB as JSON literals: `{"$date":{"$numberLong":"1761156300000"}}` or `{"$date":"2025-10-22T18:05:00Z"}`.

use chrono::DateTime;
use serde::Deserialize;

use super::fault::TimeFault;

#[derive(Deserialize)]
struct Date<'a> {
    #[serde(rename = "$date", borrow)]
    value: Value<'a>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value<'a> {
    Millis {
        #[serde(rename = "$numberLong", borrow)]
        digits: &'a str,
    },
    Text(&'a str),
}

/// The instant of `literal`, µs UTC. [`TimeFault::WrongType`] where it is not a date, [`TimeFault::OutOfRange`] where it is
/// one that no count of microseconds holds.
pub(super) fn instant(literal: &str) -> Result<i64, TimeFault> {
    if !literal.starts_with("{\"$date\"") {
        return Err(TimeFault::WrongType);
    }
    let date: Date<'_> = serde_json::from_str(literal).map_err(|_| TimeFault::WrongType)?;
    match date.value {
        Value::Millis { digits } => {
            let millis: i64 = digits.parse().map_err(|_| TimeFault::WrongType)?;
            millis.checked_mul(1000).ok_or(TimeFault::OutOfRange)
        }
        Value::Text(text) => {
            let instant = DateTime::parse_from_rfc3339(text).map_err(|_| TimeFault::WrongType)?;
            Ok(instant.timestamp_micros())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_are_the_same_instant() {
        let expected = Ok(1_761_156_300_000_000);
        assert_eq!(instant(r#"{"$date":{"$numberLong":"1761156300000"}}"#), expected);
        assert_eq!(instant(r#"{"$date":"2025-10-22T18:05:00Z"}"#), expected);
        assert_eq!(instant(r#"{"$date":"2025-10-22T18:05:00.000Z"}"#), expected);
    }

    #[test]
    fn what_is_no_date_and_what_no_microsecond_holds_are_distinguished() {
        for literal in ["true", "5", r#"{"$date":5}"#, r#"{"$date":"yesterday"}"#, r#"{"$oid":"1c3d"}"#] {
            assert_eq!(instant(literal), Err(TimeFault::WrongType), "{literal}");
        }
        let far = r#"{"$date":{"$numberLong":"9223372036854775807"}}"#;
        assert_eq!(instant(far), Err(TimeFault::OutOfRange));
    }
}
