//! What a bar looks like once it left its source: canonical names, and the description of a job's bars.
//!
//! Pure: no files, no clock, no DataFusion. `time.rs` reads timestamps, `number.rs` reads numbers, `decimal.rs` compares
//! them to the last digit, `spec.rs` says which fields a job's bars have and how its timestamps are to be read, `layout.rs`
//! how records lie in text files, `wide.rs` what the header of a wide table says, `column.rs` in which columns bars travel,
//! `fresh.rs` how old the newest of them may be.

pub mod column;
pub mod decimal;
pub mod fresh;
pub mod layout;
pub mod number;
pub mod spec;
pub mod time;
pub mod wide;

pub use self::column::BarColumn;
pub use self::fresh::Fresh;
pub use self::layout::TextLayout;
pub use self::spec::{BarsSpec, FieldKind, FieldSpec};
pub use self::time::{Fold, TimeSpec};
pub use crate::market::{DAY_US, Label};

/// The canonical numeric fields of a bar; other fields keep the source's name.
pub const NUMBERS: [&str; 9] = ["open", "high", "low", "close", "volume", "amount", "pre_close", "change", "pct_chg"];

/// The name under which rules see the bar's timestamp.
pub const TIME: &str = "time";
