//! When a job is due: instants that follow from a cron pattern or from the sessions of a calendar. Pure: no clock.
//!
//! ```text
//! cron         a pattern of five fields over the wall clock of a zone
//! after_close  a span after the close of each session
//! plan         a schedule, and when it is next due
//! catch_up     moments that were missed, and how far from its moment a job starts
//! export       what starts a job: a line for cron, units of systemd, an object of Kubernetes
//! export_loop  what keeps the loop of barkeep alive: a service of systemd, a deployment of Kubernetes
//! wall         the wall times of a schedule, as these take them
//! ```

mod after_close;
mod catch_up;
mod cron;
mod export;
mod export_loop;
mod plan;
mod wall;

pub use after_close::AfterClose;
pub use catch_up::{delay, newest};
pub use cron::{Cron, CronFields, CronMistake};
pub use export::{Command, Exported, cron_table, kubernetes, systemd};
pub use export_loop::{kubernetes_loop, systemd_loop};
pub use plan::{CatchUp, Due, Fire, Schedule, When};
