//! What rules have to know of a series besides those that are run over it.

use arrow::error::ArrowError;

use super::View;
use crate::bars::{DAY_US, Label};
use crate::checks::{Noted, OtherBar, session_bars, to_pieces};
use crate::engine::trading_date::session;

/// What one rule across series noted of a series.
#[derive(Debug, Clone)]
pub struct RuleNote {
    /// Index of the rule.
    pub rule: usize,
    /// What it wrote.
    pub bytes: Vec<u8>,
    /// File index and row number of a row to look at.
    pub locator: Option<(i32, i64)>,
    /// Its `_id`, in collections.
    pub id: Option<Vec<u8>>,
}

impl View<'_> {
    /// What rules across series have to know of the series.
    pub(super) fn notes(&self) -> Result<Vec<RuleNote>, ArrowError> {
        let mut notes = Vec::new();
        for (rule_index, rule) in self.program.running() {
            let Some(across) = rule.check.across() else { continue };
            let narrow = match self.concerned(rule) {
                Some(mask) => Some(self.frame.narrow(self.layout, &mask)?),
                None => None,
            };
            let view = View { frame: narrow.as_ref().unwrap_or(self.frame), ..*self };
            let parts = view.parts(rule_index, None);
            let noted = across.note(&view.frame.series(view.layout, view.key, &parts));
            notes.extend(noted.map(|Noted { bytes, row }| RuleNote {
                rule: rule_index,
                bytes,
                locator: row.map(|row| view.frame.locator(self.layout, row)),
                id: row.and_then(|row| view.frame.id(self.layout, row)).map(<[u8]>::to_vec),
            }));
        }
        Ok(notes)
    }

    /// What the rules of other series have to know of this one.
    pub(super) fn values_for_peers(&self) -> Result<Vec<RuleNote>, ArrowError> {
        let mut notes = Vec::new();
        for (rule_index, rule) in self.program.running() {
            let Some(peers) = rule.check.peers() else { continue };
            let narrow = match self.concerned(rule) {
                Some(mask) => Some(self.frame.narrow(self.layout, &mask)?),
                None => None,
            };
            let view = View { frame: narrow.as_ref().unwrap_or(self.frame), ..*self };
            let parts = view.parts(rule_index, None);
            let series = view.frame.series(view.layout, view.key, &parts);
            let pieces = to_pieces(series.time, &peers.values(&series));
            notes.extend(pieces.into_iter().map(|bytes| RuleNote { rule: rule_index, bytes, locator: None, id: None }));
        }
        Ok(notes)
    }

    /// The bars of the series for rules of another job, in sessions or as they are.
    pub(super) fn bars_for_another(&self, by_session: bool) -> Vec<RuleNote> {
        let bars = &self.program.bars;
        let fields = ["open", "high", "low", "close", "volume"].map(|name| {
            bars.field(name).map(|(index, _)| index).filter(|index| self.layout.fields[*index].value.is_some())
        });
        let parts = self.parts(0, None);
        let series = self.frame.series(self.layout, self.key, &parts);
        // A bar that is dated by its end belongs to the session in which it ends.
        let inside = i64::from(bars.time.label == Label::End);
        let place = |time: i64| match by_session {
            true => session(self.program, time - inside).map_or(time, |day| i64::from(day) * DAY_US),
            false => time,
        };
        let pieces = OtherBar::to_pieces(&session_bars(&series, fields, &place));
        pieces.into_iter().map(|bytes| RuleNote { rule: 0, bytes, locator: None, id: None }).collect()
    }
}
