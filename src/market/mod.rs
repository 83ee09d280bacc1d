//! What a market is: its trading days and hours, and the timestamps its bars are expected to have.
//!
//! Pure: no files, no clock, no DataFusion. Days are counted from 1970-01-01 as `i32`; instants are
//! microseconds UTC as `i64`. Prices, symbols and rules are not known here.

mod built_in;
mod calendar;
mod grid;
mod interval;
mod overrides;
mod ranks;
mod session;
pub mod zone;

pub use calendar::Calendar;
pub use grid::{Grid, Slot};
pub use interval::Interval;
pub use overrides::OverrideError;
pub use session::{Lookup, Session};
