//! The columns of a bar as expressions name them.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;

use super::shape;
use crate::bars::{BarsSpec, FieldKind, TIME};

/// The columns an expression can name.
pub(super) fn canonical(bars: &BarsSpec) -> DFSchema {
    let mut fields = vec![Field::new(TIME, shape::time_type(), true)];
    fields.extend(bars.fields.iter().map(|field| {
        let data_type = match field.kind {
            FieldKind::Number => DataType::Float64,
            FieldKind::Text => DataType::Utf8View,
        };
        Field::new(&*field.name, data_type, true)
    }));
    DFSchema::from_unqualified_fields(fields.into(), HashMap::new()).unwrap_or_else(|_| DFSchema::empty())
}
