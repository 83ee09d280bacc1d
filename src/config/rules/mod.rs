//! Rule files -> [`RuleSet`]: every rule with its check compiled, or every mistake at once.
//!
//! Checks read their own parameters through [`Params`](crate::checks::Params); here are the keys that every rule has,
//! what concerns several rules, and the identity of the whole set. SQL is only collected: the engine plans it.

mod cases;
mod compile;
mod head;
mod tune;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;

pub use cases::{Literal, RuleTest};
pub use compile::compile;
pub use compile::{Trials, Tried, ids};
pub(super) use compile::{Unfit, compile_only, compile_trials, lint, names_check};
pub(super) use head::{RULE, RULE_FILE};
pub(super) use tune::unknown as unknown_tuning;

use super::document;
use crate::checks::{Check, CheckKind, Context, Excuses, Expression, Finding};
use crate::decide::{Action, Severity};
use crate::market::Part;
use crate::schema::diagnostic::{Diagnostic, SourceText};
use crate::schema::reader::Environment;

/// One rule file, read but not compiled.
#[derive(Debug, Clone)]
pub struct RuleFile {
    /// Its text, passwords redacted out.
    pub file: Arc<SourceText>,
    /// Values for `${NAME}`.
    pub environment: Arc<Environment>,
    /// Ids of rules in it that the job does without.
    pub except: Vec<Spanned<String>>,
    /// The job whose `[tune]` changes values of its rules.
    pub job: Option<Arc<SourceText>>,
    /// A text with another `[tune]`, over that of the job: values that are tried.
    pub tried: Option<Arc<SourceText>>,
}

impl RuleFile {
    /// Rules that stand in `text`; mistakes name them by `name`. References such as `${NAME}` find no value.
    ///
    /// # Errors
    /// What the text may not hold, e.g. a password.
    pub fn from_text(name: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let (file, mistakes) = document::open(name, text);
        match mistakes.is_empty() {
            true => Ok(Self::new(file, Arc::new(Environment::new([])))),
            false => Err(mistakes),
        }
    }

    /// All rules of `file`.
    pub(crate) fn new(file: Arc<SourceText>, environment: Arc<Environment>) -> Self {
        Self { file, environment, except: Vec::new(), job: None, tried: None }
    }
}

/// One rule, ready to evaluate.
pub struct Rule {
    /// Its identifier; once in a rule set.
    pub id: Arc<str>,
    /// The check behind it.
    pub kind: &'static dyn CheckKind,
    /// The check with the rule's parameters.
    pub check: Box<dyn Check>,
    /// The check of symbols for which the job has other parameters.
    pub by_symbol: BTreeMap<String, OfSymbol>,
    /// Keys that the job sets, in the place of those of the rule file.
    pub tuned: Vec<String>,
    /// Severity of its findings.
    pub severity: Severity,
    /// What is done with flagged rows; never more than a report where findings stand for no row.
    pub action: Action,
    /// Causes of the findings it makes; all that its check has where this is empty.
    pub causes: Vec<&'static str>,
    /// The facts that excuse its findings.
    pub excuses: Excuses,
    /// Slot of its `where` in [`RuleSet::expressions`]: other rows are not evaluated.
    pub condition: Option<usize>,
    /// The part of a session that it is about; `None` where it is about all of it.
    pub part: Option<Part>,
    /// First timestamp it is valid for, µs UTC on the scale of the bars.
    pub from: Option<i64>,
    /// First timestamp it is not valid for any more, µs UTC on the scale of the bars; after `from`.
    pub until: Option<i64>,
    /// Share of the rows it evaluates that it may flag, above 0 and at most 1; a rule that flags more is broken.
    pub budget: Option<f64>,
    /// Whether it is left out where the bars lack a field that it needs.
    pub optional: bool,
    /// Why the rule exists, in its author's words.
    pub why: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The parameters of its check as written, a JSON object with sorted keys.
    pub params: String,
    /// SHA-256 (hex) of what decides its verdicts; see [`RuleSet::sha256`].
    pub sha256: String,
    /// Its own test cases.
    pub tests: Vec<RuleTest>,
    /// The file it stands in.
    pub file: Arc<SourceText>,
    /// Where it begins there.
    pub span: Range<usize>,
}

/// What a rule is for one symbol.
pub struct OfSymbol {
    /// The check with its parameters.
    pub check: Box<dyn Check>,
    /// The parameters that the job sets for it.
    pub tuned: Vec<String>,
    /// All parameters, as [`Rule::params`].
    pub params: String,
}

impl Rule {
    /// The widest context of its checks.
    pub fn context(&self) -> Context {
        self.by_symbol.values().fold(self.check.context(), |widest, own| widest.and(own.check.context()))
    }

    /// The check that evaluates the series of `symbol`.
    pub fn check_of(&self, symbol: Option<&str>) -> &dyn Check {
        let own = symbol.and_then(|symbol| self.by_symbol.get(symbol));
        own.map_or(self.check.as_ref(), |own| own.check.as_ref())
    }

    /// Whether a finding of its check has one of the causes that it is about.
    pub fn is_about(&self, finding: &Finding) -> bool {
        self.causes.is_empty() || finding.cause.is_some_and(|cause| self.causes.contains(&cause))
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("id", &self.id)
            .field("check", &self.kind.name())
            .field("severity", &self.severity)
            .field("action", &self.action)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

/// The rules of a job.
#[derive(Default, Debug)]
pub struct RuleSet {
    /// The rules in the order of the files.
    pub rules: Vec<Rule>,
    /// The SQL expressions of all rules; a slot is an index into this list.
    pub expressions: Vec<Expression>,
    /// Indices into `BarsSpec::fields` that checks use, ascending; what only SQL uses is not among them.
    pub used: Vec<usize>,
    /// Ids of the rules that are not evaluated, for they need a field that the bars do not have, and that is said to be so.
    pub left_out: Vec<Arc<str>>,
    /// SHA-256 (hex) of everything that decides a verdict: identifiers, checks, parameters, levels, conditions,
    /// validity and budgets. Comments, layout, `why`, `owner` and tests do not change it.
    pub sha256: String,
}

impl RuleSet {
    /// Leaves out the rule `id`, which needs a field that the bars are said not to have. Its expressions keep their
    /// slots and say nothing.
    pub fn leave_out(&mut self, id: &Arc<str>) {
        self.rules.retain(|rule| rule.id != *id);
        for expression in self.expressions.iter_mut().filter(|expression| expression.rule == *id) {
            "true".clone_into(&mut expression.sql);
        }
        self.left_out.push(Arc::clone(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bars::DAY_US;
    use crate::bars::{BarsSpec, FieldKind};
    use crate::config::columns::SourceColumn;
    use crate::config::job;
    use crate::schema::Diagnostic;

    /// Daily bars of the usual fields without a calendar, from a source that calls its volume `vol`.
    fn bars() -> BarsSpec {
        let text = "name = \"x\"\nrules = \"x\"\nsource.files.path = \"x\"\n[bars]\nseries = \"symbol\"\ninterval = \"1d\"\n\
                    time = { field = \"trade_date\", zone = \"America/New_York\" }\nfields = { volume = \"vol\" }\n";
        let job = job::read(&SourceText::new("job.toml", text), &Environment::default()).job.unwrap();
        let names = ["symbol", "trade_date", "open", "high", "low", "close", "vol", "amount"];
        let column = |name: &str| SourceColumn { name: name.to_owned(), kind: FieldKind::Text, typed_time: false };
        job.bars_spec(&names.map(column)).unwrap()
    }

    fn files(texts: &[(&str, &str)]) -> Vec<RuleFile> {
        let environment = Arc::new(Environment::new([("LIMIT".to_owned(), "close > 1".to_owned())]));
        let file = |(path, text): &(&str, &str)| RuleFile::new(SourceText::new(path, *text), Arc::clone(&environment));
        texts.iter().map(file).collect()
    }

    #[test]
    fn a_rule_makes_findings_of_the_causes_that_it_names() {
        let rule = |causes: &str| format!("[[rule]]\nid = \"a\"\ncheck = \"ohlc\"\ncauses = {causes}\n");
        let some = compiled(&rule("[\"swapped-high-low\", \"not-finite\"]"));
        let finding = |cause: &'static str| Finding::row(0).cause(cause);
        assert!(some.rules[0].is_about(&finding("not-finite")) && !some.rules[0].is_about(&finding("non-positive")));
        assert!(!some.rules[0].is_about(&Finding::row(0)), "a finding without a cause has none of them");
        assert!(compiled("[[rule]]\nid = \"a\"\ncheck = \"ohlc\"\n").rules[0].is_about(&finding("non-positive")));
        let wrong = mistakes(&rule("\"swaped-high-low\""));
        assert!(wrong.contains("`ohlc` has no cause `swaped-high-low`") && wrong.contains("did you mean"), "{wrong}");
    }

    #[test]
    fn rules_of_a_text_compile_and_a_password_in_it_is_refused() {
        let rule = "[[rule]]\nid = \"a\"\ncheck = \"ohlc\"\n";
        let file = RuleFile::from_text("rules.toml", rule).unwrap();
        assert_eq!(compile(&[file], &bars()).unwrap().rules.len(), 1);
        let secret = format!("# mongodb://bob:hunter2@db\n{rule}");
        let refused = rendered(&RuleFile::from_text("rules.toml", &secret).expect_err("a password was accepted"));
        assert!(refused.contains("secret-in-file") && !refused.contains("hunter2"), "{refused}");
    }

    fn rendered(mistakes: &[Diagnostic]) -> String {
        mistakes.iter().map(|mistake| mistake.render(false)).collect::<Vec<_>>().join("\n\n")
    }

    fn compiled(text: &str) -> RuleSet {
        compile(&files(&[("rules/ohlcv.toml", text)]), &bars()).unwrap_or_else(|m| panic!("{}", rendered(&m)))
    }

    fn mistakes_of(texts: &[(&str, &str)]) -> String {
        rendered(&compile(&files(texts), &bars()).expect_err("no mistake was found"))
    }

    fn mistakes(text: &str) -> String {
        mistakes_of(&[("rules/ohlcv.toml", text)])
    }

    const GOOD: &str = r#"
        [[rule]]
        id       = "close-outlier"
        check    = "outlier"
        field    = "close"
        window   = 21
        limit    = 8.0
        where    = "volume > 0"
        severity = "warn"
        action   = "quarantine"
        from     = 2024-03-01
        until    = "2024-03-02T00:00:00-05:00"
        budget   = 0.05
        why      = "a print far from its neighbours is a bad tick"
        owner    = "data desk"
        [[rule.test]]
        name = "one bad tick"
        rows = [{ time = 2024-03-01, close = 1, volume = nan, symbol = "A" }, { close = true }]
        flag = [1]

        [[rule]]
        id     = "sane"
        check  = "sql"
        where  = "amount > 0"
        assert = "${LIMIT}"
    "#;

    #[test]
    fn everything_written_is_kept() {
        let set = compiled(GOOD);
        let rule = &set.rules[0];
        assert_eq!(
            (&*rule.id, rule.kind.name(), rule.severity, rule.action),
            ("close-outlier", "outlier", Severity::Warn, Action::Quarantine)
        );
        assert_eq!((rule.from, rule.until), (Some(19_783 * DAY_US), Some(19_784 * DAY_US)));
        assert_eq!((rule.budget, rule.owner.as_deref()), (Some(0.05), Some("data desk")));
        assert_eq!(rule.params, r#"{"field":"close","limit":8.0,"window":21}"#);
        assert_eq!(rule.why.as_deref(), Some("a print far from its neighbours is a bad tick"));
        assert_eq!(rule.tests.len(), 1);
        let row = &rule.tests[0].rows[0];
        assert_eq!(
            (row[0].clone(), row[2].clone()),
            (("close".into(), Literal::Number(1.0)), ("time".into(), Literal::Time(19_783 * DAY_US)))
        );
        assert_eq!(row[1], ("symbol".into(), Literal::Text("A".into())));
        assert!(matches!(row[3].1, Literal::Number(number) if number.is_nan()));
        assert_eq!(rule.tests[0].rows[1], [("close".into(), Literal::Boolean(true))]);
        assert_eq!(rule.tests[0].flag, [1]);
    }

    #[test]
    fn expressions_have_slots_and_know_their_rule() {
        let set = compiled(GOOD);
        let reported: Vec<_> = set.expressions.iter().map(|e| (&*e.rule, e.sql.as_str())).collect();
        assert_eq!(reported, [("close-outlier", "volume > 0"), ("sane", "amount > 0"), ("sane", "close > 1")]);
        assert_eq!((set.rules[0].condition, set.rules[1].condition), (Some(0), Some(1)));
        assert_eq!(set.used, ["close", "volume"].map(|name| bars().field(name).unwrap().0));
    }

    #[test]
    fn defaults_are_error_and_report() {
        let set = compiled("[[rule]]\nid = \"bars\"\ncheck = \"ohlc\"\n");
        let rule = &set.rules[0];
        assert_eq!((rule.severity, rule.action, rule.params.as_str()), (Severity::Error, Action::Report, "{}"));
        assert_eq!((rule.condition, rule.from, rule.until, rule.budget), (None, None, None, None));
    }

    #[test]
    fn identity_of_a_set_changes_with_verdicts_only() {
        let of = |text: &str| compiled(text).sha256;
        let rule = "[[rule]]\nid = \"r\"\ncheck = \"range\"\nfield = \"close\"\nmin = 1\n";
        let same = "# a comment\n[[rule]]\nwhy = \"x\"\nmin=1\nfield='close'\ncheck = \"range\"\nid = \"r\"\nseverity = \"error\"\n";
        assert_eq!(of(rule), of(same));
        for tail in [
            "max = 2\n",
            "severity = \"warn\"\n",
            "action = \"delete\"\n",
            "where = \"close > 0\"\n",
            "from = 2024-01-01\n",
            "budget = 0.1\n",
        ] {
            assert_ne!(of(rule), of(&format!("{rule}{tail}")), "{tail}");
        }
        assert_ne!(of(rule), of(&rule.replace("\"r\"", "\"s\"")));
    }

    #[test]
    fn values_from_the_environment_are_part_of_the_identity_but_not_shown() {
        let set = compiled(GOOD);
        assert_eq!(set.rules[1].params, r#"{"assert":"${LIMIT}"}"#);
        let other = RuleFile {
            environment: Arc::new(Environment::new([("LIMIT".into(), "close > 2".into())])),
            ..files(&[("x", GOOD)])[0].clone()
        };
        assert_ne!(compile(&[other], &bars()).unwrap().sha256, set.sha256);
    }

    #[test]
    fn misspelt_field_is_reported_with_the_nearest_one() {
        let text = "# Rules every bar must keep.\n\n[[rule]]\nid      = \"close-positive\"\ncheck   = \"range\"\nfield   = \"clsoe\"\nmin     = 0\n";
        insta::assert_snapshot!(mistakes(text), @r#"
error[unknown-field]: rule `close-positive` uses a field these bars do not have
 --> rules/ohlcv.toml:6:11
  |
6 | field   = "clsoe"
  |           ^^^^^^^ unknown field
  |
  = help: did you mean `close`? fields: time, symbol, open, high, low, close, volume, amount
"#);
    }

    #[test]
    fn names_of_the_source_are_translated() {
        insta::assert_snapshot!(mistakes("[[rule]]\nid = \"a\"\ncheck = \"required\"\nfields = [\"vol\", \"trade_date\"]\n"), @r#"
error[unknown-field]: rule `a` uses a field these bars do not have
 --> rules/ohlcv.toml:4:11
  |
4 | fields = ["vol", "trade_date"]
  |           ^^^^^ unknown field
  |
  = help: the source's `vol` is called `volume` in rules

error[unknown-field]: rule `a` uses a field these bars do not have
 --> rules/ohlcv.toml:4:18
  |
4 | fields = ["vol", "trade_date"]
  |                  ^^^^^^^^^^^^ unknown field
  |
  = help: the source's `trade_date` is called `time` in rules
"#);
    }

    #[test]
    fn mistakes_of_several_files_are_reported_at_once() {
        let one = "[[rule]]\nid = \"close\"\ncheck = \"outlier\"\nwindow = 20\nlimits = 8\n\n\
                   [[rule]]\nid = \"volume\"\ncheck = \"range\"\nfield = \"volume\"\nmin = 5\nmax = 4\n";
        let two = "[[rule]]\nid = \"close\"\ncheck = \"outlyer\"\nseverity = \"fatal\"\n\n[[rule]]\ncheck = \"gap\"\naction = \"delete\"\n";
        insta::assert_snapshot!(mistakes_of(&[("rules/one.toml", one), ("rules/two.toml", two)]), @r#"
error[bad-value]: rule `close`: `window` is 20, and must be an odd number
 --> rules/one.toml:4:10
  |
4 | window = 20
  |          ^^
  |
  = help: the bar stands in the middle of its window: use 19 or 21

error[unknown-key]: unknown key `limits` in rule `close`
 --> rules/one.toml:5:1
  |
5 | limits = 8
  | ^^^^^^ unknown key
  |
  = help: did you mean `limit`? keys: id, check, where, part, causes, exempt, severity, action, from, until, budget, optional, why, owner, test, field, method, scale, window, limit, floor, tick, edges, trim, gamma

error[bad-value]: rule `volume`: `min` and `max` are contradictory: no number is at least 5 and at most 4
  --> rules/one.toml:11:7
   |
11 | min = 5
   |       ^
   |
   = help: `min` must not be above `max`

error[duplicate-id]: two rules have the id `close`
 --> rules/two.toml:2:6
  |
2 | id = "close"
  |      ^^^^^^^ used again here
  |
 ::: rules/one.toml:2:6
  |
2 | id = "close"
  |      ------- first used here
  |
  = help: findings are distinguished by the ids of their rules: rename one of them

error[unknown-check]: rule `close` names a check that does not exist
 --> rules/two.toml:3:9
  |
3 | check = "outlyer"
  |         ^^^^^^^^^ unknown check
  |
  = help: did you mean `outlier`? checks: date-format, required, range, matches, ohlc, pct-change, turnover, tick-size, price-limit, duplicate, order, gap, zero-volume, outlier, price-spike, bar-excess, split, unit-slip, stale, filled-forward, shifted, alignment, copied-series, freshness, reconcile, history, sql

error[unknown-value]: `fatal` is not a value of `severity`
 --> rules/two.toml:4:12
  |
4 | severity = "fatal"
  |            ^^^^^^^ unknown value
  |
  = help: choices: info, warn, error

error[missing-key]: the rule lacks `id`
 --> rules/two.toml:6:1
  |
6 | [[rule]]
  | ^^^^^^^^
  |
  = help: id: Its identifier, of a-z, 0-9, `-` and `_`; findings carry it.

error[bad-value]: rule `#2`: `gap` needs a calendar, and `[bars]` of the job names none
 --> rules/two.toml:7:9
  |
7 | check = "gap"
  |         ^^^^^
  |
  = help: name a calendar in the job, e.g. `[bars] calendar = "XNYS"`; `24/7` and `weekdays` need no exchange

error[bad-value]: rule `#2`: a finding of `gap` is about missing bars, and moves no row
 --> rules/two.toml:8:10
  |
8 | action = "delete"
  |          ^^^^^^^^
  |
  = help: findings of this check can only be reported: leave `action` out
"#);
    }

    #[test]
    fn parameter_that_another_one_switches_off_is_reported() {
        let text = "[[rule]]\nid = \"a\"\ncheck = \"outlier\"\nmethod = \"hampel\"\ngamma = 0.02\n";
        insta::assert_snapshot!(mistakes(text), @r"
error[unused-parameter]: rule `a`: `gamma` has no effect beside the other parameters
 --> rules/ohlcv.toml:5:9
  |
5 | gamma = 0.02
  |         ^^^^
  |
  = help: leave it out, or choose parameters that use it
");
    }

    #[test]
    fn parameters_have_types_bounds_and_may_be_required() {
        let text = "[[rule]]\nid = \"a\"\ncheck = \"outlier\"\nwindow = 1\nlimit = \"8\"\nfield = \"symbol\"\n\
                    [[rule]]\nid = \"b\"\ncheck = \"range\"\nmin = inf\n";
        insta::assert_snapshot!(mistakes(text), @r#"
error[bad-value]: `window` is out of range
 --> rules/ohlcv.toml:4:10
  |
4 | window = 1
  |          ^
  |
  = help: window must lie in [3, 10001]

error[wrong-type]: `limit` must be a finite number
 --> rules/ohlcv.toml:5:9
  |
5 | limit = "8"
  |         ^^^ this is of type string

error[not-numeric]: rule `a`: `field` names a field that is not numeric
 --> rules/ohlcv.toml:6:9
  |
6 | field = "symbol"
  |         ^^^^^^^^
  |
  = help: numeric fields: open, high, low, close, volume, amount

error[missing-key]: rule `b` lacks `field`
 --> rules/ohlcv.toml:7:1
  |
7 | [[rule]]
  | ^^^^^^^^
  |
  = help: field: The numeric field to evaluate.

error[wrong-type]: `min` must be a finite number
  --> rules/ohlcv.toml:10:7
   |
10 | min = inf
   |       ^^^ this is of type float
"#);
    }

    #[test]
    fn validity_is_in_order_and_budget_is_a_share() {
        let text = "[[rule]]\nid = \"a\"\ncheck = \"ohlc\"\nfrom = 2024-03-02\nuntil = 2024-03-02\nbudget = 0\n";
        insta::assert_snapshot!(mistakes(text), @r"
error[bad-value]: rule `a` applies to no bar: `until` is not after `from`
 --> rules/ohlcv.toml:5:9
  |
5 | until = 2024-03-02
  |         ^^^^^^^^^^
  |
  = help: `until` is the first date or time to which the rule no longer applies

error[bad-value]: `budget` must be above 0 and at most 1
 --> rules/ohlcv.toml:6:10
  |
6 | budget = 0
  |          ^
  |
  = help: Share of the rows it may flag; where it flags more, the rule is taken to be wrong, and the run is refused.
");
        for bad in ["1.01", "-0.1", "nan", "\"1%\""] {
            let reported = mistakes(&format!("[[rule]]\nid = \"a\"\ncheck = \"ohlc\"\nbudget = {bad}\n"));
            assert!(reported.contains("budget"), "{reported}");
        }
    }

    #[test]
    fn ids_are_short_names() {
        for bad in ["Close", "a b", "a/b", "é", "parse-error", ""] {
            let reported = mistakes(&format!("[[rule]]\nid = \"{bad}\"\ncheck = \"ohlc\"\n"));
            assert!(reported.contains("id") && reported.contains(":2:"), "{reported}");
        }
        assert_eq!(compiled("[[rule]]\nid = \"date_format-2\"\ncheck = \"ohlc\"\n").rules.len(), 1);
    }

    #[test]
    fn a_file_without_rules_is_a_mistake() {
        insta::assert_snapshot!(mistakes_of(&[("rules/empty.toml", ""), ("rules/comment.toml", "# soon\n"), ("rules/none.toml", "rule = []\n")]), @r"
error[missing-key]: the rule file lacks `[[rule]]`
 --> rules/empty.toml:1:1
  |
1 |
  | ^
  |
  = help: rule: A rule; a rule file has at least one.

error[missing-key]: the rule file lacks `[[rule]]`
 --> rules/comment.toml:1:1
  |
1 | # soon
  | ^
  |
  = help: rule: A rule; a rule file has at least one.

error[bad-value]: `rule` is empty
 --> rules/none.toml:1:8
  |
1 | rule = []
  |        ^^
  |
  = help: A rule; a rule file has at least one.
");
        assert!(mistakes("[rule]\nid = \"a\"\n").contains("must be an array of tables"));
        assert!(mistakes("[[rules]]\nid = \"a\"\n").contains("unknown key `rules`"));
    }

    #[test]
    fn syntax_errors_of_one_file_do_not_hide_the_mistakes_of_another() {
        let reported =
            mistakes_of(&[("a.toml", "[[rule]\nid = \"a\"\n"), ("b.toml", "[[rule]]\nid = \"b\"\ncheck = \"olhc\"\n")]);
        insta::assert_snapshot!(reported, @r#"
error[toml-syntax]: not valid TOML: unclosed array table, expected `]`
 --> a.toml:1:8
  |
1 | [[rule]
  |        ^ here

error[unknown-check]: rule `b` names a check that does not exist
 --> b.toml:3:9
  |
3 | check = "olhc"
  |         ^^^^^^ unknown check
  |
  = help: did you mean `ohlc`? checks: date-format, required, range, matches, ohlc, pct-change, turnover, tick-size, price-limit, duplicate, order, gap, zero-volume, outlier, price-spike, bar-excess, split, unit-slip, stale, filled-forward, shifted, alignment, copied-series, freshness, reconcile, history, sql
"#);
    }

    #[test]
    fn tests_have_rows_of_known_fields_and_flags_that_exist() {
        let text = "[[rule]]\nid = \"a\"\ncheck = \"ohlc\"\n\
                    [[rule.test]]\nname = \"x\"\nrows = [{ close = 1.0, clsoe = 2.0 }, { open = [1] }]\nflag = [1, 2, -1]\n\
                    [[rule.test]]\nrows = []\nflag = []\n";
        insta::assert_snapshot!(mistakes(text), @r"
error[unknown-test-field]: a test row has the field `clsoe`, which these bars do not have
 --> rules/ohlcv.toml:6:24
  |
6 | rows = [{ close = 1.0, clsoe = 2.0 }, { open = [1] }]
  |                        ^^^^^ unknown field
  |
  = help: did you mean `close`? fields: time, symbol, open, high, low, close, volume, amount

error[wrong-type]: `open` must be a number, a string, a boolean or a time
 --> rules/ohlcv.toml:6:48
  |
6 | rows = [{ close = 1.0, clsoe = 2.0 }, { open = [1] }]
  |                                                ^^^ this is of type array

error[bad-value]: the test has no row 2
 --> rules/ohlcv.toml:7:12
  |
7 | flag = [1, 2, -1]
  |            ^
  |
  = help: it has 2 rows, counted from 0

error[bad-value]: the test has no row -1
 --> rules/ohlcv.toml:7:15
  |
7 | flag = [1, 2, -1]
  |               ^^
  |
  = help: it has 2 rows, counted from 0

error[missing-key]: the test lacks `name`
 --> rules/ohlcv.toml:8:1
  |
8 | [[rule.test]]
  | ^^^^^^^^^^^^^
  |
  = help: name: What the case shows.

error[bad-value]: a test needs at least one row
 --> rules/ohlcv.toml:9:8
  |
9 | rows = []
  |        ^^
  |
  = help: write rows, e.g. `[{ close = 10.0 }]`
");
    }

    #[test]
    fn empty_condition_is_a_mistake() {
        assert!(mistakes("[[rule]]\nid = \"a\"\ncheck = \"ohlc\"\nwhere = \" \"\n").contains("`where` is empty"));
    }

    #[test]
    fn without_a_source_only_fields_stay_open() {
        let files = files(&[(
            "r.toml",
            "[[rule]]\nid = \"a\"\ncheck = \"outlier\"\nfield = \"turnover_rate\"\nwindow = 20\nlimits = 1\n",
        )]);
        let codes = |bars: Option<&BarsSpec>| lint(&files, bars, &[]).iter().map(|m| m.code).collect::<Vec<_>>();
        assert_eq!(codes(None), ["unknown-key"]);
        assert_eq!(codes(Some(&bars())), ["bad-value", "unknown-key"]);
    }

    #[test]
    fn nothing_that_follows_from_an_open_field_is_reported_without_a_source() {
        let files = files(&[("r.toml", "[[rule]]\nid = \"a\"\ncheck = \"required\"\nfields = [\"turnover_rate\"]\n")]);
        assert!(lint(&files, Some(&bars()), &[]).is_empty());
        assert_eq!(compile(&files, &bars()).unwrap_err().len(), 1);
    }

    #[test]
    fn windows_line_ends_are_shown_without_the_carriage_return() {
        let reported = mistakes("[[rule]]\r\nid = \"a\"\r\ncheck = \"olhc\"\r\n");
        assert!(reported.contains(":3:9") && !reported.contains('\r'), "{reported:?}");
    }
    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(at in 0..900_usize, cut in 0..12_usize, insert in "[-\\]\\[{}\"'=.,0-9a-z\\n\\r é日#$%]{0,6}") {
            let at = at % GOOD.len();
            let text = format!("{}{insert}{}", &GOOD[..at], &GOOD[(at + cut).min(GOOD.len())..]);
            let reported = compile(&files(&[("rules.toml", &text)]), &bars()).map_or_else(|m| rendered(&m), |set| set.sha256);
            proptest::prop_assert!(!reported.is_empty());
        }
    }
}
