//! Restore and purge.

use super::*;

const TEXT: &str = "s,n\nA,1\nB,2\nC,3\nD,4\n";

#[test]
fn rows_come_back_one_by_one_in_any_order() {
    let world = World::csv(TEXT);
    let ids: Vec<String> = world.remove(&[1, 2, 4]).unwrap().items.into_iter().map(|item| item.id).collect();
    assert_eq!(world.restore(&ids[1..2]).restored, 1);
    assert_eq!(world.text(), "s,n\nB,2\nC,3\n");
    assert_eq!(world.states(), [State::Removed, State::Restored, State::Removed]);
    assert_eq!(world.restore(&ids[2..]).restored, 1);
    assert_eq!(world.text(), "s,n\nB,2\nC,3\nD,4\n");
    let again = world.restore(&ids);
    assert_eq!((again.restored, again.already_there), (1, 2));
    assert_eq!(world.bytes(), world.original);
    assert_eq!(world.restore(&ids).already_there, 3);
    assert_eq!(world.strangers(), Vec::<String>::new());
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let world = World::csv(TEXT);
    world.remove(&[2]).unwrap();
    let before = (world.bytes(), world.stored());
    let said = restore(world.place(), &world.ids(), true, world.run("r2")).unwrap();
    assert_eq!((said.restored, said.already_there), (1, 0));
    assert_eq!((world.bytes(), world.stored()), before);
}

#[test]
fn two_removals_of_one_file_are_undone_to_the_byte() {
    let world = World::csv(TEXT);
    world.remove_as("r1", AT, &[1, 3]).unwrap();
    world.remove_as("r2", AT + 1, &[1]).unwrap();
    assert_eq!(world.text(), "s,n\nD,4\n");
    assert_eq!(world.restore(&world.ids()).restored, 3);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn a_row_goes_behind_the_one_it_followed_where_the_file_was_rewritten() {
    let world = World::csv(TEXT);
    world.remove(&[1, 3, 4]).unwrap();
    fs::write(world.source(), "s,n\nX,0\nB,2\nY,9").unwrap();
    assert_eq!(world.restore(&world.ids()).restored, 3);
    assert_eq!(world.text(), "s,n\nA,1\nX,0\nB,2\nC,3\nD,4\nY,9");
    assert_eq!(world.states(), [State::Restored; 3]);
}

#[test]
fn a_row_whose_neighbours_are_gone_goes_behind_the_header() {
    let world = World::csv(TEXT);
    world.remove(&[3]).unwrap();
    fs::write(world.source(), "s,n\nY,9").unwrap();
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.text(), "s,n\nC,3\nY,9");
}

#[test]
fn a_row_that_is_there_already_is_not_put_in_again() {
    let world = World::csv(TEXT);
    world.remove(&[3]).unwrap();
    fs::write(world.source(), format!("{TEXT}E,5\n")).unwrap();
    let reported = world.restore(&world.ids());
    assert_eq!((reported.restored, reported.already_there), (0, 1));
    assert_eq!(world.text(), format!("{TEXT}E,5\n"));
}

#[test]
fn what_does_not_fit_is_a_conflict_and_what_is_not_known_is_named() {
    let world = World::csv(TEXT);
    let id = world.remove(&[3]).unwrap().items[0].id.clone();
    fs::write(world.source(), "s,n,more\nA,1,2\n").unwrap();
    let result = world.restore(&[id.clone(), "x".to_owned()]);
    assert_eq!(result.conflict, [(id.clone(), "its file has other columns now".to_owned())]);
    assert_eq!(result.unknown, ["x"]);
    assert_eq!(world.text(), "s,n,more\nA,1,2\n");
    fs::remove_file(world.source()).unwrap();
    let original = world.stored().into_iter().find(|path| path.parent().unwrap().ends_with("originals")).unwrap();
    fs::remove_file(original).unwrap();
    assert!(world.restore(std::slice::from_ref(&id)).conflict[0].1.contains("its file is missing"));
}

#[test]
fn an_exact_duplicate_comes_back_where_it_was() {
    let world = World::csv("s,n\nA,1\nB,2\nA,1\n");
    world.remove(&[3]).unwrap();
    assert_eq!(world.text(), "s,n\nA,1\nB,2\n");
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn a_row_that_is_rejected_again_is_one_item_that_was_removed_last() {
    let world = World::csv(TEXT);
    world.remove_as("r1", AT, &[2]).unwrap();
    world.restore(&world.ids());
    world.remove_as("r3", AT + 2 * DAY, &[2]).unwrap();
    let items = world.items();
    assert_eq!(items.len(), 1);
    assert_eq!((items[0].run_id.as_str(), items[0].state), ("r3", State::Removed));
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn a_file_that_is_gone_is_made_again_with_the_rows_that_are_put_back() {
    let world = World::csv(TEXT);
    world.remove(&[1, 3]).unwrap();
    fs::remove_file(world.source()).unwrap();
    let said = restore(world.place(), &world.ids(), true, world.run("r2")).unwrap();
    assert_eq!(said.restored, 2);
    assert_eq!(world.restore(&world.ids()).restored, 2);
    assert_eq!(world.text(), "s,n\nA,1\nC,3\n");
    assert_eq!(world.states(), [State::Restored; 2]);
    assert_eq!(world.strangers(), Vec::<String>::new());
}

#[test]
fn what_was_put_back_and_lost_again_is_put_back_again() {
    let world = World::csv(TEXT);
    world.remove(&[2]).unwrap();
    for _ in 0..3 {
        assert_eq!(world.restore(&world.ids()).restored, 1);
        assert_eq!(world.bytes(), world.original);
        fs::write(world.source(), "s,n\nA,1\nC,3\nD,4\n").unwrap();
    }
}

#[test]
fn removals_are_undone_in_any_order_and_to_the_byte() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1]] {
        let world = World::csv("s,n\nA,1\n\nB,2\r\nC,3\nD,4\nE,5");
        let mut ids = Vec::new();
        for (number, rows) in (0_i64..).zip([&[2, 5][..], &[1], &[1]]) {
            let run = format!("r{number}");
            let outcome = world.remove_as(&run, AT + number, rows).unwrap();
            assert_eq!(outcome.counts.removed, rows.len() as u64);
            ids.push(outcome.items.into_iter().map(|item| item.id).collect::<Vec<_>>());
        }
        assert_eq!(world.text(), "s,n\n\nD,4\n");
        for removal in order {
            assert_eq!(world.restore(&ids[removal]).restored, ids[removal].len() as u64, "{order:?}");
        }
        assert_eq!(world.text(), String::from_utf8_lossy(&world.original), "{order:?}");
    }
}

#[test]
fn copies_come_back_as_often_as_they_left_also_into_a_file_that_was_rewritten() {
    let world = World::csv("s,n\nA,1\nB,2\nA,1\nA,1\n");
    world.remove(&[3, 4]).unwrap();
    fs::write(world.source(), "s,n\nA,1\nX,0\nB,2\n").unwrap();
    assert_eq!(world.restore(&world.ids()[..1]).restored, 1);
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.text(), "s,n\nA,1\nX,0\nB,2\nA,1\nA,1\n");
    let reported = world.restore(&world.ids());
    assert_eq!((reported.restored, reported.already_there), (0, 2));
}

#[test]
fn purge_erases_what_is_old_and_nothing_else() {
    let world = World::csv(TEXT);
    world.remove_as("r1", AT, &[1]).unwrap();
    world.remove_as("r2", AT + 10 * DAY, &[1]).unwrap();
    let source = world.text();
    let before = world.stored();
    let now = AT + 95 * DAY;
    let said = world.purge(AT + DAY, now, true);
    assert_eq!((said.items, said.originals, said.kept), (1, 1, 0));
    assert_eq!(world.stored(), before);
    let done = world.purge(AT + DAY, now, false);
    assert_eq!((done.items, done.originals), (1, 1));
    let left = world.items();
    assert_eq!(left.iter().map(|item| item.run_id.as_str()).collect::<Vec<_>>(), ["r2"]);
    assert_eq!(world.text(), source);
    let again = world.purge(AT + DAY, now, false);
    assert_eq!((again.items, again.originals), (0, 0));
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.text(), "s,n\nB,2\nC,3\nD,4\n");
}

#[test]
fn a_row_that_is_over_is_erased_beside_one_that_is_still_to_be_kept() {
    let world = World::csv(TEXT);
    let file = world.identify();
    let rows = [Rejected { action: Action::Delete, ..rejected(1) }, rejected(3)];
    let retention = Retention { quarantine: AT + 90 * DAY, delete: AT + 7 * DAY };
    remove(world.place(), &world.order(&file, "r1", AT, retention, &rows), &|| false).unwrap();
    let purged = world.purge(AT + DAY, AT + 8 * DAY, false);
    assert_eq!((purged.items, purged.kept, purged.originals), (1, 1, 0));
    let items = world.items();
    assert_eq!((items.len(), items[0].raw.as_slice()), (1, &b"C,3"[..]));
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.text(), "s,n\nB,2\nC,3\nD,4\n");
}

#[test]
fn purge_does_not_forget_what_was_put_back() {
    let world = World::csv(TEXT);
    world.remove_as("r1", AT, &[2]).unwrap();
    world.restore(&world.ids());
    let purged = world.purge(i64::MAX, i64::MAX, false);
    assert_eq!((purged.items, world.states()), (0, vec![State::Restored]));
    assert_eq!(world.text(), TEXT);
}

#[test]
fn purge_leaves_what_was_cut_short_alone() {
    use crate::quarantine::crash::testing::crash_at;
    let world = World::csv(TEXT);
    assert!(crash_at("files.exchange.after", || world.remove(&[1])).is_none());
    assert_eq!(world.states(), [State::Removing]);
    assert_eq!(world.purge(i64::MAX, i64::MAX, false).items, 0);
    assert!(matches!(world.remove(&[1]), Err(FilesError::Unfinished { .. })));
    let recovered = world.recover();
    assert_eq!((recovered.len(), recovered[0].counts.removed), (1, 1));
    assert_eq!(world.purge(i64::MAX, i64::MAX, false).items, 1);
    assert_eq!(world.text(), "s,n\nB,2\nC,3\nD,4\n");
}

#[test]
fn a_copy_that_does_not_read_keeps_no_other_from_anything() {
    let world = World::csv(TEXT);
    world.remove_as("r1", AT, &[1]).unwrap();
    world.remove_as("r2", AT + 1, &[1]).unwrap();
    let ids = world.ids();
    let copy = world.stored().into_iter().find(|path| path.ends_with("r1-000.parquet")).unwrap();
    let whole = fs::read(&copy).unwrap();
    fs::write(&copy, &whole[..whole.len() / 2]).unwrap();
    let listed = items(world.place()).unwrap();
    assert_eq!((listed.items.len(), listed.damaged.len()), (1, 1));
    let reported = world.restore(&ids);
    assert_eq!((reported.restored, reported.damaged.len()), (1, 1), "{:?}", reported.damaged);
    assert_eq!(world.text(), "s,n\nB,2\nC,3\nD,4\n");
    fs::write(&copy, &whole).unwrap();
    assert_eq!(world.restore(&ids).restored, 1);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn an_original_goes_when_its_time_is_over_though_its_rows_are_kept() {
    let world = World::csv(TEXT);
    let original = world.remove_as("r1", AT, &[2]).unwrap().original.unwrap();
    let limits = Limits { older_than: AT, now: AT + DAY, originals_before: AT };
    assert_eq!(purge(world.place(), limits, false).unwrap().originals, 0);
    let limits = Limits { originals_before: AT + 1, ..limits };
    assert_eq!(purge(world.place(), limits, false).unwrap().originals, 1);
    assert!(!original.exists());
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn rows_that_came_to_an_original_later_are_reported_kept_and_brought_back() {
    let world = World::csv(TEXT);
    let original = world.remove_as("r1", AT, &[2]).unwrap().original.unwrap();
    assert_eq!(late(world.place()).unwrap(), []);
    std::io::Write::write_all(&mut fs::OpenOptions::new().append(true).open(&original).unwrap(), b"Y,8\nZ,9\nhalf")
        .unwrap();
    let found = late(world.place()).unwrap();
    assert_eq!((found.len(), found[0].appended), (1, Some(12)));
    let purged = world.purge(i64::MAX, AT + 900 * DAY, false);
    assert_eq!((purged.originals, purged.refused.len()), (0, 1), "{:?}", purged.refused);
    assert_eq!(restore_late(world.place(), true, world.run("b")).unwrap().rows, 2);
    assert_eq!(restore_late(world.place(), false, world.run("b")).unwrap().rows, 2);
    assert_eq!(world.text(), "s,n\nA,1\nC,3\nD,4\nY,8\nZ,9\n");
    assert_eq!(late(world.place()).unwrap()[0].appended, Some(4), "half a row is reported still");
    assert_eq!(restore_late(world.place(), false, world.run("c")).unwrap().rows, 0);
}

#[test]
fn rows_of_an_original_that_was_rewritten_are_distinguished_by_their_content() {
    let world = World::csv(TEXT);
    let original = world.remove_as("r1", AT, &[2]).unwrap().original.unwrap();
    fs::write(&original, "s,n\nD,4\nA,1\nB,2\nC,3\nNEW,5\n").unwrap();
    assert_eq!(late(world.place()).unwrap()[0].appended, None);
    assert_eq!(restore_late(world.place(), false, world.run("b")).unwrap().rows, 1);
    assert_eq!(world.text(), "s,n\nA,1\nC,3\nD,4\nNEW,5\n");
    assert_eq!(late(world.place()).unwrap(), []);
}
