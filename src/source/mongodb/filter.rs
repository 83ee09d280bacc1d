//! The filter of a job as a query document. Every value is typed, and every operator is one that only compares.

use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::config::job::{Condition, Operand, Test};

/// The query that `conditions` make: all of them hold. Instants are cut to the millisecond that MongoDB keeps.
pub fn query(conditions: &[Condition]) -> Document {
    let field = |condition: &Condition| {
        let tests: Document =
            condition.tests.iter().map(|Test { operator, operand }| ((*operator).to_owned(), bson(operand))).collect();
        (condition.field.clone(), Bson::Document(tests))
    };
    conditions.iter().map(field).collect()
}

fn bson(operand: &Operand) -> Bson {
    match operand {
        Operand::Text(text) => Bson::String(text.clone()),
        Operand::Integer(number) => Bson::Int64(*number),
        Operand::Float(number) => Bson::Double(*number),
        Operand::Boolean(flag) => Bson::Boolean(*flag),
        Operand::Instant(micros) => Bson::DateTime(DateTime::from_millis(micros.div_euclid(1000))),
        Operand::AnyOf(values) => Bson::Array(values.iter().map(bson).collect()),
    }
}

/// `filter`, and that the field `name` is one of `texts`, or a whole number that one of them says.
pub fn and_one_of(filter: &Document, name: &str, texts: &[String]) -> Document {
    if texts.is_empty() { filter.clone() } else { and(filter, one_of(name, texts)) }
}

/// That the field `name` is one of `texts`, or a whole number that one of them says.
pub(super) fn one_of(name: &str, texts: &[String]) -> Document {
    let number = |text: &String| text.parse::<i64>().ok().filter(|number| number.to_string() == *text);
    let values = texts.iter().map(|text| Bson::String(text.clone()));
    doc! { name: { "$in": values.chain(texts.iter().filter_map(number).map(Bson::Int64)).collect::<Vec<_>>() } }
}

/// Both.
pub(super) fn and(filter: &Document, other: Document) -> Document {
    if filter.is_empty() {
        other
    } else {
        doc! { "$and": [filter.clone(), other] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_become_one_query_of_typed_values() {
        let test = |operator, operand| Test { operator, operand };
        let condition = |field: &str, tests| Condition { field: field.to_owned(), tests };
        let query = query(&[
            condition("period", vec![test("$eq", Operand::Text("daily".into()))]),
            condition("n", vec![test("$gte", Operand::Integer(5)), test("$lt", Operand::Float(7.5))]),
            condition("t", vec![test("$ne", Operand::Instant(1_704_153_600_000_999))]),
            condition("s", vec![test("$in", Operand::AnyOf(vec![Operand::Text("a".into())]))]),
            condition("x", vec![test("$exists", Operand::Boolean(false))]),
        ]);
        let at = DateTime::from_millis(1_704_153_600_000);
        let expected = doc! {
            "period": { "$eq": "daily" }, "n": { "$gte": 5_i64, "$lt": 7.5 }, "t": { "$ne": at },
            "s": { "$in": ["a"] }, "x": { "$exists": false },
        };
        assert_eq!(query, expected);
    }

    #[test]
    fn chosen_series_narrow_the_filter() {
        assert_eq!(and_one_of(&doc! {}, "s", &[]), doc! {});
        assert_eq!(and_one_of(&doc! {}, "s", &["a".into()]), doc! { "s": { "$in": ["a"] } });
        assert_eq!(
            and_one_of(&doc! {}, "s", &["600000".into(), "007".into()]),
            doc! { "s": { "$in": ["600000", "007", 600_000_i64] } }
        );
        let both = doc! { "$and": [{ "p": 1 }, { "s": { "$in": ["a"] } }] };
        assert_eq!(and_one_of(&doc! { "p": 1 }, "s", &["a".into()]), both);
    }
}
