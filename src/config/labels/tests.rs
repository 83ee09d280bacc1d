use super::*;
use crate::config::job;

const ID: &str = "0123456789abcdef0123456789abcdef";

/// The labels in `text` for a job over bars of `interval` in New York with the rules `outlier` and `gap`.
fn of(interval: &str, text: &str) -> Result<JobLabels, String> {
    let job = format!(
        "name = \"demo\"\nrules = \"x\"\nsource.files.path = \"x\"\n[bars]\nseries = \"symbol\"\ninterval = \"{interval}\"\ntime.zone = \"America/New_York\"\n"
    );
    let job = job::read(&SourceText::new("job.toml", job), &Environment::default()).job.unwrap();
    let rules: Vec<Arc<str>> = vec!["gap".into(), "outlier".into()];
    let environment = Environment::default();
    let for_job = ForJob { name: &job.name, bars: &job.bars, rules: &rules, environment: &environment };
    read(Path::new("labels.toml"), text, for_job)
        .map_err(|mistakes| mistakes.iter().map(|mistake| mistake.render(false)).collect::<Vec<_>>().join("\n\n"))
}

fn micros(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

fn window_of(interval: &str, keys: &str) -> Result<(Option<i64>, Option<i64>), String> {
    let labels = of(interval, &format!("[[label]]\n{keys}\nverdict = \"fine\"\nwhy = \"x\"\n"))?;
    match &labels.written[0].label.about {
        About::Pattern(pattern) => Ok((pattern.since, pattern.until)),
        About::Finding(_) => panic!("no pattern"),
    }
}

#[test]
fn labels_of_a_finding_and_of_a_kind_are_read() {
    let text = format!(
        "[[label]]\nfinding = \"{}\"\nverdict = \"bad\"\nwhy = \"a bad tick\"\nby = \"anna\"\nexpires = 2026-12-31\n\n\
         [[label]]\nrule = \"outlier\"\nseries = \"BRK/B\"\nsince = 2024-03-01\nuntil = 2024-04-01\nfield = \"close\"\nverdict = \"fine\"\nwhy = \"earnings\"\n",
        ID.to_uppercase()
    );
    let labels = of("1d", &text).unwrap();
    let [one, two] = labels.written.as_slice() else { panic!("two labels") };
    let expires = "2026-12-31".parse().ok();
    let expected = Label {
        about: About::Finding(ID.into()),
        judgement: Judgement::Bad,
        why: "a bad tick".into(),
        by: Some("anna".into()),
        expires,
    };
    assert_eq!(one.label, expected);
    let pattern = Pattern {
        rule: Some("outlier".into()),
        series: Some("BRK/B".into()),
        since: Some(micros("2024-03-01T00:00:00Z")),
        until: Some(micros("2024-04-01T00:00:00Z")),
        field: Some("close".into()),
    };
    assert_eq!((&two.label.about, two.label.judgement), (&About::Pattern(pattern), Judgement::Fine));
    assert_eq!((labels.line_of(one), labels.line_of(two)), (1, 8));
    assert!(labels.warnings.is_empty());
}

#[test]
fn a_date_is_a_whole_day_and_a_time_is_one_moment() {
    let day = (micros("2024-03-10T00:00:00Z"), micros("2024-03-11T00:00:00Z"));
    assert_eq!(window_of("1d", "time = 2024-03-10"), Ok((Some(day.0), Some(day.1))));
    // The clocks of New York go forward: a day of 23 hours.
    let day = (micros("2024-03-10T05:00:00Z"), micros("2024-03-11T04:00:00Z"));
    assert_eq!(window_of("1m", "time = 2024-03-10"), Ok((Some(day.0), Some(day.1))));
    let at = micros("2024-03-08T14:30:00Z");
    assert_eq!(window_of("1m", "time = 2024-03-08T14:30:00Z"), Ok((Some(at), Some(at + 1))));
    assert_eq!(window_of("1m", "since = \"2024-03-08T09:30:00\""), Ok((Some(at), None)));
    let wrong = window_of("1d", "time = 2024-03-08T14:30:00Z").unwrap_err();
    assert!(wrong.contains("bars are dated by days") && wrong.contains("labels.toml:2:8"), "{wrong}");
}

#[test]
fn every_mistake_is_reported_at_its_place() {
    let text = "[[label]]\nfinding = \"0123456\"\nverdict = \"know\"\nwhy = \" \"\n\n\
                [[label]]\nverdict = \"fine\"\nwhy = \"x\"\n\n\
                [[label]]\njob = \"demo\"\nrule = \"outlir\"\nsince = 2024-03-02\nuntil = 2024-03-01\nexpire = 2026-01-01\nverdict = \"fine\"\nwhy = \"x\"\n\n\
                [[label]]\nfinding = \"0123456789\"\nseries = \"A\"\nexpires = 2024-03-01T10:00:00Z\nverdict = \"fine\"\nwhy = \"x\"\n\n\
                [[label]]\nseries = \"A\"\ntime = 2024-03-02\nuntil = 2024-03-03\nwhy = \"x\"\n";
    insta::assert_snapshot!(of("1d", text).unwrap_err(), @r#"
error[bad-value]: `0123456` is not the id of a finding
 --> labels.toml:2:11
  |
2 | finding = "0123456"
  |           ^^^^^^^^^
  |
  = help: write the column `finding_id` of the table `findings`, or its first 8 digits or more

error[unknown-value]: `know` is not a value of `verdict`
 --> labels.toml:3:11
  |
3 | verdict = "know"
  |           ^^^^^^ unknown value
  |
  = help: did you mean `known`? choices: known, fine, bad

error[bad-value]: `why` is empty
 --> labels.toml:4:7
  |
4 | why = " "
  |       ^^^
  |
  = help: say why, for the person who reads it next

error[bad-value]: the label is about no finding, or about every one
 --> labels.toml:6:1
  |
6 | [[label]]
  | ^^^^^^^^^
  |
  = help: write `finding`, or at least one of `rule`, `series`, `time`, `since`, `until`, `field`

error[unknown-rule]: a label names the rule `outlir`, and the job `demo` has none of that id
  --> labels.toml:12:8
   |
12 | rule = "outlir"
   |        ^^^^^^^^ unknown rule
   |
   = help: did you mean `outlier`? rules: gap, outlier, parse-error

error[bad-value]: the label is about no bar: `until` is not after `since`
  --> labels.toml:14:9
   |
14 | until = 2024-03-01
   |         ^^^^^^^^^^
   |
   = help: `until` is the first date or time that the label is no longer about

error[unknown-key]: unknown key `expire` in a label
  --> labels.toml:15:1
   |
15 | expire = 2026-01-01
   | ^^^^^^ unknown key
   |
   = help: did you mean `expires`? keys: finding, rule, series, time, since, until, field, job, verdict, why, by, expires

error[bad-value]: `finding` stands beside keys that say which findings are meant
  --> labels.toml:20:11
   |
20 | finding = "0123456789"
   |           ^^^^^^^^^^^^
   |
   = help: leave the other keys out: the id says which finding it is

error[bad-value]: `expires` is a date
  --> labels.toml:22:11
   |
22 | expires = 2024-03-01T10:00:00Z
   |           ^^^^^^^^^^^^^^^^^^^^
   |
   = help: write the last day on which the label counts, as 2026-12-31

error[missing-key]: a label lacks `verdict`
  --> labels.toml:26:1
   |
26 | [[label]]
   | ^^^^^^^^^
   |
   = help: verdict: `known`: the bar is wrong, and lived with; `fine`: a false alarm; `bad`: the finding is right.

error[bad-value]: `time` stands beside `since` or `until`
  --> labels.toml:28:8
   |
28 | time = 2024-03-02
   |        ^^^^^^^^^^
   |
   = help: write `time` for one bar, or `since` and `until` for several
"#);
}

#[test]
fn a_rule_that_the_job_does_not_have_is_a_warning_where_the_file_may_serve_other_jobs() {
    let label = |head: &str| format!("[[label]]\n{head}rule = \"outlir\"\nverdict = \"fine\"\nwhy = \"x\"\n");
    let labels = of("1d", &label("")).unwrap();
    assert_eq!((labels.written.len(), labels.warnings.len()), (1, 1));
    let warning = labels.warnings[0].render(false);
    assert!(warning.contains("did you mean `outlier`?") && warning.contains("labels.toml:2:8"), "{warning}");
    let of_another = of("1d", &label("job = \"other\"\n")).unwrap();
    assert_eq!((of_another.written.len(), of_another.warnings.len()), (0, 0), "a label for another job");
    assert!(of("1d", &label("job = \"demo\"\n")).unwrap_err().contains("`demo` has none of that id"));
    let of_values = of("1d", &label("").replace("outlir", "parse-error")).unwrap();
    assert!(of_values.warnings.is_empty(), "values that do not decode are findings of every job");
}

#[test]
fn labels_that_contradict_each_other_are_a_mistake_while_both_count() {
    let label = |about: &str, verdict: &str, more: &str| {
        format!("[[label]]\n{about}\nverdict = \"{verdict}\"\nwhy = \"x\"\n{more}")
    };
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let found = |text: &str, on: &str| of("1d", text).unwrap().contradictions(day(on));
    let id = label(&format!("finding = \"{ID}\""), "bad", "expires = 2026-03-31\n");
    let beginning = label("finding = \"0123456789\"", "fine", "");
    let two = found(&format!("{id}{beginning}"), "2026-03-31");
    insta::assert_snapshot!(two[0].render(false), @r"
error[contradiction]: two labels of the same findings contradict each other: `bad` in line 1 and `fine` in line 6
 --> labels.toml:6:1
  |
1 | [[label]]
  | --------- bad
...
6 | [[label]]
  | ^^^^^^^^^ fine
  |
  = help: take one of them out, or let the earlier one expire; that in line 1 counts
");
    assert_eq!(found(&format!("{id}{beginning}"), "2026-04-01").len(), 0, "the first has expired");
    assert_eq!(found(&format!("{id}{}", beginning.replace("fine", "bad")), "2026-03-31").len(), 0, "they agree");
    let pattern = |time: &str, verdict: &str| label(&format!("rule = \"outlier\"\n{time}"), verdict, "");
    let same =
        format!("{}{}", pattern("time = 2024-03-08", "bad"), pattern("since = 2024-03-08\nuntil = 2024-03-09", "fine"));
    assert_eq!(found(&same, "2026-01-01").len(), 1, "the same window in other words");
    let wider = format!("{}{}", pattern("time = 2024-03-08", "bad"), pattern("since = 2024-03-08", "fine"));
    assert_eq!(found(&wider, "2026-01-01").len(), 0, "the one that says more is meant");
}
