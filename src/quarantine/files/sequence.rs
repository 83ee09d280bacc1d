//! What stands in a file, in its order: its rows, and in a text file also every line that is not a row (the header, blank
//! lines), so that a row that comes back stands on the right side of them.

use super::open::Open;
use super::text::{self, Stretch};
use super::{FilesError, table};
use crate::source::FilesSet;

/// The pieces of a file in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    /// What tells each piece from others; that of a row is its key.
    pub(super) keys: Vec<u128>,
    /// Which pieces are rows, in their order.
    pub(super) rows: Vec<usize>,
    /// Where each piece ends in the unpacked text, in bytes; empty for a table.
    ends: Vec<u64>,
}

impl Sequence {
    /// Reads a file. A text file without a record has no pieces.
    pub(super) fn of(open: &Open, set: &FilesSet) -> Result<Self, FilesError> {
        if !set.format.is_text() {
            let keys = table::keys(&open.path, &table::open(open)?, 0)?;
            return Ok(Self { rows: (0..keys.len()).collect(), keys, ends: Vec::new() });
        }
        let mut sequence = Self::default();
        let walked = text::walk(open, set, |stretch| {
            sequence.take(&stretch);
            Ok(())
        });
        match walked {
            Err(error) if error.is_empty_file() => Ok(Self::default()),
            walked => walked.map(|()| sequence),
        }
    }

    fn take(&mut self, stretch: &Stretch<'_>) {
        let end = self.ends.last().copied().unwrap_or(0);
        match stretch {
            Stretch::Row { raw, line_end, .. } => {
                self.rows.push(self.keys.len());
                self.keys.push(text::key(raw));
                self.ends.push(end + (raw.len() + line_end.len()) as u64);
            }
            Stretch::Rest(bytes) => {
                let mut end = end;
                for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    end += line.len() as u64;
                    // A blank line is never taken for a row.
                    self.keys.push(!text::key(line));
                    self.ends.push(end);
                }
            }
        }
    }

    /// The keys of the rows alone.
    pub(super) fn row_keys(&self) -> impl Iterator<Item = u128> {
        self.rows.iter().map(|piece| self.keys[*piece])
    }

    /// The byte of a text file that a place is at: behind the piece before it; beyond the end where it is the last.
    pub(super) fn byte(&self, place: usize) -> u64 {
        match place {
            0 if !self.ends.is_empty() => 0,
            _ if place >= self.ends.len() => u64::MAX,
            _ => self.ends[place - 1],
        }
    }

    /// The keys with rows put in: pairs of a place and a key, in the order of their places.
    pub(super) fn with(&self, rows: &[(usize, u128)]) -> Vec<u128> {
        let mut waiting = rows.iter().peekable();
        let mut keys = Vec::with_capacity(self.keys.len() + rows.len());
        for index in 0..=self.keys.len() {
            while let Some((_, key)) = waiting.next_if(|(place, _)| *place <= index) {
                keys.push(*key);
            }
            keys.extend(self.keys.get(index));
        }
        keys
    }
}
