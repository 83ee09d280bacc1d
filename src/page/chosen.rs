//! Which findings a page holds, where a run has more than fit: the gravest, of each rule its share, spread over the run.

use std::collections::BTreeMap;

/// Findings that are alike as far as the choice goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// 0 for errors, 1 for warnings, 2 for notes.
    pub(super) severity: u8,
    /// The run before had it.
    pub(super) is_old: bool,
    /// The place of the rule.
    pub(super) rule: u32,
}

/// How many findings of each kind there are, and how many are held.
#[derive(Debug, Default)]
pub(super) struct Choice {
    kinds: BTreeMap<Kind, Of>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Of {
    there: u64,
    held: u64,
    passed: u64,
}

impl Choice {
    /// Counts a finding.
    pub(super) fn count(&mut self, kind: Kind) {
        self.kinds.entry(kind).or_default().there += 1;
    }

    /// Decides that at most `most` are held: errors before warnings before notes, new ones before others; where not all
    /// of these fit, every rule has the same right to what is left.
    pub(super) fn decide(&mut self, most: u64) {
        let mut left = most;
        let mut kinds: Vec<(&Kind, &mut Of)> = self.kinds.iter_mut().collect();
        for alike in
            kinds.chunk_by_mut(|one, other| (one.0.severity, one.0.is_old) == (other.0.severity, other.0.is_old))
        {
            // Rules with few findings first: what they leave is for the others.
            alike.sort_by_key(|(_, of)| of.there);
            let mut rules = alike.len() as u64;
            for (_, of) in alike {
                of.held = of.there.min(left / rules);
                left -= of.held;
                rules -= 1;
            }
        }
    }

    /// Whether the next finding of this kind is held: as many as was decided, evenly spread.
    pub(super) fn holds(&mut self, kind: Kind) -> bool {
        let Some(of) = self.kinds.get_mut(&kind) else { return false };
        let share = |passed: u64| u128::from(passed) * u128::from(of.held) / u128::from(of.there.max(1));
        let holds = of.passed < of.there && share(of.passed + 1) > share(of.passed);
        of.passed += 1;
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(severity: u8, is_old: bool, rule: u32) -> Kind {
        Kind { severity, is_old, rule }
    }

    /// The places of the findings of `kind` that are held.
    fn held(choice: &mut Choice, kind: Kind, there: u64) -> Vec<u64> {
        (0..there).filter(|_| choice.holds(kind)).collect()
    }

    #[test]
    fn all_are_held_where_they_fit() {
        let mut choice = Choice::default();
        let kinds = [kind(0, false, 0), kind(0, true, 1), kind(2, false, 2)];
        kinds.iter().for_each(|kind| (0..3).for_each(|_| choice.count(*kind)));
        choice.decide(9);
        kinds.iter().for_each(|kind| assert_eq!(held(&mut choice, *kind, 3), [0, 1, 2]));
    }

    #[test]
    fn grave_and_new_findings_come_first_and_rules_share_the_rest() {
        let mut choice = Choice::default();
        let (error, old) = (kind(0, false, 0), kind(0, true, 0));
        let (few, many, note) = (kind(1, false, 1), kind(1, false, 2), kind(2, false, 3));
        for (kind, there) in [(error, 4), (old, 2), (few, 2), (many, 100), (note, 5)] {
            (0..there).for_each(|_| choice.count(kind));
        }
        choice.decide(13);
        assert_eq!(held(&mut choice, error, 4).len(), 4);
        assert_eq!(held(&mut choice, old, 2).len(), 2);
        assert_eq!(held(&mut choice, few, 2).len(), 2);
        assert_eq!(held(&mut choice, many, 100), [19, 39, 59, 79, 99]);
        assert_eq!(held(&mut choice, note, 5), [] as [u64; 0]);
    }

    #[test]
    fn one_that_was_not_counted_is_not_held() {
        let mut choice = Choice::default();
        choice.count(kind(0, false, 0));
        choice.decide(5);
        assert!(!choice.holds(kind(1, false, 0)));
        assert!(choice.holds(kind(0, false, 0)));
        assert!(!choice.holds(kind(0, false, 0)));
    }
}
