//! The key of a series as text, and the texts it was made of.

use std::borrow::Cow;

/// How a series key shows a field that is NULL.
const NULL: &str = "(null)";

/// The series key of a row with the key fields `texts`: joined with `|` (written `\\|` inside one), NULL as `(null)`. A
/// text that reads `(null)` gets a `\\` in front, so that it is never the key of rows without one.
pub fn key_of<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> String {
    let text = |text: Option<&'a str>| match text {
        None => Cow::Borrowed(NULL),
        Some(text) if text.trim_start_matches('\\') == NULL => Cow::Owned(format!("\\{text}")),
        Some(text) if text.contains('|') => Cow::Owned(text.replace('|', "\\|")),
        Some(text) => Cow::Borrowed(text),
    };
    texts.map(text).collect::<Vec<_>>().join("|")
}

/// The texts of the key fields that [`key_of`] made `key` of; `None` for NULL.
pub fn parts_of(key: &str) -> Vec<Option<String>> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in key.chars() {
        match parts.last_mut() {
            Some(part) if c == '|' && escaped => {
                // The sign before it only says that it separates nothing.
                part.pop();
                part.push('|');
            }
            Some(part) if c != '|' => part.push(c),
            _ => parts.push(String::new()),
        }
        escaped = c == '\\';
    }
    let read = |part: String| match part.strip_prefix('\\') {
        _ if part == NULL => None,
        Some(text) if text.trim_start_matches('\\') == NULL => Some(text.to_owned()),
        _ => Some(part),
    };
    parts.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_give_back_the_texts_they_were_made_of() {
        for texts in [
            vec![Some("BTCUSDT")],
            vec![Some("A"), Some("yahoo")],
            vec![Some("A|B"), None, Some("")],
            vec![Some("(null)"), None],
            vec![Some("\\(null)"), Some("贵州茅台")],
        ] {
            let owned: Vec<Option<String>> = texts.iter().map(|text| text.map(str::to_owned)).collect();
            assert_eq!(parts_of(&key_of(texts.iter().copied())), owned);
        }
    }
}
