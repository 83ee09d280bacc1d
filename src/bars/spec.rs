//! The bars of one job: their fields, their series key, and how their timestamps are read.

use std::sync::Arc;

use super::TIME;
use super::fresh::Fresh;
use super::number::{NumberFormat, Scale};
use super::time::TimeSpec;
use crate::market::{Calendar, Grid, Interval};

/// What a field holds once decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// `Float64`; NULL where the source has none or the value did not decode.
    Number,
    /// UTF-8 text, exactly as in the source.
    Text,
}

/// One field of the bars.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldSpec {
    /// The name rules use.
    pub name: Arc<str>,
    /// The name in the source.
    pub source: Arc<str>,
    /// What it holds.
    pub kind: FieldKind,
    /// What the job gives it in every bar; the source has no such column then.
    pub constant: Option<Arc<str>>,
    /// What its numbers are multiplied by.
    pub scale: Option<Scale>,
    /// Whether it is text that the source has as whole numbers: it is read as their digits.
    pub digits: bool,
}

/// The bars of one job.
#[derive(Debug, Clone)]
pub struct BarsSpec {
    /// Names of the fields that make the series key; the first is the symbol. Always text.
    pub series: Vec<Arc<str>>,
    /// The step from bar to bar.
    pub interval: Interval,
    /// The trading calendar, where the job names one.
    pub calendar: Option<Arc<Calendar>>,
    /// Expected timestamps; present when `calendar` is.
    pub grid: Option<Arc<Grid>>,
    /// How timestamps are read.
    pub time: TimeSpec,
    /// Fields that these bars are said not to have: rules that need one are not evaluated.
    pub without: Vec<Arc<str>>,
    /// Whether prices may be zero or below: then they are compared by differences, not by ratios.
    pub negative: bool,
    /// How numbers are written that the source has as text.
    pub numbers: NumberFormat,
    /// Every field rules can name, besides `time`; the order is that of the columns of a `Series`.
    pub fields: Vec<FieldSpec>,
    /// How old the newest bar of a series may be, where the job says it.
    pub fresh: Option<Fresh>,
    /// The moment the bars are evaluated for, µs UTC: what begins later is not there yet, and what ended before should be.
    /// `None` where no run evaluates them.
    pub as_of: Option<i64>,
}

impl FieldSpec {
    /// A field that has the name that it has in the source.
    pub fn plain(name: &str, kind: FieldKind) -> Self {
        Self { name: Arc::from(name), source: Arc::from(name), kind, constant: None, scale: None, digits: false }
    }
}

impl BarsSpec {
    /// Bars without a field, a series key or a calendar.
    pub fn new(interval: Interval, time: TimeSpec) -> Self {
        Self {
            series: Vec::new(),
            interval,
            calendar: None,
            grid: None,
            time,
            without: Vec::new(),
            negative: false,
            numbers: NumberFormat::default(),
            fields: Vec::new(),
            fresh: None,
            as_of: None,
        }
    }

    /// Whether the job says that these bars do not have the field called `name`.
    pub fn lacks_knowingly(&self, name: &str) -> bool {
        self.without.iter().any(|without| **without == *name)
    }

    /// Position and description of the field called `name`.
    pub fn field(&self, name: &str) -> Option<(usize, &FieldSpec)> {
        self.fields.iter().enumerate().find(|(_, field)| &*field.name == name)
    }

    /// Every name a rule may use, `time` first.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(TIME).chain(self.fields.iter().map(|field| &*field.name))
    }

    /// Whether one bar stands for a whole session or more, so that `time` is a date, not an instant.
    pub fn daily(&self) -> bool {
        self.interval.is_daily_or_longer()
    }
}
