//! `[[rule.test]]`: rows written into a rule file, and which of them the rule must flag.

use std::ops::Range;

use chrono_tz::Tz;
use toml::Spanned;
use toml::de::DeValue;

use crate::bars::{BarsSpec, TIME};
use crate::schema::diagnostic::{Diagnostic, suggestion};
use crate::schema::keys::Otherwise::Mistake;
use crate::schema::keys::{Holds, Section, key};
use crate::schema::moment::Moment;
use crate::schema::reader::{Reader, number_of};
use crate::schema::section::SectionReader;

/// A test case of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    /// What it shows.
    pub name: String,
    /// The rows of one series, in order; each lists fields (by the names rules use) and their values. A field
    /// that is not listed is NULL. At least one row.
    pub rows: Vec<Vec<(String, Literal)>>,
    /// Indices of the rows the rule must flag, ascending, from 0; it must flag no other.
    pub flag: Vec<usize>,
    /// Where the case begins in the rule file.
    pub span: Range<usize>,
}

/// A value in a test row.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A number; may be NaN or infinite.
    Number(f64),
    /// Text.
    Text(String),
    /// A truth value.
    Boolean(bool),
    /// A TOML date or time: µs UTC on the scale of the bars' timestamps.
    Time(i64),
}

/// The code of a test row with a field that the bars do not have.
pub(super) const UNKNOWN_FIELD: &str = "unknown-test-field";

pub(super) const TEST: Section = Section {
    name: "the test",
    doc: "Rows, and which of them the rule must flag.",
    keys: &[
        key("name", Holds::Text, Mistake, "What the case shows."),
        key(
            "rows",
            Holds::Rows,
            Mistake,
            "Rows of one series in order, each a table of fields; a field left out is NULL.",
        ),
        key("flag", Holds::Indices, Mistake, "Indices (from 0) of the rows that must be flagged; `[]` for none."),
    ],
};

/// Reads the test cases of a rule over `bars`, where those are known.
pub(super) fn read(rule: &mut SectionReader<'_>, bars: Option<&BarsSpec>) -> Vec<RuleTest> {
    let mut tests = Vec::new();
    for mut section in rule.sections("test") {
        let name = section.text("name").map(Spanned::into_inner).unwrap_or_default();
        let span = section.reader().span();
        let rows = read_rows(&mut section, bars);
        let flag = read_flag(&mut section, rows.len());
        tests.push(RuleTest { name, rows, flag, span });
        rule.absorb(section.finish());
    }
    tests
}

fn read_flag(section: &mut SectionReader<'_>, rows: usize) -> Vec<usize> {
    let mut flag = Vec::new();
    for index in section.indices("flag") {
        match usize::try_from(*index.get_ref()).ok().filter(|index| *index < rows) {
            Some(index) => flag.push(index),
            None => {
                let title = format!("the test has no row {}", index.get_ref());
                section.reject_at(
                    index.span(),
                    title,
                    format!("it has {rows} {}, counted from 0", if rows == 1 { "row" } else { "rows" }),
                );
            }
        }
    }
    flag.sort_unstable();
    flag.dedup();
    flag
}

fn read_rows(section: &mut SectionReader<'_>, bars: Option<&BarsSpec>) -> Vec<Vec<(String, Literal)>> {
    let Some(tables) = section.reader().tables("rows") else { return Vec::new() };
    if tables.is_empty() && section.reader().value("rows").is_some_and(|rows| is_empty_array(rows.get_ref())) {
        section.reject("rows", "a test needs at least one row", "write rows, e.g. `[{ close = 10.0 }]`");
    }
    let mut rows = Vec::with_capacity(tables.len());
    for mut table in tables {
        let mut row = Vec::new();
        for (name, span) in table.keys() {
            if let Some(literal) = read_literal(&mut table, name, bars) {
                row.push((name.to_owned(), literal));
            }
            reject_unknown_field(&mut table, name, span, bars);
        }
        section.absorb(table.finish("a test row"));
        rows.push(row);
    }
    rows
}

fn is_empty_array(value: &DeValue<'_>) -> bool {
    value.as_array().is_some_and(|array| array.is_empty())
}

fn reject_unknown_field(table: &mut Reader<'_>, name: &str, span: Range<usize>, bars: Option<&BarsSpec>) {
    let Some(bars) = bars.filter(|bars| name != TIME && bars.field(name).is_none()) else { return };
    let title = format!("a test row has the field `{name}`, which these bars do not have");
    let mistake = Diagnostic::new(UNKNOWN_FIELD, title, table.file(), span).label("unknown field");
    table.push(mistake.help(suggestion(name, "fields", bars.names())));
}

fn read_literal(table: &mut Reader<'_>, name: &str, bars: Option<&BarsSpec>) -> Option<Literal> {
    let value = table.value(name)?;
    match value.get_ref() {
        DeValue::String(_) => table.string(name).map(|text| Literal::Text(text.into_inner())),
        DeValue::Boolean(flag) => Some(Literal::Boolean(*flag)),
        DeValue::Datetime(datetime) => {
            let (zone, daily) = bars.map_or((Tz::UTC, true), |bars| (bars.time.zone, bars.daily()));
            let time = Moment::parse(&datetime.to_string()).and_then(|moment| moment.resolve(zone, daily));
            time.map_err(|problem| table.reject(name, "bad-value", problem).label.clear()).ok().map(Literal::Time)
        }
        number => {
            let parsed = number_of(number);
            if parsed.is_none() {
                table.wrong_type(name, value, "a number, a string, a boolean or a time");
            }
            parsed.map(Literal::Number)
        }
    }
}
