//! One bar and what every rule says of it: `explain`. Each verdict on literal bars, and what a person sees where there is no
//! bar, no series, or no terminal.

use serde_json::Value;

use crate::cli_support::Project;

const JOB: &str = r#"name = "demo"
rules = "rules.toml"
source.files.path = "bars.csv"
report.dir = "reports"

[bars]
series = ["symbol", "feed"]
interval = "1d"
calendar = "XNYS"
time = { field = "date" }

[facts]
exceptions = "exceptions.csv"
"#;

const RULES: &str = r#"[[rule]]
id = "ohlc"
check = "ohlc"
action = "quarantine"
why = "a bar that contradicts itself is wrong"

[[rule]]
id = "outlier"
check = "outlier"
severity = "warn"

[[rule]]
id = "busy"
check = "outlier"
where = "volume > 5000"
severity = "warn"

[[rule]]
id = "later"
check = "outlier"
from = 2030-01-01
severity = "warn"

[[rule]]
id = "cheap"
check = "range"
field = "close"
max = 1000.0

[[rule]]
id = "duplicate"
check = "duplicate"
severity = "warn"

[[rule]]
id = "gap"
check = "gap"
severity = "warn"

[[rule]]
id = "fresh"
check = "freshness"
severity = "warn"

[[rule]]
id = "money"
check = "range"
field = "amount"
min = 0
optional = true
"#;

/// Weekdays from 2024-01-02 on; closes near 100 but for some days. 2024-01-30 is there twice, and 2024-02-07 is missing.
fn bars() -> String {
    let mut csv = "symbol,feed,date,open,high,low,close,volume\n".to_owned();
    let days: Vec<chrono::NaiveDate> =
        "2024-01-02".parse::<chrono::NaiveDate>().unwrap().iter_days().take(90).collect();
    let holidays = ["2024-01-15", "2024-02-19", "2024-03-29", "2024-02-07"];
    let trading = |day: &chrono::NaiveDate| {
        let weekend = matches!(chrono::Datelike::weekday(day), chrono::Weekday::Sat | chrono::Weekday::Sun);
        !weekend && !holidays.contains(&day.to_string().as_str())
    };
    for feed in ["x", "y"] {
        for (number, day) in days.iter().filter(|day| trading(day)).enumerate() {
            let date = day.to_string();
            let close = match (feed, date.as_str()) {
                ("x", "2024-01-23" | "2024-02-29") => "105.00".to_owned(),
                ("x", "2024-01-25") => "103.00".to_owned(),
                _ => format!("100.0{}", number % 3),
            };
            let low = if feed == "x" && date == "2024-03-05" { "101" } else { "99" };
            let line = format!("A,{feed},{date},100,106,{low},{close},1000\n");
            csv.push_str(&line);
            if feed == "x" && date == "2024-01-30" {
                csv.push_str(&line);
            }
        }
    }
    csv + "B,x,2024-01-02,100,106,99,100,1000\n"
}

fn project() -> Project {
    let project = Project::empty();
    project.write("job.toml", JOB);
    project.write("rules.toml", RULES);
    project.write("bars.csv", bars());
    project.write("exceptions.csv", "symbol,rule,from,until,why\nA,outlier,2024-02-29,2024-03-01,it was so\n");
    project
}

fn explained(project: &Project, series: &str, at: &str) -> Value {
    let args = ["explain", "job.toml", "--series", series, "--at", at, "--format", "json"];
    project.call(&args).exits(0).json().swap_remove(0)
}

fn rule<'v>(explained: &'v Value, id: &str) -> &'v Value {
    let rules = explained["rules"].as_array().unwrap();
    rules.iter().find(|rule| rule["rule"] == id).unwrap_or_else(|| panic!("no rule {id} in {explained:#}"))
}

fn answers(explained: &Value) -> Vec<String> {
    let rules = explained["rules"].as_array().unwrap().iter();
    rules.map(|rule| format!("{} {}", rule["rule"].as_str().unwrap(), rule["answer"].as_str().unwrap())).collect()
}

#[test]
fn every_rule_says_why_it_does_not_flag_a_bar_and_how_far_that_is() {
    let told = explained(&project(), "A|x", "2024-01-25");
    let expected = [
        "ohlc within-limits",
        "outlier within-limits",
        "busy not-chosen",
        "later not-valid",
        "cheap within-limits",
        "duplicate within-limits",
        "gap within-limits",
        "fresh about-all-series",
        "parse-error within-limits",
        "money left-out",
    ];
    assert_eq!(answers(&told), expected);
    // The scale of such bars is the floor, 0.005: ln(103/100)/0.005 is 5.91, or a little less from 100.01.
    let measured = &rule(&told, "outlier")["measured"];
    assert_eq!(
        (&measured["parameter"], &measured["value"], &measured["observed"]),
        (&"limit".into(), &8.0.into(), &103.0.into())
    );
    let at = measured["flagged_at"].as_f64().unwrap();
    assert!((5.7..=5.92).contains(&at), "{measured}");
    assert_eq!(rule(&told, "busy")["because"], "where = volume > 5000");
    assert_eq!(rule(&told, "later")["because"]["from"], "2030-01-01");
    assert_eq!(rule(&told, "cheap")["measured"]["observed"], 103.0);
    assert_eq!((&told["by_calendar"], &told["rows"][0]["locator"]), (&"expected".into(), &"bars.csv:18".into()));
}

#[test]
fn the_threshold_that_it_names_is_where_a_check_begins_to_flag_the_bar() {
    let project = project();
    let told = explained(&project, "A|x", "2024-01-25");
    let at = rule(&told, "outlier")["measured"]["flagged_at"].as_f64().unwrap();
    let flags = |limit: f64| {
        project.write(
            "rules.toml",
            RULES.replacen("check = \"outlier\"\n", &format!("check = \"outlier\"\nlimit = {limit}\n"), 1),
        );
        let told = explained(&project, "A|x", "2024-01-25");
        rule(&told, "outlier")["answer"] == "flagged"
    };
    assert!(flags(at) && !flags(at * 1.03), "{at}");
}

#[test]
fn what_a_check_finds_is_flagged_with_the_same_sentence_and_id() {
    let project = project();
    project.call(&["check", "job.toml"]).exits(1);
    for (at, id) in [("2024-01-23", "outlier"), ("2024-03-05", "ohlc")] {
        let told = explained(&project, "A|x", at);
        assert_eq!(rule(&told, id)["answer"], "flagged", "{at}");
        let finding = &rule(&told, id)["findings"][0];
        let query = format!("SELECT finding_id, locator FROM findings WHERE rule_id = '{id}' AND time = DATE '{at}'");
        let found = project.call(&["sql", &query, "--format", "json"]).exits(0).json().swap_remove(0);
        assert_eq!((&finding["finding_id"], &finding["locator"]), (&found["finding_id"], &found["locator"]), "{found}");
    }
}

#[test]
fn a_bar_that_a_rule_rejects_is_not_seen_by_rules_about_the_series() {
    let told = explained(&project(), "A|x", "2024-03-05");
    assert_eq!(rule(&told, "outlier")["answer"], "rejected-by-another-rule");
    assert_eq!(rule(&told, "outlier")["because"], serde_json::json!(["ohlc"]));
    assert_eq!(rule(&told, "cheap")["answer"], "within-limits", "a rule about single rows sees it");
}

#[test]
fn facts_and_too_few_bars_are_named() {
    let project = project();
    let told = explained(&project, "A|x", "2024-02-29");
    assert_eq!(
        (&rule(&told, "outlier")["answer"], &rule(&told, "outlier")["because"]),
        (&"excused".into(), &serde_json::json!(["exception"]))
    );
    let told = explained(&project, "B", "2024-01-02");
    assert_eq!(rule(&told, "outlier")["answer"], "insufficient-history", "the symbol is that of one series");
}

#[test]
fn all_rows_of_a_timestamp_are_shown_and_counted() {
    let told = explained(&project(), "A|x", "2024-01-30");
    let places: Vec<&str> =
        told["rows"].as_array().unwrap().iter().map(|row| row["locator"].as_str().unwrap()).collect();
    assert_eq!(places, ["bars.csv:21", "bars.csv:22"]);
    let duplicate = rule(&told, "duplicate");
    assert_eq!(
        (&duplicate["answer"], &duplicate["rows_flagged"], &duplicate["findings"][0]["locator"]),
        (&"flagged".into(), &1.into(), &"bars.csv:22".into())
    );
    let outlier = rule(&told, "outlier");
    assert_eq!(
        (&outlier["answer"], &outlier["rows_evaluated"], &outlier["rows_stepped_over"]),
        (&"within-limits".into(), &1.into(), &1.into())
    );
}

#[test]
fn where_no_bar_stands_the_nearest_the_calendar_and_the_gap_are_named() {
    let project = project();
    let told = explained(&project, "A|x", "2024-02-07");
    assert_eq!((&told["by_calendar"], &told["rows"]), (&"expected".into(), &serde_json::json!([])));
    assert_eq!((&told["nearest_before"], &told["nearest_behind"]), (&"2024-02-06".into(), &"2024-02-08".into()));
    assert_eq!(answers(&told), ["gap in-stretch"]);
    let closed = project.call(&["explain", "job.toml", "--series", "A|x", "--at", "2024-01-06"]).exits(0);
    let lines: Vec<&str> = closed.out.lines().collect();
    assert_eq!(lines[0], "no bar of A|x at 2024-01-06: XNYS is closed on that day");
    assert_eq!(lines[1], "nearest: 2024-01-05 before, 2024-01-08 behind");
    assert!(closed.out.contains("no finding of a rule holds that time"), "{}", closed.out);
    assert!(
        lines.last().unwrap().ends_with("barkeep explain job.toml --series 'A|x' --at 2024-01-05"),
        "{}",
        closed.out
    );
    let far = explained(&project, "A|x", "1999-01-04");
    assert_eq!((&far["nearest_before"], &far["nearest_behind"]), (&Value::Null, &"2024-01-02".into()));
}

#[test]
fn a_series_that_is_not_there_and_one_of_several_are_refused_with_those_there_are() {
    let project = project();
    let call = |series: &str, at: &str| project.call(&["explain", "job.toml", "--series", series, "--at", at]);
    call("A", "2024-01-25").exits(2).says(&["2 series have the symbol `A`: which is meant?", "`A|x`, `A|y`"]);
    call("Z", "2024-01-25").exits(2).says(&["the job has no series `Z`", "`A|x`, `A|y`, `B|x`"]);
    call("贵州茅台|\u{1b}[2J", "2024-01-25").exits(2).says(&["no series `贵州茅台|\\u{1b}[2J`"]);
    call("A|x", "yesterday").exits(2).says(&["--at: `yesterday` is not a date or time"]);
    project.edit("job.toml", "[facts]", "[window]\nsince = 2024-01-10\n\n[facts]");
    call("A|x", "2024-01-04").exits(2).says(&["2024-01-04 lies outside of the window of the job", "from 2024-01-10"]);
}

#[test]
fn without_a_terminal_the_bars_are_a_table_with_the_bar_marked() {
    let told = project().call(&["explain", "job.toml", "--series", "A|x", "--at", "2024-01-23"]).exits(0);
    insta::assert_snapshot!(told.out, @r#"
    A|x   2024-01-23   XNYS expects a bar there
      open 100  high 106  low 99  close 105  volume 1000   bars.csv:16

      time        open  high  low   close  volume
      2024-01-16   100   106   99     100    1000
      2024-01-17   100   106   99  100.01    1000
      2024-01-18   100   106   99  100.02    1000
      2024-01-19   100   106   99     100    1000
      2024-01-22   100   106   99  100.01    1000
    > 2024-01-23   100   106   99     105    1000
      2024-01-24   100   106   99     100    1000
      2024-01-25   100   106   99     103    1000
      2024-01-26   100   106   99  100.02    1000
      2024-01-29   100   106   99     100    1000
      2024-01-30   100   106   99  100.01    1000

    FLAGGED     outlier      close 105.00 is 9.74 scales from its neighbours' median 100.01 (allowed
                             96.09 to 104.1) (bars.csv:16)
                             warn, report
    ok          ohlc         nothing found
    not chosen  busy         its condition does not choose the bar: where = volume > 5000
    not valid   later        the rule holds from 2030-01-01
    ok          cheap        close 105; max 1000
    ok          duplicate    nothing found
    ok          gap          nothing found
    not one bar fresh        it evaluates all series together, and only this one was read; `barkeep
                             report show` has what it found
    ok          parse-error  nothing found
    left out    money        the bars lack a field that it needs
    next: barkeep label job.toml 3d5301b3f0ceab03207ef761f372c2a2 fine --why "…"
    "#);
}

#[test]
fn rules_that_look_at_other_series_are_not_known_where_one_is_read_alone() {
    let project = project();
    project.write("rules.toml", format!("{RULES}\n[[rule]]\nid = \"excess\"\ncheck = \"bar-excess\"\npeers = true\n"));
    let told = explained(&project, "A|x", "2024-01-25");
    let read = told["rows_read"].as_u64().unwrap();
    assert_eq!(rule(&told, "excess")["answer"], "within-limits");
    let args = ["explain", "job.toml", "--series", "A|x", "--at", "2024-01-25", "--alone", "--format", "json"];
    let alone = project.call(&args).exits(0).json().swap_remove(0);
    assert_eq!(rule(&alone, "excess")["answer"], "not-known");
    assert!(alone["rows_read"].as_u64().unwrap() < read, "{alone}");
}
