//! Decimal numbers of any length, for equality: a float of 64 bits rounds what is distinguished here.

/// A finite decimal number; two are equal where their values are, however they are written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    /// The power of ten that the digits are multiplied by; 0 for zero.
    exponent: i64,
}

impl Decimal {
    /// Reads a decimal literal as [`read_number`](super::number::read_number) does; `None` where it is none, or NaN, or
    /// infinite.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let places = i64::try_from(fraction.len()).ok()?;
        Self::of(negative, &digits, exponent.checked_sub(places)?)
    }

    fn of(negative: bool, digits: &str, exponent: i64) -> Option<Self> {
        let short = digits.trim_start_matches('0');
        let significant = short.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let zeros = i64::try_from(short.len() - significant.len()).ok()?;
        Some(Self { negative, digits: significant.to_owned(), exponent: exponent.checked_add(zeros)? })
    }

    /// The number with its sign turned.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { negative: !self.negative && !self.digits.is_empty(), ..self }
    }

    /// The number times a power of ten.
    pub fn shifted(self, power: i32) -> Option<Self> {
        match self.digits.is_empty() {
            true => Some(self),
            false => Some(Self { exponent: self.exponent.checked_add(i64::from(power))?, ..self }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bars::number::read_number;

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        for same in [
            ["1.50", "+1.5", " 15e-1 ", "0001.5000", "0.15E1", "1.5e+0"].as_slice(),
            &["0", "-0", "0.000", "0e99", "-.0"],
            &["9007199254740993", "9007199254740993.0", "9.007199254740993e15"],
            &["-7000", "-7e3", "-7000."],
        ] {
            let first = Decimal::parse(same[0]);
            assert!(first.is_some());
            assert!(same.iter().all(|text| Decimal::parse(text) == first), "{same:?}");
        }
    }

    #[test]
    fn what_64_bits_round_is_distinguished() {
        let distinct = ["9007199254740992", "9007199254740993", "0.1", "0.10000000000000000001", "-0.1", "1e-400", "0"];
        for (at, text) in distinct.iter().enumerate() {
            let same = |other: &&&str| Decimal::parse(other) == Decimal::parse(text);
            assert_eq!(distinct.iter().filter(same).count(), 1, "{at}: {text}");
        }
    }

    #[test]
    fn what_is_not_a_finite_decimal_number_is_none() {
        for text in
            ["", "-", ".", "e5", "1e", "1e99999999999999999999", "NaN", "inf", "1_0", "0x1", "--1", "1.2.3", "٣"]
        {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_literal_is_a_decimal_where_it_is_a_number(text in "[-+]?[0-9]{0,4}[.]?[0-9]{0,4}([eE][-+]?[0-9]{0,2})?") {
            prop_assert_eq!(Decimal::parse(&text).is_some(), read_number(&text).is_ok(), "{}", text);
        }
    }
}
