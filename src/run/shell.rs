//! Text as it is typed in a shell.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path as one argument that is not a flag.
pub(crate) fn typed(path: &Path) -> String {
    match path.as_os_str().as_bytes().starts_with(b"-") {
        true => typed_word(Path::new(".").join(path).as_os_str()),
        false => typed_word(path.as_os_str()),
    }
}

/// A text as one argument: between quotes where it would not be one word, and with escapes where it would not be one
/// line or is not UTF-8.
pub(crate) fn typed_word(word: &OsStr) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) if !text.contains(char::is_control) => format!("'{}'", text.replace('\'', "'\\''")),
        _ => {
            let escaped = word.as_bytes().iter().map(|byte| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                other => format!("\\{other:03o}"),
            });
            format!("$'{}'", escaped.collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_argument_of_a_shell() {
        for (path, argument) in [
            ("jobs/daily.toml", "jobs/daily.toml"),
            ("./a b", "'./a b'"),
            ("it's", "'it'\\''s'"),
            ("$HOME/`x`", "'$HOME/`x`'"),
            ("~/x", "'~/x'"),
            ("", "''"),
            ("-rf", "./-rf"),
            ("--a b", "'./--a b'"),
            ("数据/日线.toml", "数据/日线.toml"),
            ("two\nlines", "$'two\\012lines'"),
        ] {
            assert_eq!(typed(Path::new(path)), argument);
        }
        assert_eq!(typed(Path::new(OsStr::from_bytes(b"x\xff'"))), "$'x\\377\\''");
    }
}
