//! Every command of the protocol fails in every way a server or a network can fail: the state is right, the exit code is
//! right, and nothing is lost.

use mongodb::bson::{Document, doc};

use super::project::World;
use super::quotes::QUOTES;
use super::server::Kind;
use super::wire::{Fault, Wire};
use crate::cli_support::Told;

/// The commands of the protocol.
const COMMANDS: [&str; 4] = ["find", "insert", "update", "delete"];

/// What passes: the connection breaks, there is another primary, the server goes down, time runs out, and the members of
/// a replica set are late.
fn passing(command: &str) -> Vec<Document> {
    let mut faults = vec![
        doc! { "closeConnection": true },
        doc! { "errorCode": 10107 },
        doc! { "errorCode": 11600 },
        doc! { "errorCode": 50 },
    ];
    if command != "find" {
        faults.push(doc! { "writeConcernError": { "code": 64, "errmsg": "waiting for replication timed out" } });
    }
    faults
}

#[test]
fn a_fault_that_passes_does_no_harm() {
    World::each(60, 0, 12, |world| {
        for command in COMMANDS {
            for data in passing(command) {
                let (plan, confirmation) = world.plan();
                let output = {
                    let _fault = world.database.fail(&[command], doc! { "times": 1 }, data.clone());
                    world.call(&["apply", &plan, "--confirm", &confirmation])
                };
                world.holds();
                // Of a removal nobody knows whether the server still carries it out: rows that are there stay open.
                if command == "delete" && world.database.count(QUOTES, doc! {}) > 60 {
                    assert_eq!((output.code, output.value("open")), (Some(3), "12"), "{command} {data}: {output:?}");
                    finishes(&world, &plan, &confirmation);
                } else {
                    assert_eq!((output.code, output.value("removed")), (Some(0), "12"), "{command} {data}: {output:?}");
                }
                moved(&world, &format!("{command} {data}"));
                put_back(&world);
            }
        }
    });
}

#[test]
fn a_fault_that_stays_ends_in_3_and_the_next_one_finishes() {
    World::each(60, 0, 12, |world| {
        for command in COMMANDS {
            for data in [passing(command), vec![doc! { "errorCode": 13 }]].concat() {
                let (plan, confirmation) = world.plan();
                let output = {
                    let _fault = world.database.fail(&[command], "alwaysOn", data.clone());
                    world.call(&["apply", &plan, "--confirm", &confirmation])
                };
                world.holds();
                // What a majority has in the end is seen by looking, so late members need not end a run.
                let late = data.contains_key("writeConcernError") && output.code == Some(0);
                assert!(output.code == Some(3) || late, "{command} {data}: {output:?}");
                // A lease that could not be given back is that of a process that is gone.
                let again = world.call(&["apply", &plan, "--confirm", &confirmation]);
                assert_eq!(again.code, Some(0), "{command} {data}: {output:?} {again:?}");
                world.holds();
                moved(&world, &format!("{command} {data}"));
                put_back(&world);
            }
        }
    });
}

/// The rows that a run left open are removed by the next one, which says so.
fn finishes(world: &World, plan: &str, confirmation: &str) {
    assert_eq!((world.items("removing"), world.items("kept_error")), (12, 0));
    assert_eq!(world.database.count("barkeep_runs", doc! { "kind": "run", "sealed": false }), 1);
    let output = world.call(&["apply", plan, "--confirm", confirmation]).exits(0);
    assert_eq!((output.value("earlier_removed"), output.value("gone")), ("12", "12"), "{output:?}");
}

/// Calls barkeep over a wire that fails at one command after the other, in every way, until there are no more of them;
/// `prepare` gives the words of each call over the wire, and `check` looks at what came of it.
fn at_every_command(world: &World, prepare: impl Fn(&Wire) -> Vec<String>, check: impl Fn(&Told, Option<&str>, &str)) {
    let wire = Wire::to(&world.database.server.address());
    for fault in [Fault::Before, Fault::After, Fault::Silence] {
        for at in 1.. {
            let words = prepare(&wire);
            wire.fail(fault, at);
            let mut command = world.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
            command.env("BARKEEP_TEST_URI", world.database.uri_over(&wire)).env("BARKEEP_REPLY_TIMEOUT_MS", "300");
            let output = world.project.output(command.output().unwrap());
            let met = wire.met();
            let what = format!("{fault:?} at {at}, {met:?}: {output:?}");
            world.holds();
            check(&output, met.as_deref().filter(|_| fault == Fault::Before), &what);
            put_back(world);
            if met.is_none() {
                assert!(at > COMMANDS.len(), "{what}");
                break;
            }
        }
    }
}

/// A plan made over the wire, as words that apply it there.
fn plan_over(world: &World, wire: &Wire) -> Vec<String> {
    let (plan, confirmation) = world.plan_at(&world.database.uri_over(wire));
    ["apply", &plan, "--confirm", &confirmation].map(str::to_owned).to_vec()
}

#[test]
fn a_wire_that_breaks_or_falls_silent_at_any_command_does_no_harm() {
    World::each(60, 0, 12, |world| {
        at_every_command(
            &world,
            |wire| plan_over(&world, wire),
            |output, lost, what| {
                if lost == Some("delete") && output.code == Some(3) {
                    // The server never saw the removal, and nobody can know that.
                    assert_eq!(output.value("open"), "12", "{what}");
                    assert_eq!(world.items("removing"), 12, "{what}");
                    let run = world.call(&["run", "job.toml"]);
                    assert_eq!(run.value("earlier_removed"), "12", "{what} {run:?}");
                } else {
                    assert_eq!((output.code, output.value("removed")), (Some(0), "12"), "{what}");
                }
                moved(&world, what);
            },
        );
    });
}

#[test]
fn a_wire_that_breaks_or_falls_silent_while_rows_go_back_does_no_harm() {
    World::each_kind(&[Kind::Standalone], 60, 0, 12, |world| {
        let before = world.database.digest(QUOTES);
        let restore = |_: &Wire| {
            world.call(&["run", "job.toml"]).exits(1);
            let words = ["quarantine", "restore", "job.toml", "--rule", "trade-date", "--confirm", "12"];
            words.map(str::to_owned).to_vec()
        };
        at_every_command(&world, restore, |output, _, what| {
            assert_eq!(output.code, Some(0), "{what}");
            assert_eq!(world.items("restored"), 12, "{what}");
            assert_eq!(world.database.digest(QUOTES), before, "{what}");
        });
    });
}

#[test]
fn a_removal_that_the_server_carries_out_late_is_never_told_as_kept() {
    World::each(60, 0, 12, |world| {
        let wire = Wire::to(&world.database.server.address());
        let words = plan_over(&world, &wire);
        wire.fail_at(Fault::Late, "delete");
        let mut command = world.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("BARKEEP_TEST_URI", world.database.uri_over(&wire)).env("BARKEEP_REPLY_TIMEOUT_MS", "300");
        let began = std::time::Instant::now();
        let output = world.project.output(command.output().unwrap()).exits(3);
        assert_eq!((wire.met().as_deref(), output.value("open")), (Some("delete"), "12"), "{output:?}");
        assert!(output.out.contains("whether 12 rows left is not known"), "{output:?}");
        assert!(began.elapsed() < super::wire::LATE, "the command came too early to tell anything");
        assert_eq!((world.items("removing"), world.items("kept_error")), (12, 0));
        while world.database.count(QUOTES, doc! {}) > 60 {
            assert!(began.elapsed() < std::time::Duration::from_secs(20), "the late command never came");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        world.holds();
        let output = world.call(&["run", "job.toml", "--format", "json"]).exits(0);
        assert_eq!(output.json()[0]["actions"]["earlier_removed"], 12, "{output:?}");
        assert_eq!(output.json()[0]["source_unchanged"], false, "{output:?}");
        moved(&world, "late");
    });
}

#[test]
fn a_privilege_that_is_missing_is_reported() {
    World::each(60, 0, 12, |world| {
        let _fault = world.database.fail(&["insert"], "alwaysOn", doc! { "errorCode": 13 });
        world.call(&["run", "job.toml"]).exits(3).says(&["a privilege is missing", "barkeep doctor"]);
    });
}

/// The bad rows are gone, and every run knows its end.
#[track_caller]
fn moved(world: &World, what: &str) {
    assert_eq!(world.database.count(QUOTES, doc! {}), 60, "{what}");
    assert_eq!(world.items("removed"), 12, "{what}");
    assert_eq!(world.database.count("barkeep_runs", doc! { "kind": "run", "sealed": false }), 0, "{what}");
}

fn put_back(world: &World) {
    world.database.command(doc! { "dropDatabase": 1 });
    world.database.insert(QUOTES, &world.original);
    std::fs::remove_dir_all(world.project.path("reports")).unwrap();
}
