//! What a person decided about findings, in a run: which of it counts, and what is odd about it.

use chrono::{DateTime, Utc};

use super::context::Context;
use crate::config::Loaded;
use crate::config::labels::JobLabels;
use crate::decide::{About, Label, Labels};
use crate::report::collector::Collector;

/// The labels that count on the day of `as_of`, where the bars are from.
pub(super) fn of_day(loaded: &Loaded, as_of: DateTime<Utc>) -> Labels {
    loaded.labels.labels().live(as_of.with_timezone(&loaded.job.bars.time.zone).date_naive())
}

/// Reports labels that keep a finding from counting which a run over all data did not have. What is labelled `bad` is
/// moved, or kept for back-tests, and is not missed.
pub(super) fn note_gone(context: &Context, labels: &JobLabels, collector: &Collector) {
    let muting = |label: &&Label| label.judgement.mutes();
    for label in collector.labels_without_findings().filter(muting) {
        let About::Finding(id) = &label.about else { continue };
        let line = labels.written.iter().find(|written| written.label == *label).map(|written| labels.line_of(written));
        context.note(&format!(
            "warning: {}:{}: the label is about finding {id}, which is not there any more\n  = help: take it out where it is not needed",
            labels.path.display(),
            line.unwrap_or_default()
        ));
    }
}
