//! Numbers written as text.
//!
//! Only plain decimal literals are read: no thousands separators, no hexadecimal, no units, nothing guessed.

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
    let text = text.trim_ascii();
    let value: f64 = text.parse().map_err(|_| NumberFault::NotANumber)?;
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(NumberFault::OutOfRange);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
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
    fn nan_and_infinity_are_read_where_they_are_spelled_out() {
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
}
