//! Whether the job is probably wrong and not the rows it reads, with the setting that a person probably wants.
//!
//! Nothing is read in another way than the job says: what could be meant is only named, and no row moves meanwhile.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use chrono_tz::Tz;
use datafusion::prelude::SessionContext;

use super::failure::Failure;
use super::open::Opened;
use crate::bars::time::TimeFormat;
use crate::bars::{BarsSpec, Label, TIME};
use crate::checks::parse_error::Cause;
use crate::config::job::Source;
use crate::decide::Refusal;
use crate::engine::plan::{self, Input};
use crate::engine::program::Program;
use crate::inspect;
use crate::market::{Lookup, zone};
use crate::report::collector::Collector;
use crate::report::one_fault::OneFault;
use crate::report::other_days::OtherDays;
use crate::text::escape::visible;

/// Most characters of a value that a message shows.
const SHOWN: usize = 40;

/// Rows that are looked at for what decodes and may be meant otherwise.
const LOOKED_AT: usize = 1000;
/// So few timestamps say nothing of a job.
const FEW: usize = 5;
/// So many numbers say how numbers are written.
const MANY: usize = 20;
const PRICES: [&str; 4] = ["open", "high", "low", "close"];

/// Zones that daily bars are often stamped with the midnight of, besides UTC and that of the calendar.
const ZONES: [Tz; 16] = [
    Tz::Europe__London,
    Tz::Europe__Paris,
    Tz::Europe__Athens,
    Tz::Europe__Istanbul,
    Tz::Asia__Dubai,
    Tz::Asia__Kolkata,
    Tz::Asia__Bangkok,
    Tz::Asia__Shanghai,
    Tz::Asia__Tokyo,
    Tz::Australia__Sydney,
    Tz::Pacific__Auckland,
    Tz::America__Sao_Paulo,
    Tz::America__New_York,
    Tz::America__Chicago,
    Tz::America__Denver,
    Tz::America__Los_Angeles,
];

/// What is probably wrong with the job, as reasons to move nothing.
pub(super) fn refusals(opened: &Opened, program: &Program, collector: &Collector, first: &FirstTexts) -> Vec<Refusal> {
    let fault = collector.one_fault().and_then(|fault| of_fault(opened, program, &fault));
    let days = collector.other_days().and_then(|days| of_days(&program.bars, days, first));
    fault.into_iter().chain(days).collect()
}

/// What may be wrong although everything decodes and no rule says so: for a person to look at.
pub(super) fn doubts(program: &Program, first: &FirstTexts) -> Vec<String> {
    let doubts = [scale(&program.bars, first), thousands(&program.bars, first), midnight(&program.bars, first)];
    doubts.into_iter().flatten().collect()
}

/// That most rows have one parse error. Where a setting reads their texts it is named; without one only a fault of every
/// row speaks against the job, and none that a rule aims at.
fn of_fault(opened: &Opened, program: &Program, fault: &OneFault) -> Option<Refusal> {
    let OneFault { field, cause, rows, of, aimed, .. } = fault;
    let remedy = match field == TIME {
        true => remedy_of_time(opened, program, fault),
        false => remedy_of_numbers(opened, fault),
    };
    let whole = rows == of;
    let which = if whole { format!("every one of {of} rows has") } else { format!("{rows} of {of} rows have") };
    let what = format!("{which} `{}` or the like in `{field}` ({cause})", shown(&fault.first));
    match remedy {
        Some(remedy) if *aimed => whole.then_some(Refusal::Readable { what, remedy }),
        Some(remedy) if whole || field != TIME => Some(Refusal::Mistaken { what, remedy }),
        _ if *aimed || !whole => None,
        _ => {
            let remedy = format!("say in `[bars]` how `{field}` is written, or aim a rule at it");
            Some(Refusal::Mistaken { what, remedy })
        }
    }
}

/// How numbers are to be read, where that can be seen in their texts.
fn remedy_of_numbers(opened: &Opened, fault: &OneFault) -> Option<String> {
    let Source::Files(files) = &opened.loaded.job.source else { return None };
    if Cause::parse(&fault.cause) != Some(Cause::NotANumber) {
        return None;
    }
    let written = inspect::numbers_as_written(&fault.samples, files.layout.delimiter)?;
    Some(format!("write `numbers = {written}` in `[source.files]`"))
}

/// How the timestamp is to be read, where that can be seen in its texts.
fn remedy_of_time(opened: &Opened, program: &Program, fault: &OneFault) -> Option<String> {
    let format = inspect::time_as_written(&fault.samples)?;
    let date_only = TimeFormat::compile(&format).is_ok_and(|format| format.is_date_only());
    let [only] = program.bars.time.sources.as_slice() else {
        return Some(format!("write `formats = [\"{format}\"]` in `time`"));
    };
    if program.bars.daily() || !date_only {
        return Some(format!("write `formats = [\"{format}\"]` in `time`"));
    }
    let looks = |name: &&str| **name != **only && name.to_lowercase().contains("time");
    let mut names = opened.source.columns().iter().map(|column| column.name.as_str());
    let clock = names.find(looks).unwrap_or("…");
    Some(format!(
        "these are dates alone; where the time of day is a column of its own, write \
         `time = {{ fields = [\"{only}\", \"{clock}\"], formats = [\"{format} %H%M%S\"] }}`, with the time of day as it is written there"
    ))
}

/// That daily bars fall on the days beside those of sessions, where another zone puts them on sessions.
fn of_days(bars: &BarsSpec, days: OtherDays, first: &FirstTexts) -> Option<Refusal> {
    let calendar = bars.calendar.as_deref()?;
    let instants = first.instants(bars)?;
    let trades = |day| matches!(calendar.session_on(day), Lookup::Session(_));
    let fits = |zone: &Tz| {
        let fits = |instant: &&i64| is_midnight(*zone, **instant) && trades(zone::local_day(*zone, **instant));
        instants.iter().filter(fits).count() * 10 >= instants.len() * 9
    };
    let zone = [Tz::UTC, calendar.zone()].into_iter().chain(ZONES).find(fits)?;
    let side = if days.shift > 0 { "before" } else { "after" };
    let what = format!(
        "{} of {} bars are on days without a session of {}, each the day {side} one; the first timestamp is `{}`, and in \
         the zone `{zone}` they are midnight of a session",
        days.rows,
        days.of,
        calendar.name(),
        shown(first.texts(TIME).first()?),
    );
    Some(Refusal::Mistaken { what, remedy: format!("write `zone = \"{zone}\"` in `time`, or the zone that is meant") })
}

fn is_midnight(zone: Tz, instant: i64) -> bool {
    (instant + zone::offset_at(zone, instant)).rem_euclid(zone::DAY_US) == 0
}

/// That prices look like counts of billionths.
fn scale(bars: &BarsSpec, first: &FirstTexts) -> Option<String> {
    let is_scaled = |name: &&&str| bars.field(name).is_some_and(|(_, field)| field.scale.is_some());
    if PRICES.iter().any(|name| is_scaled(&name)) {
        return None;
    }
    let prices: Vec<&String> = PRICES.iter().flat_map(|name| first.texts(name)).collect();
    let whole: Vec<i64> = prices.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
    if prices.len() < MANY || !inspect::are_billionths(&whole) {
        return None;
    }
    let each = PRICES.iter().filter(|name| !first.texts(name).is_empty());
    let each: Vec<String> = each.map(|name| format!("{name} = {{ scale = \"1e-9\" }}")).collect();
    Some(format!(
        "all prices are whole and huge, the first is `{}`; where they are counted in billionths, write `fields = {{ {} }}`",
        shown(prices.first()?),
        each.join(", ")
    ))
}

/// That a point in numbers stands between groups of digits.
fn thousands(bars: &BarsSpec, first: &FirstTexts) -> Option<String> {
    if bars.numbers.decimal != '.' || bars.numbers.thousands.is_some() {
        return None;
    }
    let mut names = PRICES.iter().chain(&["volume"]);
    let (name, text) = names.find_map(|name| Some((name, grouped(first.texts(name))?)))?;
    Some(format!(
        "exactly three digits follow every point in `{name}`, as in `{}`, and values below 1000 have none; where the point \
         stands between thousands, write `numbers = {{ decimal = \",\", thousands = \".\" }}` in `[source.files]`",
        shown(text)
    ))
}

/// The first of `texts` with a point, where all are whole numbers whose digits are grouped by points. Numbers with three
/// decimals all have a point, or some have fewer.
fn grouped(texts: &[String]) -> Option<&String> {
    let is_grouped = |text: &&String| {
        let mut groups = text.split('.');
        let first = groups.next().unwrap_or_default();
        let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
        let fits = (1..=3).contains(&first.len()) && digits(first) && (first == "0" || !first.starts_with('0'));
        let rest: Vec<&str> = groups.collect();
        fits && (first != "0" || rest.is_empty()) && rest.iter().all(|group| group.len() == 3 && digits(group))
    };
    if !texts.iter().all(|text| is_grouped(&text)) {
        return None;
    }
    let with: Vec<&String> = texts.iter().filter(|text| text.contains('.')).collect();
    let below = texts.iter().filter(|text| text.len() > 1 && !text.contains('.')).count();
    (with.len() >= MANY && below > 0).then(|| with[0])
}

/// That daily bars are midnight in UTC, and the zone of the job, which is behind it, puts them on the day before.
fn midnight(bars: &BarsSpec, first: &FirstTexts) -> Option<String> {
    let zone = bars.time.zone;
    let instants = first.instants(bars).filter(|_| bars.daily() && bars.time.label == Label::Session)?;
    let off =
        |instant: &i64| is_midnight(Tz::UTC, *instant) && zone::local_day(zone, *instant) != zone::day_of(*instant);
    (instants.len() > FEW && instants.iter().all(off)).then(|| {
        format!(
            "every timestamp is midnight in UTC, and in the zone `{zone}` of the job that is the day before; where the date \
             is what is written, write `zone = \"UTC\"` in `time`"
        )
    })
}

/// The first rows of a source as it writes them, by canonical names.
#[derive(Debug, Default)]
pub(super) struct FirstTexts {
    columns: BTreeMap<String, Vec<String>>,
}

impl FirstTexts {
    /// Reads them.
    pub(super) async fn read(session: &SessionContext, program: &Program, input: &Input) -> Result<Self, Failure> {
        let names: Vec<&str> = PRICES.into_iter().chain(["volume"]).collect();
        let plan = plan::first_texts(program, input, &names, LOOKED_AT)?;
        let batches = session.execute_logical_plan(plan).await?.collect().await?;
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for batch in &batches {
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let texts = column.as_string_view().iter().flatten().map(str::to_owned);
                columns.entry(field.name().clone()).or_default().extend(texts);
            }
        }
        Ok(Self { columns })
    }

    /// Those of the field `name` that are there.
    fn texts(&self, name: &str) -> &[String] {
        self.columns.get(name).map_or(&[], Vec::as_slice)
    }

    /// The instants that the timestamps are; `None` where there are none, or some say a local date or time.
    fn instants(&self, bars: &BarsSpec) -> Option<Vec<i64>> {
        let texts = self.texts(TIME);
        let instants: Option<Vec<i64>> = texts.iter().map(|text| bars.time.instant_of(text)).collect();
        instants.filter(|instants| !instants.is_empty())
    }
}

fn shown(text: &str) -> String {
    visible(text).chars().take(SHOWN).collect()
}
