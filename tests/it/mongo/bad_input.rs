//! What a person can get wrong about a collection and a plan: a clear error, and nothing is touched.

use mongodb::bson::doc;

use super::project::{QUARANTINE, World};
use super::quotes::QUOTES;

#[test]
fn a_server_that_is_not_there_or_not_meant_is_reported() {
    World::each(20, 0, 2, |world| {
        let with = |uri: &str| {
            let mut command = world.command(&["check", "job.toml"]);
            command.env("BARKEEP_TEST_URI", uri);
            world.project.output(command.output().unwrap())
        };
        with("localhost:27017").exits(2).says(&["this is not a connection string of MongoDB"]);
        with("mongodb://127.0.0.1:1/").exits(3).says(&["refused the connection"]);
        let join = if world.database.uri().contains('?') { "&" } else { "?" };
        let weak = format!("{}{join}w=0", world.database.uri());
        with(&weak).exits(3).says(&["weakens the write concern"]);
        let secret = world.database.uri().replace("mongodb://", "mongodb://me:hushhush@");
        let output = with(&secret).exits(3);
        assert!(!output.err.contains("hushhush") && !output.out.contains("hushhush"), "{output:?}");
        world.project.edit("job.toml", "collection = \"stock_daily_quotes\"", "collection = \"stock_daily_quote\"");
        with(&world.database.uri()).exits(3).says(&["stock_daily_quotes"]);
    });
}

#[test]
fn a_filter_with_code_and_a_quarantine_that_is_the_source_are_mistakes() {
    World::each(20, 0, 2, |world| {
        let before = world.database.digest(QUOTES);
        world.project.edit("job.toml", "period = \"daily\"", "\"$where\" = \"true\"");
        world.call(&["run", "job.toml"]).exits(2).says(&["`$where` is not a field"]);
        world.project.edit("job.toml", "\"$where\" = \"true\"", "period = \"daily\"");
        world.project.edit("job.toml", "[report]", "[quarantine]\ncollection = \"stock_daily_quotes\"\n\n[report]");
        world.call(&["run", "job.toml"]).exits(4).says(&["is the collection itself"]);
        assert_eq!(world.database.digest(QUOTES), before);
    });
}

#[test]
fn what_rows_cannot_be_moved_between_is_refused() {
    World::each(20, 0, 2, |world| {
        let index = doc! { "key": { "at": 1 }, "name": "ttl", "expireAfterSeconds": 60 };
        world.database.command(doc! { "createIndexes": QUARANTINE, "indexes": [index] });
        let before = world.database.digest(QUOTES);
        world.call(&["run", "job.toml"]).exits(4).says(&["TTL index `ttl`"]);
        assert_eq!(world.database.digest(QUOTES), before);
        world.database.command(doc! { "create": "view", "viewOn": QUOTES, "pipeline": [] });
        world.database.command(doc! { "create": "capped", "capped": true, "size": 1_000_000 });
        world.database.insert("capped", &world.original);
        for (name, words) in [("view", "is a view"), ("capped", "is capped")] {
            world.project.edit("job.toml", "collection = \"stock_daily_quotes\"", &format!("collection = \"{name}\""));
            world.call(&["run", "job.toml"]).exits(4).says(&[words]);
            world.project.edit("job.toml", &format!("collection = \"{name}\""), "collection = \"stock_daily_quotes\"");
        }
    });
}

#[test]
fn a_plan_that_is_not_the_one_that_was_made_is_refused() {
    World::each(20, 0, 3, |world| {
        let before = world.database.digest(QUOTES);
        let (plan, confirmation) = world.plan();
        world
            .call(&["apply", &plan, "--confirm", "00000000:3"])
            .exits(4)
            .says(&["is not what this plan is confirmed with"]);
        world.call(&["apply", "job.toml"]).exits(2).says(&["not part of a plan"]);
        world.call(&["apply", "no.plan"]).exits(2).says(&["cannot read the plan"]);
        let text = std::fs::read_to_string(world.project.path(&plan)).unwrap();
        world.project.write("edited.plan", text.replace("\"rows\":3", "\"rows\":2"));
        world
            .call(&["apply", "edited.plan", "--confirm", &confirmation])
            .exits(4)
            .says(&["was changed after it was written"]);
        world.call(&["plan", "job.toml", "-o", "old.plan", "--holds", "0s"]).exits(1);
        world.call(&["apply", "old.plan", "--confirm", &confirmation]).exits(4).says(&["expired"]);
        world.project.edit("rules.toml", "action = \"quarantine\"", "action = \"delete\"");
        world.call(&["apply", &plan, "--confirm", &confirmation]).exits(4).says(&["the rules were changed"]);
        world.project.edit("rules.toml", "action = \"delete\"", "action = \"quarantine\"");
        assert_eq!(world.database.digest(QUOTES), before);
        world.database.command(doc! { "drop": QUOTES });
        world.database.insert(QUOTES, &world.original);
        world.call(&["apply", &plan, "--confirm", &confirmation]).exits(4).says(&["dropped and made again"]);
        assert_eq!(world.database.digest(QUOTES), before);
    });
}

#[test]
fn more_rows_than_the_limits_allow_are_kept_in_a_plan_for_a_person() {
    World::each(100, 0, 20, |world| {
        world.project.edit("job.toml", "rows = 100_000", "rows = 10");
        let before = world.database.digest(QUOTES);
        let output = world.call(&["run", "job.toml", "--format", "json"]).exits(4);
        assert_eq!(world.database.digest(QUOTES), before);
        let next = output.json()[0]["next"].as_array().unwrap().clone();
        let command = next.iter().filter_map(|step| step["command"].as_str()).find(|c| c.contains("apply")).unwrap();
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        assert_eq!(world.call(&words).exits(0).value("removed"), "20");
    });
}

#[test]
fn two_runners_do_not_move_rows_of_one_collection() {
    World::each(20, 0, 2, |world| {
        let holder = "20261120T023000Z-k7f3 boot=another pid=1 started=1";
        world.hold(holder);
        let before = world.database.digest(QUOTES);
        world.call(&["run", "job.toml"]).exits(5).says(&["another run moves rows", "k7f3"]);
        assert_eq!(world.database.digest(QUOTES), before);
        let past = mongodb::bson::DateTime::from_millis(0);
        let update = doc! { "q": { "kind": "lease" }, "u": { "$set": { "until": past } } };
        world.database.command(doc! { "update": "barkeep_runs", "updates": [update] });
        assert_eq!(
            world.call(&["run", "job.toml"]).exits(1).value("removed"),
            "2",
            "a lease that is over is not a lease"
        );
    });
}
