//! The dates and formats that a rule accepts.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::cause::Cause;
use crate::bars::time::TimeFormat;
use crate::checks::params::Params;

/// The dates a rule accepts, days since 1970-01-01, both ends included.
pub(super) struct Dates {
    min: Option<i32>,
    max: Option<i32>,
    /// Where instants become dates.
    pub(super) zone: Tz,
}

impl Dates {
    pub(super) fn read(params: &mut Params<'_>, zone: Tz) -> Self {
        let [min, max] = ["min", "max"].map(|name| {
            let date = params.maybe_text(name)?.parse::<NaiveDate>().ok();
            if date.is_none() {
                params.reject(name, format!("`{name}` is not a date"), "write year, month and day, e.g. `2010-01-31`");
            }
            date.map(|date| date.to_epoch_days())
        });
        if min.zip(max).is_some_and(|(min, max)| min > max) {
            params.reject(
                "min",
                "`min` and `max` are contradictory: no date is in between",
                "`min` must not be after `max`",
            );
        }
        Self { min, max, zone }
    }

    /// Whether every date passes.
    pub(super) fn unbounded(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// What is wrong with a date, as cause and as what would have passed.
    pub(super) fn fault(&self, day: i32) -> Option<(Cause, String)> {
        let date = |day: i32| NaiveDate::from_epoch_days(day).unwrap_or_default();
        match (self.min, self.max) {
            (Some(min), _) if day < min => Some((Cause::BeforeMin, format!("not before {}", date(min)))),
            (_, Some(max)) if day > max => Some((Cause::AfterMax, format!("not after {}", date(max)))),
            _ => None,
        }
    }
}

/// `formats` for a person.
pub(super) fn alternatives(formats: &[TimeFormat]) -> String {
    formats.iter().map(TimeFormat::text).collect::<Vec<_>>().join(" or ")
}
