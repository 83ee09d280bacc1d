//! Why rows of a collection cannot be moved.

use crate::text::numbers::counted;

/// Why the rows of a collection cannot be moved, put back or purged.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The server does not answer.
    #[error("{doing}: the server cannot be reached: {reason}; the next run goes on from here")]
    Unreachable {
        /// What was being done.
        doing: String,
        /// What was tried last.
        reason: String,
    },
    /// The server does not let this user.
    #[error("{doing}: a privilege is missing: {reason}; `barkeep doctor` prints the roles a job needs")]
    Denied {
        /// What was being done.
        doing: String,
        /// What the server says.
        reason: String,
    },
    /// The server refuses the command.
    #[error("{doing}: the server refuses: {reason}")]
    Command {
        /// What was being done.
        doing: String,
        /// What the server says.
        reason: String,
    },
    /// What a write did is not known, and a look does not tell.
    #[error("{doing}: the outcome is not known: {reason}; run again: what is open is looked at first")]
    Unknown {
        /// What was being done.
        doing: String,
        /// Why.
        reason: String,
    },
    /// A document cannot be written as BSON.
    #[error("{doing}: cannot be written as BSON: {reason}")]
    Encode {
        /// What was being done.
        doing: String,
        /// Why.
        reason: String,
    },
    /// An item of the quarantine is not as barkeep writes them.
    #[error("`{collection}` has a document that is not a quarantine item: {reason}")]
    NoItem {
        /// The collection.
        collection: String,
        /// What is wrong.
        reason: String,
    },
    /// Another runner moves rows of this collection.
    #[error("another run moves rows of `{namespace}`: {holder}, until {until}")]
    Locked {
        /// The collection.
        namespace: String,
        /// Who.
        holder: String,
        /// When its lease ends, unless it is renewed.
        until: String,
    },
    /// The lease could not be renewed, so nothing more may be removed.
    #[error("the lease on `{namespace}` was not renewed for {seconds} s: nothing more is removed; run again")]
    LeaseLost {
        /// The collection.
        namespace: String,
        /// Since when.
        seconds: u64,
    },
    /// The collection or its quarantine is not of a kind that rows can be moved between.
    #[error("{reason}; {remedy}")]
    Unfit {
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// The collection is another one under the same name now, or none.
    #[error(
        "`{namespace}` was dropped, or made again, while rows were moved: what is not there tells nothing; nothing more is removed; run again"
    )]
    Rebuilt {
        /// The collection.
        namespace: String,
    },
    /// Rows of runs that were cut short are neither known to be there nor known to be gone.
    #[error(
        "{} of runs that were cut short may still be removed by the server: it did not answer; nothing new is begun; run again when it answers",
        counted(*rows, "row")
    )]
    StillOpen {
        /// How many.
        rows: u64,
    },
    /// The rows do not add up; a bug.
    #[error(
        "{planned} rows were planned and {accounted} are accounted for; this is a bug in barkeep, please report it"
    )]
    Unbalanced {
        /// Rows of the plan.
        planned: u64,
        /// Rows whose end is known.
        accounted: u64,
    },
}

impl QuarantineError {
    pub(super) fn encode(doing: &str, error: &dyn std::fmt::Display) -> Self {
        Self::Encode { doing: doing.to_owned(), reason: error.to_string() }
    }
}
