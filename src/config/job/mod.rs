//! The job file: which bars to read, which rules to evaluate them by, and what a run may do.
//!
//! [`read`] turns the text into checked values and collects every mistake. It opens no file and reads no clock:
//! the paths in a [`Job`] are only resolved, and what the source holds is not known here.

mod bars;
mod calendars;
mod elsewhere;
mod factor;
mod facts;
mod fields;
mod files;
mod market;
mod mongodb;
mod name_pattern;
mod notify;
mod numbers;
mod path;
mod run;
mod schedule;
mod source;
mod wide;
mod zone;

use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

pub use bars::{Bars, Time};
pub use facts::FactFiles;
pub use fields::FieldName;
pub use files::{FileFormat, FileSource, Filter, FilterValue, Writers};
pub use market::Align;
pub use mongodb::{Condition, MongoSource, OPERATORS, Operand, Test, Uri};
pub use name_pattern::{Match, NamePattern};
pub use path::JobPath;
pub use run::{Limits, ParseError, Quarantine, Window};
pub use schedule::OwnSchedule;
pub use source::{OwnBars, Source};

use super::document;
use crate::decide::FailOn;
use crate::notify::Settings;
use crate::schema::diagnostic::{Diagnostic, SourceText};
use crate::schema::keys::Otherwise::{Mistake, Nothing, Text};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::reader::{Environment, Reader};
use crate::schema::section::SectionReader;

/// A job file without mistakes.
#[derive(Debug, Clone)]
pub struct Job {
    /// The file, passwords redacted out.
    pub file: Arc<SourceText>,
    /// Its name: part of report paths and of the identity of findings.
    pub name: String,
    /// The rule files, in the order they are written; at least one.
    pub rules: Vec<JobPath>,
    /// Where the bars come from.
    pub source: Source,
    /// What the bars are.
    pub bars: Bars,
    /// Which bars a run looks at.
    pub window: Window,
    /// What a run may move.
    pub limits: Limits,
    /// Where moved rows are kept, and for how long.
    pub quarantine: Quarantine,
    /// Where reports are written.
    pub report_dir: JobPath,
    /// Where the job keeps what it remembers from run to run.
    pub state_dir: JobPath,
    /// Of how many days and of how many months with runs the reports are kept; all where the job does not say.
    pub keep_reports: Option<(usize, usize)>,
    /// Whether every run writes its page.
    pub report_page: bool,
    /// What a value that does not decode is.
    pub parse_error: ParseError,
    /// Files with what is known of the market besides its calendar.
    pub facts: FactFiles,
    /// When it is due, where it says so.
    pub schedule: Option<OwnSchedule>,
    /// Notifications of how a run ended; none where the job has none.
    pub notify: Option<Settings>,
    /// The file with what a person decided about findings, where the job names one.
    pub labels: Option<Spanned<JobPath>>,
    /// Which findings make a run fail.
    pub fail_on: FailOn,
}

/// What could be read of a job file.
#[derive(Debug)]
pub struct Draft {
    /// The job, where nothing is wrong with it.
    pub job: Option<Job>,
    /// The rule files it names, with their places.
    pub rules: Vec<RulesEntry>,
    /// Its bars, where nothing is wrong with `[bars]`.
    pub bars: Option<Bars>,
    /// Every mistake.
    pub mistakes: Vec<Diagnostic>,
}

/// The keys of a job file.
pub const JOB: Section = Section {
    name: "the job",
    doc: "A barkeep job: which bars to read, which rules to evaluate them by, and what a run may do.",
    keys: &[
        key("name", Holds::Text, Mistake, "Name of the job, of a-z, 0-9, `-` and `_`."),
        key(
            "rules",
            Holds::Files(&RULES),
            Mistake,
            "Rule files, relative to the job file, each a path or a table that also leaves rules out; no globs.",
        ),
        key("source", Holds::Table(&source::SOURCE), Mistake, "Where the bars come from."),
        key("bars", Holds::Table(&bars::BARS), Mistake, "What the bars are."),
        key("calendar", Holds::Sections(&calendars::CALENDAR), Nothing, "Calendars of the job's own, by name."),
        key("window", Holds::Table(&run::WINDOW), Nothing, "Which bars a run looks at."),
        key("limits", Holds::Table(&run::LIMITS), Nothing, "What a run may move; one that wants more is refused."),
        key("quarantine", Holds::Table(&run::QUARANTINE), Nothing, "Where moved rows are kept, and for how long."),
        key("report", Holds::Table(&run::REPORT), Nothing, "Where reports are written."),
        key("state", Holds::Table(&run::STATE), Nothing, "What the job remembers from run to run."),
        key("parse_error", Holds::Table(&run::PARSE_ERROR), Nothing, "What a value that does not decode is."),
        key(
            "facts",
            Holds::Table(&facts::FACTS),
            Nothing,
            "Files with what is known of the market besides its calendar.",
        ),
        key(
            "tune",
            Holds::Values,
            Nothing,
            "Values in the place of those of a rule, by its id: `[tune.outlier] limit = 8`; those of one symbol below `symbol`, `[tune.outlier.symbol.\"BRK/B\"]`.",
        ),
        key("schedule", Holds::Table(&schedule::SCHEDULE), Nothing, "When the job is due, for `barkeep schedule`."),
        key("notify", Holds::Table(&notify::NOTIFY), Nothing, "Notifications of how a `run` of the job ended."),
        key(
            "labels",
            Holds::Text,
            Nothing,
            "The file with what a person decided about findings, relative to the job file; default `labels.toml` beside it, where that is there.",
        ),
        key(
            "fail_on",
            Holds::Choice(FailOn::WORDS),
            Text("error"),
            "Which findings make a run end with 1: `new`: errors that the run before did not have; `error`: errors; `warn`: warnings too; `never`: none. What is labelled `known` or `fine` never does. `--fail-on` goes before it.",
        ),
    ],
};

const RULES: Section = Section {
    name: "an entry of `rules`",
    doc: "A rule file, and the rules of it that the job does without.",
    keys: &[
        key("file", Holds::Text, Mistake, "The rule file, relative to the job file."),
        key("except", Holds::Texts, Nothing, "Ids of rules in it that the job does without."),
    ],
};

/// A rule file as a job names it.
#[derive(Debug, Clone)]
pub struct RulesEntry {
    /// The file.
    pub path: Spanned<JobPath>,
    /// Ids of rules in it that the job does without.
    pub except: Vec<Spanned<String>>,
}

/// Reads a job file.
pub fn read(file: &Arc<SourceText>, environment: &Environment) -> Draft {
    let (table, syntax) = document::parse(file);
    let reader = Reader::new(file, table.get_ref(), table.span(), environment);
    let mut section = SectionReader::new(&JOB, reader);
    let mut draft = read_sections(&mut section);
    // What the parser left out would be reported as missing: with syntax errors, they alone are reported.
    draft.mistakes = if syntax.is_empty() { section.finish() } else { syntax };
    draft.mistakes.sort_by_key(|mistake| mistake.span.start);
    if !draft.mistakes.is_empty() {
        draft.job = None;
    }
    draft
}

fn read_sections(section: &mut SectionReader<'_>) -> Draft {
    let file = section.file();
    let name = read_name(section);
    let rules = read_rules(section);
    let source = section.section("source").and_then(|part| kept(section, source::read(part)));
    let calendars = calendars::read(section);
    let bars = section.section("bars").and_then(|part| kept(section, bars::read(part, &calendars)));
    let window = section.section("window").and_then(|part| kept(section, run::read_window(part, bars.as_ref())));
    let limits = section.section("limits").and_then(|part| kept(section, run::read_limits(part)));
    let report = section.section("report").and_then(|part| kept(section, run::read_report(part)));
    let (keep_reports, report_page) = report.as_ref().map_or((None, false), |report| (report.keep, report.page));
    let report_dir = report.map(|report| report.dir);
    let quarantine =
        section.section("quarantine").and_then(|part| kept(section, run::read_quarantine(part, report_dir.as_ref())));
    let state_dir = section.section("state").and_then(|part| kept(section, run::read_state(part, report_dir.as_ref())));
    reject_untabled_tuning(section);
    let parse_error = section.section("parse_error").and_then(|part| kept(section, run::read_parse_error(part)));
    let facts = section.section("facts").and_then(|part| kept(section, facts::read(part, bars.as_ref())));
    // A job without the section has no schedule; one with it has to say when.
    let has_schedule = section.has("schedule");
    let part = if has_schedule { section.section("schedule") } else { None };
    let schedule = part.and_then(|part| kept(section, schedule::read(part, bars.as_ref(), &calendars)));
    let has_notify = section.has("notify");
    let part = if has_notify { section.section("notify") } else { None };
    let notify = part.and_then(|part| kept(section, notify::read(part)));
    let labels = section.text("labels");
    let labels = labels.map(|path| Spanned::new(path.span(), JobPath::new(&file.path, path.into_inner())));
    let fail_on = section.choice("fail_on").and_then(FailOn::parse);
    let job = || {
        Some(Job {
            file: Arc::clone(file),
            name: name?,
            rules: rules.iter().map(|entry| entry.path.get_ref().clone()).collect(),
            source: source?,
            bars: bars.clone()?,
            window: window?,
            limits: limits?,
            quarantine: quarantine?,
            report_dir: report_dir?,
            state_dir: state_dir?,
            keep_reports,
            report_page,
            parse_error: parse_error?,
            facts: facts?,
            schedule: if has_schedule { Some(schedule?) } else { None },
            notify: if has_notify { Some(notify?) } else { None },
            labels: labels.clone(),
            fail_on: fail_on?,
        })
    };
    Draft { job: job(), rules, bars, mistakes: Vec::new() }
}

/// `[tune]` holds a table for each rule; what these hold is known with the rules.
fn reject_untabled_tuning(section: &mut SectionReader<'_>) {
    let Some(value) = section.reader().value("tune") else { return };
    let help = "write `[tune.RULE]` and the values below it, e.g. [tune.close-outlier] and limit = 8";
    let Some(tables) = value.get_ref().as_table() else {
        return section.reader().wrong_type("tune", value, "a table with a table for each rule");
    };
    for (rule, values) in tables {
        if values.get_ref().as_table().is_none() {
            section.reject_at(values.span(), format!("`tune.{}` must be a table of values", rule.get_ref()), help);
        }
    }
}

/// The value of a part of the job, its mistakes handed to the whole.
fn kept<T>(section: &mut SectionReader<'_>, (value, mistakes): (Option<T>, Vec<Diagnostic>)) -> Option<T> {
    section.absorb(mistakes);
    value
}

fn read_name(section: &mut SectionReader<'_>) -> Option<String> {
    let name = section.text("name")?.into_inner();
    if !is_identifier(&name) {
        section.reject(
            "name",
            "a name is made of a-z, 0-9, `-` and `_`",
            "it becomes part of paths and of report rows",
        );
    }
    Some(name)
}

/// Whether `name` is made of a-z, 0-9, `-` and `_` only, and of at least one of them.
pub(super) fn is_identifier(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.bytes().all(allowed)
}

fn read_rules(section: &mut SectionReader<'_>) -> Vec<RulesEntry> {
    let job = Arc::clone(section.file());
    let Some(value) = section.reader().value("rules") else { return Vec::new() };
    let items = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    if items.is_empty() {
        section.reject("rules", "`rules` is empty", "name at least one rule file");
    }
    let mut entries = Vec::new();
    for item in items {
        match item.get_ref() {
            DeValue::Table(table) => {
                let (file, environment) = (section.file(), section.reader().environment());
                let reader = Reader::new(file, table, item.span(), environment);
                let mut part = SectionReader::new(&RULES, reader);
                let path = part.text("file");
                let except = part.texts("except");
                section.absorb(part.finish());
                let Some(path) = path else { continue };
                let path = Spanned::new(path.span(), JobPath::new(&job.path, path.into_inner()));
                entries.push(RulesEntry { path, except });
            }
            _ => {
                let Some(text) = section.reader().string_at("rules", item) else { continue };
                if text.get_ref().is_empty() {
                    section.reject_at(text.span(), "`rules` holds an empty string", "name a rule file");
                    continue;
                }
                let path = Spanned::new(text.span(), JobPath::new(&job.path, text.into_inner()));
                entries.push(RulesEntry { path, except: Vec::new() });
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use crate::bars::layout::Delimiter;
    use std::path::Path;

    use chrono::TimeDelta;

    use super::*;
    use crate::bars::{DAY_US, FieldKind, Fold, Label};
    use crate::decide::{Action, Severity};
    use crate::market::Interval;

    const HEAD: &str = "name = \"demo\"\nrules = \"../rules/ohlcv.toml\"\nsource.files.path = \"../data\"\n";

    const FULL: &str = r#"
            name = "cn-daily"
            rules = ["a.toml", "/etc/rules/b.toml"]
            [source.files]
            path = ["one.csv", "more/*.csv"]
            format = "csv"
            delimiter = "\t"
            nulls = []
            filter = { period = "daily", version = 1, live = true, source = ["akshare", "tushare"] }
            [bars]
            series = ["symbol", "data_source"]
            interval = "15m"
            calendar = "XSHG"
            calendar_file = "xshg.csv"
            [bars.time]
            field = "label"
            formats = ["%Y-%m-%d %H:%M:%S", "rfc3339"]
            zone = "Asia/Shanghai"
            label = "end"
            fold = "later"
            [bars.fields]
            volume = "vol"
            isST = { type = "text" }
            turnover = { field = "turnover_rate", type = "number" }
            [window]
            since = 2024-03-01
            until = "2024-03-02T00:00:00Z"
            grace = "24h"
            [limits]
            rows = 5
            fraction = 1
            series_fraction = 0.5
            [quarantine]
            keep = "2w"
            dir = "moved"
            [report]
            dir = "${REPORTS}/cn"
            [parse_error]
            severity = "warn"
            action = "quarantine"
            "#;

    fn draft(text: &str) -> Draft {
        let environment = Environment::new([("REPORTS".to_owned(), "/srv/reports".to_owned())]);
        read(&SourceText::new("jobs/demo.toml", text), &environment)
    }

    fn good(text: &str) -> Job {
        let draft = draft(text);
        draft.job.unwrap_or_else(|| panic!("{}", rendered(&draft.mistakes)))
    }

    fn rendered(mistakes: &[Diagnostic]) -> String {
        mistakes.iter().map(|mistake| mistake.render(false)).collect::<Vec<_>>().join("\n\n")
    }

    fn mistakes(text: &str) -> String {
        let draft = draft(text);
        assert!(draft.job.is_none(), "no mistake was found");
        rendered(&draft.mistakes)
    }

    /// The mistakes of a job whose `[bars]` end in `keys`.
    fn bars_mistakes(keys: &str) -> String {
        mistakes(&format!("{HEAD}[bars]\nseries = [\"symbol\"]\n{keys}\n"))
    }

    /// The mistakes of a job that ends in `sections`.
    fn section_mistakes(sections: &str) -> String {
        mistakes(&format!("{HEAD}bars = {{ series = [\"symbol\"], interval = \"1d\" }}\n{sections}\n"))
    }

    fn files(job: &Job) -> &FileSource {
        match &job.source {
            Source::Files(files) => files,
            other => panic!("{other:?}"),
        }
    }

    fn minimal() -> Job {
        good(&format!("{HEAD}[bars]\nseries = \"symbol\"\ninterval = \"1d\"\n"))
    }

    #[test]
    fn defaults_hold_where_nothing_is_written() {
        let job = minimal();
        assert_eq!(job.rules, [JobPath { written: "../rules/ohlcv.toml".into(), resolved: "rules/ohlcv.toml".into() }]);
        assert_eq!(files(&job).paths[0].resolved, Path::new("data"));
        assert_eq!((files(&job).format, files(&job).layout.delimiter), (None, Delimiter::Byte(b',')));
        assert_eq!(files(&job).layout.nulls, ["", "null", "NULL", "None", "N/A"]);
        assert!(files(&job).filter.is_empty() && job.bars.fields.is_empty());
        assert_eq!(job.window, Window { since: None, until: None, grace: TimeDelta::zero(), lookback: None });
        assert_eq!(job.limits, Limits { rows: 10_000, fraction: 0.01, series_fraction: 0.2 });
        assert_eq!((job.quarantine.keep, job.quarantine.dir.written.as_str()), (TimeDelta::days(90), "../quarantine"));
        assert_eq!(job.report_dir.resolved, Path::new("reports"));
        assert_eq!((job.parse_error.severity, job.parse_error.action), (Severity::Error, Action::Report));
    }

    #[test]
    fn defaults_of_the_timestamp_follow_interval_and_calendar() {
        let time = minimal().bars.time;
        assert_eq!(
            (&**time.fields[0].get_ref(), time.formats[0].text(), time.label),
            ("time", "%Y-%m-%d", Label::Session)
        );
        assert_eq!((time.zone, time.fold), (chrono_tz::UTC, Fold::Refuse));
        let minutes = "series = \"symbol\"\ninterval = \"1m\"\ncalendar = \"NYSE\"\nalign = \"clock\"\n";
        let bars = good(&format!("{HEAD}[bars]\n{minutes}")).bars;
        assert_eq!((bars.time.formats[0].text(), bars.time.label), ("rfc3339", Label::Start));
        assert_eq!((bars.time.zone, bars.align), (chrono_tz::America::New_York, Align::Clock));
        assert_eq!(bars.calendar.unwrap().name(), "XNYS");
    }

    #[test]
    fn everything_written_is_kept() {
        let job = good(FULL);
        assert_eq!(job.rules[1].resolved, Path::new("/etc/rules/b.toml"));
        assert_eq!(
            (files(&job).format, files(&job).layout.delimiter, files(&job).layout.nulls.len()),
            (Some(FileFormat::Csv), Delimiter::Byte(b'\t'), 0)
        );
        let filter: Vec<_> = files(&job).filter.iter().map(|f| (f.field.get_ref().as_str(), f.value.clone())).collect();
        let sources = FilterValue::AnyOf(vec!["akshare".into(), "tushare".into()]);
        let expected = [
            ("live", FilterValue::Boolean(true)),
            ("period", FilterValue::Text("daily".into())),
            ("source", sources),
            ("version", FilterValue::Integer(1)),
        ];
        assert_eq!(filter, expected);
        assert_eq!((job.bars.interval, job.bars.time.label), (Interval::minutes(15), Label::End));
        assert_eq!((job.bars.time.formats.len(), job.bars.time.fold), (2, Fold::Later));
        assert_eq!(job.bars.calendar_files[0].get_ref().resolved, Path::new("jobs/xshg.csv"));
        let fields: Vec<_> =
            job.bars.fields.iter().map(|f| (&**f.name.get_ref(), &**f.source().get_ref(), f.kind)).collect();
        let turnover = ("turnover", "turnover_rate", Some(FieldKind::Number));
        assert_eq!(fields, [("isST", "isST", Some(FieldKind::Text)), turnover, ("volume", "vol", None)]);
        // 2024-03-01 begins in Shanghai eight hours before it does in UTC.
        assert_eq!(job.window.since, Some(19_783 * DAY_US - 8 * 3_600_000_000));
        assert_eq!(job.window.until, Some(19_784 * DAY_US));
        assert_eq!(job.window.grace, TimeDelta::hours(24));
        assert_eq!(job.limits, Limits { rows: 5, fraction: 1.0, series_fraction: 0.5 });
        assert_eq!((job.quarantine.keep, job.quarantine.dir.written.as_str()), (TimeDelta::weeks(2), "moved"));
        assert_eq!(job.report_dir.written, "/srv/reports/cn");
        assert_eq!((job.parse_error.severity, job.parse_error.action), (Severity::Warn, Action::Quarantine));
    }

    #[test]
    fn quarantine_lies_beside_the_reports() {
        for (reports, quarantine) in
            [("/srv/x/reports", "/srv/x/quarantine"), ("out", "quarantine"), ("..", "../quarantine")]
        {
            let tail = format!("bars = {{ series = \"symbol\", interval = \"1d\" }}\nreport.dir = \"{reports}\"\n");
            assert_eq!(good(&format!("{HEAD}{tail}")).quarantine.dir.written, quarantine, "{reports}");
        }
    }

    #[test]
    fn all_mistakes_are_reported_at_once_in_the_order_of_the_file() {
        insta::assert_snapshot!(mistakes(r#"name = "Demo Job"
rules = []
reports = "x"
[source.files]
path = ""
format = "cvs"
[bars]
series = ["symbol", "symbol"]
[limits]
fraction = 1.5
rows = "many"
"#), @r#"
error[bad-value]: a name is made of a-z, 0-9, `-` and `_`
 --> jobs/demo.toml:1:8
  |
1 | name = "Demo Job"
  |        ^^^^^^^^^^
  |
  = help: it becomes part of paths and of report rows

error[bad-value]: `rules` is empty
 --> jobs/demo.toml:2:9
  |
2 | rules = []
  |         ^^
  |
  = help: name at least one rule file

error[unknown-key]: unknown key `reports` in the job
 --> jobs/demo.toml:3:1
  |
3 | reports = "x"
  | ^^^^^^^ unknown key
  |
  = help: did you mean `report`? keys: name, rules, source, bars, calendar, window, limits, quarantine, report, state, parse_error, facts, tune, schedule, notify, labels, fail_on

error[bad-value]: `path` holds an empty string
 --> jobs/demo.toml:5:8
  |
5 | path = ""
  |        ^^
  |
  = help: A file, a folder or a glob, or several, relative to the job file; `{symbol}` is a piece of a name that becomes the field `symbol`.

error[unknown-value]: `cvs` is not a value of `format`
 --> jobs/demo.toml:6:10
  |
6 | format = "cvs"
  |          ^^^^^ unknown value
  |
  = help: did you mean `csv`? choices: csv, ndjson, json, parquet, arrow

error[missing-key]: `[bars]` lacks `interval`
 --> jobs/demo.toml:7:1
  |
7 | [bars]
  | ^^^^^^
  |
  = help: interval: The step from bar to bar: `1s`, `1m`, `15m`, `1h`, `1d`, `1w`, `1M`.

error[bad-value]: `symbol` is in the series key twice
 --> jobs/demo.toml:8:21
  |
8 | series = ["symbol", "symbol"]
  |                     ^^^^^^^^
  |
  = help: name each field once

error[bad-value]: `fraction` must be above 0 and at most 1
  --> jobs/demo.toml:10:12
   |
10 | fraction = 1.5
   |            ^^^
   |
   = help: Share of the rows a run read.

error[wrong-type]: `rows` must be an integer
  --> jobs/demo.toml:11:8
   |
11 | rows = "many"
   |        ^^^^^^ this is of type string
"#);
    }

    #[test]
    fn syntax_errors_are_reported_alone_and_all() {
        insta::assert_snapshot!(mistakes("name = \nrules = [\"a.toml\"]\nbars = { series = 1 2 }\nname = \"x\"\n"), @r#"
error[toml-syntax]: not valid TOML: string values must be quoted, expected literal string
 --> jobs/demo.toml:1:8
  |
1 | name = 
  |        ^ here

error[toml-syntax]: not valid TOML: string values must be quoted, expected literal string
 --> jobs/demo.toml:3:19
  |
3 | bars = { series = 1 2 }
  |                   ^^^ here

error[toml-syntax]: not valid TOML: duplicate key
 --> jobs/demo.toml:4:1
  |
4 | name = "x"
  | ^^^^ here
"#);
    }

    #[test]
    fn rules_of_a_job_with_syntax_errors_are_still_named() {
        let draft = draft("name = \nrules = [\"a.toml\"]\n");
        assert_eq!(draft.rules[0].path.get_ref().written, "a.toml");
        assert_eq!(draft.mistakes.len(), 1);
    }

    #[test]
    fn unset_variable_is_reported_with_its_place() {
        insta::assert_snapshot!(section_mistakes("report.dir = \"${REPORT_DIR}/x\""), @r#"
error[unset-variable]: environment variable `REPORT_DIR` is not set
 --> jobs/demo.toml:5:14
  |
5 | report.dir = "${REPORT_DIR}/x"
  |              ^^^^^^^^^^^^^^^^^ used here
  |
  = help: set it in the environment or in a `.env` beside the job, or write `${NAME:-default}`
"#);
    }

    #[test]
    fn unknown_calendar_zone_and_interval_are_reported_with_what_is_near() {
        insta::assert_snapshot!(bars_mistakes("interval = \"1x\"\ncalendar = \"XSGH\"\ntime = { zone = \"Asia/Shanghia\" }"), @r#"
error[bad-value]: `1x` is not an interval; write for instance `1s`, `1m`, `15m`, `1h`, `1d`, `1w` or `1M`
 --> jobs/demo.toml:6:12
  |
6 | interval = "1x"
  |            ^^^^
  |
  = help: `m` is minutes, `M` is months

error[bad-value]: unknown calendar `XSGH`
 --> jobs/demo.toml:7:12
  |
7 | calendar = "XSGH"
  |            ^^^^^^
  |
  = help: did you mean `XSHG`?

error[bad-value]: unknown time zone `Asia/Shanghia`
 --> jobs/demo.toml:8:17
  |
8 | time = { zone = "Asia/Shanghia" }
  |                 ^^^^^^^^^^^^^^^
  |
  = help: did you mean `Asia/Shanghai`?
"#);
    }

    #[test]
    fn formats_that_read_one_text_as_two_days_are_a_mistake() {
        let formats = |formats: &str| bars_mistakes(&format!("interval = \"1d\"\ntime.formats = [{formats}]"));
        for (pair, text) in [
            ("\"%d/%m/%Y\", \"%m/%d/%Y\"", "`03/04/2005` is one day by `%d/%m/%Y` and another by `%m/%d/%Y`"),
            ("\"%Y%m%d\", \"%Y%d%m\"", "is one day by"),
            ("\"%y-%m-%d\", \"%d-%m-%y\"", "is one day by"),
        ] {
            assert!(formats(pair).contains(text), "{pair}: {}", formats(pair));
        }
        let job = good(&format!(
            "{HEAD}[bars]\nseries = \"symbol\"\ninterval = \"1d\"\ntime.formats = [\"%Y-%m-%d\", \"%Y%m%d\", \"%d.%m.%Y\", \"%F %T\", \"epoch\"]\n"
        ));
        assert_eq!(job.bars.time.formats.len(), 5);
    }

    #[test]
    fn time_formats_are_checked() {
        insta::assert_snapshot!(bars_mistakes("interval = \"1d\"\ntime = { formats = [\"%Y-%m-%d\", \"%Q\"] }"), @r#"
error[bad-value]: `%Q` is not a time format: `%Q` is not known; there are %Y %y %m %-m %b %d %-d %e %j %H %-H %I %-I %p %M %S %f %3f %6f %9f %.f %z %:z %F %D %T %R %%
 --> jobs/demo.toml:7:33
  |
7 | time = { formats = ["%Y-%m-%d", "%Q"] }
  |                                 ^^^^
  |
  = help: write for instance `%Y-%m-%d`, `%Y%m%d`, `%Y-%m-%d %H:%M:%S` or `rfc3339`
"#);
    }

    #[test]
    fn trading_dates_cannot_timestamp_intraday_bars() {
        insta::assert_snapshot!(bars_mistakes("interval = \"1m\"\ntime = { label = \"session\" }"), @r#"
error[bad-value]: a trading date cannot distinguish the bars of a session
 --> jobs/demo.toml:7:18
  |
7 | time = { label = "session" }
  |                  ^^^^^^^^^
  |
  = help: use `start` or `end`, or a daily interval
"#);
    }

    #[test]
    fn timestamp_is_neither_key_nor_field() {
        let keys = "interval = \"1d\"\nfields = { time = \"x\", date = \"trade_date\" }\ntime.field = \"trade_date\"";
        insta::assert_snapshot!(bars_mistakes(keys), @r#"
error[bad-value]: `time` is the name of the timestamp
 --> jobs/demo.toml:7:12
  |
7 | fields = { time = "x", date = "trade_date" }
  |            ^^^^
  |
  = help: write `time = { field = "…" }` to say where the timestamp is

error[bad-value]: `trade_date` is the timestamp of a bar
 --> jobs/demo.toml:7:31
  |
7 | fields = { time = "x", date = "trade_date" }
  |                               ^^^^^^^^^^^^
  |
  = help: rules call it `time`
"#);
        assert!(
            mistakes(&format!("{HEAD}bars = {{ series = \"time\", interval = \"1d\" }}"))
                .contains("cannot distinguish series")
        );
    }

    #[test]
    fn source_field_has_one_name() {
        insta::assert_snapshot!(bars_mistakes("interval = \"1d\"\nfields = { close = \"px\", last = { field = \"px\", kind = \"number\" } }"), @r#"
error[bad-value]: the source field `px` is named twice
 --> jobs/demo.toml:7:43
  |
7 | fields = { close = "px", last = { field = "px", kind = "number" } }
  |                                           ^^^^
  |
  = help: it is `close` already; a field has one name in rules

error[unknown-key]: unknown key `kind` in a field of `[bars]`
 --> jobs/demo.toml:7:49
  |
7 | fields = { close = "px", last = { field = "px", kind = "number" } }
  |                                                 ^^^^ unknown key
  |
  = help: keys: field, value, scale, type
"#);
    }

    #[test]
    fn calendar_keys_without_a_calendar_have_no_effect() {
        let reported = bars_mistakes("interval = \"1h\"\nalign = \"clock\"\ncalendar_file = \"x.csv\"");
        assert!(
            reported.contains("`align` has no effect") && reported.contains("`calendar_file` has no effect"),
            "{reported}"
        );
    }

    #[test]
    fn window_is_in_order_and_made_of_times() {
        insta::assert_snapshot!(section_mistakes("[window]\nsince = 2024-03-02\nuntil = \"2024-03-02\"\ngrace = \"10 days\""), @r#"
error[bad-value]: the window is empty: `until` is not after `since`
 --> jobs/demo.toml:7:9
  |
7 | until = "2024-03-02"
  |         ^^^^^^^^^^^^
  |
  = help: `until` is not part of the window

error[bad-value]: `10 days` is not a span of time; write for instance `90m`, `24h`, `10d` or `2w`
 --> jobs/demo.toml:8:9
  |
8 | grace = "10 days"
  |         ^^^^^^^^^
  |
  = help: Rows younger than this are reported, never moved.
"#);
        assert!(section_mistakes("window.since = \"yesterday\"").contains("`yesterday` is not a date or time"));
        assert!(section_mistakes("window.since = 09:30:00").contains("`09:30:00` is not a date or time"));
        assert!(section_mistakes("window.since = 5").contains("must be a date or a time"));
    }

    #[test]
    fn rows_must_be_kept_for_some_time() {
        assert!(section_mistakes("quarantine.keep = \"0d\"").contains("cannot be put back"));
    }

    #[test]
    fn delimiters_are_one_ascii_character() {
        for bad in [";;", "é", "a", "\\n", "\\\"", ""] {
            let reported = mistakes(&format!(
                "name = \"x\"\nrules = \"r\"\nbars = {{ series = \"s\", interval = \"1d\" }}\n\
                 source.files = {{ path = \"x\", delimiter = \"{bad}\" }}"
            ));
            assert!(reported.contains("delimiter"), "{bad}: {reported}");
        }
        let parquet = "name = \"x\"\nrules = \"r\"\nbars = { series = \"s\", interval = \"1d\" }\n\
                       source.files = { path = \"x\", delimiter = \";\", format = \"parquet\" }";
        assert!(mistakes(parquet).contains("only CSV files have a `delimiter`"));
    }

    #[test]
    fn filters_compare_with_values_that_can_be_equal() {
        let text = "name = \"x\"\nrules = \"r\"\nbars = { series = \"s\", interval = \"1d\" }\n\
                    [source.files]\npath = \"x\"\nfilter = { a = 1.5, b = [], c = [1] }";
        insta::assert_snapshot!(mistakes(text), @r"
error[wrong-type]: `a` must be a string, an integer, a boolean or an array of strings
 --> jobs/demo.toml:6:16
  |
6 | filter = { a = 1.5, b = [], c = [1] }
  |                ^^^ this is of type float

error[bad-value]: the list is empty, so that no row can match
 --> jobs/demo.toml:6:25
  |
6 | filter = { a = 1.5, b = [], c = [1] }
  |                         ^^
  |
  = help: name at least one

error[wrong-type]: `c` must be a string
 --> jobs/demo.toml:6:34
  |
6 | filter = { a = 1.5, b = [], c = [1] }
  |                                  ^ this is of type integer
");
    }
    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(at in 0..1_500_usize, cut in 0..12_usize, insert in "[-\\]\\[{}\"'=.,0-9a-z\\n\\r é日#$%]{0,6}") {
            let at = at % FULL.len();
            let text = format!("{}{insert}{}", &FULL[..at], &FULL[(at + cut).min(FULL.len())..]);
            let draft = draft(&text);
            proptest::prop_assert_eq!(draft.job.is_some(), rendered(&draft.mistakes).is_empty());
        }
    }
}
