//! `docs/accuracy.md`, from what was measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::base::BASES;
use super::kinds::Kind;
use super::measure::Counted;
use super::prints::{self, Flagged};
use super::real::{FILES, File, Said};
use crate::data::injected;
use crate::support::Finding;

/// What is said before the numbers.
const TOP: &str = "\
# Accuracy

What the rules that ship (`rules/ohlcv.toml` and the set of the market) find and what they flag wrongly, measured on real
bars. A test writes this document and fails when a number is no longer what stands here:

    cargo test --test it accuracy::                       # compares
    BARKEEP_REWRITE=1 cargo test --test it accuracy::     # writes it anew

The files are looked for in `BARKEEP_DATA`, else in `../shared/data` beside the package; without them the test says that it
was left out. Faults are put in by a generator (ChaCha20) with the seed `reporting`. Rules and checks are made better by the
seed `tuning` (`cargo test --test it accuracy::faults_of_tuning -- --ignored --nocapture`), whose faults are of other bars; its
numbers do not stand here.
";

/// Findings of a rule that are listed with their words: warnings in real files, and any in files with faults.
const LISTED: usize = 8;
const LISTED_OF_FAULTS: usize = 3;

/// The whole document.
pub(super) fn text(data: &Path, kinds: &[Kind], counted: &[Counted]) -> String {
    let mut text = TOP.to_owned();
    bad_prints(data, &mut text);
    faults(kinds, counted, &mut text);
    not_found(kinds, counted, &mut text);
    false_findings(counted, &mut text);
    real_files(data, &mut text);
    injected_file(data, &mut text);
    text
}

/// A share in per cent, rounded down: 100 % is all.
fn percent(part: usize, all: usize) -> String {
    (part * 100).checked_div(all).map_or_else(|| "-".to_owned(), |percent| format!("{percent} %"))
}

fn bad_prints(data: &Path, text: &mut String) {
    text.push_str(
        "
## Bad prints that a second vendor contradicts

`us_equity_daily.bad_prints.json` lists the bars of AAPL, GOOG and IBM whose high, low or open a second vendor contradicts by
more than 3 %. False is a flagged bar on which both vendors agree within 1 % in all four prices. Each line is `bar-excess` with
one limit, or all rules that ship but `split`, whose findings are splits.

| limit | beyond 3 % | beyond 5 % | beyond 10 % | opens | false | flagged, with WMI |
|---|---|---|---|---|---|---|
",
    );
    let rules = prints::of_rules(data, &prints::limits());
    let shipped = prints::of_shipped(data);
    for flagged in rules.iter().chain([&shipped]) {
        let [three, five, ten] = flagged.beyond.map(|(found, all)| format!("{found} of {all}"));
        let opens = format!("{} of {}", flagged.opens.0, flagged.opens.1);
        let rule = flagged
            .rule
            .strip_prefix("limit-")
            .map_or(flagged.rule.clone(), |limit| limit.replace('-', ".").replace(".peers", " with `peers`"));
        let (wrong, all) = (flagged.false_bars.len(), flagged.all);
        writeln!(text, "| {rule} | {three} | {five} | {ten} | {opens} | {wrong} | {all} |").unwrap();
    }
    let bars = |flagged: &Flagged| {
        let bars: Vec<String> = flagged.false_bars.iter().map(|(symbol, date)| format!("{symbol} {date}")).collect();
        if bars.is_empty() { "none".to_owned() } else { bars.join(", ") }
    };
    writeln!(text, "\nFalse, of the rules that ship: {}.", bars(&shipped)).unwrap();
}

fn faults(kinds: &[Kind], counted: &[Counted], text: &mut String) {
    writeln!(text, "\n## Faults put into real bars\n\n{} kinds, in these files:\n", kinds.len()).unwrap();
    for base in BASES {
        writeln!(text, "- `{}`: {}.", base.name, base.what).unwrap();
    }
    text.push_str(
        "
A fault is found where a finding of severity warn or error is about its bar, or begins or ends at its seam where the fault
lasts. What is found in the same file without faults does not count. False is a finding about bars that no fault touches.

| kind | what is wrong | file | put in | found | recall | false | found by |
|---|---|---|---|---|---|---|---|
",
    );
    let what: BTreeMap<&str, &str> = kinds.iter().map(|kind| (kind.name, kind.what)).collect();
    for one in counted {
        let mut rules: Vec<(&String, &usize)> = one.rules.iter().collect();
        rules.sort_by_key(|(rule, faults)| (std::cmp::Reverse(**faults), *rule));
        let rules: Vec<String> = rules.iter().map(|(rule, faults)| format!("{rule} {faults}")).collect();
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            one.kind,
            what[one.kind],
            one.base,
            one.injected,
            one.found,
            percent(one.found, one.injected),
            one.false_findings.len(),
            rules.join(", ")
        )
        .unwrap();
    }
    let sum = |of: fn(&Counted) -> usize| counted.iter().map(of).sum::<usize>();
    let (put_in, found) = (sum(|one| one.injected), sum(|one| one.found));
    let (right, wrong) = (sum(|one| one.right), sum(|one| one.false_findings.len()));
    writeln!(
        text,
        "\nOf all {put_in} faults {found} were found: {}. Of {} findings {wrong} were false: a precision of {}.",
        percent(found, put_in),
        right + wrong,
        percent(right, right + wrong)
    )
    .unwrap();
}

/// Kinds of which fewer than nine in ten are found, with the reason.
fn not_found(kinds: &[Kind], counted: &[Counted], text: &mut String) {
    text.push_str("\n### What is not found, and why\n\nKinds of which fewer than nine in ten are found.\n\n");
    text.push_str("| kind | file | recall | why |\n|---|---|---|---|\n");
    for one in counted.iter().filter(|one| one.found * 10 < one.injected * 9) {
        let why = kinds.iter().find(|kind| kind.name == one.kind).and_then(|kind| kind.why);
        let recall = percent(one.found, one.injected);
        let why = why.unwrap_or(match one.found {
            0 => "no rule that ships looks for it",
            _ => "the rules that find the others take it for usual",
        });
        writeln!(text, "| `{}` | {} | {recall} | {why} |", one.kind, one.base).unwrap();
    }
}

/// Findings about bars that no fault touches.
fn false_findings(counted: &[Counted], text: &mut String) {
    text.push_str("\n### Findings about bars that no fault touches\n\n");
    text.push_str("The first of each kind and rule; most are about bars beside a fault, which it made look wrong.\n\n");
    text.push_str("| kind | file | rule | findings | the first |\n|---|---|---|---|---|\n");
    for one in counted {
        let mut by_rule: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        one.false_findings.iter().for_each(|finding| by_rule.entry(&finding.rule_id).or_default().push(finding));
        for (rule, findings) in by_rule {
            let first = findings[0];
            let first = format!("{} {} {}", first.series, first.key(), first.cause.as_deref().unwrap_or_default());
            writeln!(text, "| `{}` | {} | {rule} | {} | {} |", one.kind, one.base, findings.len(), first.trim())
                .unwrap();
        }
    }
}

fn real_files(data: &Path, text: &mut String) {
    text.push_str("\n## Files as they are\n\nThe jobs of `jobs/examples`, each with the rules it names.\n\n");
    text.push_str("| file | bars | rule | severity | findings | per 10,000 bars |\n|---|---|---|---|---|---|\n");
    let said: Vec<(&File, Said)> = FILES.iter().map(|file| (file, file.check(data))).collect();
    for (file, said) in &said {
        for ((severity, rule), findings) in &said.rules {
            let share = findings.len() as f64 * 10_000.0 / said.rows as f64;
            let (file, rows, count) = (file.file, said.rows, findings.len());
            writeln!(text, "| {file} | {rows} | {rule} | {severity} | {count} | {share:.1} |").unwrap();
        }
    }
    for (file, said) in &said {
        let listed = if file.is_real() { LISTED } else { LISTED_OF_FAULTS };
        let errors = if file.is_real() { "Errors all, warnings" } else { "Of errors and warnings" };
        writeln!(text, "\n### {}\n\n{errors} the {listed} highest of a rule.\n", file.file).unwrap();
        for ((severity, rule), findings) in &said.rules {
            let most = if severity == "error" && file.is_real() { usize::MAX } else { listed };
            for finding in findings.iter().take(most) {
                writeln!(text, "- {severity} {rule}: {}", file.message(finding)).unwrap();
            }
            if findings.len() > most {
                writeln!(text, "- {severity} {rule}: {} more", findings.len() - most).unwrap();
            }
        }
    }
}

fn injected_file(data: &Path, text: &mut String) {
    let classes = injected::by_class(data);
    let sum = |of: fn(&injected::ByClass) -> usize| classes.iter().map(of).sum::<usize>();
    let (put_in, found, shipped) = (sum(|one| one.injected), sum(|one| one.found), sum(|one| one.shipped));
    write!(
        text,
        "
## Three years of two shares with {put_in} faults

`injected_us_daily.csv`: {found} of {put_in} are found by the rule that is for them, with the rule of
`tests/it/data/injected.toml` for small spikes; {shipped} of {put_in} by rules that ship.

| class | put in | found | by rules that ship |
|---|---|---|---|
"
    )
    .unwrap();
    for one in &classes {
        writeln!(text, "| {} | {} | {} | {} |", one.class, one.injected, one.found, one.shipped).unwrap();
    }
}
