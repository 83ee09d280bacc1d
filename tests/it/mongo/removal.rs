//! Rows leave a collection and come back, as a person sees it.

use mongodb::bson::raw::{RawDocumentBuf, cstr};
use mongodb::bson::{RawBson, doc, rawdoc};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::project::{QUARANTINE, World, is_bad};
use super::quotes::QUOTES;

/// Commands that read, or end what only read.
const READS: [&str; 11] = [
    "aggregate",
    "buildInfo",
    "connectionStatus",
    "count",
    "endSessions",
    "find",
    "hello",
    "listCollections",
    "listDatabases",
    "listIndexes",
    "ping",
];

#[test]
fn bad_rows_leave_by_a_plan_and_come_back_byte_for_byte() {
    World::each(1300, 300, 700, |world| {
        let before = world.database.digest(QUOTES);
        world.call(&["check", "job.toml"]).exits(1);
        let (plan, confirmation) = world.plan();
        world.call(&["apply", &plan]).exits(4).says(&["wants a confirmation", "--confirm"]);
        assert_eq!(world.database.digest(QUOTES), before, "nothing was touched so far");
        let output = world.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
        assert_eq!(output.value("removed"), "700");
        let left = world.database.documents(QUOTES);
        let good: Vec<&RawDocumentBuf> = world.original.iter().filter(|row| !is_bad(row)).collect();
        assert!(left.iter().eq(good), "only the bad ones left, and all of them");
        world.holds();
        assert_eq!(world.items("removed"), 700);
        let again = world.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
        assert_eq!(again.value("gone"), "700", "a repeat does nothing");
        let ask = world.call(&["quarantine", "restore", "job.toml", "--rule", "trade-date"]).exits(4);
        ask.says(&["700 rows would go back", "--confirm 700"]);
        let output =
            world.call(&["quarantine", "restore", "job.toml", "--rule", "trade-date", "--confirm", "700"]).exits(0);
        assert!(output.out.contains("700 rows are back"), "{output:?}");
        assert_eq!(world.database.digest(QUOTES), before);
        let run = world.call(&["run", "job.toml"]).exits(0);
        assert!(!run.out.contains("removed="), "what a person put back stays: {run:?}");
        assert_eq!(world.database.digest(QUOTES), before);
        world.project.edit("rules.toml", "check = \"date-format\"", "check = \"date-format\"\nbudget = 0.9");
        assert_eq!(world.apply().exits(0).value("removed"), "700", "until its rule is another one");
        world.holds();
    });
}

#[test]
fn a_row_that_was_changed_since_the_plan_stays() {
    World::each(600, 0, 60, |world| {
        let (plan, confirmation) = world.plan();
        let bad: Vec<RawDocumentBuf> = world.original.iter().filter(|row| is_bad(row)).cloned().collect();
        let id = |n: usize| bad[n].get_object_id("_id").unwrap();
        let change = |n: usize, set| doc! { "q": { "_id": id(n) }, "u": { "$set": set } };
        let updates = [change(0, doc! { "trade_date": "2024-05-06" }), change(1, doc! { "version": 1_i64 })];
        world.database.command(doc! { "update": QUOTES, "updates": updates.to_vec() });
        world.database.command(doc! { "delete": QUOTES, "deletes": [{ "q": { "_id": id(2) }, "limit": 1 }] });
        let output = world.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
        assert_eq!((output.value("removed"), output.value("kept_changed"), output.value("gone")), ("57", "2", "1"));
        let left = world.database.documents(QUOTES);
        assert!(left.iter().any(|row| row.get_str("trade_date").unwrap() == "2024-05-06"));
        assert!(left.iter().any(|row| row.get_i64("version").is_ok()), "a change of type alone is a change");
    });
}

#[test]
fn rows_with_ids_of_any_type_leave_and_come_back() {
    World::each(100, 0, 0, |world| {
        let bar = |id: mongodb::bson::RawBson| {
            let mut row = rawdoc! {};
            row.append(cstr!("_id"), id);
            row.append(cstr!("symbol"), "X");
            row.append(cstr!("trade_date"), "7");
            row.append(cstr!("data_source"), format!("s{}", row.as_bytes().len()));
            row.append(cstr!("period"), "daily");
            row.append(cstr!("close"), f64::NAN);
            row
        };
        let rows = [
            bar(RawBson::Int32(7)),
            bar(RawBson::String("text".into())),
            bar(RawBson::Document(rawdoc! { "a": 1_i32, "b": "c" })),
            bar(RawBson::Boolean(true)),
            bar(RawBson::DateTime(mongodb::bson::DateTime::from_millis(-1))),
        ];
        for (n, row) in rows.iter().enumerate() {
            // The unique key of the collection wants them apart.
            let mut row = row.clone();
            row.append(cstr!("n"), i32::try_from(n).unwrap());
            world.database.command(doc! { "dropIndexes": QUOTES, "index": "*" });
            world.database.insert(QUOTES, &[row]);
        }
        let before = world.database.digest(QUOTES);
        assert_eq!(world.apply().exits(0).value("removed"), "5");
        assert_eq!(world.database.count(QUOTES, doc! {}), 100);
        world.call(&["quarantine", "restore", "job.toml", "--series", "X|s23", "--dry-run"]).exits(0);
        let output = world.call(&["quarantine", "restore", "job.toml", "--rule", "trade-date", "--confirm", "5"]);
        output.exits(0);
        assert_eq!(world.database.digest(QUOTES), before);
    });
}

#[test]
fn a_row_is_not_put_back_over_another() {
    World::each(50, 0, 4, |world| {
        world.apply().exits(0);
        let bad: Vec<RawDocumentBuf> = world.original.iter().filter(|row| is_bad(row)).cloned().collect();
        let other = rawdoc! {
            "_id": bad[0].get_object_id("_id").unwrap(), "symbol": "Z", "trade_date": "2024-05-06",
            "data_source": "x", "period": "daily",
        };
        let twin = rawdoc! {
            "symbol": "000000", "trade_date": "1", "data_source": "akshare", "period": "daily",
        };
        world.database.insert(QUOTES, &[other.clone(), twin, bad[2].clone()]);
        let output =
            world.call(&["quarantine", "restore", "job.toml", "--rule", "trade-date", "--confirm", "4"]).exits(1);
        assert!(output.out.contains("1 row is back, 1 was there already, 2 conflicts"), "{output:?}");
        assert!(world.database.documents(QUOTES).contains(&other), "nothing was overwritten");
        assert_eq!((world.items("restored"), world.items("removed")), (2, 2));
    });
}

#[test]
fn the_quarantine_is_listed_shown_exported_and_purged_when_it_is_old() {
    World::each(100, 0, 5, |world| {
        world.apply().exits(0);
        let list = world.call(&["quarantine", "list", "job.toml", "--format", "ndjson"]).exits(0).json();
        assert_eq!(list.len(), 5);
        assert_eq!(
            (list[0]["state"].as_str(), list[0]["rules"][0]["id"].as_str()),
            (Some("removed"), Some("trade-date"))
        );
        let id = list[0]["id"].as_str().unwrap();
        let shown = world.call(&["quarantine", "show", "job.toml", &id[..8]]).exits(0);
        assert!(shown.out.contains("the number of a row is not a date") && shown.out.contains("\"trade_date\":\""));
        world.call(&["quarantine", "show", "job.toml", "ffff"]).exits(2);
        world.call(&["quarantine", "export", "job.toml", "-o", "out.parquet"]).exits(0);
        let exported = std::fs::File::open(world.project.path("out.parquet")).unwrap();
        let exported = ParquetRecordBatchReaderBuilder::try_new(exported).unwrap().build().unwrap();
        let raws = |batch: arrow::array::RecordBatch| -> Vec<Vec<u8>> {
            let raw = batch.column_by_name("raw").unwrap();
            arrow::array::AsArray::as_binary::<i32>(raw).iter().map(|raw| raw.unwrap().to_vec()).collect()
        };
        let mut exported: Vec<Vec<u8>> = exported.flat_map(|batch| raws(batch.unwrap())).collect();
        let mut bad: Vec<Vec<u8>> =
            world.original.iter().filter(|row| is_bad(row)).map(|row| row.as_bytes().to_vec()).collect();
        exported.sort();
        bad.sort();
        assert_eq!(exported, bad, "byte for byte");
        let query = "select count(*) as n from quarantine where state = 'removed'";
        let asked = world.call(&["sql", query, "--job", "job.toml", "--format", "ndjson"]).exits(0);
        assert_eq!(asked.json()[0]["n"], 5);
        world.call(&["quarantine", "export", "job.toml", "-o", "out.csv"]).exits(0);
        let csv = std::fs::read_to_string(world.project.path("out.csv")).unwrap();
        assert_eq!(csv.lines().count(), 6);
        let output = world.call(&["quarantine", "purge", "job.toml", "--older-than", "0d"]).exits(0);
        assert!(output.out.starts_with("0 of 0 rows were erased; 5 more"), "{output:?}");
        world.expire(doc! {});
        world
            .call(&["quarantine", "purge", "job.toml", "--older-than", "0d"])
            .exits(4)
            .says(&["5 rows would be erased"]);
        let output = world.call(&["quarantine", "purge", "job.toml", "--older-than", "0d", "--confirm", "5"]).exits(0);
        assert!(output.out.starts_with("5 of 5 rows were erased"), "{output:?}");
        assert_eq!(world.database.count(QUARANTINE, doc! {}), 0);
        assert_eq!(world.database.count(QUOTES, doc! {}), 100, "a purge touches no source");
    });
}

#[test]
fn a_purge_does_not_forget_what_was_put_back() {
    World::each(100, 0, 5, |world| {
        let before = world.database.digest(QUOTES);
        world.call(&["run", "job.toml"]).exits(1);
        world.call(&["quarantine", "restore", "job.toml", "--rule", "trade-date", "--confirm", "5"]).exits(0);
        world.expire(doc! {});
        let output = world.call(&["quarantine", "purge", "job.toml", "--older-than", "0d"]).exits(0);
        assert!(output.out.starts_with("0 of 0 rows were erased; 5 more"), "{output:?}");
        world.call(&["run", "job.toml"]).exits(0);
        assert_eq!(world.database.digest(QUOTES), before, "what a person put back stays");
    });
}

#[test]
fn check_and_plan_send_no_command_that_writes_and_give_every_connection_back() {
    World::each(300, 0, 30, |world| {
        for args in [&["check", "job.toml"][..], &["plan", "job.toml"], &["run", "job.toml", "--dry-run"]] {
            let watch = world.database.watch();
            let output = world.call(&[args, &["--format", "json"]].concat()).exits(1);
            let connections = &output.json()[0]["connections"];
            let commands: Vec<&str> = connections["commands"].as_object().unwrap().keys().map(String::as_str).collect();
            assert!(commands.iter().all(|command| READS.contains(command)), "{args:?}: {commands:?}");
            // The server's own record of what reached the database, whatever barkeep says of itself.
            let seen = watch.commands();
            assert!(seen.keys().all(|command| READS.contains(&command.as_str())), "{args:?}: {seen:?}");
            for command in ["find", "aggregate"] {
                assert_eq!(
                    connections["commands"][command].as_u64(),
                    seen.get(command).copied(),
                    "{args:?}: {command}"
                );
            }
            let closed: u64 = connections["closed"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
            assert_eq!(connections["opened"].as_u64(), Some(closed), "{args:?}: {connections}");
            assert_eq!(connections["in_use"], 0);
        }
        assert_eq!(world.database.count("barkeep_runs", doc! {}), 0);
        assert_eq!(world.database.count(QUARANTINE, doc! {}), 0);
    });
}

#[test]
fn rows_that_a_writer_corrects_meanwhile_are_never_removed() {
    const BAD: usize = 15_000;
    const CORRECTED: usize = 5_000;
    World::each(200, 0, BAD, |world| {
        let (plan, confirmation) = world.plan();
        let bad: Vec<_> =
            world.original.iter().filter(|row| is_bad(row)).map(|row| row.get_object_id("_id").unwrap()).collect();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                // All over the plan: rows that are gone, rows that are to come, and rows the runner has in hand.
                let mut corrected = 0;
                for first in (0..BAD).step_by(25) {
                    let scattered = (first..first + 25).map(|n| bad[n * 7919 % BAD]);
                    let update =
                        |id| doc! { "q": { "_id": id }, "u": { "$set": { "trade_date": format!("2023-{id}") } } };
                    let updates: Vec<_> = scattered.map(update).collect();
                    let reply = world.database.command(doc! { "update": QUOTES, "updates": updates, "ordered": false });
                    corrected += usize::try_from(reply.get_i32("n").unwrap()).unwrap();
                    if corrected >= CORRECTED {
                        break;
                    }
                }
                corrected
            });
            let output = world.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
            let corrected = writer.join().unwrap();
            assert!(corrected >= CORRECTED, "the runner was done after {corrected} corrections");
            let kept = world.database.documents(QUOTES);
            let kept = kept.iter().filter(|row| row.get_str("trade_date").unwrap().starts_with("2023-65")).count();
            assert_eq!(kept, corrected, "no corrected row was removed");
            let count = |key: &str| {
                if output.out.contains(&format!("{key}=")) { output.value(key).parse().unwrap() } else { 0 }
            };
            let (removed, changed): (usize, usize) = (count("removed"), count("kept_changed"));
            assert_eq!((removed + changed, changed), (BAD, kept));
            assert!(removed > 0, "rows left all the while");
        });
    });
}

#[test]
fn a_row_that_is_changed_in_the_last_moment_before_its_removal_stays() {
    World::each(50, 0, 8, |world| {
        let (plan, confirmation) = world.plan();
        let bad: Vec<RawDocumentBuf> = world.original.iter().filter(|row| is_bad(row)).cloned().collect();
        let id = |n: usize| bad[n].get_object_id("_id").unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "volumes of the tests are whole")]
        let same_volume = bad[2].get_f64("volume").unwrap() as i64;
        // The removal waits in the server, after the row was read again and before anything is removed.
        let data = doc! { "blockConnection": true, "blockTimeMS": 3000 };
        let wait = world.database.fail(&["delete"], doc! { "times": 1 }, data);
        let output = std::thread::scope(|scope| {
            let applying = scope.spawn(|| world.call(&["apply", &plan, "--confirm", &confirmation]));
            while world.items("removing") < 8 {
                assert!(!applying.is_finished(), "it did not come to the removal");
            }
            let change = |n: usize, set| doc! { "q": { "_id": id(n) }, "u": { "$set": set } };
            let updates = vec![
                change(0, doc! { "trade_date": "2024-05-06" }),
                change(1, doc! { "version": 1_i64 }),
                // As long as before, and equal by value: only the type is another one.
                change(2, doc! { "volume": same_volume }),
            ];
            world.database.command(doc! { "update": QUOTES, "updates": updates });
            assert!(!applying.is_finished(), "the change came too late");
            applying.join().unwrap()
        });
        drop(wait);
        let output = output.exits(0);
        assert_eq!((output.value("removed"), output.value("kept_changed")), ("5", "3"));
        let left = world.database.documents(QUOTES);
        assert_eq!(left.len(), 53);
        assert!((0..3).all(|n| left.iter().any(|row| row.get_object_id("_id").unwrap() == id(n))));
    });
}

#[test]
fn ctrl_c_ends_a_run_after_the_chunk_it_is_in_and_the_next_goes_on() {
    World::each(200, 0, 600, |world| {
        let data = doc! { "blockConnection": true, "blockTimeMS": 2000 };
        let wait = world.database.fail(&["delete"], doc! { "times": 1 }, data);
        let mut run = world.process(&["run", "job.toml"]);
        while world.items("removing") < 500 {
            assert!(run.try_wait().unwrap().is_none(), "it did not come to the removal");
        }
        let sent = std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(run.wait().unwrap().code(), Some(130));
        drop(wait);
        assert_eq!((world.items("removed"), world.database.count(QUOTES, doc! {})), (500, 300));
        let last = world.project.runs().pop().unwrap();
        assert_eq!((last.1.as_str(), last.2), ("stopped", 130));
        world.holds();
        assert_eq!(world.call(&["run", "job.toml"]).exits(1).value("removed"), "100");
        world.holds();
    });
}
