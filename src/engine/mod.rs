//! How the rules run: bars out of Parquet through DataFusion into [`SeriesExec`](exec), findings out.
//!
//! ```text
//! table    Parquet files (a snapshot, or the source itself) with file and row number
//! left_out  rows that the reader of the files may pass over
//! shape    source columns -> canonical columns, as projections of our own scalar functions
//! node     the logical node of the operator and its planner
//! exec     the operator: one series at a time, all rules in one pass
//! frame    the columns of one series as slices; key: the text that names it
//! evaluating  all rules over one series
//! neighbours  expressions over the bars beside a bar, inside the operator
//! twice    series with bars that are there twice, which are read again with all their fields
//! scope    the part of the bars that a run reports on, and what it has to read before that
//! around   the bars of findings and those beside them, for pictures; near: those around any timestamp
//! records  what leaves the operator, as Arrow columns
//! peers    what rules have to know of other series before they run
//! across   what rules across series conclude from their notes of each
//! plan     puts the pieces together
//! ```

pub mod across;
pub mod around;
mod arrangement;
mod canonical;
pub mod counts;
pub mod distance;
pub mod emit;
pub mod evaluation;
mod exact_text;
pub mod exec;
pub mod expressions;
mod flagged;
pub mod frame;
pub mod held;
mod identity;
pub mod key;
mod left_out;
pub mod metrics;
pub mod near;
mod neighbours;
pub mod nested;
pub mod node;
mod notes;
mod parse_errors;
pub mod peers;
pub mod plan;
mod pool;
pub mod program;
pub mod records;
pub mod scope;
pub mod seen;
mod series_buffer;
pub mod session;
pub mod several_types;
pub mod shape;
pub mod table;
#[cfg(test)]
mod tests;
pub mod trading_date;
pub mod twice;

pub use self::arrangement::Arrangement;
use datafusion::error::DataFusionError;

/// Why a run of the rules broke off.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Planning or running the query failed.
    #[error("{doing}")]
    Query {
        /// What was being done.
        doing: &'static str,
        /// What DataFusion says.
        #[source]
        source: DataFusionError,
    },
    /// Expressions of rules are wrong.
    #[error("{} expressions of the rules cannot be used", .0.len())]
    Expressions(Vec<crate::schema::Diagnostic>),
}
