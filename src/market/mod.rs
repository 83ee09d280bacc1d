//! What a market is: its trading days and hours, and the timestamps its bars are expected to have.
//!
//! Pure: no files, no clock, no DataFusion. Days are counted from 1970-01-01 as `i32`; instants are
//! microseconds UTC as `i64`. Only `facts` and `price_limits` know of symbols and prices.

mod built_in;
mod calendar;
mod day_hours;
pub mod facts;
mod grid;
mod interval;
mod label;
mod overrides;
mod own;
mod part;
mod patches;
pub mod price_limits;
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
pub use part::Part;
pub use session::{Lookup, Session};
pub use slot::Slot;
pub use zone::DAY_US;
