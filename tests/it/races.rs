//! barkeep beside loaders that write at the same time: no good row is lost, none is there twice, and every message is true.
//!
//! `BARKEEP_RACES` says how many races there are, `BARKEEP_RACE_SEED` runs a single one again, and `BARKEEP_RACE_SERIES`
//! chooses others. 2,000 and more have large files among them.

mod calls;
mod loader;
mod messages;
mod mounts;
mod oracle;
mod ownership;
mod plan;
mod rows;
mod scene;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use mounts::Mounts;
use oracle::Fault;
use plan::{Race, Who};
use scene::Ended;

/// Races that run at the same time: they wait for most of it.
const TOGETHER: usize = 6;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What may be done here, and what is left out.
struct Rights {
    users: bool,
    namespaces: bool,
}

impl Rights {
    fn new(mounts: &Mounts) -> Self {
        let can = |words: &[&str]| {
            let output = Command::new(words[0]).args(&words[1..]).output();
            output.is_ok_and(|output| output.status.success())
        };
        let program = std::env::current_exe().unwrap().display().to_string();
        let rights = Self {
            users: can(&[
                "setpriv",
                "--reuid=5001",
                "--regid=6001",
                "--groups=6000",
                &program,
                "--list",
                "--exact",
                "-",
            ]),
            namespaces: can(&["unshare", "--pid", "--fork", "--mount-proc", "true"]),
        };
        let missing = [(rights.users, "loaders of other users"), (rights.namespaces, "other PID namespaces")];
        let missing = missing.iter().filter(|(is, _)| !is).map(|(_, what)| (*what).to_owned());
        for what in mounts.left_out.iter().cloned().chain(missing) {
            eprintln!("left out: {what}");
        }
        rights
    }

    fn fit(&self, mut race: Race) -> Race {
        let may = match race.who {
            Who::Same => true,
            Who::OtherLoader | Who::OtherBarkeep => self.users,
            Who::OtherNamespace => self.namespaces,
        };
        if !may {
            race.who = Who::Same;
        }
        race
    }
}

/// Says now and then how far it is, so that long series may be cut short, and of a fault at once.
fn progress(ended: &[(Race, Ended)], all: usize) {
    let faulty = ended.iter().filter(|(_, end)| !end.faults.is_empty()).count();
    let (race, end) = &ended[ended.len() - 1];
    if ended.len().is_multiple_of(100) || !end.faults.is_empty() {
        let large = ended.iter().filter(|(race, _)| race.size >= 20_000_000).count();
        let done = ended.len();
        eprintln!(
            "{done} of {all} races, {large} of them over 20 MB and more, {faulty} with a fault; seed {}",
            race.seed
        );
        for (fault, rows, shows) in &end.faults {
            eprintln!("  {fault:?} {rows}: {}", shows.chars().take(1500).collect::<String>());
        }
    }
}

/// Runs races, several at once, and gives what they came to.
fn all(count: u64, series: u64, idle: bool) -> Vec<(Race, Ended)> {
    let mounts = Mounts::new();
    let rights = Rights::new(&mounts);
    let seeds: Vec<u64> = match number("BARKEEP_RACE_SEED") {
        Some(seed) => vec![seed],
        None => (0..count).map(|index| plan::seed(series, index)).collect(),
    };
    let large = number("BARKEEP_RACES").is_some_and(|races| races >= 2000);
    let (next, ended) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER.min(seeds.len()) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
                    let race = rights.fit(Race::of(*seed, large));
                    let (system, folder) = mounts.folder(race.system);
                    let race = Race { system, ..race };
                    let end = scene::run(&race, folder, idle);
                    let mut ended = ended.lock().unwrap();
                    ended.push((race, end));
                    progress(&ended, seeds.len());
                }
            });
        }
    });
    ended.into_inner().unwrap()
}

/// Every fault with the race it is of, and a table of them by kind of loader.
fn tell(ended: &[(Race, Ended)]) -> String {
    let mut text = String::new();
    for (race, end) in ended.iter().filter(|(_, end)| !end.faults.is_empty() || ended.len() == 1) {
        writeln!(text, "\nBARKEEP_RACE_SEED={} {race:?}", race.seed).unwrap();
        for (fault, rows, shows) in &end.faults {
            writeln!(text, "  {fault:?} {rows}: {}", shows.chars().take(1500).collect::<String>()).unwrap();
        }
        if ended.len() == 1 {
            writeln!(text, "{}", end.said).unwrap();
        }
    }
    let mut kinds: BTreeMap<String, Vec<&Ended>> = BTreeMap::new();
    for (race, end) in ended {
        kinds.entry(format!("{:?} {:?}", race.kind, race.mode)).or_default().push(end);
        kinds.entry(format!("on {}", race.system)).or_default().push(end);
        kinds.entry(format!("with {:?}", race.who)).or_default().push(end);
        kinds.entry("(all)".to_owned()).or_default().push(end);
    }
    writeln!(text, "\n{:<22} races moved   rows loaded  races (rows) by fault", "").unwrap();
    for (kind, ends) in kinds {
        let moved = ends.iter().filter(|end| end.moved > 0).count();
        let loaded: u64 = ends.iter().map(|end| end.loaded).sum();
        let mut faults: BTreeMap<&Fault, (usize, u64)> = BTreeMap::new();
        for end in &ends {
            let mut of: BTreeMap<&Fault, u64> = BTreeMap::new();
            end.faults.iter().for_each(|(fault, rows, _)| *of.entry(fault).or_default() += rows);
            for (fault, rows) in of {
                let (races, all) = faults.entry(fault).or_default();
                (*races, *all) = (*races + 1, *all + rows);
            }
        }
        let faults: Vec<String> =
            faults.iter().map(|(fault, (races, rows))| format!("{fault:?} {races} ({rows})")).collect();
        writeln!(text, "{kind:<22} {:>5} {moved:>5} {loaded:>13}  {}", ends.len(), faults.join(", ")).unwrap();
    }
    text
}

fn count() -> u64 {
    let usual = if std::env::var_os("CI").is_some() { 200 } else { 40 };
    number("BARKEEP_RACES").unwrap_or(usual)
}

fn series() -> u64 {
    number("BARKEEP_RACE_SERIES").unwrap_or(7)
}

#[test]
fn no_row_is_lost_beside_a_loader_and_every_message_is_true() {
    let ended = all(count(), series(), false);
    let output = tell(&ended);
    eprintln!("{output}");
    assert!(ended.iter().all(|(_, end)| end.faults.is_empty()), "{output}");
    let moved = ended.iter().filter(|(_, end)| end.moved > 0).count();
    assert!(ended.len() < 10 || moved * 3 > ended.len(), "rows were moved in {moved} of {} races", ended.len());
}

#[test]
fn a_barkeep_that_moves_nothing_is_blamed_for_nothing() {
    let ended = all(count().div_ceil(4), series(), true);
    let output = tell(&ended);
    assert!(ended.iter().all(|(_, end)| end.faults.is_empty() && end.moved == 0), "{output}");
}
