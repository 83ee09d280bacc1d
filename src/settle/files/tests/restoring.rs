//! Restore and purge.

use super::*;

const TEXT: &str = "s,n\nA,1\nB,2\nC,3\nD,4\n";

#[test]
fn rows_come_back_one_by_one_in_any_order() {
    let world = World::csv(TEXT);
    let ids: Vec<String> = world.settle(&[1, 2, 4]).unwrap().items.into_iter().map(|item| item.id).collect();
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
    world.settle(&[2]).unwrap();
    let before = (world.bytes(), world.stored());
    let run = Run { id: "r2", at: AT };
    let said = restore(world.place(), &world.ids(), true, run).unwrap();
    assert_eq!(said, Restored { restored: 1, ..Restored::default() });
    assert_eq!((world.bytes(), world.stored()), before);
}

#[test]
fn two_removals_of_one_file_are_undone_to_the_byte() {
    let world = World::csv(TEXT);
    world.settle_as("r1", AT, &[1, 3]).unwrap();
    world.settle_as("r2", AT + 1, &[1]).unwrap();
    assert_eq!(world.text(), "s,n\nD,4\n");
    assert_eq!(world.restore(&world.ids()).restored, 3);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn a_row_goes_behind_the_one_it_followed_where_the_file_was_rewritten() {
    let world = World::csv(TEXT);
    world.settle(&[1, 3, 4]).unwrap();
    fs::write(world.source(), "s,n\nX,0\nB,2\nY,9").unwrap();
    assert_eq!(world.restore(&world.ids()).restored, 3);
    assert_eq!(world.text(), "s,n\nA,1\nX,0\nB,2\nC,3\nD,4\nY,9");
    assert_eq!(world.states(), [State::Restored; 3]);
}

#[test]
fn a_row_whose_neighbour_is_gone_goes_to_the_end() {
    let world = World::csv(TEXT);
    world.settle(&[3]).unwrap();
    fs::write(world.source(), "s,n\nY,9").unwrap();
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.text(), "s,n\nY,9\nC,3\n");
}

#[test]
fn a_row_that_is_there_already_is_not_put_in_again() {
    let world = World::csv(TEXT);
    world.settle(&[3]).unwrap();
    fs::write(world.source(), format!("{TEXT}E,5\n")).unwrap();
    assert_eq!(world.restore(&world.ids()), Restored { already_there: 1, ..Restored::default() });
    assert_eq!(world.text(), format!("{TEXT}E,5\n"));
}

#[test]
fn what_does_not_fit_is_a_conflict_and_what_is_not_known_is_named() {
    let world = World::csv(TEXT);
    let id = world.settle(&[3]).unwrap().items[0].id.clone();
    fs::write(world.source(), "s,n,more\nA,1,2\n").unwrap();
    let result = world.restore(&[id.clone(), "x".to_owned()]);
    assert_eq!(result.conflict, [(id.clone(), "its file has other columns now".to_owned())]);
    assert_eq!(result.unknown, ["x"]);
    assert_eq!(world.text(), "s,n,more\nA,1,2\n");
    fs::remove_file(world.source()).unwrap();
    assert_eq!(world.restore(std::slice::from_ref(&id)).conflict, [(id, "its file is not there any more".to_owned())]);
}

#[test]
fn an_exact_duplicate_comes_back_where_it_was() {
    let world = World::csv("s,n\nA,1\nB,2\nA,1\n");
    world.settle(&[3]).unwrap();
    assert_eq!(world.text(), "s,n\nA,1\nB,2\n");
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn a_row_that_is_condemned_again_is_one_item_that_was_removed_last() {
    let world = World::csv(TEXT);
    world.settle_as("r1", AT, &[2]).unwrap();
    world.restore(&world.ids());
    world.settle_as("r3", AT + 2 * DAY, &[2]).unwrap();
    let items = items(world.place()).unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!((items[0].run_id.as_str(), items[0].state), ("r3", State::Removed));
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn purge_erases_what_is_old_and_nothing_else() {
    let world = World::csv(TEXT);
    world.settle_as("r1", AT, &[1]).unwrap();
    world.settle_as("r2", AT + 10 * DAY, &[1]).unwrap();
    let source = world.text();
    let before = world.stored();
    let said = purge(world.place(), AT + DAY, true).unwrap();
    assert_eq!((said.items, said.originals), (1, 1));
    assert_eq!(world.stored(), before);
    assert_eq!(purge(world.place(), AT + DAY, false).unwrap(), said);
    let left = items(world.place()).unwrap();
    assert_eq!(left.iter().map(|item| item.run_id.as_str()).collect::<Vec<_>>(), ["r2"]);
    assert_eq!(world.text(), source);
    assert_eq!(purge(world.place(), AT + DAY, false).unwrap(), Purged::default());
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.text(), "s,n\nB,2\nC,3\nD,4\n");
}

#[test]
fn purge_does_not_forget_what_was_put_back() {
    let world = World::csv(TEXT);
    world.settle_as("r1", AT, &[2]).unwrap();
    world.restore(&world.ids());
    let purged = purge(world.place(), i64::MAX, false).unwrap();
    assert_eq!((purged.items, world.states()), (0, vec![State::Restored]));
    assert_eq!(world.text(), TEXT);
}

#[test]
fn purge_waits_for_what_was_cut_short() {
    use crate::settle::crash::testing::crash_at;
    let world = World::csv(TEXT);
    assert!(crash_at("files.exchange.after", || world.settle(&[1])).is_none());
    assert_eq!(world.states(), [State::Removing]);
    assert!(matches!(purge(world.place(), i64::MAX, false), Err(FilesError::Unfinished { .. })));
    assert!(matches!(world.settle(&[1]), Err(FilesError::Unfinished { .. })));
    let recovered = recover(world.place()).unwrap();
    assert_eq!((recovered.len(), recovered[0].settled.removed), (1, 1));
    assert_eq!(purge(world.place(), i64::MAX, false).unwrap().items, 1);
    assert_eq!(world.text(), "s,n\nB,2\nC,3\nD,4\n");
}

#[test]
fn purge_keeps_an_original_that_younger_work_needs() {
    let world = World::csv(TEXT);
    world.settle_as("r1", AT, &[2]).unwrap();
    world.restore(&world.ids());
    let original = world.settle_as("r3", AT + 2 * DAY, &[2]).unwrap().original.unwrap();
    let purged = purge(world.place(), AT + DAY + 1, false).unwrap();
    assert_eq!((purged.items, purged.originals), (1, 1));
    assert_eq!(fs::read(original).unwrap(), TEXT.as_bytes());
}
