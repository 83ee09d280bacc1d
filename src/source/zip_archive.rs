//! Zip archives: which of their members are files of records, and the bytes of one member.
//!
//! The directory at the end of an archive is taken at its word only until a member is read: then its length and its
//! checksum must be what the directory says. Limits keep small archives from becoming very large texts.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::error::quoted;
use super::format::packed_by_name;
use super::{Format, SourceError};

/// How an archive begins.
const MAGIC: [u8; 4] = *b"PK\x03\x04";
/// Most members that an archive may have.
const MOST_MEMBERS: usize = 10_000;
/// The longest member that is read, unpacked, in bytes.
const LONGEST: u64 = 4 << 30;
/// Texts of prices pack to a tenth or a fiftieth; what grows more than this and is larger than `SURELY_SMALL` is not text.
const MOST_GROWTH: u64 = 250;
const SURELY_SMALL: u64 = 64 << 20;

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The archive.
    pub archive: PathBuf,
    start: u64,
    packed: u64,
    unpacked: u64,
    checksum: u32,
    deflated: bool,
}

/// Whether the file at `path` begins as an archive does.
pub(super) fn is_archive(path: &Path) -> Result<bool, SourceError> {
    let failed = |error| SourceError::read(path, error);
    let mut magic = Vec::with_capacity(MAGIC.len());
    let file = File::open(path).map_err(failed)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(failed)?;
    Ok(magic == MAGIC)
}

/// The members of the archive at `path` that are files of records of `format`, or of any, and whose name is `chosen`,
/// sorted by name.
///
/// # Errors
/// It is not a complete archive, has more than is read, or members that cannot be read.
pub(super) fn members(
    path: &Path,
    format: Option<Format>,
    chosen: impl Fn(&str) -> bool,
) -> Result<Vec<(String, Member)>, SourceError> {
    let refuse = |reason: String| SourceError::NotZip { path: path.to_path_buf(), reason };
    let file = File::open(path).map_err(|error| SourceError::read(path, error))?;
    let length = file.metadata().map_err(|error| SourceError::read(path, error))?.len();
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| refuse(broken(&error)))?;
    if archive.len() > MOST_MEMBERS {
        return Err(refuse(format!(
            "it has {} members, and at most {MOST_MEMBERS} are read; unpack it",
            archive.len()
        )));
    }
    if archive.has_duplicate_names() {
        return Err(refuse("two of its members have one name; unpack it".to_owned()));
    }
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(|error| refuse(broken(&error)))?;
        let name = member.name().map_err(|error| refuse(broken(&error)))?.into_owned();
        if member.is_dir() {
            continue;
        }
        if !is_data(&name, format) {
            others.push(name);
            continue;
        }
        if !chosen(&name) {
            continue;
        }
        let reason = if member.encrypted() {
            Some("is locked with a password; unpack it with the password".to_owned())
        } else if packed_by_name(Path::new(&name)).is_some() {
            Some("is packed once more; unpack the archive".to_owned())
        } else if Format::of(Path::new(&name)).is_some_and(|format| !format.is_text()) {
            Some("is not text, and only text is read inside of archives; unpack the archive".to_owned())
        } else {
            too_large(member.size(), member.compressed_size())
        };
        if let Some(reason) = reason {
            return Err(refuse(format!("its member `{name}` {reason}")));
        }
        let deflated = match member.compression() {
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            other => return Err(refuse(format!("its member `{name}` is packed by {other}; unpack it"))),
        };
        let start = member.data_start().ok_or_else(|| refuse("it breaks off".to_owned()))?;
        let (packed, unpacked, checksum) = (member.compressed_size(), member.size(), member.crc32());
        found.push((name, Member { archive: path.to_path_buf(), start, packed, unpacked, checksum, deflated }));
    }
    if let Some(reason) = too_large_together(&found, length) {
        return Err(refuse(reason));
    }
    if others.iter().any(|name| name == "xl/workbook.xml") {
        return Err(super::unread::error(path, &super::unread::XLSX));
    }
    if found.is_empty() && !archive.file_names().any(|name| name.is_ok_and(|name| is_data(&name, format))) {
        let names = quoted(others.iter().map(String::as_str));
        return Err(refuse(format!("none of its members has a name that ends as those of data do; it has {names}")));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

fn broken(error: &zip::result::ZipError) -> String {
    format!("it is not a complete zip archive ({error}); fetch it again")
}

/// Whether a member holds records, as far as its name says. What programs add for themselves does not.
fn is_data(name: &str, format: Option<Format>) -> bool {
    let own = name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX");
    let path = Path::new(name);
    !own && format.map_or_else(|| Format::of(path).is_some(), |format| format.fits(path))
}

fn too_large(unpacked: u64, packed: u64) -> Option<String> {
    if unpacked > LONGEST {
        return Some(format!("is {} GiB unpacked, and at most {} are read; unpack it", unpacked >> 30, LONGEST >> 30));
    }
    (unpacked > SURELY_SMALL && unpacked / MOST_GROWTH > packed)
        .then(|| format!("would grow from {packed} to {unpacked} bytes, as no text of prices does; look at it"))
}

/// The same of all members: they may share their bytes.
fn too_large_together(members: &[(String, Member)], length: u64) -> Option<String> {
    let unpacked = members.iter().fold(0_u64, |sum, (_, member)| sum.saturating_add(member.unpacked));
    (unpacked > SURELY_SMALL && unpacked / MOST_GROWTH > length)
        .then(|| format!("its {length} bytes would grow to {unpacked}, as no texts of prices do; look at it"))
}

/// The text of a member.
pub(super) struct MemberText<R: Read> {
    input: Packing<R>,
    left: u64,
    crc: Crc,
    checksum: u32,
}

enum Packing<R: Read> {
    Stored(BufReader<io::Take<R>>),
    Deflated(Box<DeflateDecoder<BufReader<io::Take<R>>>>),
}

impl Member {
    /// Where the member begins in its archive.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Its bytes in the archive.
    pub(super) fn length(&self) -> u64 {
        self.packed
    }

    /// The text, of the archive `file`, which stands where the member begins.
    pub(super) fn text<R: Read>(&self, file: R, buffer: usize) -> MemberText<R> {
        let input = BufReader::with_capacity(buffer, file.take(self.packed));
        let input = match self.deflated {
            true => Packing::Deflated(Box::new(DeflateDecoder::new(input))),
            false => Packing::Stored(input),
        };
        MemberText { input, left: self.unpacked, crc: Crc::new(), checksum: self.checksum }
    }
}

impl<R: Read> MemberText<R> {
    /// The archive.
    pub(super) fn file(&self) -> &R {
        match &self.input {
            Packing::Stored(input) => input.get_ref().get_ref(),
            Packing::Deflated(decoder) => decoder.get_ref().get_ref().get_ref(),
        }
    }
}

impl<R: Read> Read for MemberText<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.input {
            Packing::Stored(input) => input.read(buffer)?,
            Packing::Deflated(decoder) => decoder.read(buffer)?,
        };
        let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        self.crc.update(&buffer[..count]);
        match self.left.checked_sub(count as u64) {
            None => return wrong("the member is longer than the archive says"),
            Some(left) => self.left = left,
        }
        match (count, buffer.is_empty(), self.left) {
            (0, false, 1..) => wrong("the member is shorter than the archive says"),
            (0, false, 0) if self.crc.sum() != self.checksum => wrong("the checksum of the member differs"),
            _ => Ok(count),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::super::testing::Fixture;
    use super::super::{Files, TextFile, discover};
    use super::*;

    /// An archive of these members, every other one not packed.
    pub(in super::super) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (number, (name, bytes)) in members.iter().enumerate() {
            let method = if number % 2 == 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
            writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn error(bytes: Vec<u8>) -> String {
        let fixture = Fixture::new(Format::Csv, &[("a.zip", bytes)]);
        let error = members(&fixture.set.files[0], None, |_| true).unwrap_err().to_string();
        error.replace(&format!("{}/", fixture.dir.path().display()), "")
    }

    fn find(fixture: &Fixture, pattern: &str) -> Result<Vec<String>, SourceError> {
        let set = discover(&Files::all(vec![fixture.dir.path().join(pattern)]))?;
        Ok(set
            .files
            .iter()
            .enumerate()
            .map(|(number, path)| {
                let path = path.strip_prefix(fixture.dir.path()).unwrap().display();
                let fields = set.places.values[number].iter().flatten().map(|value| format!(" {value}"));
                format!("{path}{}", fields.collect::<String>())
            })
            .collect())
    }

    #[test]
    fn members_with_the_names_of_data_are_files() {
        let bytes = archive(&[
            ("b.csv", b"s,n\nB,2\n"),
            ("sub/a.csv", b"s,n\nA,1\n"),
            ("README", b"x"),
            ("__MACOSX/._b.csv", b"x"),
        ]);
        let fixture = Fixture::new(Format::Csv, &[("X-1d.zip", bytes)]);
        assert_eq!(find(&fixture, "X-1d.zip").unwrap(), ["X-1d.zip/b.csv", "X-1d.zip/sub/a.csv"]);
        assert_eq!(find(&fixture, "{s}-1d.zip").unwrap(), ["X-1d.zip/b.csv X", "X-1d.zip/sub/a.csv X"]);
        assert_eq!(find(&fixture, "*.zip/{s}.csv").unwrap(), ["X-1d.zip/b.csv b"]);
        assert_eq!(find(&fixture, "{market}-1d.zip/*/{s}.csv").unwrap(), ["X-1d.zip/sub/a.csv X a"]);
        assert_eq!(find(&fixture, "X-1d.zip/sub/a.csv").unwrap(), ["X-1d.zip/sub/a.csv"]);
        assert!(matches!(find(&fixture, "X-1d.zip/c.csv"), Err(SourceError::NoMatch { .. })));
    }

    #[test]
    fn the_text_of_a_member_is_its_own() {
        let text = "s,n\n".to_owned() + &"A,1\n".repeat(50_000);
        let bytes = archive(&[("a.csv", text.as_bytes()), ("b.csv", text.as_bytes())]);
        let fixture = Fixture::new(Format::Csv, &[("a.zip", &bytes)]);
        let set = discover(&Files::all(vec![fixture.set.files[0].clone()])).unwrap();
        assert!(set.check_only().is_some());
        for path in &set.files {
            let mut file = TextFile::open(path, &set).unwrap();
            let mut rows = 0;
            while let Some(chunk) = file.next_chunk().unwrap() {
                rows += chunk.records.len();
            }
            assert_eq!((rows, file.finish().unwrap().path), (50_000, fixture.set.files[0].clone()));
        }
    }

    #[test]
    fn archives_that_cannot_be_read_are_refused_with_the_reason() {
        let whole = archive(&[("a.csv", b"s,n\nA,1\n")]);
        assert!(
            error(whole[..whole.len() - 5].to_vec())
                .starts_with("`a.zip` cannot be read: it is not a complete zip archive")
        );
        assert!(error(archive(&[("README", b"x")])).ends_with("as those of data do; it has `README`"));
        assert!(error(archive(&[("a.csv.gz", b"x")])).contains("`a.csv.gz` is packed once more"));
        assert!(error(archive(&[("a.parquet", b"x")])).contains("`a.parquet` is not text"));
        assert!(error(archive(&[("xl/workbook.xml", b"x")])).contains("pandas.read_excel"));
        // Bit 0 of the flags, in the directory and before the member, says that it is locked.
        let mut locked = whole.clone();
        locked[6] |= 1;
        let directory = whole.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
        locked[directory + 8] |= 1;
        assert!(error(locked).contains("is locked with a password"));
    }

    #[test]
    fn archives_that_would_grow_without_bound_are_refused() {
        let zeros = vec![b'0'; usize::try_from(SURELY_SMALL + 1).unwrap()];
        assert!(error(archive(&[("a.csv", &zeros)])).contains("as no text of prices does"));
        let names: Vec<String> = (0..=MOST_MEMBERS).map(|number| number.to_string()).collect();
        let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        assert!(error(archive(&members)).contains("it has 10001 members, and at most 10000 are read"));
    }

    #[test]
    fn a_member_that_is_not_what_the_directory_says_is_an_error() {
        let text = "s,n\n".to_owned() + &"A,1\n".repeat(1000);
        for at in [31, 45] {
            let mut bytes = archive(&[("x", b""), ("a.csv", text.as_bytes())]);
            let member = bytes.windows(5).position(|bytes| bytes == b"a.csv").unwrap();
            bytes[member + at] ^= 1;
            let fixture = Fixture::new(Format::Csv, &[("a.zip", &bytes)]);
            let set = discover(&Files::all(vec![fixture.set.files[0].clone()])).unwrap();
            let mut file = TextFile::open(&set.files[0], &set);
            while let Ok(text) = &mut file {
                match text.next_chunk() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("the damage was not seen"),
                    Err(error) => file = Err(error),
                }
            }
            let error = file.err().unwrap();
            assert!(matches!(error, SourceError::Packed { packing: "zip", .. }), "{error}");
        }
    }
}
