//! The rules that a person names: those of the job by id, a set of it by the name of its file, or those of a file or
//! folder that the job does not know.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::values::Values;
use crate::config::{Loaded, RuleFile, Tried, document, rules};
use crate::run::failure::Failure;
use crate::schema::Environment;
use crate::schema::diagnostic::suggestion;

/// What stands for the rules of the job.
const OF_JOB: &str = "job";

/// The one rule that `name` is about, with `values`: an id of the job's rules, a rule file with one rule, or `FILE#ID`.
/// A rule file is taken as it is written, without the values of the job.
pub(in crate::run) fn one(loaded: &Loaded, name: &str, values: &Values) -> Result<Tried, Failure> {
    if !is_path(name) {
        return of_job(loaded, name, values).ok_or_else(|| unknown(loaded, name, &[]));
    }
    let (path, id) = split(name);
    let file = read(loaded, &path)?;
    let ids = ids(&file);
    let id = match (id, ids.as_slice()) {
        (Some(id), _) => find(&ids, id, &path)?,
        (None, [only]) => Arc::clone(only),
        (None, _) => {
            let message = format!("`{}` has {} rules: which is meant?", path.display(), ids.len());
            let names = ids.iter().map(|id| &**id).collect::<Vec<_>>().join(", ");
            return Err(Failure::Usage(message, format!("write `{}#ID`; rules: {names}", path.display())));
        }
    };
    let values = values.text(&id);
    Ok(Tried { file, id, values })
}

/// The rules that `name` is about: `job`, an id, the name of a set, a file, a folder, or `FILE#ID`.
pub(super) fn all(loaded: &Loaded, name: &str) -> Result<Vec<Tried>, Failure> {
    let none = Values::default();
    let path = Path::new(name);
    let rules: Vec<Tried> = if name == OF_JOB {
        loaded.rule_files.iter().flat_map(of_file).collect()
    } else if let Some(rule) = of_job(loaded, name, &none) {
        vec![rule]
    } else if let Some(set) = loaded.rule_files.iter().find(|file| !is_path(name) && is_called(file, name)) {
        of_file(set).collect()
    } else if path.is_dir() {
        let mut rules = Vec::new();
        for path in files_in(path)? {
            rules.extend(of_file(&read(loaded, &path)?));
        }
        rules
    } else if !is_path(name) {
        return Err(unknown(loaded, name, &[OF_JOB]));
    } else if name.contains('#') {
        vec![one(loaded, name, &none)?]
    } else {
        of_file(&read(loaded, path)?).collect()
    };
    if rules.is_empty() {
        return Err(Failure::Usage(format!("`{name}` has no rules"), "name a rule file with [[rule]]".to_owned()));
    }
    let twice = rules.iter().enumerate().find(|(place, rule)| rules[..*place].iter().any(|other| other.id == rule.id));
    match twice {
        None => Ok(rules),
        Some((_, rule)) => {
            let message = format!("two rules of `{name}` have the id `{}`", rule.id);
            Err(Failure::Usage(message, "rename one of them, or name one file".to_owned()))
        }
    }
}

fn of_file(file: &RuleFile) -> impl Iterator<Item = Tried> + use<> {
    let excepted: Vec<String> = file.except.iter().map(|id| id.get_ref().clone()).collect();
    let file = file.clone();
    let ids = ids(&file).into_iter().filter(move |id| !excepted.iter().any(|except| **except == **id));
    ids.map(move |id| Tried { file: file.clone(), id, values: None })
}

/// A rule of the job, with the job's own values; also one of a file of the job that the job does without.
fn of_job(loaded: &Loaded, id: &str, values: &Values) -> Option<Tried> {
    let has = |file: &&RuleFile| ids(file).iter().any(|other| **other == *id);
    let file = RuleFile { except: Vec::new(), ..loaded.rule_files.iter().find(has)?.clone() };
    Some(Tried { file, id: Arc::from(id), values: values.text(id) })
}

/// The ids of the rules in a file, sorted.
fn ids(file: &RuleFile) -> Vec<Arc<str>> {
    rules::ids(std::slice::from_ref(file))
}

/// Whether a name is that of a file and not of a rule.
fn is_path(name: &str) -> bool {
    let file = split(name).0;
    name.contains('#') || name.contains('/') || file.extension().is_some_and(|end| end == "toml")
}

fn split(name: &str) -> (PathBuf, Option<&str>) {
    match name.rsplit_once('#') {
        Some((path, id)) => (PathBuf::from(path), Some(id)),
        None => (PathBuf::from(name), None),
    }
}

/// Whether a rule file is called `name`, without its ending.
fn is_called(file: &RuleFile, name: &str) -> bool {
    file.file.path.file_stem().is_some_and(|stem| stem == name)
}

fn find(ids: &[Arc<str>], id: &str, path: &Path) -> Result<Arc<str>, Failure> {
    ids.iter().find(|other| ***other == *id).cloned().ok_or_else(|| {
        let help = suggestion(id, "rules", ids.iter().map(|id| &**id));
        Failure::Usage(format!("`{}` has no rule `{id}`", path.display()), help)
    })
}

fn unknown(loaded: &Loaded, name: &str, besides: &[&str]) -> Failure {
    let ids = loaded.rule_ids();
    let names: Vec<&str> = ids.iter().map(|id| &**id).chain(besides.iter().copied()).collect();
    let help = suggestion(name, "rules", names.iter().copied());
    Failure::Usage(format!("the job has no rule `{name}`"), format!("{help}; or name a rule file, as rules/x.toml#id"))
}

/// The rule files in a folder, by name.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    let mut files: Vec<PathBuf> =
        entries.into_iter().filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    Ok(files)
}

/// The rule file at `path`, with the values of the job's environment.
fn read(loaded: &Loaded, path: &Path) -> Result<RuleFile, Failure> {
    let unreadable = |problem: String| {
        Failure::Usage(format!("cannot read `{}`: {problem}", path.display()), "give a rule file".to_owned())
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = document::decode(bytes).map_err(|problem| unreadable(problem.to_string()))?;
    let (file, secrets) = document::open(path, &text);
    let (_, syntax) = document::parse(&file);
    let mistakes = [secrets, syntax].concat();
    if !mistakes.is_empty() {
        return Err(Failure::Mistakes(mistakes));
    }
    let environment = loaded.rule_files.first().map(|of_job| Arc::clone(&of_job.environment));
    Ok(RuleFile::new(file, environment.unwrap_or_else(|| Arc::new(Environment::default()))))
}
