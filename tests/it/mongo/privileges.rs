//! A server that asks who one is: what users with few privileges can do, and what they are reported.

use mongodb::bson::{Document, doc};
use serde_json::Value;

use super::project::World;
use super::quotes::QUOTES;
use super::server::{Kind, PASSWORD, Server};
use crate::cli_support::Told;

/// A world on a secured server, with a user who has no role.
fn world() -> Option<World> {
    let world = World::new(Server::get(Kind::Secured)?, 20, 0, 2);
    world.database.command(doc! { "createUser": "keeper", "pwd": PASSWORD, "roles": [] });
    Some(world)
}

/// Calls barkeep as that user.
fn call(world: &World, args: &[&str]) -> Told {
    let mut command = world.command(args);
    command.env("BARKEEP_TEST_URI", world.database.uri_of("keeper", PASSWORD));
    world.project.output(command.output().unwrap())
}

/// Grants the user exactly these actions, by collection.
fn grant(world: &World, grants: &[(&str, &[&str])]) {
    let privilege = |(collection, actions): &(&str, &[&str])| -> Document {
        doc! { "resource": { "db": &world.database.name, "collection": collection }, "actions": actions.to_vec() }
    };
    let privileges: Vec<Document> = grants.iter().map(privilege).collect();
    world.database.command(doc! { "createRole": "some", "privileges": privileges, "roles": [] });
    world.database.command(doc! { "grantRolesToUser": "keeper", "roles": ["some"] });
}

/// What the doctor tells of a subject: state and words.
fn output_of(output: &Told, what: &str) -> Vec<(String, String)> {
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let lines = output.json();
    lines.iter().filter(|line| line["what"] == what).map(|line| (text(line, "state"), text(line, "detail"))).collect()
}

/// Does what the doctor says is to be done.
fn do_as_told(world: &World, output: &Told) {
    let [(_, detail)] = output_of(output, "grant").try_into().unwrap();
    let role = detail.split_once(".createRole(").unwrap().1.split_once("); ").unwrap().0;
    let role: Value = serde_json::from_str(role).unwrap();
    let privileges = mongodb::bson::serialize_to_bson(&role["privileges"]).unwrap();
    let name = role["role"].as_str().unwrap();
    world.database.command(doc! { "createRole": name, "privileges": privileges, "roles": [] });
    world.database.command(doc! { "grantRolesToUser": "keeper", "roles": [name] });
}

#[test]
fn what_the_doctor_says_is_missing_is_all_that_is_missing() {
    let Some(world) = world() else { return };
    let before = world.database.digest(QUOTES);
    call(&world, &["check", "job.toml"]).exits(3).says(&["not authorized", "`barkeep doctor` tells"]);
    let output = call(&world, &["doctor", "job.toml", "--format", "ndjson"]).exits(3);
    let privileges = output_of(&output, "privileges");
    assert_eq!(
        privileges.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(),
        ["FAIL", "warn", "warn", "warn", "warn"]
    );
    assert!(privileges[0].1.starts_with("`check` needs listCollections on `"), "{privileges:?}");
    do_as_told(&world, &output);

    let output = call(&world, &["doctor", "job.toml", "--format", "ndjson"]).exits(0);
    assert!(output_of(&output, "privileges").iter().all(|(state, _)| state == "ok"), "{output:?}");
    assert!(output_of(&output, "grant").is_empty());
    assert_eq!(call(&world, &["run", "job.toml"]).exits(1).value("removed"), "2");
    world.holds();
    call(&world, &["quarantine", "list", "job.toml"]).exits(0);
    call(&world, &["quarantine", "restore", "job.toml", "--rule", "trade-date", "--confirm", "2"]).exits(0);
    assert_eq!(world.database.digest(QUOTES), before);
    // What was put back stays in quarantine, and goes again when its rule is another one.
    world.project.edit("rules.toml", "check = \"date-format\"", "check = \"date-format\"\nbudget = 0.9");
    assert_eq!(call(&world, &["run", "job.toml"]).exits(1).value("removed"), "2");
    world.expire(doc! {});
    let output = call(&world, &["quarantine", "purge", "job.toml", "--older-than", "0d", "--confirm", "2"]).exits(0);
    assert!(output.out.starts_with("2 of 2 rows were erased"), "{output:?}");
    call(&world, &["doctor", "job.toml"]).exits(0);
}

/// Grants what the doctor says `command` needs, from words like "find, insert on `db.name`; listCollections on `db`".
fn grant_for(world: &World, command: &str) {
    let output = call(world, &["doctor", "job.toml", "--format", "ndjson"]);
    let begin = format!("`{command}` needs ");
    let needs = output_of(&output, "privileges")
        .into_iter()
        .find_map(|(_, words)| words.strip_prefix(&begin).map(str::to_owned));
    let needs = needs.unwrap_or_else(|| panic!("{command}: {output:?}"));
    let needs = needs.split_once(", and `keeper` lacks").unwrap().0;
    let mut grants: Vec<(&str, Vec<&str>)> = Vec::new();
    for need in needs.split("; ") {
        let (actions, place) = need.split_once(" on `").unwrap();
        let collection = place.trim_end_matches('`').split_once('.').map_or("", |(_, collection)| collection);
        grants.push((collection, actions.split(", ").collect()));
    }
    let grants: Vec<(&str, &[&str])> = grants.iter().map(|(name, actions)| (*name, actions.as_slice())).collect();
    grant(world, &grants);
}

#[test]
fn what_the_doctor_says_a_command_needs_is_enough_for_it() {
    for command in ["check", "plan", "apply", "restore", "purge"] {
        let Some(world) = world() else { return };
        let (plan, confirmation) = world.plan();
        if ["restore", "purge"].contains(&command) {
            world.call(&["run", "job.toml"]).exits(1);
        }
        if command == "purge" {
            world.expire(doc! {});
        }
        grant_for(&world, command);
        let (args, code): (&[&str], i32) = match command {
            "check" => (&["check", "job.toml"], 1),
            "plan" => (&["plan", "job.toml"], 1),
            "apply" => (&["apply", &plan, "--confirm", &confirmation], 0),
            "restore" => (&["quarantine", "restore", "job.toml", "--rule", "trade-date", "--confirm", "2"], 0),
            _ => (&["quarantine", "purge", "job.toml", "--older-than", "0d", "--confirm", "2"], 0),
        };
        call(&world, args).exits(code);
        let left = if command == "apply" || command == "purge" { 20 } else { 22 };
        assert_eq!(world.database.count(QUOTES, doc! {}), left, "{command}");
    }
}

#[test]
fn who_may_only_read_checks_and_moves_nothing() {
    let Some(world) = world() else { return };
    let before = world.database.digest(QUOTES);
    let quarantine = super::project::QUARANTINE;
    grant(&world, &[("", &["listCollections"]), (QUOTES, &["find", "listIndexes"]), (quarantine, &["find"])]);
    call(&world, &["check", "job.toml"]).exits(1);
    let output = call(&world, &["plan", "job.toml", "-o", "the.plan", "--format", "json"]).exits(1);
    let next = output.json()[0]["next"].as_array().unwrap().clone();
    let apply = next.iter().filter_map(|step| step["command"].as_str()).find(|text| text.contains("apply")).unwrap();
    let words: Vec<&str> = apply.split(' ').skip(1).collect();
    call(&world, &words).exits(3).says(&["a privilege is missing", "barkeep doctor"]);
    call(&world, &["run", "job.toml"]).exits(3).says(&["a privilege is missing", "barkeep doctor"]);
    assert_eq!(world.database.digest(QUOTES), before);
    let output = call(&world, &["doctor", "job.toml", "--format", "ndjson"]).exits(0);
    let states: Vec<(String, String)> = output_of(&output, "privileges");
    assert!(states[0] == ("ok".to_owned(), "`keeper` may do all that `check` needs".to_owned()), "{states:?}");
    assert!(states[2].1.starts_with("`apply` needs remove on"), "{states:?}");
}

#[test]
fn each_privilege_of_apply_is_needed() {
    // The lease needs more than one of them; the first that is missing is reported.
    let quarantine = super::project::QUARANTINE;
    let all: [(&str, &[&str]); 4] = [
        ("", &["listCollections"]),
        (QUOTES, &["find", "listIndexes", "remove"]),
        (quarantine, &["find", "insert", "update", "listIndexes"]),
        ("barkeep_runs", &["find", "insert", "update", "remove"]),
    ];
    for (collection, action) in
        [(QUOTES, "remove"), (quarantine, "insert"), (quarantine, "update"), ("barkeep_runs", "update")]
    {
        let Some(world) = world() else { return };
        let less = all.map(|(name, actions)| {
            let kept = actions.iter().copied().filter(|other| (name, *other) != (collection, action));
            (name, kept.collect::<Vec<_>>())
        });
        grant(&world, &less.each_ref().map(|(name, actions)| (*name, actions.as_slice())));
        call(&world, &["run", "job.toml"]).exits(3).says(&["a privilege is missing", "barkeep doctor"]);
        world.holds();
        assert_eq!(world.database.count(QUOTES, doc! {}), 22, "{action} on {collection}");
        world.database.command(doc! { "grantRolesToUser": "keeper", "roles": ["readWrite"] });
        let output = call(&world, &["run", "job.toml"]);
        assert_eq!(world.database.count(QUOTES, doc! {}), 20, "{action} on {collection}: {output:?}");
        world.holds();
    }
}

#[test]
fn a_wrong_password_is_reported_without_it() {
    let Some(world) = world() else { return };
    for args in [&["check", "job.toml"][..], &["doctor", "job.toml"]] {
        let mut command = world.command(args);
        command.env("BARKEEP_TEST_URI", world.database.uri_of("keeper", "guessed-wrong"));
        let output = world.project.output(command.output().unwrap()).exits(3);
        let said = format!("{}{}", output.out, output.err);
        assert!(
            said.contains("does not accept the user or the password") && !said.contains("guessed-wrong"),
            "{output:?}"
        );
    }
}
