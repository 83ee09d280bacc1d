//! Names of runs: the second a run began in, and four characters for the hundredth of it and for the process and job.
//!
//! A name sorts by time as text, to the hundredth of a second, can be typed, and is legal in every file system. Reads no clock: the caller says
//! when the run began.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike, Utc};
use sha2::{Digest, Sha256};

use crate::text::utc::UtcMicros;

/// What the last four characters are made of, in the order of text: no `0` and no `1`, which look like letters.
const ALPHABET: &[u8; 34] = b"23456789abcdefghijklmnopqrstuvwxyz";
/// Names there are for each hundredth of a second: a hundredth of 34⁴.
const NAMES: u32 = 13_363;

const STARTED: &str = "%Y%m%dT%H%M%SZ";
const STARTED_LEN: usize = 16;
const SUFFIX_LEN: usize = 4;

/// The name of one run, e.g. `20261120T023000Z-k7f3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    text: String,
    started: DateTime<Utc>,
}

/// Why a text is not a name of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run id; one looks like `20261120T023000Z-k7f3`")]
pub struct RunIdError(String);

impl RunId {
    /// The name of a run of `job` that process `pid` began at `started`.
    pub fn new(started: DateTime<Utc>, pid: u32, job: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(started.timestamp_micros().to_le_bytes());
        hash.update(pid.to_le_bytes());
        hash.update(job);
        let digest = hash.finalize();
        let mut number = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]) % NAMES;
        number += (started.timestamp_subsec_millis() / 10).min(99) * NAMES;
        let mut suffix = ['2'; SUFFIX_LEN];
        for place in suffix.iter_mut().rev() {
            *place = char::from(ALPHABET[number as usize % ALPHABET.len()]);
            number /= 34;
        }
        let text = started.format(STARTED).to_string() + "-" + &suffix.iter().collect::<String>();
        let second = started.nanosecond() / 1_000_000_000 * 1_000_000_000;
        Self { text, started: started.with_nanosecond(second).unwrap_or(started) }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// `text` is not of the form of a name, or its date does not exist.
    pub fn parse(text: &str) -> Result<Self, RunIdError> {
        let wrong = || RunIdError(text.to_owned());
        let (started, suffix) = text.split_once('-').ok_or_else(wrong)?;
        let typeable = suffix.len() == SUFFIX_LEN && suffix.bytes().all(|byte| ALPHABET.contains(&byte));
        if started.len() != STARTED_LEN || !typeable {
            return Err(wrong());
        }
        let started = NaiveDateTime::parse_from_str(started, STARTED).map_err(|_| wrong())?;
        Ok(Self { text: text.to_owned(), started: started.and_utc() })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The UTC date on which the run began.
    pub fn run_date(&self) -> NaiveDate {
        self.started.date_naive()
    }

    /// The UTC month in which the run began, e.g. `2026-11`.
    pub fn month(&self) -> String {
        self.started.format("%Y-%m").to_string()
    }

    /// When the run began, to the second.
    pub fn started(&self) -> UtcMicros {
        self.started.into()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn name_tells_the_start_and_reads_back() {
        let id = RunId::new(at("2026-11-20T02:30:00.123456Z"), 4711, "cn-daily");
        assert!(id.as_str().starts_with("20261120T023000Z-"), "{id}");
        assert_eq!(id.run_date(), NaiveDate::from_ymd_opt(2026, 11, 20).unwrap());
        assert_eq!(id.month(), "2026-11");
        assert_eq!(RunId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn names_sort_by_start() {
        let starts = ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-10-01T00:00:00Z"];
        let ids: Vec<RunId> = starts.iter().map(|start| RunId::new(at(start), 1, "a")).collect();
        assert!(ids.is_sorted() && ids.iter().map(RunId::as_str).is_sorted());
    }

    #[test]
    fn names_sort_by_start_within_a_second() {
        let start = at("2026-11-20T02:30:00Z");
        let after = |hundredths: i64| start + chrono::TimeDelta::milliseconds(10 * hundredths + hundredths % 10);
        let ids: Vec<RunId> = (0_u32..100).map(|n| RunId::new(after(n.into()), 4711 + n % 7, "a")).collect();
        assert!(ids.is_sorted() && ids.iter().map(RunId::as_str).is_sorted(), "{ids:?}");
        assert!(ids.iter().all(|id| RunId::parse(id.as_str()).as_ref() == Ok(id)));
        let leap = RunId::new(at("2026-11-20T02:30:00.999999Z"), 1, "a");
        assert!(leap > ids[98] && RunId::parse(leap.as_str()) == Ok(leap));
    }

    #[test]
    fn start_process_and_job_each_change_the_last_four() {
        let start = at("2026-11-20T02:30:00Z");
        let id = RunId::new(start, 1, "a");
        let later = start + chrono::TimeDelta::microseconds(1);
        for other in [RunId::new(later, 1, "a"), RunId::new(start, 2, "a"), RunId::new(start, 1, "b")] {
            assert_eq!(other.as_str()[..17], id.as_str()[..17]);
            assert_ne!(other, id);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "latest",
            "20261120T023000Z",
            "20261120T023000Z-",
            "20261120T023000Z-k7f",
            "20261120T023000Z-k7f33",
            "20261120T023000Z-K7F3",
            "20261120T023000Z-k0f1",
            "20261120T023000Z_k7f3",
            "20261320T023000Z-k7f3",
            "20260230T023000Z-k7f3",
            "20261120T253000Z-k7f3",
            "2026112T0023000Z-k7f3",
            "../20261120T023000Z-k7f3",
            "20261120T023000Z-k7/3",
            "20261120t023000z-k7f3",
            "+0261120T023000Z-k7f3",
        ] {
            assert!(RunId::parse(text).is_err(), "{text}");
        }
    }
}
