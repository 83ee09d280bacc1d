//! Text in the columns of a terminal, in which a character of some scripts takes two.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape::visible;

/// Columns that `text` takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text`, made visible, in at most `most` columns; `…` stands for what was cut off, or `~` where the terminal has no such
/// sign.
pub fn cut(text: &str, most: usize, utf8: bool) -> String {
    let text = visible(text);
    if columns(&text) <= most {
        return text.into_owned();
    }
    let mut taken = 0;
    let fits = |c: &char| {
        taken += c.width().unwrap_or(0);
        taken < most
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push(if utf8 { '…' } else { '~' });
    cut
}

/// `text` and as many blanks behind it as fill `width` columns.
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// The words of `text` on lines of at most `width` columns; a word that is longer has a line of its own, cut into as many as
/// it needs.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let Some(line) = lines.last_mut() else { continue };
        if !line.is_empty() && columns(line) + 1 + columns(word) <= width {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(String::new());
        }
        for c in word.chars() {
            let of = c.width().unwrap_or(0);
            match lines.last_mut() {
                Some(line) if columns(line) + of <= width => line.push(c),
                _ => lines.push(c.to_string()),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!((columns("AAPL"), columns("贵州茅台"), columns("")), (4, 8, 0));
        assert_eq!(
            [cut("贵州茅台", 8, true), cut("贵州茅台", 7, true), cut("abcdef", 4, false)],
            ["贵州茅台", "贵州茅…", "abc~"]
        );
        assert_eq!(padded("茅台", 6), "茅台  ");
        assert_eq!(cut("\u{1b}[2J", 20, true), "\\u{1b}[2J");
    }

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        assert_eq!(wrapped("close 15 is far away", 8), ["close 15", "is far", "away"]);
        assert_eq!(wrapped("a verylongword b", 5), ["a", "veryl", "ongwo", "rd b"]);
        assert_eq!(wrapped("贵州茅台", 4), ["贵州", "茅台"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}
