//! A file whatever it is called: its bytes, those that would outlast a power cut, and who has it open, leased or locked.

use super::random::Random;
use crate::durable::{Kind, Ownership};

/// Place of a file in the list of all files that ever were.
pub(super) type Ino = usize;

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    /// A process under test.
    Process(usize),
    /// A writer of the world.
    Writer(usize),
    /// A test itself.
    Outside,
}

#[derive(Debug)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    pub(super) data: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) unsynced: Vec<Change>,
    pub(super) links: u64,
    pub(super) modified: i128,
    pub(super) changed: i128,
    pub(super) ownership: Ownership,
    /// Everybody who has it open for writing, once for every time: the `i_writecount` of the kernel.
    pub(super) openers: Vec<Actor>,
    pub(super) leases: Vec<Lease>,
    pub(super) lock: Option<(Actor, u64)>,
    pub(super) mount_point: bool,
    /// Who took its last name.
    pub(super) unlinked_by: Option<Actor>,
}

/// A change of the content that a power cut may undo.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) sequence: u64,
    pub(super) by: Actor,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Write { at: usize, bytes: Vec<u8> },
    Truncate,
}

#[derive(Debug)]
pub(super) struct Lease {
    /// The open file description it was taken on: descriptors made by `dup` share it, and its lease.
    pub(super) description: u64,
    pub(super) holder: Actor,
    /// When somebody first wanted to open the file for writing.
    pub(super) broken: Option<i128>,
}

impl Inode {
    pub(super) fn new(kind: Kind, now: i128) -> Self {
        Self {
            kind,
            data: Vec::new(),
            durable: Vec::new(),
            unsynced: Vec::new(),
            links: 0,
            modified: now,
            changed: now,
            ownership: Ownership { user: 0, group: 0, mode: 0o600, attributes: Vec::new() },
            openers: Vec::new(),
            leases: Vec::new(),
            lock: None,
            mount_point: false,
            unlinked_by: None,
        }
    }

    pub(super) fn change(&mut self, change: Change, now: i128) {
        apply(&mut self.data, &change.what, usize::MAX, false);
        self.unsynced.push(change);
        (self.modified, self.changed) = (now, now);
    }

    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.data);
        self.unsynced.clear();
    }

    pub(super) fn close(&mut self, opener: Actor) {
        if let Some(at) = self.openers.iter().position(|other| *other == opener) {
            self.openers.remove(at);
        }
    }

    /// Forgets everybody for whom `gone` holds.
    pub(super) fn forget(&mut self, gone: impl Fn(Actor) -> bool) {
        self.openers.retain(|actor| !gone(*actor));
        self.leases.retain(|lease| !gone(lease.holder));
        self.lock.take_if(|(actor, _)| gone(*actor));
    }

    /// What a power cut leaves: any first part of what was not synced, the last write cut short or, where the system
    /// had given it room but not yet the bytes, zeros.
    pub(super) fn cut_power(&mut self, random: &mut Random) {
        let kept = random.index(self.unsynced.len() + 1);
        for (index, change) in self.unsynced.drain(..).enumerate() {
            if index < kept {
                apply(&mut self.durable, &change.what, usize::MAX, false);
            } else {
                if let What::Write { bytes, .. } = &change.what {
                    let length = random.index(bytes.len() + 1);
                    apply(&mut self.durable, &change.what, length, random.once_in(3));
                }
                break;
            }
        }
        self.data.clone_from(&self.durable);
    }
}

fn apply(data: &mut Vec<u8>, what: &What, length: usize, zeros: bool) {
    match what {
        What::Truncate => data.clear(),
        What::Write { at, bytes } => {
            let length = length.min(bytes.len());
            if length == 0 {
                return;
            }
            data.resize(data.len().max(at + length), 0);
            let place = &mut data[*at..at + length];
            if zeros { place.fill(0) } else { place.copy_from_slice(&bytes[..length]) }
        }
    }
}
