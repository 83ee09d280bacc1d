//! Arrow IPC files (Feather) and streams: their columns, and a copy of them as Parquet, which is what the engine reads.
//!
//! A file is copied batch by batch, and only the columns that are read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader, read_footer_length};
use arrow::ipc::{root_as_footer, root_as_message};

use super::parquet::columns_by;
use super::{FileIdentity, SourceColumn, SourceError};

/// How an Arrow file begins; a stream begins with its first message.
const FILE: &[u8] = b"ARROW1";
/// How the first version of Feather begins, which is not Arrow IPC.
const FEATHER_1: &[u8] = b"FEA1";

/// An open file.
enum Reader {
    File(FileReader<BufReader<File>>),
    Stream(StreamReader<BufReader<File>>),
}

/// The columns of Arrow files.
pub(super) fn columns(files: &[PathBuf]) -> Result<Vec<SourceColumn>, SourceError> {
    columns_by(files, |path| Ok(Reader::open(path)?.schema()))
}

/// Which of the Arrow files have no row.
pub(super) fn rowless(files: &[PathBuf]) -> Result<Vec<bool>, SourceError> {
    let has_none = |path: &PathBuf| {
        let mut reader = Reader::open(path)?;
        while let Some(batch) = reader.next(path)? {
            if batch.num_rows() > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    };
    files.iter().map(has_none).collect()
}

/// Copies the rows of the Arrow file at `path` into a Parquet file at `to`: the columns `wanted` and those that they are
/// inside of. Returns the file that was read.
///
/// # Errors
/// The file does not read to its end, or the copy cannot be written.
pub fn arrow_as_parquet(path: &Path, wanted: &[Arc<str>], to: &Path) -> Result<FileIdentity, SourceError> {
    let identity = FileIdentity::of(path)?;
    let mut reader = Reader::open(path)?;
    let schema = reader.schema();
    let is_read =
        |name: &str| wanted.iter().any(|wanted| **wanted == *name || super::json_nested::rest(wanted, name).is_some());
    let kept: BTreeSet<usize> =
        schema.fields().iter().enumerate().filter(|(_, field)| is_read(field.name())).map(|(at, _)| at).collect();
    let kept: Vec<usize> = kept.into_iter().collect();
    let projected = schema.project(&kept).map_err(|error| broken(path, &error))?;
    let folder = to.parent().unwrap_or(Path::new("."));
    let failed = |error| SourceError::write(folder, error);
    let out = File::create(to).map_err(|error| failed(error.into()))?;
    let mut writer = ArrowWriter::try_new(out, Arc::new(projected), None).map_err(failed)?;
    while let Some(batch) = reader.next(path)? {
        let batch = batch.project(&kept).map_err(|error| broken(path, &error))?;
        writer.write(&batch).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    identity.verify_unchanged()?;
    Ok(identity)
}

impl Reader {
    fn open(path: &Path) -> Result<Self, SourceError> {
        let failed = |error| SourceError::read(path, error);
        let mut file = File::open(path).map_err(failed)?;
        let mut magic = Vec::with_capacity(FILE.len());
        (&mut file).take(FILE.len() as u64).read_to_end(&mut magic).map_err(failed)?;
        file.rewind().map_err(failed)?;
        if magic.is_empty() {
            return Err(SourceError::Empty { path: path.to_path_buf() });
        }
        if magic.starts_with(FEATHER_1) {
            let reason = "it is Feather of version 1; write it anew with `pandas.read_feather(...).to_parquet(...)`";
            return Err(SourceError::NotArrow { path: path.to_path_buf(), reason: reason.to_owned() });
        }
        let mut file = BufReader::new(file);
        let length = file.get_ref().metadata().map_err(failed)?.len();
        guarded(path, || match magic == FILE {
            true => check_blocks(&mut file, length),
            false => check_messages(&mut file, length),
        })?;
        file.rewind().map_err(failed)?;
        guarded(path, || match magic == FILE {
            true => FileReader::try_new(file, None).map(Self::File),
            false => StreamReader::try_new(file, None).map(Self::Stream),
        })
    }

    fn schema(&self) -> SchemaRef {
        match self {
            Self::File(reader) => reader.schema(),
            Self::Stream(reader) => reader.schema(),
        }
    }

    fn next(&mut self, path: &Path) -> Result<Option<RecordBatch>, SourceError> {
        guarded(path, || match self {
            Self::File(reader) => reader.next().transpose(),
            Self::Stream(reader) => reader.next().transpose(),
        })
    }
}

/// Fails where the footer of a file places a batch outside of it: the reader would make room for what it says.
fn check_blocks(file: &mut BufReader<File>, length: u64) -> Result<(), ArrowError> {
    let wrong = || ArrowError::ParseError("it breaks off, or its footer is damaged".to_owned());
    let mut end = [0; 10];
    file.seek(SeekFrom::End(-10))?;
    file.read_exact(&mut end)?;
    let footer_length = read_footer_length(end)?;
    if footer_length as u64 + 10 > length {
        return Err(wrong());
    }
    let mut footer = vec![0; footer_length];
    file.seek(SeekFrom::End(-10 - i64::try_from(footer_length).map_err(|_| wrong())?))?;
    file.read_exact(&mut footer)?;
    let footer = root_as_footer(&footer).map_err(|_| wrong())?;
    for block in footer.dictionaries().into_iter().flatten().chain(footer.recordBatches().into_iter().flatten()) {
        let parts = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()];
        let end = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(u64::try_from(*part).ok()?));
        if end.is_none_or(|end| end > length) {
            return Err(wrong());
        }
    }
    Ok(())
}

/// Fails where a message of a stream says that it is longer than what is left of it.
fn check_messages(file: &mut BufReader<File>, length: u64) -> Result<(), ArrowError> {
    let wrong = || ArrowError::ParseError("it is neither an Arrow file nor a whole Arrow stream".to_owned());
    let mut at = 0_u64;
    while at < length {
        let mut word = [0; 4];
        file.read_exact(&mut word)?;
        at += 4;
        if word == [0xff; 4] {
            file.read_exact(&mut word)?;
            at += 4;
        }
        let header = u64::from(u32::from_le_bytes(word));
        if header == 0 {
            break;
        }
        if at + header > length {
            return Err(wrong());
        }
        let mut message = vec![0; usize::try_from(header).map_err(|_| wrong())?];
        file.read_exact(&mut message)?;
        let body = root_as_message(&message).map_err(|_| wrong())?.bodyLength();
        at = u64::try_from(body).ok().and_then(|body| at.checked_add(header)?.checked_add(body)).ok_or_else(wrong)?;
        if at > length {
            return Err(wrong());
        }
        file.seek(SeekFrom::Start(at))?;
    }
    Ok(())
}

/// Runs `read`, which panics on some damaged files.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, SourceError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ArrowError::ParseError("it is damaged".to_owned())))
        .map_err(|error| broken(path, &error))
}

fn broken(path: &Path, error: &ArrowError) -> SourceError {
    SourceError::NotArrow { path: path.to_path_buf(), reason: format!("{error}; fetch it again") }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
    use arrow::datatypes::DataType;
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

    use super::super::testing::Fixture;
    use super::super::{Format, infer};
    use super::*;

    fn batch(number: ArrayRef) -> RecordBatch {
        let symbol: ArrayRef = Arc::new(StringArray::from(vec!["A", "B"]));
        RecordBatch::try_from_iter([("symbol", symbol), ("n", number)]).unwrap()
    }

    fn whole() -> RecordBatch {
        batch(Arc::new(Int64Array::from(vec![1, 2])))
    }

    fn file(batch: &RecordBatch, packed: bool) -> Vec<u8> {
        let packing = packed.then_some(CompressionType::ZSTD);
        let options = IpcWriteOptions::default().try_with_compression(packing).unwrap();
        let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        writer.write(batch).unwrap();
        writer.into_inner().unwrap()
    }

    fn stream(batch: &RecordBatch) -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.into_inner().unwrap()
    }

    fn copy(bytes: Vec<u8>, wanted: &[&str]) -> Result<RecordBatch, SourceError> {
        let fixture = Fixture::new(Format::Arrow, &[("a.arrow", bytes)]);
        let to = fixture.dir.path().join("a.parquet");
        let wanted: Vec<Arc<str>> = wanted.iter().map(|name| Arc::from(*name)).collect();
        arrow_as_parquet(&fixture.set.files[0], &wanted, &to)?;
        let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(File::open(to).unwrap());
        Ok(reader.unwrap().build().unwrap().next().unwrap().unwrap())
    }

    #[test]
    fn files_and_streams_are_copied_with_the_columns_that_are_read() {
        for bytes in [file(&whole(), false), file(&whole(), true), stream(&whole())] {
            let copied = copy(bytes, &["n", "other"]).unwrap();
            assert_eq!((copied.num_rows(), copied.num_columns()), (2, 1));
            assert_eq!(copied.column(0).as_ref(), whole().column(1).as_ref());
        }
    }

    #[test]
    fn types_come_together_as_those_of_parquet_do() {
        let real = batch(Arc::new(Float64Array::from(vec![1.5, 2.5])));
        let fixture = Fixture::new(Format::Arrow, &[("a.arrow", file(&whole(), false)), ("b.arrow", stream(&real))]);
        let columns = infer(&fixture.set).unwrap();
        assert_eq!(columns[1].arrow, Some(DataType::Float64));
        assert!(fixture.set.check_only().is_some());
    }

    #[test]
    fn what_is_no_whole_arrow_file_is_refused() {
        let whole = file(&whole(), false);
        for bytes in [whole[..whole.len() - 20].to_vec(), whole[..20].to_vec(), b"symbol,n\nA,1\n".to_vec()] {
            let error = copy(bytes, &["n"]).unwrap_err();
            assert!(matches!(error, SourceError::NotArrow { .. }), "{error:?}");
        }
        assert!(copy(b"FEA1....".to_vec(), &[]).unwrap_err().to_string().contains("version 1"));
        let fixture = Fixture::new(Format::Arrow, &[("a.arrow", &whole)]);
        let (to, mut refused) = (fixture.dir.path().join("a.parquet"), 0);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            std::fs::write(&fixture.set.files[0], bytes).unwrap();
            refused += usize::from(arrow_as_parquet(&fixture.set.files[0], &["n".into()], &to).is_err());
        }
        assert!(refused > 0, "none of these panics");
    }
}
