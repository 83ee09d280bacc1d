//! Every check keeps the same promises: its documentation, its parameters, its causes and its words.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::testing::{Fixture, blocks, evaluated_example, run_examples};
use super::*;
use crate::market::Interval;
use crate::schema::{Holds, Key, Otherwise};

const HEADINGS: [&str; 6] =
    ["What it flags", "Why it matters", "Parameters", "Example", "False alarms", "Missing values"];

/// The row of the table of parameters that is about `name`.
fn parameter_row<'a>(markdown: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let named = format!("`{name}`");
    let rows = markdown.lines().filter(|line| line.starts_with("| `")).map(cells);
    rows.into_iter().find(|cells| cells[0].split(", ").any(|cell| cell == named))
}

#[test]
fn names_are_kebab_case_unique_and_found() {
    let mut seen = BTreeSet::new();
    for check in CHECKS {
        let name = check.name();
        let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        assert!(name.split('-').all(word), "`{name}` is not kebab-case");
        assert!(seen.insert(name), "`{name}` is listed twice");
        assert_eq!(find(name).map(Described::name), Some(name));
    }
    assert!(find("no-such-check").is_none());
}

#[test]
fn documentation_has_its_headings_in_order_and_a_modest_length() {
    for check in CHECKS {
        let (name, markdown) = (check.name(), check.explain());
        let headings: Vec<&str> = markdown.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "`{name}`");
        assert_eq!(markdown.lines().next(), Some(format!("# {name}").as_str()));
        assert!((20..=80).contains(&markdown.lines().count()), "`{name}` has {} lines", markdown.lines().count());
    }
}

#[test]
fn documentation_names_every_parameter_with_its_default() {
    for check in CHECKS {
        for param in check.params() {
            let place = format!("`{}` of `{}`", param.name, check.name());
            let row =
                parameter_row(check.explain(), param.name).unwrap_or_else(|| panic!("{place} is not in the table"));
            assert_eq!(row.len(), 3, "{place}");
            let wanted = match param.otherwise {
                Otherwise::Mistake => "required".to_owned(),
                Otherwise::Nothing => String::new(),
                Otherwise::Text(text) => format!("`{text}`"),
                Otherwise::Texts(texts) => format!("`{}`", texts.join("`, `")),
                Otherwise::Count(count) => format!("`{count}`"),
                Otherwise::Number(number) => format!("`{}`", format!("{number:?}").trim_end_matches(".0")),
                Otherwise::Flag(flag) => format!("`{flag}`"),
            };
            assert!(row[1].contains(&wanted) && !row[1].is_empty(), "default of {place}: {}", row[1]);
        }
    }
}

#[test]
fn documentation_names_no_parameter_that_is_not_there() {
    for check in CHECKS {
        let known: BTreeSet<String> = check.params().iter().map(|param| format!("`{}`", param.name)).collect();
        let rows = check.explain().lines().filter(|line| line.starts_with("| `"));
        for name in rows.flat_map(|line| line.trim_matches('|').split('|').next().unwrap_or("").trim().split(", ")) {
            assert!(known.contains(name), "`{}` documents {name}", check.name());
        }
    }
}

#[test]
fn parameters_have_one_name_and_a_sentence_each() {
    for check in CHECKS {
        let names: BTreeSet<&str> = check.params().iter().map(|param| param.name).collect();
        assert_eq!(names.len(), check.params().len(), "`{}` has a parameter twice", check.name());
        for param in check.params() {
            let place = format!("`{}` of `{}`", param.name, check.name());
            assert!(param.doc.ends_with('.') && param.doc.starts_with(char::is_uppercase), "{place}: {}", param.doc);
        }
    }
}

#[test]
fn examples_find_what_they_say() {
    let planned = |check: &&&dyn CheckKind| {
        let expression = |key: &Key| matches!(key.holds, Holds::Expression);
        !check.params().iter().any(expression)
    };
    for check in CHECKS.iter().filter(planned) {
        run_examples(check.name(), check.explain());
    }
}

/// The causes of the findings of the examples of a check.
fn shown_causes(check: &dyn CheckKind) -> BTreeSet<&'static str> {
    let mut causes = BTreeSet::new();
    for markdown in [check.explain(), check.more_examples()] {
        for (rule, bars) in blocks(markdown, "toml").into_iter().zip(blocks(markdown, "csv")) {
            let (head, rule) = rule.split_once("[[rule]]").unwrap();
            let found = evaluated_example(head, bars, rule).findings;
            causes.extend(found.iter().filter_map(|finding| finding.cause));
        }
    }
    causes
}

#[test]
fn every_cause_has_an_executed_example_and_no_other_is_reported() {
    // The expressions of `sql` are evaluated by the engine.
    for check in CHECKS.iter().filter(|check| check.name() != "sql") {
        let declared: BTreeSet<&str> = check.causes().iter().copied().collect();
        assert_eq!(shown_causes(*check), declared, "`{}`", check.name());
        if !check.more_examples().is_empty() {
            run_examples(check.name(), check.more_examples());
        }
    }
}

/// The rule of a check with what it requires, over bars of the usual fields.
fn plain_rule(check: &dyn CheckKind) -> String {
    let required = match check.name() {
        "required" => "fields = [\"open\", \"close\"]",
        "range" => "field = \"close\"\nmin = 0.0",
        "tick-size" => "tick = 0.01",
        "matches" => "field = \"name\"\npattern = \".*\"",
        "reconcile" => "by = \"symbol\"",
        _ => "",
    };
    format!("check = \"{}\"\n{required}", check.name())
}

#[test]
fn series_that_say_nothing_are_no_fault_of_a_check() {
    let header = "time,open,high,low,close,volume,amount,pre_close,pct_chg,name\n";
    let bars = |count: usize, bar: &str| {
        let day = |day: usize| chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::Days::new(day as u64);
        (0..count).map(|row| format!("{},{bar},x\n", day(row))).collect::<String>()
    };
    let equal = "5,5,5,5,100,500,5,0";
    for (what, rows) in [
        ("no bar", String::new()),
        ("one bar", bars(1, equal)),
        ("equal prices", bars(80, equal)),
        ("nothing but NaN", bars(80, &["NaN"; 8].join(","))),
        ("nothing but NULL and one number", bars(80, ",,,,,,,") + &bars(1, equal)),
        ("infinities", bars(80, &["inf"; 8].join(","))),
        ("zeros", bars(80, &["0"; 8].join(","))),
        ("the largest numbers", bars(80, &["1.7e308"; 8].join(","))),
        ("the smallest numbers", bars(80, &["5e-324"; 8].join(","))),
    ] {
        let fixture = Fixture::new("calendar = \"24/7\"", &format!("{header}{rows}"));
        let evaluated_by = CHECKS.iter().filter(|check| !["sql", "reconcile"].contains(&check.name()));
        for check in evaluated_by.filter(|check| what != "no bar" || check.name() != "matches") {
            let Ok(rule) = super::testing::compile(&plain_rule(*check), &fixture.spec) else { continue };
            let sink = fixture.run(rule.as_ref());
            let Totals { evaluated, insufficient, excused, .. } = sink.totals;
            let rows = rows.lines().count() as u64;
            assert!(evaluated + insufficient + excused <= rows, "`{}` over {what}: {:?}", check.name(), sink.totals);
            for finding in sink.findings.iter().filter_map(|finding| finding.rows.as_ref()) {
                assert!(finding.start < finding.end && finding.end as u64 <= rows, "`{}` over {what}", check.name());
            }
        }
    }
}

#[test]
fn every_cause_has_a_message_of_its_own() {
    let described = CHECKS.iter().map(|check| *check as &dyn Described).chain(described(parse_error::NAME));
    for check in described {
        for cause in check.causes() {
            let finding = Finding::row(0).field(&Arc::from("close")).observed(1.0).expected(2.0, 0.5).cause(*cause);
            let facts = Facts::of(check.name(), Interval::Day, &finding, Some(0));
            let about_time = check.name() == parse_error::NAME && message(&facts) == facts.generic();
            let time = Finding { field: Some(Arc::from("time")), ..finding.clone() };
            let of_time = Facts::of(check.name(), Interval::Day, &time, Some(0));
            let text = message(if about_time { &of_time } else { &facts });
            assert!(!text.contains("is not as `"), "`{}`: {cause}: {text}", check.name());
        }
    }
}

const DAY: i64 = 86_400_000_000;

fn reported(check: &str, finding: &Finding) -> String {
    message(&Facts::of(check, Interval::Day, finding, Some(16_266 * DAY)))
}

fn on(field: &str) -> Finding {
    Finding::row(0).field(&Arc::from(field))
}

/// The sentences of the examples in the documentation of a check.
fn examples(check: &str) -> Vec<String> {
    let markdown = find(check).unwrap().explain();
    let mut sentences = Vec::new();
    for (rule, bars) in blocks(markdown, "toml").into_iter().zip(blocks(markdown, "csv")) {
        let (head, rule) = rule.split_once("[[rule]]").unwrap();
        let interval = Fixture::new(head.trim().trim_start_matches("[bars]"), "time").spec.interval;
        let found = evaluated_example(head, bars, rule).findings;
        sentences.extend(found.iter().map(|finding| message(&Facts::of(check, interval, finding, Some(0)))));
    }
    sentences
}

#[test]
fn examples_of_the_documentation_are_reported_without_gaps() {
    // The expressions of `sql` are evaluated by the engine.
    for check in CHECKS.iter().map(|check| check.name()).filter(|check| *check != "sql") {
        for sentence in examples(check) {
            let gaps = ["``", "  ", "no value", "None", "null", "what the rule wants", "( ", " )"];
            assert!(!gaps.iter().any(|gap| sentence.contains(gap)), "{check}: {sentence}");
            assert!(!sentence.ends_with('.') && !sentence.ends_with(' '), "{check}: {sentence}");
        }
    }
}

#[test]
fn outlier_tells_distance_centre_and_band() {
    let finding = on("close").observed(15.0).expected(9.700_34, 10.399_8).score(335.221_9);
    let median = finding.clone().evidence(json!({"method": "hampel", "median": 10.03, "scale": 0.014_826}));
    let text = "close 15 is 335 scales from its neighbours' median 10.03 (allowed 9.7 to 10.4)";
    assert_eq!(reported("outlier", &median), text);
    let mean = finding.evidence(json!({"mean": 10.031_27}));
    assert!(reported("outlier", &mean).contains("neighbours' mean 10.0313 "));
}

#[test]
fn gap_tells_bars_and_both_ends() {
    let two = Finding::gap(16_266 * DAY, 16_267 * DAY, 2).cause("unexplained");
    assert_eq!(reported("gap", &two), "2 sessions missing from 2014-07-15 to 2014-07-16");
    for (interval, count, text) in [
        (Interval::Week, 2, "2 weeks missing from 2014-07-15 to 2014-07-22"),
        (Interval::Month, 1, "1 month missing from 2014-07-15 to 2014-07-22"),
    ] {
        let longer = Finding::gap(16_266 * DAY, 16_273 * DAY, count).cause("unexplained");
        assert_eq!(message(&Facts::of("gap", interval, &longer, None)), text);
    }
    let one = Finding::gap(16_266 * DAY, 16_266 * DAY, 1).cause("unexplained");
    assert_eq!(reported("gap", &one), "1 session missing on 2014-07-15");
    let minutes = Finding::gap(16_266 * DAY, 16_267 * DAY + 60_000_000, 1_441).cause("unexplained").evidence(json!({
        "sessions": 2, "full_sessions": 1,
    }));
    assert_eq!(
        message(&Facts::of("gap", Interval::minutes(1), &minutes, None)),
        "1,441 bars missing from 2014-07-15 00:00Z to 2014-07-16 00:01Z, in 2 sessions, 1 of them whole"
    );
}

#[test]
fn spikes_say_how_far_out_and_back() {
    let finding = on("close").observed(74.85).expected(92.3, 108.3).cause("reversal");
    let finding = finding.evidence(json!({"return": -0.280_835, "next_return": 0.336_113, "previous": 99.1}));
    assert_eq!(
        reported("price-spike", &finding),
        "close 74.85 goes out and comes back: -24.5 %, then +39.9 % (allowed 92.3 to 108.3)"
    );
}

#[test]
fn prices_of_one_bar_that_contradict_each_other_are_reported_exactly() {
    let finding = on("high").observed(103.61).expected(103.614, f64::INFINITY).cause("high-below");
    assert_eq!(reported("ohlc", &finding), "high 103.61 is below another price of its bar, 103.614");
    let evidence = json!({"broken": ["close > 0", "low <= close"], "close": 0.0});
    let finding = on("close").observed(0.0).cause("non-positive").evidence(evidence);
    assert_eq!(reported("ohlc", &finding), "close 0 is not above 0; broken: close > 0, low <= close");
}

#[test]
fn limits_are_never_rounded_past_the_value() {
    let finding = on("close").observed(10.398).expected(9.7, 10.397).score(8.1).evidence(json!({"median": 10.0}));
    assert!(reported("outlier", &finding).ends_with("(allowed 9.7 to 10.397)"), "{}", reported("outlier", &finding));
}

#[test]
fn bars_without_volume_say_what_is_odd_about_them() {
    let zero = on("volume").observed(0.0);
    let moved = zero.clone().cause("price-moved").evidence(json!({"close": 10.3, "previous_close": 10.1}));
    assert_eq!(reported("zero-volume", &moved), "volume is 0 although the close moved from 10.1 to 10.3");
    let run = on("volume").cause("run").evidence(json!({"run": 5}));
    assert_eq!(reported("zero-volume", &run), "volume is missing, in a run of 5 such bars");
    assert_eq!(reported("zero-volume", &zero.cause("single")), "volume is 0");
}

#[test]
fn repeated_bars_say_how_often_and_since_when() {
    let finding = Finding::run(1..7).field(&Arc::from("close")).observed(10.5);
    let finding = finding.evidence(json!({"length": 7, "since": "2024-01-02"}));
    assert_eq!(reported("stale", &finding), "the same bar 7 times in a row since 2024-01-02: close 10.5");
}

#[test]
fn copies_say_what_differs() {
    let evidence = json!({"copies": 2, "kept_rank": 4, "differs": {
        "open": [1.0, 2.0], "high": [2.5, 3.0], "low": [null, 1.0], "close": [1.5, "NaN"],
    }});
    assert_eq!(
        reported("duplicate", &Finding::row(0).cause("conflicting").evidence(evidence)),
        "one of 2 copies of this bar, with other values than the copy that is kept: \
         open 1 instead of 2, high 2.5 instead of 3, low no value instead of 1, and 1 more"
    );
}

#[test]
fn expressions_distinguish_false_from_unknown() {
    let finding = Finding::row(0).expected_text("amount > 0");
    assert_eq!(reported("sql", &finding.clone().cause("false")), "`amount > 0` is false");
    assert_eq!(reported("sql", &finding.cause("null")), "`amount > 0` is NULL: a value it needs is missing");
}

#[test]
fn digits_of_the_source_win_over_those_of_a_float() {
    let finding = on("close").observed(0.1).observed_text("0.10").expected(1.0, f64::INFINITY).cause("below");
    assert_eq!(reported("range", &finding), "close 0.10 is below 1");
}

#[test]
fn data_cannot_control_the_terminal() {
    let finding = on("symbol").observed_text("\u{1b}[2J".to_owned() + &"x".repeat(200)).expected_text("a match of `A`");
    let text = reported("matches", &finding.cause("no-match"));
    assert!(text.starts_with("symbol `\\u{1b}[2Jx") && text.chars().count() < 140, "{text}");
}

#[test]
fn a_check_nobody_knows_is_reported_all_the_same() {
    let finding = on("close").observed(15.0).expected(9.0, 10.0).cause("too-far");
    assert_eq!(reported("new-check", &finding), "close 15 is not as `new-check` wants it: too far (allowed 9 to 10)");
}

#[test]
fn the_table_of_the_readme_is_that_of_the_checks() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (begin, end) = ("<!-- checks: generated -->\n", "<!-- checks: end -->");
    let (before, rest) = readme.split_once(begin).unwrap();
    let (table, after) = rest.split_once(end).unwrap();
    let rows: String = CHECKS.iter().map(|check| format!("| `{}` | {} |\n", check.name(), check.summary())).collect();
    let wanted = format!("| check | what it flags |\n|---|---|\n{rows}");
    if std::env::var_os("BARKEEP_REWRITE").is_some() {
        std::fs::write(path, format!("{before}{begin}{wanted}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(table, wanted, "run this test with BARKEEP_REWRITE=1 to write the table anew");
}
