//! Text, numbers and times as a person reads them: visible, short, and never rounded to nothing or to everything.

pub mod escape;
pub mod numbers;
pub mod utc;

pub use utc::UtcMicros;
