//! What each check costs over one series of daily bars: `cargo bench --manifest-path benches/Cargo.toml --bench checks`.
//!
//! Checks that read text (`date-format`, `matches`) and those that the engine evaluates (`sql`) are part of whole jobs,
//! which `bench/run` measures. The bars are clean but for a bad print in a hundred, so that checks find something.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use barkeep::bars::time::TimeFormat;
use barkeep::bars::{BarsSpec, FieldKind, FieldSpec, Fold, Label, TimeSpec};
use barkeep::checks::{CHECKS, Column, FindingSink, NumberColumn, Series};
use barkeep::config::{RuleFile, compile};
use barkeep::market::{Calendar, Grid, Interval};

const FIELDS: [&str; 8] = ["open", "high", "low", "close", "volume", "amount", "pre_close", "pct_chg"];
const BARS: usize = 5_000;
const DAY_US: i64 = 86_400_000_000;
const ELSEWHERE: [&str; 3] = ["date-format", "matches", "sql"];

fn spec() -> BarsSpec {
    let calendar = Calendar::named("XNYS").expect("XNYS is built in");
    let grid = Arc::new(Grid::new(Arc::clone(&calendar), Interval::Day, Label::Session));
    let time = TimeSpec {
        sources: vec![Arc::from("date")],
        digits: false,
        formats: vec![TimeFormat::compile("%Y-%m-%d").expect("a format")],
        zone: calendar.zone(),
        label: Label::Session,
        fold: Fold::Refuse,
    };
    BarsSpec {
        series: vec![Arc::from("symbol")],
        calendar: Some(calendar),
        grid: Some(grid),
        fields: FIELDS.iter().map(|name| FieldSpec::plain(name, FieldKind::Number)).collect(),
        ..BarsSpec::new(Interval::Day, time)
    }
}

/// The columns of [`FIELDS`] over a walk that a linear congruential generator makes.
fn columns() -> Vec<Vec<f64>> {
    let mut state = 42_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let mut columns = vec![Vec::with_capacity(BARS); FIELDS.len()];
    let mut close = 100.0_f64;
    for bar in 0..BARS {
        let before = close;
        let open = before * (1.0 + 0.01 * random());
        close = open * (1.0 + 0.03 * random());
        let print = if bar % 100 == 50 { 0.85 } else { 1.0 };
        let (high, low) = (open.max(close) * (1.0 + 0.01 * random().abs()), open.min(close) * (1.0 - 0.01 * random().abs()));
        let volume = (1e6 * (1.0 + random())).round();
        let change = 100.0 * (close / before - 1.0);
        let values = [open, high, low * print, close, volume, volume * (open + close) / 2.0, before, change];
        values.into_iter().zip(&mut columns).for_each(|(value, column)| column.push(value));
    }
    columns
}

/// One rule of the check `name` with its defaults, and with what it requires.
fn rule(name: &str) -> String {
    let required = match name {
        "required" => "fields = [\"open\", \"close\"]",
        "range" => "field = \"close\"\nmin = 0.0",
        "tick-size" => "tick = 0.01",
        _ => "",
    };
    format!("[[rule]]\nid = \"{name}\"\ncheck = \"{name}\"\n{required}\n")
}

fn checks(c: &mut Criterion) {
    let (spec, columns) = (spec(), columns());
    let grid = spec.grid.clone().expect("a grid");
    let first = grid.first_at_or_after(11_000 * DAY_US).expect("a session");
    let time: Vec<i64> = (0..BARS as i64).map(|bar| grid.timestamp(first + bar)).collect();
    let rank: Vec<u64> = (0..BARS as u64).collect();
    let columns: Vec<Column<'_>> =
        columns.iter().map(|values| Column::Number(NumberColumn::new(values, None))).collect();
    let series = Series {
        key: "A",
        time: &time,
        rows: BARS,
        columns: &columns,
        source_rank: &rank,
        present: &time,
        ..Series::default()
    };
    let mut group = c.benchmark_group("check");
    group.throughput(Throughput::Elements(BARS as u64));
    for check in CHECKS.iter().filter(|check| !ELSEWHERE.contains(&check.name())) {
        let file = RuleFile::from_text("rules.toml", &rule(check.name())).expect("a rule file");
        let rules = compile(&[file], &spec).unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(false)));
        group.bench_function(check.name(), |b| {
            b.iter(|| {
                let mut findings = FindingSink::default();
                rules.rules[0].check.check(&series, &mut findings);
                black_box(findings.findings.len())
            })
        });
    }
    group.finish();
}

criterion_group!(benches, checks);
criterion_main!(benches);
