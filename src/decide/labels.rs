//! What a person decided about findings, and which of these decisions a finding has.
//!
//! Values in, values out: no clock, no file. Which labels still count on a day is asked once, with [`Labels::live`].

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono::NaiveDate;

/// What a person says of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Judgement {
    /// The bar is wrong, and that is known and lived with.
    Known,
    /// The bar is right: the finding is a false alarm.
    Fine,
    /// The bar is wrong: the finding is right.
    Bad,
}

impl Judgement {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Known, Self::Fine, Self::Bad];

    /// The words, in the order of [`Judgement::ALL`].
    pub const WORDS: &[&str] = &["known", "fine", "bad"];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// Whether a finding with it makes no run fail, and moves no row.
    pub fn mutes(self) -> bool {
        self != Self::Bad
    }

    /// The judgement of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|judgement| judgement.as_str() == word)
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The findings that a label is about, by what they have in common. What is `None` may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern {
    /// Id of the rule.
    pub rule: Option<String>,
    /// The series key as reports write it, or its first field.
    pub series: Option<String>,
    /// First timestamp, µs UTC on the scale of the bars.
    pub since: Option<i64>,
    /// First timestamp that is no longer part of it, µs UTC on the scale of the bars.
    pub until: Option<i64>,
    /// The field.
    pub field: Option<String>,
}

impl Pattern {
    /// Whether it says nothing, and so would be about every finding.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many things it says: of two patterns about a finding the one that says more is meant.
    fn says(&self) -> usize {
        let Self { rule, series, since, until, field } = self;
        let texts = [rule, series, field].into_iter().filter(|text| text.is_some()).count();
        texts + [since, until].into_iter().filter(|moment| moment.is_some()).count()
    }

    fn is_about(&self, found: &Labelled<'_>) -> bool {
        let is =
            |wanted: &Option<String>, has: Option<&str>| wanted.as_deref().is_none_or(|wanted| has == Some(wanted));
        let series = || is(&self.series, Some(found.series)) || is(&self.series, found.symbol);
        let inside = || match found.time {
            Some(time) => self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until),
            None => self.since.is_none() && self.until.is_none(),
        };
        is(&self.rule, Some(found.rule)) && series() && is(&self.field, found.field) && inside()
    }
}

/// What a label is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The finding with this id, or the only one whose id begins so.
    Finding(String),
    /// All findings of a kind.
    Pattern(Pattern),
}

/// A decision of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// About which findings.
    pub about: About,
    /// What it says of them.
    pub judgement: Judgement,
    /// Why, in the words of the person.
    pub why: String,
    /// Who says so.
    pub by: Option<String>,
    /// The last day on which it counts.
    pub expires: Option<NaiveDate>,
}

impl Label {
    /// Whether it counts on `day`.
    pub fn counts_on(&self, day: NaiveDate) -> bool {
        self.expires.is_none_or(|last| day <= last)
    }

    /// Whether it writes more of the id of a finding than `other` does, and so counts where both are about it.
    pub fn names_more(&self, other: &Self) -> bool {
        matches!((&self.about, &other.about), (About::Finding(one), About::Finding(two)) if one.len() > two.len())
    }

    /// Whether it and `other` are about the same findings exactly: one id, of which one may be the beginning of the
    /// other, or equal patterns.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        match (&self.about, &other.about) {
            (About::Finding(one), About::Finding(two)) => {
                one.starts_with(two.as_str()) || two.starts_with(one.as_str())
            }
            (About::Pattern(one), About::Pattern(two)) => one == two,
            _ => false,
        }
    }
}

/// What of a finding labels are compared with.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// Its id.
    pub finding_id: &'a str,
    /// Id of its rule.
    pub rule: &'a str,
    /// The series key.
    pub series: &'a str,
    /// The first field of the series key.
    pub symbol: Option<&'a str>,
    /// Its timestamp, µs UTC; of a stretch its first one.
    pub time: Option<i64>,
    /// Its field.
    pub field: Option<&'a str>,
}

/// Labels, to be looked up by finding.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    all: Vec<Label>,
    /// Places of labels of single findings, by the length of what they write of the id.
    findings: BTreeMap<usize, HashMap<String, usize>>,
    /// Places of patterns, the one that is meant of two first.
    patterns: Vec<usize>,
}

impl Labels {
    /// Labels in the order of their file.
    pub fn new(labels: Vec<Label>) -> Self {
        let mut findings: BTreeMap<usize, HashMap<String, usize>> = BTreeMap::new();
        let mut patterns: Vec<(usize, usize)> = Vec::new();
        for (place, label) in labels.iter().enumerate() {
            match &label.about {
                About::Finding(id) => {
                    findings.entry(id.len()).or_default().insert(id.clone(), place);
                }
                About::Pattern(pattern) => patterns.push((pattern.says(), place)),
            }
        }
        patterns.sort_unstable_by(|one, other| other.cmp(one));
        Self { all: labels, findings, patterns: patterns.into_iter().map(|(_, place)| place).collect() }
    }

    /// Those that still count on `day`.
    #[must_use]
    pub fn live(&self, day: NaiveDate) -> Self {
        Self::new(self.all.iter().filter(|label| label.counts_on(day)).cloned().collect())
    }

    /// The labels, in order.
    pub fn all(&self) -> &[Label] {
        &self.all
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The place among [`Labels::all`] of the label that a finding has. One that names the finding comes before all
    /// patterns; of patterns the one that says more does, of those that say as much the later one.
    pub fn place_of(&self, found: &Labelled<'_>) -> Option<usize> {
        let by_id =
            |(length, ids): (&usize, &HashMap<String, usize>)| ids.get(found.finding_id.get(..*length)?).copied();
        let named = self.findings.iter().rev().find_map(by_id);
        let is_about = |place: &usize| match &self.all[*place].about {
            About::Pattern(pattern) => pattern.is_about(found),
            About::Finding(_) => false,
        };
        named.or_else(|| self.patterns.iter().copied().find(is_about))
    }

    /// The label that a finding has; see [`Labels::place_of`].
    pub fn of(&self, found: &Labelled<'_>) -> Option<&Label> {
        self.place_of(found).and_then(|place| self.all.get(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUND: Labelled<'_> = Labelled {
        finding_id: "0123456789abcdef0123456789abcdef",
        rule: "outlier",
        series: "BRK/B|yahoo",
        symbol: Some("BRK/B"),
        time: Some(100),
        field: Some("close"),
    };

    fn label(about: About, judgement: Judgement) -> Label {
        Label { about, judgement, why: "looked at".to_owned(), by: None, expires: None }
    }

    fn pattern(change: impl FnOnce(&mut Pattern)) -> Label {
        let mut pattern = Pattern::default();
        change(&mut pattern);
        label(About::Pattern(pattern), Judgement::Fine)
    }

    fn has(label: Label) -> bool {
        Labels::new(vec![label]).of(&FOUND).is_some()
    }

    #[test]
    fn a_finding_is_named_by_its_id_or_by_its_beginning() {
        let named = |id: &str| has(label(About::Finding(id.to_owned()), Judgement::Bad));
        assert!(named("0123456789abcdef0123456789abcdef") && named("01234567"));
        assert!(!named("01234568") && !named("123456789abcdef0"));
    }

    #[test]
    fn everything_that_a_pattern_says_has_to_hold() {
        assert!(has(pattern(|p| p.rule = Some("outlier".into()))));
        assert!(!has(pattern(|p| p.rule = Some("gap".into()))));
        assert!(has(pattern(|p| p.series = Some("BRK/B".into()))), "the first field of the key");
        assert!(has(pattern(|p| p.series = Some("BRK/B|yahoo".into()))), "the whole key");
        assert!(!has(pattern(|p| p.series = Some("BRK".into()))));
        assert!(has(pattern(|p| (p.rule, p.field) = (Some("outlier".into()), Some("close".into())))));
        assert!(!has(pattern(|p| (p.rule, p.field) = (Some("outlier".into()), Some("open".into())))));
    }

    #[test]
    fn the_window_of_a_pattern_is_half_open() {
        let within = |since, until| has(pattern(|p| (p.since, p.until) = (since, until)));
        assert!(within(Some(100), Some(101)) && within(None, Some(101)) && within(Some(100), None));
        assert!(!within(Some(101), None) && !within(None, Some(100)));
        let undated = Labelled { time: None, ..FOUND };
        let ever = pattern(|p| p.since = Some(0));
        assert!(Labels::new(vec![ever]).of(&undated).is_none(), "what has no timestamp lies in no window");
    }

    #[test]
    fn the_label_that_says_more_is_meant_and_of_equal_ones_the_later() {
        let id = label(About::Finding("01234567".into()), Judgement::Bad);
        let wide = Label { judgement: Judgement::Known, ..pattern(|p| p.rule = Some("outlier".into())) };
        let narrow = pattern(|p| (p.rule, p.series) = (Some("outlier".into()), Some("BRK/B".into())));
        let other = Label { judgement: Judgement::Bad, ..pattern(|p| p.series = Some("BRK/B".into())) };
        let of = |labels: &[&Label]| {
            Labels::new(labels.iter().map(|label| (*label).clone()).collect()).of(&FOUND).unwrap().judgement
        };
        assert_eq!(of(&[&id, &narrow, &wide]), Judgement::Bad);
        assert_eq!(of(&[&narrow, &wide]), Judgement::Fine);
        assert_eq!(of(&[&wide, &other]), Judgement::Bad);
        assert_eq!(of(&[&other, &wide]), Judgement::Known);
    }

    #[test]
    fn a_label_counts_on_its_last_day_and_not_on_the_next() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let expiring = Label { expires: Some(day("2026-03-31")), ..pattern(|p| p.rule = Some("outlier".into())) };
        let labels = Labels::new(vec![expiring]);
        assert!(labels.live(day("2026-03-31")).of(&FOUND).is_some());
        assert!(labels.live(day("2026-04-01")).of(&FOUND).is_none());
    }
}
