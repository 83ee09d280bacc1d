//! The exchange of a source and its replacement while others may write to it: under two read leases.
//!
//! A loader that wants to write has to open the file, and its `open` waits while the lease is held. It has found the
//! file by then, so that after the exchange it goes on with whichever file it found: the one that lost its name is
//! watched a little longer, and what was written to it is carried over. See `docs/safety.md` for what is assumed.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

use super::carry::Nameless;
use super::inspect::{Busy, Inspected, Writers, lease};
use super::journal::{Begun, Files, Intent, Side, Tail};
use super::open::Open;
use super::place::Directory;
use super::steps::{Step, Way, step};
use super::{FilesError, text};
use crate::durable::{Attributes, FileId, Held, folder_of, hex, sha256};

/// How long the old bytes may be compared while a loader may be waiting.
const COMPARE: Duration = Duration::from_millis(50);

/// One try of an exchange.
pub(super) struct Exchange<'a> {
    pub(super) directory: &'a Directory,
    pub(super) way: Way,
    pub(super) begun: &'a Begun,
    pub(super) writers: Writers,
}

/// How a try ended.
#[derive(Debug)]
pub(super) enum Tried {
    /// The replacement has the name, and the source is under the temporary one; so many of its bytes are accounted
    /// for: they are in the replacement, in quarantine, or were carried over.
    Exchanged { accounted: u64 },
    /// Somebody was writing: everything is as it was, and the replacement is still good.
    Busy(Busy),
    /// The source is not what it was: the replacement is of no use any more.
    Changed,
}

/// A file of the exchange whose writers are held back.
struct Watched {
    open: Open,
    lease: Option<Box<dyn Held>>,
    attributes: Attributes,
}

impl Watched {
    /// Whether nobody wrote, or is about to: in this order, for the lease shows who comes, and the file who was there.
    fn is_untouched(&self) -> Result<bool, FilesError> {
        if !self.lease.as_ref().is_none_or(|lease| lease.is_unbroken()) {
            return Ok(false);
        }
        let now = self.open.attributes()?;
        Ok((now.length, now.modified) == (self.attributes.length, self.attributes.modified))
    }
}

impl Exchange<'_> {
    /// Tries once. `intent` is amended and recorded again where the source has grown by whole appended bytes.
    ///
    /// # Errors
    /// Where it is not sure what happened; recovery finds out.
    pub(super) fn attempt(&self, seen: &Inspected, intent: &mut Intent) -> Result<Tried, FilesError> {
        let old = match self.hold_source(seen)? {
            Ok(old) => old,
            Err(tried) => return Ok(tried),
        };
        let same = |now: &Attributes| {
            let seen = &seen.attributes;
            (now.length, now.modified, now.changed) == (seen.length, seen.modified, seen.changed)
        };
        let mut old = old;
        let grown = intent.files.as_ref().is_some_and(|files| files.tail.is_some());
        if (grown || !same(&old.attributes) || !seen.quiet) && !self.take_growth(seen, &old, intent)? {
            return Ok(Tried::Changed);
        }
        old.open.end = old.attributes.length;
        match self.hold_replacement(intent)? {
            Ok(new) => self.swap(old, new, intent),
            Err(tried) => Ok(tried),
        }
    }

    /// a. The lease on the source, while its name is still its own.
    fn hold_source(&self, seen: &Inspected) -> Result<Result<Watched, Tried>, FilesError> {
        let Some(open) = Open::find(&self.directory.disk, &self.begun.source)? else { return Ok(Err(Tried::Changed)) };
        let lease = match self.lease(&open)? {
            Ok(lease) => lease,
            Err(busy) => return Ok(Err(Tried::Busy(busy))),
        };
        let attributes = open.attributes()?;
        if attributes.id != seen.attributes.id || self.named()? != Some(attributes.id) {
            return Ok(Err(Tried::Changed));
        }
        if attributes.links > 1 {
            return Err(FilesError::HardLinks { path: self.begun.source.clone(), count: attributes.links });
        }
        Ok(Ok(Watched { open, lease, attributes }))
    }

    fn lease(&self, open: &Open) -> Result<Result<Option<Box<dyn Held>>, Busy>, FilesError> {
        match self.writers {
            Writers::None => Ok(Ok(None)),
            Writers::Any => Ok(lease(open)?.map(Some)),
        }
    }

    /// Which file has the name of the source.
    fn named(&self) -> Result<Option<FileId>, FilesError> {
        let at = self.directory.disk.look(&self.begun.source);
        Ok(at.map_err(|source| FilesError::read(&self.begun.source, source))?.map(|at| at.id))
    }

    /// Text that only grew is what was read and something behind it: that is put behind the replacement too. Whether
    /// the source is now accounted for byte by byte.
    fn take_growth(&self, seen: &Inspected, old: &Watched, intent: &mut Intent) -> Result<bool, FilesError> {
        let disk = &self.directory.disk;
        let (was, now) = (seen.attributes.length, old.attributes.length);
        let same = old.open.until(was).fingerprint(disk, Some(COMPARE))? == Some(seen.fingerprint);
        if now < was || !same {
            return Ok(false);
        }
        if now == was {
            return Ok(intent.files.as_ref().is_none_or(|files| files.tail.is_none()));
        }
        let set = self.begun.set();
        if !set.format.is_text() || !text::is_plain(&old.open)? || !old.open.until(was).ends_a_line()? {
            return Ok(false);
        }
        let tail = old.open.until(now).bytes(was)?;
        self.append_growth(&tail, intent)
    }

    fn append_growth(&self, tail: &[u8], intent: &mut Intent) -> Result<bool, FilesError> {
        let (disk, temporary) = (&self.directory.disk, self.begun.temporary());
        let Some(files) = &mut intent.files else { return Ok(false) };
        let before = files.tail.as_ref().map_or(0, |tail| tail.length);
        let done = usize::try_from(before).unwrap_or(usize::MAX);
        // What an earlier try has put there stays; where it is not the beginning of this, the source was rewritten.
        let known =
            tail.get(..done).is_some_and(|begin| files.tail.as_ref().is_none_or(|t| hex(&sha256(begin)) == t.sha256));
        let there = disk.look(&temporary).map_err(|source| FilesError::read(&temporary, source))?;
        let as_left = there.is_some_and(|at| (at.id, at.length) == (files.new, files.new_length + before));
        if !known || !as_left {
            return Ok(false);
        }
        if tail.len() > done {
            // Written down first: rows that stand behind the replacement and in no record came late.
            files.tail = Some(Tail { length: tail.len() as u64, sha256: hex(&sha256(tail)) });
            self.directory.journal.intend(&self.begun.id, intent)?;
            let failed = |source: io::Error| FilesError::write(&temporary, source);
            let mut file = disk.append(&temporary).map_err(failed)?;
            file.write_all(&tail[done..]).and_then(|()| file.sync()).map_err(failed)?;
        }
        Ok(true)
    }

    /// b. The lease on the replacement, which nobody else has reason to open.
    fn hold_replacement(&self, intent: &Intent) -> Result<Result<Watched, Tried>, FilesError> {
        let Some(open) = Open::find(&self.directory.disk, &self.begun.temporary())? else {
            return Ok(Err(Tried::Changed));
        };
        let lease = match self.lease(&open)? {
            Ok(lease) => lease,
            Err(busy) => return Ok(Err(Tried::Busy(busy))),
        };
        let attributes = open.attributes()?;
        let is_ours = |files: &Files| (attributes.id, attributes.length) == (files.new, files.accounted(Side::New));
        // A loader that had found it by the name of the source may have written to it since an earlier try.
        match intent.files.as_ref().is_some_and(is_ours) {
            true => Ok(Ok(Watched { open, lease, attributes })),
            false => Ok(Err(Tried::Changed)),
        }
    }

    /// b to f: the last look, the exchange, and what came out.
    fn swap(&self, old: Watched, new: Watched, intent: &mut Intent) -> Result<Tried, FilesError> {
        // As the very last thing before the exchange.
        let same_name = self.named()? == Some(old.attributes.id);
        let same_times = old.open.attributes()?.changed == old.attributes.changed;
        if !(old.is_untouched()? && new.is_untouched()? && same_name && same_times) {
            return Ok(Tried::Busy(Busy::Changed));
        }
        if let Err(error) = step(self.way, Step::Exchange, || self.exchange()) {
            return match self.named()? {
                Some(id) if id == old.attributes.id => Err(error),
                _ => Err(FilesError::Unclear { path: self.begun.source.clone(), source: Box::new(error) }),
            };
        }
        if self.under_temporary()? != Some(old.attributes.id) {
            // Somebody gave the name to another file in the last moment.
            drop(old);
            return self.take_back(new, intent);
        }
        if !old.is_untouched()? {
            return self.take_back_from(old, new, intent);
        }
        drop(new);
        self.directory.sync_folder(folder_of(&self.begun.source))?;
        let accounted = self.let_go(old, Side::Old, intent)?;
        Ok(Tried::Exchanged { accounted })
    }

    /// e. Somebody came for the source in the last moment: it gets its name back.
    fn take_back_from(&self, old: Watched, new: Watched, intent: &mut Intent) -> Result<Tried, FilesError> {
        let tried = step(self.way, Step::Back, || self.exchange_back(new.attributes.id));
        drop(old);
        tried?;
        self.returned(new, intent)
    }

    fn take_back(&self, new: Watched, intent: &mut Intent) -> Result<Tried, FilesError> {
        step(self.way, Step::Back, || self.exchange_back(new.attributes.id))?;
        self.returned(new, intent)
    }

    /// Gives `old`, which lies under the temporary name, the name of the source again, where the replacement is as it
    /// was written and nobody writes to either. Whether it has it.
    pub(super) fn give_back(&self, old: &Open, intent: &Intent) -> Result<bool, FilesError> {
        let Some(named) = Open::find(&self.directory.disk, &self.begun.source)? else { return Ok(false) };
        let (Ok(old_lease), Ok(new_lease)) = (self.lease(old)?, self.lease(&named)?) else { return Ok(false) };
        let watched = |open: &Open, lease| {
            Ok::<_, FilesError>(Watched { open: open.clone(), lease, attributes: open.attributes()? })
        };
        let (old, new) = (watched(old, old_lease)?, watched(&named, new_lease)?);
        let written = intent.files.as_ref().map(|files| (files.new, files.accounted(Side::New)));
        let as_written =
            Some((new.attributes.id, new.attributes.length)) == written && intent.holds(Side::New, &named)?;
        if !as_written || !old.is_untouched()? || !new.is_untouched()? {
            return Ok(false);
        }
        step(self.way, Step::Back, || self.exchange_back(new.attributes.id))?;
        drop(old);
        self.directory.sync_folder(folder_of(&self.begun.source))?;
        self.let_go(new, Side::New, intent)?;
        Ok(self.named()? != intent.files.as_ref().map(|files| files.new))
    }

    fn returned(&self, new: Watched, intent: &mut Intent) -> Result<Tried, FilesError> {
        self.directory.sync_folder(folder_of(&self.begun.source))?;
        // Whoever opened the replacement by the name of the source writes to it now that it has none.
        let carried = self.let_go(new, Side::New, intent)?;
        if let Some(files) = &mut intent.files {
            files.carried = carried;
        }
        Ok(Tried::Busy(Busy::Changed))
    }

    /// f. Watches the file without a name a little longer, and carries over what was written to it.
    fn let_go(&self, file: Watched, side: Side, intent: &Intent) -> Result<u64, FilesError> {
        let Watched { mut open, lease, attributes } = file;
        open.end = u64::MAX;
        let Some(lease) = lease else { return Ok(attributes.length) };
        let nameless = Nameless { directory: self.directory, begun: self.begun, intent, side, open };
        nameless.release(self.way, lease, &attributes)
    }

    /// Which file has the temporary name.
    fn under_temporary(&self) -> Result<Option<FileId>, FilesError> {
        let temporary = self.begun.temporary();
        let at = self.directory.disk.look(&temporary).map_err(|source| FilesError::read(&temporary, source))?;
        Ok(at.map(|at| at.id))
    }

    /// Exchanges again until what comes out is what was put in last: then nobody's file is under the temporary name.
    fn exchange_back(&self, mut put_in: FileId) -> Result<(), FilesError> {
        loop {
            let Some(goes_in) = self.under_temporary()? else { return Ok(()) };
            match self.exchange() {
                Ok(()) => {}
                // The name was taken away altogether: what has the temporary name is kept among the originals.
                Err(FilesError::Write { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            }
            if self.under_temporary()? == Some(put_in) {
                return Ok(());
            }
            put_in = goes_in;
        }
    }

    fn exchange(&self) -> Result<(), FilesError> {
        let (disk, source, temporary) = (&self.directory.disk, &self.begun.source, self.begun.temporary());
        match disk.exchange(&temporary, source) {
            Ok(()) => Ok(()),
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match self.writers {
                    Writers::None => self.by_links(),
                    Writers::Any => {
                        let reason = "this file system cannot exchange two files in one step".to_owned();
                        Err(FilesError::NoLease { path: source.clone(), reason })
                    }
                },
                _ => Err(FilesError::write(source, error)),
            },
        }
    }

    /// The exchange where the file system has none and nobody else writes: the old file gets a second name before the
    /// new one takes its first.
    fn by_links(&self) -> Result<(), FilesError> {
        let (disk, source, temporary) = (&self.directory.disk, &self.begun.source, self.begun.temporary());
        let linked = self.begun.linked();
        let failed = |error| FilesError::write(source, error);
        step(self.way, Step::Link, || {
            disk.link(source, &linked).map_err(failed)?;
            self.directory.sync_folder(folder_of(source))
        })?;
        step(self.way, Step::Move, || disk.publish(&temporary, source).map_err(failed))?;
        disk.publish(&linked, &temporary).map_err(failed)
    }
}
