//! What single rows of text files are, read again by their places.
//!
//! The hash of a record costs more than its cells, and only rows that are to be moved need it. So a snapshot has none, and
//! the files that a plan names rows of are read a second time; a file that is not what was evaluated is refused.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::lookup::{Original, Position};
use super::opened::Opened;
use super::text::CHUNK;
use super::{Chunk, FileIdentity, FilesSet, SourceError};

/// What the rows at `places` (index into `files`, row from 1) of the text files `set` are, in the order of `places`;
/// `files` are what was evaluated.
///
/// # Errors
/// A file cannot be read, has changed since it was evaluated, or lacks one of the rows.
pub fn text_originals(
    set: &FilesSet,
    files: &[FileIdentity],
    places: &[(i32, i64)],
) -> Result<Vec<Original>, SourceError> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_unstable_by_key(|at| places[*at]);
    let mut found: Vec<Option<Original>> = vec![None; places.len()];
    for of_file in order.chunk_by(|a, b| places[*a].0 == places[*b].0) {
        let file = usize::try_from(places[of_file[0]].0).ok().and_then(|file| files.get(file));
        let Some(evaluated) = file else { continue };
        let rows = of_file.iter().map(|at| (places[*at].1.unsigned_abs(), *at));
        read_file(set, evaluated, rows, &mut found)?;
    }
    let lost = || SourceError::Changed { path: files.first().map(|file| file.path.clone()).unwrap_or_default() };
    found.into_iter().collect::<Option<_>>().ok_or_else(lost)
}

/// Reads the rows of one file, which come in ascending order, each with its place in `found`.
fn read_file(
    set: &FilesSet,
    evaluated: &FileIdentity,
    rows: impl Iterator<Item = (u64, usize)>,
    found: &mut [Option<Original>],
) -> Result<(), SourceError> {
    let mut rows = rows.peekable();
    let changed = |path: &Path| SourceError::Changed { path: path.to_path_buf() };
    let Some(mut file) = Opened::open(&evaluated.path, set, CHUNK)? else { return Err(changed(&evaluated.path)) };
    while let Some(chunk) = file.next_chunk()? {
        let end = chunk.first_row + chunk.records.len() as u64;
        while let Some((row, at)) = rows.next_if(|(row, _)| *row < end) {
            found[at] = original(&chunk, row, set.format.is_document());
        }
    }
    // The whole file is read: only its hash says that these are the rows that were evaluated.
    match file.finish()? == *evaluated {
        true => Ok(()),
        false => Err(changed(&evaluated.path)),
    }
}

/// The row with the number `row` of a chunk that has it.
fn original(chunk: &Chunk, row: u64, of_document: bool) -> Option<Original> {
    let (line, record) = chunk.row(row)?;
    let index = usize::try_from(row - chunk.first_row).ok()?;
    let column = if of_document { chunk.columns().nth(index) } else { None };
    Some(Original { hash: Sha256::digest(record).into(), id: None, position: Some(Position { line, column }) })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroUsize;

    use super::super::testing::{Fixture, gzip};
    use super::super::{Format, Snapshot, Wanted, WantedKind, extract};
    use super::*;

    fn copy(fixture: &Fixture) -> Snapshot {
        let wanted = [Wanted { column: "n".to_owned(), kind: WantedKind::Number }];
        extract(&fixture.set, &wanted, fixture.dir.path(), NonZeroUsize::MIN, &mut |_, _| ()).unwrap()
    }

    fn original(bytes: &[u8], line: u64, column: Option<u64>) -> Original {
        Original { hash: Sha256::digest(bytes).into(), id: None, position: Some(Position { line, column }) }
    }

    #[test]
    fn rows_of_several_files_come_in_the_order_that_was_asked_for() {
        let packed = gzip(b"s,n\r\nD,4\r\n\r\n\"E\ne\",5");
        let fixture = Fixture::new(Format::Csv, &[("a.csv", &b"s,n\nA,1\nB,2\nC,3\n"[..]), ("b.csv.gz", &packed)]);
        let files = copy(&fixture).files;
        let found = text_originals(&fixture.set, &files, &[(1, 2), (0, 3), (0, 1), (0, 3)]).unwrap();
        let last = original(b"C,3", 4, None);
        assert_eq!(found, [original(b"\"E\ne\",5", 4, None), last.clone(), original(b"A,1", 2, None), last]);
        assert_eq!(text_originals(&fixture.set, &files, &[]).unwrap(), []);
    }

    #[test]
    fn records_of_a_document_have_their_place_in_the_line() {
        let fixture = Fixture::new(Format::Json, &[("a.json", "[{\"n\":1}, {\"n\":2},\n {\"n\":3}]")]);
        let found = text_originals(&fixture.set, &copy(&fixture).files, &[(0, 2), (0, 3)]).unwrap();
        assert_eq!(found, [original(b"{\"n\":2}", 1, Some(11)), original(b"{\"n\":3}", 2, Some(2))]);
    }

    #[test]
    fn a_file_that_is_not_what_was_evaluated_is_refused() {
        let fixture = Fixture::csv("s,n\nA,1\nB,2\n");
        let files = copy(&fixture).files;
        let refused = |places: &[(i32, i64)]| text_originals(&fixture.set, &files, places).unwrap_err();
        assert!(matches!(refused(&[(0, 3)]), SourceError::Changed { .. }), "it has no such row");
        assert!(matches!(refused(&[(1, 1)]), SourceError::Changed { .. }), "there is no such file");
        // The same length and the same rows looked for: only the hash of the whole file shows it.
        fs::write(&files[0].path, "s,n\nA,1\nB,3\n").unwrap();
        let error = refused(&[(0, 1)]);
        assert!(matches!(&error, SourceError::Changed { path } if *path == files[0].path), "{error}");
    }
}
