//! Every command of the protocol fails in every way a server can fail: the state is right, the exit code is right, and
//! nothing is lost.

use mongodb::bson::doc;

use super::project::World;
use super::quotes::QUOTES;

#[test]
fn a_fault_that_passes_does_no_harm() {
    World::each(60, 0, 12, |world| {
        for command in ["insert", "update", "delete"] {
            for data in [
                doc! { "closeConnection": true },
                doc! { "errorCode": 10107 },
                doc! { "errorCode": 11600 },
                doc! { "writeConcernError": { "code": 64, "errmsg": "waiting for replication timed out" } },
            ] {
                let told = {
                    let _fault = world.database.fail(&[command], doc! { "times": 1 }, data.clone());
                    world.call(&["run", "job.toml"])
                };
                world.holds();
                assert_eq!(told.code, Some(1), "{command} {data}: {told:?}");
                let again = world.call(&["run", "job.toml"]);
                assert_eq!(again.code, Some(0), "{command} {data}: {again:?}");
                world.holds();
                assert_eq!(world.database.count(QUOTES, doc! {}), 60, "{command} {data}");
                assert_eq!(world.items("removed"), 12, "{command} {data}: {told:?}");
                put_back(&world);
            }
        }
    });
}

#[test]
fn a_fault_that_stays_ends_the_run_with_3_and_the_next_one_finishes() {
    World::each(60, 0, 12, |world| {
        for command in ["insert", "update", "delete"] {
            for data in [doc! { "closeConnection": true }, doc! { "errorCode": 13 }] {
                let told = {
                    let _fault = world.database.fail(&[command], "alwaysOn", data.clone());
                    world.call(&["run", "job.toml"])
                };
                world.holds();
                assert_eq!(told.code, Some(3), "{command} {data}: {told:?}");
                world
                    .database
                    .command(doc! { "delete": "barkeep_runs", "deletes": [{ "q": { "kind": "lease" }, "limit": 0 }] });
                world.call(&["run", "job.toml"]);
                world.holds();
                assert_eq!(world.database.count(QUOTES, doc! {}), 60, "{command} {data}");
                put_back(&world);
            }
        }
    });
}

#[test]
fn a_privilege_that_is_missing_is_told() {
    World::each(60, 0, 12, |world| {
        let _fault = world.database.fail(&["insert"], "alwaysOn", doc! { "errorCode": 13 });
        world.call(&["run", "job.toml"]).exits(3).says(&["a privilege is missing", "barkeep doctor"]);
    });
}

fn put_back(world: &World) {
    world.database.command(doc! { "dropDatabase": 1 });
    world.database.insert(QUOTES, &world.original);
    std::fs::remove_dir_all(world.project.path("reports")).unwrap();
}
