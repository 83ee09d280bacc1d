//! The world behind its lock: who acts when, and what a crash ends.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Crash;
use super::core::Core;
use super::inode::Actor;
use super::writer::Writer;

pub(super) struct Shared {
    state: Mutex<State>,
    /// Tells processes that run at the same time that the turn was passed on.
    turn: Condvar,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("World")
    }
}

impl Shared {
    pub(super) fn new(core: Core) -> Self {
        let (writers, processes, players) = (Vec::new(), Vec::new(), Vec::new());
        let state = State { core, writers, processes, players, turn: 0, switch: 2, calls: 0, crash: None };
        Self { state: Mutex::new(state), turn: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that fails in between is reported by its own panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notify(&self) {
        self.turn.notify_all();
    }

    /// Waits until it is this process's turn; one that runs alone always has it.
    pub(super) fn wait<'a>(&self, mut state: MutexGuard<'a, State>, process: usize) -> MutexGuard<'a, State> {
        while state.players.contains(&process) && state.turn != process {
            state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) core: Core,
    pub(super) writers: Vec<Writer>,
    /// Whether each process is still alive.
    pub(super) processes: Vec<bool>,
    /// Processes that run at the same time, of which one has the turn.
    pub(super) players: Vec<usize>,
    pub(super) turn: usize,
    /// The turn is passed on once in so many calls.
    pub(super) switch: u64,
    /// Calls of all processes so far.
    pub(super) calls: u64,
    /// The crash to come and the call it comes before.
    pub(super) crash: Option<(u64, Crash)>,
}

impl State {
    /// Lets time pass while writers act; nobody else does.
    pub(super) fn pass(&mut self, nanoseconds: u64) {
        let until = self.core.clock + i128::from(nanoseconds);
        while let Some((wake, writer)) = self.next().filter(|(wake, _)| *wake <= until) {
            self.core.clock = self.core.clock.max(wake);
            self.writers[writer].step(&mut self.core);
        }
        self.core.clock = self.core.clock.max(until);
    }

    fn next(&self) -> Option<(i128, usize)> {
        let wakes = self.writers.iter().enumerate();
        wakes.filter_map(|(index, writer)| Some((writer.wake(&self.core)?, index))).min()
    }

    /// Lets all writers act until they are done.
    pub(super) fn finish(&mut self) {
        self.start_writers(u64::MAX);
        while let Some((wake, writer)) = self.next() {
            self.core.clock = self.core.clock.max(wake);
            self.writers[writer].step(&mut self.core);
        }
    }

    pub(super) fn start_writers(&mut self, calls: u64) {
        for writer in &mut self.writers {
            writer.start(calls, &mut self.core);
        }
    }

    /// Ends a process, or everything; the turn goes to another one.
    pub(super) fn crash(&mut self, process: usize, kind: Crash) {
        let power = kind == Crash::Power;
        for (id, alive) in self.processes.iter_mut().enumerate() {
            *alive = *alive && !power && id != process;
        }
        self.players.retain(|id| !power && *id != process);
        self.turn = self.players.first().copied().unwrap_or_default();
        self.core.crash(kind, |actor| actor == Actor::Process(process));
        if power {
            for writer in &mut self.writers {
                writer.restart(&mut self.core);
            }
        }
    }

    /// Gives the turn to whoever is drawn.
    pub(super) fn pass_turn(&mut self) {
        if self.players.len() > 1 && self.core.random.once_in(self.switch) {
            self.turn = self.players[self.core.random.index(self.players.len())];
        }
    }
}
