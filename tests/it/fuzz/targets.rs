//! What a fuzzer calls: each function takes any bytes, and panics where barkeep does or where a row is lost.
//!
//! The cargo-fuzz targets in `fuzz/` and the driver of the integration tests share them.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use barkeep::bars::layout::{Delimiter, Encoding, Header, LinePattern, TextLayout};
use barkeep::bars::number::{NumberFormat, Scale, read_number};
use barkeep::bars::time::{Parsed, TimeFormat};
use barkeep::config;
use barkeep::source::{self, Files, Format, KeyField, TextFile, Wanted, WantedKind};

/// A job over `bars.csv`, as short as it can be.
pub(crate) const JOB: &str = "name = \"daily\"\nrules = [\"rules.toml\"]\n[source.files]\npath = \"bars.csv\"\n[bars]\n\
    series = [\"symbol\"]\ninterval = \"1d\"\ntime = { field = \"date\", formats = [\"%Y-%m-%d\"] }\n\
    [report]\ndir = \"reports\"\n";
/// Rules of several checks.
pub(crate) const RULES: &str = "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n[[rule]]\nid = \"spike\"\ncheck = \"price-spike\"\n\
    severity = \"warn\"\nwhere = \"volume > 0\"\n[[rule]]\nid = \"zero\"\ncheck = \"zero-volume\"\naction = \"quarantine\"\n";

/// A job file.
pub(crate) fn job(bytes: &[u8]) {
    load(bytes, RULES.as_bytes());
}

/// A rule file.
pub(crate) fn rules(bytes: &[u8]) {
    load(JOB.as_bytes(), bytes);
}

/// A CSV file; the first four bytes choose the layout.
pub(crate) fn csv(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_at_checked(4) else { return };
    let folder = Folder::with("bars.csv", text);
    let layout = layout(choice);
    let lines = layout.encoding.keeps_lines();
    let missing_is_null = choice[3] & 8 > 0;
    let files = Files { layout, delimiter_is_given: true, missing_is_null, ..Files::all(vec![folder.file()]) };
    let read = rows_and_text(&files);
    if let Some(copied) = copied_rows(&files, &folder.0) {
        let (rows, data) = read.expect("what is copied can be read");
        assert_eq!(copied, rows, "rows in are rows out, broken ones among them");
        assert!(!lines || data == text, "the text is whole");
    }
}

/// A text file of one JSON object a line.
pub(crate) fn ndjson(bytes: &[u8]) {
    let folder = Folder::with("bars.ndjson", bytes);
    let files = Files { format: Some(Format::Ndjson), ..Files::all(vec![folder.file()]) };
    if let Some(copied) = copied_rows(&files, &folder.0) {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let rows = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        assert_eq!(copied, rows as u64, "each line that is not blank is a row");
    }
}

/// A JSON document.
pub(crate) fn json(bytes: &[u8]) {
    let folder = Folder::with("bars.json", bytes);
    let files = Files { format: Some(Format::Json), ..Files::all(vec![folder.file()]) };
    let copied = copied_rows(&files, &folder.0);
    if let (Some(copied), Ok(serde_json::Value::Array(records))) = (copied, serde_json::from_slice(bytes)) {
        assert_eq!(copied, records.len() as u64, "each element of the array is a row");
    }
}

/// A text file that is packed, or a zip archive; the first byte chooses which.
pub(crate) fn packed(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let ending = ["csv.gz", "csv.zst", "csv.bz2", "csv.xz", "zip"][usize::from(choice % 5)];
    let folder = Folder::with(&format!("bars.{ending}"), bytes);
    let files = Files::all(vec![folder.file()]);
    let read = rows_and_text(&files);
    if let Some(copied) = copied_rows(&files, &folder.0) {
        assert_eq!(Some(copied), read.map(|(rows, _)| rows), "rows in are rows out");
    }
}

/// A Parquet or an Arrow file, by its first byte.
pub(crate) fn columnar(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let ending = if choice % 2 == 0 { "parquet" } else { "arrow" };
    let folder = Folder::with(&format!("bars.{ending}"), bytes);
    copied_rows(&Files::all(vec![folder.file()]), &folder.0);
}

/// A time format and, behind a line feed, texts to read with it and another format.
pub(crate) fn time(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let Some(Ok(format)) = lines.next().map(TimeFormat::compile) else { return };
    let other = TimeFormat::compile("%Y-%m-%d").expect("a format");
    if let Some(sample) = format.contradicts(&other) {
        assert_ne!(format.parse(&sample).ok(), other.parse(&sample).ok(), "{sample:?}");
    }
    for line in lines {
        if let Ok(Parsed::Local { day, micros }) = format.parse(line) {
            // The days from 1678-01-01 to 2261-12-31, counted from 1970.
            assert!((-106_650..=106_650).contains(&day), "{line:?} is day {day}");
            assert!((0..86_400_000_000).contains(&micros), "{line:?} is {micros} µs into its day");
        }
    }
}

/// A number; the first two bytes choose how numbers are written.
pub(crate) fn number(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_at_checked(2) else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let thousands = [None, Some('.'), Some(','), Some(' '), Some('\''), Some('\u{a0}')][usize::from(choice[1] % 6)];
    let format = NumberFormat {
        decimal: ['.', ',', '\u{66b}'][usize::from(choice[0] % 3)],
        thousands: thousands.filter(|separator| *separator != ['.', ',', '\u{66b}'][usize::from(choice[0] % 3)]),
        units: [("M", "1e6"), ("\u{4e07}", "1e4")]
            .map(|(unit, factor)| (unit.to_owned(), Scale::parse(factor).expect("a factor")))
            .to_vec(),
        around: vec!["$".to_owned(), "%".to_owned()],
    };
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    for value in [format.read(text), read_number(text)].into_iter().flatten() {
        assert!(value.is_finite() || !digits, "{text:?} is read as {value}");
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 16;
    if plain && !text.is_empty() {
        assert_eq!(format.read(text).ok(), text.parse().ok(), "digits alone are read alike in every format");
    }
    if let Some(scale) = Scale::parse(text) {
        assert!(scale.apply(1.0) != 0.0 && scale.apply(1.0).is_finite(), "{text:?} is {scale:?}");
    }
}

/// A path pattern and, in the lines behind it, files to find with it.
pub(crate) fn place(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let Some(pattern) = lines.next().filter(|pattern| is_inside(pattern)) else { return };
    let folder = Folder::new();
    for name in lines.take(6).filter(|name| is_inside(name)) {
        let path = folder.0.join(name);
        if path.parent().is_some_and(|parent| fs::create_dir_all(parent).is_ok()) {
            fs::write(path, "date,close\n2024-01-02,1\n").ok();
        }
    }
    let Ok(set) = source::discover(&Files::all(vec![folder.0.join(pattern)])) else { return };
    let is_plain = !pattern.contains(['*', '?', '[', '\\', '%', '=']) && !pattern.contains("//");
    for (file, path) in set.files.iter().enumerate().filter(|_| is_plain && pattern.contains('{')) {
        let written = set.places.names.iter().fold(pattern.to_owned(), |path, name| {
            let value = set.places.value(name, file).flatten().expect("a file that was found has each field");
            path.replace(&format!("{{{name}}}"), value)
        });
        let found = path.strip_prefix(&folder.0).expect("in the folder").to_str().expect("UTF-8");
        assert!(found.contains('%') || found.contains('=') || found == written, "{found:?} is not {written:?}");
    }
}

/// Whether a path stays in the folder that it is joined to.
fn is_inside(path: &str) -> bool {
    let odd = |part: std::path::Component<'_>| !matches!(part, std::path::Component::Normal(_));
    !path.is_empty() && !path.contains('\0') && path.len() < 200 && !Path::new(path).components().any(odd)
}

/// Any layout of text files.
fn layout(choice: &[u8]) -> TextLayout {
    let one = |at: usize, of: usize| usize::from(choice[at]) % of;
    let header = [Header::First, Header::None, Header::Auto][one(0, 3)];
    let delimiters = [Delimiter::Byte(b','), Delimiter::Byte(b';'), Delimiter::Byte(b'\t'), Delimiter::Blanks];
    let ignore: [&[&str]; 3] = [&[], &["#*"], &["*,", "?"]];
    TextLayout {
        header,
        columns: if header == Header::First { Vec::new() } else { ["a", "b", "c"].map(str::to_owned).to_vec() },
        skip: u64::from(choice[1] >> 4) % 3,
        ignore: ignore[one(3, 3)]
            .iter()
            .map(|text| LinePattern::try_from((*text).to_owned()).expect("a pattern"))
            .collect(),
        delimiter: delimiters[one(1, 4)],
        encoding: Encoding::named(["utf-8", "gbk", "latin1", "shift_jis", "utf-16"][one(2, 5)]).expect("an encoding"),
        trim: choice[2] & 128 > 0,
        nulls: vec![String::new()],
    }
}

/// A folder for one input, removed with it.
struct Folder(PathBuf, String, #[expect(dead_code, reason = "removes the folder")] tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for an input");
        Self(folder.path().to_path_buf(), String::new(), folder)
    }

    fn with(name: &str, bytes: &[u8]) -> Self {
        let folder = Self { 1: name.to_owned(), ..Self::new() };
        fs::write(folder.file(), bytes).expect("an input");
        folder
    }

    fn file(&self) -> PathBuf {
        self.0.join(&self.1)
    }
}

/// Loads a job as the program does, and compiles its rules as far as it goes.
fn load(job: &[u8], rules: &[u8]) {
    let folder = Folder::with("job.toml", job);
    fs::write(folder.0.join("rules.toml"), rules).expect("rules");
    let Ok(loaded) = config::load(&folder.file()) else { return };
    let names = ["symbol", "date", "open", "high", "low", "close", "volume"];
    let column = |name: &str| config::SourceColumn {
        name: name.to_owned(),
        kind: barkeep::bars::FieldKind::Text,
        typed_time: false,
    };
    if let Ok(bars) = loaded.job.bars_spec(&names.map(column))
        && let Err(mistakes) = loaded.compile(&bars)
    {
        assert!(mistakes.iter().all(|mistake| !mistake.render(false).is_empty()));
    }
}

/// Looks at and copies a source as the program does; the rows it has, where it is text.
fn copied_rows(files: &Files, folder: &Path) -> Option<u64> {
    let set = source::discover(files).ok()?;
    let columns = source::infer(&set).ok()?;
    if !matches!(set.format, Format::Csv | Format::Ndjson | Format::Json) {
        let names: Vec<KeyField> = columns.iter().map(|column| KeyField::Column(column.name.clone())).collect();
        source::series_order(&set.files, &names, 2).ok();
        return None;
    }
    let wanted: Vec<Wanted> =
        columns.into_iter().map(|column| Wanted { column: column.name, kind: WantedKind::Number }).collect();
    let snapshot = source::extract(&set, &wanted, folder, NonZeroUsize::MIN, &mut |_, _| ()).ok()?;
    assert!(snapshot.broken <= snapshot.rows);
    Some(snapshot.rows)
}

/// The rows of a text file, and its text put together again from what stands in and between them.
fn rows_and_text(files: &Files) -> Option<(u64, Vec<u8>)> {
    let set = source::discover(files).ok()?;
    let (mut rows, mut text) = (0, Vec::new());
    for path in &set.files {
        let mut file = TextFile::open(path, &set).ok()?;
        while let Some(chunk) = file.next_chunk().ok()? {
            rows += chunk.records.len() as u64;
            text.extend_from_slice(&chunk.data);
        }
    }
    Some((rows, text))
}
