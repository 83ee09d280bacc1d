//! Conditions and thresholds, tried on the bar.
//!
//! A condition is a rule of its own: one that flags each row of which it is not true. A threshold is the rule with another
//! value: the nearest one at which it flags the bar says how far the bar is from that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::Measured;
use super::reading::{Beside, Desk, Read};
use crate::checks::Threshold;
use crate::config::{Rule, RuleFile, Tried};
use crate::engine::program::Program;
use crate::run::failure::Failure;
use crate::run::trial::{Values, one_of_job};
use crate::schema::{Holds, Key};
use crate::text::toml::string;

/// Each threshold is so much of the one before.
const STEP: f64 = 0.8;
/// Thresholds between the present one and the farthest.
const STEPS: i32 = 28;
/// Counts up to here are tried one by one.
const SMALL: f64 = 40.0;
/// What stands for a bound that is infinite, which no rule may write.
const FARTHEST: f64 = 1e15;
/// Thresholds that are tried between two of these.
const FINE: u32 = 16;

/// What is tried on a bar.
pub(super) struct Probes<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) read: &'a Read,
    pub(super) beside: &'a Beside,
    /// The key of the series, its first field, and the timestamp.
    pub(super) bar: (&'a str, Option<&'a str>, i64),
}

impl Probes<'_> {
    /// Which of the conditions `sql`, each of the rule `id`, are not true of a row of the timestamp.
    pub(super) async fn not_true(&self, conditions: &[(Arc<str>, String)]) -> Result<Vec<bool>, Failure> {
        let mut tried = Vec::new();
        let mut places = Vec::new();
        for (id, sql) in conditions {
            let rule = format!("[[rule]]\nid = {}\ncheck = \"sql\"\nassert = {}\n", string(id), string(sql));
            // A condition that may not stand in a file of rules is not tried.
            if let Ok(file) = RuleFile::from_text("condition", &rule) {
                places.push(Some(tried.len()));
                tried.push(Tried { file, id: Arc::clone(id), values: None });
            } else {
                places.push(None);
            }
        }
        let flagged = self.flagged(&tried).await?;
        Ok(places.into_iter().map(|place| place.is_some_and(|place| flagged.contains_key(&place))).collect())
    }

    /// How far the bar is from being flagged by each of `rules`, which are indices of rules of `program` with a threshold.
    pub(super) async fn measured(
        &self,
        program: &Program,
        rules: &[usize],
    ) -> Result<BTreeMap<usize, Measured>, Failure> {
        let asked: Vec<Asked> = rules.iter().filter_map(|rule| self.asked(program, *rule)).collect();
        let coarse: Vec<Vec<f64>> = asked.iter().map(Asked::candidates).collect();
        let first = self.nearest(&asked, &coarse).await?;
        let fine: Vec<Vec<f64>> =
            asked.iter().zip(&first).map(|(asked, (at, _))| at.map_or_else(Vec::new, |at| asked.between(at))).collect();
        let second = self.nearest(&asked, &fine).await?;
        let measured = asked.into_iter().zip(first.into_iter().zip(second));
        let measured = measured.map(|(asked, ((coarse, value), (fine, nearer)))| {
            let Asked { rule, threshold: Threshold { key, value: limit }, .. } = asked;
            let flagged_at = if asked.is_bound() { None } else { fine.or(coarse) };
            (rule, Measured { key, limit, flagged_at, observed: nearer.or(value) })
        });
        Ok(measured.collect())
    }

    fn asked(&self, program: &Program, index: usize) -> Option<Asked> {
        let rule: &Rule = program.rules.rules.get(index)?;
        // What the job sets for the symbol stays, whatever is tried.
        if self.bar.1.is_some_and(|symbol| rule.by_symbol.contains_key(symbol)) {
            return None;
        }
        let threshold = rule.check.threshold()?;
        let key = rule.kind.params().iter().find(|key| key.name == threshold.key)?;
        Some(Asked { rule: index, id: Arc::clone(&rule.id), threshold, key })
    }

    /// For each rule the first of its `candidates` at which it flags the bar, and what it observes there.
    async fn nearest(&self, asked: &[Asked], candidates: &[Vec<f64>]) -> Result<Vec<Nearest>, Failure> {
        let (mut tried, mut of) = (Vec::new(), Vec::new());
        for (place, (asked, candidates)) in asked.iter().zip(candidates).enumerate() {
            let base = one_of_job(&self.desk.job.loaded, &asked.id, &Values::default())?;
            for value in candidates {
                let values = Values::default().with(asked.threshold.key, *value).text(&asked.id);
                tried.push(Tried { values, ..base.clone() });
                of.push((place, *value));
            }
        }
        let mut flagged = self.flagged(&tried).await?;
        let mut nearest: Vec<Nearest> = vec![(None, None); asked.len()];
        for (at, (place, value)) in of.into_iter().enumerate() {
            if let Some(observed) = flagged.remove(&at)
                && nearest[place].0.is_none()
            {
                nearest[place] = (Some(value), observed);
            }
        }
        Ok(nearest)
    }

    /// Which of `tried` flag the bar, by place, and the value that each observes.
    async fn flagged(&self, tried: &[Tried]) -> Result<BTreeMap<usize, Option<Observed>>, Failure> {
        if tried.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (_, places) = self.desk.with_tried(tried)?;
        let compile = || Ok(self.desk.with_tried(tried)?.0);
        let (key, _, time) = self.bar;
        let counted = self.desk.at_once(&compile, (self.read, self.beside), (key, time)).await?;
        let mut flagged = BTreeMap::new();
        for (index, place) in places.iter().enumerate() {
            let Some(place) = place else { continue };
            if counted.of(index, true).is_some_and(|rows| rows.flagged > 0) {
                let own = counted.found().iter().find(|found| found.rule == index && found.is_of_one_time());
                let observed = own.and_then(|found| Some((found.field().map(str::to_owned), found.observed?)));
                flagged.insert(*place, observed);
            }
        }
        Ok(flagged)
    }
}

/// A field and its value.
type Observed = (Option<String>, f64);
/// A threshold at which a rule flags the bar, and what it observes.
type Nearest = (Option<f64>, Option<Observed>);

/// A rule whose threshold is looked for.
struct Asked {
    rule: usize,
    id: Arc<str>,
    threshold: Threshold,
    key: &'static Key,
}

impl Asked {
    /// Whether the threshold is a bound of the value itself, so that the value says all of it.
    fn is_bound(&self) -> bool {
        matches!(self.threshold.key, "min" | "max")
    }

    /// Smallest and largest value that it may have.
    fn range(&self) -> Option<(f64, f64)> {
        match self.key.holds {
            Holds::Count { min, max } => Some((min as f64, max as f64)),
            Holds::Number { min, max } => Some((min.max(-FARTHEST), max.min(FARTHEST))),
            Holds::Share => Some((f64::MIN_POSITIVE, 1.0)),
            _ => None,
        }
    }

    fn is_count(&self) -> bool {
        matches!(self.key.holds, Holds::Count { .. })
    }

    /// Thresholds that are tried, the nearest first: those at which more is flagged than at the present one.
    fn candidates(&self) -> Vec<f64> {
        let Some((min, max)) = self.range() else { return Vec::new() };
        let present = self.threshold.value;
        match self.threshold.key {
            "min" => return vec![max],
            "max" => return vec![min],
            _ => {}
        }
        let mut all: Vec<f64> = match self.is_count() {
            true if present <= SMALL => std::iter::successors(Some(present - 1.0), |value| Some(value - 1.0))
                .take_while(|value| *value >= min)
                .collect(),
            true => (1..=STEPS).map(|step| (present * STEP.powi(step)).round()).collect(),
            false => (1..=STEPS).map(|step| rounded(present * STEP.powi(step))).collect(),
        };
        all.push(min);
        all.retain(|value| (min..=max).contains(value) && *value < present);
        all.dedup();
        all
    }

    /// Thresholds between `flagged` and the next higher one that was tried, the highest first.
    fn between(&self, flagged: f64) -> Vec<f64> {
        if self.is_bound() || self.is_count() && self.threshold.value <= SMALL {
            return Vec::new();
        }
        let next = self.candidates().into_iter().rev().find(|value| *value > flagged).unwrap_or(self.threshold.value);
        let step = (next - flagged) / f64::from(FINE);
        let all = (1..FINE).rev().map(|part| flagged + step * f64::from(part));
        let mut all: Vec<f64> = all.map(|value| if self.is_count() { value.round() } else { rounded(value) }).collect();
        all.retain(|value| *value > flagged && *value < next);
        all.dedup();
        all
    }
}

/// To three significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Otherwise, key};

    fn asked(name: &'static str, value: f64, holds: Holds) -> Asked {
        let key = Box::leak(Box::new(key(name, holds, Otherwise::Nothing, "x")));
        Asked { rule: 0, id: Arc::from("a"), threshold: Threshold { key: name, value }, key }
    }

    #[test]
    fn thresholds_go_down_to_the_smallest_and_never_beyond_the_present_one() {
        let limit = asked("limit", 8.0, Holds::Number { min: 0.5, max: 1_000.0 });
        let all = limit.candidates();
        assert_eq!((all[0], all[1], all.last()), (6.4, 5.12, Some(&0.5)));
        assert!(all.windows(2).all(|pair| pair[0] > pair[1]), "{all:?}");
        let fine = limit.between(5.12);
        assert!(fine.iter().all(|value| *value > 5.12 && *value < 6.4) && fine.len() > 10, "{fine:?}");
        assert!(limit.between(6.4).iter().all(|value| *value < 8.0));
    }

    #[test]
    fn counts_are_tried_one_by_one_and_bounds_at_the_far_end() {
        let bars = asked("bars", 5.0, Holds::Count { min: 2, max: 1_000 });
        assert_eq!(bars.candidates(), [4.0, 3.0, 2.0]);
        assert!(bars.between(3.0).is_empty());
        let bound = Holds::Number { min: -1e9, max: 1e9 };
        assert_eq!([asked("min", 1.0, bound).candidates(), asked("max", 1.0, bound).candidates()], [[1e9], [-1e9]]);
    }
}
