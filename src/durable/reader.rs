//! An open file as a stream that can be read from any place, by several readers at once.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use super::Opened;

/// A place in an open file. Clones read from places of their own.
#[derive(Debug, Clone)]
pub struct Reader {
    file: Arc<dyn Opened>,
    at: u64,
}

impl Reader {
    /// The beginning of `file`.
    pub fn new(file: Arc<dyn Opened>) -> Self {
        Self { file, at: 0 }
    }

    /// The byte `at` of the same file.
    #[must_use]
    pub fn from(&self, at: u64) -> Self {
        Self { file: Arc::clone(&self.file), at }
    }

    /// The file.
    pub fn file(&self) -> &Arc<dyn Opened> {
        &self.file
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.attributes()?.length.checked_add_signed(by),
        };
        self.at = to.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
