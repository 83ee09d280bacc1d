//! A rule with its reasons, and a value for a rule that there is.

/// A rule that is suggested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// Its identifier; once among the rules of the job.
    pub(crate) id: String,
    pub(super) check: &'static str,
    /// Keys and values besides those that all suggested rules have, as TOML.
    pub(super) values: Vec<(&'static str, String)>,
    /// Why the rule is what it is, with numbers: sentences for a comment.
    pub(super) reasons: Vec<String>,
    /// Its `why`.
    pub(super) why: String,
}

/// What a rule finds in the bars now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Its findings.
    pub(crate) findings: u64,
    /// The bars it evaluated.
    pub(crate) evaluated: u64,
}

/// A limit of a rule of the job with which it finds less.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tuning {
    /// The rule.
    pub(crate) rule: String,
    /// Its limit now.
    pub(crate) limit: f64,
    /// What it finds with that.
    pub(crate) now: Counted,
    /// A larger limit, and what the rule finds with it; `None` where none of those tried is enough.
    pub(crate) better: Option<(f64, Counted)>,
    /// The largest limit that was tried, and what the rule finds with it.
    pub(crate) largest: (f64, Counted),
}
