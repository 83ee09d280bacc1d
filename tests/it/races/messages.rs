//! What barkeep said, and whether it agrees with what it did.

use std::collections::BTreeMap;

use serde_json::Value;

use super::oracle::{Fault, Faults, Item};
use super::plan::{Mode, Race, Who};

/// What a call said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) args: Vec<String>,
    /// The exit code; none where it was killed.
    pub(crate) code: Option<i32>,
    /// It was killed, as was meant.
    pub(crate) killed: bool,
    /// Rows that had left in its name when it ended, where a later run may finish what it could not.
    pub(crate) left: Option<u64>,
    /// It did not end.
    pub(crate) hung: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The summary of a run, out of JSON or of the line of pairs.
struct Summary {
    run: String,
    exit: i64,
    /// Rows that rules would take.
    taken: u64,
    /// What became of them, by word.
    actions: BTreeMap<String, u64>,
    unchanged: bool,
    error: bool,
}

impl Told {
    /// All of it, for a person.
    pub(crate) fn text(&self) -> String {
        format!("$ barkeep {} -> {:?}\n{}{}", self.args.join(" "), self.code, self.out, self.err)
    }

    /// The object of this type on stdout.
    pub(crate) fn object(&self, kind: &str) -> Option<Value> {
        let objects = self.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        objects.into_iter().find(|object| object["type"] == kind)
    }

    /// Takes down how many rows have left in the name of this run by now.
    pub(crate) fn note(&mut self, items: &[Item]) {
        self.left = self.summary().map(|summary| left_by(items, &summary.run));
    }

    fn summary(&self) -> Option<Summary> {
        match self.object("summary") {
            Some(object) => Some(Summary {
                run: object["run_id"].as_str()?.to_owned(),
                exit: object["exit_code"].as_i64()?,
                taken: object["rows"]["quarantined"].as_u64()?,
                actions: serde_json::from_value(object["actions"].clone()).ok()?,
                unchanged: object["source_unchanged"].as_bool()?,
                error: !object["error"].is_null(),
            }),
            None => self.line(),
        }
    }

    fn line(&self) -> Option<Summary> {
        let line = self.out.lines().find(|line| line.starts_with("job="))?;
        let pairs: Vec<(&str, &str)> = line.split(' ').filter_map(|pair| pair.split_once('=')).collect();
        let value = |key: &str| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let is_action = |name: &str| {
            ["removed", "gone", "busy", "oversize", "removing", "copied"].contains(&name) || name.starts_with("kept")
        };
        let actions = pairs.iter().filter(|(name, _)| is_action(name));
        Some(Summary {
            run: value("run")?.to_owned(),
            exit: value("exit")?.parse().ok()?,
            taken: value("quarantined")?.parse().ok()?,
            actions: actions.filter_map(|(name, count)| Some(((*name).to_owned(), count.parse().ok()?))).collect(),
            unchanged: value("source") == Some("unchanged"),
            error: value("error").is_some(),
        })
    }
}

/// How many rows left in the name of a run.
fn left_by(items: &[Item], run: &str) -> u64 {
    items.iter().filter(|item| item.state == "removed" && item.run == run).count() as u64
}

/// Every message of every run against the quarantine and the source.
pub(crate) fn held_against(output: &[Told], items: &[Item], race: &Race) -> Faults {
    let mut faults = Faults::new();
    let away = |run: &str| left_by(items, run);
    let mut removed = 0;
    for call in output.iter().filter(|call| !call.killed) {
        let wrong = code(call, race).into_iter();
        let Some(summary) = call.summary() else {
            faults.extend(wrong.map(|what| (Fault::Untrue, 1, format!("{what}\n{}", call.text()))));
            continue;
        };
        let stated = summary.actions.get("removed").copied().unwrap_or(0);
        removed += stated;
        let ended: u64 = summary.actions.values().sum();
        let alone = race.mode == Mode::Run;
        let left = call.left.unwrap_or_else(|| away(&summary.run));
        let claims = [
            (call.code.map(i64::from) != Some(summary.exit), "the exit code is not the one of the summary"),
            (summary.exit == 0 && stated > 0, "exit 0, and rows left"),
            (summary.unchanged && left > 0, "`source=unchanged`, and rows left"),
            (left > stated && race.kind.appends() && alone, "more rows left than it says"),
            (stated > left && race.kind.appends() && alone, "fewer rows left than it says"),
            (alone && !summary.error && summary.exit != 4 && ended != summary.taken, "rows are not accounted for"),
        ];
        let claims = claims.into_iter().filter(|(is, _)| *is).map(|(_, what)| what.to_owned());
        faults.extend(wrong.chain(claims).map(|what| (Fault::Untrue, 1, format!("{what}\n{}", call.text()))));
    }
    let left = items.iter().filter(|item| item.state == "removed").count() as u64;
    let once = race.kind.appends() && matches!(race.mode, Mode::Run | Mode::Kill | Mode::Pair);
    if once && removed > left {
        faults.push((Fault::Untrue, removed - left, format!("{removed} rows are reported to have left, {left} did")));
    }
    faults
}

/// What is wrong with an exit code by itself.
fn code(call: &Told, race: &Race) -> Option<String> {
    let late = call.args.iter().any(|word| word == "--late");
    let silent = call.err.trim().is_empty() && !call.out.contains("error");
    match call.code {
        None => Some("ended by a signal".to_owned()),
        Some(3) if silent => Some("exit 3 without a word".to_owned()),
        Some(0 | 1 | 3) => None,
        // A barkeep that has no such flag brings nothing back, which is seen in the bytes; and more rows may have come
        // too late since their number was asked for.
        Some(2 | 4) if late => None,
        Some(4) if race.who == Who::OtherBarkeep => None,
        Some(5) if race.mode == Mode::Pair => None,
        Some(5) => Some("exit 5, and no other is alive".to_owned()),
        Some(other) => Some(format!("exit {other}")),
    }
}
