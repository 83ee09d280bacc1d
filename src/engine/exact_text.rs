//! `exact_text(value)`: a typed value as text that says all of it, so that equal texts are equal values and only those are.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewBuilder};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The text of `value`.
pub(super) fn exact_text(value: Expr) -> Expr {
    ScalarUDF::from(ExactText::default()).call(vec![value])
}

/// Whether a cast to text says all of a value of this type.
pub(super) fn casts_whole(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => casts_whole(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null | DataType::Boolean => true,
        other => other.is_numeric() || is_moment(other),
    }
}

fn is_moment(data_type: &DataType) -> bool {
    use DataType::{Date32, Date64, Time32, Time64, Timestamp};
    matches!(data_type, Date32 | Date64 | Timestamp(..) | Time32(_) | Time64(_))
}

/// Whether 64 bits of a float hold every value of this type.
pub(super) fn fits_a_float(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => fits_a_float(values),
        DataType::Int64 | DataType::UInt64 => false,
        other => other.is_integer() || other.is_floating(),
    }
}

/// Whether values of this type are bytes, which need not be a text.
pub(super) fn is_binary(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_binary(values),
        other => matches!(other, DataType::Binary | DataType::LargeBinary | DataType::BinaryView),
    }
}

/// Whether values of this type that are one time are the same value.
pub(super) fn is_its_time(data_type: &DataType) -> bool {
    let exact = |unit: &TimeUnit| *unit != TimeUnit::Nanosecond;
    matches!(data_type, DataType::Date32) || matches!(data_type, DataType::Timestamp(unit, _) if exact(unit))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExactText {
    signature: Signature,
}

impl Default for ExactText {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ExactText {
    fn name(&self) -> &'static str {
        "exact_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = args.args.first() else {
            return datafusion::common::exec_err!("bug: exact_text takes a value");
        };
        Ok(ColumnarValue::Array(texts(&value.to_array(args.number_rows)?)?))
    }
}

fn texts(values: &ArrayRef) -> Result<ArrayRef> {
    let options = FormatOptions::new().with_display_error(false);
    let formatter = ArrayFormatter::try_new(values.as_ref(), &options)?;
    let nulls = values.logical_nulls();
    let mut texts = StringViewBuilder::with_capacity(values.len());
    for row in 0..values.len() {
        match nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            true => texts.append_null(),
            false => texts.append_value(formatter.value(row).try_to_string()?),
        }
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        AsArray, BinaryArray, Decimal128Array, DictionaryArray, Float64Array, Int64Array, ListArray,
        TimestampNanosecondArray, UInt64Array,
    };
    use arrow::datatypes::{Int32Type, Int64Type};

    use super::*;

    fn exact(values: impl Array + 'static) -> Vec<Option<String>> {
        let texts = texts(&(Arc::new(values) as ArrayRef)).unwrap();
        texts.as_string_view().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn every_digit_of_a_number_is_kept() {
        let some = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned())).to_vec();
        let beyond = [9_007_199_254_740_992, 9_007_199_254_740_993];
        assert_eq!(exact(Int64Array::from(beyond.to_vec())), some(["9007199254740992", "9007199254740993"]));
        assert_eq!(exact(UInt64Array::from(vec![u64::MAX, 0])), some(["18446744073709551615", "0"]));
        let decimals =
            Decimal128Array::from(vec![12_340_000_000_000_000_001, -5]).with_precision_and_scale(38, 4).unwrap();
        assert_eq!(exact(decimals), some(["1234000000000000.0001", "-0.0005"]));
        assert_eq!(exact(Float64Array::from(vec![Some(0.1), None])), [Some("0.1".to_owned()), None]);
    }

    #[test]
    fn what_is_not_a_number_has_a_text_too() {
        let binary = exact(BinaryArray::from(vec![&b"\xff\x00"[..], b"\xff\x01"]));
        assert!(binary[0].is_some() && binary[0] != binary[1], "{binary:?}");
        let lists =
            ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), Some(vec![Some(1)]), None]);
        let lists = exact(lists);
        assert!(lists[0].is_some() && lists[0] != lists[1] && lists[2].is_none(), "{lists:?}");
        let instants = exact(TimestampNanosecondArray::from(vec![1, 2]));
        assert_ne!(instants[0], instants[1]);
        let keyed: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
        assert_eq!(exact(keyed), [Some("a".to_owned()), None]);
    }

    #[test]
    fn types_that_a_float_does_not_hold_are_known() {
        for (data_type, fits) in [
            (DataType::Int64, false),
            (DataType::UInt64, false),
            (DataType::Decimal128(10, 2), false),
            (DataType::Utf8, false),
            (DataType::Int32, true),
            (DataType::Float32, true),
            (DataType::Float64, true),
        ] {
            assert_eq!(fits_a_float(&data_type), fits, "{data_type}");
        }
        assert!(!casts_whole(&DataType::Binary) && casts_whole(&DataType::Date32));
    }
}
