//! What is refused, and that nothing is touched then.

use std::fs::OpenOptions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::mpsc;

use super::*;

const TEXT: &str = "s,n\nA,1\nB,2\nC,3\n";

fn untouched(world: &World) {
    assert_eq!(world.bytes(), world.original);
    assert_eq!(world.beside(), Vec::<String>::new());
}

#[test]
fn a_file_that_changed_since_it_was_evaluated_is_left_alone() {
    let world = World::csv(TEXT);
    let evaluated = world.identify();
    fs::write(world.source(), "s,n\nA,1\nB,9\nC,3\n").unwrap();
    let outcome = world.remove_known(&evaluated, "r", AT, &[2, 3], &|| false).unwrap();
    assert_eq!(outcome.counts, RemovalCounts { planned: 2, kept_changed: 2, ..RemovalCounts::default() });
    assert_eq!(world.text(), "s,n\nA,1\nB,9\nC,3\n");
    assert_eq!(world.ids(), Vec::<String>::new());
    fs::remove_file(world.source()).unwrap();
    let outcome = world.remove_known(&evaluated, "r", AT, &[2, 3], &|| false).unwrap();
    assert_eq!(outcome.counts, RemovalCounts { planned: 2, gone: 2, ..RemovalCounts::default() });
}

#[test]
fn a_row_that_is_not_the_planned_one_stops_everything() {
    let world = World::csv(TEXT);
    let file = world.identify();
    let rows = [Rejected { sha256: Some([7; 32]), ..rejected(2) }];
    let retention = Retention { quarantine: AT, delete: AT };
    let error = remove(world.place(), &world.order(&file, "r", AT, retention, &rows), &|| false).unwrap_err();
    assert!(matches!(error, FilesError::RowDiffers { row: 2, .. }), "{error}");
    untouched(&world);
    assert_eq!(world.recover(), []);
}

#[test]
fn rows_out_of_order_or_beyond_the_end_are_refused() {
    let world = World::csv(TEXT);
    for rows in [&[0][..], &[2, 2], &[3, 1]] {
        assert!(matches!(world.remove(rows), Err(FilesError::Disordered { .. })), "{rows:?}");
    }
    assert!(matches!(world.remove(&[2, 4]), Err(FilesError::RowMissing { row: 4, .. })));
    untouched(&world);
}

#[test]
fn a_link_is_never_replaced() {
    let world = World::csv(TEXT);
    let real = world.fixture.dir.path().join("real");
    fs::rename(world.source(), &real).unwrap();
    symlink(&real, world.source()).unwrap();
    let evaluated = FileIdentity { sha256: Some([0; 32]), ..FileIdentity::of(world.source()).unwrap() };
    let error = world.remove_known(&evaluated, "r", AT, &[1], &|| false).unwrap_err();
    assert!(matches!(error, FilesError::Symlink { .. }), "{error}");
    assert!(matches!(identify(&world.disk, world.source()), Err(FilesError::Symlink { .. })));
    assert_eq!(fs::read(real).unwrap(), TEXT.as_bytes());
}

#[test]
fn a_file_that_somebody_holds_open_is_left_alone_until_it_is_closed() {
    let world = World::csv(TEXT);
    let writer = OpenOptions::new().append(true).open(world.source()).unwrap();
    let file = world.identify();
    let rows = [rejected(1)];
    let retention = Retention { quarantine: AT, delete: AT };
    let order =
        Order { writer_timeout: WriterTimeout(Duration::ZERO), ..world.order(&file, "r", AT, retention, &rows) };
    let outcome = remove(world.place(), &order, &|| false).unwrap();
    assert_eq!(outcome.counts, RemovalCounts { planned: 1, kept_error: 1, ..RemovalCounts::default() });
    let note = outcome.note.unwrap();
    assert!(
        note.contains(&format!("process {} has", std::process::id())) && note.contains("open for writing"),
        "{note}"
    );
    assert!(outcome.busy);
    untouched(&world);
    drop(writer);
    assert_eq!(world.remove(&[1]).unwrap().counts.removed, 1);
}

#[test]
fn a_loader_that_comes_in_the_last_moment_writes_to_the_file_that_has_the_name() {
    let world = World::csv(TEXT);
    let (done, wait) = mpsc::channel();
    let mut done = Some(done);
    world.hooked.set(move |source| {
        // Its `open` waits for the lease, so it needs a thread of its own.
        if let Some(done) = done.take() {
            append(source, "D,4\n", done);
        }
        Ok(())
    });
    let outcome = world.remove(&[1]).unwrap();
    wait.recv().unwrap();
    assert_eq!(outcome.counts, RemovalCounts { planned: 1, removed: 1, ..RemovalCounts::default() });
    assert_eq!(world.text(), "s,n\nB,2\nC,3\nD,4\n");
    assert_eq!(world.strangers(), Vec::<String>::new());
    assert_eq!(late(world.place()).unwrap(), []);
}

#[test]
fn a_file_with_several_names_is_refused_with_their_number() {
    let world = World::csv(TEXT);
    fs::hard_link(world.source(), world.fixture.dir.path().join("other")).unwrap();
    let error = world.remove(&[1]).unwrap_err();
    assert!(matches!(error, FilesError::HardLinks { count: 2, .. }), "{error}");
    assert_eq!(world.bytes(), world.original);
    assert_eq!(world.strangers(), ["other"]);
}

#[test]
fn two_jobs_do_not_meet_at_one_file() {
    let world = World::csv(TEXT);
    let other = Place { job: "other", ..world.place() };
    let lock = recovery::lock(other, world.source()).unwrap();
    let error = world.remove(&[1]).unwrap_err();
    assert!(matches!(error, FilesError::Locked { what: "this file", .. }), "{error}");
    lock.release().unwrap();
    assert_eq!(world.remove(&[1]).unwrap().counts.removed, 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_reported_before_anything_is_done() {
    let world = World::csv(TEXT);
    let folder = world.fixture.dir.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o500)).unwrap();
    // The superuser may write anywhere.
    let everywhere = fs::write(folder.join("probe"), "").is_ok();
    let result = world.remove(&[1]);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    if !everywhere {
        let error = result.unwrap_err();
        assert!(matches!(error, FilesError::Write { .. }), "{error}");
        untouched(&world);
        assert_eq!(world.ids(), Vec::<String>::new());
        assert_eq!(world.recover(), []);
    }
}

#[test]
fn a_quarantine_that_cannot_be_written_is_an_error() {
    let world = World::csv(TEXT);
    fs::write(world.quarantine.path().join("job=j"), "in the way").unwrap();
    let error = world.remove(&[1]).unwrap_err();
    assert!(matches!(error, FilesError::Write { .. }), "{error}");
    untouched(&world);
}

#[test]
fn a_system_that_refuses_the_exchange_leaves_the_rows() {
    for (errno, leases) in [(rustix::io::Errno::ACCESS, true), (rustix::io::Errno::INVAL, false)] {
        let world = World::csv(TEXT);
        world.hooked.set(move |_| Err(errno.into()));
        let error = world.remove(&[1]).unwrap_err();
        assert_eq!(matches!(error, FilesError::Write { .. }), leases, "{error}");
        assert_eq!(matches!(error, FilesError::NoLease { .. }), !leases, "{error}");
        untouched(&world);
        assert_eq!((world.ids(), world.recover()), (Vec::new(), Vec::new()));
        world.hooked.clear();
        assert_eq!(world.remove(&[1]).unwrap().counts.removed, 1);
    }
}

#[test]
fn where_nobody_writes_names_are_exchanged_by_links() {
    let mut world = World::csv(TEXT);
    world.writers = Writers::None;
    world.hooked.set(|_| Err(rustix::io::Errno::INVAL.into()));
    assert_eq!(world.remove(&[1, 3]).unwrap().counts.removed, 2);
    assert_eq!(world.text(), "s,n\nB,2\n");
    assert_eq!(world.restore(&world.ids()).restored, 2);
    untouched(&world);
}

#[test]
fn two_runners_do_not_meet() {
    let world = World::csv(TEXT);
    let held = place::Held::lock(world.place()).unwrap();
    assert!(matches!(world.remove(&[1]), Err(FilesError::Locked { .. })));
    assert!(matches!(recover(world.place()), Err(FilesError::Locked { .. })));
    let limits = Limits { older_than: AT, now: AT, originals_before: AT };
    assert!(matches!(purge(world.place(), limits, false), Err(FilesError::Locked { .. })));
    untouched(&world);
    drop(held);
    assert_eq!(world.remove(&[1]).unwrap().counts.removed, 1);
}

#[test]
fn a_run_that_is_stopped_leaves_nothing_half_done() {
    for after in 0..3 {
        let world = World::csv(TEXT);
        let asked = std::cell::Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > after
        };
        let file = world.identify();
        let outcome = world.remove_known(&file, "r", AT, &[1, 2], &stop).unwrap();
        assert_eq!(outcome.counts, RemovalCounts { planned: 2, untried: 2, ..RemovalCounts::default() }, "{after}");
        untouched(&world);
        assert_eq!(world.recover(), []);
    }
}

#[test]
fn a_plan_without_a_hash_is_refused() {
    let world = World::csv(TEXT);
    let file = FileIdentity::of(world.source()).unwrap();
    let error = world.remove_known(&file, "r", AT, &[1], &|| false).unwrap_err();
    assert!(matches!(error, FilesError::NoHash { .. }), "{error}");
}
