//! Text files: rows taken out and put back byte for byte, and the sums that prove it.
//!
//! All that is not a row (byte order mark, header, blank lines) stays where it is. A packed file is packed again
//! the way it was.

use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use twox_hash::xxhash3_128::Hasher;

use crate::source::{FilesSet, Format, TextFile};

use super::FilesError;
use super::open::Open;
use crate::durable::Output;

/// A row as it stood in a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) row: u64,
    /// Where it began in the unpacked text, in bytes.
    pub(super) offset: u64,
    /// The physical line it began in.
    pub(super) line: u64,
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
    Row { number: u64, offset: u64, line: u64, raw: &'a [u8], line_end: &'a [u8] },
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

/// Goes through the text of the file, all of it, in order.
pub(super) fn walk(
    open: &Open,
    set: &FilesSet,
    mut each: impl FnMut(Stretch<'_>) -> Result<(), FilesError>,
) -> Result<(), FilesError> {
    let mut file = TextFile::over(&open.path, open.reader(), set)?;
    let mut offset = 0;
    while let Some(chunk) = file.next_chunk()? {
        let mut at = 0;
        for (record, number) in chunk.records.iter().zip(chunk.first_row..) {
            if at < record.start {
                each(Stretch::Rest(&chunk.data[at..record.start]))?;
            }
            let (raw, line_end) = (&chunk.data[record.start..record.end], &chunk.data[record.end..record.next]);
            let line = chunk.first_line + record.line;
            each(Stretch::Row { number, offset: offset + record.start as u64, line, raw, line_end })?;
            at = record.next;
        }
        if at < chunk.data.len() {
            each(Stretch::Rest(&chunk.data[at..]))?;
        }
        offset += chunk.data.len() as u64;
    }
    Ok(())
}

/// Whether the bytes of the file are its text: a packed file cannot grow by a row.
pub(super) fn is_plain(open: &Open) -> Result<bool, FilesError> {
    Ok(packing(open)?.is_none())
}

/// What a text file is packed with.
enum Packing {
    Gzip,
    Zstd,
}

fn packing(open: &Open) -> Result<Option<Packing>, FilesError> {
    let mut magic = Vec::with_capacity(6);
    let read = open.reader().take(6).read_to_end(&mut magic);
    read.map_err(|source| FilesError::read(&open.path, source))?;
    match magic.as_slice() {
        [0x1f, 0x8b, ..] => Ok(Some(Packing::Gzip)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Some(Packing::Zstd)),
        // Read they can be: written again as plain text they would not be what they were.
        [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', b'Z', 0] | [b'P', b'K', 3, 4, ..] => {
            Err(FilesError::NotPackedAgain { path: open.path.clone() })
        }
        _ => Ok(None),
    }
}

/// The columns that the header of a CSV file names; none where there is no header.
pub(super) fn header(open: &Open, set: &FilesSet) -> Result<Vec<String>, FilesError> {
    match set.format {
        Format::Csv => Ok(TextFile::over(&open.path, open.reader(), set)?.columns().to_vec()),
        Format::Ndjson | Format::Json | Format::Parquet | Format::Arrow => Ok(Vec::new()),
    }
}

/// The rows with these numbers, which are ascending, as they stand in the file.
pub(super) fn take(open: &Open, set: &FilesSet, rows: &[u64]) -> Result<Vec<Piece>, FilesError> {
    let mut wanted = rows.iter().peekable();
    let mut pieces = Vec::with_capacity(rows.len());
    let mut after = None;
    walk(open, set, |stretch| {
        if let Stretch::Row { number, offset, line, raw, line_end } = stretch {
            if wanted.next_if(|row| **row == number).is_some() {
                let (raw, line_end) = (raw.to_vec(), line_end.to_vec());
                pieces.push(Piece { row: number, offset, line, raw, line_end, after });
            } else {
                after = Some(key(raw));
            }
        }
        Ok(())
    })?;
    match wanted.next() {
        None => Ok(pieces),
        Some(row) => Err(FilesError::RowMissing { path: open.path.clone(), row: *row }),
    }
}

/// The sums of a file; `each` is given the key of every row.
pub(super) fn sums(open: &Open, set: &FilesSet, mut each: impl FnMut(u128)) -> Result<Sums, FilesError> {
    let mut sums = Sums::default();
    let mut rest = Hasher::new();
    walk(open, set, |stretch| {
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

/// Writes the text of `open` without the rows `rows`, which are ascending, to `out`. Gives the rows that stayed.
pub(super) fn write_without(open: &Open, set: &FilesSet, rows: &[u64], out: &mut Out<'_>) -> Result<u64, FilesError> {
    let mut gone = rows.iter().peekable();
    let mut kept = 0;
    let path = out.path;
    let failed = |source| FilesError::write(path, source);
    out.write(open, |packed| {
        walk(open, set, |stretch| match stretch {
            Stretch::Row { number, .. } if gone.next_if(|row| **row == number).is_some() => Ok(()),
            Stretch::Row { raw, line_end, .. } => {
                kept += 1;
                packed.write_all(raw).and_then(|()| packed.write_all(line_end)).map_err(failed)
            }
            Stretch::Rest(bytes) => packed.write_all(bytes).map_err(failed),
        })
    })?;
    Ok(kept)
}

/// A row to be put in before the byte `at` of the unpacked text; the end of the text where it is beyond.
#[derive(Debug)]
pub(super) struct Insertion<'a> {
    pub(super) at: u64,
    pub(super) piece: &'a Piece,
}

/// Writes the text of `open` with `rows` put in, which are in the order of their places, to `out`.
pub(super) fn write_with(
    open: &Open,
    set: &FilesSet,
    rows: &[Insertion<'_>],
    out: &mut Out<'_>,
) -> Result<(), FilesError> {
    let mut waiting = rows.iter().peekable();
    let path = out.path;
    let failed = |source| FilesError::write(path, source);
    out.write(open, |packed| {
        let mut text = Text { out: packed, open: false, line_end: b"\n" };
        let mut at = 0;
        let walked = walk(open, set, |stretch| {
            let (parts, length, row): ([&[u8]; 2], usize, bool) = match stretch {
                Stretch::Rest(bytes) => ([bytes, b""], bytes.len(), false),
                Stretch::Row { raw, line_end, .. } => ([raw, line_end], raw.len() + line_end.len(), true),
            };
            // A place inside what is no row is one between blank lines; one inside a row does not happen.
            let mut done = 0;
            while let Some(next) = waiting.next_if(|next| next.at < at + length as u64 && (!row || next.at <= at)) {
                let cut = usize::try_from(next.at.saturating_sub(at)).unwrap_or(length).max(done);
                text.write(&parts[0][done..cut.min(parts[0].len())], false).map_err(failed)?;
                done = cut.min(parts[0].len());
                text.insert(next.piece).map_err(failed)?;
            }
            text.write(&parts[0][done..], row).map_err(failed)?;
            text.write(parts[1], row).map_err(failed)?;
            at += length as u64;
            Ok(())
        });
        // A file without a record takes the rows as they come.
        if !walked.as_ref().is_err_and(FilesError::is_empty_file) {
            walked?;
        }
        waiting.try_for_each(|next| text.insert(next.piece)).map_err(failed)
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

/// Where text is written to: a new file that is complete when [`Out::write`] is done.
pub(super) struct Out<'a> {
    pub(super) path: &'a Path,
    pub(super) file: &'a mut dyn Output,
}

impl Out<'_> {
    /// Lets `work` write, packed like the file `like`, and syncs the file.
    fn write(
        &mut self,
        like: &Open,
        work: impl FnOnce(&mut dyn Write) -> Result<(), FilesError>,
    ) -> Result<(), FilesError> {
        let path = self.path;
        let failed = |source: io::Error| FilesError::write(path, source);
        let mut out = BufWriter::with_capacity(1 << 20, &mut *self.file);
        match packing(like)? {
            Some(Packing::Gzip) => {
                let mut packed = flate2::write::GzEncoder::new(&mut out, flate2::Compression::default());
                work(&mut packed)?;
                packed.finish().map_err(failed)?;
            }
            Some(Packing::Zstd) => {
                let packed = zstd::Encoder::new(&mut out, zstd::DEFAULT_COMPRESSION_LEVEL);
                let mut packed = packed.map_err(failed)?;
                packed.include_checksum(true).map_err(failed)?;
                work(&mut packed)?;
                packed.finish().map_err(failed)?;
            }
            None => work(&mut out)?,
        }
        out.flush().map_err(failed)?;
        drop(out);
        self.file.sync().map_err(failed)
    }
}
