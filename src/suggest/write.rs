//! The rule file: what the bars are like, values for rules that there are, and rules with their reasons, as comments.

use super::draft::{Counted, Draft, Tuning};
use super::known::Known;
use super::profile::Profile;
use super::rules;
use super::sets;
use crate::bars::time::TimeFormat;
use crate::bars::{BarsSpec, FieldKind};
use crate::text::UtcMicros;
use crate::text::escape::visible;
use crate::text::numbers::{counted, percent, rate, rough, thousands};
use crate::text::toml::{key, string};

/// Characters of a line of comment.
const WIDTH: usize = 118;

/// What is written down.
#[derive(Debug)]
pub(crate) struct Suggested<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) bars: &'a BarsSpec,
    /// What the rules of the job cover.
    pub(crate) known: &'a Known,
    /// The rules, each with what it finds.
    pub(crate) drafts: &'a [(Draft, Counted)],
    /// Values for rules of the job.
    pub(crate) tunings: &'a [Tuning],
    /// What is not suggested, and why.
    pub(crate) notes: &'a [String],
    /// How the command was called, so that it can be called again.
    pub(crate) command: &'a str,
}

/// The rule as TOML, without its reasons.
pub(crate) fn draft_text(draft: &Draft) -> String {
    let mut keys = vec![("id", string(&draft.id)), ("check", string(draft.check))];
    keys.extend(draft.values.iter().map(|(key, value)| (*key, value.clone())));
    keys.extend([("severity", string("warn")), ("action", string("report")), ("why", string(&draft.why))]);
    let width = keys.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let lines = keys.iter().map(|(key, value)| format!("{key:<width$} = {value}\n"));
    std::iter::once("[[rule]]\n".to_owned()).chain(lines).collect()
}

/// The whole file.
pub(crate) fn write(suggested: &Suggested<'_>) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        &format!("Written by `{}`, from the bars as they were; read it before you use it.", suggested.command),
    );
    comment(
        &mut out,
        "Limits follow from these bars: they flag bars that differ, and nothing that is wrong in all of them.",
    );
    out.push_str("#\n");
    suggested.bars_lines().iter().for_each(|line| comment(&mut out, line));
    let beyond = suggested.job_lines();
    if !beyond.is_empty() {
        out.push_str("#\n# For the job file, by hand:\n");
        out.extend(beyond.iter().map(|line| format!("#   {line}\n")));
    }
    if !suggested.notes.is_empty() {
        out.push_str("#\n# Not suggested:\n");
        suggested.notes.iter().for_each(|note| comment(&mut out, &format!("- {note}")));
    }
    for (draft, found) in suggested.drafts {
        out.push('\n');
        draft.reasons.iter().for_each(|reason| comment(&mut out, reason));
        comment(&mut out, &format!("Finds now: {}.", of(*found)));
        out.push_str(&draft_text(draft));
    }
    out
}

impl Suggested<'_> {
    /// What the bars are like.
    fn bars_lines(&self) -> Vec<String> {
        let Profile { bars, series, timeless, repeated, span, coverage, .. } = self.profile;
        let at = |time: i64| UtcMicros(time).timestamp(self.bars.daily());
        let span = span.map(|(first, last)| format!(", {} to {}", at(first), at(last))).unwrap_or_default();
        let calendar = self.bars.calendar.as_ref().map(|calendar| format!(", calendar {}", calendar.name()));
        let interval =
            format!("interval {}{}", self.bars.interval, calendar.unwrap_or_else(|| ", no calendar".to_owned()));
        let mut lines = vec![format!("{} of {}, {interval}{span}", counted(*bars, "bar"), counted(*series, "series"))];
        if let Some(coverage) = coverage.filter(|coverage| coverage.expected > 0) {
            let share = rate(coverage.there as f64 / coverage.expected as f64);
            let (there, expected) = (thousands(coverage.there), thousands(coverage.expected));
            let elsewhere = match coverage.elsewhere {
                0 => String::new(),
                some => format!("; {} outside of sessions", counted(some, "bar")),
            };
            lines.push(format!("coverage: {there} of {expected} expected bars are there, {share}{elsewhere}"));
        }
        let formats = self.bars.time.formats.iter().map(TimeFormat::text).collect::<Vec<_>>().join(", ");
        let formats =
            if formats.is_empty() { "as the source has them".to_owned() } else { format!("as {}", visible(&formats)) };
        lines.push(format!(
            "timestamps: read {formats}, zone {}; {} without one, {} repeated",
            self.bars.time.zone,
            counted(*timeless, "bar"),
            thousands(*repeated)
        ));
        lines.extend(self.fields());
        lines.extend(self.moves());
        lines
    }

    fn fields(&self) -> Vec<String> {
        let Profile { bars, fields, closes, volumes, zero_volume, not_positive, steps, .. } = self.profile;
        let kind = |kind: FieldKind| if kind == FieldKind::Text { " (text)" } else { "" };
        let share = |nulls: u64| match nulls {
            0 => String::new(),
            some if some == *bars => " (all NULL)".to_owned(),
            some => format!(" ({} NULL)", rate(some as f64 / *bars as f64)),
        };
        let names =
            fields.iter().map(|field| format!("{}{}{}", visible(&field.name), kind(field.kind), share(field.nulls)));
        let mut lines = vec![format!("fields: {}", names.collect::<Vec<_>>().join(", "))];
        if let Some((least, most)) = closes.all {
            let step = steps
                .found()
                .map_or_else(|| "no common step".to_owned(), |step| format!("step {}", rough(step.size, 12)));
            let negative = match not_positive {
                0 => String::new(),
                some => format!(", {} at zero or below", counted(*some, "bar")),
            };
            lines.push(format!("close: {} to {}, {step}{negative}", rough(least, 6), rough(most, 6)));
        }
        if let Some((least, most)) = volumes.all {
            let zero = rate(*zero_volume as f64 / volumes.count.max(1) as f64);
            lines.push(format!("volume: {} to {}, 0 in {zero} of bars", rough(least, 6), rough(most, 6)));
        }
        lines
    }

    fn moves(&self) -> Option<String> {
        let sizes = &self.profile.returns.sizes;
        let (largest, series, time) = self.profile.returns.largest.as_ref()?;
        let quantile = |share: f64| sizes.quantile(share).map(rules::share);
        // The median of absolute deviations, as the standard deviation of a normal distribution.
        let scale = sizes.quantile(0.5).map(|size| format!("{} %", rough(size * 148.26, 2)))?;
        Some(format!(
            "moves from close to close: robust scale {scale}; 99 % of {} are at most {}, 99.9 % {}; the largest is {} on {} {}",
            counted(sizes.count(), "return"),
            quantile(0.99)?,
            quantile(0.999)?,
            percent(*largest),
            visible(series),
            UtcMicros(*time).timestamp(self.bars.daily())
        ))
    }

    /// Rule sets that ship and values of rules, as lines of a job.
    fn job_lines(&self) -> Vec<String> {
        let calendar = self.bars.calendar.as_ref().map(|calendar| calendar.name());
        let mut lines: Vec<String> = sets::fitting(calendar, &self.profile.symbols, self.known)
            .into_iter()
            .map(|(path, _)| format!("rules = [..., \"../{path}\"]   fits these bars, and the job has none of its rules; `barkeep init` writes it"))
            .collect();
        for Tuning { rule, limit, now, better, largest } in self.tunings {
            let now = format!("with limit = {} it has {}", rough(*limit, 6), of(*now));
            match better {
                Some((better, then)) => {
                    lines.push(format!("[tune.{}]   {now}; with {} {}", key(rule), rough(*better, 6), of(*then)));
                    lines.push(format!("limit = {}", rough(*better, 6)));
                }
                None => {
                    let (limit, then) = (rough(largest.0, 6), of(largest.1));
                    lines.push(format!(
                        "`{}`: {now}, and with {limit} still {then}: look at its findings",
                        visible(rule)
                    ));
                }
            }
        }
        lines
    }
}

fn of(Counted { findings, evaluated }: Counted) -> String {
    format!("{} in {}", counted(findings, "finding"), counted(evaluated, "bar"))
}

/// Writes `text` as comment, broken into lines.
fn comment(out: &mut String, text: &str) {
    let mut line = "#".to_owned();
    for word in text.split(' ') {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            "#  ".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_broken_between_words() {
        let mut out = String::new();
        comment(&mut out, &["word"; 40].join(" "));
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.starts_with('#') && line.chars().count() <= WIDTH), "{out}");
        assert_eq!(out.matches("word").count(), 40);
    }
}
