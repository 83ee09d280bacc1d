//! Rules that have to know of other series, or of the bars of another job: gathers what these show, before the rules run.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::notes::notes;
use super::plan::key_and;
use super::program::Program;
use crate::checks::{OtherBars, PeerTable, PeerValues};

/// The values of all series, by index of the rule.
#[derive(Debug, Default)]
pub struct Peers(BTreeMap<usize, PeerValues>);

impl Peers {
    /// Takes the values of one batch of the operator's output.
    pub fn take(&mut self, batch: &RecordBatch) {
        for (rule, note) in notes(batch) {
            self.0.entry(rule).or_default().take(&note.bytes);
        }
    }

    /// Bytes of memory that these values take, about.
    pub fn bytes(&self) -> usize {
        self.0.values().map(PeerValues::bytes).sum()
    }

    /// What the rules have to know.
    pub fn tables(self) -> BTreeMap<usize, PeerTable> {
        self.0.into_iter().map(|(rule, values)| (rule, values.table())).collect()
    }
}

/// `program` for gathering these values: it reads nothing but what they are made of, unless a rule that gathers has a
/// condition.
#[must_use]
pub fn gathering(mut program: Program) -> Program {
    let conditional = |rule: &crate::config::Rule| rule.check.peers().is_some() && rule.condition.is_some();
    if !program.rules.rules.iter().any(conditional) {
        let gathers = program.rules.rules.iter().filter_map(|rule| rule.check.peers());
        program.read = key_and(&program.bars, gathers.flat_map(crate::checks::Peers::fields));
        program.rules.expressions.clear();
    }
    program.compared.clear();
    program.gathering_peers()
}

/// The bars of another job, by symbol.
#[derive(Debug, Default)]
pub struct Others {
    bars: OtherBars,
    /// The series key of each symbol.
    keys: BTreeMap<String, String>,
}

impl Others {
    /// Takes the bars of one batch of the operator's output.
    ///
    /// # Errors
    /// Two series of one symbol: their keys.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<(), [String; 2]> {
        for (_, note) in notes(batch) {
            let symbol = note.symbol.unwrap_or_default();
            let key = self.keys.entry(symbol.clone()).or_insert_with(|| note.series.clone());
            if *key != note.series {
                return Err([key.clone(), note.series]);
            }
            self.bars.take(&symbol, &note.bytes);
        }
        Ok(())
    }

    /// Bytes of memory that these bars take, about.
    pub fn bytes(&self) -> usize {
        self.bars.bytes()
    }

    /// The bars.
    pub fn bars(self) -> OtherBars {
        self.bars
    }
}
