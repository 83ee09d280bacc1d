//! Which findings make a run fail.

/// Which findings make the exit code 1. What a person labelled `known` or `fine`, or put back, never does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FailOn {
    /// Errors that the run before did not have, or that were labelled then and are not any more.
    New,
    /// Errors.
    #[default]
    Error,
    /// Warnings and errors, and rules that evaluated nothing.
    Warn,
    /// Nothing.
    Never,
}

impl FailOn {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::New, Self::Error, Self::Warn, Self::Never];

    /// The words, in the order of [`FailOn::ALL`].
    pub const WORDS: &[&str] = &["new", "error", "warn", "never"];

    /// What `word` stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().zip(Self::WORDS).find_map(|(fail_on, its)| (*its == word).then_some(fail_on))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        assert_eq!(FailOn::ALL.map(|fail_on| FailOn::WORDS[fail_on as usize]), ["new", "error", "warn", "never"]);
        assert!(FailOn::ALL.into_iter().all(|one| FailOn::parse(FailOn::WORDS[one as usize]) == Some(one)));
        assert_eq!(FailOn::parse("News"), None);
    }
}
