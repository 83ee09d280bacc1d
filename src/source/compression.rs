//! Plain and packed files (gzip, zstd, bzip2, xz, members of zip archives) as one stream of text, with the hash of the bytes on disk taken on
//! the way.
//!
//! What a file is packed with is reported by its first bytes; a name that promises packing the bytes do not have is an
//! error. Every member or frame is unpacked; one that breaks off is an error, never a short file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::zip_archive::{Member, MemberText};
use super::{FileIdentity, SourceError};
use crate::bars::layout::Encoding;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BZIP2: [u8; 3] = *b"BZh";
const XZ: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
const INPUT_BUFFER: usize = 256 << 10;

/// The unpacked text of one file.
pub(super) struct Unpacked {
    identity: FileIdentity,
    /// What messages call it.
    path: PathBuf,
    decoder: Decoder,
    characters: Option<Characters>,
}

/// Turns text of another encoding into UTF-8.
struct Characters {
    decoder: encoding_rs::Decoder,
    name: &'static str,
    /// UTF-8 that nobody took yet.
    ready: Vec<u8>,
    ended: bool,
}

impl Characters {
    /// Decodes the next bytes; `false` where they are not of the encoding.
    fn take(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let room = self.decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len());
            let before = self.ready.len();
            self.ready.resize(before + room, 0);
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(bytes, &mut self.ready[before..], self.ended);
            self.ready.truncate(before + written);
            bytes = &bytes[read..];
            match result {
                encoding_rs::DecoderResult::InputEmpty => return true,
                encoding_rs::DecoderResult::OutputFull => {}
                encoding_rs::DecoderResult::Malformed(..) => return false,
            }
        }
    }
}

enum Decoder {
    Plain(Hashed),
    Gzip(Box<MultiGzDecoder<BufReader<Hashed>>>),
    Zstd(zstd::Decoder<'static, BufReader<Hashed>>),
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<BufReader<Hashed>>>),
    Xz(Box<lzma_rust2::XzReader<BufReader<Hashed>>>),
    Member(Box<MemberText<Hashed>>),
}

/// An open file, of whatever file system.
pub(super) trait Input: Read + Seek + Send {}

impl<T: Read + Seek + Send> Input for T {}

/// A file whose bytes are hashed as they are read.
struct Hashed {
    file: Box<dyn Input>,
    hash: Sha256,
    bytes: u64,
}

impl Unpacked {
    /// Opens the file at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(|error| SourceError::read(path, error))?;
        let identity = FileIdentity::of_open(path, &file)?;
        Self::over(identity, Box::new(file))
    }

    /// The text of `file`, which is open already and has this identity.
    pub(super) fn over(identity: FileIdentity, mut file: Box<dyn Input>) -> Result<Self, SourceError> {
        let path = identity.path.as_path();
        let failed = |error| SourceError::read(path, error);
        let mut magic = Vec::with_capacity(6);
        (&mut file).take(6).read_to_end(&mut magic).map_err(failed)?;
        file.rewind().map_err(failed)?;
        let hashed = Hashed { file, hash: Sha256::new(), bytes: 0 };
        let decoder = if magic.starts_with(&GZIP) {
            Decoder::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(INPUT_BUFFER, hashed))))
        } else if magic.starts_with(&ZSTD) {
            let input = BufReader::with_capacity(INPUT_BUFFER, hashed);
            Decoder::Zstd(zstd::Decoder::with_buffer(input).map_err(failed)?)
        } else if magic.starts_with(&BZIP2) && packed_by_name(path) == Some("bzip2") {
            let input = BufReader::with_capacity(INPUT_BUFFER, hashed);
            Decoder::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(input)))
        } else if magic.starts_with(&XZ) {
            let input = BufReader::with_capacity(INPUT_BUFFER, hashed);
            Decoder::Xz(Box::new(lzma_rust2::XzReader::new(input, true)))
        } else {
            promised(path)?;
            Decoder::Plain(hashed)
        };
        let path = identity.path.clone();
        Ok(Self { identity, path, decoder, characters: None })
    }

    /// The text of a member of an archive, which messages call `path`.
    pub(super) fn member(path: &Path, member: &Member) -> Result<Self, SourceError> {
        let failed = |error| SourceError::read(&member.archive, error);
        let mut file = File::open(&member.archive).map_err(failed)?;
        let identity = FileIdentity::of_open(&member.archive, &file)?;
        file.seek(SeekFrom::Start(member.start())).map_err(failed)?;
        let hashed = Hashed { file: Box::new(file), hash: Sha256::new(), bytes: 0 };
        let decoder = Decoder::Member(Box::new(member.text(hashed, INPUT_BUFFER)));
        Ok(Self { identity, path: path.to_path_buf(), decoder, characters: None })
    }

    /// From here on the text is read as `encoding` and given as UTF-8.
    pub(super) fn decode_from(&mut self, encoding: Encoding) {
        let (decoder, name) = (encoding.decoder(), encoding.name());
        self.characters = Some(Characters { decoder, name, ready: Vec::new(), ended: false });
    }

    /// Appends up to `limit` bytes to `buffer`; fewer only at the end of the text. `row` is for the message.
    pub(super) fn fill(&mut self, buffer: &mut Vec<u8>, limit: usize, row: u64) -> Result<usize, SourceError> {
        let Some(mut characters) = self.characters.take() else { return self.fill_bytes(buffer, limit, row) };
        while characters.ready.len() < limit && !characters.ended {
            let mut bytes = Vec::new();
            characters.ended = self.fill_bytes(&mut bytes, limit, row)? < limit;
            if !characters.take(&bytes) {
                let reason = format!("the text behind row {row} is not {}; set `encoding`", characters.name);
                return Err(SourceError::NotCsv { path: self.path.clone(), reason });
            }
        }
        let taken = characters.ready.len().min(limit);
        buffer.extend(characters.ready.drain(..taken));
        self.characters = Some(characters);
        Ok(taken)
    }

    fn fill_bytes(&mut self, buffer: &mut Vec<u8>, limit: usize, row: u64) -> Result<usize, SourceError> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let result = match &mut self.decoder {
            Decoder::Plain(reader) => reader.take(limit).read_to_end(buffer),
            Decoder::Gzip(reader) => reader.take(limit).read_to_end(buffer),
            Decoder::Zstd(reader) => reader.take(limit).read_to_end(buffer),
            Decoder::Bzip2(reader) => reader.take(limit).read_to_end(buffer),
            Decoder::Xz(reader) => reader.take(limit).read_to_end(buffer),
            Decoder::Member(reader) => reader.take(limit).read_to_end(buffer),
        };
        result.map_err(|source| match self.packing() {
            Some(packing) => SourceError::Packed { path: self.path.clone(), packing, row, source },
            None => SourceError::read(&self.path, source),
        })
    }

    /// Bytes read from disk so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.hashed().bytes
    }

    /// The identity of the file, read to its end; fails where it is not the file it was when it was opened.
    pub(super) fn finish(mut self) -> Result<FileIdentity, SourceError> {
        if let Decoder::Member(_) = self.decoder {
            self.identity.verify_unchanged()?;
            return Ok(self.identity);
        }
        let hashed = self.hashed();
        if hashed.bytes != self.identity.length {
            return Err(SourceError::Changed { path: self.identity.path });
        }
        let hash = hashed.hash.clone().finalize().into();
        self.identity.verify_unchanged()?;
        self.identity.sha256 = Some(hash);
        Ok(self.identity)
    }

    fn packing(&self) -> Option<&'static str> {
        match self.decoder {
            Decoder::Plain(_) => None,
            Decoder::Gzip(_) => Some("gzip"),
            Decoder::Zstd(_) => Some("zstd"),
            Decoder::Bzip2(_) => Some("bzip2"),
            Decoder::Xz(_) => Some("xz"),
            Decoder::Member(_) => Some("zip"),
        }
    }

    fn hashed(&self) -> &Hashed {
        match &self.decoder {
            Decoder::Plain(hashed) => hashed,
            Decoder::Gzip(decoder) => decoder.get_ref().get_ref(),
            Decoder::Zstd(decoder) => decoder.get_ref().get_ref(),
            Decoder::Bzip2(decoder) => decoder.get_ref().get_ref(),
            Decoder::Xz(decoder) => decoder.inner().get_ref(),
            Decoder::Member(text) => text.file(),
        }
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// What the name of a file says that it is packed with.
pub(super) fn packed_by_name(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "gz" => Some("gzip"),
        "zst" => Some("zstd"),
        "bz2" => Some("bzip2"),
        "xz" => Some("xz"),
        _ => None,
    }
}

/// Fails when the name of a plain file says that it is packed.
fn promised(path: &Path) -> Result<(), SourceError> {
    let Some(packing) = packed_by_name(path) else { return Ok(()) };
    let source = io::Error::new(io::ErrorKind::InvalidData, "the first bytes are not those of a packed file");
    Err(SourceError::Packed { path: path.to_path_buf(), packing, row: 0, source })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::{gzip, zstd};
    use super::*;

    fn unpack(path: &Path) -> Result<(Vec<u8>, FileIdentity), SourceError> {
        let mut unpacked = Unpacked::open(path)?;
        let mut text = Vec::new();
        while unpacked.fill(&mut text, 7, 3)? == 7 {}
        Ok((text, unpacked.finish()?))
    }

    fn file(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn every_packing_gives_the_text_and_the_hash_of_the_bytes_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let text = b"some text\n".repeat(100);
        let two_members = [gzip(&text[..500]), gzip(&text[500..])].concat();
        let two_frames = [zstd(&text[..500]), zstd(&text[500..])].concat();
        // The name of a packed file need not say so.
        for (name, bytes) in
            [("a.csv", text.clone()), ("b.csv.gz", two_members), ("c.csv.zst", two_frames), ("d.csv", gzip(&text))]
        {
            let (unpacked, identity) = unpack(&file(&dir, name, &bytes)).unwrap();
            assert_eq!(unpacked, text, "{name}");
            assert_eq!(identity.length, bytes.len() as u64, "{name}");
            assert_eq!(identity.sha256, Some(Sha256::digest(&bytes).into()), "{name}");
        }
    }

    #[test]
    fn packed_data_that_breaks_off_or_is_damaged_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (packing, whole) in [("gzip", gzip(&text)), ("zstd", zstd(&text))] {
            let mut damaged = whole.clone();
            let end = damaged.len() - 1;
            damaged[end] ^= 0xff;
            let trailing = [whole.as_slice(), b"garbage"].concat();
            let cut = whole[..whole.len() - 9].to_vec();
            let head = whole[..5].to_vec();
            for (what, bytes) in [("cut", cut), ("head", head), ("damaged", damaged), ("trailing", trailing)] {
                let error = unpack(&file(&dir, "x.csv", &bytes)).map(|(_, identity)| identity).unwrap_err();
                assert!(
                    matches!(&error, SourceError::Packed { packing: named, row: 3, .. } if *named == packing),
                    "{packing} {what}: {error:?}"
                );
            }
        }
    }

    #[test]
    fn a_name_that_promises_packing_must_keep_it() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.csv.gz", "a.csv.ZST"] {
            let error = unpack(&file(&dir, name, b"a,b\n1,2\n")).map(|(_, identity)| identity).unwrap_err();
            assert!(matches!(error, SourceError::Packed { .. }), "{name}");
        }
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(&dir, "a.csv", b"a\n1\n");
        let mut unpacked = Unpacked::open(&path).unwrap();
        let mut text = Vec::new();
        unpacked.fill(&mut text, 100, 0).unwrap();
        fs::write(&path, b"a\n1\n2\n").unwrap();
        assert!(matches!(unpacked.finish(), Err(SourceError::Changed { .. })));
    }
}
