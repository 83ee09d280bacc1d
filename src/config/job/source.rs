//! `[source]`: where the bars come from: files, a collection, or a program.

use super::files::{self, FileSource};
use super::mongodb::{self, MongoSource};
use crate::schema::diagnostic::Diagnostic;
use crate::schema::keys::Otherwise::{Mistake, Nothing};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::section::SectionReader;

/// Where the bars of a job come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Files.
    Files(FileSource),
    /// A collection of a MongoDB server.
    Mongodb(MongoSource),
    /// A program, which gives them when it opens the job.
    Own(OwnBars),
}

/// Bars that a program gives.
#[derive(Debug, Clone)]
pub struct OwnBars {
    /// What they are called in reports.
    pub name: String,
}

impl Source {
    /// The section of the job that says so.
    pub fn section(&self) -> &'static str {
        match self {
            Self::Files(_) => "[source.files]",
            Self::Mongodb(_) => "[source.mongodb]",
            Self::Own(_) => "[source.own]",
        }
    }

    /// Whether only a part of what is there is read.
    pub fn is_filtered(&self) -> bool {
        match self {
            Self::Files(files) => !files.filter.is_empty(),
            Self::Mongodb(collection) => !collection.filter.is_empty(),
            Self::Own(_) => false,
        }
    }

    /// The source as a person calls it: the paths as written, `database.collection`, or the name of its own.
    pub fn label(&self) -> String {
        match self {
            Self::Files(files) => files.paths.iter().map(|path| path.written.as_str()).collect::<Vec<_>>().join(", "),
            Self::Mongodb(collection) => collection.namespace(),
            Self::Own(own) => own.name.clone(),
        }
    }
}

pub(super) const SOURCE: Section = Section {
    name: "`[source]`",
    doc: "Where the bars come from: files, a collection, or a program that uses barkeep as a library.",
    keys: &[
        key("files", Holds::Table(&files::FILES), Nothing, "Files as a source."),
        key("mongodb", Holds::Table(&mongodb::MONGODB), Nothing, "A collection of a MongoDB server as a source."),
        key(
            "own",
            Holds::Table(&OWN),
            Nothing,
            "Bars that a program gives, which opens the job with `Job::open_over`.",
        ),
    ],
};

const OWN: Section = Section {
    name: "`[source.own]`",
    doc: "Bars that a program gives; see `examples/own_source.rs`.",
    keys: &[key("name", Holds::Text, Mistake, "What they are called in reports.")],
};

pub(super) fn read(mut section: SectionReader<'_>) -> (Option<Source>, Vec<Diagnostic>) {
    let named: Vec<&str> = ["files", "mongodb", "own"].into_iter().filter(|kind| section.has(kind)).collect();
    for more in named.iter().skip(1) {
        section.reject(more, "a job has one source", "make two jobs of it");
    }
    let mut source = None;
    if (named.is_empty() || named.contains(&"files"))
        && let Some(part) = section.section("files")
    {
        let (files, mistakes) = files::read(part);
        section.absorb(mistakes);
        source = files.map(Source::Files);
    }
    if named.contains(&"mongodb")
        && let Some(part) = section.section("mongodb")
    {
        let (collection, mistakes) = mongodb::read(part);
        section.absorb(mistakes);
        source = collection.map(Source::Mongodb);
    }
    if named.contains(&"own")
        && let Some(mut part) = section.section("own")
    {
        let name = part.text("name");
        section.absorb(part.finish());
        source = name.map(|name| Source::Own(OwnBars { name: name.into_inner() }));
    }
    (source, section.finish())
}
