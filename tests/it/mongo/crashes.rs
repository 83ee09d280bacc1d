//! The process ends at every point of the protocol, and again while it recovers; nothing is ever lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{doc, rawdoc};

use super::project::{World, is_bad};
use super::quotes::QUOTES;
use super::server::runtime;
use crate::support::{Moments, kill_after, kills};

/// Every point that applying a plan passes.
const POINTS: &[&str] = &[
    "mongodb.lease.before",
    "mongodb.lease.after",
    "mongodb.begin.before",
    "mongodb.begin.after",
    "mongodb.read.before",
    "mongodb.read.after",
    "mongodb.copy.before",
    "mongodb.copy.after",
    "mongodb.verify.after",
    "mongodb.mark.before",
    "mongodb.mark.after",
    "mongodb.remove.before",
    "mongodb.remove.after",
    "mongodb.look.after",
    "mongodb.close.before",
    "mongodb.close.after",
    "mongodb.close.before",
    "mongodb.close.after",
];

/// Every point that a recovery passes.
const RECOVERY: &[&str] = &[
    "mongodb.recover.before",
    "mongodb.remove.before",
    "mongodb.remove.after",
    "mongodb.look.after",
    "mongodb.close.before",
    "mongodb.close.after",
    "mongodb.recover.after",
    "mongodb.close.before",
    "mongodb.close.after",
];

/// Every point that putting rows back passes.
const RESTORE: &[&str] = &["mongodb.restore.before", "mongodb.restore.after", "mongodb.restored.after"];

#[test]
fn a_run_that_ends_at_any_point_is_finished_by_the_next() {
    World::each(60, 0, 12, |world| {
        for point in POINTS {
            assert!(world.crash(&["run", "job.toml"], point), "{point} was not passed");
            world.holds();
            world.call(&["run", "job.toml"]);
            world.holds();
            assert_eq!(world.database.count(QUOTES, doc! {}), 60, "{point}");
            assert_eq!(world.items("removed"), 12, "{point}");
            assert_eq!(world.database.count("barkeep_runs", doc! { "kind": "run", "sealed": false }), 0, "{point}");
            put_back(&world);
        }
    });
}

/// Inserts good quotes and corrects bad ones, one at a time, until it is stopped.
struct Loader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Written>,
}

/// What a loader wrote, in the end.
struct Written {
    inserted: Vec<RawDocumentBuf>,
    corrected: BTreeSet<ObjectId>,
}

impl Loader {
    fn start(world: &World, round: usize) -> Self {
        let (stop, bad) = (Arc::new(AtomicBool::new(false)), bad_ids(world));
        let (until, name) = (Arc::clone(&stop), world.database.name.clone());
        let client = world.database.client();
        let thread = std::thread::spawn(move || {
            let quotes = client.database(&name).collection::<RawDocumentBuf>(QUOTES);
            let mut written = Written { inserted: Vec::new(), corrected: BTreeSet::new() };
            while !until.load(Ordering::Relaxed) {
                let n = written.inserted.len();
                let symbol = format!("L{round}-{n}");
                let quote = rawdoc! { "_id": ObjectId::new(), "symbol": symbol, "trade_date": "2024-05-06",
                "data_source": "akshare", "period": "daily", "open": 1.0, "high": 1.5, "low": 0.5, "close": 1.2,
                "volume": 100.0 };
                runtime().block_on(quotes.insert_one(&quote).into_future()).unwrap();
                written.inserted.push(quote);
                // Now and then somebody repairs one of a few bad rows, unless it has left by now.
                if n.is_multiple_of(40) {
                    let row = (n / 40 + round) % 4;
                    let (id, date) = (bad[row], format!("2024-06-{:02}", row + 1));
                    let change = doc! { "$set": { "trade_date": date } };
                    let update = quotes.update_one(doc! { "_id": id }, change).into_future();
                    if runtime().block_on(update).unwrap().matched_count == 1 {
                        written.corrected.insert(id);
                    }
                }
                std::thread::sleep(Duration::from_millis(3));
            }
            written
        });
        Self { stop, thread }
    }

    fn stop(self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn bad_ids(world: &World) -> Vec<ObjectId> {
    let bad = world.original.iter().filter(|row| is_bad(row));
    bad.map(|row| row.get_object_id("_id").unwrap()).collect()
}

#[test]
fn a_run_that_ends_at_any_point_beside_a_loader_loses_no_row() {
    World::each(60, 0, 12, |world| {
        for (round, point) in POINTS.iter().enumerate() {
            let loader = Loader::start(&world, round);
            assert!(world.crash(&["run", "job.toml"], point), "{point} was not passed");
            let first = loader.stop();
            let loader = Loader::start(&world, 100 + round);
            world.call(&["run", "job.toml"]);
            let second = loader.stop();
            // What came at the end of that run is left to one more.
            world.call(&["run", "job.toml"]);
            let source = world.database.documents(QUOTES);
            let there: BTreeSet<&[u8]> = source.iter().map(|row| row.as_bytes()).collect();
            let inserted = first.inserted.iter().chain(&second.inserted);
            let good = world.original.iter().filter(|row| !is_bad(row)).chain(inserted);
            let lost: Vec<&RawDocumentBuf> = good.filter(|row| !there.contains(row.as_bytes())).collect();
            assert!(lost.is_empty(), "{point}: {lost:?}");
            // A row that was corrected stays, and every other bad one is in quarantine byte for byte.
            let corrected: BTreeSet<ObjectId> = first.corrected.union(&second.corrected).copied().collect();
            let items = world.database.documents(super::project::QUARANTINE);
            let copies: BTreeSet<&[u8]> = items.iter().map(|item| item.get_binary("raw").unwrap().bytes).collect();
            for row in world.original.iter().filter(|row| is_bad(row)) {
                let id = row.get_object_id("_id").unwrap();
                let now = source.iter().find(|now| now.get_object_id("_id").unwrap() == id);
                match now {
                    Some(now) => {
                        assert!(corrected.contains(&id), "{point}: a bad row stays that nobody corrected: {now:?}");
                        assert!(now.get_str("trade_date").unwrap().starts_with("2024-06-"), "{point}: {now:?}");
                    }
                    None => {
                        assert!(!corrected.contains(&id), "{point}: a row left that was corrected before: {row:?}");
                        assert!(copies.contains(row.as_bytes()), "{point}: {row:?} is lost");
                    }
                }
            }
            assert_eq!(world.items("removing"), 0, "{point}");
            put_back(&world);
        }
    });
}

#[test]
fn a_recovery_that_ends_at_any_point_is_recovered_in_the_same_way() {
    World::each(60, 0, 12, |world| {
        for point in RECOVERY {
            assert!(world.crash(&["run", "job.toml"], "mongodb.mark.after"));
            assert!(world.crash(&["run", "job.toml"], point), "{point} was not passed");
            world.holds();
            world.call(&["run", "job.toml"]);
            world.holds();
            assert_eq!(world.database.count(QUOTES, doc! {}), 60, "{point}");
            assert_eq!(world.items("removed"), 12, "{point}");
            put_back(&world);
        }
    });
}

#[test]
fn restoring_that_ends_at_any_point_is_finished_by_the_next() {
    World::each(60, 0, 12, |world| {
        let before = world.database.digest(QUOTES);
        let restore = ["quarantine", "restore", "job.toml", "--rule", "trade-date", "--confirm", "12"];
        for point in RESTORE {
            world.call(&["run", "job.toml"]);
            assert_eq!(world.items("removed"), 12, "{point}");
            assert!(world.crash(&restore, point), "{point} was not passed");
            world.holds();
            world.call(&restore);
            assert_eq!(world.database.digest(QUOTES), before, "{point}");
            assert_eq!(world.items("restored"), 12, "{point}");
            world.database.command(doc! { "drop": super::project::QUARANTINE });
        }
    });
}

#[test]
fn every_point_of_the_code_is_tried() {
    let folder = crate::support::package().join("src/quarantine/mongodb");
    let known: BTreeSet<&str> = POINTS.iter().chain(RECOVERY).chain(RESTORE).copied().collect();
    let mut found: BTreeSet<String> = BTreeSet::new();
    for file in crate::support::files(&folder) {
        let text = std::fs::read_to_string(&file).unwrap();
        for point in text.split("point(\"").skip(1) {
            found.insert(point.split('"').next().unwrap().to_owned());
        }
    }
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
}

#[derive(serde::Deserialize)]
struct Action {
    quarantine_id: String,
    state: String,
    moved_by: Option<String>,
}

/// The rows that reports name as moved, each with the run that moved it where that is an earlier one.
fn reported(world: &World) -> Vec<Action> {
    let rows: Vec<Action> = crate::support::table(&world.project.path("reports"), "actions");
    let left = ["removed", "earlier_removed", "earlier_moved"];
    rows.into_iter().filter(|row| left.contains(&row.state.as_str())).collect()
}

#[test]
fn rows_that_left_before_a_run_was_killed_stand_in_the_report_of_the_next() {
    // Before any row leaves, among them, when all have left, and when nothing but the report is missing.
    for point in ["mongodb.mark.after", "mongodb.remove.after", "mongodb.close.after", "report.before"] {
        World::each(60, 0, 12, |world| {
            assert!(world.crash(&["run", "job.toml"], point), "{point} was not passed");
            let next = world.call(&["run", "job.toml"]);
            assert_eq!(world.items("removed"), 12, "{point}");
            let rows = reported(&world);
            let ids: BTreeSet<&str> = rows.iter().map(|row| row.quarantine_id.as_str()).collect();
            assert_eq!((ids.len(), rows.len()), (12, 12), "{point}: {next:?}");
            let earlier = rows.iter().filter(|row| row.state != "removed");
            assert!(earlier.clone().all(|row| row.moved_by.is_some()), "{point}");
            if point == "report.before" {
                assert_eq!(earlier.count(), 12);
                next.says(&["moved 12 rows to quarantine and ended before its report"]);
            }
        });
    }
}

/// The process is killed from outside at moments that nobody chose; `BARKEEP_KILLS` says how often.
#[test]
fn a_run_that_is_killed_at_any_moment_is_finished_by_the_next() {
    let kills = kills(100);
    World::each(60, 0, 1500, |world| {
        world.project.edit("job.toml", "fraction = 0.9", "fraction = 1.0");
        let mut moments = Moments::of(0x2545_f491_4f6c_dd1d);
        for round in 0..kills {
            let mut process = world.process(&["run", "job.toml"]);
            kill_after(&mut process, moments.next(250, 900));
            world.project.tidy();
            world.holds();
            if round % 5 == 4 {
                world.call(&["run", "job.toml"]);
                world.holds();
                assert_eq!(world.database.count(QUOTES, doc! {}), 60, "round {round}");
                assert_eq!(world.items("removed"), 1500, "round {round}");
                let reported: BTreeSet<String> = reported(&world).into_iter().map(|row| row.quarantine_id).collect();
                assert_eq!(reported.len(), 1500, "round {round}: rows that left stand in no report");
                put_back(&world);
            }
        }
    });
}

/// The collection as it was, and nothing known of what happened.
fn put_back(world: &World) {
    world.database.command(doc! { "drop": super::project::QUARANTINE });
    world.database.command(doc! { "drop": "barkeep_runs" });
    world.database.command(doc! { "delete": QUOTES, "deletes": [{ "q": {}, "limit": 0 }] });
    world.database.insert(QUOTES, &world.original);
    std::fs::remove_dir_all(world.project.path("reports")).unwrap();
}
