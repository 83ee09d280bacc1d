//! What starts a job when it is due: a line for cron, units of systemd, an object of Kubernetes.

use std::path::Path;

use super::cron::CronFields;
use super::plan::{CatchUp, Schedule};
use super::wall::{Wall, pattern};

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// The command that is started.
#[derive(Debug, Clone, Copy)]
pub struct Command<'a> {
    /// The name of the job, of a-z, 0-9, `-` and `_`.
    pub name: &'a str,
    /// The program.
    pub program: &'a Path,
    /// The job file.
    pub job: &'a Path,
    /// The two with `run`, as a line of a shell.
    pub shell: &'a str,
}

/// A file that is to be put somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Lines of a table of cron that start `command` by `schedule` as it is after `now`, µs UTC.
///
/// # Errors
/// A sentence: the calendar of the schedule has no session any more, or the command is not one line.
pub fn cron_table(schedule: &Schedule, command: &Command<'_>, now: i64) -> Result<Exported, String> {
    let wall = Wall::of(schedule, now)?;
    if command.shell.contains(['\n', '\r']) {
        return Err("a line break in a path cannot stand in a table of cron".to_owned());
    }
    // cron takes `%` for the end of the line.
    let shell = command.shell.replace('%', "\\%");
    let limit = schedule.max_time.map(|span| format!("timeout {} ", span.num_seconds())).unwrap_or_default();
    let line = |fields: &CronFields| format!("{} {limit}{shell}", pattern(fields));
    let mut text = format!("# barkeep job {}\n", command.name);
    text.extend(wall.notes.iter().map(|note| format!("# {note}\n")));
    text.push_str(no_jitter(schedule));
    text.push_str(&format!(
        "# cronie (Fedora, RHEL, Arch) reads CRON_TZ, and it holds for all lines below it. The crons of Debian, Ubuntu, macOS\n\
         # and BusyBox ignore it and go by the clock of the machine: there this line is right only where that shows {}.\n\
         CRON_TZ={}\n{}\n",
        wall.zone,
        wall.zone,
        line(&wall.fields)
    ));
    text.push_str(&match wall.in_utc(now) {
        Some(fields) => format!(
            "# The same where the clock of the machine shows UTC, in the place of the two lines above:\n# {}\n",
            line(&fields)
        ),
        None => format!("# No one line says the same in UTC: {} changes its clocks, or the dates would.\n", wall.zone),
    });
    Ok(Exported { name: format!("barkeep-{}.cron", command.name), text })
}

/// The service and the timer of systemd.
///
/// # Errors
/// A sentence: as [`cron_table`].
pub fn systemd(schedule: &Schedule, command: &Command<'_>, now: i64) -> Result<[Exported; 2], String> {
    let wall = Wall::of(schedule, now)?;
    let unit = format!("barkeep-{}", command.name);
    let words = [systemd_word(command.program)?, "run".to_owned(), systemd_word(command.job)?].join(" ");
    let limit = match schedule.max_time {
        Some(span) => format!("TimeoutStartSec={}\n", span.num_seconds()),
        None => String::new(),
    };
    let service = format!(
        "[Unit]\nDescription=barkeep job {name}\nWants=network-online.target\nAfter=network-online.target\n\n\
         [Service]\nType=oneshot\nExecStart={words}\n# 1 says that there are findings, which is no failure of the service.\n\
         SuccessExitStatus=1\n{limit}",
        name = command.name
    );
    let notes: String = wall.notes.iter().map(|note| format!("# {note}\n")).collect();
    let jitter = match schedule.jitter.num_seconds() {
        0 => String::new(),
        seconds => format!("RandomizedDelaySec={seconds}\nFixedRandomDelay=true\n"),
    };
    let persistent = match schedule.catch_up {
        CatchUp::None => "Persistent=false\n",
        CatchUp::Latest | CatchUp::All => {
            "# A run that was due while the machine was off is made up for.\nPersistent=true\n"
        }
    };
    let times: String = on_calendar(&wall).iter().map(|time| format!("OnCalendar={time}\n")).collect();
    let timer = format!(
        "[Unit]\nDescription=When the barkeep job {name} is due\n\n[Timer]\n{notes}{times}{jitter}{persistent}\
         Unit={unit}.service\n\n[Install]\nWantedBy=timers.target\n",
        name = command.name
    );
    let file = |ending: &str, text: String| Exported { name: format!("{unit}.{ending}"), text };
    Ok([file("service", service), file("timer", timer)])
}

/// Times as systemd reads them; where days of the month and of the week are both set, one for each, as cron means it.
fn on_calendar(wall: &Wall) -> Vec<String> {
    let CronFields { minutes, hours, days, months, weekdays } = &wall.fields;
    let two = |values: &Vec<u16>| values.iter().map(|value| format!("{value:02}")).collect::<Vec<_>>().join(",");
    let all = |values: &Vec<u16>, count: usize| if values.len() == count { "*".to_owned() } else { two(values) };
    let of = |values: &Option<Vec<u16>>| values.as_ref().map_or_else(|| "*".to_owned(), two);
    let clock = format!("{}:{}:00 {}", all(hours, 24), all(minutes, 60), wall.zone);
    let named = weekdays.as_ref().map(|weekdays| {
        // Monday first, as systemd counts.
        let mut weekdays: Vec<u16> = weekdays.clone();
        weekdays.sort_by_key(|day| (day + 6) % 7);
        weekdays.iter().filter_map(|day| WEEKDAYS.get(usize::from(*day)).copied()).collect::<Vec<_>>().join(",")
    });
    let date = |days: &Option<Vec<u16>>| format!("*-{}-{}", of(months), of(days));
    match (named, days) {
        (Some(named), Some(_)) => vec![format!("{} {clock}", date(days)), format!("{named} {} {clock}", date(&None))],
        (Some(named), None) => vec![format!("{named} {} {clock}", date(&None))],
        (None, _) => vec![format!("{} {clock}", date(days))],
    }
}

/// A path as one word of `ExecStart`.
pub(super) fn systemd_word(path: &Path) -> Result<String, String> {
    let text = path.to_str().ok_or_else(|| format!("`{}` is not UTF-8, as units of systemd are", path.display()))?;
    let mut word = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            // Specifiers and variables.
            '%' | '$' => word.extend([c, c]),
            c if c.is_ascii_control() => word.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => word.push(c),
        }
    }
    word.push('"');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@=".contains(c);
    Ok(if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { word })
}

/// The `CronJob` of Kubernetes, which runs `image`.
///
/// # Errors
/// A sentence: as [`cron_table`].
pub fn kubernetes(schedule: &Schedule, command: &Command<'_>, image: &str, now: i64) -> Result<Exported, String> {
    let wall = Wall::of(schedule, now)?;
    let path = |path: &Path| {
        let text = path.to_str().ok_or_else(|| format!("`{}` is not UTF-8, as YAML is", path.display()))?;
        Ok::<_, String>(quoted(text))
    };
    let name = format!("barkeep-{}", command.name.replace('_', "-"));
    let name = name.trim_end_matches('-');
    if name.len() > 52 {
        return Err(format!("`{name}` is too long for a CronJob, whose name has 52 characters at most"));
    }
    let notes: String = wall.notes.iter().map(|note| format!("# {note}\n")).collect();
    let limit = schedule.max_time.map(|span| format!("      activeDeadlineSeconds: {}\n", span.num_seconds()));
    let text = format!(
        "{notes}{no_jitter}apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: {name}\nspec:\n  schedule: {schedule}\n  timeZone: {zone}\n  \
         concurrencyPolicy: Forbid\n  jobTemplate:\n    spec:\n      # A run with findings ends with 1, which counts as failed: it is not to be repeated for that.\n      \
         backoffLimit: 0\n{limit}      template:\n        spec:\n          restartPolicy: Never\n          containers:\n            \
         - name: barkeep\n              image: {image}\n              command: [{program}, \"run\", {job}]\n              \
         # Mount the folders of the job, its rules, bars, reports and quarantine; reports and quarantine must last.\n",
        no_jitter = no_jitter(schedule),
        name = quoted(name),
        schedule = quoted(&pattern(&wall.fields)),
        zone = quoted(wall.zone.name()),
        limit = limit.unwrap_or_default(),
        image = quoted(image),
        program = path(command.program)?,
        job = path(command.job)?,
    );
    Ok(Exported { name: format!("{name}.yaml"), text })
}

/// That a scheduler starts jobs at their moments, where the job wants them spread.
fn no_jitter(schedule: &Schedule) -> &'static str {
    match schedule.jitter.is_zero() {
        true => "",
        false => "# `jitter` has no effect here: the run starts at its moment.\n",
    }
}

/// A string of YAML: one of JSON is.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
