//! `docs/rules.md`: its rules run over the rows that stand with them, and its reference is that of the code.

use std::fmt::Write as _;
use std::fs;

use barkeep::checks::CHECKS;
use serde_json::Value;

use crate::cli_support::Project;
use crate::support::package;

/// Where the part begins that a test writes.
const REFERENCE: &str = "\n## Keys of every rule\n";

fn text() -> String {
    fs::read_to_string(package().join("docs/rules.md")).unwrap()
}

#[test]
fn every_rule_of_the_document_flags_the_rows_that_it_says() {
    let text = text();
    let rules: Vec<&str> = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(rules.len() >= 20, "{}", rules.len());
    let project = Project::new("");
    project.write("neighbours.toml", rules.join("\n"));
    let output = project.call(&["rules", "test", "neighbours.toml"]).exits(0);
    assert!(output.out.ends_with(&format!("{} passed, 0 failed\n", rules.len())), "{output:?}");
    project.call(&["rules", "lint", "neighbours.toml"]).exits(0);
    project.edit("neighbours.toml", "prev.close or volume > 0", "prev.clsoe or volume > 0");
    project.write(
        "job.toml",
        "name = \"demo\"\nrules = \"neighbours.toml\"\nsource.files.path = \"bars.csv\"\n\
                               [bars]\nseries = \"symbol\"\ninterval = \"1d\"\n",
    );
    project.write(
        "bars.csv",
        "symbol,time,open,high,low,close,volume,pre_close,amount,factor,exchange\nA,2024-01-02,1,1,1,1,1,1,1,1,X\n",
    );
    project.call(&["check", "job.toml"]).exits(2).says(&["unknown field `clsoe`", "did you mean `close`?"]);
}

/// A table of keys, by their properties in the schema.
fn keys(properties: &Value, required: &[&str], out: &mut String) {
    out.push_str("\n| key | default | meaning |\n|---|---|---|\n");
    for (name, key) in properties.as_object().unwrap().iter().filter(|(_, key)| key.is_object()) {
        let default = match &key["default"] {
            Value::Null if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            Value::Array(items) => items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(" "),
            default => format!("`{default}`"),
        };
        let words: Vec<String> = key["enum"].as_array().into_iter().flatten().map(|word| format!("`{word}`")).collect();
        let listed = !words.is_empty() && name != "check" && name != "causes";
        let words = if listed { format!(" One of {}.", words.join(", ")) } else { String::new() };
        let meaning = key["description"].as_str().unwrap_or_default().replace('|', "\\|");
        writeln!(out, "| `{name}` | {default} | {meaning}{words} |").unwrap();
    }
}

fn required(schema: &Value) -> Vec<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The keys of every rule, and each check with its parameters and causes.
fn reference() -> String {
    let schema = Project::new("").call(&["rules", "schema", "rules"]).exits(0);
    let schema: Value = serde_json::from_str(&schema.out).unwrap();
    let rule = &schema["properties"]["rule"]["items"];
    let mut out = REFERENCE.to_owned();
    keys(&rule["properties"], &required(rule), &mut out);
    out.push_str("\n## Checks\n");
    for (check, of_check) in CHECKS.iter().zip(rule["allOf"].as_array().unwrap()) {
        write!(out, "\n### `{}`\n\n{}.\n", check.name(), check.summary()).unwrap();
        if !check.params().is_empty() {
            keys(&of_check["then"]["properties"], &required(&of_check["then"]), &mut out);
        }
        let causes: Vec<String> = check.causes().iter().map(|cause| format!("`{cause}`")).collect();
        if !causes.is_empty() {
            write!(out, "\nCauses: {}.\n", causes.join(", ")).unwrap();
        }
    }
    out
}

#[test]
fn the_reference_of_rules_is_that_of_the_code() {
    let text = text();
    let written = text.split_once(REFERENCE).map_or(text.as_str(), |(written, _)| written).trim_end();
    let wanted = format!("{written}\n{}", reference());
    if std::env::var_os("BARKEEP_REWRITE").is_some() {
        fs::write(package().join("docs/rules.md"), &wanted).unwrap();
        return;
    }
    assert!(text == wanted, "run this test with BARKEEP_REWRITE=1 to write the reference of docs/rules.md anew");
}

#[test]
fn every_set_that_ships_has_no_mistake_and_flags_the_rows_of_its_cases() {
    let project = Project::new("");
    let sets: Vec<_> = fs::read_dir(package().join("rules")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(sets.len() >= 12, "{sets:?}");
    for set in sets {
        let path = set.display().to_string();
        project.call(&["rules", "lint", &path]).exits(0);
        let tested = project.call(&["rules", "test", &path]).exits(0);
        assert!(tested.out.ends_with(" 0 failed\n"), "{path}: {tested:?}");
        let name = set.file_name().unwrap().to_str().unwrap();
        assert!(
            fs::read_to_string(package().join("README.md")).unwrap().contains(name),
            "README.md has no row for {name}"
        );
    }
}

#[test]
fn the_suggestions_of_the_document_are_those_for_the_demo() {
    let text = text();
    let block = text.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let (command, expected) = block.split_once('\n').unwrap();
    let project = Project::empty();
    project.call(&["demo", "."]).exits(0);
    let words: Vec<&str> = command.strip_prefix("$ barkeep ").unwrap().split(' ').collect();
    let found = project.call(&words).exits(0).out;
    if std::env::var_os("BARKEEP_REWRITE").is_some() {
        fs::write(package().join("docs/rules.md"), text.replace(expected, &found)).unwrap();
        return;
    }
    assert!(found == expected, "run this test with BARKEEP_REWRITE=1 to write the example of docs/rules.md anew");
}
