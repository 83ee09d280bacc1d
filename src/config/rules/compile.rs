//! Puts a rule set together.

mod trials;
mod tuned;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(in crate::config) use trials::compile_trials;
pub use trials::{Trials, Tried};

use super::head::{self, Head, RULE, RULE_FILE};
use super::tune::{self, Tuning};
use super::{Rule, RuleFile, RuleSet, cases};
use crate::bars::{BarsSpec, NUMBERS};
use crate::checks::{Check, CheckKind, Described, Excuses, Expression, Lacking, Params};
use crate::config::document;
use crate::durable::hex;
use crate::market::Part;
use crate::schema::diagnostic::{Diagnostic, SourceText};
use crate::schema::moment::Moment;
use crate::schema::reader::{Environment, Reader, number_of};
use crate::schema::section::SectionReader;

/// Compiles the rules of `files` over `bars`.
///
/// # Errors
/// Every mistake of every file, in the order of the files and then of their text.
pub fn compile(files: &[RuleFile], bars: &BarsSpec) -> Result<RuleSet, Vec<Diagnostic>> {
    finished(Compiler::over(files, Some(bars), &[]))
}

/// Why rules cannot be compiled over the bars of a job.
#[derive(Debug)]
pub(in crate::config) struct Unfit {
    /// Mistakes of the rules.
    pub(in crate::config) mistakes: Vec<Diagnostic>,
    /// Usual fields that the bars lack, with the ids of the rules that need them.
    pub(in crate::config) lacking: BTreeMap<String, Vec<Arc<str>>>,
}

/// [`compile`] over the bars of a job, for the rules with the ids `only`, or for all of them where it is empty; the
/// mistakes of others do not count, and test rows may have fields that these bars lack. The identity is that of the
/// whole set.
pub(in crate::config) fn compile_only(files: &[RuleFile], bars: &BarsSpec, only: &[String]) -> Result<RuleSet, Unfit> {
    let compiler = Compiler { of_job: true, ..Compiler::new(Some(bars), only) };
    of_job(compiler.with(files))
}

/// What was compiled over the bars of a job.
fn of_job(mut compiler: Compiler<'_>) -> Result<RuleSet, Unfit> {
    compiler.mistakes.retain(|mistake| mistake.code != cases::UNKNOWN_FIELD);
    let lacking = std::mem::take(&mut compiler.lacking);
    match finished(compiler) {
        Ok(rules) if lacking.is_empty() => Ok(rules),
        Ok(_) => Err(Unfit { mistakes: Vec::new(), lacking }),
        Err(mistakes) => Err(Unfit { mistakes, lacking }),
    }
}

fn finished(mut compiler: Compiler<'_>) -> Result<RuleSet, Vec<Diagnostic>> {
    if !compiler.mistakes.is_empty() {
        return Err(compiler.mistakes);
    }
    compiler.used.sort_unstable();
    compiler.used.dedup();
    Ok(RuleSet {
        rules: compiler.rules,
        expressions: compiler.expressions,
        used: compiler.used,
        left_out: compiler.left_out,
        sha256: hex(&compiler.digest.finalize()),
    })
}

/// The mistakes of `files` that can be reported before the source is known. `bars` is what can be assumed of them;
/// without it the parameters of checks are not looked at. Only the rules `only` count, where any are named.
pub(in crate::config) fn lint(files: &[RuleFile], bars: Option<&BarsSpec>, only: &[String]) -> Vec<Diagnostic> {
    let mut compiler = Compiler::over(files, bars, only);
    // Which fields there are is the source's to say.
    compiler.mistakes.retain(|mistake| !matches!(mistake.code, "unknown-field" | cases::UNKNOWN_FIELD));
    compiler.mistakes
}

/// The ids of the rules of `files`, sorted, also of those that the job does without.
pub fn ids(files: &[RuleFile]) -> Vec<Arc<str>> {
    Compiler::over(files, None, &[]).ids.into_keys().collect()
}

/// Whether a rule of `file` is of the check `name`, and is not one that the job does without.
pub(in crate::config) fn names_check(file: &RuleFile, name: &str) -> bool {
    let (table, _) = document::parse(&file.file);
    let Some(DeValue::Array(rules)) = table.get_ref().get("rule").map(Spanned::get_ref) else { return false };
    rules.iter().any(|rule| {
        let DeValue::Table(rule) = rule.get_ref() else { return false };
        let text = |key: &str| rule.get(key).and_then(|value| value.get_ref().as_str());
        let id = text("id").unwrap_or_default();
        text("check") == Some(name) && !file.except.iter().any(|except| except.get_ref() == id)
    })
}

struct Compiler<'b> {
    bars: Option<&'b BarsSpec>,
    only: &'b [String],
    rules: Vec<Rule>,
    expressions: Vec<Expression>,
    used: Vec<usize>,
    digest: Sha256,
    ids: BTreeMap<Arc<str>, (Arc<SourceText>, Range<usize>)>,
    mistakes: Vec<Diagnostic>,
    left_out: Vec<Arc<str>>,
    /// Whether the bars are those of a job.
    of_job: bool,
    /// Usual fields that the bars of a job lack, with the rules that need them.
    lacking: BTreeMap<String, Vec<Arc<str>>>,
}

impl<'b> Compiler<'b> {
    /// Takes all of `files`.
    fn over(files: &[RuleFile], bars: Option<&'b BarsSpec>, only: &'b [String]) -> Self {
        Self::new(bars, only).with(files)
    }

    fn new(bars: Option<&'b BarsSpec>, only: &'b [String]) -> Self {
        Self {
            bars,
            only,
            rules: Vec::new(),
            expressions: Vec::new(),
            used: Vec::new(),
            digest: Sha256::new(),
            ids: BTreeMap::new(),
            mistakes: Vec::new(),
            left_out: Vec::new(),
            of_job: false,
            lacking: BTreeMap::new(),
        }
    }

    fn with(mut self, files: &[RuleFile]) -> Self {
        for file in files {
            self.add_file(file);
        }
        self
    }

    fn add_file(&mut self, file: &RuleFile) {
        let (table, syntax) = document::parse(&file.file);
        if !syntax.is_empty() {
            // What the parser left out would be reported as missing: with syntax errors, they alone are reported.
            self.mistakes.extend(syntax);
            return;
        }
        let texts = [file.job.as_ref(), file.tried.as_ref()];
        let documents = texts.map(|text| text.map(|text| (text, document::parse(text).0)));
        let reader = Reader::new(&file.file, table.get_ref(), table.span(), &file.environment);
        let mut section = SectionReader::new(&RULE_FILE, reader);
        let mut mistakes = Vec::new();
        for (index, mut rule) in section.sections("rule").into_iter().enumerate() {
            let entries = rule.reader().entries();
            let id = entries.get("id").and_then(|id| id.get_ref().as_str());
            let tunings: Vec<Tuning<'_>> = (documents.iter().enumerate())
                .filter_map(|(place, document)| {
                    let (text, document) = document.as_ref()?;
                    Tuning::of(text, tune::tables(document.get_ref()), (id?, place))
                })
                .collect();
            mistakes.extend(match tunings.as_slice() {
                [] => self.add_rule(file, index + 1, rule, None),
                tunings => self.add_tuned(file, (index + 1, rule.span(), entries), tunings),
            });
        }
        mistakes.extend(section.finish());
        mistakes.sort_by_key(|mistake| mistake.span.start);
        self.mistakes.extend(mistakes);
    }

    /// Compiles one rule; what it returns are its mistakes. `tuned` is what the job says of it, with its entries.
    fn add_rule(
        &mut self,
        file: &RuleFile,
        number: usize,
        mut section: SectionReader<'_>,
        tuned: Option<(&[Tuning<'_>], &DeTable<'_>)>,
    ) -> Vec<Diagnostic> {
        let head = head::read(&mut section, number);
        self.reject_second_use(&mut section, &head);
        let before = (self.expressions.len(), self.used.len());
        let (from, until) = self.validity(&mut section, &head);
        let part = self.part(&mut section, &head);
        let tests = cases::read(&mut section, self.bars);
        let id = Arc::clone(head.id.get_ref());
        let condition = head.condition.as_ref().map(|sql| self.add_expression(file, sql, &id));
        let params = parameters(section.reader().entries(), None);
        let span = section.reader().span();
        let sha256 = self.digest_rule(&head, (from, until), section.reader().entries(), &file.environment);
        let (check, mut mistakes) = self.compile_check(&head, section);
        let by_symbol = match tuned {
            Some((tunings, entries)) => {
                self.by_symbol(file, &head, check.as_deref(), (tunings, entries), &mut mistakes)
            }
            None => BTreeMap::new(),
        };
        let excepted = file.except.iter().any(|except| **except.get_ref() == *id);
        if excepted || !self.only.is_empty() && !self.only.iter().any(|wanted| **wanted == *id) {
            self.expressions.truncate(before.0);
            self.used.truncate(before.1);
            return Vec::new();
        }
        if self.left_out.last() == Some(&id) {
            self.expressions.truncate(before.0);
            self.used.truncate(before.1);
        }
        if let (Some(kind), Some(check)) = (head.kind, check) {
            let excuses = self.excuses(&head, kind);
            self.rules.push(Rule {
                id,
                kind,
                check,
                by_symbol,
                tuned: tuned.map(|(tunings, _)| tunings.iter().flat_map(Tuning::keys).collect()).unwrap_or_default(),
                severity: head.severity,
                action: head.action,
                causes: head.causes,
                excuses,
                condition,
                part,
                from,
                until,
                budget: head.budget,
                optional: head.optional,
                why: head.why,
                owner: head.owner,
                params: params.to_string(),
                sha256,
                tests,
                file: Arc::clone(&file.file),
                span,
            });
        }
        mistakes
    }

    fn compile_check(&mut self, head: &Head, section: SectionReader<'_>) -> (Option<Box<dyn Check>>, Vec<Diagnostic>) {
        let Some(kind) = head.kind else { return (None, section.unfinished()) };
        let id = head.id.get_ref();
        let section = section.continued(format!("rule `{id}`"), kind.params());
        let Some(bars) = self.bars else { return (None, section.finish()) };
        let mut params = Params::new(section, bars, Arc::clone(id), &mut self.expressions);
        let check = kind.compile(&mut params, bars);
        let (mut mistakes, used, lacking) = params.finish();
        // What else is wrong with the rule may only follow from that.
        let may_lack = |lacking: &Lacking| head.optional || bars.lacks_knowingly(&lacking.field);
        if !lacking.is_empty() && lacking.iter().all(may_lack) {
            self.left_out.push(Arc::clone(id));
            return (None, Vec::new());
        }
        for Lacking { field, mistake } in lacking {
            // That bars lack a usual field is said once, of the job, and not at each rule that needs it.
            match self.of_job && NUMBERS.contains(&field.as_str()) {
                true => self.lacking.entry(field).or_default().push(Arc::clone(id)),
                false => mistakes.push(mistake),
            }
        }
        self.used.extend(used);
        (Some(check), mistakes)
    }

    /// The facts that excuse findings of a rule.
    fn excuses(&self, head: &Head, kind: &dyn CheckKind) -> Excuses {
        let Some(bars) = self.bars else { return Excuses::default() };
        let exempt = head.exempt.as_deref().unwrap_or(kind.excused_by_default());
        Excuses::new(head.id.get_ref(), exempt, bars)
    }

    fn add_expression(&mut self, file: &RuleFile, sql: &Spanned<String>, rule: &Arc<str>) -> usize {
        let (sql, span) = (sql.get_ref().clone(), sql.span());
        let (file, rule) = (Arc::clone(&file.file), Arc::clone(rule));
        self.expressions.push(Expression { sql, span, file, rule, reach: (0, 0) });
        self.expressions.len() - 1
    }

    fn reject_second_use(&mut self, section: &mut SectionReader<'_>, head: &Head) {
        let id = head.id.get_ref();
        if !head.named {
            return;
        }
        let here = (Arc::clone(section.file()), head.id.span());
        let Some((file, span)) = self.ids.get(id) else {
            self.ids.insert(Arc::clone(id), here);
            return;
        };
        let mistake = Diagnostic::new("duplicate-id", format!("two rules have the id `{id}`"), section.file(), here.1)
            .label("used again here")
            .also(file, span.clone(), "first used here")
            .help("findings are distinguished by the ids of their rules: rename one of them");
        section.reader().push(mistake);
    }

    /// The part of a session that a rule chooses, where the bars are known.
    fn part(&self, section: &mut SectionReader<'_>, head: &Head) -> Option<Part> {
        let (word, bars) = (head.part?, self.bars?);
        let part = bars.grid.as_ref().and_then(|grid| Part::new(word, grid));
        if part.is_none() {
            let title = "`part` chooses among bars of regular hours and others, and these bars have no others";
            section.reject("part", title, "write `hours = \"extended\"` in `[bars]` of the job, or leave `part` out");
        }
        part
    }

    /// The timestamps a rule holds for, where the bars are known.
    fn validity(&self, section: &mut SectionReader<'_>, head: &Head) -> (Option<i64>, Option<i64>) {
        let Some(bars) = self.bars else { return (None, None) };
        let mut resolve = |name: &str, moment: Option<Moment>| {
            let help = "write an offset, e.g. `2024-03-08T14:30:00Z`";
            moment?.resolve(bars.time.zone, bars.daily()).map_err(|problem| section.reject(name, problem, help)).ok()
        };
        let (from, until) = (resolve("from", head.from), resolve("until", head.until));
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            let title = format!("rule `{}` applies to no bar: `until` is not after `from`", head.id.get_ref());
            section.reject("until", title, "`until` is the first date or time to which the rule no longer applies");
        }
        (from, until)
    }

    /// Takes a rule into the identity of the set; returns its own.
    fn digest_rule(
        &mut self,
        head: &Head,
        (from, until): (Option<i64>, Option<i64>),
        entries: &DeTable<'_>,
        environment: &Environment,
    ) -> String {
        let mut expanded = json!({
            "id": &**head.id.get_ref(),
            "check": head.kind.map(Described::name),
            "severity": head.severity.as_str(),
            "action": head.action.as_str(),
            "where": head.condition.as_ref().map(Spanned::get_ref),
            "from": from,
            "until": until,
            "budget": head.budget,
            "params": parameters(entries, Some(environment)),
        });
        if !head.causes.is_empty() {
            expanded["causes"] = json!(head.causes);
        }
        if let Some(part) = head.part {
            expanded["part"] = json!(part);
        }
        if let Some(exempt) = &head.exempt {
            expanded["exempt"] = exempt.iter().map(|one| one.word()).collect();
        }
        let expanded = expanded.to_string();
        self.digest.update(&expanded);
        self.digest.update(b"\n");
        hex(&Sha256::digest(&expanded))
    }
}

/// What a rule writes besides the keys every rule has; with an environment, `${NAME}` replaced.
fn parameters(entries: &DeTable<'_>, environment: Option<&Environment>) -> Value {
    let own = entries.iter().filter(|(name, _)| RULE.keys.iter().all(|key| key.name != name.get_ref().as_ref()));
    Value::Object(
        own.map(|(name, value)| (name.get_ref().to_string(), json_of(value.get_ref(), environment))).collect(),
    )
}

fn json_of(value: &DeValue<'_>, environment: Option<&Environment>) -> Value {
    match value {
        DeValue::String(text) => {
            let expanded = environment.and_then(|environment| environment.expand(text).ok());
            Value::String(expanded.unwrap_or_else(|| text.to_string()))
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Integer(number) => {
            let whole = i64::from_str_radix(&number.as_str().replace('_', ""), number.radix());
            whole.map_or_else(|_| Value::String(number.to_string()), Value::from)
        }
        DeValue::Float(number) => {
            let finite = number_of(value).and_then(serde_json::Number::from_f64);
            finite.map_or_else(|| Value::String(number.to_string()), Value::Number)
        }
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json_of(item.get_ref(), environment)).collect(),
        DeValue::Table(table) => {
            let entries =
                table.iter().map(|(name, value)| (name.get_ref().to_string(), json_of(value.get_ref(), environment)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}
