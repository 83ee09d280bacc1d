//! Rows that a loader wrote to a file which had lost its name by then: carried over to the file that has it.

use std::collections::HashMap;
use std::time::Duration;

use super::inspect::lease;
use super::journal::{Begun, Carry, Intent, Side};
use super::open::Open;
use super::place::Directory;
use super::steps::{Step, Way, step};
use super::{FilesError, text};
use crate::durable::{Attributes, Held};

/// How long a file without a name is watched: a loader that found it before may be on its way.
const WATCH: Duration = Duration::from_millis(20);
/// How often: somebody may be waiting for the lease.
const LOOK: Duration = Duration::from_micros(100);
/// How long a loader that came may take to write and close.
const CLOSE: Duration = Duration::from_secs(2);
/// How often that is looked at.
const CLOSED: Duration = Duration::from_millis(1);
/// How often rows are carried over in one go, and how often a file that was renamed over is appended to again.
const TRIES: u32 = 8;

/// A file of an exchange that has no name of the user's any more.
pub(super) struct Nameless<'a> {
    pub(super) directory: &'a Directory,
    pub(super) begun: &'a Begun,
    pub(super) intent: &'a Intent,
    pub(super) side: Side,
    pub(super) open: Open,
}

impl Nameless<'_> {
    /// Watches the file under its lease a little longer, gives the lease back, and carries over what was written by
    /// those who had waited for it. How many bytes are accounted for; what follows them came late, and is reported.
    pub(super) fn release(&self, way: Way, lease: Box<dyn Held>, was: &Attributes) -> Result<u64, FilesError> {
        let until = self.directory.disk.elapsed() + WATCH;
        if self.is_untouched(&*lease, was, until)? {
            return Ok(was.length);
        }
        drop(lease);
        self.carry_over_until(way, was.length, until)
    }

    /// Carries over whole rows behind the first `accounted` bytes. How many bytes are accounted for then.
    pub(super) fn carry_over(&self, way: Way, accounted: u64) -> Result<u64, FilesError> {
        self.carry_over_until(way, accounted, self.directory.disk.elapsed() + WATCH)
    }

    /// The same, and watches the file until a moment: while the rows of one loader are carried over another one, who
    /// found the file before it lost its name, may still be on its way.
    fn carry_over_until(&self, way: Way, mut accounted: u64, until: Duration) -> Result<u64, FilesError> {
        for _ in 0..TRIES {
            let Some(lease) = self.wait_for_writers()? else { return Ok(accounted) };
            let now = self.open.attributes()?;
            if now.length != accounted {
                let Some(tail) = self.late_rows(accounted)? else { return Ok(accounted) };
                if !step(way, Step::Carry, || self.append(accounted, &tail))? {
                    return Ok(accounted);
                }
                accounted += tail.len() as u64;
            }
            // Who came meanwhile waits for the lease, and writes when it is given back.
            if self.is_untouched(&*lease, &now, until)? {
                return Ok(accounted);
            }
        }
        Ok(accounted)
    }

    /// Whether nobody comes for the file until a moment, and has come by now.
    fn is_untouched(&self, lease: &dyn Held, was: &Attributes, until: Duration) -> Result<bool, FilesError> {
        let disk = &self.directory.disk;
        loop {
            let now = self.open.attributes()?;
            if !lease.is_unbroken() || (now.length, now.modified) != (was.length, was.modified) {
                return Ok(false);
            }
            if disk.elapsed() >= until {
                return Ok(true);
            }
            disk.pause(LOOK);
        }
    }

    /// The lease, when those who write have closed the file; `None` where they take too long.
    fn wait_for_writers(&self) -> Result<Option<Box<dyn Held>>, FilesError> {
        let disk = &self.directory.disk;
        let until = disk.elapsed() + CLOSE;
        loop {
            match lease(&self.open) {
                Ok(Ok(lease)) => return Ok(Some(lease)),
                Ok(Err(_)) if disk.elapsed() < until => disk.pause(CLOSED),
                // Where there are no leases, nobody can tell whether somebody is writing.
                Ok(Err(_)) | Err(FilesError::NoLease { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whole rows of plain text behind the first `accounted` bytes, which are what they were; `None` where there are
    /// none, or where something else happened to the file.
    fn late_rows(&self, accounted: u64) -> Result<Option<Vec<u8>>, FilesError> {
        let length = self.open.attributes()?.length;
        let set = self.begun.set();
        if length <= accounted || !set.format.is_text() || !text::is_plain(&self.open)? {
            return Ok(None);
        }
        if !self.open.until(accounted).ends_a_line()? || !self.intent.holds(self.side, &self.open)? {
            return Ok(None);
        }
        let tail = self.open.until(length).bytes(accounted)?;
        Ok(tail.ends_with(b"\n").then_some(tail))
    }

    /// Appends `tail`, which begins at `from`, to the file that has the name; what of it is there already is left out.
    /// Whether all of it is there now.
    fn append(&self, from: u64, tail: &[u8]) -> Result<bool, FilesError> {
        let known = self.directory.journal.carried(&self.begun.id)?;
        let known = known.filter(|carry| (carry.side, carry.from) == (self.side, from));
        append(self.directory, self.begun, tail, known, |to, at| Carry { side: self.side, from, to, at })
    }
}

/// Appends `tail` to the source of `begun`, whole rows in one write. `known` says where an earlier try began, `record`
/// what is to be recorded before one begins. Whether all of it is there now; not where the file does not end a line.
pub(super) fn append(
    directory: &Directory,
    begun: &Begun,
    tail: &[u8],
    mut known: Option<Carry>,
    record: impl Fn(crate::durable::FileId, u64) -> Carry,
) -> Result<bool, FilesError> {
    let (disk, source) = (&directory.disk, &begun.source);
    let failed = |error| FilesError::write(source, error);
    for _ in 0..TRIES {
        let Some(named) = Open::find(disk, source)? else { return Ok(false) };
        let at = named.attributes()?;
        let begin = match &known {
            // Where another file has the name now, the rows may stand anywhere in it.
            Some(carry) => {
                if carry.to == at.id {
                    carry.at.min(at.length)
                } else {
                    0
                }
            }
            None => {
                let carry = record(at.id, at.length);
                directory.journal.carry(&begun.id, &carry)?;
                known = Some(carry);
                at.length
            }
        };
        let region = named.until(at.length).bytes(begin)?;
        let part = !region.is_empty() && tail.starts_with(&region);
        let missing = missing(tail, &region);
        if missing.is_empty() {
            return Ok(true);
        }
        if !part && !named.until(at.length).ends_a_line()? {
            return Ok(false);
        }
        let mut file = disk.append(source).map_err(failed)?;
        if file.attributes().map_err(failed)?.id != at.id {
            continue;
        }
        file.reserve(missing.len() as u64).map_err(failed)?;
        file.write_all(&missing).and_then(|()| file.sync()).map_err(failed)?;
        drop(file);
        // A loader that renamed another file over it meanwhile took the rows away again.
        if disk.look(source).map_err(failed)?.is_some_and(|now| now.id == at.id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What of `tail` does not stand in `region`, where it would have been written to first. A write that was cut short
/// left a beginning of it there; otherwise it is reported line by line, and by count.
fn missing(tail: &[u8], region: &[u8]) -> Vec<u8> {
    if let Some(rest) = tail.strip_prefix(region) {
        return rest.to_vec();
    }
    let mut there: HashMap<&[u8], u64> = HashMap::new();
    for line in region.split_inclusive(|byte| *byte == b'\n') {
        *there.entry(line).or_default() += 1;
    }
    let is_missing = |line: &&[u8]| match there.get_mut(*line) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    tail.split_inclusive(|byte| *byte == b'\n').filter(is_missing).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn what_is_there_already_is_not_carried_over_again() {
        let tail = b"A,1\nB,2\nA,1\n";
        assert_eq!(missing(tail, b""), tail);
        assert_eq!(missing(tail, b"A,1\nB"), b",2\nA,1\n", "a write that was cut short");
        assert_eq!(missing(tail, tail), b"");
        assert_eq!(missing(tail, b"X,0\nA,1\nB,2\n"), b"A,1\n", "by count");
        assert_eq!(missing(tail, b"A,1\nB,2\nA,1\nX,0\n"), b"");
    }
}
