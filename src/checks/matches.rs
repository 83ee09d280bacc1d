//! `matches`: a text must match a regular expression from its first character to its last.
//!
//! Evaluates each row by itself, with or without a readable timestamp. The pattern is anchored here, not by the
//! person who writes it, and its automaton is bounded in size. Timestamps are the business of `date-format`.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::cause::causes;
use super::params::{FieldRef, Params};
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage};
use crate::bars::{BarsSpec, FieldKind};
use crate::schema::{Holds, Key, Otherwise, key};

/// The check `matches`.
pub(crate) struct Matches;

/// Bytes a compiled pattern may take.
const PROGRAM_BYTES: usize = 1 << 20;
/// Bytes the lazily built automaton of a pattern may take; beyond it matching is slower, not wrong.
const AUTOMATON_BYTES: usize = 2 << 20;

const PARAMS: &[Key] = &[
    key("field", Holds::Field, Otherwise::Mistake, "The text field to evaluate."),
    key("pattern", Holds::Text, Otherwise::Mistake, "Regular expression the whole text must match."),
    key("negate", Holds::Flag, Otherwise::Flag(false), "Flag texts that match instead of those that do not."),
];

causes! {
    /// The text matches a pattern that it must not match.
    Match = "match",
    /// The text does not match.
    NoMatch = "no-match",
    /// The value is not text.
    WrongType = "wrong-type",
}

impl Described for Matches {
    fn name(&self) -> &'static str {
        "matches"
    }

    fn explain(&self) -> &'static str {
        include_str!("matches.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let expected = facts.expected();
        match facts.cause.and_then(Cause::parse) {
            Some(Cause::Match) => format!("{} must be {expected}", facts.subject()),
            Some(Cause::NoMatch) => format!("{} is not {expected}", facts.subject()),
            Some(Cause::WrongType) => format!("{} is not text, and must be {expected}", facts.subject()),
            None => facts.generic(),
        }
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("matches_examples.md")
    }
}

impl CheckKind for Matches {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let index = text_field(params, bars);
        let name = bars.fields.get(index).map(|field| Arc::clone(&field.name)).unwrap_or_default();
        let pattern = params.maybe_text("pattern").unwrap_or_default();
        let regex = anchored(&pattern).unwrap_or_else(|problem| {
            params.reject("pattern", "`pattern` is not a regular expression", help(&problem));
            None
        });
        let negate = params.flag("negate");
        let expected = if negate { format!("no match of `{pattern}`") } else { format!("a match of `{pattern}`") };
        Box::new(Pattern { index, name, regex, negate, expected })
    }
}

/// Index of the text field the rule names; 0 where it names none, which is reported.
fn text_field(params: &mut Params<'_>, bars: &BarsSpec) -> usize {
    let wrong = match params.any_field("field") {
        Some(FieldRef::Text(index)) => return index,
        Some(FieldRef::Number(_)) => "`field` names a numeric field, which has no text to match",
        Some(FieldRef::Time) => "`field` names the timestamp, which `date-format` evaluates",
        None => return 0,
    };
    let texts = bars.fields.iter().filter(|field| field.kind == FieldKind::Text).map(|field| &*field.name);
    let help = format!("text fields: {}", texts.collect::<Vec<_>>().join(", "));
    params.reject("field", wrong, help);
    0
}

/// `pattern` from the first to the last character of a text. It is parsed alone first, since `a)(b` is a
/// mistake that a pair of parentheses around it would hide.
fn anchored(pattern: &str) -> Result<Option<Regex>, regex::Error> {
    let build = |text: &str| RegexBuilder::new(text).size_limit(PROGRAM_BYTES).dfa_size_limit(AUTOMATON_BYTES).build();
    build(pattern)?;
    build(&format!(r"\A(?:{pattern})\z")).map(Some)
}

/// What is wrong with a pattern: the last line of the parser's report, whose other lines repeat the pattern.
fn help(problem: &regex::Error) -> String {
    let report = problem.to_string();
    let reason = report.lines().last().unwrap_or_default().trim_start_matches("error: ").trim_end_matches('.');
    format!("{reason}; see https://docs.rs/regex/#syntax; look-around and back-references do not exist")
}

/// One pattern over one column.
struct Pattern {
    index: usize,
    name: Arc<str>,
    /// `None` where the rule is wrong; such a rule never runs.
    regex: Option<Regex>,
    negate: bool,
    expected: String,
}

impl Pattern {
    fn finding(&self, row: usize, text: &str, cause: Cause) -> Finding {
        Finding::row(row).field(&self.name).observed_text(text).expected_text(self.expected.clone()).cause(cause)
    }
}

impl Check for Pattern {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let Some(regex) = &self.regex else { return };
        let column = series.text(self.index);
        for row in 0..series.rows {
            if let Some(text) = column.get(row) {
                if regex.is_match(text) == self.negate {
                    findings.push(self.finding(row, text, if self.negate { Cause::Match } else { Cause::NoMatch }));
                }
            } else if let Some(literal) = column.other(row) {
                findings.push(self.finding(row, literal, Cause::WrongType));
            }
        }
        findings.evaluated(series.reported());
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::*;
    use crate::checks::testing::{Fixture, compile};
    use crate::checks::{Column, TextColumn};

    const RULE: &str = "check = \"matches\"\nfield = \"symbol\"\npattern = '[0-9]{6}\\.(SH|SZ)'";

    fn symbols(symbols: &[&str]) -> Fixture {
        let rows = symbols.iter().map(|symbol| format!("2024-01-02,{symbol}\n")).collect::<Vec<_>>().concat();
        // The first row makes the column one of text.
        Fixture::daily(&format!("time,symbol\n2024-01-01,600000.SH\n{rows}"))
    }

    fn mistake(rule: &str) -> String {
        let bars = Fixture::daily("time,close,symbol\n2024-01-02,1,x");
        let mistakes = compile(rule, &bars.spec).err().unwrap_or_default();
        mistakes.iter().map(|m| m.render(false)).collect()
    }

    #[test]
    fn texts_that_match_are_clean() {
        let evaluated = symbols(&["000001.SZ"]).evaluate(RULE);
        assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 2));
    }

    #[test]
    fn pattern_must_cover_the_whole_text() {
        let evaluated = symbols(&["x600000.SH", "600000.SHX", "600000.BJ"]).evaluate(RULE);
        let seen: Vec<_> = evaluated.findings.iter().map(|f| f.observed_text.as_deref()).collect();
        assert_eq!(seen, [Some("x600000.SH"), Some("600000.SHX"), Some("600000.BJ")]);
        assert_eq!(evaluated.findings[0].expected_text.as_deref(), Some(r"a match of `[0-9]{6}\.(SH|SZ)`"));
    }

    #[test]
    fn alternatives_are_anchored_as_a_whole() {
        let rule = "check = \"matches\"\nfield = \"symbol\"\npattern = '600000.SH|a|ab'";
        let evaluated = symbols(&["ab", "ba", "a"]).evaluate(rule);
        assert_eq!(evaluated.lines, ["2024-01-02 symbol observed=`ba` cause=no-match"]);
    }

    #[test]
    fn negated_pattern_flags_what_matches() {
        let evaluated = symbols(&["BTCUSD"]).evaluate(&format!("{RULE}\nnegate = true"));
        assert_eq!(evaluated.lines, ["2024-01-01 symbol observed=`600000.SH` cause=match"]);
    }

    #[test]
    fn null_passes_even_where_negated() {
        let evaluated = symbols(&[""]).evaluate(&format!("{RULE}\nnegate = true"));
        assert_eq!(evaluated.findings.len(), 1);
        assert_eq!(symbols(&[""]).evaluate(RULE).findings, []);
    }

    #[test]
    fn value_of_another_type_is_flagged() {
        let bars = symbols(&["000001.SZ"]);
        let check = compile(RULE, &bars.spec).unwrap_or_else(|_| panic!("a good rule"));
        let text = StringViewArray::from_iter([None, Some("600000.SH"), None]);
        let other = StringViewArray::from_iter([Some("600000"), None, None]);
        let columns = [Column::Text(TextColumn::new(&text, Some(&other)))];
        let series = Series { key: "TEST", rows: 3, columns: &columns, source_rank: &[0, 1, 2], ..Series::default() };
        let mut sink = FindingSink::default();
        check.check(&series, &mut sink);
        assert_eq!(sink.findings.len(), 1);
        assert_eq!((sink.findings[0].rows.clone(), sink.findings[0].cause), (Some(0..1), Some("wrong-type")));
    }

    #[test]
    fn empty_series_is_clean() {
        assert_eq!(Fixture::daily("time,symbol\n2024-01-02,x").evaluate(RULE).findings.len(), 1);
        let none = Fixture::daily("time,symbol\n2024-01-02,x");
        let check = compile(RULE, &none.spec).unwrap_or_else(|_| panic!("a good rule"));
        let text = StringViewArray::new_null(0);
        let columns = [Column::Text(TextColumn::new(&text, None))];
        let series = Series { key: "TEST", columns: &columns, ..Series::default() };
        let mut sink = FindingSink::default();
        check.check(&series, &mut sink);
        assert_eq!(sink.findings, []);
    }

    #[test]
    fn broken_pattern_is_a_mistake_at_its_value() {
        insta::assert_snapshot!(mistake("check = \"matches\"\nfield = \"symbol\"\npattern = '[0-9'"), @r"
        error[bad-value]: rule `test`: `pattern` is not a regular expression
         --> rule.toml:3:11
          |
        3 | pattern = '[0-9'
          |           ^^^^^^
          |
          = help: unclosed character class; see https://docs.rs/regex/#syntax; look-around and back-references do not exist
        ");
    }

    #[test]
    fn pattern_that_only_the_anchors_make_valid_is_a_mistake() {
        let text = mistake("check = \"matches\"\nfield = \"symbol\"\npattern = 'a)(b'");
        assert!(text.contains("not a regular expression"), "{text}");
    }

    #[test]
    fn huge_pattern_is_a_mistake() {
        let text = mistake("check = \"matches\"\nfield = \"symbol\"\npattern = '(\\w{200}){200}'");
        assert!(text.contains("size limit"), "{text}");
    }

    #[test]
    fn numeric_field_and_the_timestamp_are_mistakes() {
        let number = mistake("check = \"matches\"\nfield = \"close\"\npattern = 'x'");
        assert!(number.contains("numeric field") && number.contains("text fields: symbol"), "{number}");
        let timestamp = mistake("check = \"matches\"\nfield = \"time\"\npattern = 'x'");
        assert!(timestamp.contains("`date-format` evaluates"), "{timestamp}");
    }
}
