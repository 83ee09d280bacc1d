//! Stage 3: source columns become canonical bar columns, as projections over two scalar functions of our own.
//!
//! `read_time(value, spec)` and `read_number(text)` answer NULL for what does not parse; the exact text travels beside
//! the value, and so does a literal of another type (see [`BarColumn`]), so that the operator can tell "missing" from
//! "parse-error". Parameters are literal arguments: the functions hold no state and travel by name.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, binary_expr,
    cast as cast_expr, ident, lit, try_cast,
};

use super::exact_text::{casts_whole, exact_text, fits_a_float, is_binary, is_its_time};
use super::program::Program;
use super::several_types::{are_numbers, has_several};
use crate::bars::number::{NumberFormat, Scale};
use crate::bars::time::TimeFormat;
use crate::bars::{BarColumn, Fold};
use crate::bars::{DAY_US, FieldKind, FieldSpec, Label, TIME, TimeSpec};

/// Type of the column `time`.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The columns of a table.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// Those of its files.
    pub schema: &'a Schema,
    /// Those that the places of its files give.
    pub places: &'a [Arc<str>],
    /// Whether these are all by which copies of a bar are compared.
    pub whole: bool,
}

impl Columns<'_> {
    fn has(&self, name: &str) -> bool {
        self.schema.column_with_name(name).is_some() || self.places.iter().any(|place| **place == *name)
    }
}

/// The projection from the columns of a table to canonical columns.
pub fn projection(program: &Program, columns: &Columns<'_>, first_row: i64) -> Vec<Expr> {
    let source = columns.schema;
    let mut out = time_columns(program, columns);
    for (index, field) in program.bars.fields.iter().enumerate() {
        let is_read = program.read.contains(&index);
        let compared = || program.compared.contains(&index) && columns.has(&field.source);
        match &field.constant {
            Some(value) if is_read => {
                out.push(constant(program, field, value).alias(&*field.name));
            }
            None if is_read || compared() => field_columns(program, (field, is_read), columns, &mut out),
            _ => {}
        }
    }
    out.push(column(BarColumn::File));
    let row = column(BarColumn::Row);
    let row = if first_row == 0 { row } else { row + lit(first_row) };
    out.push(row.alias(BarColumn::Row.name()));
    out.extend(has(source, BarColumn::Id).then(|| column(BarColumn::Id)));
    out.extend(
        [BarColumn::Broken, BarColumn::Raw, BarColumn::Rest].into_iter().filter_map(|name| renamed(source, name, name)),
    );
    out
}

/// What the job gives a field in every bar.
fn constant(program: &Program, field: &FieldSpec, value: &str) -> Expr {
    match field.kind {
        FieldKind::Text => cast_expr(lit(value), DataType::Utf8View),
        FieldKind::Number => {
            let number = program.bars.numbers.read(value).ok();
            lit(ScalarValue::Float64(number.map(|number| field.scale.map_or(number, |scale| scale.apply(number)))))
        }
    }
}

/// The columns of a field: its value, and beside a number its exact text and literals of other types.
fn field_columns(program: &Program, (field, is_read): (&FieldSpec, bool), columns: &Columns<'_>, out: &mut Vec<Expr>) {
    let (from, to, source) = (&*field.source, &*field.name, columns.schema);
    let value = || ident(from);
    match has_several(source, from) {
        // Values of different files may be of different types, whatever they are.
        true => out.push(as_view(column(BarColumn::File)).alias(BarColumn::FileOf(to).name())),
        false => out.extend(renamed(source, BarColumn::Type(from), BarColumn::Type(to))),
    }
    let data_type = source.field_with_name(from).map(Field::data_type).ok();
    if field.kind == FieldKind::Text {
        if field.digits && has(source, BarColumn::Other(from)) {
            out.push(as_text(source, from).alias(to));
        } else if !is_read && data_type.is_some_and(|data_type| !casts_whole(data_type)) {
            // No rule looks at it: it is compared.
            out.push(exact_text(value()).alias(to));
        } else if data_type.is_some_and(is_binary) {
            let text = try_cast(value(), DataType::Utf8View);
            out.push(text.clone().alias(to));
            out.push(unread(value(), (text, exact_text(value()))).alias(BarColumn::Other(to).name()));
        } else {
            out.push(cast_expr(value(), DataType::Utf8View).alias(to));
            out.extend(renamed(source, BarColumn::Other(from), BarColumn::Other(to)));
        }
        return;
    }
    let text = is_text(source, from);
    let number = match text {
        true if are_numbers(source, from) => number_function().call(vec![as_view(value())]),
        true => number_function().call(number_arguments(program, as_view(value()))),
        false => try_cast(value(), DataType::Float64),
    };
    out.push(scaled(number.clone(), field.scale).alias(to));
    if text {
        out.push(as_view(value()).alias(BarColumn::Exact(to).name()));
    } else if columns.whole && data_type.is_some_and(|data_type| !fits_a_float(data_type)) {
        out.push(exact_text(value()).alias(BarColumn::Exact(to).name()));
    } else {
        out.extend(renamed(source, BarColumn::Exact(from), BarColumn::Exact(to)));
    }
    match other_type(source, from) {
        true => out.push(unread(value(), (number, as_view(value()))).alias(BarColumn::Other(to).name())),
        false => out.extend(renamed(source, BarColumn::Other(from), BarColumn::Other(to))),
    }
}

/// Whether the column `name` of a Parquet file has a type whose values need not be numbers.
fn other_type(source: &Schema, name: &str) -> bool {
    !is_text(source, name)
        && !has(source, BarColumn::Other(name))
        && source.field_with_name(name).is_ok_and(|field| !field.data_type().is_numeric())
}

/// `text` where `value` is there and `read` is NULL.
fn unread(value: Expr, (read, text): (Expr, Expr)) -> Expr {
    let lost = value.is_not_null().and(read.is_null());
    // Only values that were not read become text.
    datafusion::logical_expr::when(lost, text).end().unwrap_or_else(|_| lit(ScalarValue::Utf8View(None)))
}

fn number_arguments(program: &Program, text: Expr) -> Vec<Expr> {
    let format = (!program.bars.numbers.is_plain()).then(|| serde_json::json!(program.bars.numbers).to_string());
    std::iter::once(text).chain(format.map(lit)).collect()
}

fn scaled(number: Expr, scale: Option<Scale>) -> Expr {
    let Some((factor, divisor)) = scale.map(Scale::factors) else { return number };
    let number = if factor == 1.0 { number } else { number * lit(factor) };
    if divisor == 1.0 { number } else { number / lit(divisor) }
}

fn time_columns(program: &Program, columns: &Columns<'_>) -> Vec<Expr> {
    let (spec, source) = (&program.bars.time, columns.schema);
    let [only] = spec.sources.as_slice() else { return joined_time(spec, source) };
    let value = ident(&**only);
    let other = BarColumn::Other(only);
    if !is_text(source, only) {
        let time = time_function().call(vec![value.clone(), lit(encode(spec, &[]))]);
        let unread = unread(value.clone(), (time.clone(), as_view(value.clone()))).alias(BarColumn::Other(TIME).name());
        let rounded = source.field_with_name(only).is_ok_and(|field| !is_its_time(field.data_type()));
        let whole = (columns.whole && rounded).then(|| exact_text(value).alias(BarColumn::Type(TIME).name()));
        return [time.alias(TIME), unread].into_iter().chain(whole).collect();
    }
    let mut args = vec![as_view(value.clone()), lit(encode(spec, &[]))];
    args.extend(has(source, other).then(|| as_view(column(other))));
    let mut out = vec![time_function().call(args).alias(TIME), as_view(value).alias(BarColumn::Exact(TIME).name())];
    out.extend(renamed(source, other, BarColumn::Other(TIME)));
    out.extend(renamed(source, BarColumn::Type(only), BarColumn::Type(TIME)));
    out
}

/// The timestamp that several columns make: their texts joined by a blank. Typed dates and times have the texts of ISO
/// 8601, whatever the formats of the job are.
fn joined_time(spec: &TimeSpec, source: &Schema) -> Vec<Expr> {
    let texts = spec.sources.iter().map(|name| as_text(source, name));
    let joined = texts.reduce(|before, text| concatenated(concatenated(before, lit(" ")), text));
    let joined = as_view(joined.unwrap_or_else(|| lit(ScalarValue::Utf8View(None))));
    let typed = |name: &Arc<str>| source.field_with_name(name).is_ok_and(|field| field.data_type().is_temporal());
    let iso: &[&str] = if spec.sources.iter().any(typed) { &["%Y-%m-%d %H:%M:%S%.f"] } else { &[] };
    let time = time_function().call(vec![joined.clone(), lit(encode(spec, iso))]);
    vec![time.alias(TIME), joined.alias(BarColumn::Exact(TIME).name())]
}

/// NULL where either is.
fn concatenated(before: Expr, text: Expr) -> Expr {
    binary_expr(before, Operator::StringConcat, text)
}

/// A column by its name.
pub fn column(column: BarColumn<'_>) -> Expr {
    ident(column.name())
}

/// Whether `source` has a column.
pub fn has(source: &Schema, column: BarColumn<'_>) -> bool {
    source.column_with_name(&column.name()).is_some()
}

/// The column `from` of `source`, which holds text, under the name of `to`; `None` where there is no such column.
fn renamed(source: &Schema, from: BarColumn<'_>, to: BarColumn<'_>) -> Option<Expr> {
    has(source, from).then(|| as_view(column(from)).alias(to.name()))
}

/// The column `name` of `source` as text; a value of another type in a snapshot as its literal.
pub fn as_text(source: &Schema, name: &str) -> Expr {
    let (text, other) = (as_view(ident(name)), BarColumn::Other(name));
    match has(source, other) {
        true => datafusion::functions::expr_fn::coalesce(vec![text, as_view(column(other))]),
        false => text,
    }
}

/// The column `name` of `source` as its records have it: text as it is, numbers with an exact text as that text, and what
/// is typed as it is.
pub fn as_written(source: &Schema, name: &str) -> Expr {
    let exact = BarColumn::Exact(name);
    match has(source, exact) {
        true => datafusion::functions::expr_fn::coalesce(vec![as_view(column(exact)), as_text(source, name)]),
        false if is_text(source, name) => as_text(source, name),
        false => ident(name),
    }
}

fn as_view(value: Expr) -> Expr {
    cast_expr(value, DataType::Utf8View)
}

/// Whether the column `name` of `source` holds text.
pub fn is_text(source: &Schema, name: &str) -> bool {
    fn text(data_type: &DataType) -> bool {
        match data_type {
            DataType::Dictionary(_, value) => text(value),
            other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
        }
    }
    source.field_with_name(name).is_ok_and(|field| text(field.data_type()))
}

fn time_function() -> ScalarUDF {
    ScalarUDF::from(ReadTime::default())
}

fn number_function() -> ScalarUDF {
    ScalarUDF::from(ReadNumber::default())
}

/// A `TimeSpec` as a literal argument, with `more` formats.
fn encode(spec: &TimeSpec, more: &[&'static str]) -> String {
    let formats: Vec<&str> = spec.formats.iter().map(TimeFormat::text).chain(more.iter().copied()).collect();
    serde_json::json!({
        "formats": formats,
        "digits": spec.digits,
        "zone": spec.zone.name(),
        "label": match spec.label { Label::Session => "session", Label::Start => "start", Label::End => "end" },
        "fold": match spec.fold { Fold::Refuse => "refuse", Fold::Earlier => "earlier", Fold::Later => "later" },
    })
    .to_string()
}

/// The `TimeSpec` of a literal argument; the source field's name does not travel.
fn decode(text: &str) -> Result<TimeSpec> {
    let parsed = || -> Option<TimeSpec> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let formats = value["formats"].as_array()?.iter().map(|format| TimeFormat::compile(format.as_str()?).ok());
        Some(TimeSpec {
            sources: vec![Arc::from(TIME)],
            digits: value["digits"].as_bool()?,
            formats: formats.collect::<Option<_>>()?,
            zone: value["zone"].as_str()?.parse().ok()?,
            label: match value["label"].as_str()? {
                "session" => Label::Session,
                "start" => Label::Start,
                _ => Label::End,
            },
            fold: match value["fold"].as_str()? {
                "earlier" => Fold::Earlier,
                "later" => Fold::Later,
                _ => Fold::Refuse,
            },
        })
    };
    parsed().map_or_else(|| plan_err!("bug: read_time got no time spec but {text}"), Ok)
}

/// `read_time(value, spec [, other])`: a timestamp as `Timestamp(µs, UTC)`; NULL where it is missing or does not decode.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ReadTime {
    signature: Signature,
}

impl Default for ReadTime {
    fn default() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ReadTime {
    fn name(&self) -> &'static str {
        "read_time"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(time_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, ColumnarValue::Scalar(ScalarValue::Utf8(Some(spec))), rest @ ..] = args.args.as_slice() else {
            return exec_err!("bug: read_time takes a value and a literal spec");
        };
        let spec = decode(spec)?;
        let value = value.to_array(args.number_rows)?;
        let others = rest.first().map(|other| other.to_array(args.number_rows)).transpose()?;
        let times = match value.data_type() {
            DataType::Utf8View => from_text(value.as_string_view(), others.as_ref(), &spec),
            _ => from_typed(&value, &spec)?,
        };
        Ok(ColumnarValue::Array(Arc::new(times.with_timezone("UTC"))))
    }
}

/// Texts by the formats of `spec`; integers among `others` as epochs where the formats allow them.
fn from_text(texts: &StringViewArray, others: Option<&ArrayRef>, spec: &TimeSpec) -> TimestampMicrosecondArray {
    let others = others.map(AsArray::as_string_view);
    let read = |row: usize| {
        if !texts.is_null(row) {
            return spec.read_text(texts.value(row)).ok();
        }
        let other = others.filter(|others| !others.is_null(row))?;
        spec.read_literal(other.value(row)).ok()
    };
    (0..texts.len()).map(read).collect()
}

fn from_typed(value: &ArrayRef, spec: &TimeSpec) -> Result<TimestampMicrosecondArray> {
    Ok(match value.data_type() {
        DataType::Date32 => {
            let days = value.as_primitive::<Date32Type>();
            days.iter().map(|day| day.and_then(|day| spec.read_day(day).ok())).collect()
        }
        DataType::Timestamp(_, zone) => {
            let zone = zone.clone();
            let micros = cast(value, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            match zone {
                Some(_) => micros.unary_opt(|instant| spec.read_instant(instant).ok()),
                // A timestamp without a zone is wall time in the job's zone.
                None => micros.unary_opt(|local| {
                    let day = i32::try_from(local.div_euclid(DAY_US)).ok()?;
                    spec.read_local(day, local.rem_euclid(DAY_US)).ok()
                }),
            }
        }
        DataType::Date64 => return from_typed(&cast(value, &DataType::Timestamp(TimeUnit::Microsecond, None))?, spec),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let numbers: Float64Array = cast(value, &DataType::Float64)?.as_primitive().clone();
            numbers.iter().map(|number| number.and_then(|number| spec.read_float(number).ok())).collect()
        }
        _ => {
            let numbers: Int64Array = cast(value, &DataType::Int64)?.as_primitive::<Int64Type>().clone();
            numbers.iter().map(|number| number.and_then(|number| spec.read_number(number).ok())).collect()
        }
    })
}

/// `read_number(text [, format])`: `Float64`; NULL where the text is missing or no number.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ReadNumber {
    signature: Signature,
}

impl Default for ReadNumber {
    fn default() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ReadNumber {
    fn name(&self) -> &'static str {
        "read_number"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let format = match args.args.get(1) {
            None => NumberFormat::default(),
            Some(ColumnarValue::Scalar(ScalarValue::Utf8(Some(format)))) => {
                serde_json::from_str(format).map_err(|error| DataFusionError::External(Box::new(error)))?
            }
            Some(_) => return exec_err!("bug: read_number takes a text and a literal format"),
        };
        let Some(texts) = args.args.first() else { return exec_err!("bug: read_number takes a text") };
        let texts = texts.to_array(args.number_rows)?;
        let numbers = texts.as_string_view().iter().map(|text| text.and_then(|text| format.read(text).ok()));
        Ok(ColumnarValue::Array(Arc::new(numbers.collect::<Float64Array>())))
    }
}
