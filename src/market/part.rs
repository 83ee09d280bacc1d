//! The parts of a session: regular hours, and trading before and after them.

use std::sync::Arc;

use super::grid::Grid;
use super::slot::Slot;

/// Bars of one part of the sessions, which a rule may choose.
#[derive(Debug, Clone)]
pub struct Part {
    extended: bool,
    /// With trading before and after the regular hours, and without.
    all: Arc<Grid>,
    regular: Arc<Grid>,
}

impl Part {
    /// The words by which rules choose.
    pub const WORDS: &'static [&'static str] = &["regular", "extended"];

    /// The part that `word` names, of the sessions of `grid`; `None` where that is no such word, or where the bars have no
    /// trading outside the regular hours.
    pub fn new(word: &str, grid: &Arc<Grid>) -> Option<Self> {
        if !Self::WORDS.contains(&word) || !grid.has_extended_hours() {
            return None;
        }
        let regular = Arc::new(Grid::clone(grid).with_regular_hours());
        Some(Self { extended: word == "extended", all: Arc::clone(grid), regular })
    }

    /// Its word.
    pub fn word(&self) -> &'static str {
        Self::WORDS[usize::from(self.extended)]
    }

    /// Whether the bar at `time`, µs UTC, is one of the part. The closing auction is one of the regular hours; a bar outside of
    /// all trading is one of no part.
    pub fn holds(&self, time: i64) -> bool {
        let regular =
            matches!(self.regular.slot(time), Slot::On(_) | Slot::OtherDay(_) | Slot::Tolerated | Slot::OffGrid);
        if self.extended { !regular && self.all.slot(time) == Slot::Tolerated } else { regular }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::market::{Calendar, Interval, Label};

    /// Which of the parts the bars of a Tuesday at `clock` in UTC are of: New York is 4 hours behind.
    fn parts(calendar: &str, clocks: &[&str]) -> Vec<&'static str> {
        let grid = Grid::new(Calendar::named(calendar).unwrap(), Interval::minutes(30), Label::Start);
        let grid = Arc::new(grid.with_extended_hours());
        let [regular, extended] = [0, 1].map(|word| Part::new(Part::WORDS[word], &grid).unwrap());
        let of = |clock: &&str| {
            let time = DateTime::parse_from_rfc3339(&format!("2024-03-12T{clock}:00Z")).unwrap().timestamp_micros();
            match (regular.holds(time), extended.holds(time)) {
                (true, false) => "regular",
                (false, true) => "extended",
                (false, false) => "none",
                (true, true) => "both",
            }
        };
        clocks.iter().map(of).collect()
    }

    #[test]
    fn a_bar_is_one_of_one_part_or_of_none() {
        let clocks = ["07:30", "08:00", "13:00", "13:30", "13:40", "19:30", "20:00", "23:30", "23:59"];
        let (extended, regular, none) = ("extended", "regular", "none");
        let expected = [none, extended, extended, regular, regular, regular, extended, extended, extended];
        assert_eq!(parts("XNYS", &clocks), expected);
    }

    #[test]
    fn there_are_no_parts_without_trading_outside_of_the_regular_hours() {
        let grid = Arc::new(Grid::new(Calendar::named("XNYS").unwrap(), Interval::minutes(30), Label::Start));
        assert!(Part::new("regular", &grid).is_none());
        assert!(Part::new("night", &Arc::new(Grid::clone(&grid).with_extended_hours())).is_none());
    }
}
