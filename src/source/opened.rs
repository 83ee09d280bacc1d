//! A file of records that is open, whatever its format.

use std::path::Path;

use super::json_document::Document;
use super::text::TextFile;
use super::wide::Wide;
use super::{Chunk, FileIdentity, FilesSet, Format, SourceError};

/// A file of records.
pub(super) enum Opened {
    /// Records that are stretches of lines.
    Text(Box<TextFile>),
    /// Records of a JSON document.
    Document(Box<Document>),
}

impl Opened {
    /// Opens the file at `path`, one of those `set` describes, to be read in chunks of about `chunk` bytes; `None` for one
    /// without any record where those are left out.
    pub(super) fn open(path: &Path, set: &FilesSet, chunk: usize) -> Result<Option<Self>, SourceError> {
        let opened = match set.format {
            Format::Json => Document::open(path, set, chunk).map(|document| Self::Document(Box::new(document))),
            _ => TextFile::open_in_chunks(path, set, chunk).map(|file| Self::Text(Box::new(file))),
        };
        match opened {
            Err(SourceError::Empty { .. }) if set.skip_empty && set.files.len() > 1 => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// The columns that the file names; none where records have names of their own.
    pub(super) fn columns(&self) -> &[String] {
        match self {
            Self::Text(file) => file.columns(),
            Self::Document(_) => &[],
        }
    }

    /// Where the series of a wide table are; `None` for any other file.
    pub(super) fn wide(&self) -> Option<Result<Wide, SourceError>> {
        match self {
            Self::Text(file) => file.wide(),
            Self::Document(_) => None,
        }
    }

    /// Names and values that stand beside the records, and are those of each that does not say otherwise.
    pub(super) fn beside(&self) -> &[(String, Option<String>)] {
        match self {
            Self::Text(_) => &[],
            Self::Document(document) => &document.beside,
        }
    }

    /// Whether each record begins with its key.
    pub(super) fn is_keyed(&self) -> bool {
        matches!(self, Self::Document(document) if document.keyed)
    }

    /// The next records; `None` at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        match self {
            Self::Text(file) => file.next_chunk(),
            Self::Document(document) => Ok(document.next_chunk()),
        }
    }

    /// The identity of the file, once every chunk was read.
    pub(super) fn finish(self) -> Result<FileIdentity, SourceError> {
        match self {
            Self::Text(file) => file.finish(),
            Self::Document(document) => Ok(document.finish()),
        }
    }
}
