//! Declared keys as JSON Schema (draft-07), for completion and checks in editors.

use serde_json::{Map, Value, json};

use super::keys::{Holds, Key, Otherwise, Section};

/// The schema of a section.
pub fn section(section: &Section) -> Value {
    let properties: Map<String, Value> = section.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = section.keys.iter().filter(|key| is_required(key)).map(|key| key.name).collect();
    json!({
        "type": "object",
        "description": section.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Whether `key` must be written.
pub fn is_required(key: &Key) -> bool {
    matches!(key.otherwise, Otherwise::Mistake)
}

/// The schema of the value of `key`.
pub fn property(key: &Key) -> Value {
    let mut schema = match key.holds {
        Holds::Text | Holds::Expression | Holds::Field | Holds::NumberField => {
            json!({ "type": "string", "minLength": 1 })
        }
        Holds::Texts | Holds::Fields => strings(),
        Holds::SomeTexts => {
            let text = json!({ "type": "string", "minLength": 1 });
            json!({ "anyOf": [text, { "type": "array", "items": text, "minItems": 1 }] })
        }
        Holds::Choice(words) => json!({ "enum": words }),
        Holds::Count { min, max } => bounded("integer", Some(json!(min)), (max < i64::MAX).then(|| json!(max))),
        Holds::Number { min, max } => {
            let bound = |bound: f64| bound.is_finite().then(|| json!(bound));
            bounded("number", bound(min), bound(max))
        }
        Holds::Share => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
        Holds::Duration => json!({ "type": "string", "pattern": "^[0-9]+[smhdw]$|\\$\\{" }),
        // Editors hand TOML's own dates on as strings.
        Holds::Moment => json!({ "type": "string", "minLength": 10 }),
        Holds::Indices => json!({ "type": "array", "items": { "type": "integer", "minimum": 0 } }),
        Holds::Table(part) => section(part),
        Holds::Tables(part) => array_of(&section(part), is_required(key)),
        Holds::Filter => {
            let value = json!({ "anyOf": [{ "type": ["string", "integer", "boolean"] }, array_of(&json!({ "type": "string" }), true)] });
            json!({ "type": "object", "additionalProperties": value })
        }
        Holds::MongoFilter => {
            let value = json!({ "type": ["string", "number", "boolean", "array", "object"] });
            json!({ "type": "object", "additionalProperties": value })
        }
        Holds::Flag => json!({ "type": "boolean" }),
        Holds::Factor => factor(),
        Holds::Factors => json!({ "type": "object", "additionalProperties": factor() }),
        Holds::Files(part) => {
            let file = json!({ "anyOf": [{ "type": "string", "minLength": 1 }, section(part)] });
            json!({ "anyOf": [file, array_of(&file, true)] })
        }
        Holds::Names(part) => {
            let text = json!({ "type": "string", "minLength": 1 });
            let names = json!({ "type": "array", "items": text, "minItems": 1 });
            json!({ "type": "object", "additionalProperties": { "anyOf": [text, names, section(part)] } })
        }
        Holds::Sections(part) => json!({ "type": "object", "additionalProperties": section(part) }),
        Holds::Dated => {
            let hours = json!({ "type": "string", "minLength": 1 });
            json!({ "type": "object", "additionalProperties": hours })
        }
        Holds::Wide(part) => json!({ "anyOf": [strings(), section(part)] }),
        Holds::Rows => {
            let value = json!({ "type": ["string", "number", "boolean"] });
            array_of(&json!({ "type": "object", "additionalProperties": value }), true)
        }
        Holds::Values => {
            let value = json!({ "type": ["string", "number", "boolean", "array", "object"] });
            let values = json!({ "type": "object", "additionalProperties": value });
            json!({ "type": "object", "additionalProperties": values })
        }
    };
    schema["description"] = key.doc.into();
    match key.otherwise {
        Otherwise::Mistake | Otherwise::Nothing => {}
        Otherwise::Text(text) => schema["default"] = text.into(),
        Otherwise::Texts(texts) => schema["default"] = texts.into(),
        Otherwise::Count(count) => schema["default"] = count.into(),
        Otherwise::Number(number) => schema["default"] = number.into(),
        Otherwise::Flag(flag) => schema["default"] = flag.into(),
    }
    schema
}

fn array_of(items: &Value, some: bool) -> Value {
    if some {
        json!({ "type": "array", "items": items, "minItems": 1 })
    } else {
        json!({ "type": "array", "items": items })
    }
}

fn factor() -> Value {
    json!({ "type": ["number", "string"] })
}

fn strings() -> Value {
    json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
}

/// A number of `kind`, with bounds where there are any.
fn bounded(kind: &str, min: Option<Value>, max: Option<Value>) -> Value {
    let mut schema = json!({ "type": kind });
    for (name, bound) in [("minimum", min), ("maximum", max)] {
        if let Some(bound) = bound {
            schema[name] = bound;
        }
    }
    schema
}
