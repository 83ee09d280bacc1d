//! What the user of a job may do on its server, compared with what each command needs, and the role that is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::config::Loaded;
use crate::config::job::MongoSource;
use crate::quarantine::mongodb::{RUNS, quarantine_of};
use crate::run::examination::{Examination, Health};
use crate::run::failure::Failure;
use crate::source::mongodb::Privileges;

/// Where an action is done.
#[derive(Debug, Clone, Copy)]
enum On {
    Database,
    Source,
    Quarantine,
    Runs,
}

/// What is done there.
#[derive(Debug, Clone, Copy)]
struct Need {
    on: On,
    actions: &'static [&'static str],
}

const fn on(on: On, actions: &'static [&'static str]) -> Need {
    Need { on, actions }
}

const LIST: Need = on(On::Database, &["listCollections"]);
const READ: Need = on(On::Source, &["find", "listIndexes"]);
/// A lease is taken, renewed, and given back.
const LEASE: Need = on(On::Runs, &["find", "insert", "update", "remove"]);

/// What each command needs.
const NEEDS: [(&str, &[Need]); 5] = [
    ("check", &[LIST, READ]),
    ("plan", &[LIST, READ, on(On::Quarantine, &["find"])]),
    (
        "apply",
        &[
            LIST,
            READ,
            on(On::Source, &["remove"]),
            on(On::Quarantine, &["find", "insert", "update", "listIndexes"]),
            LEASE,
        ],
    ),
    ("restore", &[LIST, READ, on(On::Source, &["insert", "update"]), on(On::Quarantine, &["find", "update"]), LEASE]),
    ("purge", &[LIST, READ, on(On::Quarantine, &["find", "update", "remove"]), LEASE]),
];

/// Reports on each command whether the user may do all it needs; and how to grant what is missing.
pub(super) fn examine(
    loaded: &Loaded,
    source: &MongoSource,
    privileges: &Privileges,
    lines: &mut Examination<'_>,
) -> Result<(), Failure> {
    let Privileges::Granted { user, grants: _ } = privileges else {
        return lines.warn("privileges", "the server has no access control: everybody may do everything");
    };
    let quarantine = quarantine_of(&source.collection, loaded.job.quarantine.collection.as_deref());
    let name = |on: On| match on {
        On::Database => "",
        // What may be done in each of several collections is granted for all of a database.
        On::Source if source.pattern.is_some() => "",
        On::Source => source.collection.as_str(),
        On::Quarantine => quarantine.as_str(),
        On::Runs => RUNS,
    };
    let database = source.database.as_str();
    let mut wanting: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (command, needs) in NEEDS {
        let missing = needs.iter().map(|Need { on, actions }| {
            let on = name(*on);
            (on, privileges.missing(database, on, actions))
        });
        let missing: Vec<_> = missing.filter(|(_, actions)| !actions.is_empty()).collect();
        if missing.is_empty() {
            lines.ok("privileges", &format!("`{}` may do all that `{command}` needs", user.name))?;
            continue;
        }
        let lacks = |(on, actions): &(&str, Vec<&str>)| {
            let place = if on.is_empty() { database.to_owned() } else { format!("{database}.{on}") };
            format!("{} on `{place}`", actions.join(", "))
        };
        let lacks: Vec<String> = missing.iter().map(lacks).collect();
        let detail = format!("`{command}` needs {}, and `{}` lacks it", lacks.join("; "), user.name);
        lines.line(if command == "check" { Health::Fail } else { Health::Warn }, "privileges", &detail)?;
        for (on, actions) in missing {
            wanting.entry(on).or_default().extend(actions);
        }
    }
    lines.wanting = !wanting.is_empty();
    if !lines.wanting {
        return Ok(());
    }
    let privilege = |(on, actions): (&&str, &BTreeSet<&str>)| -> Value {
        json!({ "resource": { "db": database, "collection": on }, "actions": actions })
    };
    let role = json!({
        "role": format!("barkeep-{}", loaded.job.name),
        "privileges": wanting.iter().map(privilege).collect::<Vec<_>>(),
        "roles": [],
    });
    let grant = json!([{ "role": role["role"], "db": database }]);
    let detail = format!(
        "in mongosh, as one who may: db.getSiblingDB({}).createRole({role}); \
         db.getSiblingDB({}).grantRolesToUser({}, {grant})",
        json!(database),
        json!(user.database),
        json!(user.name),
    );
    lines.warn("grant", &detail)
}
