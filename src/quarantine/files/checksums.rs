//! Whether the pages of a Parquet file carry checksums. They are verified where rows are read; here they are counted.
//!
//! The library keeps page headers to itself, so their Thrift compact encoding is walked over: the checksum is field 4.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::FilesError;
use super::columns::Reader;

/// How much of a file its checksums protect. Without them about one damaged file in five reads with wrong values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checksums {
    /// Every page has one, and each was verified.
    All,
    /// Some pages have one; those were verified.
    Some,
    /// No page has one, or the file is text.
    None,
}

/// The longest page header that is looked at, in bytes; statistics in it may be long.
const LONGEST: u64 = 1 << 20;
const FIRST: u64 = 256;

/// Field numbers of a page header.
const COMPRESSED_SIZE: i16 = 3;
const CHECKSUM: i16 = 4;

/// Counts the pages that have a checksum.
pub(super) fn of(path: &Path, reader: &Reader) -> Result<Checksums, FilesError> {
    let (mut with, mut without) = (0_u64, 0_u64);
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            let (start, length) = column.byte_range();
            let mut at = start;
            while at < start + length {
                let page = header(reader, at, start + length).map_err(|source| FilesError::read(path, source))?;
                // A header that is not understood has no checksum that is understood.
                let Some(page) = page else {
                    without += 1;
                    break;
                };
                with += u64::from(page.checksum);
                without += u64::from(!page.checksum);
                at += page.length;
            }
        }
    }
    Ok(match (with, without) {
        (0, _) => Checksums::None,
        (_, 0) => Checksums::All,
        _ => Checksums::Some,
    })
}

struct Page {
    checksum: bool,
    /// Header and data, in bytes.
    length: u64,
}

/// The page that begins at byte `at`, looked at in ever longer pieces.
fn header(reader: &Reader, at: u64, end: u64) -> std::io::Result<Option<Page>> {
    let mut wanted = FIRST;
    loop {
        let bytes = reader.file.exact(at, usize::try_from(wanted.min(end - at)).unwrap_or_default())?;
        let page = Compact { bytes: &bytes, at: 0 }.page();
        if page.is_some() || wanted >= end - at || wanted >= LONGEST {
            return Ok(page);
        }
        wanted *= 8;
    }
}

/// Thrift's compact protocol, as far as it is needed to get over a structure.
struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What follows in a structure.
enum Next {
    /// A field of this kind.
    Field(u8),
    End,
}

impl Compact<'_> {
    fn page(&mut self) -> Option<Page> {
        let mut size = None;
        let mut checksum = false;
        let mut field = 0;
        while let Next::Field(kind) = self.field(&mut field)? {
            if field == COMPRESSED_SIZE && kind == 5 {
                let zigzag = self.varint()?;
                size = Some(zigzag >> 1);
            } else {
                checksum |= field == CHECKSUM && kind == 5;
                self.skip(kind, 0)?;
            }
        }
        Some(Page { checksum, length: size?.checked_add(self.at as u64)? })
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn leap(&mut self, count: u64) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(count).ok()?)?;
        (self.at <= self.bytes.len()).then_some(())
    }

    /// The next field, its number in `last`.
    fn field(&mut self, last: &mut i16) -> Option<Next> {
        let head = self.byte()?;
        if head == 0 {
            return Some(Next::End);
        }
        *last = match head >> 4 {
            0 => {
                let zigzag = self.varint()?;
                i16::try_from((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed())).ok()?
            }
            step => last.checked_add(i16::from(step))?,
        };
        Some(Next::Field(head & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Option<()> {
        match kind {
            1 | 2 => Some(()),
            3 => self.leap(1),
            4..=6 => self.varint().map(drop),
            7 => self.leap(8),
            8 => self.varint().and_then(|length| self.leap(length)),
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                // Inside a list a truth value takes a byte.
                let kind = if matches!(head & 0x0f, 1 | 2) { 3 } else { head & 0x0f };
                (0..count).try_for_each(|_| self.skip(kind, depth + 1))
            }
            12 if depth < 16 => {
                let mut field = 0;
                while let Next::Field(kind) = self.field(&mut field)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of a data page of 10 bytes with statistics of two bytes, as thrift writes it.
    fn page(checksum: &[u8]) -> Vec<u8> {
        let statistics = [0x1c, 0x18, 0x02, 0xaa, 0xbb, 0x00];
        let data = [
            &[if checksum.is_empty() { 0x2c } else { 0x1c }, 0x15, 0x06, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06][..],
            &statistics,
            &[0],
        ]
        .concat();
        [&[0x15, 0x00, 0x15, 0x14, 0x15, 0x14][..], checksum, &data, &[0]].concat()
    }

    #[test]
    fn a_checksum_is_seen_behind_the_sizes() {
        for (checksum, seen) in [(&[][..], false), (&[0x15, 0x8e, 0x02], true)] {
            let bytes = page(checksum);
            let page = Compact { bytes: &bytes, at: 0 }.page().unwrap();
            assert_eq!((page.checksum, page.length), (seen, bytes.len() as u64 + 10));
        }
    }

    #[test]
    fn a_header_that_breaks_off_is_none() {
        let bytes = page(&[0x15, 0x8e, 0x02]);
        for length in 0..bytes.len() {
            assert!(Compact { bytes: &bytes[..length], at: 0 }.page().is_none(), "{length}");
        }
    }
}
