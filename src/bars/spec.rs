//! The bars of one job: their fields, their series key, and how their timestamps are read.

use std::sync::Arc;

use chrono_tz::Tz;

use crate::bars::TIME;
use crate::bars::time::TimeFormat;
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
}

/// What a bar's timestamp says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// A trading date.
    Session,
    /// The instant the bar opens.
    Start,
    /// The instant the bar closes.
    End,
}

/// Which of the two instants a local time means that the zone's clocks showed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fold {
    /// Neither: the timestamp is not readable.
    #[default]
    Refuse,
    /// The first, before the clocks were put back.
    Earlier,
    /// The second.
    Later,
}

/// How the timestamp of a bar is found and read.
#[derive(Debug, Clone)]
pub struct TimeSpec {
    /// The source field.
    pub source: Arc<str>,
    /// Accepted spellings of text, tried in order; never empty.
    pub formats: Vec<TimeFormat>,
    /// Zone of timestamps that carry no offset, and of trading dates.
    pub zone: Tz,
    /// What the timestamp says.
    pub label: Label,
    /// Which instant a repeated local time means.
    pub fold: Fold,
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
    /// Every field rules can name, besides `time`; the order is that of the columns of a `Series`.
    pub fields: Vec<FieldSpec>,
}

impl BarsSpec {
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
