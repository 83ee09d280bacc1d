use super::program::Program;
use crate::checks::Finding;
use crate::decide::Action;
use crate::decide::{Found, Rows};

/// A finding with the rule that made it and the rows it stands for.
#[derive(Debug, Clone)]
pub struct Flagged {
    /// Index of the rule; [`Program::parse_error`] for a value that does not decode.
    pub rule: usize,
    /// What was found; its own `rows` are those of the series the rule saw.
    pub finding: Finding,
    /// The rows of the frame it stands for; empty for a gap.
    pub rows: Rows,
}

impl Flagged {
    /// A finding with its rows in the frame; `chosen` are the rows of the frame that the rule saw, where it saw a part.
    pub fn new(rule: usize, mut finding: Finding, chosen: Option<&[usize]>) -> Self {
        finding.at = finding.at.map(|row| chosen.map_or(row, |chosen| chosen[row]));
        let place = |row: usize| chosen.map_or(row, |chosen| chosen[row]);
        let rows = match (&finding.rows, chosen) {
            (None, _) => Rows::Span(0..0),
            (Some(span), None) if finding.more.is_empty() => Rows::Span(span.clone()),
            (Some(span), _) => Rows::List(span.clone().chain(finding.more.iter().copied()).map(place).collect()),
        };
        Self { rule, finding, rows }
    }

    /// What is done with its rows.
    pub fn action(&self, program: &Program) -> Action {
        if self.finding.report_only { Action::Report } else { program.levels(self.rule).1 }
    }

    /// The finding as the decision about its rows sees it.
    pub fn found(&self, program: &Program) -> Found<'_> {
        Found { rows: &self.rows, action: self.action(program), parse_error: self.rule == program.parse_error() }
    }
}
