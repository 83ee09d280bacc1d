//! What is answered about a bar.

use crate::market::Interval;
use crate::schema::moment::Moment;

/// Which bar is asked about.
#[derive(Debug, Clone)]
pub struct ExplainOptions {
    /// The key of its series as reports have it, or the first field of it where one series has that.
    pub series: String,
    /// Its timestamp, as `--since` is read.
    pub at: Moment,
    /// The moment the bars are evaluated for; see [`crate::CheckOptions::as_of`].
    pub as_of: Option<Moment>,
    /// Whether no other series is read, though rules look at others.
    pub alone: bool,
}

/// A bar, its neighbours, and what every rule says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The job.
    pub job: String,
    /// The key of the series.
    pub series: String,
    /// The step from bar to bar.
    pub interval: Interval,
    /// The timestamp, µs UTC; for daily bars the midnight that stands for the trading date.
    pub time: i64,
    /// The trading date, days since 1970-01-01.
    pub session: Option<i32>,
    /// The name of the calendar of the job.
    pub calendar: Option<String>,
    /// What the calendar says of the timestamp.
    pub by_calendar: ByCalendar,
    /// The rows around it in the order of time, those of the timestamp among them; copies follow on each other.
    pub bars: Vec<Bar>,
    /// What the rules say, in the order of the files, values that do not decode last. Where there is no row of the timestamp,
    /// those that found something which holds it.
    pub rules: Vec<RuleAnswer>,
    /// Rows read.
    pub read: u64,
}

impl Explanation {
    /// Whether its bars are days or longer, so that a timestamp is a date.
    pub fn is_daily(&self) -> bool {
        self.interval.is_daily_or_longer()
    }

    /// The rows of the timestamp.
    pub fn rows(&self) -> impl Iterator<Item = &Bar> {
        self.bars.iter().filter(|bar| bar.time == self.time)
    }

    /// The nearest timestamps before and behind it, µs UTC, that have a row.
    pub fn nearest(&self) -> [Option<i64>; 2] {
        let before = self.bars.iter().map(|bar| bar.time).filter(|time| *time < self.time).max();
        let behind = self.bars.iter().map(|bar| bar.time).filter(|time| *time > self.time).min();
        [before, behind]
    }
}

/// What a calendar says of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByCalendar {
    /// The job has none.
    None,
    /// A bar is expected there.
    Expected,
    /// Trading is possible there, and no bar is expected.
    Possible,
    /// It is none of the timestamps of this step.
    OffGrid,
    /// The day is one of trading, the hour is not.
    OffHours,
    /// There is no trading on the day.
    Closed,
    /// The calendar does not reach it.
    NotKnown,
}

/// One row of the series.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its timestamp, µs UTC.
    pub time: i64,
    /// Open, high, low, close and volume; `None` where the row has no such number.
    pub values: [Option<f64>; 5],
    /// Where it is in the source.
    pub place: String,
}

/// What a rule says of the bar.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleAnswer {
    /// The rule.
    pub rule: String,
    /// The check behind it; `None` for a rule that is left out.
    pub check: Option<&'static str>,
    /// Severity of its findings.
    pub severity: &'static str,
    /// What is done with flagged rows.
    pub action: &'static str,
    /// Why it exists, in its author's words.
    pub why: Option<String>,
    /// Bars before and after that its verdict depends on; `None` where it depends on all of the series, or that has no meaning.
    pub window: Option<(usize, usize)>,
    /// What it says.
    pub answer: Answer,
    /// How many of the rows of the timestamp it counted how.
    pub rows: OfRows,
    /// Its findings that hold the timestamp.
    pub findings: Vec<Finding>,
    /// How far the bar is from being flagged, where that is known.
    pub measured: Option<Measured>,
}

/// What a rule says of a bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It flags it.
    Flagged,
    /// It has a finding over a stretch of time that holds it, and does not flag the bar itself.
    InStretch,
    /// It evaluated the bar and found nothing.
    Within,
    /// There are too few bars around it for a verdict.
    Insufficient,
    /// These facts explain what would be a finding; none where the check itself says so.
    Excused(Vec<String>),
    /// Its condition does not choose the bar.
    NotChosen(String),
    /// These rules rejected the bar, so that rules about the series do not see it.
    Rejected(Vec<String>),
    /// Another row of the timestamp stands for it.
    AnotherCopy,
    /// The check passes over the bar: it lacks what is evaluated.
    SteppedOver,
    /// The rule does not hold for this time.
    NotValid(Validity),
    /// It evaluates all series together, and nothing that it found holds the bar, where it was run.
    OfAllSeries {
        /// Whether it was run: not where only this series was read.
        run: bool,
    },
    /// It compares runs with each other.
    OfRuns,
    /// It is not evaluated: the bars are said not to have a field that it needs.
    LeftOut,
    /// It is not known, and why.
    NotKnown(String),
}

impl Answer {
    /// The word in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Flagged => "flagged",
            Self::InStretch => "in-stretch",
            Self::Within => "within-limits",
            Self::Insufficient => "insufficient-history",
            Self::Excused(_) => "excused",
            Self::NotChosen(_) => "not-chosen",
            Self::Rejected(_) => "rejected-by-another-rule",
            Self::AnotherCopy => "another-copy",
            Self::SteppedOver => "stepped-over",
            Self::NotValid(_) => "not-valid",
            Self::OfAllSeries { .. } => "about-all-series",
            Self::OfRuns => "about-runs",
            Self::LeftOut => "left-out",
            Self::NotKnown(_) => "not-known",
        }
    }
}

/// The time that a rule holds for, half-open, µs UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Its beginning.
    pub from: Option<i64>,
    /// Its end.
    pub until: Option<i64>,
}

/// The rows of a timestamp by how a rule counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfRows {
    /// Rows with a verdict.
    pub evaluated: u64,
    /// Rows without enough history.
    pub insufficient: u64,
    /// Rows that were excused.
    pub excused: u64,
    /// Rows it did not look at.
    pub stepped_over: u64,
    /// Rows it flags.
    pub flagged: u64,
}

/// A finding that holds the timestamp.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Its id, as in reports.
    pub id: String,
    /// The sentence.
    pub message: String,
    /// First and last timestamp, µs UTC.
    pub span: (Option<i64>, Option<i64>),
    /// The field that is wrong.
    pub field: Option<String>,
    /// The value that broke the rule.
    pub observed: Option<f64>,
    /// The value as the source writes it.
    pub observed_text: Option<String>,
    /// Smallest and largest value that would have passed.
    pub expected: [Option<f64>; 2],
    /// What would have passed, in words.
    pub expected_text: Option<String>,
    /// How far outside, in the unit of the check.
    pub score: Option<f64>,
    /// Bars concerned.
    pub bars: u64,
    /// Class of the cause.
    pub cause: Option<String>,
    /// What the check adds, as JSON.
    pub evidence: serde_json::Value,
    /// Where its row is in the source; `None` where it stands for none.
    pub place: Option<String>,
    /// What is done with its rows.
    pub action: &'static str,
    /// What a person said of it.
    pub label: Option<&'static str>,
}

/// How far a bar is from being flagged.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The parameter that says how far is too far.
    pub key: &'static str,
    /// Its value.
    pub limit: f64,
    /// The nearest value of it at which the rule flags the bar, to three digits; `None` where it does at none that it may have.
    pub flagged_at: Option<f64>,
    /// The field that it measures, and its value.
    pub observed: Option<(Option<String>, f64)>,
}
