//! Which runs are kept: one of each of some days and months, and all that later runs look back at.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::{Datelike, NaiveDate, TimeDelta};

use super::backfills::is_backfill;
use super::history::{BUSY_NIGHTS, MOST_BUSY_DAYS, USUAL_RUNS};
use super::notification::NOTHING;
use super::places;
use super::reading::texts;
use super::run::{RunStatus, Window};
use super::run_id::RunId;
use crate::market::DAY_US;

/// Windows with an end of which the newest run over each is kept.
const MOST_WINDOWS: usize = 3;

/// What is kept of the runs of a job, besides those of the last 24 hours and those that later runs look back at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// One run of each of so many days with runs, the newest days.
    pub daily: usize,
    /// One run of each of so many months with runs, the newest months.
    pub monthly: usize,
}

/// The bars that a run evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bars {
    /// Others, e.g. those of some series: no later run is compared with it.
    Other,
    /// Those that may have changed, to the newest.
    Part,
    /// All of a window.
    All(Window),
}

/// Rows that a run moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    /// None.
    Nothing,
    /// Some, and none stayed for others wrote to their files.
    Rows,
    /// Some stayed for others wrote to their files.
    Busy,
}

/// The notification of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Notified {
    /// The event; `None` where there was none.
    event: Option<String>,
    delivered: bool,
}

/// What a run is to the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    run: RunId,
    /// Whether it is of the command `run`, which says when the job was started last.
    starts: bool,
    /// Whether it is of the command `run` and was not skipped.
    is_run: bool,
    status: Option<RunStatus>,
    exit_code: Option<i64>,
    bars: Bars,
    /// Whether it moved the watermark of its job.
    watermark: bool,
    moved: Moved,
    notified: Option<Notified>,
    /// The old window it was over, where it was of a backfill and was not skipped.
    backfill: Option<Window>,
}

impl Candidate {
    /// The columns of `runs` that it is read from.
    pub(super) const COLUMNS: &[&str] = &[
        "command",
        "trigger",
        "status",
        "exit_code",
        "window_since",
        "window_until",
        "changed_since",
        "watermark_after",
        "rows_removed",
        "rows_busy",
        "notify_event",
        "notify_delivered",
        "scope",
    ];

    /// Reads what the row of `run` says, where it has one.
    pub(super) fn read(run: &RunId, row: Option<&RecordBatch>) -> Result<Self, ArrowError> {
        let nothing = Self::unknown(run.clone());
        let Some(row) = row else { return Ok(nothing) };
        let whole = places::is_whole(row)?;
        // Runs of an older version lack some of the columns.
        let column = |name: &str| row.column_by_name(name).filter(|column| !column.is_null(0));
        let number = |name: &str| Some(column(name)?.as_primitive_opt::<Int64Type>()?.value(0));
        let instant = |name: &str| Some(column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(0));
        let status = RunStatus::parse(texts(row, "status")?.value(0));
        let window = (instant("window_since"), instant("window_until"));
        let bars = match column("changed_since") {
            _ if !whole => Bars::Other,
            Some(_) if window.1.is_some() => Bars::Other,
            Some(_) => Bars::Part,
            None => Bars::All(window),
        };
        let notified = match column("notify_event") {
            None => None,
            Some(_) => {
                let event = Some(texts(row, "notify_event")?.value(0).to_owned()).filter(|event| event != NOTHING);
                let flag = column("notify_delivered").and_then(|column| column.as_boolean_opt());
                Some(Notified { event, delivered: flag.is_some_and(|flag| flag.value(0)) })
            }
        };
        let moved = match (number("rows_busy").unwrap_or_default(), number("rows_removed").unwrap_or_default()) {
            (1.., _) => Moved::Busy,
            (_, 1..) => Moved::Rows,
            _ => Moved::Nothing,
        };
        let (skipped, old) = (status == Some(RunStatus::Skipped), is_backfill(row)?);
        let starts = texts(row, "command")?.value(0) == "run" && !old;
        let (is_run, backfill) = (starts && !skipped, (old && !skipped).then_some(window));
        let (exit_code, watermark) = (number("exit_code"), column("watermark_after").is_some());
        Ok(Self { starts, is_run, status, exit_code, bars, watermark, moved, notified, backfill, ..nothing })
    }

    fn unknown(run: RunId) -> Self {
        Self {
            run,
            starts: false,
            is_run: false,
            status: None,
            exit_code: None,
            bars: Bars::Other,
            watermark: false,
            moved: Moved::Nothing,
            notified: None,
            backfill: None,
        }
    }

    fn ended(&self) -> bool {
        self.status.is_some_and(RunStatus::reached_its_end)
    }

    /// Whether later runs are compared with it.
    fn compared(&self) -> bool {
        self.ended() && self.bars != Bars::Other
    }

    /// Whether it shows how many rows are usually moved.
    fn usual(&self) -> bool {
        self.is_run && matches!(self.status, Some(RunStatus::Ok | RunStatus::Findings))
    }

    fn delivered(&self) -> bool {
        self.notified.as_ref().is_some_and(|notified| notified.delivered)
    }
}

/// The runs that stay, of `runs`, newest first.
pub(super) fn kept(runs: &[Candidate], keep: Keep) -> BTreeSet<RunId> {
    let Some(newest) = runs.first() else { return BTreeSet::new() };
    let recent = newest.run.started().0 - DAY_US;
    let day = newest.run.run_date();
    let recent = runs.iter().take_while(|run| run.run.started().0 >= recent);
    // What is done of a backfill is known from its runs only: of each window the newest stays.
    let mut windows = BTreeSet::new();
    let of_windows = runs.iter().filter(|run| run.backfill.is_some() && windows.insert(run.backfill));
    let mut kept: BTreeSet<RunId> = recent.chain(of_windows).map(|run| run.run.clone()).collect();
    let others: Vec<Candidate> = runs.iter().filter(|run| run.backfill.is_none()).cloned().collect();
    let looked_at = compared_with(&others).chain(said(&others)).chain(moved(&others, day));
    let looked_at = looked_at.chain(others.iter().find(|run| run.starts));
    let spans = of_each(&others, keep.daily, |date| date);
    let spans = spans.chain(of_each(&others, keep.monthly, |date| date.with_day(1).unwrap_or(date)));
    kept.extend(looked_at.chain(spans).map(|run| run.run.clone()));
    kept
}

/// Of each of the `most` newest spans with runs one: the newest that later runs are compared with, else the newest that
/// reached its end, else the newest.
fn of_each(runs: &[Candidate], most: usize, span: impl Fn(NaiveDate) -> NaiveDate) -> impl Iterator<Item = &Candidate> {
    let same = move |a: &Candidate, b: &Candidate| span(a.run.run_date()) == span(b.run.run_date());
    runs.chunk_by(same).take(most).filter_map(|of_span| {
        let ended = of_span.iter().find(|run| run.compared()).or(of_span.iter().find(|run| run.ended()));
        ended.or(of_span.first())
    })
}

/// What tells what is open, by the window that the next run looks at; and the run whose watermark it goes by.
fn compared_with(runs: &[Candidate]) -> impl Iterator<Item = &Candidate> {
    let all = || {
        let all = runs.iter().filter(|run| run.ended());
        all.filter_map(|run| if let Bars::All(window) = run.bars { Some((run, window)) } else { None })
    };
    // A run from a date on is not compared with one over all bars, nor is that with it.
    let open = [false, true]
        .map(|since| all().find(|(_, (from, until))| until.is_none() && from.is_some() == since).map(|(run, _)| run));
    let oldest = open.iter().flatten().map(|run| &run.run).min();
    let parts = runs.iter().filter(|run| run.ended() && run.bars == Bars::Part);
    let parts = parts.take_while(move |run| oldest.is_none_or(|oldest| run.run > *oldest));
    let mut seen: Vec<Window> = Vec::new();
    let closed = all().filter(|(_, window)| window.1.is_some()).filter(move |(_, window)| {
        let first = !seen.contains(window);
        seen.extend(first.then_some(*window));
        first
    });
    let closed = closed.map(|(run, _)| run).take(MOST_WINDOWS);
    // Labels are compared with what the newest one found, whatever it looked at.
    let newest = [runs.iter().find(|run| run.ended()), runs.iter().find(|run| run.watermark)];
    open.into_iter().chain(newest).flatten().chain(parts).chain(closed)
}

/// What was said last, what is still to be said, and when all was well.
fn said(runs: &[Candidate]) -> impl Iterator<Item = &Candidate> {
    let of_runs = || runs.iter().filter(|run| run.is_run);
    let notified = of_runs().find(|run| run.notified.is_some());
    let delivered = of_runs().find(|run| run.delivered());
    let success = of_runs().find(|run| run.exit_code == Some(0));
    // Of what is owed the newest of each kind: an exit code of 0 says what the findings are about.
    let owed = |event: &'static str, exit_code: fn(i64) -> bool| {
        of_runs().take_while(|run| !run.delivered()).find(|run| {
            let said = run.notified.as_ref().and_then(|notified| notified.event.as_deref());
            said == Some(event) && run.exit_code.is_some_and(exit_code)
        })
    };
    let owed = [owed("new", |code| code == 0), owed("new", |code| code != 0), owed("fail", |_| true)];
    [notified, delivered, success].into_iter().chain(owed).flatten()
}

/// What shows how many rows are usually moved, and on how many days they stayed; `newest` is the day of the newest run.
fn moved(runs: &[Candidate], newest: NaiveDate) -> impl Iterator<Item = &Candidate> {
    let usual = runs.iter().filter(|run| run.usual()).take(USUAL_RUNS);
    let oldest = newest - TimeDelta::days(MOST_BUSY_DAYS);
    let since = runs.iter().take_while(move |run| run.run.run_date() >= oldest);
    let (mut days, mut ended) = (BTreeSet::new(), false);
    let busy = since.filter(move |run| {
        let counts = !ended && run.moved != Moved::Nothing;
        // A run that moved rows ends the count.
        ended |= run.moved == Moved::Rows;
        // Today does not count, so one day more is looked at.
        counts && (run.moved == Moved::Rows || days.len() <= BUSY_NIGHTS && days.insert(run.run.run_date()))
    });
    usual.chain(busy)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::report::collector::Collector;
    use crate::report::history::Previous;
    use crate::report::run::{Outcome, RunMeta};
    use crate::report::runs;
    use crate::report::testing::{DAY, meta, one_series, program};
    use crate::text::utc::UtcMicros;

    /// A run that ended, as its row says.
    fn read(previous: Previous, run: RunMeta, outcome: Outcome) -> Candidate {
        let dir = tempfile::tempdir().unwrap();
        let path: &Path = dir.path();
        let mut collector = Collector::new(path, program(), run, vec!["bars.csv".to_owned()], previous);
        collector.take(&one_series().batch()).unwrap();
        collector.finish(outcome).unwrap();
        let file = runs::all(path).unwrap().next().unwrap().unwrap();
        Candidate::read(&file.run, file.row(path, Candidate::COLUMNS).unwrap().as_ref()).unwrap()
    }

    #[test]
    fn a_row_says_what_a_run_is_to_later_ones() {
        let outcome = || Outcome::new(RunStatus::Findings, 1, UtcMicros(0));
        let run = |window: Window, changed_since: Option<i64>| RunMeta { window, changed_since, ..meta(1) };
        let bars = |previous: Previous, run: RunMeta| read(previous, run, outcome()).bars;
        assert_eq!(bars(Previous::None, run((None, None), None)), Bars::All((None, None)));
        assert_eq!(bars(Previous::Unknown, run((None, None), None)), Bars::Other);
        assert_eq!(bars(Previous::None, run((Some(DAY), None), None)), Bars::All((Some(DAY), None)));
        assert_eq!(bars(Previous::None, run((Some(DAY), None), Some(DAY))), Bars::Part);
        assert_eq!(bars(Previous::Unknown, run((Some(DAY), None), Some(DAY))), Bars::Other);
        assert_eq!(bars(Previous::None, run((Some(DAY), Some(9 * DAY)), Some(DAY))), Bars::Other);
        let run = |command: &str| RunMeta { command: command.to_owned(), ..meta(1) };
        let left = read(Previous::None, run("run"), Outcome { busy: 2, watermark_after: Some(7), ..outcome() });
        assert!(left.is_run && left.watermark && left.usual() && left.ended());
        assert_eq!((left.moved, left.notified, left.exit_code), (Moved::Busy, None, Some(1)));
        let skipped = read(Previous::None, run("run"), Outcome::new(RunStatus::Skipped, 0, UtcMicros(0)));
        let check = read(Previous::None, run("check"), Outcome::new(RunStatus::Ok, 0, UtcMicros(0)));
        assert!(!skipped.is_run && !skipped.ended() && !check.is_run && check.ended());
    }

    /// A run by what its letters say: it `e`nded, looked at a `w`hole, at one from a date on (`s`) or to one (`u`), at a
    /// `p`art, its exit code is 0 (`o`), it was `t`old or is to be (`n`ew, `f`ail), it left a water`m`ark, rows stayed (`b`) or
    /// left (`r`), it is a `c`heck, or a digit says the old window of its backfill.
    fn candidate(id: &str, kind: &str) -> Candidate {
        let has = |letter: char| kind.contains(letter);
        let windows = [('w', (None, None)), ('s', (Some(7), None)), ('u', (None, Some(9)))];
        let window = windows.into_iter().find(|(letter, _)| has(*letter)).map(|(_, window)| Bars::All(window));
        let part = if has('p') { Bars::Part } else { Bars::Other };
        let event = [('n', "new"), ('f', "fail")].into_iter().find(|(letter, _)| has(*letter));
        let notified = Notified { event: event.map(|(_, event)| event.to_owned()), delivered: has('t') };
        let old = kind.chars().find(char::is_ascii_digit).map(|day| (Some(i64::from(u32::from(day))), None));
        Candidate {
            starts: !has('c') && old.is_none(),
            is_run: !has('c') && old.is_none(),
            backfill: old,
            status: Some(if has('e') { RunStatus::Refused } else { RunStatus::Broken }),
            exit_code: Some(i64::from(!has('o'))),
            bars: window.unwrap_or(part),
            watermark: has('m'),
            moved: if has('b') {
                Moved::Busy
            } else if has('r') {
                Moved::Rows
            } else {
                Moved::Nothing
            },
            notified: (has('t') || event.is_some()).then_some(notified),
            ..Candidate::unknown(RunId::parse(&format!("{id}Z-aaaa")).unwrap())
        }
    }

    /// The starts of the runs that stay, of runs given oldest first.
    fn stay(runs: &[(&str, &str)], daily: usize, monthly: usize) -> Vec<String> {
        let runs: Vec<Candidate> = runs.iter().rev().map(|(id, kind)| candidate(id, kind)).collect();
        kept(&runs, Keep { daily, monthly }).iter().map(|run| run.as_str()[4..11].to_owned()).collect()
    }

    /// The days that stay of runs of the days from 1 January on; the newest one says nothing.
    fn days(kinds: &[&str]) -> Vec<usize> {
        let ids: Vec<String> = (1..=kinds.len()).map(|day| format!("202601{day:02}T010000")).collect();
        let mut runs: Vec<(&str, &str)> = ids.iter().map(String::as_str).zip(kinds.iter().copied()).collect();
        runs.push(("20260120T010000", ""));
        let stay = stay(&runs, 1, 0);
        assert_eq!(stay.last().map(String::as_str), Some("0120T01"));
        stay[..stay.len() - 1].iter().map(|start| start[2..4].parse().unwrap()).collect()
    }

    #[test]
    fn of_each_day_and_month_the_newest_run_that_reached_its_end_stays() {
        let runs = [
            ("20260910T010000", "ew"),
            ("20260930T010000", "ew"),
            ("20261031T010000", "ew"),
            ("20261117T010000", "ew"),
            ("20261118T010000", "ew"),
            ("20261118T230000", ""),
            ("20261119T010000", ""),
            ("20261120T020000", "ew"),
        ];
        assert_eq!(stay(&runs, 3, 0), ["1118T01", "1119T01", "1120T02"]);
        assert_eq!(stay(&runs, 1, 2), ["1031T01", "1120T02"]);
        assert_eq!(stay(&runs, 1, 9), ["0930T01", "1031T01", "1120T02"]);
        assert_eq!(stay(&[], 3, 3), Vec::<String>::new());
        // One over some series does not stand for its day.
        let runs = [("20261118T010000", "ew"), ("20261118T020000", "e"), ("20261120T020000", "ew")];
        assert_eq!(stay(&runs, 2, 0), ["1118T01", "1120T02"]);
    }

    #[test]
    fn what_the_next_run_is_compared_with_stays_whatever_is_kept() {
        assert_eq!(days(&["ew", "ew", "ewo", "e", "e"]), [3, 5], "the newest over all bars, and the newest");
        // Runs over some rules or series are nothing to the next run.
        assert_eq!(days(&["ew", "ep", "ec", "ec"]), [1, 2, 4]);
        // Each window has its own: a run over all bars does not replace that from a date on.
        assert_eq!(days(&["es", "ew", "es", "ew", "ew"]), [3, 5]);
        assert_eq!(days(&["eu", "eu", "ew", "ew"]), [2, 4]);
        assert_eq!(days(&["ewm", "ew", ""]), [1, 2], "the next run goes by its watermark");
    }

    #[test]
    fn of_each_old_window_the_newest_run_stays_and_takes_no_place_of_another() {
        let runs = [
            ("20261117T010000", "e"),
            ("20261117T020000", "e1p"),
            ("20261117T030000", "1p"),
            ("20261117T040000", "eo2p"),
            ("20261118T010000", "ew"),
            ("20261119T010000", "e"),
            ("20261121T010000", "e"),
        ];
        assert_eq!(stay(&runs, 9, 0), ["1117T01", "1117T03", "1117T04", "1118T01", "1119T01", "1121T01"]);
        // When the job was started last, a run says that was skipped, too.
        let ids = ["20260101T010000", "20260102T010000", "20260103T010000", "20260107T010000"];
        let runs: Vec<(&str, &str)> = ids.into_iter().zip(["e", "", "c", "c"]).collect();
        assert_eq!(stay(&runs, 1, 0), ["0101T01", "0102T01", "0107T01"]);
    }

    #[test]
    fn runs_over_a_part_stay_until_one_over_all_bars_follows() {
        assert_eq!(days(&["ep", "ew", "ep", "e", "ep", "ep"]), [2, 3, 5, 6]);
        assert_eq!(days(&["ep", "es", "ep", "ew", "ep", "ew", "ep"]), [2, 3, 5, 6, 7], "for either window");
    }

    #[test]
    fn what_was_said_and_what_is_owed_stays() {
        assert_eq!(days(&["t", "t", "o", "co", "", ""]), [2, 3], "when all was well a run says, and no check");
        assert_eq!(days(&["n", "t", "n", "n", "no", "f", "", ""]), [2, 4, 5, 6]);
        assert_eq!(days(&["n", "n", "t", "", ""]), [3], "what was delivered owes nothing");
    }

    #[test]
    fn days_on_which_rows_stayed_are_counted_to_the_last_run_that_moved_some() {
        assert_eq!(days(&["b", "r", "b", "b", "b", "b", "b", ""]), [2, 4, 5, 6, 7]);
        assert_eq!(days(&["b", "", "b", "", ""]), [1, 3]);
        let twice = [("20260101T010000", "b"), ("20260101T020000", "b"), ("20260107T010000", "")];
        assert_eq!(stay(&twice, 1, 0), ["0101T02", "0107T01"]);
    }

    #[test]
    fn the_last_runs_that_say_how_many_rows_are_moved_stay() {
        let candidates: Vec<Candidate> = (1..=28)
            .rev()
            .map(|day| {
                let kind = if day % 4 == 0 { "c" } else { "" };
                Candidate { status: Some(RunStatus::Ok), ..candidate(&format!("202601{day:02}T010000"), kind) }
            })
            .collect();
        let kept = kept(&candidates, Keep { daily: 1, monthly: 0 });
        // 20 runs, the newest check and what is not one of them goes.
        assert_eq!(kept.len(), 21);
        assert_eq!(kept.first().unwrap().as_str(), "20260102T010000Z-aaaa");
    }

    #[test]
    fn all_runs_of_the_last_24_hours_stay() {
        let runs =
            [("20260106T005959", "e"), ("20260106T010000", "e"), ("20260106T020000", "e"), ("20260107T010000", "e")];
        assert_eq!(stay(&runs, 1, 0), ["0106T01", "0106T02", "0107T01"]);
    }
}
