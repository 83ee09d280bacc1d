//! From what was counted and found to what a rule says of the bar.

use super::answer::{Answer, OfRows, Validity};
use crate::checks::Stage;

/// What is known of a rule and the bar.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    pub(super) stage: Stage,
    /// Whether its findings stand for rows.
    pub(super) flags_rows: bool,
    /// Whether it compares runs.
    pub(super) of_runs: bool,
    /// Whether it compares the sources of a symbol, and whether it compared the bar.
    pub(super) compared: Option<bool>,
    /// The timestamp, and the time that the rule holds for.
    pub(super) time: i64,
    pub(super) validity: Validity,
    /// Rows of the timestamp.
    pub(super) rows: u64,
    /// How the rule counted them; `None` where that does not add up.
    pub(super) counts: Option<OfRows>,
    /// The facts that excused something.
    pub(super) excuses: Vec<String>,
    /// Whether each finding that holds the timestamp is about it alone.
    pub(super) found: Vec<bool>,
    /// Rules that reject a row of the timestamp.
    pub(super) rejecting: &'a [String],
    /// The condition that does not choose the bar.
    pub(super) not_chosen: Option<String>,
    /// Whether all series were read.
    pub(super) whole: bool,
    /// Why nothing true can be said.
    pub(super) unknown: Option<&'static str>,
}

/// What the rule says.
pub(super) fn answer(case: Case<'_>) -> Answer {
    let Case { time, validity, rows, .. } = case;
    if let Some(why) = case.unknown {
        return Answer::NotKnown(why.to_owned());
    }
    let of_it_alone = case.found.contains(&true);
    if case.stage == Stage::Across {
        return match (case.of_runs, case.whole, case.found.is_empty()) {
            (true, ..) => Answer::OfRuns,
            (false, false, _) => Answer::OfAllSeries { run: false },
            (false, true, true) => Answer::OfAllSeries { run: true },
            (false, true, false) if of_it_alone => Answer::Flagged,
            (false, true, false) => Answer::InStretch,
        };
    }
    let Some(counts) = case.counts else {
        return Answer::NotKnown("what it counted of the bar does not add up".to_owned());
    };
    if counts.flagged > 0 {
        return Answer::Flagged;
    }
    if !case.found.is_empty() {
        let stands_for_no_row = case.stage == Stage::Sources || !case.flags_rows;
        return if stands_for_no_row && of_it_alone { Answer::Flagged } else { Answer::InStretch };
    }
    if validity.from.is_some_and(|from| time < from) || validity.until.is_some_and(|until| time >= until) {
        return Answer::NotValid(validity);
    }
    if let Some(compared) = case.compared {
        return if compared { Answer::Within } else { Answer::Insufficient };
    }
    if counts.excused > 0 || !case.excuses.is_empty() {
        return Answer::Excused(case.excuses);
    }
    if counts.evaluated > 0 {
        return Answer::Within;
    }
    if counts.insufficient > 0 {
        return Answer::Insufficient;
    }
    if case.stage == Stage::Series && !case.rejecting.is_empty() {
        return Answer::Rejected(case.rejecting.to_vec());
    }
    match case.not_chosen {
        Some(condition) => Answer::NotChosen(condition),
        None if case.stage == Stage::Series && rows > 1 => Answer::AnotherCopy,
        None => Answer::SteppedOver,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case<'static> {
        Case {
            stage: Stage::Series,
            flags_rows: true,
            of_runs: false,
            compared: None,
            time: 10,
            validity: Validity { from: None, until: None },
            rows: 1,
            counts: Some(OfRows::default()),
            excuses: Vec::new(),
            found: Vec::new(),
            rejecting: &[],
            not_chosen: None,
            whole: true,
            unknown: None,
        }
    }

    fn counted(evaluated: u64, insufficient: u64, excused: u64, flagged: u64) -> Case<'static> {
        let stepped_over = 1_u64.saturating_sub(evaluated + insufficient + excused);
        Case { counts: Some(OfRows { evaluated, insufficient, excused, stepped_over, flagged }), ..case() }
    }

    #[test]
    fn a_row_has_the_one_verdict_that_it_was_counted_by() {
        assert_eq!(answer(counted(1, 0, 0, 1)), Answer::Flagged);
        assert_eq!(answer(counted(1, 0, 0, 0)), Answer::Within);
        assert_eq!(answer(counted(0, 1, 0, 0)), Answer::Insufficient);
        assert_eq!(answer(counted(0, 0, 1, 0)), Answer::Excused(Vec::new()));
        let suspended = Case { excuses: vec!["suspended".to_owned()], ..counted(0, 0, 1, 0) };
        assert_eq!(answer(suspended), Answer::Excused(vec!["suspended".to_owned()]));
        assert_eq!(answer(case()), Answer::SteppedOver);
    }

    #[test]
    fn a_rule_that_does_not_see_the_row_says_why() {
        let rejecting = ["ohlc".to_owned()];
        let rejected = Case { rejecting: &rejecting, not_chosen: Some("volume > 0".to_owned()), ..case() };
        assert_eq!(answer(rejected), Answer::Rejected(vec!["ohlc".to_owned()]));
        let of_rows = Case { stage: Stage::Row, rejecting: &rejecting, ..case() };
        assert_eq!(answer(of_rows), Answer::SteppedOver, "rules about single rows see rejected ones");
        let condition = Case { not_chosen: Some("volume > 0".to_owned()), ..case() };
        assert_eq!(answer(condition), Answer::NotChosen("volume > 0".to_owned()));
        assert_eq!(answer(Case { rows: 2, ..case() }), Answer::AnotherCopy);
        let validity = Validity { from: Some(11), until: None };
        assert_eq!(answer(Case { validity, ..counted(1, 0, 0, 0) }), Answer::NotValid(validity));
        let over = Validity { from: None, until: Some(10) };
        assert_eq!(answer(Case { validity: over, ..counted(1, 0, 0, 0) }), Answer::NotValid(over));
    }

    #[test]
    fn a_finding_over_time_flags_the_bar_only_where_it_is_about_it_alone() {
        let gap = Case { flags_rows: false, found: vec![true], ..counted(1, 0, 0, 0) };
        assert_eq!(answer(gap.clone()), Answer::Flagged);
        assert_eq!(answer(Case { found: vec![false], ..gap }), Answer::InStretch);
        let run = Case { found: vec![false], ..counted(1, 0, 0, 0) };
        assert_eq!(answer(run), Answer::InStretch, "the run holds the time and not the row");
        let sources = Case { stage: Stage::Sources, flags_rows: false, compared: Some(true), ..case() };
        assert_eq!(answer(sources.clone()), Answer::Within);
        assert_eq!(answer(Case { compared: Some(false), ..sources.clone() }), Answer::Insufficient);
        assert_eq!(answer(Case { found: vec![true], ..sources }), Answer::Flagged);
    }

    #[test]
    fn rules_about_more_than_a_series_and_what_is_not_known_are_said_so() {
        let across = Case { stage: Stage::Across, ..case() };
        assert_eq!(answer(across.clone()), Answer::OfAllSeries { run: true });
        let alone = Case { whole: false, found: vec![true], ..across.clone() };
        assert_eq!(answer(alone), Answer::OfAllSeries { run: false }, "what one series shows says nothing of all");
        assert_eq!(answer(Case { of_runs: true, ..across.clone() }), Answer::OfRuns);
        assert_eq!(answer(Case { found: vec![true], ..across }), Answer::Flagged);
        assert!(matches!(answer(Case { counts: None, ..case() }), Answer::NotKnown(_)));
        let unknown = Case { unknown: Some("only this series was read"), ..counted(1, 0, 0, 1) };
        assert!(matches!(answer(unknown), Answer::NotKnown(_)));
    }
}
