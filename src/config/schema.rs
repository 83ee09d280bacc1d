//! JSON Schema (draft-07) of job and rule files, for completion and checks in editors.
//!
//! Built from the same lists of keys that are read, those that checks declare among them.

use serde_json::{Map, Value, json};

use super::job::JOB;
use super::rules::{RULE, RULE_FILE};
use crate::checks::{CHECKS, CheckKind};
use crate::schema::json::{is_required, property, section};

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of a job file.
pub fn job_schema() -> Value {
    whole("barkeep job", section(&JOB))
}

/// The schema of a rule file.
pub fn rules_schema() -> Value {
    let mut schema = whole("barkeep rules", section(&RULE_FILE));
    schema["properties"]["rule"]["items"] = rule(CHECKS);
    schema
}

fn whole(title: &str, mut schema: Value) -> Value {
    schema["$schema"] = DRAFT.into();
    schema["title"] = title.into();
    schema
}

/// A rule: the keys every rule has, and, by the name of the check, its parameters.
fn rule(checks: &[&dyn CheckKind]) -> Value {
    let mut properties: Map<String, Value> = RULE.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    if let Some(check) = properties.get_mut("check") {
        check["enum"] = checks.iter().map(|check| check.name()).collect();
    }
    let required: Vec<&str> = RULE.keys.iter().filter(|key| is_required(key)).map(|key| key.name).collect();
    let by_check: Vec<Value> = checks.iter().map(|check| parameters_of(*check)).collect();
    json!({
        "type": "object",
        "description": RULE.doc,
        "properties": properties,
        "required": required,
        "allOf": by_check,
    })
}

fn parameters_of(check: &dyn CheckKind) -> Value {
    let common = RULE.keys.iter().map(|key| (key.name.to_owned(), json!(true)));
    let own = check.params().iter().map(|key| (key.name.to_owned(), property(key)));
    let properties: Map<String, Value> = common.chain(own).collect();
    let required: Vec<&str> = check.params().iter().filter(|key| is_required(key)).map(|key| key.name).collect();
    json!({
        "if": { "properties": { "check": { "const": check.name() } }, "required": ["check"] },
        "then": { "properties": properties, "required": required, "additionalProperties": false },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bars::{BarsSpec, FieldKind};
    use crate::config::columns::SourceColumn;
    use crate::config::{RuleFile, compile, job};
    use crate::schema::{Diagnostic, Environment, SourceText};

    /// A value (as TOML) that `schema` accepts, with something of no accepted type at the key `wrong`.
    fn sample(schema: &Value, at: &str, wrong: &str) -> String {
        if at == wrong {
            return "[[]]".to_owned();
        }
        if let Some(value) = schema.get("const").or_else(|| schema.get("default")).or_else(|| schema["enum"].get(0)) {
            return value.to_string();
        }
        if let Some(first) = schema["anyOf"].get(0) {
            return sample(first, at, wrong);
        }
        let kind = if schema["type"].is_array() { &schema["type"][0] } else { &schema["type"] };
        match kind.as_str() {
            Some("object") if schema["properties"].is_object() => {
                let keys = schema["properties"].as_object().unwrap().iter();
                let keys =
                    keys.map(|(name, part)| format!("{name} = {}", sample(part, &format!("{at}/{name}"), wrong)));
                format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
            }
            Some("object") => {
                format!("{{ close = {} }}", sample(&schema["additionalProperties"], &format!("{at}/*"), wrong))
            }
            Some("array") => format!("[{}]", sample(&schema["items"], at, wrong)),
            Some("string") if schema.get("pattern").is_some() => "\"1d\"".to_owned(),
            Some("string") if schema["minLength"] == 10 => "\"2024-03-08\"".to_owned(),
            Some("string") => "\"x\"".to_owned(),
            Some("boolean") => "true".to_owned(),
            Some("integer" | "number") => {
                schema.get("maximum").or(schema.get("minimum")).map_or("1".to_owned(), Value::to_string)
            }
            other => panic!("no sample of {other:?} at {at}: {schema}"),
        }
    }

    /// The keys below `schema`, as `/bars/time/zone`.
    fn keys(schema: &Value, at: &str, out: &mut Vec<String>) {
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            let here = format!("{at}/{name}");
            keys(part, &here, out);
            keys(&part["items"], &here, out);
            out.push(here);
        }
    }

    /// The sample as a file: one line a top-level key.
    fn file(schema: &Value, wrong: &str) -> String {
        let keys = schema["properties"].as_object().unwrap().iter();
        let lines = keys.map(|(name, part)| format!("{name} = {}", sample(part, &format!("/{name}"), wrong)));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn job_mistakes(text: &str) -> Vec<Diagnostic> {
        job::read(&SourceText::new("job.toml", text), &Environment::default()).mistakes
    }

    fn bars() -> BarsSpec {
        let text = "name = \"x\"\nrules = \"x\"\nsource.files.path = \"x\"\n\
                    bars = { series = \"x\", interval = \"1d\", calendar = \"24/7\" }\n";
        let job = job::read(&SourceText::new("job.toml", text), &Environment::default()).job.unwrap();
        let column = |name: &str| SourceColumn { name: name.to_owned(), kind: FieldKind::Text, typed_time: false };
        let names = ["x", "time", "open", "high", "low", "close", "volume", "amount", "pre_close", "change", "pct_chg"];
        job.bars_spec(&names.map(column)).unwrap()
    }

    fn rule_mistakes(text: &str) -> Vec<Diagnostic> {
        let file = RuleFile::new(SourceText::new("rules.toml", text), std::sync::Arc::default());
        compile(&[file], &bars()).err().unwrap_or_default()
    }

    /// The schema of a rule file with rules of the check that `branch` is about.
    fn of_check(branch: &Value) -> Value {
        let mut schema = rules_schema();
        let rule = &mut schema["properties"]["rule"]["items"];
        for (name, part) in branch["then"]["properties"].as_object().unwrap() {
            if part.is_object() {
                rule["properties"][name] = part.clone();
            }
        }
        rule["properties"]["check"] = branch["if"]["properties"]["check"].clone();
        schema
    }

    fn assert_known(text: &str, mistakes: &[Diagnostic]) {
        let structural = ["unknown-key", "missing-key", "wrong-type", "toml-syntax"];
        for mistake in mistakes {
            assert!(!structural.contains(&mistake.code), "{}\n{text}", mistake.render(false));
        }
    }

    /// Whether a mistake stands at the value of no accepted type.
    fn reports_wrong(text: &str, mistakes: &[Diagnostic], codes: &[&str]) -> bool {
        let at = text.find("[[]]").unwrap();
        mistakes.iter().any(|mistake| codes.contains(&mistake.code) && (at..at + 4).contains(&mistake.span.start))
    }

    #[test]
    fn a_job_with_every_key_of_the_schema_has_no_unknown_one() {
        let text = file(&job_schema(), "none");
        assert_known(&text, &job_mistakes(&text));
    }

    #[test]
    fn every_key_of_the_job_schema_is_read() {
        let mut all = Vec::new();
        keys(&job_schema(), "", &mut all);
        assert!(all.len() >= 39, "{all:?}");
        for wrong in all {
            let text = file(&job_schema(), &wrong);
            assert!(reports_wrong(&text, &job_mistakes(&text), &["wrong-type"]), "{wrong} is not read:\n{text}");
        }
    }

    #[test]
    fn rules_with_every_key_of_the_schema_have_no_unknown_one_and_every_key_is_read() {
        let schema = rules_schema();
        let branches = schema["properties"]["rule"]["items"]["allOf"].as_array().unwrap();
        assert_eq!(branches.len(), CHECKS.len());
        for schema in branches.iter().map(of_check) {
            let text = file(&schema, "none");
            assert_known(&text, &rule_mistakes(&text));
            let mut all = Vec::new();
            keys(&schema, "", &mut all);
            for wrong in all {
                let text = file(&schema, &wrong);
                let mistakes = rule_mistakes(&text);
                let reported = reports_wrong(&text, &mistakes, &["wrong-type", "unused-parameter"]);
                assert!(reported, "{wrong} is not read:\n{text}");
            }
        }
    }

    #[test]
    fn required_keys_and_defaults_are_offered() {
        let schema = job_schema();
        assert_eq!(schema["required"], json!(["name", "rules", "source", "bars"]));
        assert_eq!(schema["properties"]["limits"]["properties"]["rows"]["default"], 10_000);
    }

    #[test]
    fn parameters_of_a_check_are_offered_for_it_alone() {
        let schema = rules_schema();
        let rule = &schema["properties"]["rule"]["items"];
        let branch = |name: &str| {
            let of = |branch: &&Value| branch["if"]["properties"]["check"]["const"] == name;
            rule["allOf"].as_array().unwrap().iter().find(of).unwrap()["then"].clone()
        };
        assert_eq!(branch("range")["required"], json!(["field"]));
        assert!(branch("range")["properties"].get("window").is_none());
        assert_eq!(branch("outlier")["properties"]["window"]["minimum"], 3);
        assert_eq!(branch("outlier")["additionalProperties"], false);
    }
}
