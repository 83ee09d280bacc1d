//! What a check is: its kind, which rules name, and the check that a rule of it compiles to.

use super::finding::FindingSink;
use super::params::Params;
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
}

/// One kind of check: what it is called, what it takes, and how a rule of it is made.
pub trait CheckKind: Sync {
    /// Kebab-case name as rules write it; never renamed once released.
    fn name(&self) -> &'static str;

    /// Its documentation, the `.md` beside its source.
    fn explain(&self) -> &'static str;

    /// The parameters it takes.
    fn params(&self) -> &'static [Key];

    /// When it runs.
    fn stage(&self) -> Stage;

    /// Whether its findings stand for rows; gaps between rows can only be reported.
    fn flags_rows(&self) -> bool {
        true
    }

    /// Reads the parameters of one rule. Mistakes are recorded in `params`, which the caller looks at: the
    /// returned check is used only where there were none.
    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check>;
}

/// A check with its parameters, ready to evaluate.
pub trait Check: Send + Sync {
    /// Whether of equally good copies of a bar it keeps the last one; then that copy is the one other rules see.
    fn keeps_last(&self) -> bool {
        false
    }

    /// Evaluates one series, which may be empty.
    fn check(&self, series: &Series<'_>, findings: &mut FindingSink);
}
