//! The process ends at every point of the protocol, and again while it recovers; nothing is ever lost.

use std::collections::BTreeSet;

use mongodb::bson::doc;

use super::project::World;
use super::quotes::QUOTES;
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
