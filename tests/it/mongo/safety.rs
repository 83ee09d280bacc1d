//! Nothing is lost and nothing is reported that is not so: unknown outcomes, collections that were made again, quarantines
//! that were renamed, rows of every shape, damaged items.

use mongodb::bson::raw::{RawBson, RawDocumentBuf, cstr};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Decimal128, Timestamp, doc, rawdoc};

use super::project::{QUARANTINE, World, is_bad};
use super::quotes::QUOTES;
use super::server::Kind;
use super::wire::Wire;

const ONE: [Kind; 1] = [Kind::Standalone];
const RESTORE: [&str; 5] = ["quarantine", "restore", "job.toml", "--since", "2000-01-01"];

/// Puts back whatever can be put back.
fn restore(world: &World, rows: &str, code: i32) -> crate::cli_support::Told {
    world.call(&[&RESTORE[..], &["--confirm", rows]].concat()).exits(code)
}

fn unsealed(world: &World) -> u64 {
    world.database.count("barkeep_runs", doc! { "kind": "run", "sealed": false })
}

/// A quote under a bad date with this `_id`; the number keeps it apart from others.
fn bad(id: impl Into<RawBson>, n: i32) -> RawDocumentBuf {
    let mut row = RawDocumentBuf::new();
    row.append(cstr!("_id"), id.into());
    row.append(cstr!("symbol"), format!("S{n}"));
    row.append(cstr!("trade_date"), "7");
    row.append(cstr!("data_source"), "odd");
    row.append(cstr!("period"), "daily");
    row.append(cstr!("close"), 1.5);
    row
}

fn free_of_indexes(world: &World) {
    world.database.command(doc! { "dropIndexes": QUOTES, "index": "*" });
    world.project.edit("job.toml", "fraction = 0.9", "fraction = 1.0");
}

#[test]
fn a_row_that_leaves_comes_back_with_a_timestamp_of_zero() {
    World::each(20, 0, 2, |world| {
        let zero = Bson::Timestamp(Timestamp { time: 0, increment: 0 });
        let update = doc! { "q": {}, "u": [{ "$set": { "loaded_at": zero } }], "multi": true };
        world.database.command(doc! { "update": QUOTES, "updates": [update] });
        let before = world.database.digest(QUOTES);
        assert_eq!(world.apply().exits(0).value("removed"), "2");
        let output = restore(&world, "2", 0);
        assert!(output.out.contains("2 rows are back, 0 were there already, 0 conflicts"), "{output:?}");
        assert_eq!(world.database.digest(QUOTES), before);
        assert_eq!(world.items("restored"), 2);
    });
}

#[test]
fn rows_of_many_small_fields_and_rows_of_many_bytes_leave_and_come_back() {
    World::each_kind(&ONE, 40, 0, 100, |world| {
        free_of_indexes(&world);
        let mut rows = Vec::new();
        for n in 0..490 {
            let mut wide = bad(n, n);
            for m in 0..1440 {
                wide.append(mongodb::bson::raw::CString::try_from(format!("m{m}")).unwrap(), m);
            }
            rows.push(wide);
        }
        let large = |n: i32, bytes: usize| {
            let mut row = bad(n, n);
            row.append(cstr!("note"), "x".repeat(bytes));
            row
        };
        for rows in rows.chunks(200) {
            world.database.insert(QUOTES, rows);
        }
        for row in [large(1000, 14 << 20), large(1001, (15 << 20) + 1000), large(1002, 14 << 20)] {
            world.database.insert(QUOTES, &[row]);
        }
        // Twice in the command that removes it: in the filter and in the document.
        let mut twice = RawDocumentBuf::new();
        twice.append(cstr!("_id"), "y".repeat(9 << 20));
        for (name, value) in bad(0, 2000).iter().flatten().skip(1) {
            twice.append(name, value);
        }
        world.database.insert(QUOTES, &[twice]);
        let before = world.database.digest(QUOTES);
        let output = world.call(&["run", "job.toml"]).exits(1);
        assert_eq!((output.value("removed"), output.value("oversize")), ("592", "2"), "{output:?}");
        assert_eq!((unsealed(&world), world.items("removing")), (0, 0));
        assert_eq!(world.database.count(QUOTES, doc! {}), 42);
        restore(&world, "592", 0);
        assert_eq!(world.database.digest(QUOTES), before);
    });
}

#[test]
fn ids_are_what_their_bytes_are() {
    World::each(30, 0, 0, |world| {
        free_of_indexes(&world);
        let mut twice = rawdoc! { "a": 1 };
        twice.append(cstr!("a"), 2);
        let mut rows = vec![
            bad(twice, 1),
            bad("1.00".parse::<Decimal128>().unwrap(), 2),
            bad(-0.0, 3),
            bad(RawBson::Document(rawdoc! {}), 4),
            bad(RawBson::Null, 5),
        ];
        let mut not_text = bad("abc", 6).into_bytes();
        let at = not_text.windows(3).position(|window| window == b"abc").unwrap();
        not_text[at] = 0xff;
        rows.push(RawDocumentBuf::from_bytes(not_text).unwrap());
        world.database.insert_as_they_are(QUOTES, &rows);
        let before = world.database.digest(QUOTES);
        let output = world.call(&["run", "job.toml"]).exits(1);
        assert_eq!(output.value("removed"), "6", "{output:?}");
        assert_eq!(world.database.count(QUOTES, doc! {}), 30);
        let list = world.call(&["quarantine", "list", "job.toml"]).exits(0);
        assert!(list.out.contains("invalid _id 0x0204000000ff626300"), "{list:?}");
        restore(&world, "6", 0);
        assert_eq!(world.database.digest(QUOTES), before);
    });
}

#[test]
fn rows_whose_ids_are_not_text_are_read_page_after_page() {
    World::each_kind(&ONE, 5, 0, 0, |world| {
        free_of_indexes(&world);
        let rows: Vec<RawDocumentBuf> = (0..2500)
            .map(|n| {
                let mut bytes = bad(format!("abc{n:05}"), n).into_bytes();
                let at = bytes.windows(3).position(|window| window == b"abc").unwrap();
                bytes[at] = 0xff;
                RawDocumentBuf::from_bytes(bytes).unwrap()
            })
            .collect();
        world.database.insert_as_they_are(QUOTES, &rows);
        assert_eq!(world.call(&["run", "job.toml"]).exits(1).value("removed"), "2500");
    });
}

#[test]
fn a_collection_that_was_made_again_leaves_nothing_stuck() {
    World::each(20, 0, 12, |world| {
        let before = world.database.digest(QUOTES);
        assert!(world.crash(&["run", "job.toml"], "mongodb.remove.after"));
        let name = |collection: &str| format!("{}.{collection}", world.database.name);
        // What the loader has goes into a new collection, which takes the name.
        world.database.insert("quotes_new", &world.database.documents(QUOTES));
        world.database.admin(doc! { "renameCollection": name("quotes_new"), "to": name(QUOTES), "dropTarget": true });
        let output = world.call(&["run", "job.toml"]).exits(0);
        assert_eq!(output.value("earlier_removed"), "12", "{output:?}");
        assert!(!output.out.contains("source=unchanged"), "{output:?}");
        assert_eq!((unsealed(&world), world.items("removing"), world.items("removed")), (0, 0, 12));
        restore(&world, "12", 0);
        assert_eq!(world.database.digest(QUOTES), before);
        // What a person put back is known by its content, in whatever collection.
        let output = world.call(&["run", "job.toml"]).exits(0);
        assert!(!output.out.contains("removed="), "{output:?}");
    });
}

#[test]
fn rows_are_not_told_as_removed_where_the_collection_was_made_again_meanwhile() {
    World::each(20, 0, 12, |world| {
        let (plan, confirmation) = world.plan();
        let data = doc! { "blockConnection": true, "blockTimeMS": 2000 };
        let wait = world.database.fail(&["delete"], doc! { "times": 1 }, data);
        let output = std::thread::scope(|scope| {
            let applying = scope.spawn(|| world.call(&["apply", &plan, "--confirm", &confirmation]));
            while world.items("removing") < 12 {
                assert!(!applying.is_finished(), "it did not come to the removal");
            }
            let good: Vec<RawDocumentBuf> = world.original.iter().filter(|row| !is_bad(row)).cloned().collect();
            world.database.command(doc! { "drop": QUOTES });
            world.database.insert(QUOTES, &good);
            assert!(!applying.is_finished(), "the collection was made again too late");
            applying.join().unwrap()
        });
        drop(wait);
        let output = output.exits(3).says(&["was dropped, or made again, while rows were moved"]);
        assert_eq!(output.value("open"), "12", "{output:?}");
        assert!(!output.out.contains("removed="), "{output:?}");
        assert_eq!((unsealed(&world), world.items("removing")), (1, 12));
        world.call(&["run", "job.toml"]).exits(0);
        assert_eq!((unsealed(&world), world.items("removing"), world.items("removed")), (0, 0, 12));
    });
}

#[test]
fn a_run_is_finished_whatever_quarantine_it_used() {
    const OTHER: &str = "other_quarantine";
    for point in ["mongodb.remove.before", "mongodb.remove.after"] {
        World::each_kind(&ONE, 20, 0, 12, |world| {
            let before = world.database.digest(QUOTES);
            assert!(world.crash(&["run", "job.toml"], point));
            let job = std::fs::read_to_string(world.project.path("job.toml")).unwrap();
            world.project.write("job.toml", format!("{job}\n[quarantine]\ncollection = \"{OTHER}\"\n"));
            let output = world.call(&["run", "job.toml"]).exits(0);
            assert_eq!(output.value("earlier_removed"), "12", "{point} {output:?}");
            assert_eq!((unsealed(&world), world.items("removed")), (0, 12), "{point}");
            assert_eq!(world.database.count(OTHER, doc! {}), 0, "{point}");
            world.project.write("job.toml", job);
            restore(&world, "12", 0);
            assert_eq!(world.database.digest(QUOTES), before, "{point}");
        });
    }
}

#[test]
fn whatever_is_not_in_the_source_can_be_put_back_again_and_again() {
    World::each(20, 0, 900, |world| {
        world.project.edit("job.toml", "fraction = 0.9", "fraction = 1.0");
        let before = world.database.digest(QUOTES);
        assert!(world.crash(&["run", "job.toml"], "mongodb.remove.before#2"));
        assert_eq!((world.items("removed"), world.items("removing")), (500, 400));
        // The person says: put it all back. Nothing is removed by that.
        let output = restore(&world, "900", 0);
        assert!(output.out.contains("500 rows are back, 400 were there already"), "{output:?}");
        assert_eq!(world.database.digest(QUOTES), before);
        let delete = doc! { "q": { "data_source": "akshare" }, "limit": 0 };
        world.database.command(doc! { "delete": QUOTES, "deletes": [delete] });
        restore(&world, "900", 0);
        assert_eq!(world.database.digest(QUOTES), before);
        let output = world.call(&["run", "job.toml"]).exits(0);
        assert!(!output.out.contains("removed="), "what a person put back stays: {output:?}");
        assert_eq!((unsealed(&world), world.database.digest(QUOTES)), (0, before));
    });
}

/// An item of every state, over every content of the source: restore and purge remove nothing, cut short or not.
#[test]
fn restore_and_purge_never_remove_a_row() {
    const STATES: [&str; 6] = ["copied", "removing", "removed", "kept_changed", "kept_error", "restored"];
    const CUTS: [&str; 6] = [
        "mongodb.restore.before",
        "mongodb.restore.after",
        "mongodb.restored.after",
        "mongodb.close.before",
        "mongodb.close.after",
        "",
    ];
    World::each_kind(&ONE, 10, 0, 18, |world| {
        world.project.edit("job.toml", "fraction = 0.9", "fraction = 1.0");
        let bad: Vec<RawDocumentBuf> = world.original.iter().filter(|row| is_bad(row)).cloned().collect();
        world.call(&["run", "job.toml"]).exits(1);
        let items = world.database.documents(QUARANTINE);
        let good = world.database.documents(QUOTES);
        let restore =
            [&["quarantine", "restore", "job.toml", "--rule", "trade-date"][..], &["--confirm", "10"]].concat();
        let purge = vec!["quarantine", "purge", "job.toml", "--older-than", "0d", "--confirm", "12"];
        for words in [restore, purge] {
            for (cut, sealed) in CUTS.iter().flat_map(|cut| [(cut, true), (cut, false)]) {
                // Row n is in state n / 3, and absent, the same, or another.
                world.database.command(doc! { "delete": QUOTES, "deletes": [{ "q": {}, "limit": 0 }] });
                world.database.command(doc! { "delete": QUARANTINE, "deletes": [{ "q": {}, "limit": 0 }] });
                let mut source = good.clone();
                for (n, row) in bad.iter().enumerate() {
                    let raw = row.as_bytes();
                    let item = items.iter().find(|item| item.get_binary("raw").unwrap().bytes == raw).unwrap();
                    let mut item = mongodb::bson::Document::try_from(item.clone()).unwrap();
                    item.insert("state", STATES[n / 3]);
                    item.insert("expires_at", DateTime::from_millis(0));
                    item.insert("at", DateTime::from_millis(0));
                    item.remove("history");
                    world.database.command(doc! { "insert": QUARANTINE, "documents": [item] });
                    match n % 3 {
                        0 => {}
                        1 => source.push(row.clone()),
                        _ => {
                            let mut other = mongodb::bson::Document::try_from(row.clone()).unwrap();
                            other.insert("close", 99.5);
                            source.push(RawDocumentBuf::try_from(&other).unwrap());
                        }
                    }
                }
                world.database.insert(QUOTES, &source);
                let update = doc! { "q": { "kind": "run" }, "u": { "$set": { "sealed": sealed } }, "multi": true };
                world.database.command(doc! { "update": "barkeep_runs", "updates": [update] });
                let what = format!("{words:?} cut at `{cut}`, sealed {sealed}");
                if cut.is_empty() {
                    let output = world.call(&words);
                    assert!(matches!(output.code, Some(0 | 1)), "{what}: {output:?}");
                    let erased = if words[1] == "purge" && sealed { 12 } else { 0 };
                    assert_eq!(world.database.count(QUARANTINE, doc! {}), 18 - erased, "{what}");
                } else {
                    world.crash(&words, cut);
                }
                let after = world.database.documents(QUOTES);
                assert!(source.iter().all(|row| after.contains(row)), "a row was removed or changed: {what}");
                let planned = |row: &&RawDocumentBuf| bad.contains(row);
                assert!(after.iter().filter(|row| !source.contains(row)).all(|row| planned(&row)), "{what}");
                let watch: Vec<_> = world.database.documents(QUARANTINE);
                if !sealed {
                    assert_eq!(watch.len(), 18, "items of a run that is not sealed are not erased: {what}");
                }
                world
                    .database
                    .command(doc! { "delete": "barkeep_runs", "deletes": [{ "q": { "kind": "lease" }, "limit": 0 }] });
            }
        }
    });
}

#[test]
fn one_damaged_item_is_named_and_the_rest_goes_on() {
    World::each_kind(&ONE, 20, 0, 6, |world| {
        world.call(&["run", "job.toml"]).exits(1);
        let damaged = world.database.documents(QUARANTINE)[2].get_str("_id").unwrap().to_owned();
        let other = Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2, 3] };
        let update = doc! { "q": { "_id": &damaged }, "u": { "$set": { "raw": other } } };
        world.database.command(doc! { "update": QUARANTINE, "updates": [update] });
        world.database.command(doc! { "insert": QUARANTINE, "documents": [{ "_id": "mine", "source": { "ns": format!("{}.{QUOTES}", world.database.name) } }] });
        world.call(&["quarantine", "list", "job.toml"]).exits(0).says(&["mine", "left out"]);
        let output = restore(&world, "6", 1);
        assert!(output.out.contains("5 rows are back, 0 were there already, 1 conflict"), "{output:?}");
        assert!(output.out.contains(&format!("conflict {damaged}: the item is damaged")), "{output:?}");
        // The same rows again: the row of the damaged item is gone, the others leave.
        world.project.edit("rules.toml", "check = \"date-format\"", "check = \"date-format\"\nbudget = 0.9");
        assert_eq!(world.call(&["run", "job.toml"]).exits(1).value("removed"), "5");
        let young = world.database.documents(QUARANTINE)[0].get_str("_id").unwrap().to_owned();
        world.expire(doc! { "_id": { "$ne": young } });
        let output = world.call(&["quarantine", "purge", "job.toml", "--older-than", "0d", "--confirm", "5"]).exits(0);
        assert!(output.out.starts_with("5 of 5 rows were erased; 1 more"), "one young item keeps no other: {output:?}");
    });
}

#[test]
fn a_copy_is_not_erased_while_a_removal_of_its_row_may_still_come() {
    World::each_kind(&ONE, 20, 0, 6, |world| {
        world.call(&["run", "job.toml"]).exits(1);
        let purge = ["quarantine", "purge", "job.toml", "--older-than", "0d"];
        let set = |filter: mongodb::bson::Document, set: mongodb::bson::Document| {
            let update = doc! { "q": filter, "u": { "$set": set }, "multi": true };
            world.database.command(doc! { "update": QUARANTINE, "updates": [update] });
        };
        // Three that stayed and three that left; the retention of all is over.
        let names: Vec<String> =
            world.database.documents(QUARANTINE).iter().map(|item| item.get_str("_id").unwrap().to_owned()).collect();
        set(doc! { "_id": { "$in": &names[..3] } }, doc! { "state": "kept_error" });
        set(doc! {}, doc! { "expires_at": DateTime::from_millis(0) });
        let output = world.call(&purge).exits(0);
        assert!(output.out.starts_with("0 of 0 rows were erased; 6 more"), "{output:?}");
        assert!(output.out.contains("of the last hour"), "{output:?}");
        // They came long ago, and something happened to them since.
        let hours_ago = DateTime::from_millis(chrono::Utc::now().timestamp_millis() - 2 * 3_600_000);
        set(doc! {}, doc! { "at": hours_ago, "history.0.at": hours_ago });
        let output = world.call(&purge).exits(0);
        assert!(output.out.starts_with("0 of 0 rows were erased; 6 more"), "{output:?}");
        set(doc! {}, doc! { "history.$[].at": hours_ago });
        world.call(&[&purge[..], &["--confirm", "6"]].concat()).exits(0);
        assert_eq!(world.database.count(QUARANTINE, doc! {}), 0);
    });
}

#[test]
fn a_row_whose_item_is_damaged_or_refused_stays_and_the_rest_goes() {
    World::each_kind(&ONE, 20, 0, 6, |world| {
        let (plan, confirmation) = world.plan();
        assert!(world.crash(&["apply", &plan, "--confirm", &confirmation], "mongodb.copy.after"));
        let damaged = world.database.documents(QUARANTINE)[0].get_str("_id").unwrap().to_owned();
        let update = doc! { "q": { "_id": &damaged }, "u": { "$set": { "sha256": "00" } } };
        world.database.command(doc! { "update": QUARANTINE, "updates": [update] });
        let output = world.call(&["apply", &plan, "--confirm", &confirmation]).exits(3);
        assert_eq!((output.value("removed"), output.value("kept_error")), ("5", "1"), "{output:?}");
        assert!(output.out.contains(&damaged), "the item is named: {output:?}");
        world.database.command(doc! { "delete": QUARANTINE, "deletes": [{ "q": { "_id": &damaged }, "limit": 1 }] });
        let output = world.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
        assert_eq!((output.value("removed"), output.value("gone")), ("1", "5"), "{output:?}");
    });
}

#[test]
fn a_quarantine_that_would_refuse_copies_is_reported_before_anything() {
    World::each_kind(&ONE, 20, 0, 6, |world| {
        let before = world.database.digest(QUOTES);
        let index = doc! { "key": { "series": 1 }, "name": "mine", "unique": true };
        world.database.command(doc! { "createIndexes": QUARANTINE, "indexes": [index] });
        world.call(&["run", "job.toml"]).exits(4).says(&["unique index `mine`", "dropIndex"]);
        assert_eq!(world.database.digest(QUOTES), before);
        assert_eq!(world.database.count(QUARANTINE, doc! {}), 0);
    });
}

#[test]
fn rows_that_cannot_go_back_are_named_with_the_reason() {
    World::each_kind(&ONE, 20, 0, 5, |world| {
        world.apply().exits(0);
        let validator = doc! { "trade_date": { "$regex": "^\\d{4}-" } };
        world.database.command(doc! { "collMod": QUOTES, "validator": validator });
        let output = restore(&world, "5", 1);
        assert!(output.out.contains("5 conflicts") && output.out.contains("failed validation"), "{output:?}");
        assert_eq!(world.items("removed"), 5);
        world.database.command(doc! { "collMod": QUOTES, "validator": {} });
        restore(&world, "5", 0);
        assert_eq!(world.items("restored"), 5);
    });
}

#[test]
fn a_plan_of_another_server_is_refused_and_one_of_rows_put_back_says_so() {
    World::each_kind(&ONE, 20, 0, 5, |world| {
        let wire = Wire::to(&world.database.server.address());
        let (plan, confirmation) = world.plan_at(&world.database.uri_over(&wire));
        world.call(&["apply", &plan, "--confirm", &confirmation]).exits(4).says(&["the plan is of mongodb://"]);
        let (plan, confirmation) = world.plan();
        let output = world.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
        assert!(!output.err.contains("put back"), "{output:?}");
        restore(&world, "5", 0);
        let words = "the plan takes 5 rows that a person put back";
        world.call(&["apply", &plan]).exits(4).says(&[words, "5 of them put back by a person"]);
        let kept = world.call(&["check", "job.toml", "--format", "json"]).exits(0).out;
        let kept: serde_json::Value = serde_json::from_str(kept.lines().next().unwrap()).unwrap();
        let items = world.call(&["quarantine", "list", "job.toml", "--format", "json"]).exits(0).out;
        let restored = |line: &str| {
            let item: serde_json::Value = serde_json::from_str(line).unwrap();
            item["restored_at"].as_str().map(str::to_owned)
        };
        let mut restored: Vec<String> = items.lines().filter_map(restored).collect();
        restored.sort();
        assert_eq!((restored.len(), &kept["rows"]["kept"]), (5, &5.into()));
        assert_eq!(kept["restored"], serde_json::json!({ "since": restored[0], "until": restored[4] }));
        let output = world.call(&["apply", &plan, "--confirm", &confirmation]).exits(0).says(&[words]);
        assert_eq!(output.value("removed"), "5");
    });
}

#[test]
fn a_runner_in_another_container_is_not_taken_for_dead() {
    World::each_kind(&ONE, 20, 0, 5, |world| {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let (boot, ns) = (boot.trim(), std::fs::read_link("/proc/self/ns/pid").unwrap());
        let holders = [
            (format!("elsewhere boot={boot} ns=pid:[1] pid=3999999 started=1"), 5),
            // As an earlier version wrote it: nothing says where that number counts.
            (format!("before boot={boot} pid=3999999 started=1"), 5),
            (format!("dead boot={boot} ns={} pid=3999999 started=1", ns.display()), 0),
        ];
        for (holder, code) in holders {
            world.hold(&holder);
            let (plan, confirmation) = world.plan();
            let output = world.call(&["apply", &plan, "--confirm", &confirmation]).exits(code);
            assert!(code == 0 || output.err.contains("another run moves rows"), "{output:?}");
            world
                .database
                .command(doc! { "delete": "barkeep_runs", "deletes": [{ "q": { "kind": "lease" }, "limit": 0 }] });
        }
    });
}

#[test]
fn what_a_recovery_removed_is_reported_also_where_the_run_then_fails() {
    World::each_kind(&ONE, 20, 0, 12, |world| {
        assert!(world.crash(&["run", "job.toml"], "mongodb.mark.after"));
        // The days of this window have no rows, which is a failure.
        let output = world.call(&["run", "job.toml", "--since", "2021-03-01", "--until", "2021-03-10"]).exits(3);
        assert_eq!(output.value("earlier_removed"), "12", "{output:?}");
        assert!(!output.out.contains("source=unchanged"), "{output:?}");
        assert_eq!((world.items("removed"), unsealed(&world)), (12, 0));
        let (_, status, code) = world.project.runs().pop().unwrap();
        assert_eq!((status.as_str(), code), ("broken", 3));
    });
}

#[test]
fn a_signal_tells_how_many_rows_had_left() {
    World::each(20, 0, 600, |world| {
        world.project.edit("job.toml", "fraction = 0.9", "fraction = 1.0");
        let (plan, confirmation) = world.plan();
        let data = doc! { "blockConnection": true, "blockTimeMS": 1500 };
        let wait = world.database.fail(&["delete"], doc! { "times": 1 }, data);
        let applying = world.spawn_output(&["apply", &plan, "--confirm", &confirmation]);
        while world.items("removing") < 500 {}
        let sent = std::process::Command::new("kill").args(["-TERM", &applying.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let output = world.project.output(applying.wait_with_output().unwrap()).exits(143);
        drop(wait);
        assert!(output.err.contains("stopped by a signal; 500 rows had left the source"), "{output:?}");
        assert!(!output.err.contains("nothing was changed"), "{output:?}");
        assert_eq!((output.value("removed"), output.value("untried")), ("500", "100"));
        assert_eq!(world.database.count(QUOTES, doc! {}), 120);
        world.holds();
    });
}
