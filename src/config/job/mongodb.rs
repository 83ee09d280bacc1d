//! `[source.mongodb]`: which collection holds the bars, and which of its documents.
//!
//! A filter is made of typed values and of operators that only compare; whatever runs code on the server or looks into
//! other collections cannot be written down.

use secrecy::SecretString;
use toml::Spanned;
use toml::de::DeValue;

use super::name_pattern::NamePattern;
use super::path::JobPath;
use crate::bars::column::reserved;
use crate::schema::diagnostic::{Diagnostic, suggestion};
use crate::schema::keys::Otherwise::{Flag, Mistake, Nothing};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::moment::Moment;
use crate::schema::reader::Reader;
use crate::schema::section::SectionReader;

/// The longest regular expression in a filter, in bytes.
const LONGEST_REGEX: usize = 256;

/// A collection as a source.
#[derive(Debug, Clone)]
pub struct MongoSource {
    /// How to reach the server.
    pub uri: Uri,
    /// The database.
    pub database: String,
    /// The collection, or the pattern of their names where it is several.
    pub collection: String,
    /// What distinguishes the collections of the source from others, where `{field}` is in the name.
    pub pattern: Option<NamePattern>,
    /// The field of a document that holds its bars; `None` where every document is a bar.
    pub unwind: Option<String>,
    /// Conditions on documents; one that breaks any is not read.
    pub filter: Vec<Condition>,
    /// Whether a server that is not on this machine may be spoken to without TLS.
    pub allow_plaintext: bool,
    /// Whether rows may be removed from a sharded collection.
    pub allow_sharded: bool,
}

/// Where the connection string is.
#[derive(Debug, Clone)]
pub enum Uri {
    /// From the environment, or without a password in the job.
    Given(SecretString),
    /// In a file that only its owner may read.
    File(JobPath),
}

/// What is asked of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The field, by its name in the source; a dot leads into a nested document.
    pub field: String,
    /// All of these hold.
    pub tests: Vec<Test>,
}

/// An operator with what a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// As MongoDB calls it, e.g. `$gte`; one of [`OPERATORS`].
    pub operator: &'static str,
    /// One value, or several for `$in` and `$nin`.
    pub operand: Operand,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A string; for `$regex` the expression.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A truth value; for `$exists` whether there is a field.
    Boolean(bool),
    /// An instant, µs UTC; MongoDB keeps milliseconds.
    Instant(i64),
    /// Any of these.
    AnyOf(Vec<Operand>),
}

/// Operators that a filter may use: they compare values and do nothing else.
pub const OPERATORS: &[&str] = &["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex"];

pub(super) const MONGODB: Section = Section {
    name: "`[source.mongodb]`",
    doc: "A collection of a MongoDB server as a source.",
    keys: &[
        key("uri", Holds::Text, Nothing, "The connection string, from the environment: `${MONGODB_URI}`."),
        key(
            "uri_file",
            Holds::Text,
            Nothing,
            "A file of mode 0600 with the connection string, relative to the job file.",
        ),
        key("database", Holds::Text, Mistake, "The database."),
        key(
            "collection",
            Holds::Text,
            Mistake,
            "The collection; `bars_{symbol}` reads all with such names as one source, and the piece is a field.",
        ),
        key(
            "unwind",
            Holds::Text,
            Nothing,
            "The field of a document that holds its bars: an array of subdocuments, or an object whose keys become the field `key`.",
        ),
        key(
            "filter",
            Holds::MongoFilter,
            Nothing,
            "Fields and what they must be: a value, or operators such as `{ \"$gte\" = 5 }`. Other documents are not read.",
        ),
        key(
            "allow_plaintext",
            Holds::Flag,
            Flag(false),
            "Whether a server that is not on this machine may be spoken to without TLS.",
        ),
        key("allow_sharded", Holds::Flag, Flag(false), "Whether rows may be removed from a sharded collection."),
    ],
};

pub(super) fn read(mut section: SectionReader<'_>) -> (Option<MongoSource>, Vec<Diagnostic>) {
    let uri = read_uri(&mut section);
    let database = section.text("database").map(Spanned::into_inner);
    let collection = section.text("collection");
    if let Some(name) = &collection
        && (name.get_ref().starts_with("system.") || name.get_ref().contains('$'))
    {
        section.reject("collection", "collections of the server itself hold no bars", "name a collection of your own");
    }
    let pattern = collection.as_ref().and_then(|name| read_pattern(&mut section, name.get_ref()));
    let unwind = section.text("unwind").map(Spanned::into_inner);
    let filter = read_filter(&mut section);
    let of_name = |condition: &&Condition| {
        pattern.as_ref().is_some_and(|pattern| pattern.fields().any(|field| field == condition.field))
    };
    if let Some(Condition { field, .. }) = filter.iter().find(of_name) {
        let title = format!("`{field}` is a piece of the collection's name, which no document has");
        section.reject("filter", title, "write the name of the collection that is meant, or use `--series`");
    }
    let (allow_plaintext, allow_sharded) = (section.flag("allow_plaintext"), section.flag("allow_sharded"));
    let mistakes = section.finish();
    let source = || {
        Some(MongoSource {
            uri: uri?,
            database: database?,
            collection: collection?.into_inner(),
            pattern,
            unwind,
            filter,
            allow_plaintext,
            allow_sharded,
        })
    };
    (if mistakes.is_empty() { source() } else { None }, mistakes)
}

fn read_pattern(section: &mut SectionReader<'_>, name: &str) -> Option<NamePattern> {
    let pattern = match NamePattern::parse(name) {
        Ok(pattern) => pattern?,
        Err(problem) => {
            section.reject("collection", problem, "write for instance `bars_{symbol}`: the piece becomes the field");
            return None;
        }
    };
    for field in pattern.fields() {
        if let Some(reason) = reserved(field) {
            section.reject("collection", format!("`{{{field}}}` cannot be a field: {reason}"), "name it otherwise");
        }
    }
    Some(pattern)
}

fn read_uri(section: &mut SectionReader<'_>) -> Option<Uri> {
    let job = &section.file().path;
    let (named, filed) = (section.has("uri"), section.has("uri_file"));
    let (uri, file) = (section.text("uri"), section.text("uri_file"));
    if named && filed {
        section.reject("uri_file", "`uri` and `uri_file` are both written", "keep one of them");
    }
    if !named && !filed {
        let span = section.reader().span();
        section.reject_at(span, "the server is not named", "write `uri = \"${MONGODB_URI}\"`, or `uri_file`");
    }
    if let Some(file) = file {
        return Some(Uri::File(JobPath::new(job, file.into_inner())));
    }
    let uri = uri?.into_inner();
    if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") {
        let help = "it begins with `mongodb://` or `mongodb+srv://`";
        section.reject("uri", "this is not a connection string of MongoDB", help);
    }
    Some(Uri::Given(SecretString::from(uri)))
}

fn read_filter(section: &mut SectionReader<'_>) -> Vec<Condition> {
    let Some(mut table) = section.reader().table("filter") else { return Vec::new() };
    let mut conditions = Vec::new();
    for (name, span) in table.keys() {
        if name.starts_with('$') {
            table.value(name);
            let title = format!("`{name}` is not a field: a filter is made of fields and what they must be");
            let help = "operators that combine conditions or run code on the server are not allowed in a job";
            table.push(Diagnostic::new("bad-value", title, section.file(), span).help(help));
        } else if let Some(tests) = read_tests(&mut table, name) {
            conditions.push(Condition { field: name.to_owned(), tests });
        }
    }
    let mistakes = table.finish("`filter`");
    section.absorb(mistakes);
    conditions
}

fn read_tests(table: &mut Reader<'_>, field: &str) -> Option<Vec<Test>> {
    let value = table.value(field)?;
    let DeValue::Table(_) = value.get_ref() else {
        let operand = read_operand(table, field)?;
        let operator = if matches!(operand, Operand::AnyOf(_)) { "$in" } else { "$eq" };
        return Some(vec![Test { operator, operand }]);
    };
    let mut part = table.table(field)?;
    let mut tests = Vec::new();
    for (name, span) in part.keys() {
        match OPERATORS.iter().find(|operator| **operator == name) {
            Some(operator) => tests.extend(read_test(&mut part, operator)),
            None => {
                part.value(name);
                let title = format!("`{name}` is not an operator that a filter may use");
                let help = suggestion(name, "operators", OPERATORS.iter().copied());
                let mistake = Diagnostic::new("bad-value", title, part.file(), span).help(help);
                part.push(mistake);
            }
        }
    }
    if tests.is_empty() && part.diagnostics.is_empty() {
        part.reject_whole("an empty table compares with nothing", "write a value, or an operator with one");
    }
    let mistakes = part.finish("a condition");
    table.absorb(mistakes);
    Some(tests)
}

fn read_test(part: &mut Reader<'_>, operator: &'static str) -> Option<Test> {
    let operand = read_operand(part, operator)?;
    let fits = match (operator, &operand) {
        ("$in" | "$nin", Operand::AnyOf(_)) | ("$exists", Operand::Boolean(_)) => Ok(()),
        ("$in" | "$nin", _) => Err("an array of values"),
        ("$exists", _) => Err("true or false"),
        ("$regex", Operand::Text(text)) if text.len() <= LONGEST_REGEX => Ok(()),
        ("$regex", _) => Err("a regular expression of at most 256 bytes"),
        (_, Operand::AnyOf(_)) => Err("one value"),
        _ => Ok(()),
    };
    if let Err(wanted) = fits {
        part.reject(operator, "bad-value", format!("`{operator}` takes {wanted}"));
        return None;
    }
    Some(Test { operator, operand })
}

fn read_operand(table: &mut Reader<'_>, name: &str) -> Option<Operand> {
    let value = table.value(name)?;
    match value.get_ref() {
        DeValue::String(_) => table.string(name).map(|text| Operand::Text(text.into_inner())),
        DeValue::Integer(_) => table.integer(name).map(|number| Operand::Integer(number.into_inner())),
        DeValue::Float(_) => table.number(name).map(|number| Operand::Float(number.into_inner())),
        DeValue::Boolean(flag) => Some(Operand::Boolean(*flag)),
        DeValue::Datetime(datetime) => match Moment::parse(&datetime.to_string()) {
            Ok(Moment::Instant(micros)) => Some(Operand::Instant(micros)),
            _ => {
                table.reject(name, "bad-value", "a date of MongoDB is an instant: write the time and its offset");
                None
            }
        },
        DeValue::Array(items) => {
            let texts = items.iter().all(|item| matches!(item.get_ref(), DeValue::String(_)));
            let items = match texts {
                true => table.strings(name)?.into_iter().map(|text| Operand::Text(text.into_inner())).collect(),
                false => {
                    table.integers(name)?.into_iter().map(|number| Operand::Integer(number.into_inner())).collect()
                }
            };
            Some(Operand::AnyOf(items))
        }
        DeValue::Table(_) => {
            table.wrong_type(name, value, "a value, or an array of strings or integers");
            None
        }
    }
}

/// For messages: the collection as a person names it.
impl MongoSource {
    /// `database.collection`.
    pub fn namespace(&self) -> String {
        format!("{}.{}", self.database, self.collection)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::{Source, read};
    use super::*;
    use crate::schema::diagnostic::SourceText;
    use crate::schema::reader::Environment;

    fn draft(source: &str) -> super::super::Draft {
        let text = format!(
            "name = \"a\"\nrules = [\"r.toml\"]\n[source.mongodb]\n{source}\n[bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\n"
        );
        let file = Arc::new(SourceText { path: "jobs/a.toml".into(), text });
        let secret = ("URI".to_owned(), "mongodb://me:hush@127.0.0.1:27017".to_owned());
        read(&file, &Environment::new([secret]))
    }

    fn source(text: &str) -> MongoSource {
        let draft = draft(text);
        match draft.job.map(|job| job.source) {
            Some(Source::Mongodb(source)) => source,
            other => panic!("{other:?} {:?}", draft.mistakes),
        }
    }

    fn mistakes(text: &str) -> Vec<String> {
        draft(text).mistakes.into_iter().map(|mistake| mistake.title).collect()
    }

    const WHERE: &str = "uri = \"${URI}\"\ndatabase = \"d\"\ncollection = \"c\"\n";

    #[test]
    fn a_collection_is_named_and_its_uri_never_shown() {
        let source = source(WHERE);
        assert_eq!(source.namespace(), "d.c");
        assert!(!source.allow_plaintext && !source.allow_sharded && source.filter.is_empty());
        assert!(!format!("{source:?}").contains("hush"));
    }

    #[test]
    fn filters_are_typed_values_and_comparisons() {
        let text = format!(
            "{WHERE}filter = {{ period = \"daily\", n = {{ \"$gte\" = 5, \"$lt\" = 7.5 }}, s = [\"a\", \"b\"], t = 2024-01-02T00:00:00Z, x = {{ \"$exists\" = true }} }}"
        );
        let filter = source(&text).filter;
        let one = |operator, operand| Test { operator, operand };
        let text = |text: &str| Operand::Text(text.to_owned());
        let find = |field: &str| filter.iter().find(|condition| condition.field == field).unwrap().tests.clone();
        assert_eq!(find("period"), [one("$eq", text("daily"))]);
        assert_eq!(find("n"), [one("$gte", Operand::Integer(5)), one("$lt", Operand::Float(7.5))]);
        assert_eq!(find("s"), [one("$in", Operand::AnyOf(vec![text("a"), text("b")]))]);
        assert_eq!(find("t"), [one("$eq", Operand::Instant(1_704_153_600_000_000))]);
        assert_eq!(find("x"), [one("$exists", Operand::Boolean(true))]);
    }

    #[test]
    fn what_runs_code_or_combines_is_refused_at_any_depth() {
        for (filter, title) in [
            ("{ \"$where\" = \"1\" }", "`$where` is not a field: a filter is made of fields and what they must be"),
            ("{ a = { \"$function\" = \"x\" } }", "`$function` is not an operator that a filter may use"),
            ("{ a = { \"$in\" = \"x\" } }", "`$in` takes an array of values"),
            ("{ a = { \"$gt\" = [\"x\"] } }", "`$gt` takes one value"),
            (
                "{ a = { \"$eq\" = { \"$where\" = \"x\" } } }",
                "`$eq` must be a value, or an array of strings or integers",
            ),
        ] {
            let found = mistakes(&format!("{WHERE}filter = {filter}"));
            assert!(found.iter().any(|found| found == title), "{filter}: {found:?}");
        }
    }

    #[test]
    fn a_name_with_a_piece_stands_for_several_collections() {
        let named = |name: &str| format!("uri = \"${{URI}}\"\ndatabase = \"d\"\ncollection = \"{name}\"\n");
        let many = source(&named("bars_{symbol}"));
        assert_eq!((many.namespace().as_str(), many.collection.as_str()), ("d.bars_{symbol}", "bars_{symbol}"));
        assert_eq!(many.pattern.unwrap().fields().collect::<Vec<_>>(), ["symbol"]);
        assert!(source(WHERE).pattern.is_none());
        assert_eq!(
            mistakes(&format!("{}filter = {{ symbol = \"A\" }}", named("bars_{symbol}"))),
            ["`symbol` is a piece of the collection's name, which no document has"]
        );
        assert_eq!(mistakes(&named("bars_{}")), ["`{}` names no field"]);
        assert_eq!(mistakes(&named("bars_{__id}")), ["`{__id}` cannot be a field: this name is one of barkeep's own"]);
    }

    #[test]
    fn the_field_that_holds_the_bars_is_named() {
        assert_eq!(source(&format!("{WHERE}unwind = \"bars\"")).unwind.as_deref(), Some("bars"));
        assert_eq!(source(WHERE).unwind, None);
        assert_eq!(mistakes(&format!("{WHERE}unwind = \"\"")), ["`unwind` is empty"]);
    }

    #[test]
    fn a_server_that_is_not_named_or_named_twice_is_a_mistake() {
        assert_eq!(mistakes("database = \"d\"\ncollection = \"c\""), ["the server is not named"]);
        assert_eq!(mistakes(&format!("{WHERE}uri_file = \"x\"")), ["`uri` and `uri_file` are both written"]);
        assert_eq!(
            mistakes("uri = \"localhost\"\ndatabase = \"d\"\ncollection = \"c\""),
            ["this is not a connection string of MongoDB"]
        );
        let Uri::File(path) = source("uri_file = \"x\"\ndatabase = \"d\"\ncollection = \"c\"").uri else { panic!() };
        assert_eq!(path.resolved, Path::new("jobs/x"));
    }
}
