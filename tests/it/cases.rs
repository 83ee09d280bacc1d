//! Small jobs with everything they find, in `tests/cases`: one folder a behaviour, at least one a check.
//!
//! A folder holds jobs, rules, bars and `expected.txt`: commands (`$ barkeep check job.toml`), each followed by what it
//! must give, line by line. Each command runs in a fresh copy of the folder. A file called `x.csv.gz.plain`,
//! `x.csv.zst.plain` or `x.parquet.plain` is text here and `x.csv.gz`, … in the copy, so that inputs can be read; how
//! columns of Parquet files are typed is said in `support::typed_batch`.
//!
//! `BARKEEP_BLESS=1 cargo test --test it cases::` writes what is given now into `expected.txt`; read it before you keep it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use barkeep::checks::CHECKS;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{self, Finding, Run, copy_folder, files, package};

/// The command of a folder that does not name one.
const USUAL: &str = "barkeep check job.toml";

/// One command of a case and what it must give.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    command: String,
    lines: Vec<String>,
}

/// A row of the table `actions`.
#[expect(clippy::struct_field_names, reason = "these are the names of the columns")]
#[derive(Debug, Deserialize)]
struct Action {
    finding_ids: String,
    locator: String,
    action: String,
    state: String,
}

fn folder(name: &str) -> PathBuf {
    package().join("tests/cases").join(name)
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder("")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read_blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("$ "), blocks.last_mut()) {
            (Some(command), _) => blocks.push(Block { command: command.to_owned(), lines: Vec::new() }),
            (None, Some(block)) => block.lines.push(line.to_owned()),
            (None, None) => panic!("`expected.txt` begins with a command, e.g. `$ {USUAL}`, not with `{line}`"),
        }
    }
    blocks
}

fn written(blocks: &[Block]) -> String {
    let block = |block: &Block| format!("$ {}\n{}\n", block.command, block.lines.join("\n"));
    blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// A copy of the folder of a case, in which its files are packed.
fn prepared(case: &str) -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    copy_folder(&folder(case), &temp.path().join("case"));
    for plain in files(temp.path()).into_iter().filter(|path| path.extension().is_some_and(|end| end == "plain")) {
        pack(&plain, &plain.with_extension(""));
        fs::remove_file(plain).unwrap();
    }
    temp
}

fn pack(plain: &Path, target: &Path) {
    let text = fs::read_to_string(plain).unwrap();
    match target.extension().and_then(|end| end.to_str()) {
        Some("gz") => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text.as_bytes()).unwrap();
            fs::write(target, encoder.finish().unwrap()).unwrap();
        }
        Some("zst") => fs::write(target, zstd::encode_all(text.as_bytes(), 3).unwrap()).unwrap(),
        Some("parquet") => support::write_parquet(target, &support::typed_batch(&text), 4),
        other => panic!("nothing packs {other:?}"),
    }
}

/// Runs a command of a case; the findings are those of its run.
fn run(case: &str, command: &str) -> (Run, Vec<Finding>, Vec<Action>) {
    let temp = prepared(case);
    let mut args = command.split(' ');
    assert_eq!(args.next(), Some("barkeep"), "a command of `{case}` is not a command of barkeep: {command}");
    let run = Run::new(&temp.path().join("case"), &args.collect::<Vec<_>>());
    let reports = temp.path().join("reports");
    let findings = support::findings(&reports, run.id());
    (run, findings, support::table(&reports, "actions"))
}

/// What a command of a case gives, line by line.
fn given(case: &str, command: &str) -> Vec<String> {
    let (run, findings, actions) = run(case, command);
    let counts = |name: &str| (name.to_owned(), run.count(&format!("/rows/{name}")));
    let parts = ["clean", "flagged", "parse_errors", "to_quarantine", "to_delete", "kept"].map(counts);
    let parts = parts.iter().filter(|(_, rows)| *rows > 0).map(|(name, rows)| format!("{rows} {name}"));
    let parts = parts.collect::<Vec<_>>().join(" + ");
    let mut lines = vec![format!("exit {}, {} rows = {parts}", run.exit, run.count("/rows/read"))];
    lines.extend(run.summary["refusals"].as_array().unwrap().iter().map(|refusal| format!("refused: {refusal}")));
    lines.extend(rules(&run));
    lines.extend(findings.iter().map(Finding::line));
    lines.extend(actions.iter().map(|action| copied(action, &findings)));
    lines
}

/// What each rule evaluated, in the order of their ids.
fn rules(run: &Run) -> Vec<String> {
    let count = |rule: &Value, name: &str| rule[name].as_u64().unwrap();
    let part = |rule: &Value, name: &str| match count(rule, name) {
        0 => String::new(),
        rows => format!(", {rows} {name}"),
    };
    let line = |rule: &Value| {
        let id = rule["id"].as_str().unwrap();
        let parts = [part(rule, "insufficient"), part(rule, "excused")].concat();
        format!("{id}: {} evaluated{parts}{}", count(rule, "evaluated"), of_facts(rule))
    };
    let mut lines: Vec<String> = run.summary["rules"].as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

/// The bars that each fact excused.
fn of_facts(rule: &Value) -> String {
    let excused = rule["excused_by"].as_object().into_iter().flatten();
    excused.map(|(fact, counts)| format!(", {} bars {fact}", counts["bars"])).collect()
}

fn copied(action: &Action, findings: &[Finding]) -> String {
    let ids: Vec<String> = serde_json::from_str(&action.finding_ids).unwrap();
    let rule = |id: &String| findings.iter().find(|finding| finding.finding_id == *id).map(|f| f.rule_id.clone());
    let rules: Vec<String> = ids.iter().map(|id| rule(id).expect("a finding of this run")).collect();
    format!("{} @{} to {} by {}", action.state, action.locator, action.action, rules.join(", "))
}

/// Where the case goes wrong, if it does; `bless` makes it right.
fn wrong(case: &str, bless: bool) -> Option<String> {
    let path = folder(case).join("expected.txt");
    let expected = fs::read_to_string(&path).unwrap_or_else(|_| format!("$ {USUAL}\n"));
    let expected = read_blocks(&expected);
    let block = |block: &Block| Block { command: block.command.clone(), lines: given(case, &block.command) };
    let now: Vec<Block> = expected.iter().map(block).collect();
    if now == expected {
        return None;
    }
    if bless {
        fs::write(path, written(&now)).unwrap();
        return None;
    }
    let blocks = expected.iter().zip(&now).filter(|(expected, now)| expected != now);
    let texts = blocks.map(|(expected, now)| format!("{case}: $ {}\n{}", now.command, difference(expected, now)));
    Some(texts.collect::<Vec<_>>().join("\n"))
}

fn difference(expected: &Block, now: &Block) -> String {
    let gone = expected.lines.iter().filter(|line| !now.lines.contains(line)).map(|line| format!("  - {line}"));
    let new = now.lines.iter().filter(|line| !expected.lines.contains(line)).map(|line| format!("  + {line}"));
    let lines: Vec<String> = gone.chain(new).collect();
    if lines.is_empty() { "  the same lines in another order or number".to_owned() } else { lines.join("\n") }
}

#[test]
fn every_case_gives_what_is_expected() {
    let bless = std::env::var_os("BARKEEP_BLESS").is_some();
    let open = Mutex::new(names());
    let wrongs = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(case) = { open.lock().unwrap().pop() } {
                    wrongs.lock().unwrap().extend(wrong(&case, bless));
                }
            });
        }
    });
    let mut wrongs = wrongs.into_inner().unwrap();
    wrongs.sort();
    assert!(wrongs.is_empty(), "{}\nif this is right: BARKEEP_BLESS=1 cargo test --test it cases::", wrongs.join("\n"));
}

#[test]
fn every_check_has_a_case_that_shows_what_it_flags() {
    // A case is one run; that which compares runs has tests of its own, in `cli::history`.
    for check in CHECKS.iter().filter(|check| check.name() != "history") {
        let name = check.name();
        let text = fs::read_to_string(folder(name).join("rules.toml"));
        let rules: toml::Table = toml::from_str(&text.unwrap_or_else(|_| panic!("`{name}` has no case"))).unwrap();
        let rules = rules["rule"].as_array().unwrap().iter().filter(|rule| rule["check"].as_str() == Some(name));
        let ids: BTreeSet<&str> = rules.map(|rule| rule["id"].as_str().unwrap()).collect();
        let expected = fs::read_to_string(folder(name).join("expected.txt")).unwrap();
        let shown = |id: &&str| expected.lines().any(|line| line.starts_with(&format!("{id} ")));
        assert!(ids.iter().any(shown), "the case `{name}` shows no finding of the check");
    }
}

#[test]
fn order_format_and_packing_of_a_source_change_no_finding() {
    let blocks = read_blocks(&fs::read_to_string(folder("same-bars").join("expected.txt")).unwrap());
    assert!(blocks.len() >= 8, "a job each for files in order, mixed, packed, split, JSON, and Parquet");
    let ids = |block: &Block| {
        let (_, findings, _) = run("same-bars", &block.command);
        findings.into_iter().map(|finding| (finding.finding_id, finding.rule_id)).collect::<BTreeMap<_, _>>()
    };
    let first = ids(&blocks[0]);
    assert_eq!(first.len(), 11);
    for block in &blocks[1..] {
        assert_eq!(ids(block), first, "{}", block.command);
    }
}

#[test]
fn the_case_of_windows_line_ends_has_them() {
    let bytes = fs::read(folder("bom-crlf").join("input.csv")).unwrap();
    assert!(bytes.starts_with(b"\xef\xbb\xbf"), "an editor took the byte order mark away");
    assert!(bytes.windows(2).filter(|pair| pair == b"\r\n").count() > 4, "an editor took the line ends away");
}
