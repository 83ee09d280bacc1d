//! Text files: rows taken out and put back byte for byte, and the sums that prove it.
//!
//! All that is not a row (byte order mark, header, blank lines) stays where it is. A packed file is packed again
//! the way it was.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use twox_hash::xxhash3_128::Hasher;

use crate::source::{FilesSet, Format, TextFile};

use super::FilesError;
use super::disk::{self, Hash};

/// A row as it stood in a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) row: u64,
    /// Where it began in the unpacked text, in bytes.
    pub(super) offset: u64,
    /// The record, without its line end.
    pub(super) raw: Vec<u8>,
    pub(super) line_end: Vec<u8>,
    /// The key of the row before it that stays; `None` where there is none.
    pub(super) after: Option<u128>,
}

/// What a file holds, as numbers that add up when its rows are divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) rows: u64,
    /// Sum of the hashes of all rows with their line ends, for text; equal to `keys` for Parquet.
    pub(super) whole: u128,
    /// Sum of the hashes of all rows without their line ends.
    pub(super) keys: u128,
    /// Hash of everything that is not a row, in its order.
    pub(super) rest: u128,
}

impl Sums {
    pub(super) fn add(&mut self, whole: u128, key: u128) {
        self.rows += 1;
        self.whole = self.whole.wrapping_add(whole);
        self.keys = self.keys.wrapping_add(key);
    }

    /// Says what differs between `self` and the sum of `kept` and `moved`, of which the second has rows only.
    pub(super) fn divided(&self, kept: &Self, moved: &Self) -> Result<(), &'static str> {
        if self.rows != kept.rows + moved.rows {
            return Err("row counts");
        }
        if self.keys != kept.keys.wrapping_add(moved.keys) {
            return Err("sums of row hashes");
        }
        if self.whole != kept.whole.wrapping_add(moved.whole) {
            return Err("line ends");
        }
        if self.rest == kept.rest { Ok(()) } else { Err("bytes between rows") }
    }
}

/// A stretch of a text file.
pub(super) enum Stretch<'a> {
    Rest(&'a [u8]),
    Row { number: u64, offset: u64, raw: &'a [u8], line_end: &'a [u8] },
}

/// The hash that tells rows apart: of the record without its line end.
pub(super) fn key(raw: &[u8]) -> u128 {
    Hasher::oneshot(raw)
}

/// The hash of a row with its line end.
pub(super) fn whole(raw: &[u8], line_end: &[u8]) -> u128 {
    let mut hasher = Hasher::new();
    hasher.write(raw);
    hasher.write(line_end);
    hasher.finish_128()
}

/// Goes through the text of the file `path`, all of it, in order. The hash is that of the bytes on disk.
pub(super) fn walk(
    path: &Path,
    set: &FilesSet,
    mut each: impl FnMut(Stretch<'_>) -> Result<(), FilesError>,
) -> Result<Option<Hash>, FilesError> {
    drop(disk::open(path)?);
    let mut file = TextFile::open(path, set)?;
    let mut offset = 0;
    while let Some(chunk) = file.next_chunk()? {
        let mut at = 0;
        for (record, number) in chunk.records.iter().zip(chunk.first_row..) {
            if at < record.start {
                each(Stretch::Rest(&chunk.data[at..record.start]))?;
            }
            let (raw, line_end) = (&chunk.data[record.start..record.end], &chunk.data[record.end..record.next]);
            each(Stretch::Row { number, offset: offset + record.start as u64, raw, line_end })?;
            at = record.next;
        }
        if at < chunk.data.len() {
            each(Stretch::Rest(&chunk.data[at..]))?;
        }
        offset += chunk.data.len() as u64;
    }
    Ok(file.finish()?.sha256)
}

/// The columns that the header of a CSV file names; none where there is no header.
pub(super) fn header(path: &Path, set: &FilesSet) -> Result<Vec<String>, FilesError> {
    match set.format {
        Format::Csv => Ok(TextFile::open(path, set)?.columns().to_vec()),
        Format::Ndjson | Format::Parquet => Ok(Vec::new()),
    }
}

/// The rows with these numbers, which are ascending, as they stand in the file.
pub(super) fn take(path: &Path, set: &FilesSet, rows: &[u64]) -> Result<Vec<Piece>, FilesError> {
    let mut wanted = rows.iter().peekable();
    let mut pieces = Vec::with_capacity(rows.len());
    let mut after = None;
    walk(path, set, |stretch| {
        if let Stretch::Row { number, offset, raw, line_end } = stretch {
            if wanted.next_if(|row| **row == number).is_some() {
                let (raw, line_end) = (raw.to_vec(), line_end.to_vec());
                pieces.push(Piece { row: number, offset, raw, line_end, after });
            } else {
                after = Some(key(raw));
            }
        }
        Ok(())
    })?;
    match wanted.next() {
        None => Ok(pieces),
        Some(row) => Err(FilesError::RowMissing { path: path.to_path_buf(), row: *row }),
    }
}

/// The sums of a file; `each` is given the key of every row.
pub(super) fn sums(path: &Path, set: &FilesSet, mut each: impl FnMut(u128)) -> Result<Sums, FilesError> {
    let mut sums = Sums::default();
    let mut rest = Hasher::new();
    walk(path, set, |stretch| {
        match stretch {
            Stretch::Rest(bytes) => rest.write(bytes),
            Stretch::Row { raw, line_end, .. } => {
                let key = key(raw);
                sums.add(whole(raw, line_end), key);
                each(key);
            }
        }
        Ok(())
    })?;
    sums.rest = rest.finish_128();
    Ok(sums)
}

/// Writes the text of `path` without the rows `rows`, which are ascending, to `out`. Gives the rows that stayed.
pub(super) fn write_without(path: &Path, set: &FilesSet, rows: &[u64], out: &Out<'_>) -> Result<u64, FilesError> {
    let mut gone = rows.iter().peekable();
    let mut kept = 0;
    out.write(path, |packed| {
        walk(path, set, |stretch| match stretch {
            Stretch::Row { number, .. } if gone.next_if(|row| **row == number).is_some() => Ok(()),
            Stretch::Row { raw, line_end, .. } => {
                kept += 1;
                packed.write_all(raw).and_then(|()| packed.write_all(line_end)).map_err(|source| out.failed(source))
            }
            Stretch::Rest(bytes) => packed.write_all(bytes).map_err(|source| out.failed(source)),
        })?;
        Ok(())
    })?;
    Ok(kept)
}

/// A row to be put in before the byte `at` of the unpacked text; the end of the text where it is beyond.
#[derive(Debug)]
pub(super) struct Insertion<'a> {
    pub(super) at: u64,
    pub(super) piece: &'a Piece,
}

/// Writes the text of `path` with `rows` put in, which are in the order of their places, to `out`.
pub(super) fn write_with(path: &Path, set: &FilesSet, rows: &[Insertion<'_>], out: &Out<'_>) -> Result<(), FilesError> {
    let mut waiting = rows.iter().peekable();
    out.write(path, |packed| {
        let mut text = Text { out: packed, open: false, line_end: b"\n" };
        let mut at = 0;
        walk(path, set, |stretch| {
            let (parts, length, row): ([&[u8]; 2], usize, bool) = match stretch {
                Stretch::Rest(bytes) => ([bytes, b""], bytes.len(), false),
                Stretch::Row { raw, line_end, .. } => ([raw, line_end], raw.len() + line_end.len(), true),
            };
            // A place inside what is no row is one between blank lines; one inside a row does not happen.
            let mut done = 0;
            while let Some(next) = waiting.next_if(|next| next.at < at + length as u64 && (!row || next.at <= at)) {
                let cut = usize::try_from(next.at.saturating_sub(at)).unwrap_or(length).max(done);
                text.write(&parts[0][done..cut.min(parts[0].len())], false).map_err(|source| out.failed(source))?;
                done = cut.min(parts[0].len());
                text.insert(next.piece).map_err(|source| out.failed(source))?;
            }
            text.write(&parts[0][done..], row).map_err(|source| out.failed(source))?;
            text.write(parts[1], row).map_err(|source| out.failed(source))?;
            at += length as u64;
            Ok(())
        })?;
        waiting.try_for_each(|next| text.insert(next.piece)).map_err(|source| out.failed(source))
    })
}

/// Text that gets a line end before a row that would otherwise continue the last one.
struct Text<'a> {
    out: &'a mut dyn Write,
    /// Whether the last thing written has no line end.
    open: bool,
    line_end: &'static [u8],
}

impl Text<'_> {
    fn write(&mut self, bytes: &[u8], row: bool) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.open && row && bytes != b"\n" && bytes != b"\r\n" {
            self.out.write_all(self.line_end)?;
        }
        self.open = !bytes.ends_with(b"\n") && bytes != b"\xef\xbb\xbf";
        self.out.write_all(bytes)
    }

    fn insert(&mut self, piece: &Piece) -> io::Result<()> {
        self.write(&piece.raw, true)?;
        self.write(&piece.line_end, true)
    }
}

/// Where text is written to: an open file that is complete when [`Out::write`] is done.
pub(super) struct Out<'a> {
    pub(super) path: &'a Path,
    pub(super) file: &'a File,
}

impl Out<'_> {
    fn failed(&self, source: io::Error) -> FilesError {
        FilesError::write(self.path, source)
    }

    /// Lets `work` write, packed like the file `like`, and syncs the file.
    fn write(
        &self,
        like: &Path,
        work: impl FnOnce(&mut dyn Write) -> Result<(), FilesError>,
    ) -> Result<(), FilesError> {
        let mut magic = Vec::with_capacity(4);
        disk::open(like)?.take(4).read_to_end(&mut magic).map_err(|source| FilesError::read(like, source))?;
        let mut out = BufWriter::with_capacity(1 << 20, self.file);
        if magic.starts_with(&[0x1f, 0x8b]) {
            let mut packed = flate2::write::GzEncoder::new(&mut out, flate2::Compression::default());
            work(&mut packed)?;
            packed.finish().map_err(|source| self.failed(source))?;
        } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let packed = zstd::Encoder::new(&mut out, zstd::DEFAULT_COMPRESSION_LEVEL);
            let mut packed = packed.map_err(|source| self.failed(source))?;
            packed.include_checksum(true).map_err(|source| self.failed(source))?;
            work(&mut packed)?;
            packed.finish().map_err(|source| self.failed(source))?;
        } else {
            work(&mut out)?;
        }
        out.flush().and_then(|()| self.file.sync_all()).map_err(|source| self.failed(source))
    }
}
