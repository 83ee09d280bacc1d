//! Every job of `docs/sources.md`, run over the file that stands above it; and the reference of all keys of a job.

use std::fs;

use serde_json::Value;

use crate::cli_support::Project;
use crate::support::package;

/// A section of the document: its heading, the path and bytes of its file, and its job.
struct Recipe {
    heading: String,
    path: String,
    bytes: Vec<u8>,
    job: String,
}

fn recipes() -> Vec<Recipe> {
    let text = fs::read_to_string(package().join("docs/sources.md")).unwrap();
    let recipe = |section: &str| {
        let heading = section.lines().next().unwrap().to_owned();
        let file =
            section.lines().find(|line| line.starts_with("`data/")).unwrap_or_else(|| panic!("{heading}: no file"));
        let path = file.split('`').nth(1).unwrap().to_owned();
        let blocks: Vec<&str> = section.split("```").skip(1).step_by(2).collect();
        let [sample, job] = blocks.as_slice() else { panic!("{heading}: a file and a job") };
        let sample = sample.split_once('\n').unwrap().1;
        let bytes = match file.rsplit_once(" in ") {
            Some((_, "gbk")) => encoding_rs::GBK.encode(sample).0.into_owned(),
            _ => sample.as_bytes().to_vec(),
        };
        let job = job.strip_prefix("toml\n").unwrap_or_else(|| panic!("{heading}: the job is TOML")).to_owned();
        Recipe { heading, path, bytes, job }
    };
    text.split("\n## ").skip(1).map(recipe).collect()
}

#[test]
fn every_recipe_for_files_reads_its_file() {
    let recipes = recipes();
    assert!(recipes.len() >= 15, "{}", recipes.len());
    for recipe in recipes {
        let project = Project::new("");
        project.write(&recipe.path, &recipe.bytes);
        project.write(
            "job.toml",
            format!("name = \"recipe\"\nrules = \"rules.toml\"\n{}\n[report]\ndir = \"reports\"\n", recipe.job),
        );
        project.write(
            "rules.toml",
            "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n\n[[rule]]\nid = \"one\"\ncheck = \"duplicate\"\n",
        );
        let output = project.call(&["check", "job.toml"]);
        let (rows, errors) = (output.value("rows").to_owned(), output.value("parse_errors").to_owned());
        assert_eq!((output.code, errors.as_str()), (Some(0), "0"), "{}: {output:?}", recipe.heading);
        assert_ne!(rows, "0", "{}: {output:?}", recipe.heading);
        let without = |field: &str| recipe.job.lines().any(|line| line.starts_with("without") && line.contains(field));
        let fields = ["time", "open", "high", "low", "close", "symbol"].into_iter().filter(|field| !without(field));
        for field in fields.filter(|field| *field != "symbol" || recipe.job.contains("[\"symbol\"]")) {
            let query = format!("select count({field}) n from bars");
            let counted = project.call(&["sql", "--job", "job.toml", "--format", "json", &query]);
            assert!(counted.out.starts_with(&format!("{{\"n\":{rows}}}")), "{}: {field}: {counted:?}", recipe.heading);
        }
    }
}

/// Adds a table of the keys of `schema`, a section of a job, and those of the sections in it.
fn sections(path: &str, schema: &Value, out: &mut String) {
    let Some(keys) = schema["properties"].as_object() else { return };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let title = if path.is_empty() { "At the top".to_owned() } else { format!("`[{path}]`") };
    let has_rows = keys.values().any(|key| key["properties"].is_null() && *key != Value::Bool(false));
    if has_rows {
        out.push_str(&format!("\n## {title}\n\n| key | default | meaning |\n|---|---|---|\n"));
    }
    for (name, key) in keys.iter().filter(|(_, key)| key["properties"].is_null() && **key != Value::Bool(false)) {
        let default = match &key["default"] {
            Value::Null if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            Value::Array(items) => items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(" "),
            default => format!("`{default}`"),
        };
        let words: Vec<String> = key["enum"].as_array().into_iter().flatten().map(|word| format!("`{word}`")).collect();
        let words = if words.is_empty() { String::new() } else { format!(" One of {}.", words.join(", ")) };
        let meaning = key["description"].as_str().unwrap_or_default().replace('|', "\\|");
        out.push_str(&format!("| `{name}` | {default} | {meaning}{words} |\n"));
    }
    for (name, key) in keys {
        let inside = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        sections(&inside, key, out);
        if let Some(entry) = alternatives(key).into_iter().find(|entry| !entry["properties"].is_null()) {
            sections(&format!("{inside}: a table"), &entry, out);
        }
        sections(&format!("{inside}.NAME"), &key["additionalProperties"], out);
    }
}

/// What a value may be besides other things.
fn alternatives(key: &Value) -> Vec<Value> {
    let of = |key: &Value| key["anyOf"].as_array().cloned().unwrap_or_default();
    let nested = of(key).into_iter().flat_map(|one| if one["anyOf"].is_null() { vec![one] } else { of(&one) });
    nested.chain(of(&key["additionalProperties"])).collect()
}

#[test]
fn the_reference_of_all_keys_is_that_of_the_schema() {
    let schema = Project::new("").call(&["rules", "schema", "job"]);
    let mut wanted =
        "# Keys of a job\n\nWritten by a test from the schema that jobs are read by; an editor takes it from \
                      `barkeep rules schema job`.\n"
            .to_owned();
    sections("", &serde_json::from_str(&schema.out).unwrap(), &mut wanted);
    let path = package().join("docs/job-keys.md");
    if std::env::var_os("BARKEEP_REWRITE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "run this test with BARKEEP_REWRITE=1 to write docs/job-keys.md anew");
}
