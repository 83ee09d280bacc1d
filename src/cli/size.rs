//! Sizes in bytes as people write them.

/// Reads `512MB`, `2GiB`, `1.5G` or a plain number of bytes. Powers of 1,000, or of 1,024 with an `i`.
///
/// # Errors
/// A sentence for the person who wrote the flag.
pub(crate) fn parse(text: &str) -> Result<usize, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("`{unit}` is not a unit of size; write 512MB or 2GiB")),
    };
    let bytes = number.parse::<f64>().map_err(|_| format!("`{text}` is not a size; write 512MB or 2GiB"))? * factor;
    if !(1e6..=1e15).contains(&bytes) {
        return Err(format!("`{text}` is out of range; at least 1MB"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 1e6..=1e15 just above")]
    Ok(bytes as usize)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!(parse("512MB"), Ok(512_000_000));
        assert_eq!(parse("2GiB"), Ok(2 << 30));
        assert_eq!(parse("1.5g"), Ok(1_500_000_000));
        assert_eq!(parse("2000000"), Ok(2_000_000));
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for text in ["", "MB", "12XB", "1KB", "-5MB", "1e99GB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
