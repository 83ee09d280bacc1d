//! Text that comes from data, made safe for a terminal.

use std::borrow::Cow;

/// `text` with control characters and those that turn the direction of writing escaped (`\u{1b}`), so that a
/// value can neither move the cursor nor hide what is printed.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::with_capacity(text.len() + 8), |mut out, c| {
        if hidden(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        out
    });
    Cow::Owned(escaped)
}

fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
}

/// `text`, made visible, with at most `most` characters; `…` stands for what was cut off.
pub fn shortened(text: &str, most: usize) -> String {
    let text = visible(text);
    if text.chars().count() <= most {
        return text.into_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_are_escaped_out() {
        assert_eq!(visible("\u{1b}[31mred\u{7}\r\n"), "\\u{1b}[31mred\\u{7}\\r\\n");
        assert_eq!(visible("a\u{202e}b\u{9b}c"), "a\\u{202e}b\\u{9b}c");
    }

    #[test]
    fn plain_text_is_left_as_it_is() {
        for text in ["BTCUSDT", "600519.SH|贵州茅台", "Ängström", ""] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdefg", 6), "abcde…");
        assert_eq!(shortened("\u{1b}\u{1b}", 8), "\\u{1b}\\…");
    }
}
