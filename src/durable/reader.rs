//! An open file as a stream that can be read from any place, by several readers at once.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use super::Opened;

/// A place in an open file, of which no more than its first bytes may be looked at. Clones read from places of their
/// own.
#[derive(Debug, Clone)]
pub struct Reader {
    file: Arc<dyn Opened>,
    at: u64,
    end: u64,
}

impl Reader {
    /// The beginning of `file`.
    pub fn new(file: Arc<dyn Opened>) -> Self {
        Self::until(file, u64::MAX)
    }

    /// The beginning of `file`, which is taken to end at the byte `end` even where it has grown since.
    pub fn until(file: Arc<dyn Opened>, end: u64) -> Self {
        Self { file, at: 0, end }
    }

    /// The byte `at` of the same file.
    #[must_use]
    pub fn from(&self, at: u64) -> Self {
        Self { file: Arc::clone(&self.file), at, end: self.end }
    }

    /// How many bytes there are to read from the beginning.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.attributes()?.length.min(self.end))
    }

    /// The file.
    pub fn file(&self) -> &Arc<dyn Opened> {
        &self.file
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let count = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.length()?.checked_add_signed(by),
        };
        self.at = to.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
