//! What is refused, and that nothing is touched then.

use std::fs::OpenOptions;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const TEXT: &str = "s,n\nA,1\nB,2\nC,3\n";

fn untouched(world: &World) {
    assert_eq!(world.bytes(), world.original);
    assert_eq!(world.strangers(), Vec::<String>::new());
}

#[test]
fn a_file_that_changed_since_it_was_judged_is_left_alone() {
    let world = World::csv(TEXT);
    let judged = identify(world.source()).unwrap();
    fs::write(world.source(), "s,n\nA,1\nB,9\nC,3\n").unwrap();
    let outcome = world.settle_known(&judged, "r", AT, &[2, 3], &|| false).unwrap();
    assert_eq!(outcome.settled, Settled { planned: 2, kept_changed: 2, ..Settled::default() });
    assert_eq!(world.text(), "s,n\nA,1\nB,9\nC,3\n");
    assert_eq!(world.ids(), Vec::<String>::new());
    fs::remove_file(world.source()).unwrap();
    let outcome = world.settle_known(&judged, "r", AT, &[2, 3], &|| false).unwrap();
    assert_eq!(outcome.settled, Settled { planned: 2, gone: 2, ..Settled::default() });
}

#[test]
fn a_row_that_is_not_the_planned_one_stops_everything() {
    let world = World::csv(TEXT);
    let file = identify(world.source()).unwrap();
    let rows = [Condemned { sha256: Some([7; 32]), ..condemned(2) }];
    let retention = Retention { quarantine: AT, delete: AT };
    let set = &world.fixture.set;
    let order = Order { run_id: "r", plan_id: "p", at: AT, retention, set, file: &file, rows: &rows };
    let error = settle(world.place(), &order, &|| false).unwrap_err();
    assert!(matches!(error, FilesError::RowDiffers { row: 2, .. }), "{error}");
    untouched(&world);
    assert_eq!(recover(world.place()).unwrap(), []);
}

#[test]
fn rows_out_of_order_or_beyond_the_end_are_refused() {
    let world = World::csv(TEXT);
    for rows in [&[0][..], &[2, 2], &[3, 1]] {
        assert!(matches!(world.settle(rows), Err(FilesError::Disordered { .. })), "{rows:?}");
    }
    assert!(matches!(world.settle(&[2, 4]), Err(FilesError::RowMissing { row: 4, .. })));
    untouched(&world);
}

#[test]
fn a_link_is_never_replaced() {
    let world = World::csv(TEXT);
    let real = world.fixture.dir.path().join("real");
    fs::rename(world.source(), &real).unwrap();
    symlink(&real, world.source()).unwrap();
    let judged = FileIdentity { sha256: Some([0; 32]), ..FileIdentity::of(world.source()).unwrap() };
    let error = world.settle_known(&judged, "r", AT, &[1], &|| false).unwrap_err();
    assert!(matches!(error, FilesError::Symlink { .. }), "{error}");
    assert!(matches!(identify(world.source()), Err(FilesError::Symlink { .. })));
    assert_eq!(fs::read(real).unwrap(), TEXT.as_bytes());
}

#[test]
fn a_file_that_somebody_writes_to_is_left_alone() {
    let world = World::csv(TEXT);
    let writer = OpenOptions::new().append(true).open(world.source()).unwrap();
    let error = world.settle(&[1]).unwrap_err();
    assert!(matches!(error, FilesError::OpenForWriting { pid, .. } if pid == std::process::id()), "{error}");
    untouched(&world);
    drop(writer);
    assert_eq!(world.settle(&[1]).unwrap().settled.removed, 1);
}

#[test]
fn a_writer_that_opens_the_file_in_the_last_moment_gets_it_back() {
    let world = World::csv(TEXT);
    let opened = std::rc::Rc::new(RefCell::new(None));
    let writer = std::rc::Rc::clone(&opened);
    let hooked = Hooked::new(move |source| {
        if writer.borrow().is_none() {
            *writer.borrow_mut() = Some(OpenOptions::new().append(true).open(source).unwrap());
        }
        Ok(())
    });
    let outcome = world.settle(&[1]).unwrap();
    drop(hooked);
    assert_eq!(outcome.settled, Settled { planned: 1, kept_changed: 1, ..Settled::default() });
    std::io::Write::write_all(opened.borrow_mut().as_mut().unwrap(), b"D,4\n").unwrap();
    assert_eq!(world.text(), "s,n\nA,1\nB,2\nC,3\nD,4\n");
    assert_eq!(world.strangers(), Vec::<String>::new());
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_is_done() {
    let world = World::csv(TEXT);
    let folder = world.fixture.dir.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o500)).unwrap();
    // The superuser may write anywhere.
    let everywhere = fs::write(folder.join("probe"), "").is_ok();
    let result = world.settle(&[1]);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    if !everywhere {
        let error = result.unwrap_err();
        assert!(matches!(error, FilesError::Write { .. }), "{error}");
        untouched(&world);
        assert_eq!(world.ids(), Vec::<String>::new());
        assert_eq!(recover(world.place()).unwrap(), []);
    }
}

#[test]
fn a_quarantine_that_cannot_be_written_is_an_error() {
    let world = World::csv(TEXT);
    fs::write(world.quarantine.path().join("job=j"), "in the way").unwrap();
    let error = world.settle(&[1]).unwrap_err();
    assert!(matches!(error, FilesError::Write { .. }), "{error}");
    untouched(&world);
}

#[test]
fn a_system_that_refuses_the_exchange_leaves_the_rows() {
    let world = World::csv(TEXT);
    let hooked = Hooked::new(|_| Err(Errno::ACCESS));
    let outcome = world.settle(&[1]).unwrap();
    drop(hooked);
    assert_eq!(outcome.settled, Settled { planned: 1, kept_error: 1, ..Settled::default() });
    assert!(outcome.note.unwrap().contains("ermission denied"));
    assert_eq!(world.states(), [State::KeptError]);
    untouched(&world);
}

#[test]
fn two_runners_do_not_meet() {
    let world = World::csv(TEXT);
    let held = place::Held::lock(world.place()).unwrap();
    assert!(matches!(world.settle(&[1]), Err(FilesError::Locked { .. })));
    assert!(matches!(recover(world.place()), Err(FilesError::Locked { .. })));
    assert!(matches!(purge(world.place(), AT, false), Err(FilesError::Locked { .. })));
    untouched(&world);
    drop(held);
    assert_eq!(world.settle(&[1]).unwrap().settled.removed, 1);
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
        let file = identify(world.source()).unwrap();
        let outcome = world.settle_known(&file, "r", AT, &[1, 2], &stop).unwrap();
        assert_eq!(outcome.settled, Settled { planned: 2, untried: 2, ..Settled::default() }, "{after}");
        untouched(&world);
        assert_eq!(recover(world.place()).unwrap(), []);
    }
}

#[test]
fn a_plan_without_a_hash_is_refused() {
    let world = World::csv(TEXT);
    let file = FileIdentity::of(world.source()).unwrap();
    let error = world.settle_known(&file, "r", AT, &[1], &|| false).unwrap_err();
    assert!(matches!(error, FilesError::NoHash { .. }), "{error}");
}
