//! Bytes of a configuration file -> text with secrets redacted out -> TOML with places.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::secrets;
use crate::schema::diagnostic::{Diagnostic, SourceText};

/// A file that is not UTF-8 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not UTF-8 text: the byte at offset {offset}, line {line}, cannot be read; save the file as UTF-8")]
pub struct NotUtf8 {
    /// Offset of the first bad byte, from 0.
    pub offset: usize,
    /// Its line, from 1.
    pub line: usize,
}

/// The text of a file, without a byte order mark.
pub fn decode(bytes: Vec<u8>) -> Result<String, NotUtf8> {
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(offset);
        NotUtf8 { offset, line: 1 + before.filter(|byte| **byte == b'\n').count() }
    })?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

/// Takes the text of the file at `path` (as messages show it). Passwords in it are mistakes, and are redacted
/// out of everything that is kept.
pub fn open(path: impl AsRef<Path>, text: &str) -> (Arc<SourceText>, Vec<Diagnostic>) {
    let passwords = secrets::find(text);
    let file = SourceText::new(path, secrets::redact(text, &passwords));
    let mistake = |span| {
        Diagnostic::new("secret-in-file", "a password is written in the file", &file, span)
            .label("keep it in the environment")
            .help("write `${NAME}` here, and set NAME in the environment or in a `.env` beside the job")
    };
    let mistakes = passwords.into_iter().map(mistake).collect();
    (file, mistakes)
}

/// The table of `file`; what does not parse is left out of it and reported.
pub fn parse(file: &Arc<SourceText>) -> (Spanned<DeTable<'_>>, Vec<Diagnostic>) {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    let end = file.text.len();
    let mistake = |error: toml::de::Error| {
        let title = format!("not valid TOML: {}", error.message());
        Diagnostic::new("toml-syntax", title, file, error.span().unwrap_or(end..end)).label("here")
    };
    (table, errors.into_iter().map(mistake).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_mark_is_dropped() {
        assert_eq!(decode(b"\xEF\xBB\xBFname = 1\r\n".to_vec()), Ok("name = 1\r\n".to_owned()));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_placed() {
        let latin1 = b"name = 1\r\n# caf\xE9\n".to_vec();
        assert_eq!(decode(latin1), Err(NotUtf8 { offset: 15, line: 2 }));
    }

    #[test]
    fn every_syntax_error_is_reported() {
        let file = SourceText::new("x.toml", "a = \nb = 1 2\nc = 'ok'\nc = 'again'\nd = 2024-13-01\n");
        let (table, mistakes) = parse(&file);
        let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.position().0).collect();
        assert_eq!(lines, [1, 2, 4, 5]);
        assert!(table.get_ref().contains_key("c"));
    }

    #[test]
    fn a_password_is_reported_and_never_shown() {
        let (file, mistakes) = open("job.toml", "uri = 'mongodb://bob:hunter2@db'\n");
        assert!(!file.text.contains("hunter2"));
        insta::assert_snapshot!(mistakes[0].render(false), @r"
error[secret-in-file]: a password is written in the file
 --> job.toml:1:22
  |
1 | uri = 'mongodb://bob:*******@db'
  |                      ^^^^^^^ keep it in the environment
  |
  = help: write `${NAME}` here, and set NAME in the environment or in a `.env` beside the job
");
    }
}
