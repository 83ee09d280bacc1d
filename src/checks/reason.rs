//! Why a finding is none: the reasons that facts give, and the words by which rules choose among them.

use crate::market::facts::Absence;

/// A fact that explains what a rule found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The symbol was not listed yet.
    BeforeListing,
    /// The symbol was no longer listed.
    Delisted,
    /// The symbol was not traded.
    Suspended,
    /// Its source delivered nothing.
    Outage,
    /// barkeep moved the bars to quarantine.
    Quarantined,
    /// So few bars are missing that the series trades thinly.
    Sparse,
    /// The bars lie beside where they are expected, and another rule says so.
    Shifted,
    /// Most series traded on a day that the calendar calls closed.
    MarketOpen,
    /// A corporate action accounts for the price.
    CorporateAction,
    /// The price stands at the limit of the day.
    LimitMove,
    /// The symbol is that of another company from this bar on.
    NewListing,
    /// A person took the rule back for the symbol.
    Exception,
}

impl Reason {
    /// All reasons, in the order of [`Reason::WORDS`].
    pub const ALL: [Self; 12] = [
        Self::BeforeListing,
        Self::Delisted,
        Self::Suspended,
        Self::Outage,
        Self::Quarantined,
        Self::Sparse,
        Self::Shifted,
        Self::MarketOpen,
        Self::CorporateAction,
        Self::LimitMove,
        Self::NewListing,
        Self::Exception,
    ];

    /// Their words, as reports have them.
    pub const WORDS: [&'static str; 12] = [
        "before-listing",
        "delisted",
        "suspended",
        "outage",
        "quarantined",
        "sparse",
        "shifted",
        "market-open",
        "corporate-action",
        "limit-move",
        "new-listing",
        "exception",
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The reason that bars are not there for.
    pub fn of(absence: Absence) -> Self {
        match absence {
            Absence::NotYetListed => Self::BeforeListing,
            Absence::NoLongerListed => Self::Delisted,
            Absence::Suspended => Self::Suspended,
            Absence::Outage => Self::Outage,
            Absence::Moved => Self::Quarantined,
        }
    }
}

/// What one reason excused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Excused {
    /// What would have been findings.
    pub findings: u64,
    /// The bars they are about.
    pub bars: u64,
}

/// What each reason excused, by [`Reason`].
pub type ExcusedBy = [Excused; Reason::ALL.len()];

/// Facts that a rule may let explain its findings, as its key `exempt` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exempt {
    /// The symbol is suspended, or was until this bar.
    Halted,
    /// A corporate action takes effect with the bar and accounts for the price.
    CorporateAction,
    /// The price stands at the limit of the day.
    LimitMove,
    /// Nothing came from the source.
    Outage,
    /// The symbol was not listed, or is that of another company from this bar on.
    Listing,
    /// barkeep moved the bars to quarantine.
    Quarantined,
}

impl Exempt {
    /// Its words, in the order of the variants.
    pub const WORDS: &'static [&'static str] =
        &["halted", "corporate-action", "limit-move", "outage", "listing", "quarantined"];

    /// All of them, in that order.
    pub const ALL: &'static [Self] =
        &[Self::Halted, Self::CorporateAction, Self::LimitMove, Self::Outage, Self::Listing, Self::Quarantined];

    /// Those that explain bars that are there.
    pub const OF_ROWS: &'static [Self] =
        &[Self::Halted, Self::CorporateAction, Self::LimitMove, Self::Outage, Self::Listing];

    /// What `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        let index = Self::WORDS.iter().position(|known| *known == word)?;
        Self::ALL.get(index).copied()
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_the_order_of_what_they_name() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!((reason as usize, reason.word()), (index, Reason::WORDS[index]));
        }
        for exempt in Exempt::ALL {
            assert_eq!(Exempt::parse(exempt.word()), Some(*exempt));
        }
        assert_eq!(Exempt::parse("holiday"), None);
    }
}
