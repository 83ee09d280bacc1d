//! Notifications of how a run ended.
//!
//! ```text
//! event     whether there is something to say: a failure, something new, a recovery; and whether it was said just now
//! message   what there is to say of a run, as values and as text; template: the same in a person's own words
//! settings  where it is said: the channels of a job          address   a URL that is a secret
//! payload   a message in the form each service takes it       sign      HMAC-SHA256, as each service wants it
//! metrics   the gauges of a run as Prometheus reads them      mail      a message as a mail
//! http      one request, tried a few times                    sendmail  a mail, handed to the program of the system
//! ```
//!
//! Texts and payloads are made of values alone; only `http`, `sendmail` and `metrics::write` reach out of the process.
//! Nothing here knows of jobs, rows or reports, and a message holds no row.

pub mod address;
pub mod event;
pub mod http;
pub mod mail;
pub mod message;
pub mod metrics;
pub mod payload;
pub mod sendmail;
pub mod settings;
mod sign;
pub mod template;

pub use address::Address;
pub use event::{Event, Past, Present};
pub use http::{Outcome, Patience};
pub use message::{Message, RuleLine};
pub use settings::{Channel, Settings};
pub use template::Template;
