//! A check of your own, run over bars that are already in memory: no job, no files, no engine.
//!
//! `cargo run --example own_check`

use barkeep::bars::time::TimeFormat;
use barkeep::bars::{BarsSpec, FieldKind, FieldSpec, Fold, Label, TimeSpec};
use barkeep::checks::{Check, Column, Context, Finding, FindingSink, NumberColumn, Series};
use barkeep::market::{DAY_US, Interval};

/// Flags a close that is not a multiple of the price step.
struct OffTick {
    /// Where the closes are in [`BarsSpec::fields`].
    close: usize,
    tick: f64,
}

impl Check for OffTick {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let closes = series.number(self.close);
        for (row, close) in closes.values().iter().enumerate() {
            let steps = close / self.tick;
            if (steps - steps.round()).abs() > 1e-6 {
                findings.push(Finding::row(row).observed(*close).cause("off-tick"));
            }
        }
        findings.evaluated(series.rows);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let time = TimeSpec {
        sources: vec!["date".into()],
        digits: false,
        formats: vec![TimeFormat::compile("%Y-%m-%d")?],
        zone: chrono_tz::UTC,
        label: Label::Session,
        fold: Fold::Refuse,
    };
    let bars = BarsSpec {
        series: vec!["symbol".into()],
        fields: vec![FieldSpec::plain("close", FieldKind::Number)],
        ..BarsSpec::new(Interval::Day, time)
    };
    let (close, _) = bars.field("close").ok_or("the bars have no close")?;
    let closes = [10.00, 10.05, 10.033];
    let time = [19_724, 19_725, 19_726].map(|day: i64| day * DAY_US);
    let series = Series {
        key: "ACME",
        time: &time,
        rows: closes.len(),
        columns: &[Column::Number(NumberColumn::new(&closes, None))],
        source_rank: &[0, 1, 2],
        present: &time,
        ..Series::default()
    };
    let mut found = FindingSink::default();
    OffTick { close, tick: 0.01 }.check(&series, &mut found);
    assert_eq!(found.totals.evaluated, 3);
    let [finding] = found.findings.as_slice() else { return Err("one close is off the tick".into()) };
    assert_eq!((finding.rows.clone(), finding.observed), (Some(2..3), Some(10.033)));
    Ok(())
}
