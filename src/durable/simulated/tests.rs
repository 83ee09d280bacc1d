use std::io::Write;

use super::*;
use crate::durable::Disk;

const FILE: &str = "/data/bars.csv";
const OLD: &[u8] = b"old row 1\nold row 2\nold row 3\n";
const NEW: &[u8] = b"new row 1\nnew row 2\nnew row 3\nnew row 4\n";

/// A world with a file and loaders that begin somewhere among the first `calls` calls.
fn loaders(world: &World, kinds: &[Loader], calls: u64) {
    world.put(FILE, OLD);
    for kind in kinds {
        let start = Start::Call(world.below(calls));
        let rest = (1_000, [10_000, 1_000_000, 100_000_000][usize::try_from(world.below(3)).unwrap()]);
        world.add_writer(Plan { start, rest, syncs: world.below(2) == 0, ..Plan::new(*kind, FILE, 6) });
    }
}

fn ended(world: &World, lost: &[u8]) -> Result<(), String> {
    world.finish();
    assert!(world.is_finished());
    let lost: Vec<_> = world.lost(lost).iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    if lost.is_empty() { Ok(()) } else { Err(format!("lost {lost:?}")) }
}

#[test]
fn a_whole_file_is_the_old_or_the_new_one_after_any_power_cut() {
    explore(0..3000, |world| {
        world.put(FILE, OLD);
        let kind = if world.below(2) == 0 { Crash::Power } else { Crash::Kill };
        world.crash_at(1 + world.below(10), kind);
        let path = Path::new(FILE);
        let done = world.run(|disk| disk.write_whole(path, NEW).unwrap()).is_some();
        if world.take_crash() {
            assert!(done);
            world.crash(Crash::Power);
        }
        let now = world.contents(FILE).unwrap_or_default();
        match (done, now.as_slice()) {
            (true, NEW) | (false, OLD | NEW) => {}
            (_, other) => return Err(format!("done: {done}, {}", String::from_utf8_lossy(other))),
        }
        world.run(|disk| disk.write_whole(path, b"again").unwrap());
        assert_eq!(world.contents(FILE).unwrap(), b"again");
        Ok(())
    });
}

/// The same without making the bytes durable before they get their name.
fn write_hastily(disk: &Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = crate::durable::temporary_of(path);
    disk.create(&temporary)?.write_all(bytes)?;
    disk.publish(&temporary, path)
}

#[test]
fn a_power_cut_finds_bytes_that_were_not_made_durable() {
    let fault = find_fault(0..300, |world| {
        world.put(FILE, OLD);
        world.run(|disk| write_hastily(&disk, Path::new(FILE), NEW).unwrap());
        world.crash(Crash::Power);
        let now = world.contents(FILE).unwrap_or_default();
        if now == NEW { Ok(()) } else { Err(format!("{now:?}")) }
    });
    assert!(fault.unwrap().contains("repeats it"));
}

#[test]
fn a_power_cut_finds_a_name_that_was_not_made_durable() {
    let fault = find_fault(0..300, |world| {
        world.put("/data/x", OLD);
        world.run(|disk| disk.link(Path::new("/data/x"), Path::new(FILE)).unwrap());
        world.crash(Crash::Power);
        world.contents(FILE).map(drop).ok_or_else(|| "the name is gone".to_owned())
    });
    assert!(fault.is_some());
}

/// Takes `old row 2` out the way that loses what is appended in between.
fn copy_and_rename(disk: &Disk) -> io::Result<()> {
    let path = Path::new(FILE);
    let bytes = disk.read(path)?.unwrap_or_default();
    let kept: Vec<u8> = log::lines(&bytes).filter(|line| *line != b"old row 2\n").flatten().copied().collect();
    disk.write_whole(path, &kept)
}

const APPEND: Loader = Loader::Append { rows: 1, halves: false };

#[test]
fn a_copy_renamed_over_the_file_is_caught_losing_an_appended_row() {
    let fault = find_fault(0..1000, |world| {
        loaders(world, &[APPEND], 12);
        world.run(|disk| copy_and_rename(&disk).unwrap());
        ended(world, b"old row 1\nold row 3\n")
    });
    let fault = fault.unwrap();
    assert!(fault.contains("lost [\"w0-") && fault.contains("repeats it"), "{fault}");
}

/// The first wording of the protocol for files beside writers: one lease, one look, exchange back.
fn exchange_once(disk: &Disk) -> io::Result<bool> {
    let (path, clean) = (Path::new(FILE), Path::new("/data/.clean"));
    let old = disk.open(path)?;
    let Ok(lease) = old.lease() else { return Ok(false) };
    let bytes = disk.read(path)?.unwrap_or_default();
    let kept: Vec<u8> = log::lines(&bytes).filter(|line| *line != b"old row 2\n").flatten().copied().collect();
    disk.write_whole(clean, &kept)?;
    disk.exchange(path, clean)?;
    if lease.is_unbroken() && disk.look(path)?.is_some() {
        disk.remove(clean)?;
        return Ok(true);
    }
    disk.exchange(path, clean)?;
    disk.remove(clean)?;
    Ok(false)
}

#[test]
fn the_first_wording_with_one_lease_is_caught_losing_a_row_of_several_loaders() {
    let fault = find_fault(0..5000, |world| {
        loaders(world, &[APPEND; 3], 20);
        world.run(|disk| exchange_once(&disk).unwrap());
        ended(world, b"old row 1\nold row 3\n")
    });
    assert!(fault.unwrap().contains("lost [\"w"));
}

#[test]
fn what_only_appends_or_reads_is_never_blamed_for_what_loaders_do() {
    let every = [
        APPEND,
        Loader::Append { rows: 3, halves: false },
        Loader::Append { rows: 2, halves: true },
        Loader::Rename,
        Loader::Truncate,
        Loader::Unlink,
    ];
    explore(0..3000, |world| {
        let mut kinds = vec![every[usize::try_from(world.below(6)).unwrap()]];
        // Half rows of two loaders would mix.
        if !matches!(kinds[0], Loader::Append { halves: true, .. }) {
            kinds.extend([[APPEND, Loader::Rename, Loader::Truncate][usize::try_from(world.below(3)).unwrap()]; 2]);
        }
        loaders(world, &kinds, 10);
        let kind = if world.below(2) == 0 { Crash::Power } else { Crash::Kill };
        world.crash_at(1 + world.below(12), kind);
        world.run(|disk| {
            for _ in 0..3 {
                let file = disk.find(Path::new(FILE)).unwrap();
                let lease = file.as_ref().and_then(|file| file.lease().ok());
                disk.pause(Duration::from_millis(1));
                assert!(lease.is_none_or(|lease| lease.is_unbroken() || !world.is_finished()));
            }
        });
        ended(world, OLD)
    });
}

#[test]
fn what_a_loader_writes_over_is_excused_and_what_it_adds_is_in_the_log() {
    let world = World::new(1);
    world.put(FILE, OLD);
    world.add_writer(Plan { start: Start::Call(2), ..Plan::new(Loader::Rename, FILE, 2) });
    world.add_writer(Plan { start: Start::After(1_000_000_000), ..Plan::new(Loader::Unlink, FILE, 1) });
    world.run(|disk| disk.pause(Duration::from_millis(500)));
    assert!(world.rows().is_empty(), "it waits for the second call");
    world.run(|disk| disk.pause(Duration::from_millis(100)));
    let rows = world.rows();
    assert_eq!(
        rows.iter().map(|row| (row.writer, row.line.as_slice())).collect::<Vec<_>>(),
        [(0, &b"w0-0\n"[..]), (0, b"w0-1\n")]
    );
    assert_eq!(world.contents(FILE).unwrap(), [OLD, b"w0-0\nw0-1\n"].concat());
    assert_eq!(world.all_inodes().last().unwrap().ino, rows[1].ino);
    assert!(!world.is_excused(b"w0-0\n") && world.lost(OLD).is_empty());
    assert_eq!(world.lost(b"never written\n"), [b"never written\n"]);
    world.finish();
    assert!(world.contents(FILE).is_none() && world.is_excused(b"w0-0\n") && world.is_excused(b"old row 1\n"));
    assert!(world.lost(OLD).is_empty());
}

#[test]
fn the_same_seed_does_the_same() {
    let reported = |seed| {
        let world = World::new(seed);
        world.trace();
        loaders(&world, &[APPEND, Loader::Rename, Loader::Truncate], 10);
        world.crash_at(8, Crash::Power);
        world.run_two(|disk| copy_and_rename(&disk).is_ok(), |disk| exchange_once(&disk).is_ok());
        world.finish();
        (world.reported(), world.all_inodes())
    };
    assert_eq!(reported(7), reported(7));
    assert_ne!(reported(7), reported(8));
}

#[test]
fn an_opener_waits_for_the_file_it_resolved_and_writes_there() {
    let (mut waited, mut elsewhere) = (0, 0);
    for seed in 0..200 {
        let world = World::new(seed);
        world.put(FILE, OLD);
        world.put("/data/clean", NEW);
        world.run(|disk| {
            let file = disk.open(Path::new(FILE)).unwrap();
            let lease = file.lease().unwrap();
            world.add_writer(Plan { syncs: true, step: (500, 500_000), ..Plan::new(APPEND, FILE, 1) });
            disk.pause(Duration::from_micros(seed));
            disk.exchange(Path::new(FILE), Path::new("/data/clean")).unwrap();
            disk.pause(Duration::from_secs(1));
            if !lease.is_unbroken() {
                waited += 1;
                assert!(!world.is_finished() && file.lease().is_err(), "it waits");
                assert_eq!(world.contents("/data/clean").unwrap(), OLD);
            }
        });
        world.finish();
        elsewhere += usize::from(world.contents("/data/clean").unwrap() != OLD);
        assert_eq!(world.lost(b""), Vec::<Vec<u8>>::new());
    }
    assert!(waited > 20 && waited < 180, "{waited} of 200 openers came before the exchange");
    assert_eq!(waited, elsewhere);
}

#[test]
fn a_lease_that_is_kept_too_long_is_taken_by_force() {
    let world = World::new(3);
    world.put(FILE, OLD);
    world.set(|settings| settings.break_time = Duration::from_millis(5));
    world.add_writer(Plan::new(APPEND, FILE, 1));
    world.run(|disk| {
        let file = disk.open(Path::new(FILE)).unwrap();
        let lease = file.lease().unwrap();
        disk.pause(Duration::from_millis(50));
        assert!(world.is_finished(), "the writer did not wait for ever");
        assert!(!lease.is_unbroken());
        file.lease().unwrap();
        // Whoever appends to what it has leased itself waits for nobody but the system.
        let lease = disk.open(Path::new(FILE)).unwrap().lease().unwrap();
        let before = disk.elapsed();
        disk.append(Path::new(FILE)).unwrap();
        assert!(disk.elapsed() >= before + Duration::from_millis(5) && !lease.is_unbroken());
    });
}

#[test]
fn one_of_two_processes_has_the_lock_and_a_crash_gives_it_back() {
    let lock = Path::new("/data/.lock");
    let refused = std::cell::Cell::new(0);
    explore(0..300, |world| {
        world.put(FILE, b"0");
        world.crash_at(1 + world.below(60), Crash::Kill);
        let count = |disk: Disk| {
            let mut held = loop {
                match disk.lock(lock).unwrap() {
                    Some(held) => break held,
                    None => disk.pause(Duration::from_micros(200)),
                }
            };
            let number: u32 = String::from_utf8(disk.read(Path::new(FILE)).unwrap().unwrap()).unwrap().parse().unwrap();
            held.write(b"counting").unwrap();
            disk.write_whole(Path::new(FILE), (number + 1).to_string().as_bytes()).unwrap();
            assert_eq!(held.read().unwrap(), b"counting");
        };
        let (one, other) = world.run_two(count, count);
        let done = usize::from(one.is_some()) + usize::from(other.is_some());
        let counted: usize = String::from_utf8(world.contents(FILE).unwrap()).unwrap().parse().unwrap();
        // A killed one may have counted before it was killed.
        assert!(counted == done || (done == 1 && counted == 2), "{counted} of {done}");
        Ok(())
    });
    explore(0..300, |world| {
        world.put_folder("/data");
        let take = |disk: Disk| {
            let held = disk.lock(lock).unwrap();
            disk.pause(Duration::from_millis(1));
            held.is_some()
        };
        match world.run_two(take, take) {
            (Some(true), Some(true)) => {}
            (Some(false), Some(true)) | (Some(true), Some(false)) => refused.set(refused.get() + 1),
            other => return Err(format!("{other:?}")),
        }
        assert_eq!(world.run(take), Some(true));
        world.crash_at(world.calls() + 2, Crash::Kill);
        assert_eq!(world.run(take), None);
        assert_eq!(world.run(take), Some(true));
        Ok(())
    });
    assert!(refused.get() > 20, "{} of 300", refused.get());
}

#[test]
fn settings_are_what_the_system_says() {
    let world = World::new(1);
    world.put(FILE, OLD);
    world.put("/data/b", NEW);
    world.put_link("/data/link");
    world.mount("/data/b").unwrap();
    let other = Ownership { user: 7, group: 7, mode: 0o640, attributes: Vec::new() };
    world.own(FILE, other.clone()).unwrap();
    world.set(|settings| {
        settings.exchange = false;
        settings.give = false;
        settings.lease_error = Some(Errno::ACCESS);
        (settings.leases, settings.file_system) = (false, "nfs".to_owned());
        settings.grain = 4_000_000;
    });
    let disk = Disk::of(world.process());
    let code = |error: io::Error| {
        error.raw_os_error().and_then(|code| Errno::from_io_error(&io::Error::from_raw_os_error(code)))
    };
    assert_eq!(code(disk.exchange(Path::new(FILE), Path::new("/data/b")).unwrap_err()), Some(Errno::INVAL));
    assert_eq!(code(disk.open(Path::new("/data/link")).unwrap_err()), Some(Errno::LOOP));
    let file = disk.open(Path::new("/data/b")).unwrap();
    assert_eq!(code(file.lease().unwrap_err()), Some(Errno::ACCESS));
    let volume = file.volume().unwrap();
    assert_eq!((volume.file_system.as_str(), volume.leases, volume.mount_point), ("nfs", false, true));
    assert!(!disk.open(Path::new(FILE)).unwrap().volume().unwrap().mount_point);
    assert_eq!(disk.open(Path::new(FILE)).unwrap().ownership().unwrap(), other);
    let mut new = disk.create(Path::new("/data/c")).unwrap();
    assert_eq!(new.give(&other).unwrap_err().what, "owner 7");
    world.set(|settings| settings.give = true);
    new.give(&other).unwrap();
    assert_eq!(new.attributes().unwrap().changed % 4_000_000, 0);
    assert_eq!(disk.open(Path::new("/data/c")).unwrap().ownership().unwrap(), other);
    assert_eq!(world.names().len(), 5);
    world.pass(Duration::from_secs(5));
    assert!(disk.elapsed() >= Duration::from_secs(5) && disk.now() > new.attributes().unwrap().modified);
}
