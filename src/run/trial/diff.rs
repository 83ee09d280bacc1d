//! Two sets of rules over the bars of a job: what only one of them finds.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::evaluate::{TrialOptions, Tries, Visitor};
use super::found::Found;
use super::named;
use crate::checks::Expression;
use crate::config::{Rule, Tried};
use crate::report::run::Window;
use crate::report::tally::Tally;
use crate::run::failure::Failure;
use crate::run::job::Job;
use crate::text::utc::UtcMicros;

/// Findings of each side that are shown.
const EXAMPLES: usize = 3;

/// Which rules are compared.
#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    /// The rules of both sides: `job`, an id of the job's rules, the name of one of its sets, a file, a folder, `FILE#ID`.
    pub sides: [String; 2],
    /// Over which bars.
    pub trial: TrialOptions,
}

/// How two sets of rules differ over the bars of a job.
#[derive(Debug)]
pub struct Difference {
    /// Whether bars are days or longer.
    pub daily: bool,
    /// The window, half-open, µs UTC on the scale of the bars.
    pub window: Window,
    /// Rows read.
    pub read: u64,
    /// Series read.
    pub series: u64,
    /// The rules: those of the first side, then those that only the second has, each file by id.
    pub rules: Vec<RuleDifference>,
}

/// How the findings of a rule differ.
#[derive(Debug)]
pub struct RuleDifference {
    /// The rule of each side; `None` where a side has none.
    pub sides: [Option<Sided>; 2],
    /// What differs in how the rule is written.
    pub changed: Vec<Changed>,
    /// Findings that both sides have.
    pub both: u64,
    /// Findings that only one side has.
    pub only: [u64; 2],
    /// The first of these, by series and time.
    pub examples: [Vec<Example>; 2],
}

/// A rule of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sided {
    /// Its id.
    pub id: String,
    /// Rows it evaluated; `None` where it is not evaluated, because the bars lack a field that it needs.
    pub evaluated: Option<i64>,
}

/// A value that differs, as JSON; `null` where it is not written.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The key.
    pub key: String,
    /// Its value on each side.
    pub values: [Value; 2],
}

/// A finding that only one side has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Example {
    /// The series.
    pub series: String,
    /// The timestamp, µs UTC.
    pub time: Option<i64>,
    /// The field.
    pub field: Option<String>,
}

impl Job {
    /// Evaluates the bars by two sets of rules in one pass, and compares what they find. Nothing is written.
    ///
    /// # Errors
    /// There are no such rules, they have mistakes, or the source cannot be read.
    pub async fn diff_rules(&self, options: &DiffOptions) -> Result<Difference, Failure> {
        let [one, two] = &options.sides;
        let sides = [named::all(&self.loaded, one)?, named::all(&self.loaded, two)?];
        let pairs = paired(&sides);
        let tried = sides.concat();
        self.try_rules(&options.trial, async |bench| {
            let tries = bench.compile(&tried)?;
            let mut compared = Compared::new(&tries, &pairs);
            let counted = bench.evaluate(&tries, &tried, &mut compared).await?;
            let rules = pairs.iter().zip(&compared.found);
            Ok(Difference {
                daily: bench.is_daily(),
                window: bench.window,
                read: counted.series.rows.read,
                series: counted.series.series,
                rules: rules.map(|(pair, found)| difference(&tries, &tried, *pair, found, &counted)).collect(),
            })
        })
        .await
    }
}

/// The rules that belong together, by place among all of both sides: those of one id, and where each side has one rule,
/// these two.
fn paired([one, two]: &[Vec<Tried>; 2]) -> Vec<[Option<usize>; 2]> {
    if let ([_], [_]) = (one.as_slice(), two.as_slice()) {
        return vec![[Some(0), Some(1)]];
    }
    let behind = one.len();
    let in_two = |rule: &Tried| two.iter().position(|other| other.id == rule.id).map(|place| behind + place);
    let mut pairs: Vec<_> = one.iter().enumerate().map(|(place, rule)| [Some(place), in_two(rule)]).collect();
    let of_one = |rule: &Tried| one.iter().any(|other| other.id == rule.id);
    pairs.extend(
        two.iter().enumerate().filter(|(_, rule)| !of_one(rule)).map(|(place, _)| [None, Some(behind + place)]),
    );
    pairs
}

fn difference(
    tries: &Tries,
    tried: &[Tried],
    pair: [Option<usize>; 2],
    found: &HashMap<Key, Seen>,
    tally: &Tally,
) -> RuleDifference {
    let sides = pair.map(|place| {
        let place = place?;
        let evaluated = tries.index(place).map(|index| tally.rules[index].counts.evaluated);
        Some(Sided { id: tried[place].id.to_string(), evaluated })
    });
    let only = [true, false].map(|first| {
        let mut only: Vec<&Example> =
            found.values().filter(|seen| seen.by == [first, !first]).map(|seen| &seen.example).collect();
        only.sort();
        (only.len() as u64, only.into_iter().take(EXAMPLES).cloned().collect::<Vec<_>>())
    });
    let both = found.values().filter(|seen| seen.by == [true, true]).count() as u64;
    let changed = match pair.map(|place| place.and_then(|place| tries.rule(place))) {
        [Some(one), Some(two)] => changed([one, two], &tries.program.rules.expressions),
        _ => Vec::new(),
    };
    let [(only_one, examples_one), (only_two, examples_two)] = only;
    RuleDifference { sides, changed, both, only: [only_one, only_two], examples: [examples_one, examples_two] }
}

/// What decides verdicts and is written differently.
fn changed(rules: [&Rule; 2], expressions: &[Expression]) -> Vec<Changed> {
    let [one, two] = rules.map(|rule| values(rule, expressions));
    let keys: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    let value = |of: &Map<String, Value>, key: &str| of.get(key).cloned().unwrap_or(Value::Null);
    let changed =
        keys.into_iter().map(|key| Changed { key: key.clone(), values: [value(&one, key), value(&two, key)] });
    changed.filter(|changed| changed.values[0] != changed.values[1]).collect()
}

/// The parameters of a rule, its check, and the rows it is about.
fn values(rule: &Rule, expressions: &[Expression]) -> Map<String, Value> {
    let mut values: Map<String, Value> = serde_json::from_str(&rule.params).unwrap_or_default();
    values.insert("check".to_owned(), rule.kind.name().into());
    if let Some(condition) = rule.condition.and_then(|slot| expressions.get(slot)) {
        values.insert("where".to_owned(), condition.sql.clone().into());
    }
    if let Some(part) = &rule.part {
        values.insert("part".to_owned(), part.word().into());
    }
    if !rule.causes.is_empty() {
        values.insert("causes".to_owned(), rule.causes.clone().into());
    }
    for (key, moment) in [("from", rule.from), ("until", rule.until)] {
        if let Some(at) = moment {
            values.insert(key.to_owned(), UtcMicros(at).to_string().into());
        }
    }
    for (symbol, own) in &rule.by_symbol {
        let params: Map<String, Value> = serde_json::from_str(&own.params).unwrap_or_default();
        let tuned = params.into_iter().filter(|(key, _)| own.tuned.contains(key));
        values.extend(tuned.map(|(key, value)| (format!("{key} for {symbol}"), value)));
    }
    values
}

/// Identity of a finding, whatever its rule is called: that of its row or gap, and its field.
type Key = (u128, Option<Arc<str>>);

/// A finding, and which sides have it.
#[derive(Clone)]
struct Seen {
    by: [bool; 2],
    example: Example,
}

/// Compares what rules find that belong together.
#[derive(Clone)]
struct Compared {
    /// For each rule of the program the pair it belongs to, and on which side.
    of: Vec<Option<(usize, usize)>>,
    found: Vec<HashMap<Key, Seen>>,
}

impl Visitor for Compared {
    fn add(&mut self, found: &Found<'_>) {
        let Some((pair, side)) = self.of.get(found.rule).copied().flatten() else { return };
        // A row key is 32 hexadecimal digits.
        let row = u128::from_str_radix(found.row_key, 16).unwrap_or_default();
        let key = (row, found.field.map(Arc::from));
        let seen = self.found[pair].entry(key).or_insert_with(|| Seen {
            by: [false, false],
            example: Example {
                series: found.series.to_owned(),
                time: found.time,
                field: found.field.map(str::to_owned),
            },
        });
        seen.by[side] = true;
    }
}

impl Compared {
    fn new(tries: &Tries, pairs: &[[Option<usize>; 2]]) -> Self {
        let pair_of = |place: &Option<usize>| {
            let place = (*place)?;
            let on_side = |pair: &[Option<usize>; 2]| pair.iter().position(|side| *side == Some(place));
            pairs.iter().enumerate().find_map(|(index, pair)| Some((index, on_side(pair)?)))
        };
        Self { of: tries.places.iter().map(pair_of).collect(), found: pairs.iter().map(|_| HashMap::new()).collect() }
    }
}
