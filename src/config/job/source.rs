//! `[source]`: where the bars come from, files or a collection.

use super::files::{self, FileSource};
use super::mongodb::{self, MongoSource};
use crate::schema::diagnostic::Diagnostic;
use crate::schema::section::Otherwise::Nothing;
use crate::schema::section::{Holds, Section, SectionReader, key};

/// Where the bars of a job come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Files.
    Files(FileSource),
    /// A collection of a MongoDB server.
    Mongodb(MongoSource),
}

impl Source {
    /// The section of the job that says so.
    pub fn section(&self) -> &'static str {
        match self {
            Self::Files(_) => "[source.files]",
            Self::Mongodb(_) => "[source.mongodb]",
        }
    }

    /// Whether only a part of what is there is read.
    pub fn is_filtered(&self) -> bool {
        match self {
            Self::Files(files) => !files.filter.is_empty(),
            Self::Mongodb(collection) => !collection.filter.is_empty(),
        }
    }

    /// The source as a person calls it: the paths as written, or `database.collection`.
    pub fn label(&self) -> String {
        match self {
            Self::Files(files) => files.paths.iter().map(|path| path.written.as_str()).collect::<Vec<_>>().join(", "),
            Self::Mongodb(collection) => collection.namespace(),
        }
    }
}

pub(super) const SOURCE: Section = Section {
    name: "`[source]`",
    doc: "Where the bars come from: files or a collection.",
    keys: &[
        key("files", Holds::Table(&files::FILES), Nothing, "Files as a source."),
        key("mongodb", Holds::Table(&mongodb::MONGODB), Nothing, "A collection of a MongoDB server as a source."),
    ],
};

pub(super) fn read(mut section: SectionReader<'_>) -> (Option<Source>, Vec<Diagnostic>) {
    let (of_files, of_collection) = (section.has("files"), section.has("mongodb"));
    if of_files && of_collection {
        section.reject("mongodb", "a job has one source", "make two jobs of it");
    }
    let mut source = None;
    if (of_files || !of_collection)
        && let Some(part) = section.section("files")
    {
        let (files, mistakes) = files::read(part);
        section.absorb(mistakes);
        source = files.map(Source::Files);
    }
    if of_collection && let Some(part) = section.section("mongodb") {
        let (collection, mistakes) = mongodb::read(part);
        section.absorb(mistakes);
        source = collection.map(Source::Mongodb);
    }
    (source, section.finish())
}
