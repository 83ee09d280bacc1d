//! Reads a job file and the files it names, and collects every mistake of all of them.
//!
//! The only part of the configuration that reads files and the process environment; it writes neither.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;

use super::document::{self, NotUtf8};
use super::facts::{self, FactFile, Facts};
use super::job::{self, Draft, Job, JobPath, RulesEntry};
use super::labels::{self, ForJob, JobLabels};
use super::lacking::lacking_fields;
use super::named_file::{read_bytes, read_text};
use super::rules::{self, Rule, RuleFile, RuleSet, Trials, Tried, Unfit};
use crate::bars::BarsSpec;
use crate::durable::{hex, paths, sha256};
use crate::schema::diagnostic::{Diagnostic, SourceText, suggestion};
use crate::schema::reader::Environment;

/// Mistakes in the syntax of a file that may still be meant as TOML.
const FEW_MISTAKES: usize = 5;
/// Most characters of a line that a message shows.
const LONGEST_LINE: usize = 60;

/// A job with its rule files: all that can be checked without its source is checked.
#[derive(Debug)]
pub struct Loaded {
    /// The job.
    pub job: Job,
    /// Its rule files, in the order of the job.
    pub rule_files: Vec<RuleFile>,
    /// The job file, as an absolute path.
    pub job_file: PathBuf,
    /// SHA-256 (hex) of the bytes of the job file.
    pub job_sha256: String,
    /// What its files of facts say.
    pub facts: Facts,
    /// What a person decided about its findings.
    pub labels: JobLabels,
}

impl Loaded {
    /// Compiles the rules over the bars of the source.
    ///
    /// # Errors
    /// Every mistake that shows only now, e.g. fields the source does not have.
    pub fn compile(&self, bars: &BarsSpec) -> Result<RuleSet, Vec<Diagnostic>> {
        self.compile_only(bars, &[])
    }

    /// [`Loaded::compile`] for the rules with the ids `only`; for all of them where it is empty.
    ///
    /// # Errors
    /// Every mistake of these rules that shows only now.
    pub fn compile_only(&self, bars: &BarsSpec, only: &[String]) -> Result<RuleSet, Vec<Diagnostic>> {
        rules::compile_only(&self.rule_files, bars, only).map_err(|unfit| self.mistakes(bars, unfit))
    }

    /// Compiles those of its rules that `stays` is true of, and behind them the rules that are tried.
    ///
    /// # Errors
    /// Every mistake of these rules that shows only now.
    pub fn compile_trials(
        &self,
        bars: &BarsSpec,
        stays: &dyn Fn(&Rule) -> bool,
        tried: &[Tried],
    ) -> Result<Trials, Vec<Diagnostic>> {
        rules::compile_trials(&self.rule_files, stays, tried, bars).map_err(|unfit| self.mistakes(bars, unfit))
    }

    fn mistakes(&self, bars: &BarsSpec, Unfit { mut mistakes, lacking }: Unfit) -> Vec<Diagnostic> {
        if !lacking.is_empty() {
            mistakes.insert(0, lacking_fields(&self.job.file, bars, &lacking));
        }
        mistakes
    }

    /// Whether any of its rules is of the check `name`.
    pub fn has_check(&self, name: &str) -> bool {
        self.rule_files.iter().any(|file| rules::names_check(file, name))
    }

    /// The ids of the rules, sorted.
    pub fn rule_ids(&self) -> Vec<Arc<str>> {
        rules::ids(&self.rule_files)
    }
}

/// Why a job cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The job file or the `.env` beside it cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A folder, where a job file was expected.
    #[error("`{}` is a folder, not a job file", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The file is not TOML at all, e.g. a file of data: its mistakes would be one a line.
    #[error("`{}` is not a job file: its first line is `{first_line}`, which is not TOML", path.display())]
    NotAJob {
        /// The file.
        path: PathBuf,
        /// How it begins.
        first_line: String,
    },
    /// The job file is not text.
    #[error("`{}` is not a job file", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Where.
        #[source]
        source: NotUtf8,
    },
    /// The `.env` beside the job has a line that sets nothing. The line is not shown: it may be a secret.
    #[error("`{}` has a line that is not `NAME=value`, after {after} good ones", path.display())]
    Dotenv {
        /// The file.
        path: PathBuf,
        /// How many variables were read before it.
        after: usize,
    },
    /// The job or its rules are wrong.
    #[error("{}", mistakes_in(.0))]
    Mistakes(Vec<Diagnostic>),
}

fn mistakes_in(mistakes: &[Diagnostic]) -> String {
    match mistakes.len() {
        1 => "1 mistake in the job or its rules".to_owned(),
        count => format!("{count} mistakes in the job and its rules"),
    }
}

/// Loads the job at `path`. `${NAME}` comes from the process environment, else from a `.env` beside the job.
///
/// # Errors
/// When the job file cannot be read, or with every mistake of the job and of all its rule files.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    load_with(path, std::env::vars_os())
}

/// As [`load`], for a run of the rules with the ids `only`, or of all of them where it is empty: mistakes in other
/// rules do not count.
///
/// # Errors
/// As [`load`].
pub fn load_only(path: &Path, only: &[String]) -> Result<Loaded, LoadError> {
    read_all(path, std::env::vars_os(), only)
}

/// As [`load`], with `variables` for the process environment. Those that are not UTF-8 are left out.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Loaded, LoadError> {
    read_all(path, variables, &[])
}

fn read_all(
    path: &Path,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    only: &[String],
) -> Result<Loaded, LoadError> {
    let bytes = read(path)?;
    let job_sha256 = hex(&sha256(&bytes));
    let text = document::decode(bytes).map_err(|source| LoadError::NotUtf8 { path: path.to_path_buf(), source })?;
    let environment = Arc::new(environment(path, variables)?);
    let (file, mut mistakes) = document::open(path, &text);
    reject_other_text(&file)?;
    let Draft { mut job, rules: entries, bars, mistakes: of_job } = job::read(&file, &environment);
    mistakes.extend(of_job);
    let mut rule_files = Vec::new();
    let mut of_rules = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        match read_rules(&file, &entry.path, &entries[..index]) {
            Ok((text, secrets)) => {
                of_rules.extend(secrets);
                let rules = RuleFile::new(text, Arc::clone(&environment));
                mistakes.extend(unknown_rules(&file, &rules, &entry.except));
                rule_files.push(RuleFile { except: entry.except.clone(), job: Some(Arc::clone(&file)), ..rules });
            }
            Err(mistake) => mistakes.push(*mistake),
        }
    }
    rule_files.extend(job.as_ref().and_then(|job| of_fresh(job, &rule_files)));
    if rule_files.len() >= entries.len() {
        mistakes.extend(rules::unknown_tuning(&file, &rules::ids(&rule_files)));
    }
    let calendar_mistakes = job.as_mut().map(|job| set_calendar(&file, job)).unwrap_or_default();
    let (facts, fact_mistakes) = job.as_ref().map(|job| read_facts(job, &rule_files)).unwrap_or_default();
    let (labels, label_mistakes) = match &job {
        Some(job) => read_labels(job, &rule_files, &environment),
        None => (JobLabels::none(path), Vec::new()),
    };
    let assumed = bars.map(|bars| bars.assumed_spec());
    of_rules.extend(rules::lint(&rule_files, assumed.as_ref(), only));
    mistakes.sort_by_key(|mistake| mistake.span.start);
    mistakes.extend(calendar_mistakes.into_iter().chain(fact_mistakes).chain(label_mistakes).chain(of_rules));
    match job {
        Some(job) if mistakes.is_empty() => {
            let job_file = paths::absolute(path).unwrap_or_else(|_| path.to_path_buf());
            Ok(Loaded { job, rule_files, job_file, job_sha256, facts, labels })
        }
        _ => Err(LoadError::Mistakes(mistakes)),
    }
}

/// The rule that `fresh` of the job makes, where no rule file has one that it is the limit of.
fn of_fresh(job: &Job, files: &[RuleFile]) -> Option<RuleFile> {
    const FRESH: &str = "[[rule]]\nid = \"freshness\"\ncheck = \"freshness\"\ncauses = [\"future\", \"source-ends\", \"series-ends\", \"calendar-ends\"]\nwhy = \"`fresh` of the job says how new the newest bars are to be\"\n";
    let is_there = || files.iter().any(|file| rules::names_check(file, "freshness"));
    let fresh = job.bars.fresh.is_some() && !is_there();
    fresh.then(|| RuleFile::new(SourceText::new(&job.file.path, FRESH), Arc::default()))
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::IsADirectory => LoadError::Folder { path: path.to_path_buf() },
        _ => LoadError::Unreadable { path: path.to_path_buf(), source },
    })
}

/// Fails over text that is not TOML and has none of the keys of a job.
fn reject_other_text(file: &Arc<SourceText>) -> Result<(), LoadError> {
    let (table, syntax) = document::parse(file);
    let is_of_job = |name: &str| job::JOB.keys.iter().any(|key| key.name == name);
    let few = file.path.extension().is_some_and(|end| end == "toml") && syntax.len() <= FEW_MISTAKES;
    if syntax.is_empty() || few || table.get_ref().keys().any(|name| is_of_job(name.get_ref())) {
        return Ok(());
    }
    let first_line = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut first_line: String = first_line.chars().take(LONGEST_LINE + 1).collect();
    if first_line.chars().count() > LONGEST_LINE {
        first_line.truncate(first_line.char_indices().nth(LONGEST_LINE - 1).map_or(0, |(end, _)| end));
        first_line.push('…');
    }
    Err(LoadError::NotAJob { path: file.path.clone(), first_line })
}

/// The `.env` beside the job, and the process environment over it.
fn environment(
    job: &Path,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Environment, LoadError> {
    let path = job.parent().unwrap_or(Path::new("")).join(".env");
    let mut values = Vec::new();
    match dotenvy::from_path_iter(&path) {
        Ok(lines) => {
            for line in lines {
                values.push(line.map_err(|error| unreadable_dotenv(&path, error, values.len()))?);
            }
        }
        Err(error) if error.not_found() => {}
        Err(error) => return Err(unreadable_dotenv(&path, error, 0)),
    }
    let process =
        variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Environment::new(values.into_iter().chain(process)))
}

fn unreadable_dotenv(path: &Path, error: dotenvy::Error, after: usize) -> LoadError {
    let path = path.to_path_buf();
    match error {
        dotenvy::Error::Io(source) => LoadError::Unreadable { path, source },
        _ => LoadError::Dotenv { path, after },
    }
}

/// What `except` names and `rules` do not have.
fn unknown_rules(job: &Arc<SourceText>, rules: &RuleFile, except: &[Spanned<String>]) -> Vec<Diagnostic> {
    if except.is_empty() {
        return Vec::new();
    }
    let ids = rules::ids(std::slice::from_ref(rules));
    let unknown = except.iter().filter(|id| !ids.iter().any(|other| **other == **id.get_ref()));
    let mistake = |id: &Spanned<String>| {
        let title = format!("`{}` has no rule `{}`", rules.file.path.display(), id.get_ref());
        let help = suggestion(id.get_ref(), "rules", ids.iter().map(|id| &**id));
        Diagnostic::new("unknown-rule", title, job, id.span()).label("unknown rule").help(help)
    };
    unknown.map(mistake).collect()
}

/// Reads the rule file that `job` names at `path`. The mistakes beside it are passwords in its text; the one
/// instead of it is a mistake of the job.
fn read_rules(
    job: &Arc<SourceText>,
    path: &Spanned<JobPath>,
    before: &[RulesEntry],
) -> Result<(Arc<SourceText>, Vec<Diagnostic>), Box<Diagnostic>> {
    let JobPath { written, resolved } = path.get_ref();
    let before = before.iter().map(|entry| &entry.path);
    if let Some(first) = before.into_iter().find(|other| is_same_file(&other.get_ref().resolved, resolved)) {
        let mistake = Diagnostic::new("duplicate-file", format!("`{written}` is named twice"), job, path.span());
        return Err(Box::new(mistake.also(job, first.span(), "first named here").help("name each rule file once")));
    }
    let text = read_text(job, &path.span(), written, resolved)?;
    Ok(document::open(resolved, &text))
}

/// The files of facts that the job names, and every mistake in them.
fn read_facts(job: &Job, rule_files: &[RuleFile]) -> (Facts, Vec<Diagnostic>) {
    let (mut read, mut mistakes) = (Vec::new(), Vec::new());
    for (key, path) in &job.facts.files {
        let JobPath { written, resolved } = path.get_ref();
        match read_bytes(&job.file, &path.span(), written, resolved) {
            Ok(bytes) => read.push(FactFile { key, named: path.span(), path: resolved, bytes }),
            Err(mistake) => mistakes.push(*mistake),
        }
    }
    match facts::of_files(&job.file, &job.facts, &job.bars, read) {
        Ok(facts) => {
            mistakes.extend(facts.unknown_rules(&rules::ids(rule_files)));
            (facts, mistakes)
        }
        Err(of_files) => {
            mistakes.extend(of_files);
            (Facts::default(), mistakes)
        }
    }
}

/// The labels of the job, and every mistake in their file. The usual file need not be there.
fn read_labels(job: &Job, rule_files: &[RuleFile], environment: &Environment) -> (JobLabels, Vec<Diagnostic>) {
    let usual = JobPath::new(&job.file.path, labels::USUAL_FILE);
    let (path, named) = match &job.labels {
        Some(path) => (path.get_ref(), Some(path.span())),
        None => (&usual, None),
    };
    let none = || JobLabels::none(&path.resolved);
    if named.is_none() && !path.resolved.exists() {
        return (none(), Vec::new());
    }
    let text = match read_text(&job.file, &named.unwrap_or(0..0), &path.written, &path.resolved) {
        Ok(text) => text,
        Err(mistake) => return (none(), vec![*mistake]),
    };
    let rules = rules::ids(rule_files);
    let job = ForJob { name: &job.name, bars: &job.bars, rules: &rules, environment };
    match labels::read(&path.resolved, &text, job) {
        Ok(labels) => (labels, Vec::new()),
        Err(mistakes) => (none(), mistakes),
    }
}

fn set_calendar(file: &Arc<SourceText>, job: &mut Job) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    for path in job.bars.calendar_files.clone() {
        let JobPath { written, resolved } = path.get_ref();
        match read_text(file, &path.span(), written, resolved) {
            Ok(csv) => mistakes.extend(job.set_calendar_text(resolved, &csv).err().unwrap_or_default()),
            Err(mistake) => mistakes.push(*mistake),
        }
    }
    mistakes
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other || matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::bars::FieldKind;
    use crate::config::SourceColumn;

    const RULES: &str = "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n";

    fn job(rules: &str) -> String {
        format!(
            "name = \"demo\"\nrules = {rules}\nsource.files.path = \"../data\"\n[bars]\nseries = \"symbol\"\ninterval = \"1d\"\n"
        )
    }

    /// A folder with these files.
    fn folder(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn load_in(folder: &TempDir) -> Result<Loaded, LoadError> {
        load_with(
            &folder.path().join("jobs/demo.toml"),
            [("HOME_DIR".into(), "/home".into()), ("WHO".into(), "process".into())],
        )
    }

    /// The mistakes, with paths as seen from the folder.
    fn mistakes(folder: &TempDir) -> String {
        match load_in(folder) {
            Err(LoadError::Mistakes(mistakes)) => {
                let text = mistakes.iter().map(|mistake| mistake.render(false)).collect::<Vec<_>>().join("\n\n");
                text.replace(&format!("{}/", folder.path().display()), "")
            }
            other => panic!("not mistakes: {other:?}"),
        }
    }

    #[test]
    fn a_job_and_its_rules_are_loaded() {
        let folder =
            folder(&[("jobs/demo.toml", job("\"../rules/a.toml\"").as_bytes()), ("rules/a.toml", RULES.as_bytes())]);
        let loaded = load_in(&folder).unwrap();
        assert_eq!(loaded.rule_files[0].file.path, folder.path().join("rules/a.toml"));
        assert_eq!(loaded.job_sha256.len(), 64);
        let names = ["symbol", "time", "open", "high", "low", "close"];
        let column = |name: &str| SourceColumn { name: name.to_owned(), kind: FieldKind::Text, typed_time: false };
        let bars = loaded.job.bars_spec(&names.map(column)).unwrap();
        assert_eq!(loaded.compile(&bars).unwrap().rules.len(), 1);
    }

    #[test]
    fn the_reference_job_of_the_benchmark_loads() {
        let job = "name = \"reference\"\nrules = [\"RULES\"]\n\n[source.files]\npath = \"/data/bars/*.parquet\"\n\n[bars]\n\
                   series = [\"symbol\"]\ninterval = \"1d\"\ncalendar = \"weekdays\"\ntime = { field = \"ts\" }\n\n\
                   [report]\ndir = \"/data/out\"\n";
        let rules = r#"
            [[rule]]
            id = "date_format"
            check = "date-format"
            formats = ["%Y-%m-%d"]
            field = "trade_date"

            [[rule]]
            id = "outlier"
            check = "outlier"
            field = "close"
            method = "hampel"
            scale = "log"
            window = 21
            limit = 8.0
            floor = 0.005
            edges = "shrink"

            [[rule]]
            id = "gap"
            check = "gap"
        "#;
        let folder = folder(&[
            ("jobs/demo.toml", job.replace("RULES", "rules.toml").as_bytes()),
            ("jobs/rules.toml", rules.as_bytes()),
        ]);
        let loaded = load_in(&folder).unwrap();
        let job::Source::Files(files) = &loaded.job.source else { panic!("no files") };
        assert_eq!(files.paths[0].resolved, Path::new("/data/bars/*.parquet"));
        assert_eq!(loaded.job.bars.calendar.as_ref().map(|calendar| calendar.name()), Some("weekdays"));
        let column =
            |name: &str| SourceColumn { name: name.to_owned(), kind: FieldKind::Text, typed_time: name == "ts" };
        let bars = loaded.job.bars_spec(&["symbol", "ts", "trade_date", "close"].map(column)).unwrap();
        assert_eq!(loaded.compile(&bars).unwrap().rules.len(), 3);
    }

    #[test]
    fn byte_order_mark_and_windows_line_ends_are_accepted() {
        let job = format!("\u{feff}{}", job("\"a.toml\"")).replace('\n', "\r\n");
        let rules = format!("\u{feff}{RULES}").replace('\n', "\r\n");
        let folder = folder(&[("jobs/demo.toml", job.as_bytes()), ("jobs/a.toml", rules.as_bytes())]);
        assert!(load_in(&folder).is_ok());
    }

    #[test]
    fn mistakes_of_job_and_rules_are_reported_together() {
        let job = "name = \"demo\"\nrules = [\"../rules/a.toml\", \"../rules/olhc.toml\", \"b.toml\", \"../rules/../rules/a.toml\"]\n\
                   [source.files]\npath = \"mongodb://bob:hunter2@db\"\n[bars]\nseries = \"symbol\"\ninterval = \"1d\"\n[limit]\nrows = 1\n";
        let bad = "# caf\u{e9} \n[[rule]]\nid = \"a\"\ncheck = \"outlier\"\nwindow = 20\n";
        let latin1 = b"[[rule]]\n# caf\xe9\n";
        let folder = folder(&[
            ("jobs/demo.toml", job.as_bytes()),
            ("rules/a.toml", bad.as_bytes()),
            ("rules/ohlc.toml", RULES.as_bytes()),
            ("jobs/b.toml", latin1),
        ]);
        let reported = mistakes(&folder);
        assert!(!reported.contains("hunter2"));
        insta::assert_snapshot!(reported, @r#"
error[unreadable-file]: there is no file `../rules/olhc.toml`
 --> jobs/demo.toml:2:29
  |
2 | rules = ["../rules/a.toml", "../rules/olhc.toml", "b.toml", "../rules/../rules/a.toml"]
  |                             ^^^^^^^^^^^^^^^^^^^^ not found
  |
  = help: did you mean `../rules/ohlc.toml`?

error[unreadable-file]: `b.toml` is not UTF-8 text: the byte at offset 14, line 2, cannot be read; save the file as UTF-8
 --> jobs/demo.toml:2:51
  |
2 | rules = ["../rules/a.toml", "../rules/olhc.toml", "b.toml", "../rules/../rules/a.toml"]
  |                                                   ^^^^^^^^

error[duplicate-file]: `../rules/../rules/a.toml` is named twice
 --> jobs/demo.toml:2:61
  |
2 | rules = ["../rules/a.toml", "../rules/olhc.toml", "b.toml", "../rules/../rules/a.toml"]
  |          ----------------- first named here                 ^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: name each rule file once

error[bad-value]: a server of MongoDB among files is not read by this version
 --> jobs/demo.toml:4:8
  |
4 | path = "mongodb://bob:*******@db"
  |        ^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: write `[source.mongodb]` instead

error[secret-in-file]: a password is written in the file
 --> jobs/demo.toml:4:23
  |
4 | path = "mongodb://bob:*******@db"
  |                       ^^^^^^^ keep it in the environment
  |
  = help: write `${NAME}` here, and set NAME in the environment or in a `.env` beside the job

error[unknown-key]: unknown key `limit` in the job
 --> jobs/demo.toml:8:2
  |
8 | [limit]
  |  ^^^^^ unknown key
  |
  = help: did you mean `limits`? keys: name, rules, source, bars, calendar, window, limits, quarantine, report, state, parse_error, facts, tune, schedule, notify, labels, fail_on

error[bad-value]: rule `a`: `window` is 20, and must be an odd number
 --> rules/a.toml:5:10
  |
5 | window = 20
  |          ^^
  |
  = help: the bar stands in the middle of its window: use 19 or 21
"#);
    }

    #[test]
    fn a_folder_is_no_rule_file() {
        let folder = folder(&[("jobs/demo.toml", job("\"../rules\"").as_bytes()), ("rules/a.toml", RULES.as_bytes())]);
        assert!(mistakes(&folder).contains("`../rules` is a folder"));
    }

    #[test]
    fn missing_job_and_job_that_is_not_text_are_errors_of_their_own() {
        let missing = load_with(Path::new("no/such/job.toml"), []).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read `no/such/job.toml`");
        let folder = folder(&[("jobs/demo.toml", b"name = 1\n\xff")]);
        let binary = load_in(&folder).unwrap_err();
        let source = std::error::Error::source(&binary).unwrap().to_string();
        assert_eq!(source, "not UTF-8 text: the byte at offset 9, line 2, cannot be read; save the file as UTF-8");
    }

    #[test]
    fn dotenv_fills_variables_and_the_process_wins() {
        let job = job("\"a.toml\"") + "[report]\ndir = \"${HOME_DIR}/${WHO}/${ONLY_HERE}/${NOWHERE:-default}/$$1\"\n";
        let env = b"# secrets\nONLY_HERE=file\nWHO=file\nQUOTED=\"a b\"\n";
        let folder =
            folder(&[("jobs/demo.toml", job.as_bytes()), ("jobs/.env", env), ("jobs/a.toml", RULES.as_bytes())]);
        assert_eq!(load_in(&folder).unwrap().job.report_dir.written, "/home/process/file/default/$1");
    }

    #[test]
    fn broken_dotenv_is_reported_without_its_text() {
        let folder =
            folder(&[("jobs/demo.toml", job("\"a.toml\"").as_bytes()), ("jobs/.env", b"A=1\nhunter2 hunter3\n")]);
        let error = load_in(&folder).unwrap_err();
        assert!(matches!(error, LoadError::Dotenv { after: 1, .. }), "{error:?}");
        assert!(!error.to_string().contains("hunter"));
    }

    #[test]
    fn calendar_file_is_read_and_checked() {
        let job = job("\"a.toml\"") + "calendar = \"XNYS\"\ncalendar_file = \"nyse.csv\"\n";
        let bad = "calendar,session,open_utc,close_utc,break_start_utc,break_end_utc\nXNYS,2024-13-01,x,y,,\n";
        let one = folder(&[("jobs/demo.toml", job.as_bytes()), ("jobs/a.toml", RULES.as_bytes())]);
        assert!(mistakes(&one).contains("there is no file `nyse.csv`"));
        fs::write(one.path().join("jobs/nyse.csv"), bad).unwrap();
        assert!(mistakes(&one).contains("jobs/nyse.csv:2:1"));
    }
}
