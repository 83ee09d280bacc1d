//! Bars that are missing in one session after the other: the first ones, the last ones, or those at the same time after the open.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::checks::Facts;
use crate::checks::displaced::OfSessions;
use crate::checks::sessions::{Sessions, Span};
use crate::checks::stretches::{LEAST_SESSIONS, stretches};
use crate::text::numbers::counted;

/// Which bars of a session are missing, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    First(i64),
    Last(i64),
    /// So many µs after the first timestamp of the session.
    From(i64, i64),
}

impl Part {
    /// What is missing of the session at `of`, where that is not all of it.
    fn of(sessions: &Sessions, piece: Span, of: Span) -> Option<Self> {
        let bars = piece.last - piece.first + 1;
        let after = || sessions.grid.timestamp(piece.first) - sessions.grid.timestamp(of.first);
        match (piece.first == of.first, piece.last == of.last) {
            (true, true) => None,
            (true, false) => Some(Self::First(bars)),
            (false, true) => Some(Self::Last(bars)),
            (false, false) => Some(Self::From(after(), bars)),
        }
    }
}

/// What is missing of the sessions of a stretch.
pub(super) struct SameBars {
    pub(super) spans: Vec<Span>,
    pub(super) evidence: Evidence,
}

/// What the finding about it adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    #[serde(flatten)]
    of_sessions: OfSessions,
    /// `first`, `last`, or `from`.
    part: String,
    /// So many bars of each session.
    bars: u64,
    /// Where the first of these lies, µs after the first timestamp of the session.
    after: i64,
}

/// Takes out of `gaps`, which ascend, what is missing alike in many sessions.
pub(super) fn same_bars(sessions: &Sessions, gaps: &mut Vec<Span>) -> Vec<SameBars> {
    let mut parts: BTreeMap<Part, Vec<(i64, Span)>> = BTreeMap::new();
    // A session without any bar says nothing of its parts.
    let mut whole: Vec<i64> = Vec::new();
    for gap in gaps.iter() {
        let mut first = gap.first;
        while first <= gap.last {
            let session = sessions.ordinal(first).and_then(|ordinal| Some((ordinal, sessions.span(ordinal)?)));
            let Some((ordinal, of)) = session.filter(|(_, of)| of.last >= first) else { break };
            let piece = Span { first, last: gap.last.min(of.last) };
            match Part::of(sessions, piece, of) {
                Some(part) => parts.entry(part).or_default().push((ordinal, piece)),
                None => whole.push(ordinal),
            }
            first = piece.last + 1;
        }
    }
    let place = |ordinal: i64| {
        let before = whole.partition_point(|whole| *whole < ordinal);
        ordinal - i64::try_from(before).unwrap_or(0)
    };
    let mut found = Vec::new();
    let mut taken: Vec<Span> = Vec::new();
    for (part, pieces) in parts.into_iter().filter(|(_, pieces)| pieces.len() >= LEAST_SESSIONS) {
        let Some(origin) = pieces.first().map(|(ordinal, _)| place(*ordinal)) else { continue };
        let at = |ordinal: i64| usize::try_from(place(ordinal) - origin).unwrap_or(0);
        let mut holds = vec![false; pieces.last().map_or(0, |(ordinal, _)| at(*ordinal) + 1)];
        for (ordinal, _) in &pieces {
            holds[at(*ordinal)] = true;
        }
        for stretch in stretches(&holds) {
            let within = pieces.iter().filter(|(ordinal, _)| stretch.contains(&at(*ordinal)));
            let spans: Vec<Span> = within.map(|(_, span)| *span).collect();
            taken.extend(&spans);
            let evidence = Evidence::new(part, spans.len() as u64, stretch.len() as u64);
            found.push(SameBars { spans, evidence });
        }
    }
    taken.sort_unstable_by_key(|span| span.first);
    *gaps = without(gaps, &taken);
    found
}

/// What is left of `gaps` without `taken`, each of which lies in one of them; both ascend.
fn without(gaps: &[Span], taken: &[Span]) -> Vec<Span> {
    let mut left = Vec::new();
    let mut taken = taken.iter().peekable();
    for gap in gaps {
        let mut first = gap.first;
        while let Some(piece) = taken.next_if(|piece| piece.first <= gap.last) {
            if first < piece.first {
                left.push(Span { first, last: piece.first - 1 });
            }
            first = piece.last + 1;
        }
        if first <= gap.last {
            left.push(Span { first, last: gap.last });
        }
    }
    left
}

impl Evidence {
    fn new(part: Part, sessions: u64, of: u64) -> Self {
        let (part, bars, after) = match part {
            Part::First(bars) => ("first", bars, 0),
            Part::Last(bars) => ("last", bars, 0),
            Part::From(after, bars) => ("from", bars, after),
        };
        let of_sessions = OfSessions { sessions, of, ..OfSessions::default() };
        Self { of_sessions, part: part.to_owned(), bars: bars.unsigned_abs(), after }
    }
}

/// The sentence about it.
pub(super) fn message(facts: &Facts<'_>) -> String {
    let Evidence { of_sessions, part, bars, after } = facts.evidence();
    let which = match part.as_str() {
        "first" | "last" => format!("the {part} {}", counted(bars, "bar")),
        _ => format!("{}, {} minutes after the open,", counted(bars, "bar"), after / 60_000_000),
    };
    let stretch = of_sessions.stretch(facts);
    format!(
        "{which} missing {stretch}: a feed that never has them, or another calendar; {} in all",
        counted(facts.bars, "bar")
    )
}
