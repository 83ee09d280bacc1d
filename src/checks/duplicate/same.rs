//! Whether two rows have the same value in a field, as the source has it: to the last digit, and of the same type.

use crate::bars::decimal::Decimal;
use crate::bars::number::NumberFormat;
use crate::checks::evidence::Shown;
use crate::checks::{Column, NumberColumn, Series, Written};

/// How alike two values are; the lesser is the more alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alike {
    /// The source has the same, letter by letter.
    Same,
    /// They are equal, and written otherwise: `1.5` and `1.50`, an integer and a float.
    Equal,
    /// They differ.
    Different,
}

/// How alike the values of the field at `index` are in two rows.
pub(super) fn alike(series: &Series<'_>, numbers: &NumberFormat, index: usize, (a, b): (usize, usize)) -> Alike {
    let written = series.written(index);
    match series.columns[index] {
        Column::Absent => Alike::Same,
        Column::Text(column) => {
            if (column.get(a), column.other(a)) != (column.get(b), column.other(b)) {
                Alike::Different
            } else if written.kind(a) == written.kind(b) {
                Alike::Same
            } else {
                Alike::Equal
            }
        }
        Column::Number(column) => number(column, written, numbers, (a, b)).max(types(written, (a, b))),
    }
}

/// How alike the timestamps of two rows with one time are.
pub(super) fn alike_in_time(series: &Series<'_>, (a, b): (usize, usize)) -> Alike {
    let time = series.records.time;
    let written = |row: usize| (time.text(row), time.other(row), time.kind(row));
    if written(a) == written(b) { Alike::Same } else { Alike::Equal }
}

/// How alike the types of two numbers are. A number and a text that reads as one are different values.
fn types(written: Written<'_>, (a, b): (usize, usize)) -> Alike {
    const STRING: Option<&str> = Some("string");
    match (written.kind(a), written.kind(b)) {
        (a, b) if a == b => Alike::Same,
        (a, b) if a == STRING || b == STRING => Alike::Different,
        _ => Alike::Equal,
    }
}

fn number(column: NumberColumn<'_>, written: Written<'_>, numbers: &NumberFormat, (a, b): (usize, usize)) -> Alike {
    if written.other(a) != written.other(b) {
        return Alike::Different;
    }
    match (written.text(a), written.text(b)) {
        (Some(a), Some(b)) if a == b => Alike::Same,
        (None, None) => floats(column.get(a), column.get(b)),
        (first, second) => {
            let exactly = |text: Option<&str>, row: usize| match text {
                Some(text) => numbers.read_exactly(text),
                // The shortest text that is this number, as everything else shows it.
                None => column.get(row).and_then(|value| Decimal::parse(&value.to_string())),
            };
            match (exactly(first, a), exactly(second, b)) {
                (Some(first), Some(second)) if first == second => Alike::Equal,
                (Some(_), Some(_)) => Alike::Different,
                // NaN, infinity, and what a unit multiplies by other than powers of ten.
                _ if column.get(a).is_some() => floats(column.get(a), column.get(b)).max(Alike::Equal),
                _ => Alike::Different,
            }
        }
    }
}

/// NULL equals NULL, every NaN every NaN, and zero is zero whatever its sign.
fn floats(a: Option<f64>, b: Option<f64>) -> Alike {
    match (a, b) {
        (None, None) => Alike::Same,
        (Some(a), Some(b)) if a.to_bits() == b.to_bits() => Alike::Same,
        (Some(a), Some(b)) if a == b || a.is_nan() && b.is_nan() => Alike::Equal,
        _ => Alike::Different,
    }
}

/// A value for the evidence; a number that 64 bits round, and what is no number, as the source has it.
pub(super) fn shown(series: &Series<'_>, index: usize, row: usize) -> Shown {
    let written = series.written(index);
    match series.columns[index] {
        Column::Absent => Shown::Nothing,
        Column::Number(column) => {
            let number = column.get(row);
            let shown = number.and_then(|value| Decimal::parse(&value.to_string()));
            let exact = |text: &&str| written.kind(row).is_some() || number.is_none() || Decimal::parse(text) != shown;
            match written.text(row).filter(exact).or(written.other(row)) {
                Some(text) => Shown::Text(text.to_owned()),
                None => Shown::number(number),
            }
        }
        Column::Text(column) => {
            column.get(row).or(column.other(row)).map_or(Shown::Nothing, |text| Shown::Text(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Float64Array, StringViewArray};

    use super::*;

    /// How alike two numbers are, each with its exact text and its type.
    fn compared(values: [(Option<f64>, Option<&str>, Option<&str>); 2]) -> Alike {
        let column: Float64Array = values.iter().map(|value| value.0).collect();
        let texts: StringViewArray = values.iter().map(|value| value.1).collect();
        let kinds: StringViewArray = values.iter().map(|value| value.2).collect();
        let (column, written) =
            (NumberColumn::new(column.values(), column.nulls()), Written::new(Some(&texts), None, Some(&kinds)));
        number(column, written, &NumberFormat::default(), (0, 1)).max(types(written, (0, 1)))
    }

    fn texts(a: &str, b: &str) -> Alike {
        let value = |text: &'static str| text.parse().ok();
        let (a, b): (&'static str, &'static str) = (String::from(a).leak(), String::from(b).leak());
        compared([(value(a), Some(a), None), (value(b), Some(b), None)])
    }

    #[test]
    fn texts_of_numbers_are_compared_to_the_last_digit() {
        assert_eq!(texts("1.5", "1.5"), Alike::Same);
        assert_eq!(texts("1.5", "1.50"), Alike::Equal);
        assert_eq!(texts("9007199254740992", "9007199254740993"), Alike::Different);
        assert_eq!(texts("9007199254740993", "9007199254740993.0"), Alike::Equal);
        assert_eq!(texts("0.1", "0.10000000000000000001"), Alike::Different);
        assert_eq!(texts("NaN", "nan"), Alike::Equal);
        assert_eq!(texts("inf", "-inf"), Alike::Different);
        assert_eq!(texts("n/a", "n.a."), Alike::Different, "what is no number is not the same for that");
        assert_eq!(texts("n/a", "n/a"), Alike::Same);
    }

    #[test]
    fn floats_are_compared_by_value() {
        let float = |a: f64, b: f64| compared([(Some(a), None, None), (Some(b), None, None)]);
        assert_eq!(float(1.5, 1.5), Alike::Same);
        assert_eq!(float(0.0, -0.0), Alike::Equal);
        assert_eq!(float(f64::NAN, -f64::NAN), Alike::Equal);
        assert_eq!(float(0.1, 0.1 + f64::EPSILON), Alike::Different);
        assert_eq!(compared([(None, None, None), (Some(f64::NAN), None, None)]), Alike::Different);
        assert_eq!(compared([(None, None, None), (None, None, None)]), Alike::Same);
    }

    #[test]
    fn a_float_beside_an_exact_number_is_the_number_that_it_shows() {
        let beside = |float: f64, text: &'static str, kind: &'static str| {
            compared([(Some(float), None, None), (text.parse().ok(), Some(text), Some(kind))])
        };
        assert_eq!(beside(0.1, "0.1", "decimal"), Alike::Equal);
        assert_eq!(beside(9_007_199_254_740_992.0, "9007199254740993", "long"), Alike::Different);
        assert_eq!(beside(5.0, "5", "string"), Alike::Different, "a text is no number");
        assert_eq!(compared([(Some(5.0), None, Some("int")), (Some(5.0), None, None)]), Alike::Equal);
    }
}
