//! What can go wrong when rows are to leave a file or come back, so that nothing is done.
//!
//! A file that somebody changed is not an error: its rows are counted as kept. An error here means that the work cannot
//! be done or cannot be proven; the source is as it was, or recovery will find out.

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

use crate::source::SourceError;

/// Why rows of a file could not be removed or restored.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Another process moves rows of the job's files, or of this file.
    #[error("`{}` is locked: another run moves rows of {what}{}", path.display(), holder.as_deref().map(|holder| format!(": {holder}")).unwrap_or_default())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// What it moves rows of.
        what: &'static str,
        /// Who, where that is known.
        holder: Option<String>,
    },
    /// Earlier work was cut short.
    #[error("rows of `{}` were being moved when a run was cut short (`{id}`); `barkeep run` finishes that first", path.display())]
    Unfinished {
        /// Its name in the journal.
        id: String,
        /// The source.
        path: PathBuf,
    },
    /// Another job left work at this file, and its journal cannot be found.
    #[error("`{}`: a run of the job `{job}` was cut short here, and its quarantine `{}` is missing; put the folder back, then run again", path.display(), folder.display())]
    Abandoned {
        /// The source.
        path: PathBuf,
        /// The job.
        job: String,
        /// Its quarantine.
        folder: PathBuf,
    },
    /// The file has several names, and only one of them would get the new file.
    #[error("`{}` has {count} hard links, and the others would keep the old file; copy it to a file of its own, then run again", path.display())]
    HardLinks {
        /// The source.
        path: PathBuf,
        /// How many.
        count: u64,
    },
    /// The name belongs to a mount.
    #[error("`{}` is a mount point, so its name cannot be given to another file; mount its folder instead", path.display())]
    MountPoint {
        /// The source.
        path: PathBuf,
    },
    /// The file is packed in a way that barkeep only reads.
    #[error("`{}` is packed with bzip2, xz or zip, which barkeep reads and does not write; pack it with gzip or zstd to move its rows", path.display())]
    NotPackedAgain {
        /// The source.
        path: PathBuf,
    },
    /// Writers cannot be held back here.
    #[error("`{}`: {reason}, so a loader that writes at the same time could lose rows; where nothing writes to it, set `writers = \"none\"` in `[source.files]`", path.display())]
    NoLease {
        /// The source.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The new file would not be the same user's, or would have other rights.
    #[error("`{}`: a new file cannot be given {what}; run as its owner or as the superuser", path.display())]
    NotOwner {
        /// The source.
        path: PathBuf,
        /// What cannot be given.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// The source is a symbolic link.
    #[error("`{}` is a symbolic link, and a link is never replaced; name the file it leads to", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The source is a folder, a pipe, a device.
    #[error("`{}` is not an ordinary file; name a file", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// The name of the source is not text, and so cannot be written down.
    #[error("the path `{}` is not UTF-8; rename the file", path.display())]
    PathNotText {
        /// The file.
        path: PathBuf,
    },
    /// The order does not say what the file was.
    #[error("the plan holds no hash of `{}`; plan again", path.display())]
    NoHash {
        /// The file.
        path: PathBuf,
    },
    /// The rows of an order are not ascending and distinct, or begin below 1.
    #[error("the plan for `{}` does not list its rows in order (row {row}); plan again", path.display())]
    Disordered {
        /// The file.
        path: PathBuf,
        /// The row that is out of order.
        row: u64,
    },
    /// The file has not that many rows.
    #[error("`{}` has no row {row}; plan again", path.display())]
    RowMissing {
        /// The file.
        path: PathBuf,
        /// The row, from 1.
        row: u64,
    },
    /// A row has another hash than planned, although the file has the planned one.
    #[error("`{}` row {row} is not the row that was planned; plan again", path.display())]
    RowDiffers {
        /// The file.
        path: PathBuf,
        /// The row, from 1.
        row: u64,
    },
    /// A column has a name that quarantine uses itself.
    #[error("`{}` has a column `{column}`: names that begin with `quarantine_` are barkeep's own; rename it", path.display())]
    ReservedColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// The file does not read as what the job says it is.
    #[error("cannot read the rows of the file again; run again, and fetch the file again if that does not help")]
    Source(#[from] SourceError),
    /// The exchange failed, and it is not sure where the files are.
    #[error("`{}`: it is not known whether the file was replaced; the next `barkeep run` finds out and goes on", path.display())]
    Unclear {
        /// The source.
        path: PathBuf,
        /// What failed.
        source: Box<Self>,
    },
    /// Something does not read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something cannot be written, renamed or removed.
    #[error("cannot write `{}`; free or grant the space, then run again", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A Parquet file does not read, or rows cannot be encoded.
    #[error("cannot decode or encode `{}` as Parquet; check the file with `barkeep check`", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the library says.
        source: ParquetError,
    },
    /// A quarantine copy is not what was written.
    #[error("the quarantine copy `{}` does not read back as it was written; check the disk", path.display())]
    CopyDiffers {
        /// The copy.
        path: PathBuf,
    },
    /// Source, clean file and quarantine do not add up.
    #[error("`{}` is not the sum of the clean file and the quarantine ({what} differ); nothing was changed, please report it", path.display())]
    Unbalanced {
        /// The source.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A record of the journal does not read.
    #[error("the journal record `{}` does not read; nothing is done before a person looked at it", path.display())]
    Journal {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl FilesError {
    /// Whether a text file has no record.
    pub(super) fn is_empty_file(&self) -> bool {
        matches!(self, Self::Source(SourceError::Empty { .. }))
    }

    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_path_buf(), source }
    }

    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_path_buf(), source }
    }

    /// A failure of the Parquet library; what the disk says is reported from what the library says.
    pub(super) fn parquet(path: &Path, source: ParquetError) -> Self {
        let path = path.to_path_buf();
        match source {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                    Self::Parquet { path, source: ParquetError::External(source) }
                }
                Ok(source) => Self::Write { path, source: *source },
                Err(inner) => Self::Parquet { path, source: ParquetError::External(inner) },
            },
            source => Self::Parquet { path, source },
        }
    }
}
