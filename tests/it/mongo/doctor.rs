//! `barkeep doctor` over a collection: what a person reads, and that nothing is changed by it.

use mongodb::bson::doc;

use super::project::{QUARANTINE, World};
use super::quotes::QUOTES;
use super::server::Kind;
use crate::cli_support::filters;

fn output(world: &World, code: i32) -> String {
    world.call(&["doctor", "job.toml"]).exits(code).out.replace(&world.database.name, "[database]")
}

#[test]
fn the_doctor_tells_what_a_job_can_do_and_changes_nothing() {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "[server]");
    settings.add_filter(r"clock is -?\d+ ms ahead, give or take \d+ ms", "clock is [n] ms ahead, give or take [n] ms");
    settings.add_filter(r"\d+ MiB free", "[n] MiB free");
    settings.add_filter(r"version \d+\.\d+\.\d+", "version [version]");
    settings.add_filter(r"time zones \w+", "time zones [year]");
    let _filters = (settings.bind_to_scope(), filters());
    World::each_kind(&[Kind::Standalone], 60, 0, 12, |world| {
        let before = world.database.digest(QUOTES);
        insta::assert_snapshot!(output(&world, 0), @r"
        ok    job          job.toml and 1 rule files have no mistakes
        ok    calendar     none; time zones [year]
        ok    reports      `reports` has [n] MiB free
        ok    snapshots    `tmp` has [n] MiB free
        ok    server       mongodb://[server] is a standalone server, version [version], in plain text
        ok    clock        the server's clock is [n] ms ahead, give or take [n] ms
        warn  privileges   the server has no access control: everybody may do everything
        ok    collection   [database].stock_daily_quotes has 72 documents and is a collection
        ok    index        no index begins with a field of the filter (`period`): every run passes over all documents
        ok    fit          rows can be moved
        ok    quarantine   0 rows
        ");
        assert_eq!(world.database.digest(QUOTES), before);
        assert_eq!(world.database.count("barkeep_runs", doc! {}), 0);

        assert!(world.crash(&["run", "job.toml"], "mongodb.mark.after"));
        let text = output(&world, 0);
        let end: Vec<&str> = text.lines().filter(|line| line.contains("runs") || line.contains("quarantine")).collect();
        insta::assert_snapshot!(end.join("\n"), @r"
        warn  quarantine   12 rows: 12 removing; the next `run` finishes those that were being removed
        warn  runs         cut short, or under way: [run]; the next `run` finishes them
        ");
        assert_eq!(world.database.digest(QUOTES), before, "the doctor changes nothing");
        world.call(&["run", "job.toml"]);

        world.hold("20261120T023000Z-k7f3 boot=another pid=1 started=1");
        assert!(output(&world, 0).contains("warn  lease        rows are being moved by 20261120T023000Z-k7f3 "));

        let index = doc! { "key": { "at": 1 }, "name": "ttl", "expireAfterSeconds": 60 };
        world.database.command(doc! { "createIndexes": QUARANTINE, "indexes": [index] });
        let text = output(&world, 3);
        let end: Vec<&str> = text.lines().filter(|line| line.contains("fit") || line.contains("quarantine")).collect();
        insta::assert_snapshot!(end.join("\n"), @r"
        FAIL  fit          the quarantine `stock_daily_quotes_quarantine` has the TTL index `ttl`: the server would erase the only copies; drop it with `db.stock_daily_quotes_quarantine.dropIndex(…)`
        ok    quarantine   12 rows: 12 removed
        ");
    });
}
