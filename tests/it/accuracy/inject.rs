//! Puts the faults of one kind into a copy of real bars, and says where.

use std::collections::BTreeSet;

use super::bars::{Bars, Series};
use super::base::Base;
use super::cut::{Cut, Fault, Touched};
use super::kinds::{Kind, Place};
use super::random::Random;

/// How far from its place a fault may be put in that does not fit there.
const NEAR: usize = 25;

/// Bars with faults.
pub(super) struct Injected {
    pub(super) bars: Bars,
    pub(super) faults: Vec<Fault>,
}

/// Bars that are flagged without faults: symbol and timestamp.
pub(super) type Flagged = BTreeSet<(String, i64)>;

/// Puts faults of `kind` into a copy of `clean`, not at bars that are `flagged`.
pub(super) fn inject(kind: &Kind, base: &Base, (clean, flagged): (&Bars, &Flagged), seed: &str) -> Injected {
    let mut random = Random::of(&format!("{seed} {} {}", kind.name, base.name));
    let mut bars = clean.clone();
    let (mut faults, mut added) = (Vec::new(), Vec::new());
    for series in &mut bars.series {
        for place in places(kind, base, series, &mut random) {
            let symbol = series.symbol.clone();
            let copies = added.len();
            let touched = put_in(kind, base, (clean, flagged), series, place, (&mut random, &mut added, faults.len()));
            let Some(touched) = touched else { continue };
            let copy = added.get(copies).map(|copy: &Series| copy.symbol.clone());
            let (symbol, original) = copy.map_or((symbol.clone(), None), |copy| (copy, Some(symbol)));
            let whole = matches!(kind.place, Place::Whole(_));
            faults.push(Fault { symbol, original, touched, whole, lines: Vec::new() });
        }
    }
    bars.series.extend(added);
    // Lines are known when all faults are in; the first one is the header.
    let rows = bars.series.iter().flat_map(|series| &series.rows);
    for (line, row) in (2..).zip(rows) {
        row.fault.into_iter().for_each(|fault| faults[fault].lines.push(line));
    }
    Injected { bars, faults }
}

/// The bars that faults begin with, the last one first: what a fault inserts or removes moves no earlier place.
fn places(kind: &Kind, base: &Base, series: &Series, random: &mut Random) -> Vec<usize> {
    let length = series.rows.len();
    match kind.place {
        Place::Apart => {
            let third = base.every / 3;
            (0..length / base.every).rev().map(|part| part * base.every + third + random.below(third)).collect()
        }
        Place::Middle => vec![length / 3 + random.below(length / 3)],
        Place::Newest => vec![length - 1],
        Place::Whole(symbol) => series.symbol.starts_with(symbol).then_some(0).into_iter().collect(),
    }
}

/// Puts a fault in at `place` or soon after it.
fn put_in(
    kind: &Kind,
    base: &Base,
    (clean, flagged): (&Bars, &Flagged),
    series: &mut Series,
    place: usize,
    (random, added, id): (&mut Random, &mut Vec<Series>, usize),
) -> Option<Touched> {
    let last = if kind.place == Place::Apart { place + NEAR.min(base.every / 6) } else { place };
    let is_free = |series: &Series, at: usize| {
        kind.place != Place::Apart || !flagged.contains(&(series.symbol.clone(), series.rows[at].at))
    };
    (place..=last).find_map(|at| {
        is_free(series, at).then_some(())?;
        let symbol = series.symbol.as_str();
        let mut cut = Cut { rows: &mut series.rows, at, random, clean, symbol, clock: base.clock, added, id };
        (kind.apply)(&mut cut)
    })
}
