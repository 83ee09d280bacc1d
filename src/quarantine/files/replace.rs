//! One source replaced by another version of itself, beside whoever writes to it: looked at, prepared, exchanged, as
//! often as it takes.

use std::path::Path;
use std::time::Duration;

use super::exchange::{Exchange, Tried};
use super::finish::{Finish, discard};
use super::inspect::{Busy, Inspected, Writers, inspect};
use super::journal::{Begun, Done, Intent};
use super::open::Open;
use super::place::Directory;
use super::steps::Way;
use super::{FilesError, writers};

/// How long the pause before a second try is at the most; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The replacement of a source.
pub(super) struct Replace<'a> {
    pub(super) directory: &'a Directory,
    pub(super) way: Way,
    pub(super) writers: Writers,
    /// How long a source that others write to is tried again.
    pub(super) writer_timeout: Duration,
    pub(super) stop: &'a dyn Fn() -> bool,
}

/// A replacement that lies beside its source.
pub(super) struct Ready<T> {
    pub(super) begun: Begun,
    pub(super) intent: Intent,
    pub(super) with: T,
}

/// What preparing came to.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub(super) enum Prepared<T, E> {
    Ready(Ready<T>),
    /// There is nothing to exchange.
    Nothing(E),
}

/// How it ended.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub(super) enum Replaced<T, E> {
    /// It was tried, and the outcome is on disk.
    Done(Done, Ready<T>),
    /// There was nothing to exchange.
    Nothing(E),
    /// The source is not there.
    Gone,
    /// It was stopped before anything was about to happen.
    Stopped,
    /// Somebody held the source open, or wrote to it, all the time.
    Busy(String),
}

impl Replace<'_> {
    /// Replaces `source` by what `prepare` makes of it.
    ///
    /// # Errors
    /// What cannot be done at all, or went wrong. The source is as it was, or recovery will find out.
    pub(super) fn run<T, E>(
        &self,
        source: &Path,
        mut prepare: impl FnMut(&Inspected) -> Result<Prepared<T, E>, FilesError>,
    ) -> Result<Replaced<T, E>, FilesError> {
        let disk = &self.directory.disk;
        let mut tries = Tries { started: disk.elapsed(), busy: 0, changed: 0, preparing: Duration::ZERO, last: None };
        loop {
            if (self.stop)() {
                return Ok(Replaced::Stopped);
            }
            let Some(open) = Open::find(disk, source)? else { return Ok(Replaced::Gone) };
            let seen = match inspect(disk, &open, self.writers)? {
                Ok(seen) => seen,
                Err(busy) => match self.again(&mut tries, busy) {
                    true => continue,
                    false => return Ok(Replaced::Busy(tries.note(source))),
                },
            };
            let began = disk.elapsed();
            let mut ready = match prepare(&seen)? {
                Prepared::Ready(ready) => ready,
                Prepared::Nothing(end) => return Ok(Replaced::Nothing(end)),
            };
            tries.preparing = disk.elapsed().saturating_sub(began);
            let tried = self.exchange(&seen, &mut ready, &mut tries);
            let finish =
                Finish { directory: self.directory, way: self.way, begun: &ready.begun, intent: &ready.intent };
            match tried {
                Ok(Some(Tried::Exchanged { accounted })) => {
                    return Ok(Replaced::Done(finish.exchanged(accounted)?, ready));
                }
                Ok(Some(_)) => discard(self.directory, &ready.begun, Some(&ready.intent))?,
                Ok(None) => {
                    discard(self.directory, &ready.begun, Some(&ready.intent))?;
                    return Ok(Replaced::Busy(tries.note(source)));
                }
                Err(error) => {
                    self.give_up(&seen, &ready)?;
                    return Err(error);
                }
            }
            if !self.again(&mut tries, Busy::Changed) {
                return Ok(Replaced::Busy(tries.note(source)));
            }
        }
    }

    /// Tries to exchange until it is done or of no use any more; `None` where it has to be given up.
    fn exchange<T>(
        &self,
        seen: &Inspected,
        ready: &mut Ready<T>,
        tries: &mut Tries,
    ) -> Result<Option<Tried>, FilesError> {
        let Ready { begun, intent, .. } = ready;
        let exchange = Exchange { directory: self.directory, way: self.way, begun, writers: self.writers };
        loop {
            match exchange.attempt(seen, intent)? {
                Tried::Busy(busy) => {
                    if !self.again(tries, busy) {
                        return Ok(None);
                    }
                }
                tried => return Ok(Some(tried)),
            }
        }
    }

    /// After an error: takes away what was prepared where the source is certainly as it was. What cannot be tidied up
    /// now, recovery will.
    fn give_up<T>(&self, seen: &Inspected, ready: &Ready<T>) -> Result<(), FilesError> {
        let id = |path: &Path| {
            let at = self.directory.disk.look(path).map_err(|source| FilesError::read(path, source))?;
            Ok::<_, FilesError>(at.map(|at| at.id))
        };
        let new = ready.intent.files.as_ref().map(|files| files.new);
        if id(&ready.begun.source)? == Some(seen.attributes.id) && id(&ready.begun.temporary())? == new {
            discard(self.directory, &ready.begun, Some(&ready.intent)).ok();
        }
        Ok(())
    }

    /// Counts a try that came to nothing, and waits before the next; not once the timeout is over.
    fn again(&self, tries: &mut Tries, busy: Busy) -> bool {
        let disk = &self.directory.disk;
        match busy {
            Busy::Open(_) => tries.busy += 1,
            Busy::Changed => tries.changed += 1,
        }
        let tried = tries.busy + tries.changed;
        tries.last = Some(busy);
        if disk.elapsed().saturating_sub(tries.started) >= self.writer_timeout || (self.stop)() {
            return false;
        }
        let longest = FIRST_PAUSE.saturating_mul(1 << tried.min(10)).min(LONGEST_PAUSE);
        // The clock's last digits are as good as chance, and keep two runners from meeting again and again.
        let chance =
            u64::try_from(disk.now().rem_euclid(1_000_003)).unwrap_or_default().wrapping_mul(0x9e37_79b9) % 1_000;
        disk.pause(longest.mul_f64(chance as f64 / 1_000.0));
        true
    }
}

/// What was tried so far.
struct Tries {
    started: Duration,
    busy: u32,
    changed: u32,
    /// How long the last replacement took to prepare.
    preparing: Duration,
    last: Option<Busy>,
}

impl Tries {
    fn note(&self, source: &Path) -> String {
        let path = source.display();
        let holder = if let Some(Busy::Open(file)) = self.last { Some(writers::of(file)) } else { None };
        let who = match holder {
            Some(Some(process)) => format!("process {process} has `{path}` open for writing"),
            Some(None) => format!("another program has `{path}` open for writing"),
            None => format!("`{path}` was written to {} times meanwhile", self.changed),
        };
        let millis = self.preparing.as_millis();
        format!(
            "{who}: tried {} times (preparing the new file takes {millis} ms); its rows stay; run again when its writers pause",
            self.busy + self.changed
        )
    }
}
