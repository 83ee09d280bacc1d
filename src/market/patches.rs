//! Corrections of the embedded tables: what their source gets wrong or does not know, each with its own source.

use super::calendar::date;
use super::day_hours::DayHours;

const PATCHES: &str = include_str!("data/patches.csv");

/// A correction of one calendar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patch {
    /// The first and the last day it corrects.
    pub(super) first: i32,
    pub(super) last: i32,
    pub(super) effect: Effect,
}

/// What a correction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// These days are no session.
    Closed,
    /// The calendar begins after these days.
    Unknown,
    /// One day: a session with these hours. Several days: the usual hours of their sessions; days that have hours of
    /// their own keep them.
    Hours(DayHours),
}

impl Patch {
    pub(super) fn reaches(&self, day: i32) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

/// The corrections of the calendar `name`, in the order of the file.
#[expect(clippy::expect_used, reason = "the embedded corrections are part of the program and tested as a whole")]
pub(super) fn of(name: &str) -> Vec<Patch> {
    let own = rows().filter(|row| row[0] == name);
    own.map(|row| patch(&row).expect("the embedded corrections are well-formed")).collect()
}

/// The cells of all corrections: calendar, first, last, hours, why, source.
fn rows() -> impl Iterator<Item = [&'static str; 6]> {
    PATCHES.lines().skip(1).filter_map(|line| line.splitn(6, ',').collect::<Vec<_>>().try_into().ok())
}

fn patch([_, first, last, hours, ..]: &[&str; 6]) -> Option<Patch> {
    let effect = match *hours {
        "closed" => Effect::Closed,
        "unknown" => Effect::Unknown,
        hours => Effect::Hours(DayHours::parse(hours).ok()?),
    };
    Some(Patch { first: date(first)?, last: date(last)?, effect })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_correction_is_understood_and_names_its_source() {
        let lines = PATCHES.lines().skip(1).count();
        assert_eq!(rows().count(), lines);
        for row in rows() {
            let patch = patch(&row).unwrap_or_else(|| panic!("{row:?}"));
            assert!(patch.first <= patch.last, "{row:?}");
            assert!(!row[4].is_empty() && row[5].starts_with("http"), "{row:?}");
        }
    }
}
