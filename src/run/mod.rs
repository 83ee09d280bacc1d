//! The life of a job: its source is opened, its bars are read and evaluated, what is to be moved is planned and moved,
//! and the run is reported. Nothing is printed here: what happens is reported as events, and how it ended is a value.
//!
//! ```text
//! job      job and rule files -> program         open        the source, found and looked at
//! source   one folder a kind of source           quarantine  where the rows of each kind go
//! ingest   bars readable by the engine           evaluate    bars through the engine
//! execute  check, plan and run
//! removal  limits, the plan, its application     apply       a plan of before
//! conclude the report and how it ended           examination what is found out of a job, for `doctor`
//! ```

pub(crate) mod apply;
pub(crate) mod bars_view;
pub(crate) mod conclude;
pub(crate) mod context;
mod evaluate;
pub(crate) mod events;
pub(crate) mod examination;
pub(crate) mod execute;
pub(crate) mod failure;
mod ingest;
pub(crate) mod job;
pub(crate) mod load;
mod mistaken;
mod namesake;
pub(crate) mod open;
mod order;
mod peak;
pub(crate) mod preview;
pub(crate) mod quarantine;
mod removal;
pub(crate) mod scratch;
pub(crate) mod shell;
pub(crate) mod source;
pub(crate) mod stop;
pub(crate) mod window;

pub use apply::apply;
pub use conclude::Ended;
pub use context::Context;
pub use events::{Event, Events, Stage};
pub use execute::execute;
pub use failure::{Exit, Failure};
pub use order::{FailOn, Goal, Order};
pub use stop::Stop;
pub use window::AskedWindow;
