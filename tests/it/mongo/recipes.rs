//! Every job of `docs/mongodb-collections.md`, run over the documents that stand above it.

use std::fs;
use std::path::Path;

use mongodb::bson::{Bson, DateTime, Document, doc};
use serde_json::Value;

use super::server::{Database, KINDS, Server};
use crate::cli_support::Project;

/// A block of code: its language with what stands behind it, and its text.
type Block = (String, String);

/// The sections of the document that have a job, each with its heading and its blocks.
fn recipes() -> Vec<(String, Vec<Block>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/mongodb-collections.md")).unwrap();
    let section = |section: &str| {
        let blocks = section.split("```").skip(1).step_by(2);
        let blocks = blocks.map(|block| block.split_once('\n').unwrap());
        let heading = section.lines().next().unwrap().to_owned();
        (heading, blocks.map(|(head, text)| (head.to_owned(), text.to_owned())).collect())
    };
    let sections = text.split("\n## ").skip(1).map(section);
    sections.filter(|(_, blocks): &(String, Vec<Block>)| blocks.iter().any(|(head, _)| head == "toml")).collect()
}

/// JSON as BSON: whole numbers are integers, `{"$date": …}` is a date.
fn bson(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(flag) => Bson::Boolean(*flag),
        Value::String(text) => Bson::String(text.clone()),
        Value::Number(number) => number.as_i64().map_or_else(|| Bson::Double(number.as_f64().unwrap()), Bson::Int64),
        Value::Array(items) => Bson::Array(items.iter().map(bson).collect()),
        Value::Object(fields) => match fields.get("$date").and_then(Value::as_str) {
            Some(at) => Bson::DateTime(DateTime::parse_rfc3339_str(at).unwrap()),
            None => Bson::Document(fields.iter().map(|(name, value)| (name.clone(), bson(value))).collect()),
        },
    }
}

/// Does what the line for the shell of the server says.
fn make(database: &Database, name: &str) {
    match name {
        "time-series" => {
            let series = doc! { "timeField": "at", "metaField": "meta", "granularity": "hours" };
            database.command(doc! { "create": "prices", "timeseries": series });
        }
        "view" => {
            let at = |n: i32| doc! { "$arrayElemAt": ["$p", n] };
            let fields = doc! {
                "symbol": "$s", "date": "$d", "volume": "$v", "open": at(0), "high": at(1), "low": at(2), "close": at(3),
            };
            let pipeline = vec![doc! { "$project": fields }];
            database.command(doc! { "create": "bars", "viewOn": "raw", "pipeline": pipeline });
        }
        other => panic!("no block of `{other}` for the shell is known here"),
    }
}

#[test]
fn every_recipe_reads_its_documents() {
    let recipes = recipes();
    assert_eq!(recipes.len(), 8, "{recipes:?}");
    for server in KINDS.into_iter().filter_map(Server::get) {
        for (heading, blocks) in &recipes {
            let database = server.database();
            let job = &blocks.iter().find(|(head, _)| head == "toml").unwrap().1;
            let name = job.lines().next().unwrap().split('"').nth(1).unwrap();
            if blocks.iter().any(|(head, _)| head == "js") {
                make(&database, name);
            }
            let mut rows = 0;
            for (head, lines) in blocks {
                let Some(collection) = head.strip_prefix("json ") else { continue };
                let documents: Vec<Document> = lines
                    .lines()
                    .map(|line| bson(&serde_json::from_str(line).unwrap()).as_document().unwrap().clone())
                    .collect();
                rows += lines.matches("\"open\"").count() + lines.matches("\"open_price\"").count();
                rows += lines.matches("\"p\"").count();
                database.command(doc! { "insert": collection, "documents": documents });
            }
            // The daily bar among the minutes of vn.py is not of the job.
            rows -= usize::from(name == "vnpy-minutes");
            let project = Project::empty();
            let written = job.lines().find(|line| line.starts_with("database")).unwrap();
            project.write("jobs/job.toml", job.replace(written, &format!("database = \"{}\"", database.name)));
            let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/ohlcv.toml");
            project.write("rules/ohlcv.toml", fs::read(rules).unwrap());
            let mut command = project.command(&["check", "jobs/job.toml"]);
            let output = project.output(command.env("MONGODB_URI", database.uri()).output().unwrap());
            let counts = ["rows", "clean", "errors", "warnings"].map(|key| output.value(key).to_owned());
            let rows = rows.to_string();
            assert_eq!(counts, [rows.as_str(), &rows, "0", "0"], "{heading}: {output:?}");
            output.exits(0);
        }
    }
}
