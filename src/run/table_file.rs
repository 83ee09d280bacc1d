//! The result of a query as a file: Parquet, CSV or NDJSON, by the extension of its name.

use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::failure::Failure;
use crate::durable::{Disk, Growing};

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// With the types of its columns.
    Parquet,
    /// With a header; NULL is an empty cell.
    Csv,
    /// An object a row; what is NULL is left out.
    Ndjson,
}

impl FileFormat {
    /// The format that the name of `file` says.
    ///
    /// # Errors
    /// It says none.
    pub fn of(file: &Path) -> Result<Self, Failure> {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => Ok(Self::Parquet),
            Some("csv") => Ok(Self::Csv),
            Some("ndjson" | "jsonl") => Ok(Self::Ndjson),
            _ => {
                let problem = format!("the name of `{}` ends in no known format", file.display());
                Err(Failure::Usage(problem, "end it in .parquet, .csv or .ndjson".to_owned()))
            }
        }
    }

    /// Whether what is written is text.
    pub fn is_text(self) -> bool {
        self != Self::Parquet
    }
}

/// A result on its way into a file, which is there as a whole in the end or not at all.
pub struct ResultFile {
    path: PathBuf,
    encoder: Encoder<BufWriter<Growing>>,
}

impl ResultFile {
    /// Begins the file `path`, whose name says the format, for rows of `schema`; it takes the place of what has its name.
    ///
    /// # Errors
    /// The name says no format, or the disk does not take the file.
    pub fn create(path: &Path, schema: &SchemaRef) -> Result<Self, Failure> {
        let format = FileFormat::of(path)?;
        let encoder = Disk::system()
            .begin(path)
            .map_err(ArrowError::from)
            .and_then(|file| Encoder::new(format, BufWriter::new(file), schema));
        let encoder = encoder.map_err(|error| not_written(path, &error))?;
        Ok(Self { path: path.to_owned(), encoder })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// The disk does not take them.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.encoder.write(batch).map_err(|error| not_written(&self.path, &error))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn finish(self) -> Result<(), Failure> {
        let written = self.encoder.finish().and_then(|out| {
            let file = out.into_inner().map_err(IntoInnerError::into_error)?;
            Ok(file.complete()?.publish().map_err(io::Error::from)?)
        });
        written.map_err(|error| not_written(&self.path, &error))
    }
}

fn not_written(path: &Path, error: &ArrowError) -> Failure {
    Failure::Broken(format!("cannot write `{}`: {error}", path.display()).into())
}

/// Writes batches of one schema.
enum Encoder<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Csv(Box<csv::Writer<W>>),
    Ndjson(Box<LineDelimitedWriter<W>>),
}

impl<W: Write + Send> Encoder<W> {
    fn new(format: FileFormat, out: W, schema: &SchemaRef) -> Result<Self, ArrowError> {
        Ok(match format {
            FileFormat::Parquet => {
                let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
                let properties = WriterProperties::builder().set_compression(compression).build();
                Self::Parquet(Box::new(ArrowWriter::try_new(out, SchemaRef::clone(schema), Some(properties))?))
            }
            FileFormat::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                let names = schema.fields().iter().map(|field| guarded(field.name()));
                writer.write_record(names).map_err(external)?;
                Self::Csv(Box::new(writer))
            }
            FileFormat::Ndjson => Self::Ndjson(Box::new(LineDelimitedWriter::new(out))),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Self::Parquet(writer) => writer.write(batch)?,
            Self::Csv(writer) => csv_rows(writer, batch)?,
            Self::Ndjson(writer) => writer.write(batch)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<W, ArrowError> {
        match self {
            Self::Parquet(writer) => Ok(writer.into_inner()?),
            Self::Csv(writer) => writer.into_inner().map_err(|error| error.into_error().into()),
            Self::Ndjson(mut writer) => {
                writer.finish()?;
                Ok(writer.into_inner())
            }
        }
    }
}

fn csv_rows(writer: &mut csv::Writer<impl Write>, batch: &RecordBatch) -> Result<(), ArrowError> {
    let options = FormatOptions::default();
    let columns: Vec<(ArrayFormatter<'_>, bool)> = batch
        .columns()
        .iter()
        .map(|column| Ok((ArrayFormatter::try_new(column, &options)?, is_text(column.data_type()))))
        .collect::<Result<_, ArrowError>>()?;
    for row in 0..batch.num_rows() {
        let cells = columns.iter().map(|(column, text)| {
            let cell = column.value(row).to_string();
            if *text { guarded(&cell) } else { cell }
        });
        writer.write_record(cells).map_err(external)?;
    }
    Ok(())
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => is_text(value),
        kind => kind.is_string(),
    }
}

/// A text that a spreadsheet would take for a formula gets an apostrophe in front.
fn guarded(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> ArrowError {
    ArrowError::from_external_error(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, StringArray};

    use super::*;

    fn batch() -> RecordBatch {
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("=1+1"), Some("000001"), None]));
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(-1.5), None, Some(2.0)]));
        RecordBatch::try_from_iter_with_nullable([("name", names, true), ("change", numbers, true)]).unwrap()
    }

    fn text(format: FileFormat) -> String {
        let mut encoder = Encoder::new(format, Vec::new(), &batch().schema()).unwrap();
        encoder.write(&batch()).unwrap();
        String::from_utf8(encoder.finish().unwrap()).unwrap()
    }

    #[test]
    fn text_that_would_be_a_formula_is_guarded_and_numbers_stay() {
        assert_eq!(text(FileFormat::Csv), "name,change\n'=1+1,-1.5\n000001,\n,2.0\n");
        for cell in ["=1+1", "+1", "-1", "@x", "\tx"] {
            assert_eq!(guarded(cell), format!("'{cell}"));
        }
    }

    #[test]
    fn objects_leave_out_what_is_null() {
        let expected = "{\"name\":\"=1+1\",\"change\":-1.5}\n{\"name\":\"000001\"}\n{\"change\":2.0}\n";
        assert_eq!(text(FileFormat::Ndjson), expected);
    }

    #[test]
    fn the_name_says_the_format() {
        let of = |name: &str| FileFormat::of(Path::new(name)).ok();
        assert_eq!(of("a.parquet"), Some(FileFormat::Parquet));
        assert_eq!((of("a.ndjson"), of("a.jsonl")), (Some(FileFormat::Ndjson), Some(FileFormat::Ndjson)));
        assert_eq!((of("a.csv"), of("a.xlsx"), of("a")), (Some(FileFormat::Csv), None, None));
    }
}
