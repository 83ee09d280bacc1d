//! The sessions of a grid: which one a bar belongs to, which of them a gap touches, and which have enough bars all the same.

use std::sync::Arc;

use super::reason::Excused;
use crate::market::{Grid, zone};

/// Positions of the grid from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Span {
    /// How many positions two spans share.
    pub(super) fn overlap(self, other: Self) -> i64 {
        (self.last.min(other.last) - self.first.max(other.first) + 1).max(0)
    }
}

/// The grid seen by sessions.
pub(super) struct Sessions {
    pub(super) grid: Arc<Grid>,
    pub(super) labelled_at_end: bool,
    pub(super) intraday: bool,
}

/// A session that lacks bars but has some.
struct Thin {
    span: Span,
    missing: i64,
}

impl Sessions {
    /// The session of the bar at `position`, as its ordinal: the one that is on when the bar begins (labelled
    /// at the start) or ends.
    pub(super) fn ordinal(&self, position: i64) -> Option<i64> {
        let calendar = self.grid.calendar();
        let timestamp = self.grid.timestamp(position);
        // A session may open on the evening before its date, and a bar may end at the midnight after it.
        let day = zone::local_day(calendar.zone(), timestamp);
        let mut nearby = calendar.first_on_or_after(day - 1)?..=calendar.last_on_or_before(day + 1)?;
        if self.labelled_at_end {
            nearby.rfind(|ordinal| calendar.session(*ordinal).open < timestamp)
        } else {
            nearby.find(|ordinal| calendar.session(*ordinal).close > timestamp)
        }
    }

    /// The positions of a session.
    pub(super) fn span(&self, ordinal: i64) -> Option<Span> {
        let session = self.grid.calendar().session(ordinal);
        let (first, last) = if self.labelled_at_end {
            (self.grid.first_at_or_after(session.open + 1)?, self.grid.first_at_or_after(session.close)?)
        } else {
            (self.grid.last_at_or_before(session.open)?, self.grid.last_at_or_before(session.close - 1)?)
        };
        Some(Span { first, last })
    }

    /// How many sessions a gap touches, and how many of them it swallows whole; `None` for daily bars and longer.
    pub(super) fn touched(&self, gap: Span) -> Option<(i64, i64)> {
        if !self.intraday {
            return None;
        }
        let (first, last) = (self.ordinal(gap.first)?, self.ordinal(gap.last)?);
        let all = last - first + 1;
        let cut_first = self.span(first)?.first < gap.first;
        let cut_last = self.span(last)?.last > gap.last;
        let cut = if all == 1 { i64::from(cut_first || cut_last) } else { i64::from(cut_first) + i64::from(cut_last) };
        Some((all, all - cut))
    }

    /// Takes out of `gaps` what lies in sessions that have at least `share` of the bars expected within `evaluated`.
    pub(super) fn tolerate(&self, gaps: &mut Vec<Span>, evaluated: Span, share: f64) -> Excused {
        let mut sparse = Excused::default();
        let thin = self.thin(gaps, evaluated);
        let covered = |position: i64| {
            let session = thin.get(thin.partition_point(|session| session.span.last < position))?;
            let expected = session.span.overlap(session.span);
            let present = (expected - session.missing) as f64 / expected as f64;
            (session.span.first <= position && present > 0.0 && present >= share).then_some(session.span)
        };
        gaps.retain_mut(|gap| {
            let before = *gap;
            if let Some(session) = covered(gap.first) {
                gap.first = session.last + 1;
            }
            if let Some(session) = covered(gap.last) {
                gap.last = session.first - 1;
            }
            let left = self.grid.expected_between(gap.first, gap.last);
            let taken = self.grid.expected_between(before.first, before.last) - left;
            sparse.findings += u64::from(taken > 0);
            sparse.bars += taken;
            gap.first <= gap.last
        });
        sparse
    }

    /// The sessions at the ends of `gaps`, in order; what lies between the ends of a gap is missing altogether.
    fn thin(&self, gaps: &[Span], evaluated: Span) -> Vec<Thin> {
        let mut thin: Vec<Thin> = Vec::new();
        for gap in gaps {
            for end in [gap.first, gap.last] {
                let known = thin.last().is_some_and(|session| end <= session.span.last);
                if !known && let Some(span) = self.ordinal(end).and_then(|ordinal| self.span(ordinal)) {
                    let span = Span { first: span.first.max(evaluated.first), last: span.last.min(evaluated.last) };
                    thin.push(Thin { span, missing: 0 });
                }
            }
        }
        let mut from = 0;
        for gap in gaps {
            from += thin[from..].partition_point(|session| session.span.last < gap.first);
            for session in thin[from..].iter_mut().take_while(|session| session.span.first <= gap.last) {
                session.missing += session.span.overlap(*gap);
            }
        }
        thin
    }
}
