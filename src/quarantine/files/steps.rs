//! The steps of the protocol by name, and the points before and after each where a test may cut it short.

use crate::quarantine::crash;

use super::FilesError;

/// On which way a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Remove,
    Recover,
    Restore,
}

/// One step of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The job's files are locked.
    Lock,
    /// That something is about to be written, and where, is on disk.
    Begin,
    /// The quarantine copy has its name.
    Quarantine,
    /// The new file is complete under its temporary name.
    Clean,
    /// The sum is proven.
    Prove,
    /// The intent is on disk.
    Intent,
    /// The new file has the name of the source.
    Exchange,
    /// Inside the exchange where the file system has none: the old file has a second name.
    Link,
    /// Inside the exchange where the file system has none: the new file has taken the name of the source.
    Move,
    /// Somebody came for the source in the last moment, and it has its name again.
    Back,
    /// Rows that came late are in the file that has the name.
    Carry,
    /// The original is kept.
    Original,
    /// The outcome is on disk.
    Done,
    /// No temporary name is left.
    Clear,
}

impl Way {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Remove => "files",
            Self::Recover => "files.recover",
            Self::Restore => "files.restore",
        }
    }
}

impl Step {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Begin => "begin",
            Self::Quarantine => "quarantine",
            Self::Clean => "clean",
            Self::Prove => "prove",
            Self::Intent => "intent",
            Self::Exchange => "exchange",
            Self::Link => "link",
            Self::Move => "move",
            Self::Back => "back",
            Self::Carry => "carry",
            Self::Original => "original",
            Self::Done => "done",
            Self::Clear => "clear",
        }
    }
}

/// Every point of the protocol, in its order. Those of `link` and `move` are reached only where the file system cannot
/// exchange two names and nobody writes, those of `back` and `carry` only where somebody writes in the last moment.
pub const CRASH_POINTS: &[&str] = &[
    "files.lock.before",
    "files.lock.after",
    "files.begin.before",
    "files.begin.after",
    "files.quarantine.before",
    "files.quarantine.after",
    "files.clean.before",
    "files.clean.after",
    "files.prove.before",
    "files.prove.after",
    "files.intent.before",
    "files.intent.after",
    "files.exchange.before",
    "files.exchange.after",
    "files.link.before",
    "files.link.after",
    "files.move.before",
    "files.move.after",
    "files.back.before",
    "files.back.after",
    "files.carry.before",
    "files.carry.after",
    "files.original.before",
    "files.original.after",
    "files.done.before",
    "files.done.after",
    "files.clear.before",
    "files.clear.after",
    "files.recover.lock.before",
    "files.recover.lock.after",
    "files.recover.back.before",
    "files.recover.back.after",
    "files.recover.carry.before",
    "files.recover.carry.after",
    "files.recover.original.before",
    "files.recover.original.after",
    "files.recover.done.before",
    "files.recover.done.after",
    "files.recover.clear.before",
    "files.recover.clear.after",
    "files.restore.lock.before",
    "files.restore.lock.after",
    "files.restore.begin.before",
    "files.restore.begin.after",
    "files.restore.clean.before",
    "files.restore.clean.after",
    "files.restore.prove.before",
    "files.restore.prove.after",
    "files.restore.intent.before",
    "files.restore.intent.after",
    "files.restore.exchange.before",
    "files.restore.exchange.after",
    "files.restore.link.before",
    "files.restore.link.after",
    "files.restore.move.before",
    "files.restore.move.after",
    "files.restore.back.before",
    "files.restore.back.after",
    "files.restore.carry.before",
    "files.restore.carry.after",
    "files.restore.original.before",
    "files.restore.original.after",
    "files.restore.done.before",
    "files.restore.done.after",
    "files.restore.clear.before",
    "files.restore.clear.after",
];

/// Does a step between its two points.
pub(super) fn step<T>(way: Way, step: Step, work: impl FnOnce() -> Result<T, FilesError>) -> Result<T, FilesError> {
    point(way, step, "before");
    let done = work()?;
    point(way, step, "after");
    Ok(done)
}

fn point(way: Way, step: Step, when: &str) {
    if cfg!(debug_assertions) {
        crash::point(&format!("{}.{}.{when}", way.prefix(), step.as_str()));
    }
}
