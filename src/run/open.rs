//! The source of a job, found and looked at: files, or a collection behind a connection.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use mongodb::bson::Document;
use secrecy::SecretString;

use super::failure::Failure;
use super::load::load;
use crate::bars::BarsSpec;
use crate::config::job::{FileFormat, FileSource, MongoSource, Source, Uri};
use crate::config::{self, Loaded};
use crate::report::run::Connections;
use crate::source::mongodb::{Address, CheckOnly, CollectionInfo, Collections, Connection, MongoError, filter};
use crate::source::{self, Files, FilesSet, Format};

/// A job whose source was found and looked at.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Job and rule files.
    pub(crate) loaded: Arc<Loaded>,
    /// The source.
    pub(crate) at: At,
    /// Its bars.
    pub(crate) bars: BarsSpec,
    /// Its columns.
    pub(crate) columns: Vec<source::SourceColumn>,
}

/// Where the bars are.
#[derive(Debug)]
pub(crate) enum At {
    /// In files.
    Files(FilesSet),
    /// In a collection.
    Collection(Box<Collected>),
}

/// A collection within reach.
#[derive(Debug)]
pub(crate) struct Collected {
    /// The connection to its server.
    pub(crate) connection: Arc<Connection>,
    /// What reads it, or them where the job names several.
    pub(crate) collections: Collections,
    /// What it is.
    pub(crate) info: CollectionInfo,
    /// Which of its documents the job reads.
    pub(crate) filter: Document,
}

impl Opened {
    /// Closes the connection, if there is one, and tells what became of it.
    pub(crate) async fn close(&self) -> Option<Connections> {
        match &self.at {
            At::Files(_) => None,
            At::Collection(collection) => Some(used(collection.connection.close().await)),
        }
    }

    /// Why its rows are never moved; `None` where they can be.
    pub(crate) fn check_only(&self) -> Option<&CheckOnly> {
        match &self.at {
            At::Files(_) => None,
            At::Collection(collection) => collection.info.check_only.as_ref(),
        }
    }

    /// The files of the source; none for a collection.
    pub(crate) fn files(&self) -> Option<&FilesSet> {
        match &self.at {
            At::Files(set) => Some(set),
            At::Collection(_) => None,
        }
    }

    /// The names of the source files by index, as a report has them; none of a collection.
    pub(crate) fn file_names(&self) -> Vec<String> {
        let files = self.files().into_iter().flat_map(|set| &set.files);
        files.map(|path| path.display().to_string()).collect()
    }
}

fn used(usage: source::mongodb::ConnectionUse) -> Connections {
    let source::mongodb::ConnectionUse { opened, closed, peak, in_use, commands } = usage;
    Connections { opened, closed, peak, in_use, commands }
}

/// Loads the job at `path` and looks at its source.
pub(crate) async fn open(path: &Path) -> Result<Opened, Failure> {
    look(&Arc::new(load(path)?)).await
}

/// Looks at the source of a job: one that is missing or cannot be read breaks the run, a field that the job names and
/// the source lacks is a mistake.
pub(crate) async fn look(loaded: &Arc<Loaded>) -> Result<Opened, Failure> {
    let (at, columns) = match &loaded.job.source {
        Source::Files(files) => look_at_files(files)?,
        Source::Mongodb(collection) => look_at_collection(collection).await?,
    };
    let described: Vec<_> = columns
        .iter()
        .map(|column| config::SourceColumn {
            name: column.name.clone(),
            kind: column.kind,
            typed_time: column.typed_time,
        })
        .collect();
    let bars = loaded.job.bars_spec(&described).map_err(Failure::Mistakes);
    let bars = match (bars, &at) {
        (Ok(bars), _) => bars,
        (Err(failure), At::Files(_)) => return Err(failure),
        (Err(failure), At::Collection(collection)) => {
            collection.connection.close().await;
            return Err(failure);
        }
    };
    Ok(Opened { loaded: Arc::clone(loaded), at, bars, columns })
}

fn look_at_files(files: &FileSource) -> Result<(At, Vec<source::SourceColumn>), Failure> {
    let set = source::discover(&Files {
        patterns: files.paths.iter().map(|path| path.resolved.clone()).collect(),
        format: files.format.map(|format| match format {
            FileFormat::Csv => Format::Csv,
            FileFormat::Ndjson => Format::Ndjson,
            FileFormat::Parquet => Format::Parquet,
        }),
        delimiter: files.delimiter,
        nulls: files.nulls.clone(),
    })?;
    let columns = source::infer(&set)?;
    Ok((At::Files(set), columns))
}

async fn look_at_collection(job: &MongoSource) -> Result<(At, Vec<source::SourceColumn>), Failure> {
    let connection = Arc::new(connect(job).await?);
    let filter = filter::query(&job.filter);
    match infer(&connection, job, &filter).await {
        Ok((collections, columns)) => {
            let info = collections.info().clone();
            Ok((At::Collection(Box::new(Collected { connection, collections, info, filter })), columns))
        }
        Err(error) => {
            connection.close().await;
            Err(error.into())
        }
    }
}

async fn infer(
    connection: &Arc<Connection>,
    job: &MongoSource,
    filter: &Document,
) -> Result<(Collections, Vec<source::SourceColumn>), MongoError> {
    let collections = Collections::find(Arc::clone(connection), job).await?;
    let columns = collections.infer(filter).await?;
    Ok((collections, columns))
}

/// Connects to the server of a job.
pub(crate) async fn connect(job: &MongoSource) -> Result<Connection, Failure> {
    let address = Address {
        uri: uri(&job.uri)?,
        database: job.database.clone(),
        collection: job.collection.clone(),
        allow_plaintext: job.allow_plaintext,
    };
    Ok(Connection::open(&address).await?)
}

/// The connection string, from the job's environment or from a file that nobody else may read.
fn uri(uri: &Uri) -> Result<SecretString, Failure> {
    let path = match uri {
        Uri::Given(uri) => return Ok(uri.clone()),
        Uri::File(path) => path,
    };
    let unreadable = |problem: String, help: &str| {
        Failure::Usage(format!("`uri_file` names `{}`: {problem}", path.resolved.display()), help.to_owned())
    };
    let mode = fs::metadata(&path.resolved)
        .map_err(|error| unreadable(error.to_string(), "write the connection string into it, mode 0600"))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        let help = format!("run `chmod 600 {}`", path.resolved.display());
        return Err(unreadable("others may read it".to_owned(), &help));
    }
    let text = fs::read_to_string(&path.resolved)
        .map_err(|error| unreadable(error.to_string(), "make it readable for the user that runs this"))?;
    Ok(SecretString::from(text.trim()))
}
