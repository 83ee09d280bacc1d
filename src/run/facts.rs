//! Facts in a run: what is odd in their files, the symbols that no series has, and the bars that barkeep itself moved.

use std::sync::Arc;

use super::context::Context;
use super::load::today;
use super::open::Opened;
use crate::config::Loaded;
use crate::market::facts::MarketFacts;
use crate::report::tally::Tally;

/// The check that asks why bars are missing.
const GAP: &str = "gap";

/// Reports what is odd in the files of facts and of labels, labels among them that contradict each other today.
pub(super) fn note_oddities(context: &Context, loaded: &Loaded) {
    let contradictions = loaded.labels.contradictions(today(&loaded.job, &context.clock));
    for warning in loaded.facts.warnings.iter().chain(&loaded.labels.warnings).chain(&contradictions) {
        let (line, column) = warning.position();
        let place = format!("{}:{line}:{column}", warning.file.path.display());
        let help = warning.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        context.note(&format!("warning: {place}: {}{help}", warning.title));
    }
}

/// Reports the symbols of facts that no series had, in a run over all series, or over a window of them.
pub(super) fn note_unmatched(context: &Context, tally: &Tally, whole: bool) {
    if let Some(warning) = tally.unmatched.warning(whole) {
        context.note(&format!("warning: {warning}"));
    }
}

/// The facts of the job, and with them the bars that barkeep moved to quarantine, where a rule asks why bars are missing.
pub(super) async fn with_moved(context: &Context, opened: &Opened) -> Arc<MarketFacts> {
    let facts = &opened.facts;
    // A source whose rows never leave has no quarantine.
    let Some(removal) = opened.source.removal().ok().filter(|_| opened.loaded.has_check(GAP)) else {
        return Arc::clone(facts);
    };
    match removal.moved(&|text: &str| context.note(text)).await {
        Ok(moved) if moved.is_empty() => Arc::clone(facts),
        Ok(moved) => Arc::new(MarketFacts::clone(facts).with_moved(moved)),
        Err(failure) => {
            let reason = failure.render(false);
            context.note(&format!("warning: gaps that barkeep made are not distinguished from others: {reason}"));
            Arc::clone(facts)
        }
    }
}
