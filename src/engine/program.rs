//! What the operator runs: the bars, the rules, and where their columns are. Plain data, shared by all partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::scope::{Scope, runs_in_part};
use crate::bars::column::reserved;
use crate::bars::{BarsSpec, FieldKind, TIME};
use crate::checks::{Across, OtherBars, PeerTable, parse_error};
use crate::config::{Rule, RuleSet};
use crate::decide::{Action, Severity};
use crate::market::facts::MarketFacts;

/// The check that says why a date does not decode.
const DATE_FORMAT: &str = "date-format";

/// What stands for a value that does not decode, in the place of a rule.
pub const PARSE_ERROR: &str = parse_error::NAME;

/// What is gathered of series, where rules are not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathers {
    /// Nothing: the rules are run.
    Nothing,
    /// What rules have to know of other series.
    Peers,
    /// The bars, for a rule of another job.
    Bars {
        /// Whether those of one session are one bar.
        by_session: bool,
    },
}

/// The rules of a job over its bars.
#[derive(Debug)]
pub struct Program {
    /// Name of the job; part of every finding's identity.
    pub job: String,
    /// The bars.
    pub bars: BarsSpec,
    /// The rules, in the order of the files.
    pub rules: RuleSet,
    /// Severity of values that do not decode.
    pub parse_error_severity: Severity,
    /// Action on rows with values that do not decode.
    pub parse_error_action: Action,
    /// Rows with a timestamp from here on (µs UTC) are too new to be moved: their findings are only reported.
    pub movable_before: Option<i64>,
    /// Fields that are read, by index into `bars.fields`, ascending.
    pub read: Vec<usize>,
    /// Fields by which rows are compared, by index into `bars.fields`, ascending; none where no rule compares rows.
    pub compared: Vec<usize>,
    /// The field of the series key that names the source, where the sources of a symbol are evaluated together, by the rules
    /// that compare them and no others.
    pub by: Option<Arc<str>>,
    /// What is known of the market besides its calendar.
    pub facts: Arc<MarketFacts>,
    /// What is gathered of the series, where rules are not run.
    pub gathers: Gathers,
    /// What they know of other series, by index of the rule.
    pub peers: BTreeMap<usize, PeerTable>,
    /// The bars of other jobs they compare with, by index of the rule.
    pub others: BTreeMap<usize, OtherBars>,
    /// The part of the bars that is reported on; `None` for all of them.
    pub scope: Option<Scope>,
    /// Rules that do not run, by index, because they depend on all of a series and a part is read.
    pub skipped: BTreeSet<usize>,
    /// Days, since 1970-01-01 and ascending, that the calendar calls closed and on which most series traded, by index of
    /// the rule.
    pub open_days: BTreeMap<usize, Vec<i64>>,
    /// SHA-256 over the job, its rules and its facts; two programs are equal when this is.
    pub sha256: String,
}

impl Program {
    /// Index that stands for [`PARSE_ERROR`] where a rule's index is wanted.
    pub fn parse_error(&self) -> usize {
        self.rules.rules.len()
    }

    /// Severity and action of the rule at `index`, [`Program::parse_error`] included.
    pub fn levels(&self, index: usize) -> (Severity, Action) {
        match self.rules.rules.get(index) {
            Some(rule) => (rule.severity, rule.action),
            None => (self.parse_error_severity, self.parse_error_action),
        }
    }

    /// Whether a rule that moves rows is about values of the field `name` that do not decode.
    pub fn aims_at(&self, name: &str) -> bool {
        let quoted = format!("\"{name}\"");
        let about = |rule: &Rule| {
            let named = rule.params.contains(&quoted);
            named || name == TIME && !rule.params.contains("\"field\"")
        };
        let rules = self.rules.rules.iter().filter(|rule| rule.kind.name() == DATE_FORMAT);
        rules.into_iter().any(|rule| rule.action > Action::Report && about(rule))
    }

    /// Whether findings of the rule at `index`, [`Program::parse_error`] included, may be about values that do not decode.
    pub fn is_about_parsing(&self, index: usize) -> bool {
        self.rules.rules.get(index).is_none_or(|rule| rule.kind.name() == DATE_FORMAT)
    }

    /// Whether of equally good copies of a bar the last one is kept, by a rule that says so.
    pub fn keeps_last(&self) -> bool {
        self.rules.rules.iter().any(|rule| rule.check.keeps_last())
    }

    /// The same, and every field is read that can be: names of barkeep's own cannot.
    #[must_use]
    pub fn with_every_field(self) -> Self {
        let readable = |index: &usize| {
            let field = &self.bars.fields[*index];
            [&field.name, &field.source].into_iter().all(|name| reserved(name).is_none())
        };
        let read = (0..self.bars.fields.len()).filter(readable).collect();
        Self { read, ..self }
    }

    /// Whether a rule compares rows by all that the source has of them.
    pub fn compares_rows(&self) -> bool {
        !self.compared.is_empty()
    }

    /// Identifier of the rule at `index`.
    pub fn rule_id(&self, index: usize) -> &str {
        self.rules.rules.get(index).map_or(PARSE_ERROR, |rule| &rule.id)
    }

    /// Name of the check behind the rule at `index`.
    pub fn check_name(&self, index: usize) -> &'static str {
        self.rules.rules.get(index).map_or(PARSE_ERROR, |rule| rule.kind.name())
    }

    /// The first timestamp that is read, µs UTC; `None` where all are.
    pub fn read_from(&self) -> Option<i64> {
        self.scope.map(|scope| scope.read_from(&self.rules, &self.bars))
    }

    /// Names of the columns whose rows are evaluated together, in the operator's input: those of the series key, without
    /// that of the source where the sources of a symbol are evaluated together.
    pub fn key_columns(&self) -> impl Iterator<Item = &Arc<str>> {
        self.bars.series.iter().filter(|name| Some(*name) != self.by.as_ref())
    }

    /// The fields of the series key that facts name as the symbol and as the source. Where the sources of a symbol are
    /// evaluated together, there is no one source.
    pub fn fact_fields(&self) -> [Option<&Arc<str>>; 2] {
        let symbol = self.facts.symbol_field.as_ref().or(self.bars.series.first());
        [symbol, self.facts.source_field.as_ref()].map(|field| field.filter(|field| Some(*field) != self.by.as_ref()))
    }

    /// Whether the rule at `index` runs in this pass over the bars: where the sources of a symbol are evaluated together,
    /// others do not.
    pub fn runs(&self, index: usize) -> bool {
        let by = || self.rules.rules.get(index).and_then(|rule| rule.check.by());
        (self.by.is_none() || by() == self.by.as_ref()) && !self.skipped.contains(&index)
    }

    /// The rules that are not skipped, with their indices.
    pub fn running(&self) -> impl Iterator<Item = (usize, &Rule)> {
        self.rules.rules.iter().enumerate().filter(|(index, _)| !self.skipped.contains(index))
    }

    /// Whether a rule that moves rows does not run, because it depends on all of a series.
    pub fn skips_rules_that_move(&self) -> bool {
        self.skipped.iter().any(|rule| self.levels(*rule).1 > Action::Report)
    }

    /// The same over `scope`, without the rules that depend on all of a series.
    #[must_use]
    pub fn within(self, scope: Option<Scope>) -> Self {
        let Some(of) = scope else { return self };
        let rules = self.rules.rules.iter().enumerate();
        let whole = rules.filter(|(_, rule)| !runs_in_part(rule, &self.rules, &self.bars));
        let skipped = whole.map(|(index, _)| index).collect();
        let sha256 = format!("{} from {} changed {}", self.sha256, of.since, of.changed);
        Self { scope, skipped, sha256, ..self }
    }

    /// The fields that name the sources which rules compare, each once.
    pub fn sources(&self) -> BTreeSet<Arc<str>> {
        self.running().filter_map(|(_, rule)| rule.check.by().cloned()).collect()
    }

    /// The same over the sources of each symbol, which `by` names.
    #[must_use]
    pub fn over_sources(self, by: Arc<str>) -> Self {
        let sha256 = format!("{} by {by}", self.sha256);
        Self { by: Some(by), sha256, ..self }
    }

    /// Whether a rule has to know of other series, or of another job, before it runs.
    pub fn looks_beside(&self) -> bool {
        self.running().any(|(_, rule)| rule.check.peers().is_some() || rule.check.other_job().is_some())
    }

    /// The same for gathering what rules have to know of other series.
    #[must_use]
    pub fn gathering_peers(self) -> Self {
        let sha256 = format!("{} gathers", self.sha256);
        Self { gathers: Gathers::Peers, sha256, ..self }
    }

    /// The same with what rules know of other series and of other jobs.
    #[must_use]
    pub fn beside(self, peers: BTreeMap<usize, PeerTable>, others: BTreeMap<usize, OtherBars>) -> Self {
        let sha256 = format!("{} beside others", self.sha256);
        Self { peers, others, sha256, ..self }
    }

    /// The same where it is known on which closed days most series traded.
    #[must_use]
    pub fn with_open_days(self, open_days: BTreeMap<usize, Vec<i64>>) -> Self {
        let sha256 = format!("{} with open days", self.sha256);
        Self { open_days, sha256, ..self }
    }

    /// Whether a rule asks how new each series is, so that those without a bar in a part have to be read all the same.
    pub fn asks_for_newest(&self) -> bool {
        self.running().any(|(_, rule)| rule.check.across().is_some_and(Across::needs_only_newest))
    }

    /// Whether the field at `index` holds numbers.
    pub fn is_number(&self, index: usize) -> bool {
        self.bars.fields[index].kind == FieldKind::Number
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for Program {}

impl PartialOrd for Program {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.sha256.cmp(&other.sha256))
    }
}

impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sha256.hash(state);
    }
}
