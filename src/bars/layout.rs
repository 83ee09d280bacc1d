//! How the records of text files lie in them: what is a header, what is no record, where cells end.
//!
//! All of it only changes how bytes are understood, so a record stays a slice of its file, and a row that leaves comes
//! back as it was. Files differ in nothing but whether they begin with a header (`auto`).

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};
use serde::{Deserialize, Serialize};

/// How text files are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TextLayout {
    /// Whether the first record names the columns.
    pub header: Header,
    /// The names of the columns in order, where no header says them.
    pub columns: Vec<String>,
    /// Physical lines before the header, or before the first record where there is no header.
    pub skip: u64,
    /// Lines that are not records, wherever they stand.
    pub ignore: Vec<LinePattern>,
    /// What stands between cells.
    pub delimiter: Delimiter,
    /// How characters are written as bytes.
    pub encoding: Encoding,
    /// Whether blanks around names and cells are left out.
    pub trim: bool,
    /// Cells with one of these texts, quoted or not, are NULL. An empty cell is NULL where `""` is among them.
    pub nulls: Vec<String>,
}

/// Whether the first record names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// It does.
    #[default]
    First,
    /// It is a record like all others.
    None,
    /// It does where no cell of it is a number or a date.
    Auto,
}

/// What stands between the cells of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delimiter {
    /// This byte: ASCII, and neither a quote nor a line end.
    Byte(u8),
    /// Any number of blanks and tabs; those around the record count for nothing.
    Blanks,
}

impl Default for Delimiter {
    fn default() -> Self {
        Self::Byte(b',')
    }
}

/// A pattern that lines are compared with, whole: `*` stands for any characters, `?` for one, `[…]` for one of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinePattern(glob::Pattern);

impl TryFrom<String> for LinePattern {
    type Error = glob::PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        glob::Pattern::new(&text).map(Self)
    }
}

impl From<LinePattern> for String {
    fn from(pattern: LinePattern) -> Self {
        pattern.0.as_str().to_owned()
    }
}

impl LinePattern {
    /// Whether it leaves no line over.
    pub fn matches_everything(&self) -> bool {
        !self.0.as_str().is_empty() && self.0.as_str().bytes().all(|byte| byte == b'*')
    }
}

/// How characters are written as bytes, by the labels of the WHATWG encoding standard.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Default for Encoding {
    fn default() -> Self {
        Self(UTF_8)
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl TryFrom<String> for Encoding {
    type Error = String;

    fn try_from(label: String) -> Result<Self, Self::Error> {
        Self::named(&label).ok_or_else(|| format!("no encoding is called `{label}`"))
    }
}

impl From<Encoding> for String {
    fn from(encoding: Encoding) -> Self {
        encoding.0.name().to_owned()
    }
}

impl Encoding {
    /// The encoding with this label, in any case: `gbk`, `windows-1252`, `utf-16`.
    pub fn named(label: &str) -> Option<Self> {
        encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether text is UTF-8 as it stands.
    pub fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    /// Whether every ASCII character is the byte that it is in ASCII, and line ends, quotes and the usual delimiters are
    /// never a part of another character: only then a record is a slice of its file.
    pub fn keeps_lines(self) -> bool {
        self.0 != UTF_16LE && self.0 != UTF_16BE && self.0.is_ascii_compatible()
    }

    /// Whether `byte` can be a part of a longer character.
    pub fn hides(self, byte: u8) -> bool {
        !self.0.is_single_byte() && !self.is_utf8() && byte >= 0x40
    }

    /// The text of `bytes`; `None` where they are not of this encoding.
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        self.0.decode_without_bom_handling_and_without_replacement(bytes)
    }

    /// What decodes a whole text, its byte order mark left out.
    pub fn decoder(self) -> encoding_rs::Decoder {
        self.0.new_decoder_with_bom_removal()
    }
}

impl TextLayout {
    /// How a single record is written: text in which a record is not a stretch of bytes is decoded as a whole, before
    /// records are found in it.
    pub fn encoding_of_records(&self) -> Encoding {
        if self.encoding.keeps_lines() { self.encoding } else { Encoding::default() }
    }

    /// Whether `line` is not a record.
    pub fn ignores(&self, line: &[u8]) -> bool {
        if self.ignore.is_empty() {
            return false;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = self.encoding_of_records().decode(line).unwrap_or_else(|| String::from_utf8_lossy(line));
        self.ignore.iter().any(|pattern| pattern.0.matches(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignoring(pattern: &str) -> TextLayout {
        TextLayout { ignore: vec![LinePattern::try_from(pattern.to_owned()).unwrap()], ..TextLayout::default() }
    }

    #[test]
    fn lines_are_ignored_whole() {
        let layout = ignoring("#*");
        assert!(layout.ignores(b"# a comment\r") && layout.ignores(b"#"));
        assert!(!layout.ignores(b"1,2 # not one") && !layout.ignores(b""));
        assert!(ignoring("Date,*").ignores(b"Date,,,,"));
        assert!(ignoring("\u{6570}*").ignores("\u{6570}\u{636e}".as_bytes()));
        let gbk = TextLayout { encoding: Encoding::named("GBK").unwrap(), ..ignoring("\u{6570}*") };
        assert!(gbk.ignores(b"\xca\xfd\xbe\xdd"));
    }

    #[test]
    fn an_encoding_keeps_lines_or_not() {
        let named = |label| Encoding::named(label).unwrap();
        assert!(named("gb18030").keeps_lines() && named("latin1").keeps_lines());
        assert!(!named("utf-16").keeps_lines() && !named("utf-16be").keeps_lines());
        assert!(named("gbk").hides(b'|') && !named("gbk").hides(b',') && !named("latin1").hides(b'|'));
        assert_eq!(named("gbk").decode(b"\xca\xfd").unwrap(), "\u{6570}");
        assert_eq!(named("gbk").decode(b"\xff\xff"), None);
        assert_eq!(Encoding::named("klingon"), None);
    }

    #[test]
    fn a_layout_is_read_back_as_it_was_written() {
        let layout = TextLayout {
            header: Header::Auto,
            delimiter: Delimiter::Blanks,
            encoding: Encoding::named("big5").unwrap(),
            skip: 2,
            ..ignoring("#*")
        };
        let json = serde_json::to_string(&layout).unwrap();
        assert_eq!(serde_json::from_str::<TextLayout>(&json).unwrap(), layout, "{json}");
        assert_eq!(serde_json::from_str::<TextLayout>("{}").unwrap(), TextLayout::default());
    }
}
