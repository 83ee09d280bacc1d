//! `duplicate`: the same bar of a series must not be there twice.
//!
//! Relies on dated rows being in order of (time, place in the source), so copies stand next to each other.
//! Rows without a readable timestamp are not evaluated. It distinguishes identical copies from conflicting ones by all
//! that the source has of them, and chooses the copy that stays: the one that stands best after all other rules.

mod same;

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::same::{Alike, alike, alike_in_time, shown};
use super::cause::causes;
use super::evidence::Shown;
use super::params::{FieldRef, Params};
use super::{Check, CheckKind, Column, Context, Described, Facts, Finding, FindingSink, Series, Stage};
use crate::bars::column::reserved;
use crate::bars::number::NumberFormat;
use crate::bars::spec::{FieldKind, FieldSpec};
use crate::bars::{BarsSpec, NUMBERS, TIME};
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::escape::visible;

/// The check `duplicate`.
pub(crate) struct Duplicate;

const PARAMS: &[Key] = &[
    key("key", Holds::Fields, Otherwise::Nothing, "Fields that make a bar its own besides series and time."),
    key(
        "keep",
        Holds::Choice(&["best", "first", "last", "none"]),
        Otherwise::Text("best"),
        "Which of several equally good copies is the bar; the others are flagged.",
    ),
    key(
        "compare",
        Holds::Fields,
        Otherwise::Nothing,
        "Fields that must agree for copies to be identical; without it every field the bars have.",
    ),
    key(
        "ignore",
        Holds::Fields,
        Otherwise::Nothing,
        "Fields that may differ between identical copies, e.g. `updated_at`.",
    ),
];

causes! {
    /// The copies have the same values.
    Identical = "identical",
    /// The copies have different values.
    Conflicting = "conflicting",
}

/// Whether a finding with `cause` is about a copy that says nothing which the copy that stays does not say.
pub fn is_identical(cause: Option<&str>) -> bool {
    cause.and_then(Cause::parse) == Some(Cause::Identical)
}

/// Fields of a conflicting copy that a message names.
const FIELDS_NAMED: usize = 3;

/// The copies of a bar, by their ranks in the source, and the fields in which they differ.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    copies: usize,
    rank: u64,
    kept_rank: Option<u64>,
    compared_rank: u64,
    /// By field, in the order in which fields are compared, the value of the copy and that of the other one.
    differs: Map<String, Value>,
    /// What the copy writes otherwise than the one that stays, where their values are equal: then it stays too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written_otherwise: Vec<String>,
    undecided: bool,
}

/// The name under which a finding speaks of what records have besides the fields of the bars.
const REST: &str = "other fields";

fn difference(field: &str, values: &Value) -> String {
    let [value, other] = <[Shown; 2]>::deserialize(values).unwrap_or([Shown::Nothing, Shown::Nothing]);
    format!("{} {value} instead of {other}", visible(field))
}

impl Described for Duplicate {
    fn name(&self) -> &'static str {
        "duplicate"
    }

    fn explain(&self) -> &'static str {
        include_str!("duplicate.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { copies, kept_rank, differs, written_otherwise, .. } = facts.evidence();
        let other = if kept_rank.is_some() { "the copy that is kept" } else { "another copy" };
        let copies = copies.max(2);
        match facts.cause.and_then(Cause::parse) {
            Some(Cause::Identical) => {
                let same = format!("one of {copies} copies of this bar, with the values of {other}");
                match written_otherwise.as_slice() {
                    [] => same,
                    [first, ..] => format!("{same}; it writes {} otherwise, and stays", visible(first)),
                }
            }
            Some(Cause::Conflicting) => {
                let named = differs.iter().take(FIELDS_NAMED).map(|(field, values)| difference(field, values));
                let named = named.collect::<Vec<_>>().join(", ");
                let rest = match differs.len().saturating_sub(FIELDS_NAMED) {
                    0 => String::new(),
                    rest => format!(", and {rest} more"),
                };
                format!("one of {copies} copies of this bar, with other values than {other}: {named}{rest}")
            }
            None => facts.generic(),
        }
    }
}

impl CheckKind for Duplicate {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Copies
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let key = columns(params.any_fields("key"));
        let given = params.given("compare");
        let mut compared = columns(params.any_fields("compare"));
        let ignored = columns(params.any_fields("ignore"));
        if given && params.given("ignore") {
            params.reject("ignore", "`compare` and `ignore` are both written", "keep one of them");
        }
        let mut written = Vec::new();
        if !given {
            let of_row = |index: &usize| {
                let field = &bars.fields[*index];
                tells_copies_apart(field) && !ignored.contains(index) && !holds(field, &ignored, bars)
            };
            written = (0..bars.fields.len()).filter(of_row).collect();
            written.sort_by_key(|index| usual(&bars.fields[*index].name));
            compared = written.iter().copied().filter(|index| !is_in_key(bars, &bars.fields[*index])).collect();
        } else if compared.is_empty() {
            params.reject(
                "compare",
                "`compare` names no field besides the timestamp",
                "name one, or leave `compare` out",
            );
        }
        let named = |index: usize| (index, Arc::clone(&bars.fields[index].name));
        let compared = compared.into_iter().map(named).collect();
        let written = (!given).then(|| written.into_iter().map(named).collect());
        let keep = match params.choice("keep") {
            "first" => Keep::First,
            "last" => Keep::Last,
            "none" => Keep::None,
            _ => Keep::Best,
        };
        Box::new(Copies { key, compared, written, numbers: bars.numbers.clone(), keep })
    }
}

/// The columns of `fields`; the timestamp is always part of the key and the same in all copies.
fn columns(fields: Vec<FieldRef>) -> Vec<usize> {
    let column = |field| match field {
        FieldRef::Time => None,
        FieldRef::Number(index) | FieldRef::Text(index) => Some(index),
    };
    fields.into_iter().filter_map(column).collect()
}

/// Whether copies that differ in `field` are not the same row: `_id` and numbers of rows, as the index that pandas
/// writes, say nothing of a bar.
fn tells_copies_apart(field: &FieldSpec) -> bool {
    let name = field.source.as_ref();
    let is_index = matches!(name, "" | "__index_level_0__") || name.starts_with("Unnamed: ");
    let counts_rows = name == "_id" || is_index && field.kind == FieldKind::Number;
    !counts_rows && field.constant.is_none() && reserved(name).is_none()
}

/// Whether `field` is a part of what all copies of a bar have in common, however it is written.
fn is_in_key(bars: &BarsSpec, field: &FieldSpec) -> bool {
    bars.series.contains(&field.name) || bars.time.sources.contains(&field.source)
}

/// Whether `field` is an object with one of the fields `ignored` inside: what else is in it are fields of their own.
fn holds(field: &FieldSpec, ignored: &[usize], bars: &BarsSpec) -> bool {
    let inside = |name: &str| name.strip_prefix(&*field.source).is_some_and(|rest| rest.starts_with('.'));
    ignored.iter().any(|index| inside(&bars.fields[*index].source))
}

/// Where a field stands among those that are compared: the usual numbers first, in their order.
fn usual(name: &str) -> usize {
    NUMBERS.iter().position(|usual| *usual == name).unwrap_or(NUMBERS.len())
}

/// Which of several equally good copies of a bar is the bar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// The first where they agree; a person must say where they do not.
    Best,
    First,
    Last,
    /// As [`Keep::Best`], and all are flagged.
    None,
}

/// The parameters of one rule.
struct Copies {
    /// Columns that belong to the key besides the time.
    key: Vec<usize>,
    /// Columns by which copies are identical or conflicting.
    compared: Vec<(usize, Arc<str>)>,
    /// Columns of which a copy that leaves must have the very same as the one that stays; `None` where the rule itself says
    /// by what copies are identical.
    written: Option<Vec<(usize, Arc<str>)>>,
    numbers: NumberFormat,
    keep: Keep,
}

/// What a copy is compared with.
#[derive(Clone, Copy)]
struct Compared {
    reference: usize,
    /// The copy that is not flagged.
    kept: Option<usize>,
    copies: usize,
    /// Whether the copies conflict and none is better than the others.
    undecided: bool,
}

impl Check for Copies {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn keeps_last(&self) -> bool {
        self.keep == Keep::Last
    }

    fn compares_rows(&self) -> bool {
        true
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        findings.evaluated(series.dated().saturating_sub(series.from));
        let mut from = 0;
        while let Some(at) = series.time[from..].windows(2).position(|pair| pair[0] == pair[1]) {
            let start = from + at;
            let same = series.time[start..].iter().take_while(|time| **time == series.time[start]).count();
            self.evaluate_timestamp(series, start..start + same, findings);
            from = start + same;
        }
    }
}

impl Copies {
    /// Evaluates the rows of one timestamp.
    fn evaluate_timestamp(&self, series: &Series<'_>, rows: Range<usize>, findings: &mut FindingSink) {
        let mut rows: Vec<usize> = rows.collect();
        let order = |a: &usize, b: &usize| compare(series, &self.key, *a, *b);
        rows.sort_by(order);
        for rounded in rows.chunk_by(|a, b| order(a, b).is_eq()).filter(|copies| copies.len() > 1) {
            for copies in self.by_exact_key(series, rounded).iter().filter(|copies| copies.len() > 1) {
                self.evaluate_copies(series, copies, findings);
            }
        }
    }

    /// The rows with one key each, of `rows` whose keys are the same where numbers are rounded to 64 bits.
    fn by_exact_key(&self, series: &Series<'_>, rows: &[usize]) -> Vec<Vec<usize>> {
        let same_in = |index: &usize, rows| alike(series, &self.numbers, *index, rows) != Alike::Different;
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for &row in rows {
            match groups.iter_mut().find(|group| self.key.iter().all(|index| same_in(index, (group[0], row)))) {
                Some(group) => group.push(row),
                None => groups.push(vec![row]),
            }
        }
        groups
    }

    /// Evaluates the rows that share a key, given in the order of the source.
    fn evaluate_copies(&self, series: &Series<'_>, copies: &[usize], findings: &mut FindingSink) {
        let best = copies.iter().map(|row| series.standing(*row)).min();
        let best: Vec<usize> = copies.iter().copied().filter(|row| Some(series.standing(*row)) == best).collect();
        let bar = self.bar(series, &best);
        let kept = bar.filter(|_| self.keep != Keep::None);
        let first = copies[0];
        for &row in copies.iter().filter(|row| Some(**row) != kept) {
            let reference = match kept {
                Some(kept) => kept,
                None if row == first => self.first_other(series, copies),
                None => first,
            };
            let undecided = bar.is_none() && best.contains(&row);
            let compared = Compared { reference, kept, copies: copies.len(), undecided };
            let written_otherwise = self.written_otherwise(series, (row, bar.unwrap_or(reference)));
            let stays = undecided || Some(row) == bar || !written_otherwise.is_empty();
            findings.push(self.finding(series, row, compared, written_otherwise).report_only(stays));
        }
    }

    /// The copy that is the bar, of those that are equally good; `None` where only a person can say.
    fn bar(&self, series: &Series<'_>, best: &[usize]) -> Option<usize> {
        let agree = || best[1..].iter().all(|row| !self.differ(series, (best[0], *row)));
        match self.keep {
            Keep::First => best.first().copied(),
            Keep::Last => best.last().copied(),
            Keep::Best | Keep::None => best.first().copied().filter(|_| agree()),
        }
    }

    /// What the first of several copies is compared with where none is kept: one that differs, if any does.
    fn first_other(&self, series: &Series<'_>, copies: &[usize]) -> usize {
        let differs = |row: &&usize| self.differ(series, (copies[0], **row));
        copies[1..].iter().find(differs).copied().unwrap_or(copies[1])
    }

    /// The compared fields in which two rows differ.
    fn differing<'a>(
        &'a self,
        series: &'a Series<'_>,
        rows: (usize, usize),
    ) -> impl Iterator<Item = &'a (usize, Arc<str>)> {
        let differs = move |index: usize| alike(series, &self.numbers, index, rows) == Alike::Different;
        self.compared.iter().filter(move |(index, _)| differs(*index))
    }

    /// Whether two rows differ in a compared field, or in what their records have besides.
    fn differ(&self, series: &Series<'_>, rows: (usize, usize)) -> bool {
        self.differing(series, rows).next().is_some() || self.rest_differs(series, rows)
    }

    fn rest_differs(&self, series: &Series<'_>, (a, b): (usize, usize)) -> bool {
        self.written.is_some() && series.rest(a) != series.rest(b)
    }

    /// What two rows with the same values write otherwise, where a copy may leave only if it is the same row.
    fn written_otherwise(&self, series: &Series<'_>, rows: (usize, usize)) -> Vec<String> {
        let Some(written) = self.written.as_ref().filter(|_| matches!(self.keep, Keep::Best | Keep::None)) else {
            return Vec::new();
        };
        if self.differ(series, rows) {
            return Vec::new();
        }
        let otherwise = |(index, _): &&(usize, Arc<str>)| alike(series, &self.numbers, *index, rows) != Alike::Same;
        let time = (alike_in_time(series, rows) != Alike::Same).then(|| TIME.to_owned());
        written.iter().filter(otherwise).map(|(_, name)| name.to_string()).chain(time).collect()
    }

    fn finding(&self, series: &Series<'_>, row: usize, compared: Compared, written_otherwise: Vec<String>) -> Finding {
        let Compared { reference, kept, copies, undecided } = compared;
        let mut differs = Map::new();
        for (index, name) in self.differing(series, (row, reference)) {
            let shown = |row: usize| shown(series, *index, row);
            differs.insert(name.to_string(), json!([shown(row), shown(reference)]));
        }
        if self.rest_differs(series, (row, reference)) {
            let rest = |row: usize| series.rest(row).map_or(Shown::Nothing, |text| Shown::Text(text.to_owned()));
            differs.insert(REST.to_owned(), json!([rest(row), rest(reference)]));
        }
        let cause = if differs.is_empty() { Cause::Identical } else { Cause::Conflicting };
        let evidence = Evidence {
            copies,
            rank: series.source_rank[row],
            kept_rank: kept.map(|kept| series.source_rank[kept]),
            compared_rank: series.source_rank[reference],
            differs,
            written_otherwise,
            undecided,
        };
        let finding = Finding::row(row).cause(cause).evidence(evidence);
        match self.differing(series, (row, reference)).next() {
            Some((_, name)) => finding.field(name),
            None => finding,
        }
    }
}

/// Orders rows by the values of `columns`; equal only where all are.
fn compare(series: &Series<'_>, columns: &[usize], a: usize, b: usize) -> Ordering {
    let each = columns.iter().map(|index| compare_in(series.columns[*index], a, b));
    each.fold(Ordering::Equal, Ordering::then)
}

/// Orders two values of a column. NULL equals NULL, every NaN equals every NaN, other numbers are equal where
/// their bits are.
fn compare_in(column: Column<'_>, a: usize, b: usize) -> Ordering {
    match column {
        Column::Absent => Ordering::Equal,
        Column::Number(column) => {
            let bits =
                |row| column.get(row).map(|value| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() });
            bits(a).cmp(&bits(b))
        }
        Column::Text(column) => (column.get(a), column.other(a)).cmp(&(column.get(b), column.other(b))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::checks::Standing;
    use crate::checks::testing::{Evaluated, Fixture, compile};

    const RULE: &str = "check = \"duplicate\"";

    /// Start row and cause of each finding.
    fn found(evaluated: &Evaluated) -> Vec<(usize, &'static str)> {
        let start = |finding: &Finding| finding.rows.as_ref().map_or(usize::MAX, |rows| rows.start);
        evaluated.findings.iter().map(|finding| (start(finding), finding.cause.unwrap_or(""))).collect()
    }

    fn evidence(evaluated: &Evaluated, finding: usize) -> Value {
        evaluated.findings[finding].evidence.clone().unwrap_or_default()
    }

    #[test]
    fn distinct_timestamps_are_clean() {
        let evaluated = Fixture::daily("time,close\n2024-01-02,1\n2024-01-03,1\n").evaluate(RULE);
        assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 2));
    }

    #[test]
    fn second_copy_is_flagged_and_told_identical_or_conflicting() {
        let bars = Fixture::daily(
            "time,close,volume\n2024-01-02,1,5\n2024-01-03,1,5\n2024-01-02,1,5\n2024-01-03,1,6\n2024-01-04,2,5",
        );
        let evaluated = bars.evaluate("check = \"duplicate\"\nkeep = \"first\"");
        assert_eq!(found(&evaluated), [(1, "identical"), (3, "conflicting")]);
        assert_eq!(evaluated.findings[1].field.as_deref(), Some("volume"));
        let expected = json!({"copies": 2, "rank": 3, "kept_rank": 1, "compared_rank": 1, "differs": {"volume": [6.0, 5.0]},
                   "undecided": false});
        assert_eq!(evidence(&evaluated, 1), expected);
    }

    #[test]
    fn last_copy_is_kept_where_the_rule_says_so() {
        let bars = Fixture::daily("time,close\n2024-01-02,1\n2024-01-02,2\n2024-01-02,2");
        assert_eq!(
            found(&bars.evaluate("check = \"duplicate\"\nkeep = \"last\"")),
            [(0, "conflicting"), (1, "identical")]
        );
    }

    #[test]
    fn every_copy_is_flagged_where_none_is_kept() {
        let bars = Fixture::daily("time,close\n2024-01-02,1\n2024-01-02,1\n2024-01-02,2\n2024-01-03,2");
        let evaluated = bars.evaluate("check = \"duplicate\"\nkeep = \"none\"");
        assert_eq!(found(&evaluated), [(0, "conflicting"), (1, "identical"), (2, "conflicting")]);
        assert_eq!(evidence(&evaluated, 0)["kept_rank"], Value::Null);
        assert_eq!(evidence(&evaluated, 0)["compared_rank"], json!(2));
    }

    #[test]
    fn rejected_copy_is_not_kept_where_a_clean_one_exists() {
        let csv = "time,close\n2024-01-02,0\n2024-01-02,7\n2024-01-02,8";
        let first = "check = \"duplicate\"\nkeep = \"first\"";
        let stand = |rows: &[usize]| Fixture::daily(csv).stand(rows, Standing::Rejected);
        assert_eq!(found(&stand(&[0]).evaluate(first)), [(0, "conflicting"), (2, "conflicting")]);
        let last = "check = \"duplicate\"\nkeep = \"last\"";
        assert_eq!(found(&stand(&[2]).evaluate(last)), [(0, "conflicting"), (2, "conflicting")]);
        assert_eq!(found(&stand(&[0, 1, 2]).evaluate(first)), [(1, "conflicting"), (2, "conflicting")], "one is kept");
    }

    #[test]
    fn copies_that_conflict_and_are_equally_good_are_all_reported_and_stay() {
        let csv = "time,close\n2024-01-02,7\n2024-01-02,8\n2024-01-03,7\n2024-01-03,7";
        let evaluated = Fixture::daily(csv).evaluate(RULE);
        assert_eq!(found(&evaluated), [(0, "conflicting"), (1, "conflicting"), (3, "identical")]);
        let stays: Vec<bool> = evaluated.findings.iter().map(|finding| finding.report_only).collect();
        assert_eq!(stays, [true, true, false]);
        assert_eq!(evidence(&evaluated, 0)["undecided"], json!(true));
    }

    #[test]
    fn the_copy_with_the_fewest_findings_is_the_bar() {
        let bars = || Fixture::daily("time,close\n2024-01-02,7\n2024-01-02,8\n2024-01-02,9");
        for (standing, keep) in [(Standing::Good(1), "best"), (Standing::Moved, "best"), (Standing::Good(2), "first")] {
            let evaluated = bars().stand(&[0, 2], standing).evaluate(&format!("{RULE}\nkeep = \"{keep}\""));
            assert_eq!(found(&evaluated), [(0, "conflicting"), (2, "conflicting")]);
            assert!(evaluated.findings.iter().all(|finding| !finding.report_only));
        }
    }

    #[test]
    fn where_all_copies_are_flagged_one_that_could_be_the_bar_stays() {
        let rule = format!("{RULE}\nkeep = \"none\"");
        let stays = |csv: &str| -> Vec<bool> {
            let evaluated = Fixture::daily(csv).evaluate(&rule);
            evaluated.findings.iter().map(|finding| finding.report_only).collect()
        };
        assert_eq!(stays("time,close\n2024-01-02,7\n2024-01-02,7\n2024-01-02,7"), [true, false, false]);
        assert_eq!(stays("time,close\n2024-01-02,7\n2024-01-02,8"), [true, true]);
    }

    #[test]
    fn null_equals_null_and_nan_equals_nan_but_not_each_other() {
        let bars = Fixture::daily(
            "time,close\n2024-01-02,\n2024-01-02,\n2024-01-03,NaN\n2024-01-03,-NaN\n2024-01-04,\n2024-01-04,NaN",
        );
        let evaluated = bars.evaluate(RULE);
        let expected = [(1, "identical"), (3, "identical"), (4, "conflicting"), (5, "conflicting")];
        assert_eq!(found(&evaluated), expected);
        assert_eq!(evidence(&evaluated, 3)["differs"]["close"], json!(["NaN", null]));
    }

    #[test]
    fn key_field_makes_copies_bars_of_their_own() {
        let bars = Fixture::daily(
            "time,close,period\n2024-01-02,1,day\n2024-01-02,1,week\n2024-01-02,1,day\n2024-01-02,1,\n2024-01-02,1,",
        );
        assert_eq!(
            found(&bars.evaluate("check = \"duplicate\"\nkey = [\"time\", \"period\"]")),
            [(4, "identical"), (2, "identical")]
        );
    }

    #[test]
    fn fields_that_are_not_compared_do_not_make_a_conflict() {
        let bars = Fixture::daily("time,close,vendor,fetched\n2024-01-02,1,a,7\n2024-01-02,1,b,8");
        assert_eq!(
            found(&bars.evaluate(RULE)),
            [(0, "conflicting"), (1, "conflicting")],
            "nothing is lost with a copy"
        );
        let ignoring = bars.evaluate("check = \"duplicate\"\nignore = [\"vendor\", \"fetched\"]");
        assert_eq!(found(&ignoring), [(1, "identical")]);
        let evaluated = bars.evaluate("check = \"duplicate\"\nkeep = \"first\"\ncompare = [\"vendor\", \"close\"]");
        assert_eq!(found(&evaluated), [(1, "conflicting")]);
        assert_eq!(evidence(&evaluated, 0)["differs"], json!({"vendor": ["b", "a"]}));
    }

    #[test]
    fn bars_without_usual_numbers_are_compared_by_all_their_numbers() {
        let bars = Fixture::daily("time,nav\n2024-01-02,1\n2024-01-02,2");
        assert_eq!(found(&bars.evaluate(RULE)), [(0, "conflicting"), (1, "conflicting")]);
    }

    #[test]
    fn rows_without_a_timestamp_are_not_evaluated() {
        let evaluated = Fixture::daily("time,close\n17,1\n17,1\n,1\n,1").evaluate(RULE);
        assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 0));
    }

    #[test]
    fn empty_series_is_clean() {
        assert_eq!(Fixture::column("close", &[]).evaluate(RULE).findings, []);
    }

    #[test]
    fn unknown_copy_and_empty_comparison_are_mistakes() {
        let bars = Fixture::column("close", &[]);
        let rule = "check = \"duplicate\"\nkeep = \"lats\"\ncompare = \"time\"\nkey = \"perid\"";
        let mistakes = compile(rule, &bars.spec).err().unwrap_or_default();
        let text: String = mistakes.iter().map(|mistake| mistake.render(false)).collect();
        assert!(text.contains("did you mean `last`?"), "{text}");
        assert!(text.contains("names no field besides the timestamp"), "{text}");
        assert!(text.contains("uses a field these bars do not have"), "{text}");
    }

    proptest! {
        #[test]
        fn one_copy_of_each_key_stays(
            rows in prop::collection::vec((1..5u8, 0..3u8, prop::bool::ANY), 0..30),
            last in prop::bool::ANY,
        ) {
            let lines: Vec<String> = rows.iter().map(|(day, key, _)| format!("2024-01-0{day},1,k{key}\n")).collect();
            let csv = lines.concat();
            // The first row, of a day of its own, makes the key a text.
            let mut bars = Fixture::daily(&format!("time,close,key\n2023-12-31,1,k\n{csv}"));
            // The fixture sorts by (day, place); the oracle needs the same positions.
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_by_key(|i| (rows[*i].0, *i));
            let rejected: Vec<usize> = (0..order.len()).filter(|p| rows[order[*p]].2).map(|p| p + 1).collect();
            bars = bars.stand(&rejected, Standing::Rejected);
            let mut groups: BTreeMap<(u8, u8), Vec<usize>> = BTreeMap::new();
            for (position, i) in order.iter().enumerate() {
                groups.entry((rows[*i].0, rows[*i].1)).or_default().push(position + 1);
            }
            let mut expected = Vec::new();
            for group in groups.values() {
                let clean: Vec<usize> = group.iter().copied().filter(|row| !rejected.contains(row)).collect();
                let pool = if clean.is_empty() { group } else { &clean };
                let kept = if last { pool[pool.len() - 1] } else { pool[0] };
                expected.extend(group.iter().copied().filter(|row| *row != kept));
            }
            expected.sort_unstable();
            let keep = if last { "last" } else { "first" };
            let evaluated = bars.evaluate(&format!("check = \"duplicate\"\nkey = \"key\"\nkeep = \"{keep}\""));
            let mut flagged: Vec<usize> = found(&evaluated).into_iter().map(|(row, _)| row).collect();
            flagged.sort_unstable();
            prop_assert_eq!(flagged, expected);
        }
    }
}
