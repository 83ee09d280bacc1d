//! The summary as text: for a terminal, and as one line for a mail of cron.
//!
//! Pure: the same summary gives the same text. Colour is decoration, everything is said in words too. What comes
//! from data is made visible, so it cannot control the terminal.

use super::accounts::accounts;
use super::change::OfChangedRule;
use super::run::{Notification, RunStatus};
use super::summary::{Place, RuleSummary, Summary, Verdict};
use super::tally::RuleStatus;
use crate::engine::program::PARSE_ERROR;
use crate::text::escape::{shortened, visible};
use crate::text::numbers::{counted, rate, seconds, speed, thousands};
use crate::text::utc::UtcMicros;

/// Longest rule id that is not cut.
const LONGEST_ID: usize = 40;
/// Columns before `first`, besides those of the rule: severity, status, findings, rate and what is between.
const FIXED: usize = 40;
/// Fewest columns left to `first`, however narrow the terminal.
const FEWEST: usize = 16;

/// The summary for a terminal `width` columns wide, with ANSI colours if `colour`; ends with a line break.
pub fn render_text(summary: &Summary, colour: bool, width: usize) -> String {
    let paint = Paint(colour);
    let mut lines = vec![header(summary), String::new()];
    // Who carries out a plan evaluates nothing.
    if summary.command != "apply" {
        lines.extend(table(summary, paint, width));
        lines.extend(accounts(summary));
    }
    let refused = if summary.status == RunStatus::Refused { "refused" } else { "a run would be refused" };
    lines.extend(summary.refusals.iter().map(|refusal| format!("{refused}: {}", visible(refusal))));
    let word = match summary.status {
        RunStatus::Skipped => "skipped",
        RunStatus::Ok | RunStatus::Findings => "warning",
        _ => "error",
    };
    lines.extend(summary.error.iter().map(|error| format!("{word}: {}", visible(error))));
    lines.push(closing(summary, paint));
    lines.extend(next(summary, paint));
    lines.join("\n") + "\n"
}

/// What to type next, a line each, as [`render_text`] ends.
pub fn render_next(summary: &Summary, colour: bool) -> Vec<String> {
    next(summary, Paint(colour))
}

/// ANSI colours, or none.
#[derive(Debug, Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    fn odd(self, text: &str) -> String {
        self.wrap("33", text)
    }

    fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }
}

fn header(summary: &Summary) -> String {
    let since = summary.window.since.or(summary.data.since).map(UtcMicros::date);
    let until = summary.window.until.or(summary.data.until).map(UtcMicros::date);
    let span = since.zip(until).map(|(since, until)| format!("{since} .. {until}"));
    let (series, rows) = (counted(summary.series, "series"), counted(summary.rows.read, "row"));
    let parts =
        [Some(summary.job.clone()), Some(visible(&summary.source).into_owned()), span, Some(series), Some(rows)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("   ")
}

/// The rules with a result to show, and how many have none.
fn table(summary: &Summary, paint: Paint, width: usize) -> Vec<String> {
    // Those that did not run are named below the table.
    let ran = || summary.rules.iter().filter(|rule| !summary.skipped.contains(&rule.id));
    let reported: Vec<&RuleSummary> = ran().filter(|rule| has_result(rule)).collect();
    let quiet = ran().filter(|rule| !has_result(rule) && rule.id != PARSE_ERROR);
    let quiet = quiet.count() as u64;
    let longest = reported.iter().map(|rule| rule.id.len().min(LONGEST_ID)).max().unwrap_or(0);
    let id = longest.max(16) + 2;
    let mut lines = Vec::new();
    if !reported.is_empty() {
        lines.push(paint.faint(&format!("  {:id$}severity       findings   {:<12}first", "rule", "rate")));
    }
    lines.extend(reported.iter().map(|rule| line(rule, summary.daily, id, paint, width)));
    if quiet > 0 {
        let more = if reported.is_empty() { "rule" } else { "more rule" };
        lines.push(format!("  {:<w$}{}", counted(quiet, more), paint.good("ok"), w = id + 8));
    }
    lines.push(String::new());
    lines
}

fn has_result(rule: &RuleSummary) -> bool {
    rule.status != RuleStatus::Ok
}

fn line(rule: &RuleSummary, daily: bool, id: usize, paint: Paint, width: usize) -> String {
    let name = shortened(&rule.id, LONGEST_ID);
    let (status, share, first) = match rule.status {
        RuleStatus::Fail => (paint.bad("FAIL"), share(rule), place(rule.first.as_ref(), daily)),
        RuleStatus::Warn => (paint.odd("warn"), share(rule), place(rule.first.as_ref(), daily)),
        RuleStatus::Known => ("known".to_owned(), share(rule), place(rule.first.as_ref(), daily)),
        RuleStatus::Insufficient => {
            let lacking = format!("too little history: {}", counted(rule.insufficient, "row"));
            ("-   ".to_owned(), "-".to_owned(), lacking)
        }
        RuleStatus::Skipped | RuleStatus::Ok => ("-   ".to_owned(), "-".to_owned(), nothing_evaluated(rule)),
    };
    let first = shortened(&first, width.saturating_sub(id + FIXED).max(FEWEST));
    let line = format!("  {name:id$}{:<8}{status}{:>11}   {share:<12}{first}", rule.severity, thousands(rule.findings));
    line.trim_end().to_owned()
}

fn nothing_evaluated(rule: &RuleSummary) -> String {
    match rule.excused {
        0 => "no rows to evaluate".to_owned(),
        excused => format!("{} excused", counted(excused, "row")),
    }
}

fn share(rule: &RuleSummary) -> String {
    match rule.rate {
        Some(share) => rate(share),
        None => counted(rule.bars, "bar"),
    }
}

fn place(place: Option<&Place>, daily: bool) -> String {
    let Some(Place { series, time }) = place else { return String::new() };
    match time {
        Some(time) => format!("{} {}", visible(series), time.timestamp(daily)),
        None => format!("{} without a date", visible(series)),
    }
}

fn closing(summary: &Summary, paint: Paint) -> String {
    let verdict = match summary.verdict {
        Verdict::Ok => paint.good("OK"),
        Verdict::Warn => paint.odd("WARN"),
        Verdict::Fail => paint.bad("FAIL"),
    };
    let elapsed = summary.elapsed();
    let pace = speed(summary.rows.read, elapsed).map(|speed| format!(", {speed}")).unwrap_or_default();
    format!("{verdict}  {}  {}{pace}", reported(summary), seconds(elapsed))
}

/// What the run did, in a sentence.
pub fn reported(summary: &Summary) -> String {
    let moves = [(summary.rows.to_quarantine, "quarantined"), (summary.rows.to_delete, "deleted")];
    let moves = moves.into_iter().filter(|(count, _)| *count > 0);
    let moves: Vec<String> = moves.map(|(count, how)| format!("{} would be {how}", counted(count, "row"))).collect();
    let wanted = moves.join(" and ");
    match summary.status {
        RunStatus::Broken if !summary.actions.is_empty() => format!("the run broke off: {}", counts(summary)),
        RunStatus::Broken => "the run broke off before its end.".to_owned(),
        RunStatus::Stopped if !summary.actions.is_empty() => format!("the run was stopped: {}", counts(summary)),
        RunStatus::Stopped => "the run was stopped before its end.".to_owned(),
        RunStatus::Skipped => "skipped, nothing was changed.".to_owned(),
        RunStatus::Refused if moves.is_empty() => "refused, nothing was changed.".to_owned(),
        RunStatus::Refused => format!("{wanted}; that is refused, nothing was changed."),
        RunStatus::Ok | RunStatus::Findings if !summary.actions.is_empty() => counts(summary),
        RunStatus::Ok | RunStatus::Findings if !moves.is_empty() => format!("{wanted}, nothing was changed."),
        RunStatus::Ok | RunStatus::Findings => by_severity(summary),
    }
}

/// What became of the rows that were to be moved.
fn counts(summary: &Summary) -> String {
    let rows =
        |(state, count): (&String, &u64)| format!("{} {}", counted(*count, "row"), visible(&state.replace('_', " ")));
    let states: Vec<String> = summary.actions.iter().map(rows).collect();
    match summary.source_unchanged() {
        true => format!("{}, the source is unchanged.", states.join(", ")),
        false => format!("{}; what was removed is in quarantine.", states.join(", ")),
    }
}

fn by_severity(summary: &Summary) -> String {
    let found = &summary.findings;
    let found = [(found.error, "error"), (found.warn, "warning"), (found.info, "note")];
    let found: Vec<String> =
        found.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(count, what)).collect();
    match found.as_slice() {
        [] if summary.rows.read == 0 => "no rows in the window.".to_owned(),
        [] if !summary.not_evaluated.is_empty() => {
            let rules = counted(summary.not_evaluated.len() as u64, "rule");
            format!("nothing was found, and {rules} evaluated nothing.")
        }
        [] => "nothing was found.".to_owned(),
        found => format!("{}, no row is to be moved.", found.join(", ")),
    }
}

fn next(summary: &Summary, paint: Paint) -> Vec<String> {
    let longest = summary.next.iter().map(|step| step.command.len()).max().unwrap_or(0);
    let each = summary.next.iter().enumerate().map(|(place, step)| {
        let lead = if place == 0 { "next: " } else { "      " };
        match &step.note {
            Some(note) => format!("{lead}{:<longest$}   {}", step.command, paint.faint(note)),
            None => format!("{lead}{}", step.command),
        }
    });
    each.collect()
}

/// The summary as one line of `key=value`, for a mail of cron or a log; without a line break.
pub fn render_line(summary: &Summary) -> String {
    let rows = &summary.rows;
    let found = &summary.findings;
    let mut pairs: Vec<(&str, String)> = vec![
        ("job", summary.job.clone()),
        ("verdict", word(summary.verdict).to_owned()),
        ("status", summary.status.to_string()),
        ("exit", summary.exit_code.to_string()),
        ("rows", rows.read.to_string()),
        ("clean", rows.clean.to_string()),
        ("flagged", rows.flagged.to_string()),
        ("parse_errors", rows.parse_errors.to_string()),
        ("to_quarantine", rows.to_quarantine.to_string()),
        ("to_delete", rows.to_delete.to_string()),
        ("kept", rows.kept.to_string()),
        ("errors", found.error.to_string()),
        ("warnings", found.warn.to_string()),
        ("notes", found.info.to_string()),
    ];
    pairs.extend(summary.actions.iter().map(|(state, count)| (state.as_str(), count.to_string())));
    if summary.command == "run" && summary.source_unchanged() {
        pairs.push(("source", "unchanged".to_owned()));
    }
    if let Some(change) = &summary.change {
        pairs.extend([("new", change.new.to_string()), ("fixed", change.fixed.to_string())]);
        let of = |of: &OfChangedRule| format!("{}:+{}-{}", of.rule, of.new, of.fixed);
        let changed: Vec<String> = change.of_changed_rules.iter().map(of).collect();
        if !changed.is_empty() {
            pairs.push(("changed_rules", changed.join(",")));
        }
    }
    if summary.labelled.muted() > 0 {
        pairs.push(("labelled", summary.labelled.muted().to_string()));
    }
    if summary.fail_on.as_deref() == Some("new") {
        pairs.push(("new_errors", summary.new_errors.to_string()));
    }
    if !summary.not_evaluated.is_empty() {
        pairs.push(("not_evaluated", summary.not_evaluated.join(",")));
    }
    if !summary.left_out.is_empty() {
        pairs.push(("left_out", summary.left_out.join(",")));
    }
    if !summary.skipped.is_empty() {
        pairs.push(("skipped", summary.skipped.join(",")));
    }
    let failed = summary.rules.iter().filter(|rule| rule.status == RuleStatus::Fail);
    let failed: Vec<String> = failed.map(|rule| format!("{}:{}", rule.id, rule.findings)).collect();
    if !failed.is_empty() {
        pairs.push(("failed", failed.join(",")));
    }
    pairs.push(("seconds", format!("{:.1}", summary.elapsed())));
    pairs.push(("run", summary.run_id.clone()));
    if let Some(plan) = &summary.plan {
        pairs.extend([("plan", plan.path.clone()), ("confirm", plan.confirmation.clone())]);
    }
    let undelivered = summary.notification.iter().flat_map(Notification::undelivered).collect::<Vec<_>>();
    if !undelivered.is_empty() {
        pairs.push(("undelivered", undelivered.join(",")));
    }
    let refused = if summary.status == RunStatus::Refused { "refused" } else { "over_limits" };
    pairs.extend(summary.refusals.iter().map(|refusal| (refused, refusal.clone())));
    pairs.extend(summary.error.iter().map(|error| ("error", error.clone())));
    pairs_line(&pairs)
}

/// `key=value` on one line, the values quoted where they would not be one word.
pub fn pairs_line(pairs: &[(&str, String)]) -> String {
    pairs.iter().map(|(key, value)| format!("{key}={}", quoted(value))).collect::<Vec<_>>().join(" ")
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "OK",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    }
}

/// A value as it is, or between quotes where it would not be one word.
pub fn quoted(value: &str) -> String {
    let value = visible(value);
    if value.is_empty() || value.contains([' ', '"', '=']) {
        return format!("\"{}\"", value.replace('"', "'"));
    }
    value.into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::by_label::ByLabel;
    use crate::report::change::Change;
    use crate::report::rules_before::RuleChange;
    use crate::report::run::{NextStep, StageSeconds, Trigger};
    use crate::report::summary::{CalendarNote, Rows, Span};
    use crate::report::tally::{BySeverity, Excused};

    fn micros(text: &str) -> UtcMicros {
        serde_json::from_value(text.into()).unwrap()
    }

    fn rule(
        id: &str,
        severity: &str,
        status: RuleStatus,
        counts: (u64, u64),
        first: Option<(&str, &str)>,
    ) -> RuleSummary {
        let (rows, bars) = counts;
        let gaps = id == "gap";
        RuleSummary {
            id: id.to_owned(),
            check: id.to_owned(),
            severity: severity.to_owned(),
            action: "report".to_owned(),
            status,
            evaluated: 259_174,
            insufficient: 0,
            excused: 0,
            excused_by: BTreeMap::new(),
            stepped_over: 0,
            findings: if gaps { 34 } else { rows },
            bars,
            rows,
            rate: (!gaps).then_some(rows as f64 / 259_174.0),
            new: None,
            fixed: None,
            labelled: ByLabel::default(),
            change: None,
            series_hit: u64::from(rows > 0),
            first: first.map(|(series, time)| Place { series: series.to_owned(), time: Some(micros(time)) }),
            why: None,
        }
    }

    /// The run of the demo.
    fn demo() -> Summary {
        use RuleStatus::{Fail, Ok, Warn};
        let mut rules = vec![
            rule("ohlc", "error", Fail, (3, 3), Some(("BTCUSDT", "2026-10-24T13:07:00Z"))),
            rule("duplicate", "error", Fail, (8, 8), Some(("ETHUSDT", "2026-11-02T00:00:00Z"))),
            rule("price-spike", "error", Fail, (2, 2), Some(("SOLUSDT", "2026-11-11T09:31:00Z"))),
            rule("gap", "warn", Warn, (0, 41), Some(("BTCUSDT", "2026-10-30T04:00:00Z"))),
        ];
        rules.extend((0..9).map(|n| rule(&format!("quiet-{n}"), "error", Ok, (0, 0), None)));
        rules.push(rule(PARSE_ERROR, "error", Ok, (0, 0), None));
        Summary {
            schema_version: 1,
            version: "0.1.0".to_owned(),
            run_id: "20261120T023000Z-k7f3".to_owned(),
            job: "demo".to_owned(),
            command: "check".to_owned(),
            trigger: Trigger::Cli,
            source: "data/bars_1m".to_owned(),
            verdict: Verdict::Fail,
            status: RunStatus::Findings,
            exit_code: 1,
            error: None,
            started_at: micros("2026-11-20T02:30:00Z"),
            finished_at: micros("2026-11-20T02:30:00.4Z"),
            seconds: StageSeconds::default(),
            rows_per_second: Some(647_935.0),
            window: Span::default(),
            as_of: Some(micros("2026-11-20T09:00:00Z")),
            data: Span { since: Some(micros("2026-10-21T00:00:00Z")), until: Some(micros("2026-11-20T00:00:00Z")) },
            interval: "1m".to_owned(),
            daily: false,
            calendar: None,
            series: 6,
            sessions: 31,
            rows: Rows { read: 259_174, clean: 259_161, to_quarantine: 13, ..Rows::default() },
            restored: None,
            findings: BySeverity { error: 13, warn: 34, info: 0 },
            fail_on: None,
            new_errors: 0,
            labelled: ByLabel::default(),
            kept_by_label: 0,
            change: None,
            rules,
            refusals: Vec::new(),
            not_evaluated: Vec::new(),
            left_out: Vec::new(),
            skipped: Vec::new(),
            actions: BTreeMap::new(),
            plan: None,
            connections: None,
            next: vec![
                NextStep { command: "barkeep report open".to_owned(), note: Some("rows and charts".to_owned()) },
                NextStep { command: "barkeep plan jobs/demo.toml".to_owned(), note: None },
            ],
            notification: None,
        }
    }

    #[test]
    fn a_run_with_findings() {
        insta::assert_snapshot!(render_text(&demo(), false, 100), @r"
        demo   data/bars_1m   2026-10-21 .. 2026-11-20   6 series   259,174 rows

          rule              severity       findings   rate        first
          ohlc              error   FAIL          3   0.0012 %    BTCUSDT 2026-10-24 13:07Z
          duplicate         error   FAIL          8   0.0031 %    ETHUSDT 2026-11-02 00:00Z
          price-spike       error   FAIL          2   0.00077 %   SOLUSDT 2026-11-11 09:31Z
          gap               warn    warn         34   41 bars     BTCUSDT 2026-10-30 04:00Z
          9 more rules              ok

          259,174 rows = 259,161 clean + 13 to quarantine

        FAIL  13 rows would be quarantined, nothing was changed.  0.4 s, 650,000 rows/s
        next: barkeep report open           rows and charts
              barkeep plan jobs/demo.toml
        ");
        insta::assert_snapshot!(render_line(&demo()), @"job=demo verdict=FAIL status=findings exit=1 rows=259174 clean=259161 flagged=0 parse_errors=0 to_quarantine=13 to_delete=0 kept=0 errors=13 warnings=34 notes=0 failed=ohlc:3,duplicate:8,price-spike:2 seconds=0.4 run=20261120T023000Z-k7f3");
    }

    #[test]
    fn what_people_said_what_is_news_and_what_rules_changed_are_lines_of_their_own() {
        let mut summary = demo();
        let of = |rule: &str, change, new, fixed| OfChangedRule { rule: rule.to_owned(), change, new, fixed };
        let of_changed_rules = vec![
            of("outlier", RuleChange::Changed, 46, 40),
            of("range", RuleChange::Added, 1_000, 0),
            of("spike", RuleChange::Removed, 0, 2),
        ];
        let since_run = Some("20261119T023000Z-aaaa".to_owned());
        summary.change = Some(Change { new: 5, fixed: 0, since_run, of_changed_rules });
        summary.fail_on = Some("new".to_owned());
        summary.labelled = ByLabel { known: 1, fine: 2, bad: 0, accepted: 3 };
        (summary.rows.kept, summary.kept_by_label) = (3, 2);
        let text = |summary: &Summary| accounts(summary).join("\n");
        insta::assert_snapshot!(text(&summary), @r"
        259,174 rows = 259,161 clean + 13 to quarantine + 3 kept
        47 findings, 5 new and 0 fixed since 20261119T023000Z-aaaa
        of a changed rule: outlier 46 new and 40 fixed
        of an added rule: range 1,000 new and 0 fixed
        of a removed rule: spike 0 new and 2 fixed
        6 findings are labelled: 1 known, 2 fine, 3 accepted by putting the row back
        no error is new
        3 rows stay: restored by a person, 2 labelled known or fine
        ");
        (summary.rows.kept, summary.new_errors) = (2, 1);
        assert!(text(&summary).contains("1 error is new\n  2 rows stay: labelled known or fine\n"));
        let line = render_line(&summary);
        assert!(
            line.contains(
                " new=5 fixed=0 changed_rules=outlier:+46-40,range:+1000-0,spike:+0-2 labelled=6 new_errors=1 "
            )
        );
    }

    #[test]
    fn a_run_that_has_a_past_and_a_calendar() {
        use RuleStatus::{Insufficient, Skipped};
        let mut summary = demo();
        summary.daily = true;
        summary.rows = Rows {
            read: 259_174,
            clean: 259_136,
            flagged: 20,
            parse_errors: 1,
            to_quarantine: 16,
            to_delete: 1,
            kept: 0,
            context: 0,
        };
        summary.change = Some(Change {
            new: 5,
            fixed: 1_002,
            since_run: Some("20261119T023000Z-aaaa".to_owned()),
            of_changed_rules: Vec::new(),
        });
        let known_until = Some("2026-12-31".to_owned());
        summary.calendar = Some(CalendarNote { name: "XSHG".to_owned(), version: "4.13".to_owned(), known_until });
        summary.rules[2].insufficient = 120;
        summary.rules[3].excused = 1;
        let excused = |bars| Excused { findings: 1, bars };
        let facts = [("suspended".to_owned(), excused(3)), ("delisted".to_owned(), excused(5_004))];
        summary.rules[3].excused_by = BTreeMap::from(facts);
        summary.rules[2].excused_by = BTreeMap::from([("corporate-action".to_owned(), excused(1))]);
        let lacking = RuleSummary {
            insufficient: 2_500,
            evaluated: 0,
            ..rule("close-outlier", "error", Insufficient, (0, 0), None)
        };
        let skipped = RuleSummary { evaluated: 0, ..rule("turnover", "info", Skipped, (0, 0), None) };
        summary.rules.splice(4..10, [lacking, skipped]);
        insta::assert_snapshot!(render_text(&summary, false, 100), @r"
        demo   data/bars_1m   2026-10-21 .. 2026-11-20   6 series   259,174 rows

          rule              severity       findings   rate        first
          ohlc              error   FAIL          3   0.0012 %    BTCUSDT 2026-10-24
          duplicate         error   FAIL          8   0.0031 %    ETHUSDT 2026-11-02
          price-spike       error   FAIL          2   0.00077 %   SOLUSDT 2026-11-11
          gap               warn    warn         34   41 bars     BTCUSDT 2026-10-30
          close-outlier     error   -             0   -           too little history: 2,500 rows
          turnover          info    -             0   -           no rows to evaluate
          3 more rules              ok

          259,174 rows = 259,136 clean + 20 flagged + 1 parse error + 16 to quarantine + 1 to delete
          47 findings, 5 new and 1,002 fixed since 20261119T023000Z-aaaa
          too little history: price-spike 120 rows
          excused: gap 1 row
          facts explain: price-spike 1 bar corporate action; gap 5,004 bars delisted, 3 suspended
          calendar XSHG, known until 2026-12-31

        FAIL  16 rows would be quarantined and 1 row would be deleted, nothing was changed.  0.4 s, 650,000 rows/s
        next: barkeep report open           rows and charts
              barkeep plan jobs/demo.toml
        ");
        insta::assert_snapshot!(render_line(&summary), @"job=demo verdict=FAIL status=findings exit=1 rows=259174 clean=259136 flagged=20 parse_errors=1 to_quarantine=16 to_delete=1 kept=0 errors=13 warnings=34 notes=0 new=5 fixed=1002 failed=ohlc:3,duplicate:8,price-spike:2 seconds=0.4 run=20261120T023000Z-k7f3");
    }

    #[test]
    fn rows_that_stay_are_counted_apart_with_the_days_on_which_they_were_restored() {
        let mut summary = demo();
        summary.rows = Rows { kept: 16, ..summary.rows };
        let line = |summary: &Summary| {
            let text = render_text(summary, false, 100);
            text.lines().find(|line| line.contains("restored")).map(|line| line.trim().to_owned())
        };
        let span = |first, last| Some(Span { since: Some(micros(first)), until: Some(micros(last)) });
        assert_eq!(line(&summary).unwrap(), "16 rows stay: restored by a person");
        summary.restored = span("2026-11-26T08:00:00Z", "2026-11-26T23:59:59Z");
        assert_eq!(line(&summary).unwrap(), "16 rows stay: restored on 2026-11-26");
        summary.restored = span("2026-11-20T08:00:00Z", "2026-11-26T00:00:00Z");
        assert_eq!(line(&summary).unwrap(), "16 rows stay: restored on 2026-11-20 to 2026-11-26");
        summary.rows.kept = 1;
        assert_eq!(line(&summary).unwrap(), "1 row stays: restored on 2026-11-20 to 2026-11-26");
        summary.rows.kept = 0;
        assert_eq!(line(&summary), None);
    }

    #[test]
    fn a_clean_run() {
        let mut summary = demo();
        summary.rules.retain(|rule| rule.status == RuleStatus::Ok);
        summary.findings = BySeverity::default();
        summary.rows = Rows { read: 259_174, clean: 259_174, ..Rows::default() };
        (summary.verdict, summary.status, summary.exit_code) = (Verdict::Ok, RunStatus::Ok, 0);
        summary.next.clear();
        insta::assert_snapshot!(render_text(&summary, false, 100), @r"
        demo   data/bars_1m   2026-10-21 .. 2026-11-20   6 series   259,174 rows

          9 rules                   ok

          259,174 rows = 259,174 clean

        OK  nothing was found.  0.4 s, 650,000 rows/s
        ");
        insta::assert_snapshot!(render_line(&summary), @"job=demo verdict=OK status=ok exit=0 rows=259174 clean=259174 flagged=0 parse_errors=0 to_quarantine=0 to_delete=0 kept=0 errors=0 warnings=0 notes=0 seconds=0.4 run=20261120T023000Z-k7f3");
    }

    #[test]
    fn a_run_that_moved_rows_and_one_that_was_refused() {
        let mut summary = demo();
        summary.actions = BTreeMap::from([("kept_changed".to_owned(), 1), ("removed".to_owned(), 12)]);
        assert_eq!(reported(&summary), "1 row kept changed, 12 rows removed; what was removed is in quarantine.");
        summary.actions = BTreeMap::from([("kept_changed".to_owned(), 13)]);
        assert_eq!(reported(&summary), "13 rows kept changed, the source is unchanged.");
        let mut refused = demo();
        refused.status = RunStatus::Refused;
        refused.refusals = vec!["13 rows would be moved, and `[limits] rows` allows 10".to_owned()];
        let text = render_text(&refused, false, 100);
        assert!(text.contains("\nrefused: 13 rows would be moved, and `[limits] rows` allows 10\nFAIL  13 rows would be quarantined; that is refused"), "{text}");
        assert!(render_line(&refused).ends_with("refused=\"13 rows would be moved, and `[limits] rows` allows 10\""));
    }

    #[test]
    fn who_carries_out_a_plan_shows_no_rules() {
        let mut summary = demo();
        summary.command = "apply".to_owned();
        summary.rows = Rows::default();
        summary.findings = BySeverity::default();
        (summary.verdict, summary.status, summary.exit_code) = (Verdict::Ok, RunStatus::Ok, 0);
        summary.actions = BTreeMap::from([("removed".to_owned(), 16)]);
        summary.next.clear();
        let text = render_text(&summary, false, 100);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() == 3 && lines[2].contains("16 rows removed; what was removed is in quarantine."), "{text}");
    }

    #[test]
    fn a_run_that_broke_off_tells_why() {
        let mut summary = demo();
        summary.status = RunStatus::Broken;
        summary.error = Some("cannot read `x.csv`\nline 2".to_owned());
        let text = render_text(&summary, false, 100);
        assert!(
            text.contains("error: cannot read `x.csv`\\nline 2\nFAIL  the run broke off before its end."),
            "{text}"
        );
        assert!(!render_line(&summary).contains('\n'));
    }

    #[test]
    fn colour_only_decorates() {
        let plain = render_text(&demo(), false, 100);
        let mut coloured = render_text(&demo(), true, 100);
        assert!(coloured.contains("\u{1b}[1;31mFAIL\u{1b}[0m"));
        for code in ["1;31", "33", "32", "2", "0"] {
            coloured = coloured.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(coloured, plain);
    }

    #[test]
    fn long_and_hostile_names_are_cut_and_escaped() {
        let mut summary = demo();
        summary.rules[0].first = Some(Place { series: "X\u{1b}[2J".to_owned() + &"Y".repeat(300), time: None });
        summary.rules[1].id = "r".repeat(64);
        let text = render_text(&summary, false, 60);
        assert!(!text.contains('\u{1b}') && text.contains("X\\u{1b}[2JYY"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
