//! From the paths of a job to the list of files: folders are walked, globs expanded, formats distinguished.
//!
//! The list has a fixed order and names each file once, however many patterns or links lead to it. Looks at names
//! and sizes, and at the first bytes where names leave something open.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::format::PACKED;
use super::place::{self, Fields, PlacePattern};
use super::zip_archive::Member;
use super::{FileIdentity, Files, FilesSet, Format, SourceError, sniff, unread, zip_archive};
use crate::bars::layout::Delimiter;
use crate::schema::diagnostic::nearest;

/// Finds the files of a source.
///
/// A pattern that names a file stands for it; one that names a folder stands for every file in it and its
/// sub-folders whose name ends in that of a known format (or of the format the job names), hidden ones left out;
/// any other one is a glob, which matches files only. Links to folders are not followed inside a folder. The order
/// is that of the patterns and then of the paths.
///
/// # Errors
/// When a pattern stands for no file, when a file is empty or cannot be looked at, or when formats differ.
pub fn discover(files: &Files) -> Result<FilesSet, SourceError> {
    let (mut seen, mut members) = (HashSet::new(), BTreeMap::new());
    let (mut found, mut empty) = (Vec::new(), Vec::new());
    for pattern in &files.patterns {
        for Found { path, fields, member } in expand_fields(pattern, files.format)? {
            let identity = FileIdentity::of(member.as_ref().map_or(&path, |member| &member.archive))?;
            let place = (identity.device, identity.inode, member.as_ref().map(Member::start));
            if !seen.insert(place) {
                continue;
            }
            match identity.length {
                0 => empty.push(path),
                _ => {
                    members.extend(member.map(|member| (path.clone(), member)));
                    found.push((path, fields));
                }
            }
        }
    }
    if let Some(path) = empty.first().filter(|_| found.is_empty() || !files.skip_empty) {
        return Err(SourceError::Empty { path: path.clone() });
    }
    let paths: Vec<PathBuf> = found.iter().map(|(path, _)| path.clone()).collect();
    let format = match files.format {
        Some(format) => format,
        None => common_format(&paths)?,
    };
    let format = match files.records {
        Some(_) if files.format.is_none() && format == Format::Ndjson => Format::Json,
        _ => format,
    };
    let mut layout = files.layout.clone();
    if !files.delimiter_is_given && paths.iter().all(|path| is_tsv(path)) {
        layout.delimiter = Delimiter::Byte(b'\t');
    }
    let (places, aliases) = (place::together(found)?, files.aliases.clone());
    let (records, wide) = (files.records.clone(), files.wide.clone());
    let Files { missing_is_null, skip_empty, .. } = *files;
    let mut set = FilesSet {
        format,
        files: paths,
        members,
        places,
        layout,
        records,
        wide,
        aliases,
        missing_is_null,
        skip_empty,
        empty,
        whole: false,
        may_lack: BTreeSet::new(),
    };
    if files.format.is_none() && set.format == Format::Ndjson {
        set.format = json_format(&set)?;
    }
    Ok(set)
}

/// Whether the name of a text file promises tabs between cells.
fn is_tsv(path: &Path) -> bool {
    bare_name(path).rsplit_once('.').is_some_and(|(_, ending)| ending == "tsv")
}

/// The name of a file in lower case, without what says how it is packed.
fn bare_name(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    PACKED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name).to_owned()
}

/// A file, or a member of an archive as if it lay in a folder.
struct Found {
    path: PathBuf,
    fields: Fields,
    member: Option<Member>,
}

/// The files one pattern stands for, sorted, with the fields that their places give; never none.
fn expand_fields(pattern: &Path, format: Option<Format>) -> Result<Vec<Found>, SourceError> {
    // A path that exists as it is written is literal.
    let names = if fs::symlink_metadata(pattern).is_ok() { None } else { PlacePattern::read(pattern)? };
    let glob = names.as_ref().map_or(pattern, |names| names.glob.as_path());
    let base = if fs::symlink_metadata(pattern).is_ok() { pattern.to_path_buf() } else { place::base(glob) };
    let no_match = || SourceError::NoMatch { pattern: pattern.to_path_buf() };
    let (outer, inner) = into_archive(glob);
    let paths = match &names {
        Some(_) if is_glob(outer) => expand_glob(outer).map_err(|error| match error {
            SourceError::NoMatch { .. } => no_match(),
            error => error,
        })?,
        _ => expand(outer, format)?,
    };
    let inner = inner.map(|inner| {
        let bad =
            |error: glob::PatternError| SourceError::BadPattern { pattern: pattern.to_path_buf(), reason: error.msg };
        glob::Pattern::new(inner).map_err(bad)
    });
    let inner = inner.transpose()?;
    let mut found = Vec::new();
    for path in paths {
        let fields_of = |path: &Path, named: &Path| {
            let mut fields = place::folders(&base, path)?;
            if let Some(names) = &names {
                fields.extend(names.fields(named)?);
            }
            Ok::<_, SourceError>(fields)
        };
        if let Some(error) = unread::by_name(&path) {
            return Err(error);
        }
        if inner.is_none() && !zip_archive::is_archive(&path)? {
            found.push(Found { fields: fields_of(&path, &path)?, path, member: None });
            continue;
        }
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        let chosen = |name: &str| inner.as_ref().is_none_or(|inner| inner.matches_with(name, options));
        for (name, member) in zip_archive::members(&path, format, chosen)? {
            let own = path.join(name);
            let fields = fields_of(&own, if inner.is_some() { &own } else { &path })?;
            found.push(Found { path: own, fields, member: Some(member) });
        }
    }
    if found.is_empty() { Err(no_match()) } else { Ok(found) }
}

/// Where a pattern goes on into zip archives: the pattern of the archives, and that of their members.
fn into_archive(glob: &Path) -> (&Path, Option<&str>) {
    let is_archive = |path: &&Path| {
        let ends = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
        ends && !path.is_dir()
    };
    let Some(outer) = glob.ancestors().skip(1).find(is_archive) else { return (glob, None) };
    (outer, glob.strip_prefix(outer).ok().and_then(Path::to_str))
}

/// The files one pattern stands for, sorted; never none.
fn expand(pattern: &Path, format: Option<Format>) -> Result<Vec<PathBuf>, SourceError> {
    match fs::metadata(pattern) {
        Ok(metadata) if metadata.is_dir() => {
            let mut found = Vec::new();
            walk(pattern, format, &mut found)?;
            found.sort();
            if found.is_empty() {
                return Err(SourceError::EmptyFolder { path: pattern.to_path_buf(), looked_for: endings(format) });
            }
            Ok(found)
        }
        Ok(metadata) if metadata.is_file() => Ok(vec![pattern.to_path_buf()]),
        Ok(_) => Err(SourceError::NotAFile { path: pattern.to_path_buf() }),
        Err(_) if pattern.is_symlink() => Err(SourceError::DanglingLink { path: pattern.to_path_buf() }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SourceError::read(pattern, error)),
        Err(_) if is_glob(pattern) => expand_glob(pattern),
        Err(_) => Err(SourceError::NotFound { path: pattern.to_path_buf(), near: near(pattern) }),
    }
}

/// Adds the data files below `folder` to `found`.
fn walk(folder: &Path, format: Option<Format>, found: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    let denied = |error| SourceError::read(folder, error);
    for entry in fs::read_dir(folder).map_err(denied)? {
        let entry = entry.map_err(denied)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().map_err(denied)?.is_dir() {
            walk(&path, format, found)?;
        } else if format.map_or_else(|| Format::of(&path).is_some(), |format| format.fits(&path)) && !path.is_dir() {
            found.extend(expand(&path, format)?);
        }
    }
    Ok(())
}

fn expand_glob(pattern: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let bad = |reason| SourceError::BadPattern { pattern: pattern.to_path_buf(), reason };
    let text = pattern.to_str().ok_or_else(|| bad("it is not UTF-8"))?;
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let mut found = Vec::new();
    for path in glob::glob_with(text, options).map_err(|error| bad(error.msg))? {
        let path = path.map_err(|error| {
            let folder = error.path().to_path_buf();
            SourceError::read(&folder, error.into())
        })?;
        if !path.is_dir() {
            found.extend(expand(&path, None)?);
        }
    }
    if found.is_empty() {
        return Err(SourceError::NoMatch { pattern: pattern.to_path_buf() });
    }
    found.sort();
    Ok(found)
}

/// The format the names of all files announce.
fn common_format(files: &[PathBuf]) -> Result<Format, SourceError> {
    let mut common: Option<(&PathBuf, Format)> = None;
    for path in files {
        let format = Format::of(path).ok_or_else(|| SourceError::UnknownFormat { path: path.clone() })?;
        let (first, first_format) = *common.get_or_insert((path, format));
        if format != first_format {
            return Err(mixed((first, first_format), (path, format)));
        }
    }
    common.map(|(_, format)| format).ok_or_else(|| SourceError::NoMatch { pattern: PathBuf::new() })
}

/// Whether files with names of JSON are documents or have a record a line: their bytes tell.
fn json_format(set: &FilesSet) -> Result<Format, SourceError> {
    let mut common: Option<(&PathBuf, Format)> = None;
    for path in &set.files {
        let format = match is_json(path) && sniff::is_document(path, set)? {
            true => Format::Json,
            false => Format::Ndjson,
        };
        let (first, first_format) = *common.get_or_insert((path, format));
        if format != first_format {
            return Err(mixed((first, first_format), (path, format)));
        }
    }
    Ok(common.map_or(Format::Ndjson, |(_, format)| format))
}

/// Whether the name of a file leaves open whether it is one document.
fn is_json(path: &Path) -> bool {
    Path::new(&bare_name(path)).extension().is_some_and(|ending| ending == "json")
}

fn mixed((first, first_format): (&Path, Format), (other, other_format): (&Path, Format)) -> SourceError {
    SourceError::MixedFormats {
        first: first.to_path_buf(),
        first_format: first_format.as_str(),
        other: other.to_path_buf(),
        other_format: other_format.as_str(),
    }
}

fn is_glob(pattern: &Path) -> bool {
    pattern.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

fn endings(format: Option<Format>) -> &'static str {
    match format {
        None => {
            ".csv, .tsv, .txt, .ndjson, .jsonl, .json (also .gz, .zst, .bz2, .xz), .parquet, .pq, .parq, .arrow, .feather, .ipc"
        }
        Some(Format::Csv) => ".csv, .tsv, .txt (also .gz, .zst, .bz2, .xz)",
        Some(Format::Ndjson | Format::Json) => ".ndjson, .jsonl, .json (also .gz, .zst, .bz2, .xz)",
        Some(Format::Parquet) => ".parquet, .pq, .parq",
        Some(Format::Arrow) => ".arrow, .feather, .ipc",
    }
}

/// The name in the same folder that is closest to a missing one.
fn near(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut names: Vec<String> =
        fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let name = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        dir
    }

    fn files(patterns: Vec<PathBuf>, format: Option<Format>) -> Files {
        Files { format, ..Files::all(patterns) }
    }

    fn find(dir: &Path, patterns: &[&str], format: Option<Format>) -> Result<Vec<String>, SourceError> {
        let patterns = patterns.iter().map(|pattern| dir.join(pattern)).collect();
        let set = discover(&files(patterns, format))?;
        Ok(set.files.iter().map(|path| path.strip_prefix(dir).unwrap().display().to_string()).collect())
    }

    #[test]
    fn a_folder_is_walked_in_order_without_hidden_and_foreign_files() {
        let dir = folder(&[
            "d/b.csv",
            "d/a.csv.gz",
            "d/sub/c.csv",
            "d/.hidden.csv",
            "d/.git/x.csv",
            "d/README.md",
            "d/0.csv/z.csv",
        ]);
        let found = find(dir.path(), &["d"], None).unwrap();
        assert_eq!(found, ["d/0.csv/z.csv", "d/a.csv.gz", "d/b.csv", "d/sub/c.csv"]);
    }

    #[test]
    fn a_format_picks_its_own_files_from_a_mixed_folder() {
        let dir = folder(&["a.csv", "b.parquet"]);
        assert_eq!(find(dir.path(), &[""], Some(Format::Parquet)).unwrap(), ["b.parquet"]);
        let error = find(dir.path(), &[""], None).unwrap_err();
        assert!(
            matches!(error, SourceError::MixedFormats { first_format: "csv", other_format: "parquet", .. }),
            "{error}"
        );
    }

    #[test]
    fn a_glob_matches_files_and_a_literal_name_with_brackets_is_no_glob() {
        let dir = folder(&["a1.csv", "a2.csv", "b[1].csv", ".a3.csv", "a4.csv/x.csv"]);
        assert_eq!(find(dir.path(), &["a*.csv"], None).unwrap(), ["a1.csv", "a2.csv"]);
        assert_eq!(find(dir.path(), &["b[1].csv"], None).unwrap(), ["b[1].csv"]);
        assert_eq!(find(dir.path(), &["**/x.csv"], None).unwrap(), ["a4.csv/x.csv"]);
    }

    #[test]
    fn each_file_is_listed_once_however_it_is_reached() {
        let dir = folder(&["a.csv", "b.csv"]);
        symlink("a.csv", dir.path().join("c.csv")).unwrap();
        fs::hard_link(dir.path().join("b.csv"), dir.path().join("d.csv")).unwrap();
        assert_eq!(find(dir.path(), &["b.csv", "", "*.csv"], None).unwrap(), ["b.csv", "a.csv"]);
    }

    #[test]
    fn links_to_files_are_followed_and_links_to_folders_inside_a_folder_are_not() {
        let dir = folder(&["data/a.csv", "links/keep.csv"]);
        symlink("../data/a.csv", dir.path().join("links/a.csv")).unwrap();
        symlink("../links", dir.path().join("links/loop")).unwrap();
        symlink("../data", dir.path().join("links/folder.csv")).unwrap();
        assert_eq!(find(dir.path(), &["links"], None).unwrap(), ["links/a.csv", "links/keep.csv"]);
        assert_eq!(find(dir.path(), &["links/folder.csv"], None).unwrap(), ["links/folder.csv/a.csv"]);
    }

    #[test]
    fn a_link_to_nowhere_is_an_error_named_or_found() {
        let dir = folder(&["d/a.csv"]);
        symlink("gone.csv", dir.path().join("d/b.csv")).unwrap();
        for pattern in ["d", "d/b.csv", "d/*.csv"] {
            let error = find(dir.path(), &[pattern], None).unwrap_err();
            assert!(matches!(error, SourceError::DanglingLink { .. }), "{pattern}: {error}");
        }
    }

    #[test]
    fn a_missing_file_is_an_error_with_the_nearest_name() {
        let dir = folder(&["quotes.csv", "other.csv"]);
        let error = find(dir.path(), &["qoutes.csv"], None).unwrap_err().to_string();
        assert!(error.starts_with("no such file or folder: `"), "{error}");
        assert!(error.ends_with("/quotes.csv`?"), "{error}");
        let error = find(dir.path(), &["nowhere/a.csv"], None).unwrap_err();
        assert!(matches!(error, SourceError::NotFound { near: None, .. }), "{error}");
    }

    #[test]
    fn folders_and_globs_without_files_are_errors() {
        let dir = folder(&["d/readme.md", "d/data.csv/note.md"]);
        assert!(matches!(find(dir.path(), &["d"], None), Err(SourceError::EmptyFolder { .. })));
        assert!(matches!(find(dir.path(), &["d/data.csv"], None), Err(SourceError::EmptyFolder { .. })));
        assert!(matches!(find(dir.path(), &["d/*.csv"], None), Err(SourceError::NoMatch { .. })));
        assert!(matches!(find(dir.path(), &["d/a[.csv"], None), Err(SourceError::BadPattern { .. })));
    }

    #[test]
    fn an_empty_file_is_left_out_among_others_and_an_error_alone_or_where_the_job_says_so() {
        let dir = folder(&["a.csv"]);
        fs::write(dir.path().join("b.csv"), "").unwrap();
        let mut all = Files::all(vec![dir.path().to_path_buf()]);
        let set = discover(&all).unwrap();
        assert_eq!((set.files.len(), set.empty.len()), (1, 1));
        all.skip_empty = false;
        for files in [all, Files::all(vec![dir.path().join("b.csv")])] {
            let error = discover(&files).unwrap_err();
            assert!(matches!(&error, SourceError::Empty { path } if path.ends_with("b.csv")), "{error}");
        }
    }

    #[test]
    fn the_places_of_files_give_fields() {
        let dir = folder(&["data/year=2024/AAPL-1d.csv", "data/year=2023/BRK.B-1d.csv"]);
        let set = discover(&Files::all(vec![dir.path().join("data/*/{symbol}-1d.csv")])).unwrap();
        let values = |name| -> Vec<&str> { set.places.field(name).unwrap().map(|value| &**value.unwrap()).collect() };
        assert_eq!((values("symbol"), values("year")), (vec!["BRK.B", "AAPL"], vec!["2023", "2024"]));
        let folder = discover(&Files::all(vec![dir.path().join("data")])).unwrap();
        assert_eq!(folder.places.names.len(), 1, "folders called key=value need no pattern");
        fs::write(dir.path().join("data/{symbol}.csv"), "x").unwrap();
        let literal = discover(&Files::all(vec![dir.path().join("data/{symbol}.csv")])).unwrap();
        assert!(literal.places.names.is_empty(), "a path that exists as it is written is literal");
    }

    #[test]
    fn tabs_are_what_a_tsv_file_promises() {
        let dir = folder(&["a.tsv", "b.tsv.gz"]);
        let set = discover(&Files::all(vec![dir.path().to_path_buf()])).unwrap();
        assert_eq!(set.layout.delimiter, Delimiter::Byte(b'\t'));
        let given = Files { delimiter_is_given: true, ..Files::all(vec![dir.path().to_path_buf()]) };
        assert_eq!(discover(&given).unwrap().layout.delimiter, Delimiter::Byte(b','));
    }

    #[test]
    fn a_name_without_a_known_ending_needs_a_format() {
        let dir = folder(&["bars.dat"]);
        assert!(matches!(find(dir.path(), &["bars.dat"], None), Err(SourceError::UnknownFormat { .. })));
        assert_eq!(find(dir.path(), &["bars.dat"], Some(Format::Csv)).unwrap(), ["bars.dat"]);
        assert_eq!(find(dir.path(), &["*.dat"], Some(Format::Csv)).unwrap(), ["bars.dat"]);
    }

    #[test]
    fn a_device_is_no_file() {
        let error = find(Path::new("/"), &["dev/null"], Some(Format::Csv)).unwrap_err();
        assert!(matches!(error, SourceError::NotAFile { .. }), "{error}");
    }

    #[test]
    fn a_folder_without_permission_is_an_error() {
        let dir = folder(&["d/sub/a.csv", "d/b.csv"]);
        let locked = dir.path().join("d/sub");
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
        let readable_anyway = fs::read_dir(&locked).is_ok();
        let result = find(dir.path(), &["d"], None);
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
        if readable_anyway {
            return; // the superuser reads everything
        }
        assert!(matches!(result, Err(SourceError::Denied { path }) if path == locked));
    }
}
