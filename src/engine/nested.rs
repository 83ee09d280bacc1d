//! Fields inside of structs: a table has the structs, a plan has their fields under dotted names.
//!
//! A field of the schema of a run says by its metadata which names lead to it. The structs of the table have only the
//! fields that are read, so that nothing else of them is.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{Expr, ident};

/// The metadata of a field that is inside of a struct: the names that lead to it, as JSON.
const STEPS: &str = "barkeep.steps";

/// `field`, to be found by `steps`; none where it is a column itself.
pub fn marked(field: Field, steps: &[String]) -> Field {
    match steps.is_empty() {
        true => field,
        false => field.with_metadata([(STEPS.to_owned(), serde_json::json!(steps).to_string())].into()),
    }
}

/// Whether `field` is inside of a struct.
pub(super) fn is_nested(field: &Field) -> bool {
    !steps(field).is_empty()
}

/// The names that lead to `field`; none where it is a column itself.
fn steps(field: &Field) -> Vec<String> {
    field.metadata().get(STEPS).and_then(|steps| serde_json::from_str(steps).ok()).unwrap_or_default()
}

/// The columns of the files of which `schema` is read.
pub fn stored(schema: &SchemaRef) -> SchemaRef {
    if schema.fields().iter().all(|field| field.metadata().is_empty()) {
        return Arc::clone(schema);
    }
    let mut columns: Vec<FieldRef> = Vec::new();
    for field in schema.fields() {
        match steps(field).as_slice() {
            [] => columns.push(Arc::new(field.as_ref().clone().with_metadata([].into()))),
            steps => add(&mut columns, steps, field.data_type()),
        }
    }
    Arc::new(Schema::new(columns))
}

/// Adds a value of `data_type` that `steps` lead to.
fn add(fields: &mut Vec<FieldRef>, steps: &[String], data_type: &DataType) {
    let [name, below @ ..] = steps else { return };
    if below.is_empty() {
        fields.push(Arc::new(Field::new(name, data_type.clone(), true)));
        return;
    }
    let at = fields.iter().position(|field| field.name() == name);
    let mut inner = match at.map(|at| fields[at].data_type()) {
        Some(DataType::Struct(inner)) => inner.to_vec(),
        _ => Vec::new(),
    };
    add(&mut inner, below, data_type);
    let field = Arc::new(Field::new(name, DataType::Struct(Fields::from(inner)), true));
    match at {
        Some(at) => fields[at] = field,
        None => fields.push(field),
    }
}

/// The columns of `schema`, and all others of a `table` that has its structs; `None` where there are no structs.
pub fn flat(schema: &Schema, table: &DFSchema) -> Option<Vec<Expr>> {
    let roots: Vec<String> = schema.fields().iter().filter_map(|field| steps(field).into_iter().next()).collect();
    if roots.is_empty() {
        return None;
    }
    let others = table.fields().iter().filter(|field| !roots.contains(field.name())).map(|field| ident(field.name()));
    let inside = schema.fields().iter().filter_map(|field| {
        let steps = steps(field);
        let (root, below) = steps.split_first()?;
        let value = below.iter().fold(ident(root), |value, name| get_field(value, name.as_str()));
        Some(value.alias(field.name()))
    });
    Some(others.chain(inside).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, steps: &[&str]) -> Field {
        let steps: Vec<String> = steps.iter().map(|step| (*step).to_owned()).collect();
        marked(Field::new(name, DataType::Float64, true), &steps)
    }

    #[test]
    fn structs_have_the_fields_that_are_read() {
        let read = Schema::new(vec![
            field("a.open", &["a", "open"]),
            field("x.y", &[]),
            field("a.b.c", &["a", "b", "c"]),
            field("a.close", &["a", "close"]),
        ]);
        let stored = stored(&Arc::new(read.clone()));
        assert_eq!(stored.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["a", "x.y"]);
        let DataType::Struct(inner) = stored.field(0).data_type() else { panic!("no struct") };
        assert_eq!(inner.iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["open", "b", "close"]);
        let table = DFSchema::try_from(stored.as_ref().clone()).unwrap();
        let names: Vec<String> = flat(&read, &table).unwrap().iter().map(|e| e.schema_name().to_string()).collect();
        assert_eq!(names, ["x.y", "a.open", "a.b.c", "a.close"]);
        assert!(flat(&Schema::new(vec![field("x.y", &[])]), &table).is_none());
    }
}
