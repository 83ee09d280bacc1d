use super::*;
use crate::config::job;
use crate::market::facts::{ActionKind, Listed, SeriesFacts, Stretch};
use crate::market::zone::DAY_US;
use crate::schema::Environment;

const DAILY: &str = "interval = \"1d\"\ncalendar = \"XSHG\"";

/// The facts in `files`, each with the key of `[facts]`, a name and a text, for a job with these lines of `[bars]`.
fn read(bars: &str, files: &[(&'static str, &str, &str)]) -> Result<Facts, String> {
    let text = format!(
        "name = \"x\"\nrules = \"x\"\nsource.files.path = \"x\"\n[bars]\nseries = [\"symbol\", \"data_source\"]\n{bars}\n"
    );
    let file = SourceText::new("job.toml", text);
    let job = job::read(&file, &Environment::default()).job.unwrap();
    let read = files.iter().map(|(key, path, text)| FactFile {
        key,
        named: 0..0,
        path: Path::new(path),
        bytes: text.as_bytes().to_vec(),
    });
    of_files(&file, &job.facts, &job.bars, read.collect()).map_err(|mistakes| rendered(&mistakes))
}

fn rendered(mistakes: &[Diagnostic]) -> String {
    mistakes.iter().map(|mistake| mistake.render(false)).collect::<Vec<_>>().join("\n\n")
}

/// The facts of a file, without anything odd.
fn good(bars: &str, key: &'static str, text: &str) -> Facts {
    let facts = read(bars, &[(key, "facts.csv", text)]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert!(facts.warnings.is_empty(), "{}", rendered(&facts.warnings));
    facts
}

fn mistakes(key: &'static str, text: &str) -> String {
    read(DAILY, &[(key, "facts.csv", text)]).expect_err("no mistake was found")
}

fn warnings(files: &[(&'static str, &str, &str)]) -> String {
    rendered(&read(DAILY, files).unwrap_or_else(|mistakes| panic!("{mistakes}")).warnings)
}

fn day(date: &str) -> i64 {
    i64::from(date.parse::<chrono::NaiveDate>().unwrap().to_epoch_days()) * DAY_US
}

fn utc(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

fn of<'f>(facts: &'f Facts, symbol: &'f str) -> SeriesFacts<'f> {
    facts.market.of(Some(symbol), Some("akshare"))
}

#[test]
fn actions_are_read_by_their_kind() {
    let facts = good(
        DAILY,
        "corporate_actions",
        "symbol,date,kind,ratio,cash,price\nA,2024-01-03,split,4,,\nA,20240105,dividend,,0.5,\nA,2024-01-05,bonus,0.3,,\n\
         A,2024-01-08,rights,0.2,,8\nA,2024-01-09,other,,,\n",
    );
    let facts = of(&facts, "A");
    let kinds = |date| facts.actions(day(date) - 1, day(date)).iter().map(|action| action.kind).collect::<Vec<_>>();
    assert_eq!(kinds("2024-01-03"), [ActionKind::Split { ratio: 4.0 }]);
    assert_eq!(kinds("2024-01-05"), [ActionKind::Dividend { cash: 0.5 }, ActionKind::Bonus { ratio: 0.3 }]);
    assert_eq!(kinds("2024-01-08"), [ActionKind::Rights { ratio: 0.2, price: 8.0 }]);
    assert_eq!(kinds("2024-01-09"), [ActionKind::Other]);
}

#[test]
fn every_mistake_in_actions_is_reported_with_its_place() {
    let text = "symbol,date,kind,ratio,cash,price\nA,2024-01-03,split,0,,\n,2024-01-03,splitt,2,,\nA,2024-13-03,split,2,,\n\
                A,2024-01-03,bonus,,,\nA,1500-01-01,dividend,,x,\nA,2024-01-04,dividend,2,0.1,\n";
    insta::assert_snapshot!(mistakes("corporate_actions", text), @r"
error[bad-facts]: `ratio` is `0`, and must be a number above 0
 --> facts.csv:2:20
  |
2 | A,2024-01-03,split,0,,
  |                    ^
  |
  = help: Of a split, the shares that each share becomes: 4 for four for one, 0.1 for one for ten. Of bonus shares and rights, the new shares for each share held: 0.3 for 3 for 10.

error[bad-facts]: `symbol` is empty
 --> facts.csv:3:1
  |
3 | ,2024-01-03,splitt,2,,
  | ^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: The symbol, as the bars have it.

error[bad-facts]: `splitt` is not a value of `kind`
 --> facts.csv:3:13
  |
3 | ,2024-01-03,splitt,2,,
  |             ^^^^^^
  |
  = help: did you mean `split`? words: split, bonus, rights, dividend, other

error[bad-facts]: `2024-13-03` is not a date or time; write `2024-03-08` or `2024-03-08T14:30:00Z`
 --> facts.csv:4:3
  |
4 | A,2024-13-03,split,2,,
  |   ^^^^^^^^^^
  |
  = help: a date is midnight in the zone of the bars

error[bad-facts]: `bonus` needs `ratio`
 --> facts.csv:5:1
  |
5 | A,2024-01-03,bonus,,,
  | ^^^^^^^^^^^^^^^^^^^^^
  |
  = help: Of a split, the shares that each share becomes: 4 for four for one, 0.1 for one for ten. Of bonus shares and rights, the new shares for each share held: 0.3 for 3 for 10.

error[bad-facts]: `1500-01-01` is not a date or time; write `2024-03-08` or `2024-03-08T14:30:00Z`
 --> facts.csv:6:3
  |
6 | A,1500-01-01,dividend,,x,
  |   ^^^^^^^^^^
  |
  = help: a date is midnight in the zone of the bars

error[bad-facts]: `cash` is `x`, and must be a number above 0
 --> facts.csv:6:24
  |
6 | A,1500-01-01,dividend,,x,
  |                        ^
  |
  = help: Of a dividend, what is paid for each share, in the unit of the prices.

error[bad-facts]: `ratio` says nothing of `dividend`
 --> facts.csv:7:23
  |
7 | A,2024-01-04,dividend,2,0.1,
  |                       ^
  |
  = help: leave it empty; give an action of several kinds a row for each
");
}

#[test]
fn columns_are_needed_unknown_or_not_used() {
    insta::assert_snapshot!(mistakes("suspensions", "code,from,untill\nA,2024-01-03,\n"), @r"
error[bad-facts]: `suspensions` lacks the column `symbol`
 --> facts.csv:1:1
  |
1 | code,from,untill
  | ^^^^
  |
  = help: symbol: The symbol, as the bars have it; `*` is all of them, as where the exchange halts trading. columns: symbol, from, until

error[bad-facts]: `suspensions` has no column `untill`
 --> facts.csv:1:11
  |
1 | code,from,untill
  |           ^^^^^^
  |
  = help: did you mean `until`? columns: symbol, from, until
");
    let warned = warnings(&[("suspensions", "s.csv", "symbol,name,from,until,note\nA,a,2024-01-03,,x\n")]);
    assert!(warned.contains("columns that `suspensions` does not use: `name`, `note`"), "{warned}");
    assert!(mistakes("exceptions", "symbol,rule,why,form\nA,x,y,2024-01-03\n").contains("has no column `form`"));
    assert!(mistakes("listings", "symbol,from,from,until\nA,,,\n").contains("two columns are called `from`"));
}

#[test]
fn stretches_end_before_their_last_date() {
    let facts = good(DAILY, "suspensions", "symbol,from,until\nA,2024-01-03,2024-01-05\nB,2024-01-03,\n");
    let suspended = |symbol: &str, date: &str| of(&facts, symbol).suspension(day(date)).is_some();
    assert!(!suspended("A", "2024-01-02") && suspended("A", "2024-01-04") && !suspended("A", "2024-01-05"));
    assert!(suspended("B", "2030-01-01") && !suspended("C", "2024-01-04"));
    let reported = mistakes("suspensions", "symbol,from,until\nA,2024-01-03,2024-01-03\n");
    assert!(reported.contains("it holds on no day: `until` is not after `from`"), "{reported}");
    assert!(reported.contains("facts.csv:2:14"), "{reported}");
}

#[test]
fn dates_are_days_in_the_zone_of_bars_within_a_day() {
    let text = "symbol,from,until\nA,2024-01-03,2024-01-05\n";
    let start = good("interval = \"1m\"\ncalendar = \"XSHG\"", "suspensions", text);
    assert!(of(&start, "A").suspension(utc("2024-01-02T16:00:00Z")).is_some(), "midnight in Shanghai");
    assert!(of(&start, "A").suspension(utc("2024-01-04T16:00:00Z")).is_none());
    let end = good("interval = \"1m\"\ncalendar = \"XSHG\"\ntime.label = \"end\"", "suspensions", text);
    assert!(of(&end, "A").suspension(utc("2024-01-02T16:00:00Z")).is_none(), "that bar ended at midnight");
    assert!(of(&end, "A").suspension(utc("2024-01-04T16:00:00Z")).is_some());
}

#[test]
fn an_outage_touches_every_bar_that_it_lies_in() {
    let text = "from,until,source\n2024-01-03T02:10:30Z,2024-01-03T02:12:00Z,akshare\n";
    let touched = |bars: &str| of(&good(bars, "outages", text), "A").outages().to_vec();
    let [minute] = touched("interval = \"1m\"\ncalendar = \"XSHG\"")[..] else { panic!("one outage") };
    let covered = |at: &str| minute.covers(utc(at));
    assert!(!covered("2024-01-03T02:09:00Z") && covered("2024-01-03T02:10:00Z") && covered("2024-01-03T02:11:00Z"));
    assert!(!covered("2024-01-03T02:12:00Z"));
    let [end] = touched("interval = \"1m\"\ncalendar = \"XSHG\"\ntime.label = \"end\"")[..] else {
        panic!("one outage")
    };
    let covered = |at: &str| end.covers(utc(at));
    assert!(!covered("2024-01-03T02:10:00Z") && covered("2024-01-03T02:11:00Z") && covered("2024-01-03T02:12:00Z"));
    assert!(!covered("2024-01-03T02:13:00Z"));
    assert_eq!(touched(DAILY), [Stretch { from: day("2024-01-03"), until: day("2024-01-04") }]);
    let other = good(DAILY, "outages", "from,until,source\n2024-01-03,2024-01-04,tushare\n");
    assert!(of(&other, "A").outages().is_empty());
}

#[test]
fn listings_of_a_ticker_that_was_used_again() {
    let facts = good(DAILY, "listings", "symbol,from,until\nA,,2001-02-03\nA,2021-01-04,\n");
    let listed = |date| of(&facts, "A").listed(day(date)).unwrap().0;
    assert_eq!(
        [listed("1999-01-04"), listed("2001-02-03"), listed("2024-01-02")],
        [Listed::Yes, Listed::NoLonger, Listed::Yes]
    );
    insta::assert_snapshot!(mistakes("listings", "symbol,from,until\nA,2020-01-02,2024-01-02\nA,2021-01-04,\n"), @r"
error[bad-facts]: `A` was listed twice at once
 --> facts.csv:3:1
  |
2 | A,2020-01-02,2024-01-02
  | ----------------------- the other one
3 | A,2021-01-04,
  | ^^^^^^^^^^^^^
  |
  = help: end the first listing where the second begins: two companies do not share a symbol
");
}

#[test]
fn facts_that_contradict_each_other_are_mistakes_and_twice_the_same_is_odd() {
    let twice = "symbol,date,kind,ratio\nA,2024-01-03,split,2\nA,2024-01-03,split,";
    assert!(
        mistakes("corporate_actions", &format!("{twice}3\n")).contains("`A` has two actions of one kind on one date")
    );
    let warned = warnings(&[("corporate_actions", "a.csv", &format!("{twice}2\n"))]);
    assert!(warned.contains("both count") && warned.contains("a.csv:3:1"), "{warned}");
    let overlap = "symbol,from,until\nA,2024-01-03,2024-01-09\nB,2024-01-03,2024-01-09\nA,2024-01-05,2024-01-10\n";
    assert!(warnings(&[("suspensions", "s.csv", overlap)]).contains("two suspensions of `A` overlap"));
    let limits = "symbol,from,until,up,down\n6*,2024-01-03,,0.1,0.1\n6*,2024-02-03,,0.2,0.2\n";
    assert!(mistakes("price_limits", limits).contains("two price limits hold at once"));
    let listed = ("listings", "l.csv", "symbol,from,until\nA,2024-01-03,\n");
    let before = ("suspensions", "s.csv", "symbol,from,until\nA,2023-01-03,2023-01-04\n");
    assert!(warnings(&[listed, before]).contains("`A` was suspended at a time when it was not listed"));
    let before = ("corporate_actions", "a.csv", "symbol,date,kind,cash\nA,2023-01-03,dividend,1\n");
    assert!(warnings(&[listed, before]).contains("`A` has an action at a time when it was not listed"));
}

#[test]
fn price_limits_are_shares_of_a_symbol_or_a_board() {
    let facts =
        good(DAILY, "price_limits", "symbol,board,from,until,up,down\n600001,,2024-01-03,,0.05,0.05\n,star,,,0.3,\n");
    let limit = |symbol: &str, date: &str| of(&facts, symbol).limit(day(date)).map(|limit| (limit.up, limit.down));
    assert_eq!(limit("600001", "2024-01-03"), Some((Some(500), Some(500))));
    assert_eq!((limit("600001", "2024-01-02"), limit("688001", "2024-01-02")), (None, Some((Some(3_000), None))));
    let reported = mistakes("price_limits", "symbol,board,up,down\nA,,10,0.1\n,,0.1,0.1\nA,main,0.1,0.1\n");
    assert!(reported.contains("write 0.1 for 10 %"), "{reported}");
    assert!(reported.contains("no share is named") && reported.contains("both `symbol` and `board` are given"));
}

#[test]
fn exceptions_name_rules_of_the_job_and_say_why() {
    let facts = good(DAILY, "exceptions", "symbol,rule,from,until,why\nA,spike,2024-01-03,2024-01-04,a real crash\n");
    assert_eq!(of(&facts, "A").exceptions("spike").count(), 1);
    let unknown = rendered(&facts.unknown_rules(&[Arc::from("spikes")]));
    assert!(unknown.contains("did you mean `spikes`?") && unknown.contains("facts.csv:2:3"), "{unknown}");
    assert!(facts.unknown_rules(&[Arc::from("spike")]).is_empty());
    assert!(mistakes("exceptions", "symbol,rule,why\nA,spike,\n").contains("`why` is empty"));
}

#[test]
fn of_many_mistakes_the_first_are_shown_and_the_others_counted() {
    let text = "symbol,from,until\n".to_owned() + &"A,x,\n".repeat(50);
    let reported = mistakes("suspensions", &text);
    assert_eq!(reported.matches("is not a date or time").count(), 20);
    assert!(reported.contains("30 more mistakes in `facts.csv`"), "{reported}");
}

#[test]
fn the_facts_have_an_identity_and_a_job_without_them_has_none() {
    let of = |text: &str| good(DAILY, "suspensions", text).sha256;
    let one = of("symbol,from,until\nA,2024-01-03,\n");
    assert_eq!((one.len(), read(DAILY, &[]).unwrap().sha256.len()), (64, 0));
    assert_ne!(one, of("symbol,from,until\nB,2024-01-03,\n"));
}

/// The document with the tables of columns as they are declared.
fn document(text: &str) -> String {
    let mut parts: Vec<String> = text.split("\n## ").map(str::to_owned).collect();
    for part in &mut parts {
        let Some(kind) = KINDS.iter().find(|kind| part.starts_with(&format!("`{}`\n", kind.key))) else { continue };
        let start = part.find("| column |").unwrap();
        let end = start + part[start..].find("\n\n").unwrap() + 1;
        part.replace_range(start..end, &kind.markdown());
    }
    parts.join("\n## ")
}

#[test]
fn the_document_has_every_column() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/facts.md");
    let text = std::fs::read_to_string(path).unwrap();
    let wanted = document(&text);
    assert!(KINDS.iter().all(|kind| wanted.contains(&kind.markdown())));
    if std::env::var_os("BARKEEP_REWRITE").is_some() {
        std::fs::write(path, &wanted).unwrap();
        return;
    }
    assert_eq!(text, wanted, "run this test with BARKEEP_REWRITE=1 to write the tables anew");
}
