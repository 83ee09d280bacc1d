//! What each check costs over one series of daily bars: `cargo bench --manifest-path benches/Cargo.toml --bench checks`.
//!
//! Of `sql`, whose expressions the engine evaluates, it is what is made of their results. Checks across series note the
//! series and conclude from twenty such notes; those that have to know of other series gather the values of twenty, and
//! look at one beside them. The bars are clean but for a bad print in a hundred, so that checks find something. Whole jobs
//! are measured by `bench/run`.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{BooleanArray, StringViewArray};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use barkeep::bars::time::TimeFormat;
use barkeep::bars::{BarsSpec, FieldKind, FieldSpec, Fold, Label, TimeSpec};
use barkeep::checks::{
    AcrossSink, CHECKS, Check, Column, FindingSink, Note, NumberColumn, PeerValues, Series, TextColumn, parse_fresh,
    to_pieces,
};
use barkeep::config::{RuleFile, compile};
use barkeep::market::{Calendar, Grid, Interval};

/// Numeric fields, and behind them the fields with text.
const FIELDS: [&str; 8] = ["open", "high", "low", "close", "volume", "amount", "pre_close", "pct_chg"];
const TEXTS: [&str; 3] = ["symbol", "data_source", "trade_date"];
const BARS: usize = 5_000;
/// So many series are evaluated by each other.
const SERIES: usize = 20;
const DAY_US: i64 = 86_400_000_000;

/// Daily bars that are evaluated a session after the last of them.
fn spec() -> BarsSpec {
    let calendar = Calendar::named("XNYS").expect("XNYS is built in");
    let grid = Arc::new(Grid::new(Arc::clone(&calendar), Interval::Day, Label::Session));
    let as_of = grid.timestamp(first(&grid) + BARS as i64);
    let time = TimeSpec {
        sources: vec![Arc::from("trade_date")],
        digits: false,
        formats: vec![TimeFormat::compile("%Y-%m-%d").expect("a format")],
        zone: calendar.zone(),
        label: Label::Session,
        fold: Fold::Refuse,
    };
    let numbers = FIELDS.iter().map(|name| FieldSpec::plain(name, FieldKind::Number));
    let texts = TEXTS.iter().map(|name| FieldSpec::plain(name, FieldKind::Text));
    BarsSpec {
        series: vec![Arc::from("symbol"), Arc::from("data_source")],
        calendar: Some(calendar),
        grid: Some(grid),
        fields: numbers.chain(texts).collect(),
        fresh: Some(parse_fresh("2 sessions", Interval::Day, true).expect("an age")),
        as_of: Some(as_of),
        ..BarsSpec::new(Interval::Day, time)
    }
}

/// The position of the first bar.
fn first(grid: &Grid) -> i64 {
    grid.first_at_or_after(11_000 * DAY_US).expect("a session")
}

/// The rows of a series.
struct Rows {
    time: Vec<i64>,
    numbers: Vec<Vec<f64>>,
    texts: Vec<StringViewArray>,
    good: BooleanArray,
    rank: Vec<u64>,
}

impl Rows {
    /// Bars that begin at the first one of `grid`, over a walk that a linear congruential generator makes; each is there
    /// once in each of `sources`.
    fn of(grid: &Grid, sources: &[&str]) -> Self {
        let mut state = 42_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let (first, rows) = (first(grid), BARS * sources.len());
        let mut time = Vec::with_capacity(rows);
        let mut numbers = vec![Vec::with_capacity(rows); FIELDS.len()];
        let mut texts: [Vec<String>; 3] = Default::default();
        let mut close = 100.0_f64;
        for bar in 0..BARS {
            let before = close;
            let open = before * (1.0 + 0.01 * random());
            close = open * (1.0 + 0.03 * random());
            let print = if bar % 100 == 50 { 0.85 } else { 1.0 };
            let high = open.max(close) * (1.0 + 0.01 * random().abs());
            let low = open.min(close) * (1.0 - 0.01 * random().abs());
            let volume = (1e6 * (1.0 + random())).round();
            let change = 100.0 * (close / before - 1.0);
            for source in sources {
                let values = [open, high, low * print, close, volume, volume * (open + close) / 2.0, before, change];
                values.into_iter().zip(&mut numbers).for_each(|(value, column)| column.push(value));
                time.push(grid.timestamp(first + bar as i64));
                let date = format!("20{:02}-{:02}-{:02}", bar / 336 % 100, bar / 28 % 12 + 1, bar % 28 + 1);
                let of_row = ["A".to_owned(), (*source).to_owned(), date];
                of_row.into_iter().zip(&mut texts).for_each(|(text, column)| column.push(text));
            }
        }
        Self {
            time,
            numbers,
            texts: texts.into_iter().map(StringViewArray::from_iter_values).collect(),
            good: (0..rows).map(|row| Some(row % 100 != 50)).collect(),
            rank: (0..rows as u64).collect(),
        }
    }

    fn columns(&self) -> Vec<Column<'_>> {
        let numbers = self.numbers.iter().map(|values| Column::Number(NumberColumn::new(values, None)));
        numbers.chain(self.texts.iter().map(|text| Column::Text(TextColumn::new(text, None)))).collect()
    }

    fn series<'a>(&'a self, columns: &'a [Column<'a>], expressions: &'a [&'a BooleanArray]) -> Series<'a> {
        Series {
            key: "A",
            time: &self.time,
            rows: self.time.len(),
            columns,
            time_text: self.texts.last().map(|text| TextColumn::new(text, None)),
            source_rank: &self.rank,
            expressions,
            present: &self.time,
            ..Series::default()
        }
    }
}

/// One rule of the check `name` with its defaults, and with what it requires.
fn rule(name: &str) -> String {
    let required = match name {
        "date-format" => "field = \"trade_date\"",
        "matches" => "field = \"trade_date\"\npattern = \"[0-9]{4}-[0-9]{2}-[0-9]{2}\"",
        "required" => "fields = [\"open\", \"close\"]",
        "range" => "field = \"close\"\nmin = 0.0",
        "tick-size" => "tick = 0.01",
        "price-limit" => "table = \"cn\"",
        "bar-excess" => "peers = true",
        "reconcile" => "by = \"data_source\"",
        "sql" => "assert = \"low <= open\"",
        _ => "",
    };
    format!("[[rule]]\nid = \"{name}\"\ncheck = \"{name}\"\n{required}\n")
}

/// Runs `check` over `series`, and what it needs of other series; returns how much was found.
fn run(check: &dyn Check, series: &Series<'_>) -> usize {
    if let Some(across) = check.across() {
        let Some(noted) = across.note(series) else { return 0 };
        let note = |name: usize| Note {
            series: name.to_string(),
            symbol: Some(name.to_string()),
            bytes: noted.bytes.clone(),
            locator: None,
            id: None,
        };
        let notes: Vec<Note> = (0..SERIES).map(note).collect();
        let mut sink = AcrossSink::default();
        across.conclude(&notes, &mut sink);
        return sink.findings.len();
    }
    let peers = check.peers().map(|peers| {
        let pieces = to_pieces(series.time, &peers.values(series));
        let mut values = PeerValues::default();
        for piece in std::iter::repeat_n(&pieces, SERIES).flatten() {
            values.take(piece);
        }
        values.table()
    });
    let mut findings = FindingSink::default();
    check.check(&Series { peers: peers.as_ref(), ..*series }, &mut findings);
    findings.findings.len()
}

fn checks(c: &mut Criterion) {
    let spec = spec();
    let grid = spec.grid.clone().expect("a grid");
    let (alone, twice) = (Rows::of(&grid, &["one"]), Rows::of(&grid, &["one", "other"]));
    let columns = [alone.columns(), twice.columns()];
    let expressions = [[&alone.good], [&twice.good]];
    let [alone, twice] = [alone.series(&columns[0], &expressions[0]), twice.series(&columns[1], &expressions[1])];
    let mut group = c.benchmark_group("check");
    for check in CHECKS {
        let file = RuleFile::from_text("rules.toml", &rule(check.name())).expect("a rule file");
        let rules = compile(&[file], &spec).unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(false)));
        let check_of = &*rules.rules[0].check;
        // Sources of a symbol are evaluated together.
        let series = if check_of.by().is_some() { &twice } else { &alone };
        group.throughput(Throughput::Elements(series.rows as u64));
        group.bench_function(check.name(), |b| b.iter(|| black_box(run(check_of, series))));
    }
    group.finish();
}

criterion_group!(benches, checks);
criterion_main!(benches);
