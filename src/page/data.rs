//! The block of data of the page of a run: what its script shows, an array a column.

use std::collections::BTreeMap;
use std::io;

use serde_json::json;

use super::beside::{Bar, Covered};
use super::found::{Finding, Found};
use super::pack::{Packer, unit};

/// What the script needs to know of the run.
#[derive(Debug)]
pub(super) struct About<'a> {
    pub(super) run_id: &'a str,
    pub(super) job_file: Option<&'a str>,
    /// The folder of the reports, as it was named.
    pub(super) dir: &'a str,
    pub(super) daily: bool,
    /// The run that this one is compared with.
    pub(super) since: Option<&'a str>,
}

/// What is said of a rule.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) check: String,
    pub(super) severity: String,
    pub(super) action: String,
    pub(super) why: Option<String>,
}

/// What is packed.
#[derive(Debug)]
pub(super) struct Content<'a> {
    pub(super) about: About<'a>,
    /// By the places of their names.
    pub(super) rules: &'a [Rule],
    pub(super) found: &'a Found,
    pub(super) bars: &'a [Bar],
    pub(super) moved: &'a BTreeMap<String, String>,
    pub(super) coverage: &'a [Covered],
}

/// Characters of an id that the page holds: commands take the beginning of one, and no two of a run begin so.
const ID: usize = 16;

fn short(id: &str) -> &str {
    id.get(..ID).unwrap_or(id)
}

/// The block.
pub(super) fn pack(content: &Content<'_>) -> io::Result<String> {
    let Content { about, rules, found, bars, moved, coverage } = content;
    let mut packer = Packer::new()?;
    let run = json!({
        "id": about.run_id, "job_file": about.job_file, "dir": about.dir, "daily": about.daily, "since": about.since,
        "findings": found.there(),
    });
    packer.value("run", &run)?;
    packer.value("rules", rules)?;
    packer.column("series", found.series.all())?;
    let places = 0..u32::try_from(found.series.all().len()).unwrap_or(u32::MAX);
    packer.column("symbols", places.map(|place| found.symbols.get(&place)))?;
    packer.column("fields", found.fields.all())?;
    packer.column("causes", found.causes.all())?;
    packer.column("labels", found.labels.all())?;
    let counts = found.counts.iter();
    packer.column(
        "counts",
        counts.map(|((rule, severity, is_new, label), count)| (rule, severity, is_new.map(u8::from), label, count)),
    )?;
    let moved: BTreeMap<&str, &String> = moved.iter().map(|(id, name)| (short(id), name)).collect();
    packer.value("moved", &moved)?;
    findings(&mut packer, &found.held)?;
    around(&mut packer, bars)?;
    heat(&mut packer, found)?;
    covered(&mut packer, coverage)?;
    packer.finish()
}

fn findings(packer: &mut Packer, held: &[Finding]) -> io::Result<()> {
    let each = || held.iter();
    packer.begin("findings")?;
    packer.column("rule", each().map(|it| it.rule))?;
    packer.column("severity", each().map(|it| it.severity))?;
    packer.column("series", each().map(|it| it.series))?;
    let times: Vec<Option<i64>> = each().map(|it| it.time).collect();
    let until: Vec<Option<i64>> = each().map(|it| it.until).collect();
    let unit = unit(times.iter().chain(&until));
    packer.value("unit", &unit)?;
    packer.steps("time", &times, unit)?;
    packer.steps("until", &until, unit)?;
    packer.steps("day", &each().map(|it| it.day).collect::<Vec<_>>(), 1)?;
    packer.column("new", each().map(|it| it.is_new.map(u8::from)))?;
    packer.column("label", each().map(|it| it.label))?;
    packer.column("field", each().map(|it| it.field))?;
    packer.column("cause", each().map(|it| it.cause))?;
    packer.column("id", each().map(|it| short(&it.id)))?;
    packer.column("message", each().map(|it| &it.message))?;
    packer.column("locator", each().map(|it| &it.locator))?;
    packer.column("observed", each().map(|it| it.observed.map(Short)))?;
    packer.column("lo", each().map(|it| it.lo.map(Short)))?;
    packer.column("hi", each().map(|it| it.hi.map(Short)))?;
    for (place, name) in ["open", "high", "low", "close", "volume"].into_iter().enumerate() {
        packer.column(name, each().map(|it| it.bar[place].map(Short)))?;
    }
    packer.column("bars_affected", each().map(|it| it.bars_affected))?;
    packer.end()
}

fn around(packer: &mut Packer, bars: &[Bar]) -> io::Result<()> {
    let each = || bars.iter();
    let times: Vec<Option<i64>> = each().map(|bar| bar.time).collect();
    let unit = unit(times.iter());
    packer.begin("bars")?;
    packer.value("unit", &unit)?;
    packer.steps("finding", &each().map(|bar| Some(i64::from(bar.finding))).collect::<Vec<_>>(), 1)?;
    packer.column("offset", each().map(|bar| bar.offset))?;
    packer.column("flagged", each().map(|bar| u8::from(bar.flagged)))?;
    packer.steps("time", &times, unit)?;
    for (place, name) in ["open", "high", "low", "close", "volume"].into_iter().enumerate() {
        packer.column(name, each().map(|bar| bar.values[place].map(Short)))?;
    }
    packer.end()
}

fn heat(packer: &mut Packer, found: &Found) -> io::Result<()> {
    packer.begin("heat")?;
    if let Some(map) = &found.map {
        packer.value("shape", &map.shape)?;
        packer.column("series", &map.series)?;
        packer.column("columns", map.columns())?;
        packer.column("ends", map.ends())?;
        packer.column("rule", map.cells.iter().map(|cell| cell.0))?;
        packer.column("cell", map.cells.iter().map(|cell| cell.1))?;
        packer.column("count", map.cells.iter().map(|cell| cell.2))?;
    }
    packer.end()
}

fn covered(packer: &mut Packer, coverage: &[Covered]) -> io::Result<()> {
    let each = || coverage.iter();
    packer.begin("coverage")?;
    packer.column("series", each().map(|it| it.series))?;
    packer.value("by_month", &each().any(|it| it.bucket.is_some()))?;
    packer.column("bucket", each().map(|it| it.bucket))?;
    packer.column("bars", each().map(|it| it.bars))?;
    packer.column("expected", each().map(|it| it.expected))?;
    packer.column("missing", each().map(|it| it.missing))?;
    packer.column("duplicates", each().map(|it| it.duplicates))?;
    packer.column("first", each().map(|it| it.first))?;
    packer.column("last", each().map(|it| it.last))?;
    packer.end()
}

/// A number, without `.0` where it is whole.
struct Short(f64);

impl serde::Serialize for Short {
    #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            whole if whole.fract() == 0.0 && whole.abs() < 1e15 => serializer.serialize_i64(whole as i64),
            other => serializer.serialize_f64(other),
        }
    }
}
