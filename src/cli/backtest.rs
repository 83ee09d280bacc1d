//! `barkeep rules backtest`: what one rule finds, at its own threshold and at others.

use serde_json::{Value, json};

use super::args::{BacktestArgs, Global};
use super::events;
use super::output::Output;
use super::window::{as_of, asked};
use crate::run::{
    Backtest, BacktestOptions, Exit, Failure, Job, Judged, Judgement, Stop, Thresholds, TrialOptions, Values,
};
use crate::text::escape::shortened;
use crate::text::numbers::{counted, thousands};
use crate::text::utc::UtcMicros;

/// So many lines of a table are shown.
const MOST_LINES: usize = 20;
/// So many missed findings are shown.
const MOST_MISSED: usize = 5;
/// Characters of the longest bar of a plot.
const WIDTH: u64 = 40;
/// Characters of a series that are shown.
const SERIES: usize = 32;

/// Tries a rule and shows what it finds.
pub(crate) async fn backtest(global: &Global, args: &BacktestArgs, output: &mut Output) -> Result<Exit, Failure> {
    let trial = TrialOptions { window: asked(&args.window)?, series: args.series.clone(), as_of: as_of(&args.window)? };
    let values = Values::parse(args.set.iter().map(String::as_str))?;
    let options = BacktestOptions { rule: args.rule.clone(), values, trial };
    let context = events::context(global, Stop::never());
    let job = Job::open(&context, &args.job)?;
    let tested = job.backtest(&options).await?;
    if output.is_json() {
        output.line(&json(&tested, job.name()).to_string())?;
    } else {
        for line in text(&tested, job.name()) {
            output.line(line.trim_end())?;
        }
    }
    Ok(Exit::Ok)
}

fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// The window in words; nothing where it is all data.
pub(super) fn window(window: (Option<i64>, Option<i64>), daily: bool) -> String {
    let at = |at: i64| UtcMicros(at).timestamp(daily);
    match window {
        (None, None) => String::new(),
        (Some(since), None) => format!(" since {}", at(since)),
        (None, Some(until)) => format!(" before {}", at(until)),
        (Some(since), Some(until)) => format!(" since {} and before {}", at(since), at(until)),
    }
}

fn text(tested: &Backtest, job: &str) -> Vec<String> {
    let Backtest { rule, check, daily, read, series, tally, .. } = tested;
    let counts = &tally.counts;
    let window = window(tested.window, *daily);
    let mut lines = vec![
        format!("{rule} ({check}) over {job}: {} of {} series{window}", counted(*read, "row"), thousands(*series)),
        format!(
            "evaluated {}, excused {}, insufficient {}, stepped over {}",
            thousands(count(counts.evaluated)),
            thousands(count(counts.excused)),
            thousands(count(counts.insufficient)),
            thousands(count(counts.stepped_over)),
        ),
        counted(count(counts.findings), "finding"),
    ];
    if counts.evaluated == 0 {
        lines.push("nothing was evaluated: that there are no findings says nothing of the bars".to_owned());
    }
    lines.extend(years(tested));
    match (&tested.thresholds, tested.no_thresholds) {
        (Some(thresholds), _) => lines.extend(plot(thresholds, tested.judged.is_some())),
        (None, Some(why)) => lines.extend([String::new(), format!("no other thresholds: {why}")]),
        (None, None) => {}
    }
    lines.extend(tested.judged.iter().flat_map(|judged| labels(judged, *daily)));
    lines
}

fn years(tested: &Backtest) -> Vec<String> {
    if tested.by_year.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), format!("  {:<SERIES$}  year   findings", "series")];
    lines.extend(tested.by_year.iter().take(MOST_LINES).map(|row| {
        let year = row.year.map_or_else(|| "none".to_owned(), |year| year.to_string());
        format!("  {:<SERIES$}  {year}   {:>8}", shortened(&row.series, SERIES), thousands(row.findings))
    }));
    let more = tested.by_year.len().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.push(format!("  {} more; --format json has them", thousands(more as u64)));
    }
    lines
}

/// Findings against the threshold, each line with a bar as long as they are many.
fn plot(thresholds: &Thresholds, labelled: bool) -> Vec<String> {
    let Thresholds { key, present, values, fixed } = thresholds;
    let most = values.iter().map(|at| at.findings).max().unwrap_or(0).max(1);
    let heads = if labelled { "     known      fine       bad" } else { "" };
    let mut lines = vec![String::new(), format!("  {key:>10}  findings{heads}")];
    for at in values {
        // What is there is seen, however little it is.
        let length = (at.findings * WIDTH).div_ceil(most);
        let bar = "█".repeat(usize::try_from(length).unwrap_or(0));
        let mark = if at.value == *present { '>' } else { ' ' };
        let labels = if labelled {
            at.labelled.map(|count| format!("  {:>8}", thousands(count))).concat()
        } else {
            String::new()
        };
        lines.push(format!("{mark} {:>10}  {:>8}{labels}  {bar}", at.value, thousands(at.findings)));
    }
    if !fixed.is_empty() {
        let symbols = fixed.iter().map(|symbol| shortened(symbol, SERIES)).collect::<Vec<_>>().join(", ");
        lines.push(format!("  symbols with values of their own, which stay: {symbols}"));
    }
    lines
}

fn labels(judged: &Judged, daily: bool) -> Vec<String> {
    let by = Judgement::ALL.into_iter().zip(judged.labelled);
    let by: Vec<String> = by.map(|(judgement, count)| format!("{judgement} {}", thousands(count))).collect();
    let mut lines =
        vec![String::new(), format!("labels: {}, without a label {}", by.join(", "), thousands(judged.unlabelled))];
    match &judged.run {
        None => lines.push("the job has no report: what is labelled `bad` and not found is not known".to_owned()),
        Some(_) if judged.missed.is_empty() => {}
        Some(run) => {
            let missed = counted(judged.missed.len() as u64, "finding");
            lines.push(format!("not found, though labelled `bad`: {missed} of run {run}"));
            lines.extend(judged.missed.iter().take(MOST_MISSED).map(|missed| {
                let field = missed.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
                format!("  {} {}{field}", shortened(&missed.series, SERIES), timestamp(missed.time, daily))
            }));
            if judged.missed.len() > MOST_MISSED {
                lines.push(format!("  {} more", judged.missed.len() - MOST_MISSED));
            }
        }
    }
    lines
}

/// A timestamp as it is printed.
pub(super) fn timestamp(time: Option<i64>, daily: bool) -> String {
    time.map_or_else(|| "no timestamp".to_owned(), |time| UtcMicros(time).timestamp(daily))
}

fn json(tested: &Backtest, job: &str) -> Value {
    let Backtest { rule, check, daily, read, series, tally, .. } = tested;
    let counts = &tally.counts;
    let by_label = |labelled: &[u64; 3]| -> Value {
        Judgement::ALL.into_iter().zip(labelled).map(|(judgement, count)| (judgement.as_str(), *count)).collect()
    };
    let thresholds = tested.thresholds.as_ref().map(|thresholds| {
        let values = thresholds.values.iter().map(|at| {
            let labelled = tested.judged.is_some().then(|| by_label(&at.labelled));
            let present = at.value == thresholds.present;
            json!({ "value": at.value, "findings": at.findings, "present": present, "labelled": labelled })
        });
        json!({
            "key": thresholds.key, "present": thresholds.present, "values": values.collect::<Vec<_>>(),
            "symbols_with_own_values": thresholds.fixed,
        })
    });
    let years = tested.by_year.iter();
    let years = years.map(|row| json!({ "series": row.series, "year": row.year, "findings": row.findings }));
    let judged = tested.judged.as_ref().map(|judged| {
        let missed = judged.missed.iter().map(|missed| {
            let time = missed.time.map(|time| UtcMicros(time).timestamp(*daily));
            json!({ "series": missed.series, "time": time, "field": missed.field, "finding_id": missed.finding_id })
        });
        json!({
            "findings": by_label(&judged.labelled), "unlabelled": judged.unlabelled, "run": judged.run,
            "bad_not_found": missed.collect::<Vec<_>>(),
        })
    });
    let at = |at: Option<i64>| at.map(|at| UtcMicros(at).timestamp(*daily));
    json!({
        "type": "backtest", "job": job, "rule": rule, "check": check, "since": at(tested.window.0), "until": at(tested.window.1),
        "rows_read": read, "series": series, "rows_evaluated": counts.evaluated, "rows_excused": counts.excused,
        "rows_insufficient": counts.insufficient, "rows_stepped_over": counts.stepped_over, "findings": counts.findings,
        "by_year": years.collect::<Vec<_>>(), "thresholds": thresholds, "no_thresholds": tested.no_thresholds,
        "labels": judged,
    })
}
