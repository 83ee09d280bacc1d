//! What a file is by its first bytes, where its name leaves it open.

use std::path::Path;

use super::ndjson::{self, Shape};
use super::{FilesSet, SourceError};

/// Bytes looked at.
const HEAD: usize = 64 << 10;

/// Whether the `.json` file at `path` is one document, and not one record a line.
pub(super) fn is_document(path: &Path, set: &FilesSet) -> Result<bool, SourceError> {
    let mut unpacked = set.unpacked(path)?;
    if !set.layout.encoding.is_utf8() {
        unpacked.decode_from(set.layout.encoding);
    }
    let mut head = Vec::new();
    unpacked.fill(&mut head, HEAD, 0)?;
    Ok(document(&head))
}

/// Whether a text that begins with `head` is one document: it is where neither of its first lines is whole.
fn document(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head));
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (first, second) = (lines.next().unwrap_or_default(), lines.next());
    let is_object = |line: &str| ndjson::check(line.as_bytes(), Shape::default()).is_ok();
    let is_array = |line: &str| serde_json::from_str::<Vec<serde::de::IgnoredAny>>(line).is_ok();
    if first.starts_with('[') {
        return !(is_array(first) && second.is_some_and(|second| is_array(second)));
    }
    // A line longer than what was looked at may be whole.
    first.starts_with('{') && second.is_some_and(|second| !is_object(first) && !is_object(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_told_from_records_a_line() {
        for text in
            ["[{\"a\":1}]", " \n[\n{\"a\":1},\n{\"a\":2}]", "[[1,2],[3,4]]", "{\n \"a\": [1]\n}", "{\"a\": [\n1]}"]
        {
            assert!(document(text.as_bytes()), "{text}");
        }
        for text in
            ["{\"a\":1}\n{\"a\":2}", "{\"a\":1}", "[1,2]\n[3,4]\n", "{\"a\":1\n{\"a\":2}", "\u{feff}{\"a\":1}", ""]
        {
            assert!(!document(text.as_bytes()), "{text}");
        }
    }
}
