//! Rules with values of the job.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::json;
use sha2::Digest;
use toml::de::DeTable;

use super::{Compiler, parameters};
use crate::checks::{Check, Stage};
use crate::config::rules::head::{Head, RULE};
use crate::config::rules::tune::Tuning;
use crate::config::rules::{OfSymbol, RuleFile};
use crate::schema::diagnostic::Diagnostic;
use crate::schema::reader::Reader;
use crate::schema::section::SectionReader;

impl Compiler<'_> {
    /// Compiles one rule with the values of the job.
    pub(super) fn add_tuned(
        &mut self,
        file: &RuleFile,
        (number, span, entries): (usize, Range<usize>, &DeTable<'_>),
        tunings: &[Tuning<'_>],
    ) -> Vec<Diagnostic> {
        let before = self.expressions.len();
        let merged = tunings.iter().fold(entries.clone(), |merged, tuning| tuning.merged(&merged));
        let reader = Reader::new(&file.file, &merged, span, &file.environment);
        let mistakes = self.add_rule(file, number, SectionReader::new(&RULE, reader), Some((tunings, &merged)));
        for expression in self.expressions.iter_mut().skip(before) {
            for tuning in tunings {
                tuning.place(expression);
            }
        }
        let placed = |mistake| tunings.iter().fold(mistake, |mistake, tuning| tuning.placed(mistake));
        mistakes.into_iter().map(placed).collect()
    }

    /// The checks of symbols for which the job has values of their own.
    pub(super) fn by_symbol(
        &mut self,
        file: &RuleFile,
        head: &Head,
        check: Option<&dyn Check>,
        (tunings, entries): (&[Tuning<'_>], &DeTable<'_>),
        mistakes: &mut Vec<Diagnostic>,
    ) -> BTreeMap<String, OfSymbol> {
        let across = check.is_some_and(|check| {
            let of_all = head.kind.is_some_and(|kind| kind.stage() == Stage::Across);
            of_all || check.by().is_some() || check.peers().is_some() || check.other_job().is_some()
        });
        let wrong: Vec<Diagnostic> = tunings.iter().flat_map(|tuning| tuning.mistakes(across)).collect();
        if !wrong.is_empty() {
            mistakes.extend(wrong);
            return BTreeMap::new();
        }
        let mut checks = BTreeMap::new();
        for (symbol, tuned, entries) in tunings.iter().flat_map(|tuning| tuning.by_symbol(entries)) {
            let digest = json!({ "symbol": symbol, "params": parameters(&entries, Some(&file.environment)) });
            self.digest.update(digest.to_string());
            let reader = Reader::new(&file.file, &entries, 0..0, &file.environment);
            let (check, found) = self.compile_check(head, SectionReader::new(&RULE, reader));
            // What is wrong with the rule for all series was said already.
            mistakes.extend(found.into_iter().filter(|mistake| mistake.span.start > file.file.text.len()));
            let params = parameters(&entries, None).to_string();
            checks.extend(check.map(|check| (symbol, OfSymbol { check, tuned, params })));
        }
        checks
    }
}
