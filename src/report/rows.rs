//! The rows of `runs`, `rule_results` and `actions`, from what a run added up.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;

use super::destination::VERSION;
use super::keys::scope;
use super::rules_before::RuleChange;
use super::run::{ActionRow, Outcome, RunMeta};
use super::tables::Table;
use super::tally::{RuleStatus, RuleTally, Tally};
use crate::decide::Action;
use crate::engine::program::Program;
use crate::engine::trading_date::session;

/// Columns by name, in the order of the table.
type Columns<'a> = Vec<(&'a str, ArrayRef)>;

/// The row of `runs`.
pub(super) fn run(
    meta: &RunMeta,
    program: &Program,
    (tally, outcome): (&Tally, &Outcome),
    since_run: Option<&str>,
    whole_scope: bool,
) -> Result<RecordBatch, ArrowError> {
    let rows = tally.series.rows;
    let found = tally.by_severity(program);
    let failed = tally
        .rules
        .iter()
        .enumerate()
        .filter(|(rule, tally)| tally.status(program.levels(*rule).0) == RuleStatus::Fail);
    let seconds = outcome.seconds;
    let connections = outcome.connections.as_ref();
    let closed_by = connections.map(|it| serde_json::json!(it.closed).to_string());
    let removed = || outcome.actions.iter().filter(|row| matches!(row.state.as_str(), "removed" | "earlier_removed"));
    let left = |action: Action| removed().filter(|row| row.action == action).count() as u64;
    table(
        Table::Runs,
        vec![
            ("run_id", text([Some(meta.run_id.as_str())])),
            ("command", name([meta.command.as_str()])),
            ("trigger", name([meta.trigger.as_str()])),
            ("started_at", instant([Some(meta.started_at.0)])),
            ("finished_at", instant([Some(outcome.finished_at.0)])),
            ("window_since", instant([meta.window.0])),
            ("window_until", instant([meta.window.1])),
            ("watermark_before", instant([meta.watermark_before])),
            ("watermark_after", instant([outcome.watermark_after])),
            ("status", name([outcome.status.as_str()])),
            ("exit_code", count([Some(u64::from(outcome.exit_code))])),
            ("rows_read", count([Some(rows.read)])),
            ("rows_clean", count([Some(rows.clean)])),
            ("rows_flagged", count([Some(rows.flagged)])),
            ("rows_parse_error", count([Some(rows.parse_errors)])),
            ("rows_to_quarantine", count([Some(rows.to_quarantine)])),
            ("rows_to_delete", count([Some(rows.to_delete)])),
            ("rows_restored_kept", count([Some(rows.kept)])),
            ("rows_quarantined", count([Some(left(Action::Quarantine))])),
            ("rows_deleted", count([Some(left(Action::Delete))])),
            ("findings_error", count([Some(found.error)])),
            ("findings_warn", count([Some(found.warn)])),
            ("findings_info", count([Some(found.info)])),
            ("rules_total", count([Some(tally.rules.len() as u64)])),
            ("rules_failed", count([Some(failed.count() as u64)])),
            ("series", count([Some(tally.series.series)])),
            ("sessions", whole([Some(tally.series.sessions)])),
            ("peak_rss", count([outcome.peak_rss])),
            ("bytes_read", count([outcome.bytes_read])),
            ("seconds_load", number([Some(seconds.load)])),
            ("seconds_extract", number([Some(seconds.extract)])),
            ("seconds_check", number([Some(seconds.check)])),
            ("seconds_report", number([Some(seconds.report)])),
            ("seconds_apply", number([Some(seconds.apply)])),
            ("rows_removed", count([Some(removed().count() as u64)])),
            ("connections_opened", count([connections.map(|it| it.opened)])),
            ("connections_closed", count([connections.map(|it| it.closed.values().sum())])),
            ("connections_closed_by", text([closed_by])),
            ("connections_peak", count([connections.map(|it| it.peak)])),
            ("connections_in_use", count([connections.map(|it| it.in_use)])),
            ("job_sha256", text([Some(meta.job_sha256.as_str())])),
            ("rules_sha256", text([Some(meta.rules_sha256.as_str())])),
            ("version", name([VERSION])),
            ("host", name([meta.host.as_str()])),
            ("error", text([outcome.error.as_deref()])),
            ("user", name([meta.user.as_str()])),
            ("rows_context", count([Some(tally.series.context)])),
            ("changed_since", instant([meta.changed_since])),
            ("series_whole", text([series_whole(outcome)])),
            // Notifications are sent after the report is there: `notification` fills these in.
            ("notify_event", Arc::new(DictionaryArray::<Int32Type>::from_iter([None::<&str>]))),
            ("notify_delivered", Arc::new(BooleanArray::from(vec![None]))),
            ("deliveries", text([None::<&str>])),
            ("rows_busy", count([Some(outcome.busy)])),
            ("null_prices", whole([Some(tally.nulls.0)])),
            ("null_volumes", whole([Some(tally.nulls.1)])),
            ("since_run", text([since_run])),
            ("scope", name([scope(whole_scope)])),
            ("job_file", text([Some(meta.job_file.as_str())])),
        ],
    )
}

/// The series that were looked at as a whole, beside the window, as JSON.
fn series_whole(outcome: &Outcome) -> Option<String> {
    (!outcome.read_whole.is_empty()).then(|| serde_json::json!(outcome.read_whole).to_string())
}

/// The rows of `rule_results`, one a rule, values that do not decode last.
pub(super) fn rule_results(meta: &RunMeta, program: &Program, rules: &[RuleTally]) -> Result<RecordBatch, ArrowError> {
    let each = || rules.iter().enumerate();
    let levels = |index: usize| program.levels(index);
    let rule = |index: usize| program.rules.rules.get(index);
    let first = || rules.iter().map(|tally| tally.first.as_ref().and_then(|(time, _)| *time));
    let excused = each().map(|(_, tally)| serde_json::json!(tally.excused_by()).to_string()).collect::<Vec<_>>();
    table(
        Table::RuleResults,
        vec![
            ("run_id", text(each().map(|_| Some(meta.run_id.as_str())))),
            ("rule_id", name(each().map(|(index, _)| program.rule_id(index)))),
            ("check", name(each().map(|(index, _)| program.check_name(index)))),
            ("severity", name(each().map(|(index, _)| levels(index).0.as_str()))),
            ("action", name(each().map(|(index, _)| levels(index).1.as_str()))),
            ("status", name(each().map(|(index, tally)| tally.status(levels(index).0).as_str()))),
            ("params", text(each().map(|(index, _)| rule(index).map(|rule| rule.params.as_str())))),
            ("rows_evaluated", whole(each().map(|(_, tally)| Some(tally.counts.evaluated)))),
            ("rows_insufficient", whole(each().map(|(_, tally)| Some(tally.counts.insufficient)))),
            ("rows_excused", whole(each().map(|(_, tally)| Some(tally.counts.excused)))),
            ("rows_stepped_over", whole(each().map(|(_, tally)| Some(tally.counts.stepped_over)))),
            ("findings", whole(each().map(|(_, tally)| Some(tally.counts.findings)))),
            ("findings_new", whole(each().map(|(_, tally)| tally.new))),
            ("findings_fixed", whole(each().map(|(_, tally)| tally.fixed))),
            ("share", number(each().map(|(index, tally)| tally.share().filter(|_| flags_rows(program, index))))),
            ("budget", number(each().map(|(index, _)| rule(index).and_then(|rule| rule.budget)))),
            ("observed_min", number(each().map(|(_, tally)| tally.observed.map(|(least, _)| least)))),
            ("observed_max", number(each().map(|(_, tally)| tally.observed.map(|(_, most)| most)))),
            ("first_time", instant(first())),
            ("last_time", instant(each().map(|(_, tally)| tally.last_time))),
            ("series_hit", whole(each().map(|(_, tally)| Some(tally.series_hit)))),
            ("seconds", number(each().map(|(_, tally)| tally.nanos.map(|nanos| nanos as f64 / 1e9)))),
            ("excused_by", text(excused.iter().map(|by| Some(by.as_str())))),
            ("rule_sha256", text(each().map(|(index, _)| rule(index).map(|rule| rule.sha256.as_str())))),
            ("rule_change", word(each().map(|(_, tally)| tally.change.map(RuleChange::as_str)))),
            ("findings_labelled", count(each().map(|(_, tally)| Some(tally.by_label.muted())))),
            ("findings_new_errors", whole(each().map(|(_, tally)| Some(tally.new_errors)))),
            ("first_session", date(first().map(|time| session(program, time?)))),
            ("last_session", date(each().map(|(_, tally)| session(program, tally.last_time?)))),
        ],
    )
}

/// Whether findings of a rule stand for rows.
pub(super) fn flags_rows(program: &Program, index: usize) -> bool {
    program.rules.rules.get(index).is_none_or(|rule| rule.kind.flags_rows())
}

/// The rows of `actions`.
pub(super) fn actions(meta: &RunMeta, actions: &[ActionRow]) -> Result<RecordBatch, ArrowError> {
    let each = || actions.iter();
    let ids = |row: &ActionRow| serde_json::Value::from(row.finding_ids.clone()).to_string();
    table(
        Table::Actions,
        vec![
            ("run_id", text(each().map(|_| Some(meta.run_id.as_str())))),
            ("finding_ids", text(each().map(|row| Some(ids(row))))),
            ("quarantine_id", text(each().map(|row| Some(row.quarantine_id.as_str())))),
            ("locator", text(each().map(|row| Some(row.locator.as_str())))),
            ("action", name(each().map(|row| row.action.as_str()))),
            ("state", name(each().map(|row| row.state.as_str()))),
            ("sha256", text(each().map(|row| Some(row.sha256.as_str())))),
            ("at", instant(each().map(|row| Some(row.at.0)))),
            ("host", name(each().map(|_| meta.host.as_str()))),
            ("user", name(each().map(|_| meta.user.as_str()))),
            ("moved_by", text(each().map(|row| row.moved_by.as_deref()))),
        ],
    )
}

fn table(table: Table, columns: Columns<'_>) -> Result<RecordBatch, ArrowError> {
    let schema = table.schema();
    let wrong = schema.fields().iter().zip(&columns).find(|(field, (name, _))| field.name() != name);
    if let Some((field, (name, _))) = wrong {
        return Err(ArrowError::SchemaError(format!("column `{name}` stands where `{}` should", field.name())));
    }
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, column)| column).collect())
}

fn text<S: AsRef<str>>(values: impl IntoIterator<Item = Option<S>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn word<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>())
}

fn name<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>())
}

fn instant(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone("UTC"))
}

fn date(values: impl IntoIterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(Date32Array::from_iter(values))
}

fn count(values: impl IntoIterator<Item = Option<u64>>) -> ArrayRef {
    whole(values.into_iter().map(|value| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))))
}

fn whole(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(values))
}

fn number(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values))
}
