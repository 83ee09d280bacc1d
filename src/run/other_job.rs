//! Rules that compare with another job: whether it fits.

use super::failure::Failure;
use crate::bars::BarsSpec;
use crate::checks::OtherJob;
use crate::config::{self, RuleSet};
use crate::market::Interval;
use crate::schema::Diagnostic;

/// The jobs that `rules` compare with.
pub(super) fn named(rules: &RuleSet) -> impl Iterator<Item = (usize, &OtherJob)> {
    rules.rules.iter().enumerate().filter_map(|(index, rule)| Some((index, rule.check.other_job()?)))
}

/// Fails where a job that a rule compares with cannot be loaded, or its bars do not fit beside `bars`.
pub(super) fn reject_unfit(rules: &RuleSet, bars: &BarsSpec) -> Result<(), Failure> {
    let mistakes: Vec<Diagnostic> = named(rules).filter_map(|(_, other)| unfit(other, bars)).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::Mistakes(mistakes)) }
}

fn unfit(other: &OtherJob, bars: &BarsSpec) -> Option<Diagnostic> {
    let mistake = |title: String, help: &str| {
        let at = Diagnostic::new("other-job", title, &other.file, other.span.clone());
        Some(at.help(help.to_owned()))
    };
    let path = other.path.display();
    let loaded = match config::load(&other.path) {
        Ok(loaded) => loaded,
        Err(error) => {
            let help =
                format!("`barkeep rules lint {path}` says more; the path is taken from the folder of the rule file");
            return mistake(format!("the job `{path}` cannot be loaded: {error}"), &help);
        }
    };
    let theirs = &loaded.job.bars;
    let finer = bars.interval == Interval::Day && !theirs.interval.is_daily_or_longer();
    if finer {
        return None;
    }
    if theirs.interval != bars.interval {
        let title = format!("bars of {} cannot be compared with bars of {}", theirs.interval, bars.interval);
        return mistake(title, "bars of the same interval can, and bars shorter than a day with those of a day");
    }
    let same_label = theirs.time.label == bars.time.label || bars.daily();
    if same_label {
        return None;
    }
    let title = "the bars of both jobs are not dated alike: by their start and by their end";
    mistake(title.to_owned(), "give both jobs the same `label` in `[bars] time`")
}
