//! How long single steps take: `cargo bench --manifest-path benches/Cargo.toml`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use barkeep::bars::Label;
use barkeep::bars::number::read_number;
use barkeep::market::{Calendar, Grid, Interval};

const DAY_US: i64 = 86_400_000_000;

/// Placing ten years of minute bars on the grid of an exchange: what `gap` and `off-calendar` do for every bar.
fn grid(c: &mut Criterion) {
    let calendar = Calendar::named("XNYS").expect("XNYS is built in");
    let grid = Grid::new(calendar, Interval::parse("1m").expect("an interval"), Label::Start);
    let times: Vec<i64> = (0..1_000_000).map(|minute| 16_000 * DAY_US + minute * 60_000_000).collect();
    let mut group = c.benchmark_group("grid");
    group.throughput(Throughput::Elements(times.len() as u64));
    group.bench_function("slots of minute bars", |b| {
        b.iter(|| {
            times.iter().for_each(|time| {
                black_box(grid.slot(*time));
            })
        })
    });
    group.finish();
}

/// Prices as text, as CSV has them.
fn numbers(c: &mut Criterion) {
    let texts: Vec<String> = (0..100_000).map(|n| format!("{}.{:02}", n % 700, n % 100)).collect();
    let mut group = c.benchmark_group("numbers");
    group.throughput(Throughput::Elements(texts.len() as u64));
    group.bench_function("prices from text", |b| {
        b.iter(|| {
            texts.iter().for_each(|text| {
                black_box(read_number(text).ok());
            })
        })
    });
    group.finish();
}

criterion_group!(benches, grid, numbers);
criterion_main!(benches);
