//! `barkeep report`: a line a job, the worst first.

use std::path::Path;

use chrono::Utc;

use super::colour::is_utf8;
use super::output::{self, Output};
use crate::report::error::ReportError;
use crate::report::overview::{JobLine, overview};
use crate::report::summary::Verdict;
use crate::run::shell::typed;
use crate::run::{Exit, Failure};
use crate::text::columns::{cut, padded};
use crate::text::escape::visible;
use crate::text::utc::UtcMicros;

/// Columns of a name.
const NAME: usize = 14;
/// Characters that show the last runs, two runs each.
const RUNS_WIDE: usize = 12;

const MINUTE: i64 = 60_000_000;

/// Shows the jobs.
pub(crate) fn show(dir: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let now = UtcMicros::from(Utc::now());
    let jobs = overview(dir, now)?;
    if output.is_json() {
        for job in &jobs {
            output.line(&serde_json::to_string(job)?)?;
        }
        return Ok(Exit::Ok);
    }
    if jobs.is_empty() {
        output.line(&ReportError::NoRuns { dir: dir.to_path_buf() }.to_string())?;
        return Ok(Exit::Ok);
    }
    let to_show = format!("barkeep report show --dir {}", typed(dir));
    for line in lines(&jobs, now, (output::width(), is_utf8()), &to_show) {
        output.line(&line)?;
    }
    Ok(Exit::Ok)
}

/// With fewer columns some are left out.
const WIDE: usize = 78;

/// The table, 80 columns wide at most, and 40 where the terminal is so narrow.
fn lines(jobs: &[JobLine], now: UtcMicros, (width, utf8): (usize, bool), to_show: &str) -> Vec<String> {
    let head = ["job", "new", "fixed", "rows", "last bar", "late", "moved", "age"];
    let [job, new, fixed, rows, last, late, moved, age] = head;
    let mut lines = vec![format!(
        "      {job:<NAME$} {new:>5} {fixed:>5} {rows:>5} {last:<10} {late:>4} {moved:>5} {age:>4} last runs"
    )];
    if width < WIDE {
        lines = vec![format!("      {job:<NAME$} {new:>5} {late:>4} {age:>4}")];
    }
    for job in jobs {
        let verdict = match job.verdict {
            Verdict::Ok => "OK",
            Verdict::Warn => "WARN",
            Verdict::Fail => "FAIL",
        };
        let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), short);
        let last = job.last_bar.as_deref().unwrap_or("-");
        let last: String = last.chars().take(10).collect();
        let line = format!(
            "{verdict:<5} {} {:>5} {:>5} {:>5} {last:<10} {:>4} {:>5} {:>4} {}",
            padded(&cut(&job.job, NAME, utf8), NAME),
            count(job.new),
            count(job.fixed),
            short(job.rows_read.unsigned_abs()),
            count(job.sessions_late),
            short(job.rows_quarantined.unsigned_abs()),
            age_of(now.0 - job.started_at.0),
            drawn(&job.findings, utf8)
        );
        let line = match width < WIDE {
            true => format!(
                "{verdict:<5} {} {:>5} {:>4} {:>4}",
                padded(&cut(&job.job, NAME, utf8), NAME),
                count(job.new),
                count(job.sessions_late),
                age_of(now.0 - job.started_at.0)
            ),
            false => line,
        };
        lines.push(line.trim_end().to_owned());
        if job.is_overdue(now) {
            lines.push(format!("      did not run since {}", job.started_at));
        }
        if let Some(first) = job.error.as_deref().and_then(|error| error.lines().next()) {
            lines.push(format!("      {}", visible(first)));
        }
    }
    if let Some(worst) = jobs.first().filter(|job| job.verdict != Verdict::Ok) {
        lines.push(format!("next: {to_show} {}", worst.run_id));
    }
    lines
}

/// A count in at most five characters: 99999, 100k, 12.5M.
fn short(count: u64) -> String {
    match count {
        0..100_000 => count.to_string(),
        100_000..10_000_000 => format!("{}k", count / 1_000),
        10_000_000..100_000_000 => format!("{}.{}M", count / 1_000_000, count / 100_000 % 10),
        _ => format!("{}M", count / 1_000_000),
    }
}

/// A time span in at most four characters.
fn age_of(micros: i64) -> String {
    let minutes = micros.max(0) / MINUTE;
    match minutes {
        0..120 => format!("{minutes}m"),
        120..2_880 => format!("{}h", minutes / 60),
        _ => format!("{}d", minutes / 1_440),
    }
}

/// Findings of runs, oldest first: two runs a character by the larger of the two, `x` where one did not come to its end.
fn drawn(findings: &[Option<i64>], utf8: bool) -> String {
    let steps: &[char] = if utf8 {
        &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
    } else {
        &['1', '2', '3', '4', '5', '6', '7', '8']
    };
    let most = findings.iter().flatten().copied().max().unwrap_or(0).max(1);
    let first = findings.len().saturating_sub(2 * RUNS_WIDE);
    // The newest run is in the last character, whatever their number.
    let shown = &findings[first..];
    let odd = shown.len() % 2;
    let pairs = shown[..odd].chunks(2).chain(shown[odd..].chunks(2));
    let character = |pair: &[Option<i64>]| match pair.iter().flatten().max() {
        _ if pair.contains(&None) => 'x',
        None | Some(0) => '.',
        Some(found) => {
            let step = (found * 8 - 1) / most;
            steps[usize::try_from(step).unwrap_or(0).min(7)]
        }
    };
    pairs.map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::columns::columns;

    fn job(name: &str, verdict: Verdict, findings: &[Option<i64>]) -> JobLine {
        JobLine {
            job: name.to_owned(),
            run_id: "20261120T023000Z-k7f3".to_owned(),
            command: "run".to_owned(),
            verdict,
            status: "findings".to_owned(),
            exit_code: 1,
            error: None,
            started_at: UtcMicros(0),
            new: Some(12),
            fixed: Some(0),
            rows_read: 12_503_117,
            rows_quarantined: 13,
            last_bar: Some("2026-11-20".to_owned()),
            sessions_late: Some(2),
            findings: findings.to_vec(),
            longest_pause: None,
        }
    }

    #[test]
    fn a_line_a_job_fits_into_eighty_columns() {
        let many: Vec<Option<i64>> = (0..30).map(|run| Some(run % 9)).collect();
        let mut jobs = vec![
            job("quotes", Verdict::Fail, &many),
            job("a-job-with-a-very-long-name", Verdict::Warn, &[Some(0), None, Some(4)]),
            job("fine", Verdict::Ok, &[Some(0)]),
        ];
        jobs[1].error = Some("the server is gone\nand more".to_owned());
        jobs[1].longest_pause = Some(MINUTE);
        (jobs[2].new, jobs[2].fixed, jobs[2].last_bar, jobs[2].sessions_late) = (None, None, None, None);
        jobs.push(JobLine { sessions_late: Some(0), ..job("每日行情：上海与深圳", Verdict::Ok, &[Some(0)]) });
        let text = lines(&jobs, UtcMicros(3 * 60 * MINUTE), (80, true), "barkeep report show --dir reports");
        insta::assert_snapshot!(text.join("\n"), @r"
              job              new fixed  rows last bar   late moved  age last runs
        FAIL  quotes            12     0 12.5M 2026-11-20    2    13   3h ▇█▂▄▆█▁▃▅▇█▂
        WARN  a-job-with-a-…    12     0 12.5M 2026-11-20    2    13   3h .x
              did not run since 1970-01-01T00:00:00Z
              the server is gone
        OK    fine               -     - 12.5M -             -    13   3h .
        OK    每日行情：上…     12     0 12.5M 2026-11-20    0    13   3h .
        next: barkeep report show --dir reports 20261120T023000Z-k7f3
        ");
        assert!(text.iter().all(|line| columns(line) <= 80), "{text:?}");
    }

    #[test]
    fn a_narrow_terminal_gets_what_says_most() {
        let jobs = [job("quotes", Verdict::Fail, &[Some(1)]), job("每日行情：上海与深圳", Verdict::Ok, &[Some(0)])];
        let text = lines(&jobs, UtcMicros(3 * 60 * MINUTE), (40, false), "barkeep report show");
        insta::assert_snapshot!(text[..3].join("\n"), @r"
              job              new late  age
        FAIL  quotes            12    2   3h
        OK    每日行情：上~     12    2   3h
        ");
        assert!(text[..3].iter().all(|line| columns(line) <= 40), "{text:?}");
    }

    #[test]
    fn a_job_is_overdue_once_it_pauses_longer_than_ever_and_for_an_hour() {
        let mut line = job("fine", Verdict::Ok, &[]);
        assert!(!line.is_overdue(UtcMicros(i64::MAX)), "how often it runs is not known");
        line.longest_pause = Some(MINUTE);
        assert!(!line.is_overdue(UtcMicros(59 * MINUTE)) && line.is_overdue(UtcMicros(61 * MINUTE)));
        line.longest_pause = Some(24 * 60 * MINUTE);
        assert!(!line.is_overdue(UtcMicros(35 * 60 * MINUTE)) && line.is_overdue(UtcMicros(37 * 60 * MINUTE)));
    }

    #[test]
    fn counts_and_ages_are_short() {
        let counts = [0, 99_999, 100_000, 9_999_999, 12_503_117, 250_000_000];
        assert_eq!(counts.map(short), ["0", "99999", "100k", "9999k", "12.5M", "250M"]);
        let ages = [-5, 0, 119 * MINUTE, 120 * MINUTE, 2_880 * MINUTE, 400 * 1_440 * MINUTE];
        assert_eq!(ages.map(age_of), ["0m", "0m", "119m", "2h", "2d", "400d"]);
    }

    #[test]
    fn a_terminal_without_utf_8_gets_digits() {
        assert_eq!(drawn(&[Some(1), Some(0), Some(8), Some(8)], false), "18");
        assert_eq!(drawn(&[Some(8), Some(1), Some(0)], false), "81");
        assert_eq!(drawn(&[], true), "");
    }
}
