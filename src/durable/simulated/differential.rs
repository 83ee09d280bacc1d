//! Compares the simulated file system with the one of the machine: the same random calls on both, compared after each.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::random::Random;
use super::{Outside, World};
use crate::durable::system::System;
use crate::durable::{Attributes, Disk, FileSystem, Held, Locked, Opened, Output};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "folder", "folder/e"];

/// One of the two sides.
struct Side {
    disk: Arc<dyn FileSystem>,
    root: PathBuf,
    world: Option<World>,
    opened: Vec<Arc<dyn Opened>>,
    outputs: Vec<Box<dyn Output>>,
    leases: Vec<Box<dyn Held>>,
    locks: Vec<Box<dyn Locked>>,
    outside: Vec<Writer>,
    last: BTreeMap<&'static str, Attributes>,
}

/// Somebody else who has a file open for writing.
enum Writer {
    Real(File),
    Simulated(Outside),
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Create(usize),
    Append(usize),
    Write(usize, usize),
    Close(usize),
    Open(usize),
    Forget(usize),
    Read(usize),
    Sync(usize),
    MakeFolder(usize),
    SyncFolder(usize),
    Rename(usize, usize),
    Exchange(usize, usize),
    Link(usize, usize),
    Remove(usize),
    Lease(usize),
    Unbroken(usize),
    GiveBack(usize),
    Lock(usize),
    WriteLocked(usize),
    Unlock(usize),
    OpenOutside(usize, bool),
    WriteOutside(usize),
    CloseOutside(usize),
    Names(usize),
}

fn draw(random: &mut Random) -> Call {
    let (one, other, at) = (random.index(NAMES.len()), random.index(NAMES.len()), random.index(1000));
    match random.below(30) {
        0 | 1 => Call::Create(one),
        2 => Call::Append(one),
        3 | 4 => Call::Write(at, random.index(20)),
        5 | 6 => Call::Close(at),
        7 | 8 => Call::Open(one),
        9 => Call::Forget(at),
        10 => Call::Read(at),
        11 => Call::Sync(at),
        12 => Call::MakeFolder(one),
        13 => Call::SyncFolder(one),
        14 => Call::Rename(one, other),
        15 | 16 => Call::Exchange(one, other),
        17 => Call::Link(one, other),
        18 => Call::Remove(one),
        19 | 20 => Call::Lease(at),
        21 | 22 => Call::Unbroken(at),
        23 => Call::GiveBack(at),
        24 => Call::Lock(one),
        25 => Call::WriteLocked(at),
        26 => Call::Unlock(at),
        27 => Call::OpenOutside(one, random.once_in(3)),
        28 => Call::WriteOutside(at),
        _ if random.once_in(2) => Call::CloseOutside(at),
        _ => Call::Names(one),
    }
}

fn at<T>(list: &mut [T], index: usize) -> Option<&mut T> {
    let length = list.len().max(1);
    list.get_mut(index % length)
}

fn take<T>(list: &mut Vec<T>, index: usize) -> Option<T> {
    (!list.is_empty()).then(|| list.remove(index % list.len()))
}

/// What a call said, as both sides should.
fn said<T>(result: io::Result<T>, keep: impl FnOnce(T) -> String) -> String {
    match result {
        Ok(value) => keep(value),
        Err(error) => format!("{:?}", error.raw_os_error()),
    }
}

/// Keeps what a call gave.
fn kept<T>(list: &mut Vec<T>, value: T) -> String {
    list.push(value);
    "done".to_owned()
}

impl Side {
    fn new(disk: Arc<dyn FileSystem>, root: &Path, world: Option<World>) -> Self {
        let (opened, outputs, leases, locks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (outside, last) = (Vec::new(), BTreeMap::new());
        Self { disk, root: root.to_owned(), world, opened, outputs, leases, locks, outside, last }
    }

    fn path(&self, name: usize) -> PathBuf {
        self.root.join(NAMES[name])
    }

    fn call(&mut self, call: Call) -> String {
        let done = |()| "done".to_owned();
        match call {
            Call::Create(name) => said(self.disk.create(&self.path(name)), |new| kept(&mut self.outputs, new)),
            Call::Append(name) => said(self.disk.append(&self.path(name)), |new| kept(&mut self.outputs, new)),
            Call::Write(index, length) => at(&mut self.outputs, index).map_or_else(String::new, |output| {
                said(output.write(&vec![b'w'; length]), |length| length.to_string())
            }),
            Call::Close(index) => take(&mut self.outputs, index).map_or_else(String::new, |_| "closed".to_owned()),
            Call::Open(name) => said(self.disk.open(&self.path(name)), |new| kept(&mut self.opened, new)),
            Call::Forget(index) => take(&mut self.opened, index).map_or_else(String::new, |_| "closed".to_owned()),
            Call::Read(index) => at(&mut self.opened, index).map_or_else(String::new, |opened| {
                let mut buffer = [0; 64];
                said(opened.read_at(&mut buffer, 3), |length| format!("{:?}", &buffer[..length]))
            }),
            Call::Sync(index) => {
                at(&mut self.opened, index).map_or_else(String::new, |opened| said(opened.sync(), done))
            }
            Call::MakeFolder(name) => said(self.disk.make_folder(&self.path(name)), done),
            Call::SyncFolder(name) => said(self.disk.sync_folder(&self.path(name)), done),
            Call::Rename(from, to) => said(self.disk.rename(&self.path(from), &self.path(to)), done),
            Call::Exchange(one, other) => said(self.disk.exchange(&self.path(one), &self.path(other)), done),
            Call::Link(from, to) => said(self.disk.link(&self.path(from), &self.path(to)), done),
            Call::Remove(name) => said(self.disk.remove(&self.path(name)), done),
            Call::Lease(index) => at(&mut self.opened, index)
                .map(|opened| opened.lease())
                .map_or_else(String::new, |lease| said(lease, |lease| kept(&mut self.leases, lease))),
            Call::Unbroken(index) => {
                at(&mut self.leases, index).map_or_else(String::new, |lease| lease.is_unbroken().to_string())
            }
            Call::GiveBack(index) => {
                take(&mut self.leases, index).map_or_else(String::new, |_| "given back".to_owned())
            }
            Call::Lock(name) => said(self.disk.lock(&self.path(name)), |lock| {
                let had = lock.is_some();
                self.locks.extend(lock);
                had.to_string()
            }),
            Call::WriteLocked(index) => at(&mut self.locks, index).map_or_else(String::new, |lock| {
                said(lock.write(b"locked").and_then(|()| lock.read()), |bytes| format!("{bytes:?}"))
            }),
            Call::Unlock(index) => take(&mut self.locks, index).map_or_else(String::new, |_| "unlocked".to_owned()),
            Call::OpenOutside(name, truncate) => {
                said(self.open_outside(name, truncate), |writer| kept(&mut self.outside, writer))
            }
            Call::WriteOutside(index) => match at(&mut self.outside, index) {
                Some(Writer::Real(file)) => said(file.write_all(b"outside"), done),
                Some(Writer::Simulated(file)) => {
                    file.write(b"outside");
                    "done".to_owned()
                }
                None => String::new(),
            },
            Call::CloseOutside(index) => {
                take(&mut self.outside, index).map_or_else(String::new, |_| "closed".to_owned())
            }
            Call::Names(name) => said(self.disk.names(&self.path(name)), |mut names| {
                names.sort();
                format!("{names:?}")
            }),
        }
    }

    fn open_outside(&self, name: usize, truncate: bool) -> io::Result<Writer> {
        if let Some(world) = &self.world {
            return world.open_outside(self.path(name), truncate).map(Writer::Simulated);
        }
        let flags = OFlags::NONBLOCK | OFlags::APPEND | if truncate { OFlags::TRUNC } else { OFlags::empty() };
        let options = OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).to_owned();
        options.open(self.path(name)).map(Writer::Real)
    }

    /// Everything there is to see: kinds, lengths, links, which names are the same file, contents; and which of those
    /// whose file is `same` as before have new times.
    fn state(&mut self, same: Option<&[bool]>) -> (String, Vec<bool>, String) {
        let looks: Vec<_> = (0..NAMES.len()).map(|name| self.disk.look(&self.path(name))).collect();
        let (mut seen, mut kept, mut times) = (String::new(), Vec::new(), String::new());
        for (name, look) in looks.iter().enumerate() {
            let Ok(Some(now)) = look else {
                seen += &format!("{}: {:?}\n", NAMES[name], look.as_ref().err().and_then(io::Error::raw_os_error));
                self.last.remove(NAMES[name]);
                kept.push(false);
                continue;
            };
            let file = now.kind == crate::durable::Kind::File;
            let first = looks.iter().position(|other| matches!(other, Ok(Some(other)) if other.id == now.id));
            let data = file.then(|| Disk::of(Arc::clone(&self.disk)).read(&self.path(name)).ok());
            let facts = file.then_some((now.length, now.links));
            seen += &format!("{}: {:?} {facts:?} {first:?} {data:?}\n", NAMES[name], now.kind);
            let last = self.last.insert(NAMES[name], *now);
            let own = last.is_some_and(|last| last.id == now.id);
            kept.push(own);
            if let Some(last) = last
                && file
                && same.map_or(own, |same| same[name])
            {
                let changed = (last.modified != now.modified, last.changed != now.changed);
                times += &format!("{}: {changed:?}\n", NAMES[name]);
            }
        }
        (seen, kept, times)
    }
}

/// Whether the call would wait for a lease on the machine, which no test should; and folders are not moved.
fn skipped(world: &World, root: &Path, call: Call) -> bool {
    let ino = |name: usize| world.state().core.find(&root.join(NAMES[name])).ok();
    let folder = |name| ino(name).is_some_and(|ino| world.state().core.inodes[ino].kind == super::Kind::Folder);
    match call {
        Call::Append(name) | Call::Lock(name) => {
            ino(name).is_some_and(|ino| !world.state().core.inodes[ino].leases.is_empty())
        }
        Call::Rename(one, other) | Call::Exchange(one, other) => folder(one) || folder(other),
        _ => false,
    }
}

/// Whether the machine shows every change of a file that was looked at by a new time.
fn shows_every_change(folder: &Path) -> bool {
    let path = folder.join("probe");
    let mut last = None;
    let reported = (0..50).all(|_| {
        OpenOptions::new().append(true).create(true).open(&path).unwrap().write_all(b"x").unwrap();
        let now = std::fs::metadata(&path).unwrap().modified().unwrap();
        last.replace(now) != Some(now)
    });
    std::fs::remove_file(path).unwrap();
    reported
}

fn compare(folder: &Path, seeds: std::ops::Range<u64>) -> BTreeMap<String, usize> {
    let strict = shows_every_change(folder);
    let mut said = BTreeMap::new();
    for seed in seeds {
        let dir = tempfile::tempdir_in(folder).unwrap();
        let world = World::new(seed);
        world.put_folder("/root");
        let mut real = Side::new(Arc::new(System::new()), dir.path(), None);
        let mut simulated = Side::new(world.process(), Path::new("/root"), Some(world.clone()));
        let mut random = Random::new(seed);
        let mut calls = Vec::new();
        for _ in 0..60 {
            let call = draw(&mut random);
            if skipped(&world, Path::new("/root"), call) {
                continue;
            }
            let answer = (real.call(call), simulated.call(call));
            let kind = format!("{call:?}");
            let kind = kind.split('(').next().unwrap_or_default();
            *said.entry(format!("{kind}: {}", answer.0.get(..12).unwrap_or(&answer.0))).or_insert(0) += 1;
            calls.push((call, answer.0.clone()));
            assert_eq!(answer.0, answer.1, "seed {seed}: {calls:#?}");
            let (theirs, same, new) = simulated.state(None);
            let (ours, _, newer) = real.state(Some(&same));
            assert_eq!(ours, theirs, "seed {seed}: {calls:#?}");
            assert!(!strict || newer == new, "seed {seed}: {calls:#?}\nreal: {newer}\nsimulated: {new}");
        }
    }
    said
}

#[test]
fn the_simulated_file_system_says_what_the_one_of_the_machine_says() {
    let memory = Path::new("/dev/shm");
    let mut said = compare(&std::env::temp_dir(), 0..40);
    if memory.is_dir() {
        for (what, times) in compare(memory, 40..500) {
            *said.entry(what).or_insert(0) += times;
        }
    }
    // What matters must have happened, and on both sides.
    for what in [
        "Lease: done",
        "Lease: Some(11)",
        "Unbroken: true",
        "Unbroken: false",
        "OpenOutside: Some(11)",
        "Exchange: done",
    ] {
        assert!(said.get(what).is_some_and(|times| *times > 3), "{what}: {said:#?}");
    }
}
