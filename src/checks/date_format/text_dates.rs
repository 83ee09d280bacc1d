//! The dates in a text field: format and range.

use std::sync::Arc;

use super::cause::Cause;
use super::dates::{Dates, alternatives};
use crate::bars::TimeSpec;
use crate::bars::time::{Parsed, TimeFault};
use crate::checks::{Check, Context, Finding, FindingSink, Series};
use crate::market::zone;

/// Evaluates the dates in a text field.
pub(super) struct TextDates {
    pub(super) index: usize,
    pub(super) name: Arc<str>,
    pub(super) time: TimeSpec,
    pub(super) dates: Dates,
}

impl Check for TextDates {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let column = series.text(self.index);
        for row in 0..series.rows {
            let (text, date) = match (column.get(row), column.other(row)) {
                (Some(text), _) => (text, self.parse(text)),
                (None, Some(literal)) => (literal, self.time.read_literal(literal).map(Parsed::Instant)),
                (None, None) => continue,
            };
            let fault = match date {
                Ok(date) => self.date_fault(date),
                Err(fault) => Some((fault.into(), alternatives(&self.time.formats))),
            };
            if let Some((cause, expected)) = fault {
                let finding = Finding::row(row).field(&self.name).observed_text(text);
                findings.push(finding.expected_text(expected).cause(cause));
            }
        }
        findings.evaluated(series.reported());
    }
}

impl TextDates {
    /// Reads `text` by the first format that takes it; else the fault of the format that came closest. Whether
    /// the zone's clocks showed that time is not asked: a date in another field is not a timestamp.
    fn parse(&self, text: &str) -> Result<Parsed, TimeFault> {
        let mut fault = TimeFault::Format;
        for format in &self.time.formats {
            match format.parse(text) {
                Ok(parsed) => return Ok(parsed),
                Err(other) => fault = fault.max(other),
            }
        }
        Err(fault)
    }

    fn date_fault(&self, date: Parsed) -> Option<(Cause, String)> {
        if self.dates.unbounded() {
            return None;
        }
        self.dates.fault(match date {
            Parsed::Local { day, .. } => day,
            Parsed::Instant(instant) => zone::local_day(self.dates.zone, instant),
        })
    }
}
