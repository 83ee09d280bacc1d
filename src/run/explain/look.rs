//! The way from a series and a timestamp to an answer.

use std::sync::Arc;

use super::answer::{Answer, ByCalendar, ExplainOptions, Explanation, Finding, OfRows, RuleAnswer, Validity};
use super::found::Found;
use super::probes::Probes;
use super::reading::{Desk, Read};
use super::series::{meant, symbols};
use super::sums::AtOnce;
use super::verdicts::{Case, answer};
use crate::bars::BarsSpec;
use crate::checks::{ALL_SERIES, Context, Stage};
use crate::config::Rule;
use crate::decide::{Action, Labels, Severity};
use crate::engine::program::Program;
use crate::engine::trading_date;
use crate::market::Slot;
use crate::run::failure::Failure;
use crate::run::job::Job;
use crate::run::labels;
use crate::run::window;
use crate::text::utc::UtcMicros;

/// Why a rule that looks at other series has no verdict.
const ALONE: &str = "it looks at other series, and only this one was read";
/// What keeps a rule from a row where its condition is about a part of a session.
const PART: &str = "part";

impl Job {
    /// One bar, its neighbours, and what every rule says of it. Nothing is written.
    ///
    /// # Errors
    /// There is no such series, the timestamp lies outside of the job's window, rules have mistakes, or the source cannot be
    /// read.
    pub async fn explain(&self, options: &ExplainOptions) -> Result<Explanation, Failure> {
        let (of_job, now) = (&self.loaded.job, self.context.clock.now());
        let wrong = |problem: String| {
            Failure::Usage(
                format!("--at: {problem}"),
                "e.g. `--at 2026-10-28` or `--at 2026-10-28T14:30:00Z`".to_owned(),
            )
        };
        let time = options.at.resolve(of_job.bars.time.zone, self.is_daily()).map_err(wrong)?;
        let time =
            if self.is_daily() { i64::from(crate::market::zone::day_of(time)) * crate::market::DAY_US } else { time };
        let as_of = window::as_of(options.as_of, of_job, now)?;
        let window = (of_job.window.since, of_job.window.until);
        self.reject_outside(window, time)?;
        let instant = window::within(window, of_job, as_of).timestamp_micros();
        let labels = labels::of_day(&self.loaded, as_of);
        self.look_at_bars(async |opened, session| {
            let desk = Desk { job: self, opened, session, as_of: instant, window };
            desk.explain((&options.series, time), options.alone, &labels).await
        })
        .await
    }

    fn reject_outside(&self, (since, until): (Option<i64>, Option<i64>), time: i64) -> Result<(), Failure> {
        if since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until) {
            return Ok(());
        }
        let at = |time: i64| UtcMicros(time).timestamp(self.is_daily());
        let ends =
            [since.map(|since| format!("from {}", at(since))), until.map(|until| format!("before {}", at(until)))];
        let ends = ends.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        let message = format!("{} lies outside of the window of the job, which looks at bars {ends}", at(time));
        Err(Failure::Usage(message, "look at `[window]` of the job, or ask about another bar".to_owned()))
    }
}

impl Desk<'_> {
    async fn explain(&self, (asked, time): (&str, i64), alone: bool, labels: &Labels) -> Result<Explanation, Failure> {
        let program = self.program()?;
        let looks_at_others = program.running().any(|(_, rule)| rule.check.peers().is_some());
        let own = symbols(asked);
        let mut whole = looks_at_others && !alone;
        let mut read = self.read(if whole { &[] } else { &own }, time).await?;
        // On which closed days most series traded, only all of them tell.
        if !whole && !alone && read.asks_for_open_days {
            (whole, read) = (true, self.read(&[], time).await?);
        }
        let key = match meant(asked, &read.keys) {
            // The message names the series that there are.
            Err(_) if !whole && read.keys.is_empty() => meant(asked, &self.read(&[], time).await?.keys)?,
            meant => meant?,
        };
        read.found.retain(|found| found.series == key || found.series == ALL_SERIES);
        let bars = self.bars(&program, &read, (&key, time)).await?;
        let mut explanation = Explanation {
            job: program.job.clone(),
            interval: program.bars.interval,
            time,
            session: trading_date::session(&program, time),
            calendar: program.bars.calendar.as_ref().map(|calendar| calendar.name().to_owned()),
            by_calendar: by_calendar(&program.bars, time),
            bars,
            rules: Vec::new(),
            read: read.rows,
            series: key,
        };
        let here = Here { desk: self, program: &program, read: &read, key: &explanation.series, time, labels, whole };
        explanation.rules = if explanation.rows().next().is_some() { here.rules().await? } else { here.holding()? };
        for identity in &read.ingested.identities {
            identity.verify_unchanged()?;
        }
        Ok(explanation)
    }
}

/// What the calendar says of `time`.
fn by_calendar(bars: &BarsSpec, time: i64) -> ByCalendar {
    let Some(grid) = &bars.grid else { return ByCalendar::None };
    match grid.slot(time) {
        Slot::On(_) => ByCalendar::Expected,
        Slot::OtherDay(_) | Slot::Tolerated => ByCalendar::Possible,
        Slot::OffGrid => ByCalendar::OffGrid,
        Slot::OffHours => ByCalendar::OffHours,
        Slot::Closed => ByCalendar::Closed,
        Slot::OutOfRange => ByCalendar::NotKnown,
    }
}

/// A timestamp of a series that was read.
struct Here<'a> {
    desk: &'a Desk<'a>,
    program: &'a Program,
    read: &'a Read,
    key: &'a str,
    time: i64,
    labels: &'a Labels,
    /// Whether all series were read.
    whole: bool,
}

impl Here<'_> {
    /// What every rule says of the rows of the timestamp.
    async fn rules(&self) -> Result<Vec<RuleAnswer>, Failure> {
        let beside = self.desk.beside(self.program, self.read).await?;
        let compile = || self.desk.program();
        let counted = self.desk.at_once(&compile, (self.read, &beside), (self.key, self.time)).await?;
        let rejecting = self.rejecting(&counted);
        let mut answers = Vec::new();
        for index in 0..=self.program.parse_error() {
            let case = self.case(index, &counted, &rejecting).await?;
            answers.push((answer(case.clone()), case));
        }
        let probes =
            Probes { desk: self.desk, read: self.read, beside: &beside, bar: (self.key, self.symbol(), self.time) };
        self.try_conditions(&probes, &mut answers).await?;
        let within = |index: &usize| answers[*index].0 == Answer::Within;
        let within: Vec<usize> = (0..self.program.parse_error()).filter(within).collect();
        let mut measured = probes.measured(self.program, &within).await?;
        let mut rules = Vec::new();
        for (index, (answer, case)) in answers.into_iter().enumerate() {
            let rows = case.counts.unwrap_or_default();
            let findings = self.findings(index, &counted)?;
            let measured = measured.remove(&index);
            rules.push(RuleAnswer { rows, findings, measured, ..self.unanswered(index, answer) });
        }
        let left_out = self.program.rules.left_out.iter().map(|id| RuleAnswer {
            rule: id.to_string(),
            check: None,
            severity: "",
            ..self.unanswered(usize::MAX, Answer::LeftOut)
        });
        rules.extend(left_out);
        Ok(rules)
    }

    /// The rules that found something which holds the timestamp, where it has no row.
    fn holding(&self) -> Result<Vec<RuleAnswer>, Failure> {
        let mut rules = Vec::new();
        for index in 0..=self.program.parse_error() {
            let found: Vec<Found> = self.found(index, &[]);
            if !found.is_empty() {
                let findings = self.answered(found)?;
                rules.push(RuleAnswer { findings, ..self.unanswered(index, Answer::InStretch) });
            }
        }
        Ok(rules)
    }

    fn symbol(&self) -> Option<&str> {
        self.read.keys.get(self.key).and_then(Option::as_deref)
    }

    fn rule(&self, index: usize) -> Option<&Rule> {
        self.program.rules.rules.get(index)
    }

    /// Rules about single rows that reject a row of the timestamp.
    fn rejecting(&self, counted: &AtOnce) -> Vec<String> {
        let rejects = |index: &usize| {
            let (severity, action) = self.program.levels(*index);
            let of_rows = self.rule(*index).is_none_or(|rule| rule.kind.stage() == Stage::Row);
            let flags = counted.of(*index, true).is_some_and(|rows| rows.flagged > 0);
            of_rows && flags && (severity == Severity::Error || action > Action::Report)
        };
        let all = (0..=self.program.parse_error()).filter(rejects);
        all.map(|index| self.program.rule_id(index).to_owned()).collect()
    }

    /// What is known of the rule at `index`, but for its condition.
    async fn case<'r>(&self, index: usize, counted: &AtOnce, rejecting: &'r [String]) -> Result<Case<'r>, Failure> {
        let rule = self.rule(index);
        let stage = rule.map_or(Stage::Row, |rule| rule.kind.stage());
        let flags_rows = rule.is_none_or(|rule| rule.kind.flags_rows());
        let found = self.found(index, counted.found());
        let of_sources = rule.is_some_and(|rule| rule.check.by().is_some());
        let compared = match of_sources {
            true => Some(self.desk.is_compared(index, self.read, (self.key, self.time)).await?),
            false => None,
        };
        let looks_at_others = rule.is_some_and(|rule| {
            let of_days = rule.check.across().is_some() && stage != Stage::Across && !found.is_empty();
            rule.check.peers().is_some() || of_days
        });
        Ok(Case {
            stage,
            flags_rows,
            of_runs: rule.is_some_and(|rule| rule.check.history().is_some()),
            compared,
            time: self.time,
            validity: rule
                .map_or(Validity { from: None, until: None }, |rule| Validity { from: rule.from, until: rule.until }),
            rows: counted.rows,
            counts: if of_sources { Some(OfRows::default()) } else { counted.of(index, flags_rows) },
            excuses: counted.excuses(index),
            found: found.iter().map(Found::is_of_one_time).collect(),
            rejecting,
            not_chosen: None,
            whole: self.whole,
            unknown: (looks_at_others && !self.whole).then_some(ALONE),
        })
    }

    /// Says of rules that passed over the bar whether their condition does not choose it.
    async fn try_conditions(&self, probes: &Probes<'_>, answers: &mut [(Answer, Case<'_>)]) -> Result<(), Failure> {
        let passed_over = |answer: &Answer| matches!(answer, Answer::SteppedOver | Answer::AnotherCopy);
        let mut conditions = Vec::new();
        let mut of = Vec::new();
        for (index, (said, case)) in answers.iter_mut().enumerate().filter(|(_, (said, _))| passed_over(said)) {
            let Some(rule) = self.rule(index) else { continue };
            if let Some(part) = rule.part.as_ref().filter(|part| !part.holds(self.time)) {
                case.not_chosen = Some(format!("{PART} = \"{}\"", part.word()));
                *said = answer(case.clone());
            } else if let Some(slot) = rule.condition {
                conditions.push((Arc::clone(&rule.id), self.program.rules.expressions[slot].sql.clone()));
                of.push(index);
            }
        }
        let not_true = probes.not_true(&conditions).await?;
        for ((index, (_, sql)), not_true) in of.into_iter().zip(conditions).zip(not_true) {
            let (said, case) = &mut answers[index];
            if not_true {
                case.not_chosen = Some(format!("where = {sql}"));
                *said = answer(case.clone());
            }
        }
        Ok(())
    }

    /// The findings of the rule at `index` that hold the timestamp: those of its series alone are `own`, those of several were
    /// found with all that was read.
    fn found(&self, index: usize, own: &[Found]) -> Vec<Found> {
        let alone = self.rule(index).is_none_or(|rule| {
            !matches!(rule.kind.stage(), Stage::Across | Stage::Sources) || rule.check.other_job().is_some()
        });
        let of_rule = |found: &&Found| found.rule == index;
        // What one pass says of a row, the other one does too; what is about all series only one of them has.
        let (own, all) = (own.iter().filter(of_rule), self.read.found.iter().filter(of_rule));
        if !alone && !self.whole && self.rule(index).is_some_and(|rule| rule.kind.stage() == Stage::Across) {
            return Vec::new();
        }
        match alone && own.clone().next().is_some() {
            true => own.cloned().collect(),
            false => all.cloned().collect(),
        }
    }

    fn findings(&self, index: usize, counted: &AtOnce) -> Result<Vec<Finding>, Failure> {
        self.answered(self.found(index, counted.found()))
    }

    fn answered(&self, found: Vec<Found>) -> Result<Vec<Finding>, Failure> {
        let rows = found.iter().map(|found| (found.locator, found.document.clone())).collect();
        let places = self.desk.places(self.read, rows)?;
        let each = found.into_iter().zip(places);
        Ok(each.map(|(found, place)| found.answered(self.program, self.labels, place)).collect())
    }

    fn unanswered(&self, index: usize, answer: Answer) -> RuleAnswer {
        let (severity, action) = self.program.levels(index);
        let rule = self.rule(index);
        let window = rule.and_then(|rule| match rule.check_of(self.symbol()).context() {
            _ if matches!(rule.kind.stage(), Stage::Across | Stage::Sources) => None,
            Context::Bars { before, after } | Context::Quiet { before, after } => Some((before, after)),
            Context::Run { .. } | Context::Whole => None,
        });
        RuleAnswer {
            rule: self.program.rule_id(index).to_owned(),
            check: Some(self.program.check_name(index)),
            severity: severity.as_str(),
            action: action.as_str(),
            why: rule.and_then(|rule| rule.why.clone()),
            window,
            answer,
            rows: OfRows::default(),
            findings: Vec::new(),
            measured: None,
        }
    }
}
