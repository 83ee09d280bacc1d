//! Numbers written as text.
//!
//! Without a format only plain decimal literals are read: no thousands separators, no hexadecimal, no units, nothing
//! guessed. What else a source writes is said by its [`NumberFormat`].

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::decimal::Decimal;

/// Why a text is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberFault {
    /// The text is not a decimal literal.
    NotANumber,
    /// The literal is too large for a 64-bit float.
    OutOfRange,
}

/// Reads a decimal literal (`12.5`, `-.5`, `1e-3`), or `NaN`, `inf`, `infinity` in any case and with a sign.
/// ASCII blanks around it are ignored. Digits beyond the precision of `f64` are rounded to nearest and a literal
/// too close to zero becomes zero; one too large is [`NumberFault::OutOfRange`], never infinity.
pub fn read_number(text: &str) -> Result<f64, NumberFault> {
    if let Some(value) = short(text.as_bytes()) {
        return Ok(value);
    }
    let text = text.trim_ascii();
    let value: f64 = text.parse().map_err(|_| NumberFault::NotANumber)?;
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(NumberFault::OutOfRange);
    }
    Ok(value)
}

/// The most digits of which every number is exact in 64 bits.
const EXACT: usize = 15;
/// The powers of ten that so many digits of a fraction are divided by, which are exact too.
const POWERS: [f64; EXACT + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A literal of few digits, as nearly all prices are: the quotient of two numbers that are exact, and so the nearest to what is
/// written (Clinger 1990). `None` for any other text.
#[inline]
fn short(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.len() > EXACT + 1 {
        return None;
    }
    let (mut value, mut point) = (0_u64, None);
    for (at, byte) in digits.iter().enumerate() {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 => value = value * 10 + u64::from(digit),
            _ if *byte == b'.' && point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let count = digits.len() - usize::from(point.is_some());
    if count == 0 || count > EXACT {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "15 digits at most")]
    let value = value as f64 / POWERS[point.map_or(0, |at| digits.len() - 1 - at)];
    Some(if digits.len() < text.len() { -value } else { value })
}

/// How a source writes its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberFormat {
    /// What stands before the fraction.
    pub decimal: char,
    /// What stands between groups of digits before the fraction: groups of three, or of two and a last one of three.
    pub thousands: Option<char>,
    /// Ends of numbers that multiply them, e.g. `M`.
    pub units: Vec<(String, Scale)>,
    /// Texts before or behind a number that say nothing of its value, e.g. `$`.
    pub around: Vec<String>,
}

/// What a number is made of.
struct Parts<'t> {
    negative: bool,
    /// Its digits, as a decimal literal.
    literal: Cow<'t, str>,
    unit: Option<Scale>,
}

impl Default for NumberFormat {
    fn default() -> Self {
        Self { decimal: '.', thousands: None, units: Vec::new(), around: Vec::new() }
    }
}

impl NumberFormat {
    /// Whether numbers are plain decimal literals. It is asked of every value, so it makes nothing to compare with.
    pub fn is_plain(&self) -> bool {
        self.decimal == '.' && self.thousands.is_none() && self.units.is_empty() && self.around.is_empty()
    }

    /// Reads a number written in this format; otherwise as [`read_number`]. Blanks around it and inside `around` are
    /// ignored, and a sign may stand before what is `around` it.
    pub fn read(&self, text: &str) -> Result<f64, NumberFault> {
        if self.is_plain() {
            return read_number(text);
        }
        let Parts { negative, literal, unit } = self.parts(text).ok_or(NumberFault::NotANumber)?;
        let value = read_number(&literal)?;
        let value = if negative { -value } else { value };
        Ok(unit.map_or(value, |scale| scale.apply(value)))
    }

    /// The number that `text` is in this format, to the last digit; `None` where it is none, or where its unit is not a
    /// power of ten.
    pub fn read_exactly(&self, text: &str) -> Option<Decimal> {
        if self.is_plain() {
            return Decimal::parse(text);
        }
        let Parts { negative, literal, unit } = self.parts(text)?;
        let number = Decimal::parse(&literal)?;
        let number = if negative { number.negated() } else { number };
        unit.map_or(Some(number.clone()), |scale| number.shifted(scale.power_of_ten()?))
    }

    /// What a number is made of; `None` where `text` is none.
    fn parts<'t>(&self, text: &'t str) -> Option<Parts<'t>> {
        let (sign, rest) = signed(self.bare(text.trim()));
        let (inner_sign, mut rest) = signed(self.bare(rest));
        let unit = self.units.iter().filter(|(unit, _)| rest.len() > unit.len() && rest.ends_with(unit.as_str()));
        let unit = unit.max_by_key(|(unit, _)| unit.len());
        if let Some((unit, _)) = unit {
            rest = rest[..rest.len() - unit.len()].trim_end();
        }
        if sign && inner_sign || rest.starts_with(['+', '-']) {
            return None;
        }
        let unit = unit.map(|(_, scale)| *scale);
        Some(Parts { negative: sign || inner_sign, literal: self.plain(rest)?, unit })
    }

    /// `text` without what stands around numbers.
    fn bare<'t>(&self, mut text: &'t str) -> &'t str {
        for around in &self.around {
            text = text.strip_prefix(around.as_str()).unwrap_or(text).trim_start();
            text = text.strip_suffix(around.as_str()).unwrap_or(text).trim_end();
        }
        text
    }

    /// The digits as a decimal literal; `None` where groups of digits are not groups.
    fn plain<'t>(&self, digits: &'t str) -> Option<Cow<'t, str>> {
        let (whole, fraction) = match digits.split_once(self.decimal) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        if self.decimal != '.' && (whole.contains('.') && self.thousands != Some('.')) {
            return None;
        }
        let whole = match self.thousands.filter(|separator| whole.contains(*separator)) {
            Some(separator) => Cow::Owned(ungrouped(whole, separator)?),
            None => Cow::Borrowed(whole),
        };
        Some(match (fraction, self.decimal, whole) {
            (None, _, whole) => whole,
            (Some(_), '.', Cow::Borrowed(_)) => Cow::Borrowed(digits),
            (Some(fraction), _, whole) => Cow::Owned(format!("{whole}.{fraction}")),
        })
    }
}

/// Whether a minus stands before `text`, and what stands behind the sign.
fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    }
}

/// The digits of groups: of three, or of two and a last one of three (as in India); the first may be shorter.
fn ungrouped(text: &str, separator: char) -> Option<String> {
    let groups: Vec<&str> = text.split(separator).collect();
    let digits = groups.iter().all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    let (first, rest) = groups.split_first()?;
    let (last, middle) = rest.split_last()?;
    let of = |length: usize| first.len() <= length && middle.iter().all(|group| group.len() == length);
    (digits && last.len() == 3 && (of(3) || of(2))).then(|| groups.concat())
}

/// A factor that numbers are multiplied by. Powers of ten below one divide, for `i * 1e-9` misses the decimal price
/// that `i / 1e9` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scale {
    digits: i64,
    exponent: i32,
}

impl Scale {
    /// Reads a decimal literal; `None` where it is not one, or zero, or has more than 15 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
            None => (text, 0_i32),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if fraction.starts_with(['+', '-']) || digits.trim_start_matches(['+', '-', '0']).len() > 15 {
            return None;
        }
        let mut digits: i64 = digits.parse().ok()?;
        let mut exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        while digits != 0 && digits % 10 == 0 {
            digits /= 10;
            exponent += 1;
        }
        (digits != 0 && exponent.abs() <= 30).then_some(Self { digits, exponent })
    }

    /// What numbers are multiplied by, and then divided by.
    pub fn factors(self) -> (f64, f64) {
        #[expect(clippy::cast_precision_loss, reason = "15 digits at most")]
        let digits = self.digits as f64;
        let power = |exponent: i32| format!("1e{exponent}").parse::<f64>().unwrap_or(1.0);
        match self.exponent {
            exponent @ ..0 => (digits, power(-exponent)),
            exponent => (digits * power(exponent), 1.0),
        }
    }

    /// The power of ten that it is, if it is one.
    fn power_of_ten(self) -> Option<i32> {
        (self.digits == 1).then_some(self.exponent)
    }

    /// `value` times this factor.
    pub fn apply(self, value: f64) -> f64 {
        let (factor, divisor) = self.factors();
        value * factor / divisor
    }
}

impl TryFrom<String> for Scale {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a factor"))
    }
}

impl From<Scale> for String {
    fn from(scale: Scale) -> Self {
        format!("{}e{}", scale.digits, scale.exponent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimal_and_exponent_forms_are_read() {
        for (text, value) in [
            ("12.5", 12.5),
            ("-.5", -0.5),
            ("+3.", 3.0),
            ("1e3", 1000.0),
            ("2.5E-2", 0.025),
            ("007", 7.0),
            ("-0", 0.0),
            (" 1\t", 1.0),
            ("\r\n2 ", 2.0),
            ("1e-400", 0.0),
            ("0.1", 0.1),
        ] {
            assert_eq!(read_number(text), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn a_format_reads_numbers_to_the_last_digit() {
        let unit = |unit: &str, scale: &str| (unit.to_owned(), Scale::parse(scale).unwrap());
        let format = NumberFormat {
            decimal: ',',
            thousands: Some('.'),
            units: vec![unit("K", "1e3"), unit("dz", "12")],
            around: vec!["$".to_owned()],
        };
        let same = |text: &str, plain: &str| assert_eq!(format.read_exactly(text), Decimal::parse(plain), "{text}");
        same("9.007.199.254.740.993", "9007199254740993");
        same("-$1,50K", "-1500");
        assert_eq!(format.read_exactly("2dz"), None, "it is not a power of ten");
        assert_eq!(format.read_exactly("1.23"), None, "these are not groups");
        assert_eq!(NumberFormat::default().read_exactly("1.50"), Decimal::parse("1.5"));
    }

    #[test]
    fn a_format_reads_what_a_source_writes() {
        let german = NumberFormat { decimal: ',', thousands: Some('.'), ..NumberFormat::default() };
        for (text, value) in [("1.234,56", Some(1234.56)), ("12,5", Some(12.5)), ("-1.234.567", Some(-1_234_567.0))] {
            assert_eq!(german.read(text).ok(), value, "{text}");
        }
        for text in ["1.23", "1.2345,6", "1,2,3", "1.234.56", "", ".", "1..234"] {
            assert!(german.read(text).is_err(), "{text}");
        }
        let comma = NumberFormat { decimal: ',', ..NumberFormat::default() };
        assert_eq!((comma.read("1,5"), comma.read("1.5")), (Ok(1.5), Err(NumberFault::NotANumber)));
        let unit = |unit: &str, scale: &str| (unit.to_owned(), Scale::parse(scale).unwrap());
        let nasdaq = NumberFormat {
            thousands: Some(','),
            units: vec![unit("K", "1e3"), unit("M", "1e6")],
            around: vec!["$".to_owned(), "%".to_owned()],
            ..NumberFormat::default()
        };
        for (text, value) in [
            ("$1,234.50", 1234.5),
            ("-$2.5", -2.5),
            ("$-2.5", -2.5),
            ("1.23M", 1_230_000.0),
            ("12 K", 12_000.0),
            ("1,23,456", 123_456.0),
            ("-0.33%", -0.33),
            ("1e3", 1000.0),
        ] {
            assert_eq!(nasdaq.read(text), Ok(value), "{text}");
        }
        for text in ["--1", "$-$-1", "-$-1", "M", "12,34", "1,2345"] {
            assert!(nasdaq.read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_scale_below_one_divides() {
        let nanos = Scale::parse("1e-9").unwrap();
        assert_eq!(nanos.factors(), (1.0, 1e9));
        assert_eq!(nanos.apply(187_150_000_000.0), 187.15);
        assert_eq!(Scale::parse("0.01").unwrap().factors(), (1.0, 100.0));
        assert_eq!(Scale::parse("100").unwrap().factors(), (100.0, 1.0));
        assert_eq!(Scale::parse("-2.5").unwrap().apply(2.0), -5.0);
        for text in ["0", "", "x", "1e99", "0.0", "1.-5", "inf"] {
            assert_eq!(Scale::parse(text), None, "{text}");
        }
        let written = String::from(nanos);
        assert_eq!(Scale::try_from(written), Ok(nanos));
    }

    #[test]
    fn nan_and_infinity_are_read_where_they_are_written() {
        for text in ["NaN", "nan", " NAN "] {
            assert!(read_number(text).is_ok_and(f64::is_nan), "{text:?}");
        }
        for (text, value) in
            [("inf", f64::INFINITY), ("-inf", f64::NEG_INFINITY), ("Infinity", f64::INFINITY), ("+INF", f64::INFINITY)]
        {
            assert_eq!(read_number(text), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn a_literal_too_large_is_out_of_range_and_not_infinity() {
        let digits = "9".repeat(400);
        for text in ["1e309", "-1e309", "1e99999", digits.as_str()] {
            assert_eq!(read_number(text), Err(NumberFault::OutOfRange), "{text}");
        }
        assert_eq!(read_number("1.7976931348623157e308"), Ok(f64::MAX));
    }

    #[test]
    fn everything_else_is_not_a_number() {
        for text in [
            "",
            " ",
            ".",
            "-",
            "+",
            "e5",
            "1e",
            "1,000",
            "1 000",
            "1_000",
            "0x10",
            "12.5kg",
            "12.5 x",
            "--1",
            "1.2.3",
            "\u{a0}1",
            "\u{2212}1",
            "\u{0661}",
            "None",
            "null",
            "infinite",
            "1f64",
            "n/a",
        ] {
            assert_eq!(read_number(text), Err(NumberFault::NotANumber), "{text:?}");
        }
    }

    proptest! {
        /// Every number that is read by the short way is the one that the standard library reads, to the last bit.
        #[test]
        fn short_literals_are_read_as_long_ones(text in "-?[0-9]{0,12}\\.?[0-9]{0,8}|[-+.0-9eE ]{0,8}") {
            if let Some(value) = short(text.as_bytes()) {
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            }
        }
    }
}
