//! `barkeep rules suggest`: what it states is what a check finds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::cli_support::{BARS, Project};

/// 600 daily bars of one series that move by at most 1 %, beginning with the first of 2020 that XNYS has.
fn bars(change: impl Fn(usize, &mut [f64; 5])) -> String {
    let mut text = "symbol,date,open,high,low,close,volume\n".to_owned();
    let days = (0..).map(|n| chrono::NaiveDate::from_ymd_opt(2020, 1, 2).unwrap() + chrono::Days::new(n));
    for (n, day) in days.take(600).enumerate() {
        let close = 50.0 + [0.0, 0.25, 0.5, 0.25][n % 4];
        let mut bar = [close, close + 0.1, close - 0.1, close, 1000.0 + n as f64];
        change(n, &mut bar);
        let [open, high, low, close, volume] =
            bar.map(|value| if value.is_nan() { String::new() } else { value.to_string() });
        writeln!(text, "A,{day},{open},{high},{low},{close},{volume}").unwrap();
    }
    text
}

/// The findings and the evaluated bars of each rule, as the comments state them.
fn stated(text: &str) -> BTreeMap<String, (u64, u64)> {
    let mut stated = BTreeMap::new();
    let mut found = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# Finds now: ") {
            let mut numbers = rest.split(' ').filter_map(|word| word.replace(',', "").parse::<u64>().ok());
            found = Some((numbers.next().unwrap(), numbers.next().unwrap()));
        }
        if let Some(id) = line.strip_prefix("id ").and_then(|rest| rest.split('"').nth(1)) {
            stated.insert(id.to_owned(), found.take().unwrap());
        }
    }
    stated
}

/// The same, as a check of the job counts them.
fn counted(project: &Project, job: &str, args: &[&str]) -> BTreeMap<String, (u64, u64)> {
    let output =
        project.call(&[&["check", job, "--no-report", "--format", "json", "--fail-on", "never"], args].concat());
    let objects: Vec<Value> = output.exits(0).out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = objects.iter().find(|object| object["type"] == "summary").unwrap();
    let rule = |rule: &Value| {
        let count = |name: &str| rule[name].as_u64().unwrap_or_else(|| panic!("{name} in {rule}"));
        (rule["id"].as_str().unwrap().to_owned(), (count("findings"), count("evaluated")))
    };
    summary["rules"].as_array().unwrap().iter().map(rule).collect()
}

#[test]
fn a_check_finds_what_the_comments_state() {
    let project = Project::empty();
    project.call(&["demo", "."]).exits(0);
    fs::remove_dir_all(project.path("reports")).unwrap();
    for window in [&[][..], &["--since", "2023-11-01", "--until", "2024-11-01"]] {
        project.call(&[&["rules", "suggest", "jobs/demo.toml", "-o", "rules/own.toml"], window].concat()).exits(0);
        project.call(&["rules", "lint", "rules/own.toml"]).exits(0);
        let text = fs::read_to_string(project.path("rules/own.toml")).unwrap();
        let stated = stated(&text);
        assert!(stated.len() >= 4 && stated.values().any(|(findings, _)| *findings > 0), "{text}");
        let job = fs::read_to_string(project.path("jobs/demo.toml")).unwrap();
        project.write("jobs/more.toml", job.replace("rules = [", "rules = [\"../rules/own.toml\", "));
        let counted = counted(&project, "jobs/more.toml", window);
        for (id, found) in &stated {
            assert_eq!(counted.get(id), Some(found), "{id}");
        }
        // What the job has now is not suggested again.
        let again = project.call(&[&["rules", "suggest", "jobs/more.toml"], window].concat()).exits(0);
        assert!(!again.out.contains("[[rule]]"), "{}", again.out);
        again.says(&["no rule beyond those of the job follows from these bars"]);
        fs::remove_file(project.path("rules/own.toml")).unwrap();
    }
    assert!(project.files("reports").is_empty(), "no report is written");
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let project = Project::new(bars(|_, _| {}));
    project.write("own.toml", "mine");
    let refused = project.call(&["rules", "suggest", "job.toml", "-o", "own.toml"]).exits(2);
    refused.says(&["`own.toml` is there already", "nothing was read or written"]);
    assert_eq!(fs::read_to_string(project.path("own.toml")).unwrap(), "mine");
}

#[test]
fn bars_that_say_little_end_in_words() {
    let suggest = ["rules", "suggest", "job.toml"];
    let empty = Project::new("symbol,date,open,high,low,close,volume\n");
    empty.call(&suggest).exits(3).says(&["`bars.csv` has no rows"]);
    let one = Project::new(BARS.lines().take(2).collect::<Vec<_>>().join("\n"));
    let output = one.call(&[&suggest[..], &["-o", "own.toml"]].concat()).exits(0);
    let output = output.says(&["no rule beyond those of the job", "`own.toml` was not written"]);
    assert!(output.out.contains("# 1 bar of 1 series") && !one.path("own.toml").exists(), "{output:?}");
    one.edit("job.toml", "interval = \"1d\"", "interval = \"1x\"");
    one.call(&suggest).exits(2).says(&["job.toml:9:12"]);
    let nulls = Project::new(bars(|_, bar| bar[4] = f64::NAN));
    let output = nulls.call(&suggest).exits(0);
    assert!(output.out.contains("`volume` is NULL in every bar"), "{}", output.out);
    let negative = Project::new(bars(|_, bar| bar[..4].iter_mut().for_each(|price| *price -= 50.3)));
    let output = negative.call(&suggest).exits(0);
    assert!(output.out.contains("% of closes are zero or below"), "{}", output.out);
    assert!(output.out.contains("min      = -"), "{}", output.out);
}

#[test]
fn a_rule_that_finds_much_gets_a_larger_limit_with_which_it_does_not() {
    // Every 20th bar sticks out, all of them by about the same.
    let project = Project::new(bars(|n, bar| {
        if n % 20 == 10 {
            bar[1] += 6.0;
        }
    }));
    project
        .write("rules.toml", "[[rule]]\nid = \"excess\"\ncheck = \"bar-excess\"\nlimit = 4.0\nseverity = \"warn\"\n");
    let output = project.call(&["rules", "suggest", "job.toml"]).exits(0);
    let tuned = output.out.lines().skip_while(|line| !line.contains("[tune.excess]")).take(2);
    let tuned: Vec<&str> = tuned.map(|line| line.trim_start_matches(['#', ' '])).collect();
    let limit = tuned.get(1).unwrap_or_else(|| panic!("{}", output.out));
    let then = counted(&project, "job.toml", &[])["excess"].0;
    assert!(tuned[0].contains(&format!("with limit = 4 it has {then} findings")), "{tuned:?}");
    let job = fs::read_to_string(project.path("job.toml")).unwrap();
    project.write("job.toml", format!("{job}\n[tune.excess]\n{limit}\n"));
    let now = counted(&project, "job.toml", &[])["excess"].0;
    assert!(now < then && tuned[0].contains(&format!(" {now} finding")), "{now}: {tuned:?}");
}
