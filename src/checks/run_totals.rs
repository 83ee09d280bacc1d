//! What a run comes to, and what a check that compares runs by it promises.

use std::collections::BTreeMap;

use super::across::AcrossSink;

/// One total of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Rows read.
    Rows,
    /// Series.
    Series,
    /// Prices that are NULL, for each row; four for a row without any.
    NullPrices,
    /// The share of rows whose volume is NULL.
    NullVolumes,
    /// Findings of the rule with this identifier.
    Findings(String),
}

impl Measure {
    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::Rows => "rows".to_owned(),
            Self::Series => "series".to_owned(),
            Self::NullPrices => "missing_prices".to_owned(),
            Self::NullVolumes => "missing_volumes".to_owned(),
            Self::Findings(rule) => format!("findings of {rule}"),
        }
    }

    /// Whether it is a share of the rows; otherwise it is a count.
    pub fn is_share(&self) -> bool {
        matches!(self, Self::NullPrices | Self::NullVolumes)
    }
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunTotals {
    /// The run.
    pub run: String,
    /// What it counted, as far as that is known.
    pub values: BTreeMap<Measure, f64>,
}

impl RunTotals {
    /// The totals of `run` besides its findings: `nulls` are its NULL prices and volumes, where they were counted.
    pub fn new(run: &str, rows: u64, series: u64, nulls: Option<(u64, u64)>) -> Self {
        let mut values = BTreeMap::from([(Measure::Rows, rows as f64), (Measure::Series, series as f64)]);
        if let Some((prices, volumes)) = nulls.filter(|_| rows > 0) {
            values.insert(Measure::NullPrices, prices as f64 / rows as f64);
            values.insert(Measure::NullVolumes, volumes as f64 / rows as f64);
        }
        Self { run: run.to_owned(), values }
    }
}

/// A check that compares the totals of a run with those of runs before.
pub trait History: Send + Sync {
    /// How many runs before are compared with at most.
    fn runs(&self) -> usize;

    /// Evaluates the totals of a run by those of `earlier` runs, oldest first. What was not counted then, or is not counted
    /// now, is not compared.
    fn conclude(&self, present: &RunTotals, earlier: &[RunTotals], sink: &mut AcrossSink);
}
