//! `barkeep report diff`: what differs between the findings of two runs of a job.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::json::LineDelimitedWriter;
use chrono::Utc;
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};

use super::args::Global;
use super::events;
use super::findings::{self, Mark};
use super::output::Output;
use super::report::{instant, of_run, run_of};
use super::sql;
use crate::checks::ALL_SERIES;
use crate::engine::session::session;
use crate::market::Interval;
use crate::report::error::ReportError;
use crate::report::heading::span;
use crate::report::rules_before::RuleChange;
use crate::report::store::{self, RunRef};
use crate::report::summary::Summary;
use crate::run::{Exit, Failure, Stop};
use crate::text::columns::{cut, padded};
use crate::text::escape::visible;
use crate::text::numbers::thousands;
use crate::text::utc::UtcMicros;

/// Columns of the id of a rule.
const ID: usize = 24;

/// Which runs are compared.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The earlier run; the one before the other where it is not said.
    pub(crate) before: Option<String>,
    /// The later run.
    pub(crate) after: String,
    /// Only runs of this job.
    pub(crate) job: Option<String>,
    /// At most so many findings of each kind.
    pub(crate) findings: usize,
}

/// Shows what differs.
pub(crate) async fn diff(global: &Global, dir: &Path, asked: &Asked, output: &mut Output) -> Result<Exit, Failure> {
    let job = asked.job.as_deref();
    let after = run_of(dir, job, &asked.after)?;
    let before = match &asked.before {
        Some(before) => run_of(dir, job, before)?,
        None => store::run_before(dir, &after)?.ok_or_else(|| {
            let message =
                format!("run {} is the first of job `{}`: there is none to compare it with", after.run_id, after.job);
            Failure::Usage(message, "name two runs; `barkeep report list` shows them".to_owned())
        })?,
    };
    if before.job != after.job {
        let message = format!(
            "{} is a run of job `{}`, and {} one of job `{}`",
            before.run_id,
            visible(&before.job),
            after.run_id,
            visible(&after.job)
        );
        return Err(Failure::Usage(message, "compare runs of one job".to_owned()));
    }
    let summaries = [whole(&before)?, whole(&after)?];
    let of_process = events::context(global, Stop::never());
    let scratch = of_process.scratch()?;
    let context = session(&of_process.limits_in(&scratch))?;
    store::register(&context, dir)?;
    let pair =
        Pair { context: &context, dir, sides: [Side::new(&before, &summaries[0]), Side::new(&after, &summaries[1])] };
    let rules = pair.rules().await?;
    if output.is_json() {
        return json_lines(&pair, &rules, asked.findings, output).await;
    }
    text(&pair, &summaries, &rules, asked.findings, output).await
}

/// The summary of a run that came to its end.
fn whole(run: &RunRef) -> Result<Summary, Failure> {
    run.load_summary().map_err(|error| match error {
        ReportError::NoSummary { .. } => {
            let message = format!("run {} broke off before it had all of its findings", run.run_id);
            Failure::Usage(message, format!("`barkeep report show {}` says why; name another run", run.run_id))
        }
        error => error.into(),
    })
}

/// One run of the two.
struct Side {
    run: String,
    /// Its rows, as a condition.
    rows: String,
    since: Option<UtcMicros>,
    until: Option<UtcMicros>,
}

impl Side {
    fn new(run: &RunRef, summary: &Summary) -> Self {
        let (since, until) = (summary.window.since, summary.window.until);
        Self { run: run.run_id.to_string(), rows: of_run(run), since, until }
    }

    /// Whether the run looked at the finding `found`, of whose series `read` is not NULL where the run read it.
    fn looked(&self, found: &str, read: &str) -> String {
        let since =
            self.since.map(|since| format!("coalesce({found}.time_until, {found}.time) >= {}", instant(since.0)));
        let until = self.until.map(|until| format!("{found}.time < {}", instant(until.0)));
        let inside: Vec<String> = since.into_iter().chain(until).collect();
        let inside = if inside.is_empty() { "true".to_owned() } else { inside.join(" AND ") };
        format!(
            "(({found}.time IS NULL OR {inside}) AND ({read}.series IS NOT NULL OR {found}.series = '{ALL_SERIES}'))"
        )
    }
}

/// What became of the findings of a rule.
#[derive(Debug, Clone, Default)]
struct OfRule {
    new: u64,
    fixed: u64,
    both: u64,
    /// Findings of one run at which the other did not look.
    not_compared: u64,
    change: Option<RuleChange>,
}

/// Two runs of a job, the earlier one first.
struct Pair<'a> {
    context: &'a SessionContext,
    dir: &'a Path,
    sides: [Side; 2],
}

impl Pair<'_> {
    async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, Failure> {
        let found = async { self.context.sql(sql).await?.collect().await };
        found.await.map_err(|error| sql::failed(error, self.dir))
    }

    /// The rules with a finding in either run, by id.
    async fn rules(&self) -> Result<BTreeMap<String, OfRule>, Failure> {
        let [a, b] = &self.sides;
        let columns =
            "finding_id, CAST(rule_id AS VARCHAR) AS rule, CAST(series AS VARCHAR) AS series, time, time_until";
        let sql = format!(
            "WITH a AS (SELECT {columns} FROM findings WHERE {}), b AS (SELECT {columns} FROM findings WHERE {}), \
             ra AS ({}), rb AS ({}), \
             both AS (SELECT a.rule FROM a JOIN b ON a.finding_id = b.finding_id), \
             new AS (SELECT b.rule, {} AS looked FROM b LEFT ANTI JOIN a ON a.finding_id = b.finding_id LEFT JOIN ra ON ra.series = b.series), \
             fixed AS (SELECT a.rule, {} AS looked FROM a LEFT ANTI JOIN b ON a.finding_id = b.finding_id LEFT JOIN rb ON rb.series = a.series), \
             every AS (SELECT rule, 'both' AS kind FROM both \
             UNION ALL SELECT rule, CASE WHEN looked THEN 'new' ELSE 'not' END FROM new \
             UNION ALL SELECT rule, CASE WHEN looked THEN 'fixed' ELSE 'not' END FROM fixed) \
             SELECT rule, kind, count(*) FROM every GROUP BY rule, kind ORDER BY rule",
            a.rows,
            b.rows,
            read(a),
            read(b),
            a.looked("b", "ra"),
            b.looked("a", "rb"),
        );
        let mut rules: BTreeMap<String, OfRule> = BTreeMap::new();
        for batch in self.query(&sql).await? {
            let [rule, kind] =
                [0, 1].map(|column| arrow::compute::cast(batch.column(column), &arrow::datatypes::DataType::Utf8));
            let (rule, kind) = (rule?, kind?);
            let counts = batch.column(2).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let of_rule = rules.entry(rule.as_string::<i32>().value(row).to_owned()).or_default();
                let count = match kind.as_string::<i32>().value(row) {
                    "new" => &mut of_rule.new,
                    "fixed" => &mut of_rule.fixed,
                    "both" => &mut of_rule.both,
                    _ => &mut of_rule.not_compared,
                };
                *count += counts.value(row).unsigned_abs();
            }
        }
        let [before, after] = [self.hashes(a).await?, self.hashes(b).await?];
        for (id, of_rule) in &mut rules {
            of_rule.change = match (before.get(id), after.get(id)) {
                (Some(Some(one)), Some(Some(other))) if one != other => Some(RuleChange::Changed),
                (None, Some(_)) => Some(RuleChange::Added),
                (Some(_), None) => Some(RuleChange::Removed),
                _ => None,
            };
        }
        Ok(rules)
    }

    /// The rules of a run with what decides their verdicts, where that is known.
    async fn hashes(&self, side: &Side) -> Result<BTreeMap<String, Option<String>>, Failure> {
        let sql = format!("SELECT CAST(rule_id AS VARCHAR), rule_sha256 FROM rule_results WHERE {}", side.rows);
        let mut rules = BTreeMap::new();
        for batch in self.query(&sql).await? {
            let [ids, hashes] =
                [0, 1].map(|column| arrow::compute::cast(batch.column(column), &arrow::datatypes::DataType::Utf8));
            let (ids, hashes) = (ids?, hashes?);
            let (ids, hashes) = (ids.as_string::<i32>(), hashes.as_string::<i32>());
            for row in 0..batch.num_rows() {
                let hash = hashes.is_valid(row).then(|| hashes.value(row).to_owned());
                rules.insert(ids.value(row).to_owned(), hash);
            }
        }
        Ok(rules)
    }

    /// The first `most` findings that only the run `own` has of the two, and at which the other one looked.
    async fn only(&self, own: usize, most: usize) -> Result<Vec<RecordBatch>, Failure> {
        let (own, other) = (&self.sides[own], &self.sides[1 - own]);
        let sql = format!(
            "WITH o AS (SELECT finding_id FROM findings WHERE {}), r AS ({}), f AS (SELECT * FROM findings WHERE {}) \
             SELECT f.* FROM f LEFT ANTI JOIN o ON o.finding_id = f.finding_id \
             LEFT JOIN r ON r.series = CAST(f.series AS VARCHAR) WHERE {} \
             ORDER BY CASE CAST(f.severity AS VARCHAR) WHEN 'error' THEN 0 WHEN 'warn' THEN 1 ELSE 2 END, f.rule_id, f.series, f.time, \
             character_length(f.locator), f.locator LIMIT {most}",
            other.rows,
            read(other),
            own.rows,
            other.looked("f", "r"),
        );
        self.query(&sql).await
    }
}

/// The series that a run read.
fn read(side: &Side) -> String {
    format!("SELECT DISTINCT CAST(series AS VARCHAR) AS series FROM series_metrics WHERE {}", side.rows)
}

/// What is new or gone is so by the data, or because the rule is another one.
fn because(change: Option<RuleChange>) -> &'static str {
    match change {
        None => "data",
        Some(RuleChange::Changed) => "rule changed",
        Some(RuleChange::Added) => "rule added",
        Some(RuleChange::Removed) => "rule removed",
    }
}

async fn text(
    pair: &Pair<'_>,
    summaries: &[Summary; 2],
    rules: &BTreeMap<String, OfRule>,
    most: usize,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let now = UtcMicros::from(Utc::now());
    for (name, summary) in ["A", "B"].into_iter().zip(summaries) {
        let age = span(now.0.saturating_sub(summary.started_at.0));
        output.line(&format!(
            "{name}  {}   {} {}   {age} ago",
            summary.run_id,
            summary.command,
            visible(&summary.job)
        ))?;
    }
    output.line("")?;
    if rules.is_empty() {
        output.line("neither run has a finding")?;
        return Ok(Exit::Ok);
    }
    output.line(&format!("  {}       new     fixed     still  because", padded("rule", ID)))?;
    for (id, of_rule) in rules {
        let [new, fixed, both] = [of_rule.new, of_rule.fixed, of_rule.both].map(thousands);
        let changed = of_rule.new + of_rule.fixed > 0 || of_rule.change.is_some();
        let because = if changed { because(of_rule.change) } else { "" };
        let line = format!("  {} {new:>9} {fixed:>9} {both:>9}  {because}", padded(&cut(id, ID, true), ID));
        output.line(line.trim_end())?;
    }
    let not_compared: u64 = rules.values().map(|of_rule| of_rule.not_compared).sum();
    if not_compared > 0 {
        let count = thousands(not_compared);
        output.line(&format!(
            "  {count} more lie where the other run did not look: outside of its window, or in series it did not read"
        ))?;
    }
    let interval = Interval::parse(&summaries[1].interval).unwrap_or(Interval::Day);
    for (side, mark, count) in [(1, "+ ", sum(rules, |of| of.new)), (0, "- ", sum(rules, |of| of.fixed))] {
        let shown = pair.only(side, most).await?;
        let rows: usize = shown.iter().map(RecordBatch::num_rows).sum();
        if rows > 0 {
            output.line("")?;
        }
        for batch in &shown {
            for line in findings::lines(batch, interval, Mark::Each(mark))? {
                output.line(&line)?;
            }
        }
        if count > rows as u64 {
            output.line(&format!("{mark}{} more; --findings N shows them", thousands(count - rows as u64)))?;
        }
    }
    Ok(Exit::Ok)
}

fn sum(rules: &BTreeMap<String, OfRule>, count: impl Fn(&OfRule) -> u64) -> u64 {
    rules.values().map(count).sum()
}

async fn json_lines(
    pair: &Pair<'_>,
    rules: &BTreeMap<String, OfRule>,
    most: usize,
    output: &mut Output,
) -> Result<Exit, Failure> {
    for (id, of_rule) in rules {
        let OfRule { new, fixed, both, not_compared, change } = of_rule;
        let object = json!({
            "type": "rule-diff", "rule": id, "new": new, "fixed": fixed, "still": both, "not_compared": not_compared,
            "because": if change.is_some() { "rule" } else { "data" }, "rule_change": change.map(RuleChange::as_str),
        });
        output.line(&object.to_string())?;
    }
    for (side, kind) in [(1, "new"), (0, "fixed")] {
        for batch in pair.only(side, most).await? {
            let mut text = Vec::new();
            LineDelimitedWriter::new(&mut text).write(&batch)?;
            for line in String::from_utf8_lossy(&text).lines() {
                let mut found: Value = serde_json::from_str(line)?;
                let change = found["rule_id"].as_str().and_then(|id| rules.get(id)).and_then(|of_rule| of_rule.change);
                found["type"] = "finding".into();
                found["change"] = kind.into();
                found["because"] = if change.is_some() { "rule".into() } else { "data".into() };
                output.line(&found.to_string())?;
            }
        }
    }
    let [a, b] = &pair.sides;
    let total = json!({
        "type": "report-diff", "a": a.run, "b": b.run, "new": sum(rules, |of| of.new), "fixed": sum(rules, |of| of.fixed),
        "still": sum(rules, |of| of.both), "not_compared": sum(rules, |of| of.not_compared),
    });
    output.line(&total.to_string())?;
    Ok(Exit::Ok)
}
