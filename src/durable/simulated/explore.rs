//! Runs processes in worlds, alone or two at once, over many seeds.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::World;
use super::process::{Crashed, Process};
use crate::durable::Disk;

/// The seed to try instead of all others.
const SEED: &str = "BARKEEP_SEED";
/// How much of what happened is reported of a fault.
const TOLD: usize = 400;

impl World {
    /// Runs `work` as a process of its own; `None` when it crashed. What it left open is given back then.
    pub(crate) fn run<T>(&self, work: impl FnOnce(Disk) -> T) -> Option<T> {
        let process = self.new_process();
        let result = run(&process, work);
        process.end();
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// Runs two processes at the same time; which of them does the next call is drawn. A crash by [`World::crash_at`]
    /// kills the one whose call it is.
    pub(crate) fn run_two<T: Send>(
        &self,
        one: impl FnOnce(Disk) -> T + Send,
        other: impl FnOnce(Disk) -> T + Send,
    ) -> (Option<T>, Option<T>) {
        let (first, second) = (self.new_process(), self.new_process());
        let mut state = self.state();
        state.players = vec![first.id, second.id];
        state.turn = if state.core.random.once_in(2) { first.id } else { second.id };
        state.switch = [2, 8, 30][state.core.random.index(3)];
        drop(state);
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(|| play(&second, other));
            let one = play(&first, one);
            (one, other.join().unwrap_or_else(Err))
        });
        let reported = |result: Result<_, _>| result.unwrap_or_else(|payload| resume_unwind(payload));
        (reported(one), reported(other))
    }
}

/// Runs a process that has to wait for its turn.
fn play<T>(process: &Process, work: impl FnOnce(Disk) -> T) -> Result<Option<T>, Box<dyn Any + Send>> {
    drop(process.world.wait(process.world.lock(), process.id));
    let result = run(process, work);
    process.end();
    result
}

fn run<T>(process: &Process, work: impl FnOnce(Disk) -> T) -> Result<Option<T>, Box<dyn Any + Send>> {
    let disk = Disk::of(Arc::new(process.clone()));
    match catch_unwind(AssertUnwindSafe(|| work(disk))) {
        Ok(value) => Ok(Some(value)),
        Err(payload) if payload.is::<Crashed>() => Ok(None),
        Err(payload) => Err(payload),
    }
}

/// Tries `check` in a new world for every seed, and panics with the first seed in whose world it finds a fault, what
/// the fault is, and what happened. `BARKEEP_SEED` tries that seed alone.
pub(crate) fn explore(seeds: Range<u64>, check: impl Fn(&World) -> Result<(), String>) {
    let seeds = match std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => seeds,
    };
    if let Some(fault) = find_fault(seeds, check) {
        panic!("{fault}");
    }
}

/// The same; returns what it found. The message begins with the seed.
pub(crate) fn find_fault(seeds: Range<u64>, check: impl Fn(&World) -> Result<(), String>) -> Option<String> {
    let fault = |world: &World| match catch_unwind(AssertUnwindSafe(|| check(world))) {
        Ok(result) => result.err(),
        Err(payload) => Some(message(payload.as_ref())),
    };
    seeds.into_iter().find_map(|seed| {
        let found = fault(&World::new(seed))?;
        let world = World::new(seed);
        world.trace();
        let again = fault(&world);
        let reported = world.reported();
        let tail = reported[reported.len().saturating_sub(TOLD)..].join("\n");
        let same = again.as_ref() == Some(&found);
        let repeat = if same { format!("{SEED}={seed} repeats it") } else { format!("the second time: {again:?}") };
        Some(format!("seed {seed}: {found}\n{repeat}\n{tail}"))
    })
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
