//! How records lie in text files: encoding, delimiter, header, lines that are no records.

use std::path::Path;

use super::header::{is_data, names_without_header};
use super::outcome::{InspectError, unfit};
use super::wide;
use crate::bars::layout::Encoding;

/// What was seen of a text file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// As jobs write it; `,` needs no setting.
    pub(super) delimiter: String,
    pub(super) skip: usize,
    pub(super) ignore: Vec<String>,
    /// `first`, `none` or `auto`.
    pub(super) header: &'static str,
    pub(super) columns: Vec<String>,
    pub(super) encoding: Option<String>,
    pub(super) trim: bool,
    /// `wide` as jobs write it.
    pub(super) wide: Option<&'static str>,
}

const DELIMITERS: [&str; 4] = [",", ";", "\t", "|"];
/// Tried where the text is not UTF-8, in this order.
const ENCODINGS: [&str; 2] = ["gb18030", "windows-1252"];

type Cells = Vec<(String, Vec<Option<String>>)>;
type Texts<'a> = [(usize, &'a Path, Vec<u8>)];

/// The layout of files, and their columns.
pub(super) fn find(texts: &Texts<'_>) -> Result<(Layout, Vec<(usize, Cells)>), InspectError> {
    let encoding = encoding(texts)?;
    let mut layout: Option<Layout> = None;
    let mut out = Vec::new();
    for (file, path, bytes) in texts {
        let text = decode(bytes, encoding.as_deref());
        let (mut own, records) = of_text(&text, path)?;
        own.encoding.clone_from(&encoding);
        match &mut layout {
            None => layout = Some(own.clone()),
            Some(known) => merge(known, &own, path)?,
        }
        out.push((*file, own, records));
    }
    let Some(layout) = layout else { return unfit("there is no text file", "name files that hold bars") };
    let named = |(file, own, records): (usize, Layout, Vec<Vec<String>>)| {
        let names = if own.columns.len() == layout.columns.len() { &own.columns } else { &layout.columns };
        let column = |(at, name): (usize, &String)| {
            let cell = |record: &Vec<String>| record.get(at).filter(|cell| !cell.is_empty()).cloned();
            (name.clone(), records.iter().map(cell).collect())
        };
        (file, names.iter().enumerate().map(column).collect())
    };
    Ok((layout.clone(), out.into_iter().map(named).collect()))
}

/// Puts the layouts of two files together.
fn merge(known: &mut Layout, own: &Layout, path: &Path) -> Result<(), InspectError> {
    if own.delimiter != known.delimiter || own.skip != known.skip {
        let message = format!("`{}` has another layout than the files before it", path.display());
        return unfit(message, "name the files of one layout, and write a job for each");
    }
    if own.header != known.header {
        known.header = "auto";
        if own.columns.len() != known.columns.len() {
            let message = format!("`{}` has other columns than the files before it", path.display());
            return unfit(message, "name the files of one layout, and write a job for each");
        }
    }
    for pattern in &own.ignore {
        if !known.ignore.contains(pattern) {
            known.ignore.push(pattern.clone());
        }
    }
    if own.wide != known.wide {
        let message = format!("`{}` is not as wide a table as the files before it", path.display());
        return unfit(message, "name the files of one layout, and write a job for each");
    }
    known.trim |= own.trim;
    Ok(())
}

/// `None` for UTF-8; else the encoding by which most texts decode.
fn encoding(texts: &Texts<'_>) -> Result<Option<String>, InspectError> {
    if texts.iter().any(|(_, _, bytes)| bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")) {
        return Ok(Some("utf-16".to_owned()));
    }
    let cut = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(bytes.len());
    if texts.iter().all(|(_, _, bytes)| std::str::from_utf8(&bytes[..cut(bytes)]).is_ok()) {
        return Ok(None);
    }
    let plausible = |label: &&&str| {
        let Some(encoding) = Encoding::named(label) else { return false };
        texts.iter().all(|(_, _, bytes)| {
            let text = encoding.decode(&bytes[..cut(bytes)]);
            text.is_some_and(|text| **label != "gb18030" || is_chinese(&text))
        })
    };
    match ENCODINGS.iter().find(plausible) {
        Some(label) => Ok(Some((*label).to_owned())),
        None => {
            unfit("the files are not UTF-8, and no encoding that `init` tries fits", "write `encoding = \"…\"` by hand")
        }
    }
}

/// Whether characters beyond ASCII stand together as they do in Chinese words: one alone among letters is an accent.
fn is_chinese(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let is_word = |c: &char| ('\u{4e00}'..='\u{9fff}').contains(c);
    let words = characters.iter().filter(|c| is_word(c)).count();
    let touching = characters
        .windows(2)
        .filter(|pair| is_word(&pair[0]) != is_word(&pair[1]))
        .filter(|pair| pair.iter().any(char::is_ascii_lowercase))
        .count();
    words > 0 && touching * 2 < words
}

fn decode(bytes: &[u8], encoding: Option<&str>) -> String {
    let text = match encoding.and_then(Encoding::named) {
        Some(encoding) => {
            let mut text = String::with_capacity(bytes.len() * 2);
            let mut decoder = encoding.decoder();
            let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 3);
            text.reserve(room);
            // What does not decode was looked at before.
            drop(decoder.decode_to_string(bytes, &mut text, true));
            text
        }
        None => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned)
}

/// The layout of one text, and its records.
fn of_text(text: &str, path: &Path) -> Result<(Layout, Vec<Vec<String>>), InspectError> {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    if !text.ends_with('\n') && lines.len() > 1 && text.len() >= 128 << 10 {
        lines.pop(); // It is cut.
    }
    let (delimiter, width) = delimiter(&lines);
    if width < 3 {
        let message = format!("`{}` has no cells that a delimiter holds apart", path.display());
        return unfit(message, "write the job by hand: `barkeep init DIR` makes one");
    }
    let mut layout = Layout { delimiter: delimiter.to_owned(), ..Layout::default() };
    let fits = |line: &str| {
        let cells = split(line, delimiter).len();
        cells == width || cells + 1 == width
    };
    let comment = |line: &str| line.starts_with('#') || line.starts_with("//");
    let head = lines.iter().take_while(|line| !fits(line)).count();
    if lines[..head].iter().all(|line| comment(line)) {
        if head > 0 {
            layout.ignore.push("#*".to_owned());
        }
    } else {
        layout.skip = head;
    }
    let mut body: Vec<&str> = lines[head..].to_vec();
    ignore_others(&mut body, &fits, &mut layout);
    let cells: Vec<Vec<String>> = body.iter().map(|line| split(line, delimiter)).collect();
    let spaced = |record: &Vec<String>| record.iter().skip(1).filter(|cell| cell.starts_with(' ')).count() * 2 > width;
    layout.trim = delimiter != "blanks" && cells.iter().take(3).all(spaced);
    let trim = |record: Vec<String>| -> Vec<String> {
        record.into_iter().map(|cell| if layout.trim { cell.trim().to_owned() } else { cell }).collect()
    };
    let mut records: Vec<Vec<String>> = cells.into_iter().map(trim).collect();
    let Some(first) = records.first().cloned() else {
        return unfit("the files have no rows", "name files that hold bars");
    };
    if first.iter().any(|cell| is_data(cell)) {
        layout.header = "none";
        layout.columns = names_without_header(&records);
        return Ok((layout, records));
    }
    layout.header = "first";
    layout.columns = first;
    if layout.columns.last().is_some_and(String::is_empty) {
        layout.columns.pop();
    }
    let named = records.iter().take_while(|record| !record.iter().any(|cell| is_data(cell))).count();
    let (heads, rest) = records.split_at(named);
    if let Some(long) = wide::find(heads, rest) {
        for head in &heads[long.heads.min(heads.len())..] {
            layout.ignore.push(format!("{}{}*", glob::Pattern::escape(&head[0]), delimiter));
        }
        (layout.wide, layout.columns) = (Some(long.setting), long.columns);
        return Ok((layout, long.records));
    }
    records.remove(0);
    // Programs write more than one line of names, yfinance for instance three.
    while records.len() > 1
        && !records[0].iter().any(|cell| is_data(cell))
        && records.iter().skip(3).take(5).all(|record| record.iter().any(|cell| is_data(cell)))
    {
        layout.ignore.push(format!("{}{}*", glob::Pattern::escape(&records[0][0]), delimiter));
        records.remove(0);
    }
    let mut seen = layout.columns.clone();
    seen.sort();
    if let Some(twice) =
        seen.windows(2).find(|pair| pair[0] == pair[1] && !pair[0].is_empty()).and_then(<[String]>::first)
    {
        let message = format!("`{}` has more than one column called `{}`: a wide table", path.display(), twice);
        return unfit(message, "write the job by hand, or one row a bar");
    }
    Ok((layout, records))
}

/// Takes lines out of `body` that are no records: comments anywhere, remarks at the end.
fn ignore_others(body: &mut Vec<&str>, fits: &dyn Fn(&str) -> bool, layout: &mut Layout) {
    let others: Vec<(usize, &str)> = body.iter().copied().enumerate().filter(|(_, line)| !fits(line)).collect();
    let end = body.len().saturating_sub(3);
    for (at, line) in &others {
        let pattern = match line.starts_with('#') {
            true => "#*".to_owned(),
            false if *at >= end => {
                let word: String = line.chars().take_while(|c| c.is_alphanumeric()).take(12).collect();
                if word.is_empty() {
                    continue;
                }
                format!("{word}*")
            }
            false => continue,
        };
        if !layout.ignore.contains(&pattern) {
            layout.ignore.push(pattern);
        }
    }
    body.retain(|line| fits(line));
}

/// The delimiter by which most lines have the same number of cells, and that number.
fn delimiter(lines: &[&str]) -> (&'static str, usize) {
    // How many cells most lines have, and how many lines those are; no cells where they differ too much.
    let common = |delimiter: &'static str| {
        let counts: Vec<usize> = lines.iter().take(200).map(|line| split(line, delimiter).len()).collect();
        let of = |width: usize| counts.iter().filter(|count| **count == width).count();
        let width = counts.iter().copied().max_by_key(|width| (of(*width), *width)).unwrap_or_default();
        let most = of(width) * 5 > counts.len() * 4 || of(width) + 5 > counts.len();
        (if most { width } else { 0 }, of(width), delimiter)
    };
    // Of equal ones the first.
    let best = DELIMITERS.into_iter().map(common).rev().max_by_key(|(width, lines, _)| (*width, *lines));
    let best = best.filter(|(width, ..)| *width >= 3).unwrap_or_else(|| common("blanks"));
    (best.2, best.0)
}

/// The cells of a line.
pub(super) fn split(line: &str, delimiter: &str) -> Vec<String> {
    if delimiter == "blanks" {
        return line.split_ascii_whitespace().map(str::to_owned).collect();
    }
    let delimiter = delimiter.chars().next().unwrap_or(',');
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            c if c == delimiter && !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Layout {
        of_text(text, Path::new("a.csv")).unwrap().0
    }

    #[test]
    fn the_delimiter_is_the_one_that_gives_most_lines_the_same_cells() {
        assert_eq!(seen("d;o;h;l;c\n1;1,5;2,5;1,5;2,5\n2;1,5;2,5;1,5;2,5\n").delimiter, ";");
        assert_eq!(seen("d\to\th\tl\n1\t1\t2\t3\n").delimiter, "\t");
        assert_eq!(split("a,\"b,\"\"c\",d", ","), ["a", "b,\"c", "d"]);
    }

    #[test]
    fn lines_above_and_below_records_are_seen() {
        let titled = seen("a title\ndate,open,close\n2024-01-02,1,2\n2024-01-03,1,2\n");
        assert_eq!((titled.skip, titled.header), (1, "first"));
        let remarks = seen("# by desk 4\ndate,open,close\n2024-01-02,1,2\n2024-01-03,1,2\nSource: somebody\n");
        assert_eq!((remarks.skip, remarks.ignore), (0, vec!["#*".to_owned(), "Source*".to_owned()]));
        let names = seen(
            "Price,Close,Open\nTicker,A,A\nDate,,\n2024-01-02,1,2\n2024-01-03,1,2\n2024-01-04,1,2\n2024-01-05,1,2\n",
        );
        assert_eq!(names.ignore, ["Ticker,*", "Date,*"]);
    }

    #[test]
    fn an_accent_alone_is_not_chinese() {
        let latin = [(0, Path::new("a"), b"name,x\nM\xfcnchener,1\n".to_vec())];
        assert_eq!(encoding(&latin).unwrap().unwrap(), "windows-1252");
        let chinese = [(0, Path::new("a"), b"\xc8\xd5\xc6\xda,x\n1,2\n".to_vec())];
        assert_eq!(encoding(&chinese).unwrap().unwrap(), "gb18030");
    }
}
