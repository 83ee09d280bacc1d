//! Stretches of sessions in nearly all of which something holds.

use std::ops::Range;

/// Sessions of a stretch at least, which a finding that merges others is about: in fewer the same may be there by chance.
pub const LEAST_SESSIONS: usize = 5;
/// It may not hold in one session of so many: a half-day, or a bar that is missing besides.
const ONE_IN: usize = 10;

/// The stretches of `holds`, one value a session, that begin and end with a session in which it holds and in which it holds in
/// nine of ten sessions and at least in [`LEAST_SESSIONS`]. Where it does not hold in so many sessions one after the other, a
/// stretch ends: whether one goes on does not depend on how long ago it began.
pub(super) fn stretches(holds: &[bool]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in holds.iter().enumerate().filter(|(_, holds)| **holds) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    let mut found = Vec::new();
    let mut open: Vec<Range<usize>> = Vec::new();
    for run in 0..runs.len() {
        match open.last_mut() {
            Some(part) if runs[run].start - runs[run - 1].end < LEAST_SESSIONS => part.end = run + 1,
            _ => open.push(run..run + 1),
        }
    }
    while let Some(part) = open.pop() {
        let (Some(first), Some(last)) = (runs[part.clone()].first(), runs[part.clone()].last()) else { continue };
        let (held, sessions) = (runs[part.clone()].iter().map(Range::len).sum::<usize>(), last.end - first.start);
        if held < LEAST_SESSIONS {
            continue;
        }
        if (sessions - held) * ONE_IN <= sessions {
            found.push(first.start..last.end);
            continue;
        }
        let widest = (part.start + 1..part.end).max_by_key(|run| runs[*run].start - runs[run - 1].end);
        if let Some(widest) = widest {
            open.extend([part.start..widest, widest..part.end]);
        }
    }
    found.sort_unstable_by_key(|stretch| stretch.start);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(usize, usize)> {
        let holds: Vec<bool> = text.chars().map(|held| held == 'x').collect();
        stretches(&holds).into_iter().map(|stretch| (stretch.start, stretch.end)).collect()
    }

    #[test]
    fn five_in_a_row_are_a_stretch_and_four_are_none() {
        assert_eq!(of(".xxxxx."), [(1, 6)]);
        assert_eq!(of(".xxxx."), []);
        assert_eq!(of(""), []);
    }

    #[test]
    fn one_session_in_ten_may_differ() {
        assert_eq!(of("xxxxx.xxxx"), [(0, 10)]);
        assert_eq!(of("xxxxx.xxx"), [(0, 5)]);
        assert_eq!(of("x.x.x.x.x.x.x"), []);
    }

    #[test]
    fn five_sessions_without_it_end_a_stretch_however_long_it_is() {
        let text = |hole| format!("{}{}{}", "x".repeat(100), ".".repeat(hole), "x".repeat(40));
        assert_eq!(of(&text(4)), [(0, 144)]);
        assert_eq!(of(&text(5)), [(0, 100), (105, 145)]);
    }

    #[test]
    fn half_a_year_is_a_stretch_of_its_own() {
        let text = format!("{}{}{}", "x".repeat(20), ".".repeat(30), "x".repeat(7));
        assert_eq!(of(&text), [(0, 20), (50, 57)]);
    }
}
