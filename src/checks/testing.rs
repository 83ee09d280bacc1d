//! Small literal series for the tests of checks, and the runner of the examples in their documentation.
//!
//! An example in a check's `.md` is three fenced blocks in this order: ```` ```toml ```` with an optional
//! `[bars]` table (`interval`, `calendar`, `zone`, `timestamp`, `formats`) and one `[[rule]]`; ```` ```csv ````
//! with the bars (`time` first; an empty cell is NULL; a column whose cells are all numbers, `NaN`, `inf`
//! or empty is numeric; `!17` is a value of another type in a text column; for a check across series the second column is
//! `symbol`, and its findings begin with the series they are about; for one that compares runs each line is a run); ```` ```text ```` with the findings, one a line, as [`render`] prints them.

mod facts;
mod runs;
pub(crate) mod several;

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Float64Array, StringViewArray};

use self::facts::{ANY, add_fact};
use super::{
    Check, Column, Excuses, Exempt, Finding, FindingSink, NumberColumn, OtherBar, PeerTable, Series, Standing,
    TextColumn, Totals, find,
};
use crate::bars::time::TimeFormat;
use crate::bars::{BarsSpec, DAY_US, FieldKind, FieldSpec, Fold, Label, TimeSpec};
use crate::checks::Params;
use crate::market::facts::MarketFacts;
use crate::market::{Calendar, Grid, Interval, PeriodLabel};
use crate::schema::{Diagnostic, Environment, Holds, Otherwise, Reader, Section, SectionReader, SourceText, key};

/// A series that owns its columns.
pub(crate) struct Fixture {
    pub(crate) spec: BarsSpec,
    time: Vec<i64>,
    time_text: StringViewArray,
    time_other: StringViewArray,
    numbers: Vec<Option<Float64Array>>,
    /// The text of a column, and the literals of its values that are not text.
    texts: Vec<Option<[StringViewArray; 2]>>,
    rank: Vec<u64>,
    standing: Vec<Standing>,
    facts: MarketFacts,
    key: String,
    /// The bars of another job.
    pub(crate) other: Vec<OtherBar>,
}

impl Fixture {
    /// Reads `csv` as one series of daily bars without a calendar.
    pub(crate) fn daily(csv: &str) -> Self {
        Self::new("", csv)
    }

    /// Reads `csv` as one series of the bars that the TOML table `bars` describes.
    pub(crate) fn new(bars: &str, csv: &str) -> Self {
        let (mut spec, facts) = spec_of(bars);
        let mut lines = csv.lines().map(str::trim).filter(|line| !line.is_empty());
        let header: Vec<&str> = lines.next().expect("a header").split(',').map(str::trim).collect();
        assert_eq!(header[0], "time", "the first column of an example is `time`");
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').map(trim_quotes).collect()).collect();
        for row in &rows {
            assert_eq!(row.len(), header.len(), "ragged example row {row:?}");
        }
        let mut order: Vec<(Option<i64>, usize)> =
            rows.iter().enumerate().map(|(i, row)| (spec.time.read_text(row[0]).ok(), i)).collect();
        order.sort_by_key(|(time, i)| (time.is_none(), *time, *i));
        let sorted: Vec<&Vec<&str>> = order.iter().map(|(_, i)| &rows[*i]).collect();
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        for (column, name) in header.iter().enumerate().skip(1) {
            let cells: Vec<Option<&str>> =
                sorted.iter().map(|row| Some(row[column]).filter(|cell| !cell.is_empty())).collect();
            let numeric = cells.iter().flatten().all(|cell| cell.parse::<f64>().is_ok());
            let kind = if numeric { FieldKind::Number } else { FieldKind::Text };
            spec.fields.push(FieldSpec::plain(name, kind));
            numbers.push(numeric.then(|| nan_filled(&cells)));
            texts.push(
                (!numeric).then(|| [text, literal].map(|part| cells.iter().map(|cell| cell.and_then(part)).collect())),
            );
        }
        Self {
            time: order.iter().filter_map(|(time, _)| *time).collect(),
            time_text: sorted.iter().map(|row| text(row[0])).collect(),
            time_other: sorted.iter().map(|row| literal(row[0])).collect(),
            numbers,
            texts,
            rank: order.iter().map(|(_, i)| *i as u64).collect(),
            standing: Vec::new(),
            facts,
            key: symbol_in(&header, &sorted).unwrap_or(ANY).to_owned(),
            other: Vec::new(),
            spec,
        }
    }

    /// Consecutive daily bars from 2024-01-01 with one numeric column `field`; `None` is NULL.
    pub(crate) fn column(field: &str, values: &[Option<f64>]) -> Self {
        let mut fixture = Self::daily(&format!("time,{field}"));
        fixture.spec.fields[0].kind = FieldKind::Number;
        fixture.texts[0] = None;
        fixture.numbers[0] = Some(nan_filled_numbers(values));
        fixture.time = (19_723..).take(values.len()).map(|day: i64| day * DAY_US).collect();
        fixture.time_text = values.iter().map(|_| Some("x")).collect();
        fixture.time_other = values.iter().map(|_| None::<&str>).collect();
        fixture.rank = (0..values.len() as u64).collect();
        fixture
    }

    /// Says how rows stand after other rules; all others are good.
    pub(crate) fn stand(mut self, rows: &[usize], standing: Standing) -> Self {
        self.standing.resize(self.rank.len(), Standing::Good(0));
        for row in rows {
            self.standing[*row] = standing;
        }
        self
    }

    /// The same series under another key, which is its symbol.
    pub(crate) fn called(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// Runs `check` over the series.
    pub(crate) fn run(&self, check: &dyn Check) -> FindingSink {
        self.with_series(|series| {
            counts_by_row(check, series);
            let mut sink = FindingSink::default();
            check.check(series, &mut sink);
            check.merge(series, &mut sink);
            sink
        })
    }

    /// What `look` makes of the series.
    pub(crate) fn with_series<R>(&self, look: impl FnOnce(&Series<'_>) -> R) -> R {
        self.with_series_called((&self.key, None), look)
    }

    /// What `look` makes of the series with the key `key`, beside the others that `peers` knows.
    pub(crate) fn with_series_called<R>(
        &self,
        (key, peers): (&str, Option<&PeerTable>),
        look: impl FnOnce(&Series<'_>) -> R,
    ) -> R {
        let columns: Vec<Column<'_>> = self.numbers.iter().zip(&self.texts).map(column_of).collect();
        let none: [&BooleanArray; 0] = [];
        let facts = self.facts.of_series(ANY, Some(ANY), None).called(key);
        let series = Series {
            key,
            time: &self.time,
            rows: self.rank.len(),
            columns: &columns,
            time_text: Some(TextColumn::new(&self.time_text, Some(&self.time_other))),
            source_rank: &self.rank,
            expressions: &none,
            present: &self.time,
            standing: &self.standing,
            facts: &facts,
            peers,
            other: &self.other,
            ..Series::default()
        };
        look(&series)
    }

    /// What `rule` finds that facts of `exempt` do not explain.
    pub(crate) fn excused(&self, rule: &str, exempt: &[Exempt]) -> Evaluated {
        let check = compile(rule, &self.spec).unwrap_or_else(|d| panic!("{}", rendered(&d)));
        let sink = self.with_series(|series| {
            let mut sink = FindingSink::default();
            check.check(series, &mut sink);
            Excuses::new(&Arc::from("test"), exempt, &self.spec).apply(series, &mut sink);
            check.merge(series, &mut sink);
            sink
        });
        let lines = sink.findings.iter().map(|finding| self.render(finding)).collect();
        Evaluated { lines, totals: sink.totals, findings: sink.findings }
    }

    /// Compiles the rule that `rule` writes (the keys of one `[[rule]]`, `check` among them) and runs it.
    pub(crate) fn evaluate(&self, rule: &str) -> Evaluated {
        let check = compile(rule, &self.spec).unwrap_or_else(|d| panic!("{}", rendered(&d)));
        let sink = self.run(check.as_ref());
        let lines = sink.findings.iter().map(|finding| self.render(finding)).collect();
        Evaluated { lines, totals: sink.totals, findings: sink.findings }
    }

    /// One finding as a line: row or timestamps of the gap, then what is set.
    pub(crate) fn render(&self, finding: &Finding) -> String {
        let at = |time: i64| {
            let timestamp = chrono::DateTime::from_timestamp_micros(time).expect("a time in range");
            if self.spec.daily() {
                timestamp.format("%Y-%m-%d").to_string()
            } else {
                timestamp.format("%Y-%m-%dT%H:%MZ").to_string()
            }
        };
        let mut line = match &finding.rows {
            Some(rows) => match self.time_other.is_null(rows.start) {
                true => self.time_text.value(rows.start).to_owned(),
                false => self.time_other.value(rows.start).to_owned(),
            },
            None => finding.time.map(at).unwrap_or_default(),
        };
        if let Some(until) = finding.time_until {
            line += &format!(" .. {}", at(until));
        }
        if let Some(field) = &finding.field {
            line += &format!(" {field}");
        }
        if let Some(value) = finding.observed {
            line += &format!(" observed={value}");
        }
        if let Some(text) = &finding.observed_text {
            line += &format!(" observed=`{text}`");
        }
        if finding.bars_affected > 1 {
            line += &format!(" bars={}", finding.bars_affected);
        }
        if let Some(cause) = finding.cause {
            line += &format!(" cause={cause}");
        }
        line
    }
}

/// The symbol in the first bar, where the bars have one.
fn symbol_in<'a>(header: &[&str], rows: &[&Vec<&'a str>]) -> Option<&'a str> {
    let column = header.iter().position(|name| *name == "symbol")?;
    rows.first().map(|row| row[column])
}

/// What a rule made of a fixture.
pub(crate) struct Evaluated {
    /// Findings as lines.
    pub(crate) lines: Vec<String>,
    pub(crate) totals: Totals,
    pub(crate) findings: Vec<Finding>,
}

/// The text of a cell; none where it is empty or a literal.
fn text(cell: &str) -> Option<&str> {
    Some(cell).filter(|cell| !cell.is_empty() && !cell.starts_with('!'))
}

/// The literal of a cell whose value is not text in the source, written `!17`.
fn literal(cell: &str) -> Option<&str> {
    cell.strip_prefix('!')
}

fn trim_quotes(cell: &str) -> &str {
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell.trim())
}

fn column_of<'a>((numbers, texts): (&'a Option<Float64Array>, &'a Option<[StringViewArray; 2]>)) -> Column<'a> {
    match (numbers, texts) {
        (Some(numbers), _) => Column::Number(NumberColumn::new(numbers.values(), numbers.nulls())),
        (_, Some([text, other])) => Column::Text(TextColumn::new(text, Some(other))),
        _ => Column::Absent,
    }
}

fn nan_filled(cells: &[Option<&str>]) -> Float64Array {
    let values: Vec<Option<f64>> = cells.iter().map(|cell| cell.map(|c| c.parse().expect("a number"))).collect();
    nan_filled_numbers(&values)
}

fn nan_filled_numbers(values: &[Option<f64>]) -> Float64Array {
    let nulls: arrow::buffer::NullBuffer = values.iter().map(Option::is_some).collect();
    Float64Array::new(values.iter().map(|v| v.unwrap_or(f64::NAN)).collect(), Some(nulls))
}

fn rendered(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| d.render(false)).collect::<Vec<_>>().join("\n\n")
}

/// The bars an example's `[bars]` table describes, without fields, and its facts.
fn spec_of(bars: &str) -> (BarsSpec, MarketFacts) {
    let file = SourceText::new("bars.toml", bars);
    let table = toml::de::DeTable::parse(&file.text).expect("valid TOML");
    let environment = Environment::default();
    let mut reader = Reader::new(&file, table.get_ref(), table.span(), &environment);
    let text = |reader: &mut Reader<'_>, key: &str| reader.string(key).map(toml::Spanned::into_inner);
    let interval = Interval::parse(&text(&mut reader, "interval").unwrap_or("1d".into())).expect("an interval");
    let calendar = text(&mut reader, "calendar").map(|name| Calendar::named(&name).expect("a calendar"));
    let zone = text(&mut reader, "zone").map_or(chrono_tz::UTC, |zone| zone.parse().expect("a zone"));
    let label = match text(&mut reader, "label").as_deref() {
        Some("start") => Label::Start,
        Some("end") => Label::End,
        Some("session") => Label::Session,
        _ if interval.is_daily_or_longer() => Label::Session,
        _ => Label::Start,
    };
    let as_of = text(&mut reader, "as_of").map(|at| chrono::DateTime::parse_from_rfc3339(&at).expect("an instant"));
    let formats = reader.strings("formats").unwrap_or_default();
    let mut formats: Vec<TimeFormat> =
        formats.iter().map(|f| TimeFormat::compile(f.get_ref()).expect("a time format")).collect();
    if formats.is_empty() {
        let default = if interval.is_daily_or_longer() { "%Y-%m-%d" } else { "rfc3339" };
        formats.push(TimeFormat::compile(default).expect("a time format"));
    }
    let series = reader.strings("series").unwrap_or_default();
    let series: Vec<Arc<str>> = series.into_iter().map(|name| Arc::from(name.into_inner())).collect();
    let series = if series.is_empty() { vec![Arc::from("symbol")] } else { series };
    let written = reader.strings("facts").unwrap_or_default();
    let period_label = text(&mut reader, "period_label").map(|label| match label.as_str() {
        "first" => PeriodLabel::First,
        "last" => PeriodLabel::Last,
        _ => PeriodLabel::Monday,
    });
    let mistakes = reader.finish("[bars]");
    assert!(mistakes.is_empty(), "{}", rendered(&mistakes));
    let grid = calendar.as_ref().map(|calendar| {
        let grid = Grid::new(Arc::clone(calendar), interval, label);
        Arc::new(match period_label {
            Some(label) => grid.with_period_label(label),
            None => grid,
        })
    });
    let time = TimeSpec { sources: vec![Arc::from("time")], digits: false, formats, zone, label, fold: Fold::Refuse };
    let at = |text: &str| time.read_text(text).expect("a time");
    let mut facts = MarketFacts::default();
    for fact in &written {
        add_fact(&mut facts, fact.get_ref(), &at);
    }
    let as_of = as_of.map(|at| at.timestamp_micros());
    let spec = BarsSpec { series, calendar, grid, as_of, ..BarsSpec::new(interval, time.clone()) };
    (spec, facts.in_order())
}

/// What every rule has, as far as examples write it.
const RULE: Section = Section {
    name: "the rule",
    doc: "",
    keys: &[
        key("id", Holds::Text, Otherwise::Nothing, ""),
        key("check", Holds::Text, Otherwise::Mistake, ""),
        key("severity", Holds::Text, Otherwise::Nothing, ""),
        key("action", Holds::Text, Otherwise::Nothing, ""),
        key("why", Holds::Text, Otherwise::Nothing, ""),
    ],
};

/// Compiles the rule that `rule` writes; the keys every rule has besides `check` are not looked at.
pub(crate) fn compile(rule: &str, spec: &BarsSpec) -> Result<Box<dyn Check>, Vec<Diagnostic>> {
    let file = SourceText::new("rule.toml", rule);
    let table = toml::de::DeTable::parse(&file.text).expect("valid TOML");
    let environment = Environment::default();
    let mut section = SectionReader::new(&RULE, Reader::new(&file, table.get_ref(), table.span(), &environment));
    let name = section.text("check").expect("a check").into_inner();
    for key in ["id", "severity", "action", "why"] {
        section.text(key);
    }
    let kind = find(&name).unwrap_or_else(|| panic!("no check `{name}`"));
    let mut expressions = Vec::new();
    let section = section.continued("rule `test`".to_owned(), kind.params());
    let mut params = Params::new(section, spec, Arc::from("test"), &mut expressions);
    let check = kind.compile(&mut params, spec);
    let (mut mistakes, _, lacking) = params.finish();
    mistakes.extend(lacking.into_iter().map(|lacking| lacking.mistake));
    if mistakes.is_empty() { Ok(check) } else { Err(mistakes) }
}

/// Fails unless `check` counts each row at most once, and none before the first that is reported on.
fn counts_by_row(check: &dyn Check, series: &Series<'_>) {
    let counted = |from: usize| {
        let since = if from < series.dated() { series.time[from] } else { i64::MAX };
        let mut sink = FindingSink::default();
        check.check(&Series { from, since, ..*series }, &mut sink);
        sink.totals.evaluated + sink.totals.insufficient + sink.totals.excused
    };
    assert_eq!(counted(series.rows), 0, "rows before the first that is reported on are counted");
    // Rows without a timestamp stand behind all others, and bars of one timestamp are counted together.
    let (mut behind, mut later) = (counted(series.dated()), i64::MAX);
    let firsts = |row: &usize| *row == 0 || series.time[*row] > series.time[row - 1];
    for row in (0..series.dated()).rev().filter(firsts) {
        let (now, rows) = (counted(row), series.time[row..].partition_point(|time| *time < later));
        assert!(now >= behind && now - behind <= rows as u64, "row {row}: {behind}, then {now}");
        (behind, later) = (now, series.time[row]);
    }
}

/// The contents of the fenced blocks of `language` in `markdown`.
pub(crate) fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("```{language}\n");
    markdown.split(open.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// What `rule` finds in the bars of an example, whose `[bars]` table is `head`.
pub(crate) fn evaluated_example(head: &str, bars: &str, rule: &str) -> Evaluated {
    let head = head.trim().trim_start_matches("[bars]");
    let fixture = Fixture::new(head, bars);
    let check = compile(rule, &fixture.spec).unwrap_or_else(|mistakes| panic!("{}", rendered(&mistakes)));
    if check.history().is_some() {
        return runs::evaluate(&fixture, check.as_ref());
    }
    let several = bars.trim_start().starts_with("time,symbol,");
    match several && (check.across().is_some() || check.peers().is_some()) {
        true => several::evaluate(head, bars, rule),
        false => fixture.evaluate(rule),
    }
}

/// Runs every example of a check's documentation.
pub(crate) fn run_examples(name: &str, markdown: &str) {
    let (rules, bars, expected) = (blocks(markdown, "toml"), blocks(markdown, "csv"), blocks(markdown, "text"));
    assert!(!rules.is_empty(), "`{name}` has no example");
    assert!(rules.len() == bars.len() && bars.len() == expected.len(), "`{name}`: an example is toml, csv, text");
    for ((rule, bars), expected) in rules.into_iter().zip(bars).zip(expected) {
        let (head, rule) = rule.split_once("[[rule]]").expect("an example has one [[rule]]");
        let found = evaluated_example(head, bars, rule).lines;
        let wanted: Vec<&str> = expected.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(found, wanted, "example of `{name}`");
    }
}
