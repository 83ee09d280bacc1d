//! What a market is: its trading days and hours, and the timestamps its bars are expected to have.
//!
//! Pure: no files, no clock, no DataFusion. Days are counted from 1970-01-01 as `i32`; instants are
//! microseconds UTC as `i64`. Prices, symbols and rules are not known here.

mod built_in;
mod calendar;
mod day_hours;
mod grid;
mod interval;
mod label;
mod overrides;
mod own;
mod patches;
mod ranks;
mod session;
mod slot;
mod table;
pub mod zone;

pub use calendar::{Calendar, Extended};
pub use day_hours::DayHours;
pub use grid::Grid;
pub use interval::Interval;
pub use label::{Label, PeriodLabel};
pub use overrides::OverrideError;
pub use own::{OwnDays, OwnError, OwnWeek};
pub use session::{Lookup, Session};
pub use slot::Slot;
pub use zone::DAY_US;
