//! Texts as TOML writes them.

/// `text` as a string of TOML: as JSON writes it, but for one character that only JSON leaves as it is.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}
