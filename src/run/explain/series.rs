//! Which series a person means.

use std::collections::BTreeMap;

use crate::engine::key::parts_of;
use crate::run::failure::Failure;
use crate::schema::diagnostic::nearest;
use crate::text::escape::shortened;
use crate::text::numbers::counted;

/// Series that a message names.
const MOST_NAMED: usize = 10;
/// Characters of a key in a message.
const LONGEST: usize = 60;

/// The first key fields that a series called `asked` may have: that of its key, or `asked` itself.
pub(super) fn symbols(asked: &str) -> Vec<String> {
    let mut symbols = vec![asked.to_owned()];
    symbols.extend(parts_of(asked).into_iter().next().flatten().filter(|symbol| *symbol != *asked));
    symbols
}

/// The key among `keys`, each with its first field, that `asked` means: the same key, or the only one with that first field.
///
/// # Errors
/// None is meant, or several are.
pub(super) fn meant(asked: &str, keys: &BTreeMap<String, Option<String>>) -> Result<String, Failure> {
    if keys.contains_key(asked) {
        return Ok(asked.to_owned());
    }
    let own: Vec<&str> =
        keys.iter().filter(|(_, symbol)| symbol.as_deref() == Some(asked)).map(|(key, _)| key.as_str()).collect();
    match own.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => {
            let message = format!("the job has no series `{}`", shortened(asked, LONGEST));
            Err(Failure::Usage(message, unknown(asked, keys)))
        }
        several => {
            let there = counted(several.len() as u64, "series");
            let message = format!("{there} have the symbol `{}`: which is meant?", shortened(asked, LONGEST));
            Err(Failure::Usage(message, format!("name one with `--series`: {}", named(several.iter().copied()))))
        }
    }
}

fn unknown(asked: &str, keys: &BTreeMap<String, Option<String>>) -> String {
    if keys.is_empty() {
        return "no bar of any series was read: look at the source and at `[window]` of the job".to_owned();
    }
    let symbols = keys.values().flatten().map(String::as_str);
    let near = nearest(asked, keys.keys().map(String::as_str).chain(symbols));
    let near = near.map(|near| format!("did you mean `{}`? ", shortened(near, LONGEST))).unwrap_or_default();
    format!("{near}series: {}", named(keys.keys().map(String::as_str)))
}

fn named<'a>(keys: impl Iterator<Item = &'a str> + Clone) -> String {
    let all = keys.clone().count();
    let first: Vec<String> = keys.take(MOST_NAMED).map(|key| format!("`{}`", shortened(key, LONGEST))).collect();
    let more = all.saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    first.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
        keys.iter().map(|(key, symbol)| ((*key).to_owned(), Some((*symbol).to_owned()))).collect()
    }

    #[test]
    fn a_series_is_meant_by_its_key_or_by_a_symbol_that_it_alone_has() {
        let there = keys(&[("A|x", "A"), ("A|y", "A"), ("贵州茅台|x", "贵州茅台"), ("B\\|C|x", "B|C")]);
        assert_eq!(meant("A|y", &there).unwrap(), "A|y");
        assert_eq!(meant("贵州茅台", &there).unwrap(), "贵州茅台|x");
        assert_eq!(meant("B|C", &there).unwrap(), "B\\|C|x");
        let several = meant("A", &there).unwrap_err().render(false);
        assert!(several.contains("2 series have the symbol `A`") && several.contains("`A|x`, `A|y`"), "{several}");
        let unknown = meant("Z", &there).unwrap_err().render(false);
        assert!(unknown.contains("no series `Z`") && unknown.contains("`A|x`"), "{unknown}");
        let long = meant(&"x".repeat(5_000), &there).unwrap_err().render(false);
        assert!(long.chars().count() < 500, "{long}");
        let nothing = meant("A", &BTreeMap::new()).unwrap_err().render(false);
        assert!(nothing.contains("no bar of any series was read"), "{nothing}");
    }

    #[test]
    fn what_is_read_has_the_first_field_of_the_key() {
        assert_eq!(symbols("A|yahoo"), ["A|yahoo", "A"]);
        assert_eq!(symbols("A\\|B|yahoo"), ["A\\|B|yahoo", "A|B"]);
        assert_eq!(symbols("A"), ["A"]);
    }
}
