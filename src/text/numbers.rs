//! Numbers as a person reads them: thousands separators, rates with two significant digits, short times.

/// A count with thousands separators, e.g. `259,174`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun, in the plural unless it is one, e.g. `1 row`, `2 rows`; `series` has one form.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 || noun.ends_with('s') { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(count))
}

/// A share of 1 in per cent with two significant digits, e.g. `0.0012 %`. What is not nothing is never `0 %`, and
/// what is not everything is never `100 %`.
pub fn rate(share: f64) -> String {
    let percent = share * 100.0;
    if percent <= 0.0 || !percent.is_finite() {
        return "0 %".to_owned();
    }
    match significant(percent, 2) {
        text if text == "100" && share < 1.0 => "> 99 %".to_owned(),
        text => text + " %",
    }
}

/// A positive number rounded to `digits` significant digits, without an exponent.
fn significant(value: f64, digits: usize) -> String {
    // Rounding can add a digit before the point (9.96 to 10), so the exponent is taken after it.
    let rounded = format!("{value:.*e}", digits.saturating_sub(1));
    let exponent = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse::<i64>().ok()).unwrap_or(0);
    let decimals = i64::try_from(digits).unwrap_or(0) - 1 - exponent;
    let rounded: f64 = rounded.parse().unwrap_or(value);
    format!("{rounded:.*}", usize::try_from(decimals).unwrap_or(0))
}

/// A length of time, e.g. `0.4 s`, `75 s`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        short if short < 0.095 => format!("{short:.2} s"),
        short if short < 9.95 => format!("{short:.1} s"),
        long => format!("{} s", thousands(whole(long))),
    }
}

/// Rows a second with two significant digits, e.g. `650,000 rows/s`; `None` where no time passed.
pub fn speed(rows: u64, seconds: f64) -> Option<String> {
    let speed = rows as f64 / seconds;
    (rows > 0 && speed.is_finite()).then(|| {
        let rounded = significant(speed.max(1.0), 2).parse().unwrap_or(speed);
        format!("{} rows/s", thousands(whole(rounded)))
    })
}

/// A number that was worked out, such as a limit, with `digits` significant digits and no zeros at the end.
pub fn rough(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let text = significant(value.abs(), digits);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text.as_str() };
    format!("{sign}{text}")
}

/// A number that is not negative, rounded to the nearest whole one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is too large ends at the largest")]
pub fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// Significant digits beyond which there are none to show.
pub const MOST_DIGITS: usize = 17;

/// A change as a percentage with its sign, e.g. `-24.5 %`; `-100 %` only where nothing is left.
pub fn percent(change: f64) -> String {
    let percent = change * 100.0;
    if percent >= 1000.0 {
        return format!("+{} %", thousands(whole(percent)));
    }
    let digits = (3..MOST_DIGITS).find(|digits| change <= -1.0 || rough(percent, *digits) != "-100");
    let sign = if percent > 0.0 { "+" } else { "" };
    format!("{sign}{} %", rough(percent, digits.unwrap_or(MOST_DIGITS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_thousands_separators() {
        for (count, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (259_174, "259,174"), (12_345_678, "12,345,678")]
        {
            assert_eq!(thousands(count), text);
        }
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn nouns_follow_their_count() {
        assert_eq!(
            [counted(1, "row"), counted(2_000, "row"), counted(6, "series")],
            ["1 row", "2,000 rows", "6 series"]
        );
    }

    #[test]
    fn rates_keep_two_digits_and_are_never_rounded_to_nothing_or_everything() {
        for (share, text) in [
            (0.0, "0 %"),
            (3.0 / 259_174.0, "0.0012 %"),
            (2.0 / 259_174.0, "0.00077 %"),
            (1e-9, "0.00000010 %"),
            (0.0996, "10 %"),
            (0.123, "12 %"),
            (0.999_6, "> 99 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(rate(share), text, "{share}");
        }
    }

    #[test]
    fn times_and_speeds_are_short() {
        assert_eq!([0.004, 0.4, 9.96, 75.4].map(seconds), ["0.00 s", "0.4 s", "10 s", "75 s"]);
        assert_eq!(speed(259_174, 0.4).as_deref(), Some("650,000 rows/s"));
        assert_eq!(speed(7, 0.0), None);
        assert_eq!(speed(0, 0.0), None);
    }

    #[test]
    fn worked_out_numbers_lose_noise_and_zeros() {
        for (value, text) in [
            (9.700_34, "9.7"),
            (10.4, "10.4"),
            (335.221_9, "335.2"),
            (-0.280_835, "-0.2808"),
            (1e-7, "0.0000001"),
            (123_456.0, "123500"),
            (0.0, "0"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(rough(value, 4), text);
        }
    }

    #[test]
    fn changes_are_never_rounded_to_everything() {
        let changes = [-0.245, 0.399_2, -0.999_898, -1.0, 10_099.4, 0.0];
        let reported = ["-24.5 %", "+39.9 %", "-99.99 %", "-100 %", "+1,009,940 %", "0 %"];
        assert_eq!(changes.map(percent), reported);
    }
}
