//! How the bars of a source lie, in which format and in how many files, changes no finding.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use arrow::array::RecordBatch;

use super::Project;
use crate::support::{Finding, package, take, typed_batch, write_parquet};

/// The bars of the demo, row by row.
struct Bars {
    header: String,
    rows: Vec<String>,
}

impl Bars {
    fn read() -> Self {
        let text = fs::read_to_string(package().join("jobs/demo/bars.csv")).unwrap();
        let mut lines = text.lines().map(str::to_owned);
        Self { header: lines.next().unwrap(), rows: lines.collect() }
    }

    fn symbol(&self, row: usize) -> &str {
        self.rows[row].split(',').next().unwrap()
    }

    fn csv(&self, order: &[usize]) -> String {
        let mut text = self.header.clone() + "\n";
        for row in order {
            writeln!(text, "{}", self.rows[*row]).unwrap();
        }
        text
    }

    fn parquet(&self) -> RecordBatch {
        self.parquet_with(&["symbol", "date"])
    }

    fn parquet_with(&self, texts: &[&str]) -> RecordBatch {
        let kind = |name: &str| if texts.contains(&name) { "text" } else { "number" };
        let header: Vec<String> = self.header.split(',').map(|name| format!("{name}:{}", kind(name))).collect();
        typed_batch(&format!("{}\n{}\n", header.join(","), self.rows.join("\n")))
    }

    /// The same with a column that nobody reads, which makes the file so large that its rows are distributed to threads.
    fn large_parquet(&self) -> RecordBatch {
        let rows = self.rows.iter().map(|row| format!("{row},{:->250}", row.replace(',', " ")));
        let notes = Self { header: format!("{},note", self.header), rows: rows.collect() };
        notes.parquet_with(&["symbol", "date", "note"])
    }

    /// Rows series by series; each series keeps its own order.
    fn by_series(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|row| self.symbol(*row));
        order
    }

    /// Rows of all series in turn; each series keeps its own order.
    fn in_turn(&self) -> Vec<usize> {
        let mut by_series: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        (0..self.rows.len()).for_each(|row| by_series.entry(self.symbol(row)).or_default().push(row));
        let longest = by_series.values().map(Vec::len).max().unwrap();
        (0..longest).flat_map(|turn| by_series.values().filter_map(move |rows| rows.get(turn).copied())).collect()
    }

    /// Rows in no order at all, the same one each time.
    fn shuffled(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        let mut state: u64 = 11;
        for end in (1..order.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(end, usize::try_from(state >> 33).unwrap() % (end + 1));
        }
        order
    }
}

/// The findings in the bars at `path`, and how barkeep saw them lie.
fn check(project: &Project, path: &str, threads: &str) -> (Vec<Finding>, String) {
    // One file: two jobs of one name would not share reports.
    let job = "jobs/arranged.toml";
    project.change("jobs/demo.toml", job, &[("demo/bars.csv", path)]);
    let (run, findings) = project.run(&["-v", "--threads", threads, "check", job]);
    let seen = run.log.split("arrangement=").nth(1).and_then(|rest| rest.split_whitespace().next());
    (findings, seen.expect("the log says the arrangement").to_owned())
}

fn ids(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().map(|finding| finding.finding_id.clone()).collect()
}

#[test]
fn how_bars_lie_and_in_how_many_files_changes_no_finding() {
    let project = Project::new(None);
    let bars = Bars::read();
    let (findings, seen) = check(&project, "demo/bars.csv", "2");
    let wanted = ids(&findings);
    assert_eq!((wanted.len(), seen.as_str()), (61, "Sorted"), "some symbols are misspelled within their series");
    let folder = project.path().join("jobs/demo");
    let (by_series, in_turn) = (bars.by_series(), bars.in_turn());
    let all = bars.parquet();
    let in_order = |order: &[usize]| take(&all, order.iter().copied());
    fs::write(folder.join("by-series.csv"), bars.csv(&by_series)).unwrap();
    fs::write(folder.join("in-turn.csv"), bars.csv(&in_turn)).unwrap();
    write_parquet(&folder.join("by-series.parquet"), &in_order(&by_series), 1_000);
    write_parquet(&folder.join("in-turn.parquet"), &in_order(&in_turn), 1_000);
    write_parquet(&folder.join("large.parquet"), &take(&bars.large_parquet(), by_series.iter().copied()), 5_000);
    for (name, order) in [("split", &by_series), ("split-in-turn", &in_turn)] {
        fs::create_dir(folder.join(name)).unwrap();
        // Series go on in the next file.
        for (number, rows) in order.chunks(order.len().div_ceil(7)).enumerate() {
            write_parquet(&folder.join(format!("{name}/{number}.parquet")), &in_order(rows), 500);
        }
    }
    for (path, on_one, on_three) in [
        ("by-series.csv", "InPlace", "InPlace"),
        ("in-turn.csv", "Sorted", "Sorted"),
        ("by-series.parquet", "InPlace", "InPlace"),
        ("in-turn.parquet", "Sorted", "Sorted"),
        ("large.parquet", "InPlace", "HashPartitioned"),
        ("split", "InPlace", "InPlace"),
        ("split-in-turn/*.parquet", "Sorted", "Sorted"),
    ] {
        for (threads, arrangement) in [("1", on_one), ("3", on_three)] {
            let (findings, seen) = check(&project, &format!("demo/{path}"), threads);
            assert_eq!(seen, arrangement, "{path}, {threads} threads");
            assert_eq!(ids(&findings), wanted, "{path}, {threads} threads");
        }
    }
}

#[test]
fn shuffled_rows_differ_in_findings_about_order_only() {
    let project = Project::new(None);
    let bars = Bars::read();
    fs::write(project.path().join("jobs/demo/shuffled.csv"), bars.csv(&bars.shuffled())).unwrap();
    // Which of two rows that differ is the copy is a question of their order.
    let conflict = |finding: &Finding| finding.cause.as_deref() == Some("conflicting");
    let about_order = |finding: &Finding| finding.check == "order" || conflict(finding);
    let rest = |findings: Vec<Finding>| findings.into_iter().partition::<Vec<_>, _>(about_order);
    let (of_order, wanted) = rest(check(&project, "demo/bars.csv", "2").0);
    let (of_shuffled, given) = rest(check(&project, "demo/shuffled.csv", "2").0);
    assert_eq!(ids(&given), ids(&wanted));
    let conflicts = |findings: &[Finding]| -> Vec<(String, Option<String>)> {
        findings.iter().filter(|f| conflict(f)).map(|f| (f.series.clone(), f.time.clone())).collect()
    };
    assert_eq!(conflicts(&of_shuffled), conflicts(&of_order));
    assert!(of_shuffled.len() > 1_000 && of_order.len() == 6, "only the shuffled file is out of order");
}
