//! Text, numbers and times as a person reads them: visible, short, and never rounded to nothing or to everything; and as
//! files of TOML write them.

pub mod columns;
pub mod escape;
pub mod numbers;
pub mod toml;
pub mod utc;

pub use utc::UtcMicros;
