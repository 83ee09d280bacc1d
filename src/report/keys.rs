//! What the metadata of a file of a table says of its run, by key.

/// Key that says whether a run looked at all rules and series; [`WHOLE`] or something else.
pub(super) const SCOPE_KEY: &str = "barkeep.scope";
/// Key of the metadata of every table that says which job file the run was of.
pub(super) const JOB_FILE_KEY: &str = "barkeep.job_file";
/// Key of the version of the columns, and of that of who wrote them.
pub(super) const SCHEMA_VERSION_KEY: &str = "barkeep.schema_version";
/// See [`SCHEMA_VERSION_KEY`].
pub(super) const VERSION_KEY: &str = "barkeep.version";
/// See [`SCOPE_KEY`].
pub(super) const WHOLE: &str = "whole";

/// The word for whether a run looks at all rules and series.
pub(super) fn scope(whole: bool) -> &'static str {
    if whole { WHOLE } else { "part" }
}
