//! What the place of a file says of its bars: `{name}` in a pattern, and folders called `key=value`.
//!
//! Pure: paths in, texts out.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use regex::Regex;

use super::SourceError;

/// What Hive, Spark and their like call a folder of rows without a value.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// The fields that the places of files give, and what they are for each file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlaceFields {
    /// Their names, in the order of the path.
    pub names: Vec<Arc<str>>,
    /// By file, by name; `None` is NULL.
    pub values: Vec<Vec<Option<Arc<str>>>>,
}

impl PlaceFields {
    /// The value of the field `name` of each file; `None` where no place gives it.
    pub fn field(&self, name: &str) -> Option<impl Iterator<Item = Option<&Arc<str>>>> {
        let at = self.names.iter().position(|other| **other == *name)?;
        Some(self.values.iter().map(move |values| values[at].as_ref()))
    }

    /// The value of the field `name` in the file at `file`; `None` where no place gives it.
    pub fn value(&self, name: &str, file: usize) -> Option<Option<&Arc<str>>> {
        let at = self.names.iter().position(|other| **other == *name)?;
        self.values.get(file).map(|values| values[at].as_ref())
    }
}

/// Fields that the path of a file gives, with their values; `None` is NULL.
pub(super) type Fields = Vec<(Arc<str>, Option<Arc<str>>)>;

/// A pattern of a job with `{name}` in it.
#[derive(Debug)]
pub(super) struct PlacePattern {
    /// The glob that finds the files.
    pub(super) glob: PathBuf,
    names: Vec<Arc<str>>,
    regex: Regex,
    written: PathBuf,
}

/// One piece of a pattern.
enum Piece<'a> {
    Literal(&'a str),
    Name(&'a str),
}

impl PlacePattern {
    /// Reads `pattern`; `None` where it names no field.
    ///
    /// # Errors
    /// A brace is not closed, or a name is empty, twice there, or not a name.
    pub(super) fn read(pattern: &Path) -> Result<Option<Self>, SourceError> {
        let bad = |reason| SourceError::BadPattern { pattern: pattern.to_path_buf(), reason };
        let text = pattern.to_str().ok_or_else(|| bad("it is not UTF-8"))?;
        if !text.contains('{') {
            return Ok(None);
        }
        let (mut glob, mut regex, mut names) = (String::new(), String::from("^"), Vec::<Arc<str>>::new());
        for piece in pieces(text).map_err(bad)? {
            match piece {
                Piece::Literal(text) => {
                    glob.push_str(text);
                    regex.push_str(&translated(text));
                }
                Piece::Name(name) => {
                    if names.iter().any(|other| **other == *name) {
                        return Err(bad("one name stands in it twice"));
                    }
                    glob.push('*');
                    regex.push_str("([^/]+?)");
                    names.push(Arc::from(name));
                }
            }
        }
        regex.push('$');
        let regex = Regex::new(&regex).map_err(|_| bad("it is too long, or a `[` in it is not closed"))?;
        Ok(Some(Self { glob: PathBuf::from(glob), names, regex, written: pattern.to_path_buf() }))
    }

    /// What `path` says of its fields.
    ///
    /// # Errors
    /// It does not fit.
    pub(super) fn fields(&self, path: &Path) -> Result<Fields, SourceError> {
        let misfit = || SourceError::Misplaced { path: path.to_path_buf(), pattern: self.written.clone() };
        let text = path.to_str().ok_or_else(misfit)?;
        let found = self.regex.captures(text).ok_or_else(misfit)?;
        let value = |at: usize| found.get(at + 1).map(|value| Arc::from(value.as_str()));
        Ok(self.names.iter().enumerate().map(|(at, name)| (Arc::clone(name), value(at))).collect())
    }
}

/// The literal pieces and the names of a pattern.
fn pieces(mut text: &str) -> Result<Vec<Piece<'_>>, &'static str> {
    let mut pieces = Vec::new();
    while let Some((before, rest)) = text.split_once('{') {
        let (name, after) = rest.split_once('}').ok_or("a `{` in it is not closed")?;
        let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(named) {
            return Err("between `{` and `}` stands the name of a field, made of letters, digits and `_`");
        }
        pieces.extend([Piece::Literal(before), Piece::Name(name)]);
        text = after;
    }
    pieces.push(Piece::Literal(text));
    Ok(pieces)
}

/// A piece of a glob as a regular expression; `**/` stands for any number of folders.
fn translated(glob: &str) -> String {
    let mut out = String::new();
    let mut rest = glob;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '*' if rest.starts_with("**/") => {
                out.push_str("(?:.*/)?");
                3
            }
            '*' if rest.starts_with("**") => {
                out.push_str(".*");
                2
            }
            '*' => {
                out.push_str("[^/]*");
                1
            }
            '?' => {
                out.push_str("[^/]");
                1
            }
            '[' => match rest[1..].find(']').filter(|length| *length > 0) {
                Some(length) => {
                    let class = &rest[1..=length];
                    let (sign, class) = class.strip_prefix('!').map_or(("", class), |class| ("^", class));
                    out.push_str(&format!("[{sign}{}]", class.replace('\\', "\\\\").replace('[', "\\[")));
                    length + 2
                }
                None => {
                    out.push_str("\\[");
                    1
                }
            },
            other => {
                out.push_str(&regex::escape(&rest[..other.len_utf8()]));
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// The fields of folders called `key=value` between `base`, where the pattern of the job begins to be open, and the
/// name of the file.
///
/// # Errors
/// A value is percent-encoded and not UTF-8.
pub(super) fn folders(base: &Path, path: &Path) -> Result<Fields, SourceError> {
    let below = path.strip_prefix(base).unwrap_or(path);
    let mut fields = Vec::new();
    let folders = below.parent().into_iter().flat_map(Path::components);
    for folder in folders {
        let Component::Normal(folder) = folder else { continue };
        let Some((key, value)) = folder.to_str().and_then(|folder| folder.split_once('=')) else { continue };
        if key.is_empty() {
            continue;
        }
        let decode = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8().map(|text| Arc::from(&*text));
            decoded.map_err(|_| SourceError::BadPlace { path: path.to_path_buf(), folder: folder.into() })
        };
        let value = if value == NO_VALUE { None } else { Some(decode(value)?) };
        fields.push((decode(key)?, value));
    }
    Ok(fields)
}

/// The folders of `pattern` above its first component that is not literal.
pub(super) fn base(pattern: &Path) -> PathBuf {
    let open = |component: &Component<'_>| {
        component.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'{'))
    };
    pattern.components().take_while(|component| !open(component)).collect()
}

/// Puts the fields of files together.
///
/// # Errors
/// A file lacks a field that others have, or has one twice.
pub(super) fn together(files: Vec<(PathBuf, Fields)>) -> Result<PlaceFields, SourceError> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for (path, fields) in &files {
        let mut own = BTreeSet::new();
        for (name, _) in fields {
            if !own.insert(name) {
                return Err(SourceError::TwoInPlace { path: path.clone(), field: name.to_string() });
            }
            if !names.contains(name) {
                names.push(Arc::clone(name));
            }
        }
    }
    let mut values = Vec::with_capacity(files.len());
    for (path, fields) in files {
        let of_name = |name: &Arc<str>| {
            let field = fields.iter().find(|(own, _)| own == name);
            field
                .map(|(_, value)| value.clone())
                .ok_or_else(|| SourceError::NotInPlace { path: path.clone(), field: name.to_string() })
        };
        values.push(names.iter().map(of_name).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(PlaceFields { names, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str) -> PlacePattern {
        PlacePattern::read(Path::new(pattern)).unwrap().unwrap()
    }

    fn values(pattern: &str, path: &str) -> Option<Vec<String>> {
        let fields = read(pattern).fields(Path::new(path)).ok()?;
        Some(fields.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL"))).collect())
    }

    #[test]
    fn names_stand_for_a_piece_of_one_component() {
        assert_eq!(values("d/{symbol}.csv", "d/BRK.B.csv").unwrap(), ["symbol=BRK.B"]);
        assert_eq!(values("d/{symbol}-1m-*.csv", "d/BTCUSDT-1m-2024-01.csv").unwrap(), ["symbol=BTCUSDT"]);
        assert_eq!(values("d/{market}/{symbol}.csv", "d/sz/000001.csv").unwrap(), ["market=sz", "symbol=000001"]);
        assert_eq!(values("d/**/{symbol}_M15_*.csv", "d/a/b/XAUUSD_M15_1.csv").unwrap(), ["symbol=XAUUSD"]);
        assert_eq!(values("d/[!x]{symbol}.csv", "d/aB.csv").unwrap(), ["symbol=B"]);
        assert_eq!(values("d (1)/{symbol}.csv", "d (1)/A+B.csv").unwrap(), ["symbol=A+B"]);
        assert_eq!(values("d/{symbol}-x.csv", "d/-x.csv"), None, "a name stands for at least one character");
        assert_eq!(values("d/{symbol}.csv", "d/a/b.csv"), None);
        assert_eq!(read("d/{symbol}-1m-*.csv").glob, Path::new("d/*-1m-*.csv"));
    }

    #[test]
    fn wrong_patterns_are_reported() {
        for (pattern, reason) in [
            ("d/{symbol.csv", "is not closed"),
            ("d/{}.csv", "the name of a field"),
            ("d/{a b}.csv", "the name of a field"),
            ("d/{symbol}/{symbol}.csv", "twice"),
        ] {
            let error = PlacePattern::read(Path::new(pattern)).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(PlacePattern::read(Path::new("d/*.csv")).unwrap().is_none());
    }

    #[test]
    fn folders_of_keys_and_values_are_fields() {
        let found = |path: &str| {
            let fields = folders(Path::new("d"), Path::new(path)).unwrap();
            fields
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_deref().map(str::to_owned)))
                .collect::<Vec<_>>()
        };
        let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        assert_eq!(
            found("d/symbol=BTC%2FUSD/year=2024/x=y.parquet"),
            [pair("symbol", Some("BTC/USD")), pair("year", Some("2024"))]
        );
        assert_eq!(found("d/symbol=__HIVE_DEFAULT_PARTITION__/a.parquet"), [pair("symbol", None)]);
        assert_eq!(found("d/a/b.parquet"), []);
        assert!(folders(Path::new("d"), Path::new("d/s=%FF/a.csv")).unwrap_err().to_string().contains("s=%FF"));
        assert_eq!(base(Path::new("/x=1/d/year=*/a.csv")), Path::new("/x=1/d"));
    }

    #[test]
    fn every_file_has_the_same_fields() {
        let file = |path: &str, names: &[&str]| {
            let fields = names.iter().map(|name| (Arc::from(*name), Some(Arc::from(path)))).collect();
            (PathBuf::from(path), fields)
        };
        let fields = together(vec![file("a", &["s", "y"]), file("b", &["y", "s"])]).unwrap();
        assert_eq!(fields.value("y", 1), Some(Some(&Arc::from("b"))));
        assert_eq!(fields.value("z", 1), None);
        assert!(together(vec![file("a", &["s"]), file("b", &[])]).unwrap_err().to_string().contains("`b`"));
        assert!(together(vec![file("a", &["s", "s"])]).unwrap_err().to_string().contains("twice"));
    }
}
