//! What a check is: its kind, which rules name, and the check that a rule of it compiles to.

use std::sync::Arc;

use super::across::Across;
use super::context::Context;
use super::facts::Facts;
use super::finding::FindingSink;
use super::other_job::OtherJob;
use super::params::Params;
use super::reason::Exempt;
use super::run_totals::History;
use super::series::Series;
use crate::bars::BarsSpec;
use crate::schema::Key;

/// What a rule is about, and with it when it runs and which rows it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Evaluates each row by itself, rows without a readable timestamp too.
    Row,
    /// Evaluates a bar by its neighbours; sees dated rows, one of each timestamp, and no rejected row.
    Series,
    /// Evaluates which rows of a series are the same bar; sees all rows, and how they stand after the other rules.
    Copies,
    /// Evaluates the series of one symbol from several sources together, see [`Check::by`], or beside that of another job,
    /// see [`Check::other_job`]. Its findings stand for no rows.
    Sources,
    /// Evaluates series by each other: notes what it needs of each, over all of its rows, and concludes when all of them
    /// were read; or the run as a whole by those before, see [`Check::history`]. Its findings stand for no rows.
    Across,
}

/// What findings are made by: its name, its documentation, and the words in which it says what it found.
pub trait Described: Sync {
    /// Kebab-case name as rules write it; never renamed once released.
    fn name(&self) -> &'static str;

    /// Its documentation, the `.md` beside its source.
    fn explain(&self) -> &'static str;

    /// What it flags, in the first sentence of its documentation.
    fn summary(&self) -> String {
        let text = self.explain().split("## What it flags").nth(1).unwrap_or_default();
        let paragraph = text.trim().split("\n\n").next().unwrap_or_default().replace('\n', " ");
        paragraph
            .split_once(". ")
            .map_or(paragraph.trim_end_matches(['.', ':']).to_owned(), |(first, _)| first.to_owned())
    }

    /// The causes its findings have; none where there is only one reason to flag.
    fn causes(&self) -> &'static [&'static str] {
        &[]
    }

    /// A finding in one sentence, without a final period.
    fn message(&self, facts: &Facts<'_>) -> String;

    /// Examples of causes that its documentation does not show, written as there.
    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        ""
    }
}

/// One kind of check: what it takes, and how a rule of it is made.
pub trait CheckKind: Described {
    /// The parameters it takes.
    fn params(&self) -> &'static [Key];

    /// When it runs.
    fn stage(&self) -> Stage;

    /// Whether its findings stand for rows; gaps between rows can only be reported.
    fn flags_rows(&self) -> bool {
        true
    }

    /// The facts that can excuse its findings.
    fn excusable(&self) -> &'static [Exempt] {
        match self.stage() {
            Stage::Row | Stage::Series | Stage::Copies => Exempt::OF_ROWS,
            Stage::Sources | Stage::Across => &[],
        }
    }

    /// The facts that do where a rule does not say it.
    fn excused_by_default(&self) -> &'static [Exempt] {
        &[]
    }

    /// Reads the parameters of one rule. Mistakes are recorded in `params`, which the caller looks at: the
    /// returned check is used only where there were none.
    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check>;
}

/// A check whose verdict about a bar depends on the bars of other series at its timestamp.
pub trait Peers: Send + Sync {
    /// The fields that these values are made of, by index into `BarsSpec::fields`: where they are gathered no others are read.
    fn fields(&self) -> Vec<usize>;

    /// The value of each dated row that other series compare theirs with; NaN for a row that says nothing.
    fn values(&self, series: &Series<'_>) -> Vec<f64>;
}

/// How far is too far, as a rule says it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// The parameter.
    pub key: &'static str,
    /// Its value, written or by default.
    pub value: f64,
}

/// A check with its parameters, ready to evaluate.
pub trait Check: Send + Sync {
    /// Whether of equally good copies of a bar it keeps the last one; then that copy is the one other rules see.
    fn keeps_last(&self) -> bool {
        false
    }

    /// Whether it compares rows by all that the source has of them.
    fn compares_rows(&self) -> bool {
        false
    }

    /// What its verdict about a bar depends on, however long the series is.
    fn context(&self) -> Context;

    /// Whether the bar in `row` counts as one of the bars of the context; not where the check passes over it, because it
    /// has no value to compare with.
    fn counts(&self, _series: &Series<'_>, _row: usize) -> bool {
        true
    }

    /// The field of the series key that names the source, where it evaluates all sources of a symbol together.
    fn by(&self) -> Option<&Arc<str>> {
        None
    }

    /// The job whose bars it compares with; `None` where there is none.
    fn other_job(&self) -> Option<&OtherJob> {
        None
    }

    /// The check as one that evaluates series by each other; `None` for all that evaluate each by itself.
    fn across(&self) -> Option<&dyn Across> {
        None
    }

    /// The check as one that compares the totals of a run with those of the runs before; `None` for all others.
    fn history(&self) -> Option<&dyn History> {
        None
    }

    /// The check as one that has to know what other series show at the timestamps of a series; `None` for all others.
    fn peers(&self) -> Option<&dyn Peers> {
        None
    }

    /// The parameter that says how far is too far, so that a rule can be tried at other values of it; `None` where the check
    /// has none, or several.
    fn threshold(&self) -> Option<Threshold> {
        None
    }

    /// Evaluates one series, which may be empty.
    fn check(&self, series: &Series<'_>, findings: &mut FindingSink);

    /// Makes one finding of those that say the same of many sessions. What facts explain was taken out before; a finding
    /// that stands for others stands for all of their rows.
    fn merge(&self, _series: &Series<'_>, _findings: &mut FindingSink) {}

    /// The causes of the findings that [`Check::merge`] makes. They depend on bars further away than [`Check::context`] says:
    /// on those of all the stretch.
    fn merged(&self) -> &'static [&'static str] {
        &[]
    }
}

/// What any check is, for one that evaluates series by each other: it finds nothing in a series alone.
impl<T: Across> Check for T {
    fn context(&self) -> Context {
        Context::Whole
    }

    fn across(&self) -> Option<&dyn Across> {
        Some(self)
    }

    fn check(&self, _: &Series<'_>, _: &mut FindingSink) {}
}
