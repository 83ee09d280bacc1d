//! What the job says of its bars + the columns its source has -> [`BarsSpec`].

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;

use super::job::{Align, Bars, FieldName, FileSource, Job, Source};
use crate::bars::number::NumberFormat;
use crate::bars::{BarsSpec, FieldKind, FieldSpec, NUMBERS, TIME, TimeSpec};
use crate::market::Grid;
use crate::schema::diagnostic::{Diagnostic, SourceText, suggestion};

/// A column (or top-level field) that the source has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// What it holds, unless the job says otherwise.
    pub kind: FieldKind,
    /// Whether it holds dates or instants rather than text or numbers.
    pub typed_time: bool,
}

impl Job {
    /// Sets the sessions of the file `path`, one of `calendar_files`, over those of the calendar; `csv` is its text.
    ///
    /// # Errors
    /// Every line of it that cannot be used.
    pub fn set_calendar_text(&mut self, path: &Path, csv: &str) -> Result<(), Vec<Diagnostic>> {
        let Some(calendar) = &self.bars.calendar else { return Ok(()) };
        let file = SourceText::new(path, csv);
        let changed = calendar.with_overrides(csv).map_err(|errors| {
            let mistake = |error: crate::market::OverrideError| {
                let span = line_span(csv, error.line);
                Diagnostic::new("bad-calendar", error.message, &file, span)
            };
            errors.into_iter().map(mistake).collect::<Vec<_>>()
        })?;
        self.bars.calendar = Some(changed);
        Ok(())
    }

    /// The bars of this job, read from a source that has `columns`.
    ///
    /// Every column but the timestamp becomes a field. A field is numeric where the job says so or its name is one
    /// of [`NUMBERS`], text where it is part of the series key, and else what the source says. A column whose
    /// name another one was given is not seen by rules.
    ///
    /// # Errors
    /// Every field that the job names and the source does not have.
    pub fn bars_spec(&self, columns: &[SourceColumn]) -> Result<BarsSpec, Vec<Diagnostic>> {
        let mut spec = assemble(&self.bars, columns);
        if let Source::Files(files) = &self.source {
            spec.numbers = files.numbers.clone();
        }
        let mut mistakes = Vec::new();
        let has = |name: &str| columns.iter().any(|column| column.name == name);
        let absent = |name: &str, span: Range<usize>| {
            let title = format!("the source has no field `{name}`");
            let help = suggestion(name, "fields of the source", columns.iter().map(|column| column.name.as_str()));
            Diagnostic::new("unknown-field", title, &self.file, span).label("unknown field").help(help)
        };
        for name in self.bars.time.fields.iter().filter(|name| !has(name.get_ref())) {
            mistakes.push(absent(name.get_ref(), name.span()));
        }
        // Of several names that files may use one is enough.
        let named = self.bars.fields.iter().filter(|field| !field.sources.is_empty());
        for field in named.filter(|field| !field.sources.iter().any(|source| has(source.get_ref()))) {
            mistakes.push(absent(field.source().get_ref(), field.source().span()));
        }
        // A collection has no columns of its own: a filter may name a field that only few documents have.
        if let Source::Files(files) = &self.source {
            for filter in files.filter.iter().filter(|filter| !has(filter.field.get_ref())) {
                mistakes.push(absent(filter.field.get_ref(), filter.field.span()));
            }
        }
        for name in &self.bars.series {
            mistakes.extend(self.reject_series_field(name, &spec));
        }
        mistakes.sort_by_key(|mistake| mistake.span.start);
        if mistakes.is_empty() { Ok(spec) } else { Err(mistakes) }
    }

    fn reject_series_field(&self, name: &Spanned<Arc<str>>, spec: &BarsSpec) -> Option<Diagnostic> {
        let field = name.get_ref();
        let mistake = |code, title: String| Diagnostic::new(code, title, &self.file, name.span());
        if spec.field(field).is_none() {
            let renamed = spec.fields.iter().find(|other| other.source == *field && other.constant.is_none());
            let help = match renamed {
                Some(other) => format!("`[bars] fields` calls it `{}`", other.name),
                None => suggestion(field, "fields", spec.fields.iter().map(|field| &*field.name)),
            };
            // A field the job itself maps is reported about where it is mapped.
            let mapped = self.bars.fields.iter().any(|mapped| mapped.name.get_ref() == field);
            let title = format!("the series key needs the field `{field}`, which these bars do not have");
            let help = match (&self.source, field.as_ref()) {
                (Source::Files(files), "symbol") if renamed.is_none() && !help.starts_with("did you") => {
                    symbol_from_place(&help, files)
                }
                _ => help,
            };
            return (!mapped).then(|| mistake("unknown-field", title).label("unknown field").help(help));
        }
        let declared = self.bars.fields.iter().find(|declared| declared.name.get_ref() == field);
        let number = declared.filter(|declared| declared.kind == Some(FieldKind::Number));
        number.map(|declared| {
            mistake("bad-value", format!("`{field}` is part of the series key, which is always text"))
                .also(&self.file, declared.name.span(), "declared a number here")
                .help("leave its type out, or take it out of `series`")
        })
    }
}

impl Bars {
    /// The bars as rules may expect them while the source is not known: fields whose kind is certain, as if the
    /// source had them all.
    pub fn assumed_spec(&self) -> BarsSpec {
        let column = |name: &str, kind| SourceColumn { name: name.to_owned(), kind, typed_time: false };
        let is_series = |name: &str| self.series.iter().any(|series| &**series.get_ref() == name);
        let is_certain = |name: &str| NUMBERS.contains(&name) || is_series(name);
        let is_known = |field: &&FieldName| {
            !field.sources.is_empty()
                && (field.kind.is_some() || field.scale.is_some() || is_certain(field.name.get_ref()))
        };
        let named = self.fields.iter().filter(is_known);
        let mut columns: Vec<_> = named.map(|field| column(field.source().get_ref(), FieldKind::Text)).collect();
        let usual = NUMBERS.iter().copied().chain(self.series.iter().map(|name| &**name.get_ref()));
        for name in usual {
            let taken = |field: &FieldName| {
                **field.name.get_ref() == *name || field.sources.iter().any(|source| **source.get_ref() == *name)
            };
            if !self.fields.iter().any(taken) && !columns.iter().any(|column| column.name == name) {
                columns.push(column(name, FieldKind::Text));
            }
        }
        assemble(self, &columns)
    }
}

/// The bars over `columns`; what they lack is left out.
fn assemble(bars: &Bars, columns: &[SourceColumn]) -> BarsSpec {
    let grid = bars.calendar.as_ref().map(|calendar| {
        let grid = Grid::new(Arc::clone(calendar), bars.interval, bars.time.label);
        let grid = if bars.align == Align::Clock { grid.with_clock_alignment() } else { grid };
        let grid = match bars.auction {
            Some(tolerated) => grid.with_auctions(tolerated),
            None => grid,
        };
        let grid = if bars.extended { grid.with_extended_hours() } else { grid };
        Arc::new(match bars.period_label {
            Some(label) => grid.with_period_label(label),
            None => grid,
        })
    });
    let time = &bars.time;
    BarsSpec {
        series: bars.series.iter().map(|name| Arc::clone(name.get_ref())).collect(),
        interval: bars.interval,
        calendar: bars.calendar.clone(),
        grid,
        time: TimeSpec {
            digits: is_number(&time.fields, columns),
            sources: time.fields.iter().map(|field| Arc::clone(field.get_ref())).collect(),
            formats: time.formats.clone(),
            zone: time.zone,
            label: time.label,
            fold: time.fold,
        },
        numbers: NumberFormat::default(),
        negative: bars.negative,
        without: bars.without.iter().map(|name| Arc::from(name.get_ref().as_str())).collect(),
        fields: fields(bars, columns),
        fresh: bars.fresh,
        as_of: None,
    }
}

/// Whether the timestamp is one column, and holds numbers.
fn is_number(fields: &[Spanned<Arc<str>>], columns: &[SourceColumn]) -> bool {
    let [only] = fields else { return false };
    columns.iter().any(|column| *column.name == **only.get_ref() && column.kind == FieldKind::Number)
}

/// The fields of the bars: those that columns become, and those that the job gives a value.
fn fields(bars: &Bars, columns: &[SourceColumn]) -> Vec<FieldSpec> {
    let of_columns = columns.iter().filter_map(|column| field_of(bars, column, columns));
    let constants = bars.fields.iter().filter_map(|field| {
        let value = field.value.as_ref()?;
        let name = Arc::clone(field.name.get_ref());
        let kind = field.kind.unwrap_or(if is_usual_number(bars, &name) { FieldKind::Number } else { FieldKind::Text });
        let constant = Some(Arc::clone(value));
        Some(FieldSpec { source: Arc::clone(&name), name, kind, constant, scale: field.scale, digits: false })
    });
    of_columns.chain(constants).collect()
}

fn is_usual_number(bars: &Bars, name: &str) -> bool {
    NUMBERS.contains(&name) && !bars.series.iter().any(|series| **series.get_ref() == *name)
}

/// The field that `column` becomes; `None` for the timestamp, and for one whose name another one was given.
fn field_of(bars: &Bars, column: &SourceColumn, columns: &[SourceColumn]) -> Option<FieldSpec> {
    if let [only] = bars.time.fields.as_slice()
        && **only.get_ref() == *column.name
    {
        return None;
    }
    let goes_by = |field: &&FieldName| field.sources.iter().any(|source| **source.get_ref() == *column.name);
    let named = bars.fields.iter().find(goes_by);
    if let Some(field) = named {
        // Files may call it differently; it is read under the first of its names that is there.
        let is_there = |source: &&Spanned<Arc<str>>| columns.iter().any(|column| *column.name == **source.get_ref());
        let first = field.sources.iter().find(is_there)?;
        if **first.get_ref() != *column.name {
            return None;
        }
    }
    let name = match named {
        Some(field) => Arc::clone(field.name.get_ref()),
        None => own_name(bars, column, columns)?,
    };
    let usual = if NUMBERS.contains(&&*name) { FieldKind::Number } else { column.kind };
    let is_series = bars.series.iter().any(|series| *series.get_ref() == name);
    let scale = named.and_then(|field| field.scale);
    let kind = match named.and_then(|field| field.kind) {
        _ if is_series => FieldKind::Text,
        Some(kind) => kind,
        None if scale.is_some() => FieldKind::Number,
        None => usual,
    };
    let digits = is_series && column.kind == FieldKind::Number;
    Some(FieldSpec { name, source: Arc::from(column.name.as_str()), kind, constant: None, scale, digits })
}

/// What rules call `column`, which the job gives no name: its usual name where it has one that is written in another way, and
/// nothing else goes by it.
fn own_name(bars: &Bars, column: &SourceColumn, columns: &[SourceColumn]) -> Option<Arc<str>> {
    // A job that names the column itself in its series key knows it by that name.
    if bars.series.iter().any(|series| **series.get_ref() == *column.name) {
        return Some(Arc::from(column.name.as_str()));
    }
    let taken = |name: &str| name == TIME || bars.fields.iter().any(|field| **field.name.get_ref() == *name);
    let alone = |usual: &&str| {
        let exact = columns.iter().any(|other| *other.name == **usual);
        !exact && !taken(usual) && columns.iter().filter(|other| usual_name(&other.name) == Some(usual)).count() == 1
    };
    let name = usual_name(&column.name).filter(alone).unwrap_or(&column.name);
    (!taken(name)).then(|| Arc::from(name))
}

/// The usual name of a field that a source writes in another case, or as `AKShare` does.
fn usual_name(column: &str) -> Option<&'static str> {
    const CHINESE: [(&str, &str); 9] = [
        ("开盘", "open"),
        ("最高", "high"),
        ("最低", "low"),
        ("收盘", "close"),
        ("成交量", "volume"),
        ("成交额", "amount"),
        ("涨跌额", "change"),
        ("涨跌幅", "pct_chg"),
        ("股票代码", "symbol"),
    ];
    let column = column.trim();
    let chinese = CHINESE.iter().find(|(name, _)| *name == column).map(|(_, usual)| *usual);
    chinese.or_else(|| NUMBERS.into_iter().chain(["symbol"]).find(|usual| usual.eq_ignore_ascii_case(column)))
}

/// What to do where no column holds the symbol: mostly it stands in the names of the files.
fn symbol_from_place(known: &str, files: &FileSource) -> String {
    let path = files.paths.first().map_or("data/*.csv", |path| path.written.as_str());
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let name = match name.rsplit_once('.') {
        Some((_, ending)) if !ending.contains('*') => format!("{{symbol}}.{ending}"),
        _ => "{symbol}.csv".to_owned(),
    };
    let slash = if folder.is_empty() { "" } else { "/" };
    format!(
        "{known}; where the names of the files hold it, write `path = \"{folder}{slash}{name}\"`; where all bars are of one \
         symbol, `fields = {{ symbol = {{ value = \"…\" }} }}`"
    )
}

/// Byte range of line `line` (from 1) of `text`, without its end.
fn line_span(text: &str, line: usize) -> Range<usize> {
    let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let length = text[start..].lines().next().map_or(0, str::len);
    start..start + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::job;
    use crate::schema::Environment;

    fn job(bars: &str) -> Job {
        let text = format!(
            "name = \"x\"\nrules = \"x\"\nsource.files = {{ path = \"x\", filter = {{ period = \"daily\" }} }}\n[bars]\n{bars}\n"
        );
        let draft = job::read(&SourceText::new("jobs/x.toml", text), &Environment::default());
        draft.job.unwrap_or_else(|| panic!("{}", rendered(&draft.mistakes)))
    }

    fn rendered(mistakes: &[Diagnostic]) -> String {
        mistakes.iter().map(|mistake| mistake.render(false)).collect::<Vec<_>>().join("\n\n")
    }

    fn columns(names: &[&str]) -> Vec<SourceColumn> {
        let column = |name: &&str| SourceColumn { name: (*name).to_owned(), kind: FieldKind::Text, typed_time: false };
        names.iter().chain(&["period"]).map(column).collect()
    }

    /// The fields as `name=source:kind`, without `period`.
    fn fields(job: &Job, names: &[&str]) -> Vec<String> {
        let spec = job.bars_spec(&columns(names)).unwrap_or_else(|mistakes| panic!("{}", rendered(&mistakes)));
        let fields = spec.fields.iter().filter(|field| &*field.name != "period");
        fields.map(|field| format!("{}={}:{:?}", field.name, field.source, field.kind)).collect()
    }

    #[test]
    fn fields_come_under_the_names_rules_use_in_the_order_of_the_source() {
        let job = job(r#"series = ["symbol"]
            interval = "1d"
            time.field = "ts"
            fields = { volume = "vol", turnover = { field = "rate", type = "number" }, isST = { type = "text" } }"#);
        assert_eq!(
            fields(&job, &["symbol", "ts", "close", "vol", "rate", "isST", "note"]),
            [
                "symbol=symbol:Text",
                "close=close:Number",
                "volume=vol:Number",
                "turnover=rate:Number",
                "isST=isST:Text",
                "note=note:Text"
            ]
        );
    }

    #[test]
    fn column_whose_name_was_given_away_is_not_seen() {
        let adjusted = job("series = \"symbol\"\ninterval = \"1d\"\nfields = { close = \"adj_close\" }");
        assert_eq!(
            fields(&adjusted, &["symbol", "time", "close", "adj_close"]),
            ["symbol=symbol:Text", "close=adj_close:Number"]
        );
        let swapped =
            job("series = \"symbol\"\ninterval = \"1d\"\nfields = { close = \"adj_close\", raw_close = \"close\" }");
        assert_eq!(
            fields(&swapped, &["symbol", "time", "close", "adj_close"]),
            ["symbol=symbol:Text", "raw_close=close:Text", "close=adj_close:Number"]
        );
    }

    #[test]
    fn column_called_like_the_timestamp_is_not_seen() {
        let job = job("series = \"symbol\"\ninterval = \"1d\"\ntime.field = \"ts\"");
        assert_eq!(fields(&job, &["symbol", "ts", "time"]), ["symbol=symbol:Text"]);
    }

    #[test]
    fn series_fields_are_text_whatever_the_source_says() {
        let job = job("series = [\"code\", \"open\"]\ninterval = \"1d\"\nfields = { code = \"id\" }");
        let mut source = columns(&["id", "open", "time"]);
        source[0].kind = FieldKind::Number;
        let spec = job.bars_spec(&source).unwrap();
        assert!(spec.fields.iter().all(|field| field.kind == FieldKind::Text));
        assert_eq!(spec.series.iter().map(|name| &**name).collect::<Vec<_>>(), ["code", "open"]);
    }

    #[test]
    fn grid_is_there_when_a_calendar_is() {
        let with = job("series = \"symbol\"\ninterval = \"1h\"\ncalendar = \"XNYS\"\nalign = \"clock\"");
        let spec = with.bars_spec(&columns(&["symbol", "time"])).unwrap();
        assert_eq!(spec.grid.map(|grid| grid.interval()), Some(with.bars.interval));
        assert_eq!(spec.time.zone, chrono_tz::America::New_York);
        let without = job("series = \"symbol\"\ninterval = \"1h\"").bars_spec(&columns(&["symbol", "time"])).unwrap();
        assert!(without.grid.is_none() && without.calendar.is_none());
    }

    #[test]
    fn every_field_the_source_lacks_is_reported() {
        let job = job("series = [\"symbl\", \"id\", \"px\"]\ninterval = \"1d\"\ntime.field = \"trade_dat\"\n\
             fields = { volume = \"vol\", symbol = \"id\", px = { type = \"number\" } }");
        let mut source = columns(&["id", "trade_date", "volume", "px"]);
        source.pop();
        insta::assert_snapshot!(rendered(&job.bars_spec(&source).unwrap_err()), @r#"
error[unknown-field]: the source has no field `period`
 --> jobs/x.toml:3:41
  |
3 | source.files = { path = "x", filter = { period = "daily" } }
  |                                         ^^^^^^ unknown field
  |
  = help: fields of the source: id, trade_date, volume, px

error[unknown-field]: the series key needs the field `symbl`, which these bars do not have
 --> jobs/x.toml:5:11
  |
5 | series = ["symbl", "id", "px"]
  |           ^^^^^^^ unknown field
  |
  = help: did you mean `symbol`? fields: symbol, trade_date, px

error[unknown-field]: the series key needs the field `id`, which these bars do not have
 --> jobs/x.toml:5:20
  |
5 | series = ["symbl", "id", "px"]
  |                    ^^^^ unknown field
  |
  = help: `[bars] fields` calls it `symbol`

error[bad-value]: `px` is part of the series key, which is always text
 --> jobs/x.toml:5:26
  |
5 | series = ["symbl", "id", "px"]
  |                          ^^^^
...
8 | fields = { volume = "vol", symbol = "id", px = { type = "number" } }
  |                                           -- declared a number here
  |
  = help: leave its type out, or take it out of `series`

error[unknown-field]: the source has no field `trade_dat`
 --> jobs/x.toml:7:14
  |
7 | time.field = "trade_dat"
  |              ^^^^^^^^^^^ unknown field
  |
  = help: did you mean `trade_date`? fields of the source: id, trade_date, volume, px

error[unknown-field]: the source has no field `vol`
 --> jobs/x.toml:8:21
  |
8 | fields = { volume = "vol", symbol = "id", px = { type = "number" } }
  |                     ^^^^^ unknown field
  |
  = help: fields of the source: id, trade_date, volume, px
"#);
    }

    #[test]
    fn a_source_without_columns_is_reported_as_such() {
        let job = job("series = \"symbol\"\ninterval = \"1d\"");
        assert_eq!(job.bars_spec(&[]).unwrap_err().len(), 3);
    }

    #[test]
    fn lines_of_a_calendar_file_that_cannot_be_used_are_shown() {
        let mut job = job("series = \"symbol\"\ninterval = \"1d\"\ncalendar = \"XNYS\"\ncalendar_file = \"nyse.csv\"");
        let header = "calendar,session,open_utc,close_utc,break_start_utc,break_end_utc\n";
        let mistakes =
            job.set_calendar_text(Path::new("jobs/nyse.csv"), &format!("{header}XNYS,2024-13-01,x,y,,\n")).unwrap_err();
        assert_eq!(mistakes[0].position(), (2, 1));
        assert_eq!(mistakes[0].file.path, std::path::Path::new("jobs/nyse.csv"));
    }
}
