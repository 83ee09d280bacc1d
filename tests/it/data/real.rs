//! Real files: the counts that an independent script made of them, and what the rules that ship say of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{Project, json, larger_data, of_rule};
use crate::support::{self, Finding};

/// A job that ships, the file it reads, and what ends the names of its series in the list of known counts.
struct Known {
    job: &'static str,
    file: &'static str,
    period: &'static str,
}

const KNOWN: [Known; 5] = [
    Known { job: "us-daily", file: "us_equity_daily.csv", period: "" },
    Known { job: "us-hourly", file: "us_equity_hourly.csv", period: "" },
    Known { job: "crypto-1m", file: "crypto_coinbase.csv", period: ":1m" },
    Known { job: "crypto-1d", file: "crypto_coinbase.csv", period: ":1d" },
    Known { job: "cn-tushare", file: "ashare_tushare_daily.csv", period: "" },
];

/// Bars of a series in a month, as far as they are compared.
#[derive(Debug, Deserialize)]
struct Month {
    run_id: String,
    series: String,
    bars: u64,
    first_time: Option<String>,
    last_time: Option<String>,
}

/// The counts of one series, and what was found in it.
struct Of<'a> {
    known: &'a Value,
    findings: Vec<&'a Finding>,
}

impl Of<'_> {
    fn rule(&self, rule: &str) -> impl Iterator<Item = &Finding> {
        self.findings.iter().copied().filter(move |finding| finding.rule_id == rule)
    }

    fn number(&self, rule: &str) -> u64 {
        self.rule(rule).count() as u64
    }

    fn cause(&self, cause: &str) -> u64 {
        self.rule("timestamp").filter(|finding| finding.cause.as_deref() == Some(cause)).count() as u64
    }

    fn bars(&self, rule: &str) -> impl Iterator<Item = u64> {
        self.rule(rule).map(|finding| finding.bars_affected)
    }

    /// Counts by their names among the known ones. A run of equal bars is known with its first bar.
    fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts = vec![
            ("duplicate_keys", self.number("duplicate")),
            ("file_order_inversions", self.number("backwards")),
            ("null_price_cells", self.number("null-price")),
            ("nonpositive_price_rows", self.number("non-positive")),
            ("high_below_max_oc_low", self.number("high-below")),
            ("low_above_min_oc_high", self.number("low-above")),
            ("ohlc_violation_rows", self.number("ohlc")),
            ("zero_volume_rows", self.number("no-volume")),
            ("negative_volume_rows", self.number("negative-volume")),
            ("flat_bars_o_eq_h_eq_l_eq_c", self.number("flat")),
            ("stale_runs_ge_4_bars_identical_ohlc", self.number("stale")),
            ("stale_longest_run_bars", self.bars("repeat").max().unwrap_or(0) + 1),
        ];
        let (bars, gaps, longest) =
            (self.bars("gap").sum(), self.number("gap"), self.bars("gap").max().unwrap_or_default());
        counts.extend(match (self.known.get("missing_session_hours"), self.known.get("missing_bars")) {
            (Some(_), _) => vec![
                ("missing_session_hours", bars),
                ("missing_session_runs", gaps),
                ("bars_outside_session_hours", self.cause("off-hours")),
            ],
            (None, Some(_)) => vec![
                ("missing_bars", bars),
                ("gaps", gaps),
                ("longest_gap_missing_bars", longest),
                ("off_grid_stamps", self.cause("off-grid")),
            ],
            (None, None) => vec![
                ("missing_sessions", bars),
                ("missing_session_runs", gaps),
                ("longest_missing_run", longest),
                ("bars_on_non_sessions", self.cause("not-a-session")),
            ],
        });
        counts
    }
}

/// Calls `look` for every series of every file, and returns how many there were.
fn each_series(data: &Path, rules: &str, look: impl Fn(&str, &Of<'_>, &[&Month])) -> usize {
    let known = json(&data.join("defects.json"));
    let mut series = 0;
    for Known { job, file, period } in KNOWN {
        let project = Project::new(Some(data));
        project.with_rules(&format!("jobs/examples/{job}.toml"), "jobs/examples/known.toml", rules);
        let (run, findings) = project.check("jobs/examples/known.toml");
        let months: Vec<Month> = support::table(&project.reports(), "series_metrics");
        assert!(months.iter().all(|month| month.run_id == run.id()), "a report holds one run");
        let of_file = known[file].as_object().unwrap().iter();
        for (name, known) in of_file.filter(|(name, known)| known.get("rows").is_some() && name.ends_with(period)) {
            let symbol = name.trim_end_matches(period);
            let same = |series: &str| series.split('|').next() == Some(symbol);
            let of = Of { known, findings: findings.iter().filter(|finding| same(&finding.series)).collect() };
            look(name, &of, &months.iter().filter(|month| same(&month.series)).collect::<Vec<_>>());
            series += 1;
        }
        assert_eq!(
            run.count("/series"),
            months.iter().map(|m| &m.series).collect::<std::collections::BTreeSet<_>>().len() as u64
        );
    }
    series
}

#[test]
fn the_counts_of_every_series_are_the_known_ones() {
    let Some(data) = larger_data("counts of real files") else { return };
    let series = each_series(&data, "counts.toml", |name, of, months| {
        for (count, found) in of.counts() {
            assert_eq!(Some(found), of.known[count].as_u64(), "{name}: {count}");
        }
        assert_eq!(Some(months.iter().map(|month| month.bars).sum()), of.known["rows"].as_u64(), "{name}: rows");
        // Timestamps without an offset are known as local ones; their dates are the same in UTC.
        let day = |time: Option<&String>| time.map(|time| time[..10].to_owned());
        let known = |name: &str| of.known[name].as_str().map(|time| time[..10].to_owned());
        assert_eq!(day(months.iter().filter_map(|m| m.first_time.as_ref()).min()), known("first_ts_min"), "{name}");
        assert_eq!(day(months.iter().filter_map(|m| m.last_time.as_ref()).max()), known("last_ts_max"), "{name}");
    });
    assert_eq!(series, 4 + 1 + 4 + 1 + 2);
}

#[test]
fn gaps_are_where_they_are_known_to_be() {
    let Some(data) = larger_data("gaps of real files") else { return };
    each_series(&data, "counts.toml", |name, of, _| {
        let gaps: Vec<&Finding> = of.rule("gap").collect();
        if let Some(known) = of.known.get("gap_list_head") {
            let step = if of.known["step"] == "1D" { 86_400 } else { 60 };
            let known: Vec<_> = known.as_array().unwrap().iter().map(|gap| around(gap, step)).collect();
            let found: Vec<_> = gaps.iter().map(|gap| inside(gap)).take(known.len()).collect();
            assert_eq!(found, known, "{name}");
            assert!(known.len() == gaps.len().min(20), "{name}: the first gaps are known");
        } else if of.known.get("missing_session_hours").is_none() {
            let missing: Vec<&str> = texts(&of.known["missing_list_head"]);
            let mut next = 0;
            for gap in &gaps {
                let at = |time: Option<&str>| missing.iter().position(|session| Some(*session) == time).unwrap();
                let (first, last) = (at(gap.at()), at(gap.until()));
                assert_eq!(
                    (first, last),
                    (next, next + usize::try_from(gap.bars_affected).unwrap() - 1),
                    "{name}: {}",
                    gap.line()
                );
                next = last + 1;
            }
            assert_eq!(next, missing.len(), "{name}: every missing session lies in a gap");
        }
    });
}

/// First and last missing second of a gap between two bars, and how many are missing.
fn around(gap: &Value, step: i64) -> (i64, i64, u64) {
    let at = |name: &str| seconds(gap[name].as_str().unwrap());
    (at("after") + step, at("before") - step, gap["missing"].as_u64().unwrap())
}

fn inside(gap: &Finding) -> (i64, i64, u64) {
    let at = |time: &Option<String>| seconds(time.as_ref().unwrap());
    (at(&gap.time), at(&gap.time_until), gap.bars_affected)
}

fn seconds(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn one_gap_of_three_years_is_one_finding_that_counts_its_sessions() {
    let Some(data) = larger_data("the gap of SPWR") else { return };
    let project = Project::new(Some(&data));
    let (_, findings) = project.check("jobs/examples/us-hourly.toml");
    let known = &json(&data.join("defects.json"))["us_equity_hourly.csv"]["SPWR"];
    let gaps = of_rule(&findings, "gap");
    let [gap] = gaps.as_slice() else { panic!("one gap, not {}", gaps.len()) };
    let sessions = gap.evidence();
    assert_eq!(sessions["sessions"], known["missing_sessions"]);
    let in_part = sessions["sessions"].as_u64().unwrap() - sessions["full_sessions"].as_u64().unwrap();
    assert_eq!(in_part, known["missing_hours_in_otherwise_present_sessions"].as_u64().unwrap());
    assert!(gap.time.as_ref().unwrap().starts_with(texts(&known["missing_list_head"])[0]));
    let off_hours: Vec<&str> =
        of_rule(&findings, "off-calendar").iter().map(|f| f.observed_text.as_deref().unwrap()).collect();
    assert_eq!(off_hours, texts(&known["outside_list_head"]));
}

#[test]
fn mixed_adjustment_shows_in_ticks_turnover_and_limits() {
    let Some(data) = larger_data("adjustment of Chinese shares") else { return };
    let project = Project::new(Some(&data));
    project.with_rules("jobs/examples/cn-tushare.toml", "jobs/examples/known.toml", "tushare.toml");
    let (_, findings) = project.check("jobs/examples/known.toml");
    let known = json(&data.join("defects.json"));
    for symbol in ["000001.SZ", "600000.SH"] {
        let known = &known["ashare_tushare_daily.csv"][symbol];
        let of = Of { known, findings: findings.iter().filter(|finding| finding.series == symbol).collect() };
        for (rule, count, last) in [
            ("off-tick", "rows_with_price_off_0.01_tick", Some("last_off_tick_date")),
            ("turnover", "vwap_outside_low_high_(amount*1000/(vol*100))", Some("last_vwap_violation")),
            ("pct-chg", "pct_chg_mismatch_gt_0.01pp", None),
            ("change", "change_mismatch", None),
            ("beyond-band", "beyond_10pct_band", None),
            ("limit-up", "close_at_limit_up_10pct", None),
            ("limit-down", "close_at_limit_down_10pct", None),
        ] {
            assert_eq!(Some(of.number(rule)), known[count].as_u64(), "{symbol}: {count}");
            if let Some(last) = last {
                assert_eq!(of.rule(rule).filter_map(Finding::at).max(), known[last].as_str(), "{symbol}: {last}");
            }
        }
        let beyond: Vec<&str> = of.rule("beyond-band").filter_map(Finding::at).collect();
        assert_eq!(beyond, texts(&known["beyond_band_dates"]), "{symbol}");
    }
}

/// What the rules that ship say of real American and crypto bars, and why. Gaps are reported above, prices that stick out
/// below.
const SAID: [(&str, &str, &str, &str); 16] = [
    ("split split", "AAPL", "2000-06-21", "2 for 1"),
    ("split split", "AAPL", "2005-02-28", "2 for 1"),
    ("split split", "AAPL", "2014-06-09", "7 for 1"),
    ("split split", "AAPL", "2020-08-31", "4 for 1"),
    ("split split", "GOOG", "2014-04-03", "2 for 1"),
    ("split split", "IBM", "1999-05-27", "2 for 1"),
    ("price-spike reversal", "GOOG", "2008-09-30", "the erroneous prints at the close of that day"),
    ("crypto-bar-range false", "BTCUSD", "2015-01-14", "half the price on 11 BTC, before the exchange opened"),
    ("crypto-bar-range false", "BTCUSD", "2017-04-15", "the same low"),
    ("volume-outlier blip", "BTCUSD", "2015-12-14", "a day of 165,544 BTC among days of 8,500, with the usual range"),
    ("volume-outlier blip", "BTCUSD", "2017-08-05", "a day of 41 BTC among days of thousands: it was cut short"),
    ("volume-outlier blip", "BTCUSD", "2017-08-06", "a day of 30 BTC: it was cut short too"),
    ("across-alignment misses", "BTCEUR", "2018-04-04T00:08:00Z", "a thin pair"),
    ("across-alignment outage", "(all series)", "2018-04-04T16:46:00Z", "the feed ends"),
    ("volume-outlier unit-slip", "BTCEUR", "2018-04-06T18:28:00Z", "a minute of 0.009 BTC among minutes of 0.7"),
    ("volume-outlier unit-slip", "BTCUSD", "2018-04-04T16:47:00Z", "one of the last minutes before the feed ends"),
];

/// Bars with a price that sticks out, by series: those of shares were counted by another program, too.
const STICKING_OUT: [(&str, &str, usize); 8] = [
    ("us-daily", "AAPL", 56),
    ("us-daily", "GOOG", 6),
    ("us-daily", "IBM", 46),
    ("us-daily", "WMI", 18),
    ("us-hourly", "SPWR", 3),
    ("crypto-1m", "BTCEUR", 2),
    ("crypto-1m", "ETHUSD", 1),
    ("crypto-1d", "BTCUSD", 5),
];

#[test]
fn rules_that_ship_find_bad_ticks_and_leave_splits_and_crashes_alone() {
    let Some(data) = larger_data("bad ticks of real files") else { return };
    let (mut said, mut sticking_out) = (Vec::new(), BTreeMap::new());
    for job in ["us-daily", "us-hourly", "crypto-1m", "crypto-1d"] {
        let (_, findings) = Project::new(Some(&data)).check(&format!("jobs/examples/{job}.toml"));
        for finding in findings.iter().filter(|f| !["gap", "off-calendar"].contains(&f.rule_id.as_str())) {
            let symbol = finding.series.split('|').next().unwrap().to_owned();
            if finding.rule_id == "bar-excess" {
                *sticking_out.entry((job, symbol)).or_insert(0) += 1;
                continue;
            }
            let what = format!("{} {}", finding.rule_id, finding.cause.as_deref().unwrap_or("-"));
            said.push((what, symbol, finding.at().unwrap().to_owned()));
        }
    }
    let counted = STICKING_OUT.map(|(job, symbol, count)| ((job, symbol.to_owned()), count));
    assert_eq!(sticking_out, BTreeMap::from(counted));
    let mut wanted: Vec<_> =
        SAID.iter().map(|(what, symbol, at, _)| ((*what).to_owned(), (*symbol).to_owned(), (*at).to_owned())).collect();
    said.sort();
    wanted.sort();
    assert_eq!(said, wanted);
    let crash = ("AAPL", "2000-09-29");
    assert!(
        said.iter().all(|(_, symbol, at)| (symbol.as_str(), at.as_str()) != crash),
        "a real crash is not a bad tick"
    );
}
