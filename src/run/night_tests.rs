//! Nights, each over a part of the bars, one after the other: what they say is what a run over all bars says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use super::part_tests::{World, changed, date};
use super::{Exit, RunResult};

/// Close and volume of the bars of one series, by the number of the day.
type Days = BTreeMap<usize, (f64, u32)>;

fn flat(days: std::ops::Range<usize>) -> Days {
    days.map(|day| (day, (10.0 + (day % 5) as f64 / 10.0, 20))).collect()
}

/// The job of [`World`] with other keys and rules, and bars that grow from night to night.
struct Nights {
    world: World,
    series: BTreeMap<String, Days>,
}

impl Nights {
    fn new(job: &[(&str, &str)], rules: &str, series: &[(&str, Days)]) -> Self {
        let world = World::new();
        let mut text = fs::read_to_string(world.path("job.toml")).unwrap();
        for (from, to) in job {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        fs::write(world.path("job.toml"), text).unwrap();
        fs::write(world.path("rules.toml"), rules).unwrap();
        Self { world, series: series.iter().map(|(key, days)| ((*key).to_owned(), days.clone())).collect() }
    }

    fn write(&self, today: usize) {
        let mut csv = String::from("symbol,time,open,high,low,close,volume\n");
        for (symbol, days) in &self.series {
            for (day, (close, volume)) in days.range(..=today) {
                writeln!(csv, "{symbol},{},{close},{close},{close},{close},{volume}", date(*day)).unwrap();
            }
        }
        fs::write(self.world.path("bars.csv"), csv).unwrap();
    }

    async fn night(&self, today: usize, full: bool) -> RunResult {
        self.write(today);
        self.world.run(today, full).await
    }

    /// A run over all bars until the first of `days`, a night on each of the others, and a run over all bars. Returns the days
    /// on which a night had something new or fixed, with how much.
    async fn pass(&self, days: std::ops::RangeInclusive<usize>) -> Vec<(usize, u64, u64)> {
        let last = *days.end();
        let mut seen = Vec::new();
        for today in days.clone() {
            let result = self.night(today, false).await;
            assert_eq!(
                result.summary.window.since.is_some(),
                today > *days.start(),
                "day {today}: {}",
                self.world.notes()
            );
            let change = result.summary.change.as_ref();
            let (new, fixed) = change.map_or((0, 0), |change| (change.new, change.fixed));
            if today > *days.start() && (new, fixed) != (0, 0) {
                seen.push((today, new, fixed));
            }
            assert_eq!(result.summary.rows.to_quarantine, 0, "day {today}: a good row leaves");
        }
        let all = self.night(last, true).await;
        assert_eq!(changed(&all), [], "a run over all bars after the nights");
        seen
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_excuses_a_bar_whatever_a_night_reads() {
    let mut days = flat(0..260);
    days.insert(219, (5.0, 20));
    let rules = "[[rule]]\nid = \"low\"\ncheck = \"range\"\nfield = \"close\"\nmin = 9\nseverity = \"error\"\n\
                 action = \"quarantine\"\nexempt = [\"corporate-action\"]\n";
    let facts = ("report.dir = \"reports\"", "report.dir = \"reports\"\nfacts.corporate_actions = \"actions.csv\"");
    let nights = Nights::new(&[facts], rules, &[("A", days)]);
    let actions = format!("symbol,date,kind,ratio\nA,{},split,2\n", date(219));
    fs::write(nights.world.path("actions.csv"), actions).unwrap();
    assert_eq!(nights.pass(219..=240).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_ends_is_late_on_the_night_on_which_it_is_too_late() {
    let rules = "[[rule]]\nid = \"fresh\"\ncheck = \"freshness\"\nseverity = \"error\"\n";
    let fresh = ("fresh = \"2 sessions\"", "fresh = \"30 sessions\"");
    let nights = Nights::new(&[fresh], rules, &[("A", flat(0..200)), ("B", flat(0..260)), ("C", flat(0..260))]);
    let seen = nights.pass(205..=245).await;
    assert_eq!(seen.iter().map(|(_, new, fixed)| (*new, *fixed)).collect::<Vec<_>>(), [(1, 0)], "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn series_that_end_together_stay_late_where_one_of_them_comes_back() {
    let rules = "[[rule]]\nid = \"fresh\"\ncheck = \"freshness\"\nseverity = \"error\"\n";
    let mut back = flat(0..200);
    back.append(&mut flat(230..260));
    let series = [("A", back), ("B", flat(0..200)), ("C", flat(0..200)), ("D", flat(0..260)), ("E", flat(0..260))];
    let nights = Nights::new(&[], rules, &series);
    nights.pass(199..=240).await;
    let last = nights.night(241, false).await;
    assert_eq!(last.exit, Exit::Findings, "two series are late still");
}

#[tokio::test(flavor = "multi_thread")]
async fn series_that_end_together_do_not_say_that_the_market_was_open() {
    let rules = "[[rule]]\nid = \"dates\"\ncheck = \"date-format\"\nseverity = \"error\"\n";
    // 2024-07-04, a holiday of the exchange, is a Thursday: the day with the number 133.
    assert_eq!(date(133).to_string(), "2024-07-04");
    let holidays = [10, 35, 64, 105, 122];
    let trading = |end: usize, on_holiday: bool| {
        let mut days = flat(0..end);
        let held = |day: &usize| !holidays.contains(day) && *day != 0 && (*day != 133 || on_holiday);
        days.retain(|day, _| {
            held(day) && date(*day).to_string() != "2024-09-02" && date(*day).to_string() != "2024-11-28"
        });
        days
    };
    let names: Vec<String> = (0..16).map(|number| format!("S{number:02}")).collect();
    let series: Vec<(&str, Days)> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let few = number < 5;
            (name.as_str(), trading(if few { 205 } else { 230 }, few))
        })
        .collect();
    let nights = Nights::new(
        &[("calendar = \"weekdays\"", "calendar = \"XNYS\""), ("fresh = \"2 sessions\"\n", "")],
        rules,
        &series,
    );
    assert_eq!(nights.pass(203..=225).await, []);
    let found = nights.night(225, true).await;
    let errors = found.summary.findings.error;
    assert_eq!(errors, 5, "each of their bars on the holiday is an error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_bars_of_which_the_first_do_not_count_is_the_same_run() {
    let calm = |day: usize| if day >= 100 { 10.0 } else { 10.0 + (day % 5) as f64 / 10.0 };
    let low = |day: usize| if (192..197).contains(&day) { 5 } else { 20 };
    let days: Days = (0..260).map(|day| (day, (calm(day), low(day)))).collect();
    let rule = "[[rule]]\nid = \"stale\"\ncheck = \"stale\"\nbars = 4\nseverity = \"warn\"\n";
    let chosen = format!("{rule}where = \"volume > 15\"\n");
    let beside = "[[rule]]\nid = \"volume\"\ncheck = \"range\"\nfield = \"volume\"\nmin = 15\nseverity = \"error\"\n";
    for rules in [chosen, format!("{rule}{beside}")] {
        let nights = Nights::new(&[], &rules, &[("A", days.clone())]);
        assert_eq!(nights.pass(205..=225).await, [], "{rules}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_source_behind_a_variable_is_read_whole() {
    let rules = "[[rule]]\nid = \"low\"\ncheck = \"range\"\nfield = \"close\"\nmin = 9\nseverity = \"error\"\n";
    let path = ("path = \"bars.csv\"", "path = \"*.csv\"");
    let nights = Nights::new(&[path], rules, &[("A", flat(0..260))]);
    nights.night(205, false).await;
    assert!(nights.night(206, false).await.summary.window.since.is_some());
    let state = fs::read_to_string(nights.world.path("state/nightly.json")).unwrap();
    let hash = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["source_sha256"].clone();
    let changed = state.replace(hash(&state).as_str().unwrap(), &"0".repeat(64));
    fs::write(nights.world.path("state/nightly.json"), changed).unwrap();
    assert!(nights.night(207, false).await.summary.window.since.is_none());
    assert!(nights.world.notes().contains("the source is another since run"));
    let written = fs::read_to_string(nights.world.path("state/nightly.json")).unwrap();
    assert_eq!(hash(&written), hash(&state));
}
