//! A disk that is full at any write of a run, of a restore, of a report: nothing is lost, the message says what failed,
//! and with room the next call finishes. On a small file system of its own, page by page.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::Command;

use arrow::array::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::cli_support::{Project, Told};
use crate::support;

const PAGE: u64 = 4096;
/// Bad rows, of three times as many.
const BAD: usize = 40;
const FILLER: &str = "disk/filler";
const BARS: &str = "disk/bars.csv";

/// Bars of which every third contradicts itself.
fn bars() -> String {
    let mut text = "symbol,date,open,high,low,close,volume\n".to_owned();
    let first = chrono::NaiveDate::from_ymd_opt(2000, 1, 3).unwrap();
    for n in 0..3 * BAD {
        let (day, high) = (first + chrono::TimeDelta::days(i64::try_from(n).unwrap()), if n % 3 == 1 { 2 } else { 11 });
        writeln!(text, "A,{day},10,{high},9.5,10.5,{n}").unwrap();
    }
    text
}

fn is_bad(line: &str) -> bool {
    line.contains(",10,2,")
}

/// A project whose source, quarantine and reports lie on a file system of four megabytes.
struct Small {
    project: Project,
    original: String,
}

impl Small {
    /// `None`, and a line that says so, where mounting is not permitted.
    fn new() -> Option<Self> {
        let project = Project::new("");
        let disk = project.path("disk");
        fs::create_dir(&disk).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&disk).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("left out: a disk that is full: mounting is not permitted");
            return None;
        }
        project.edit("job.toml", "path = \"bars.csv\"", "path = \"disk/bars.csv\"");
        let folders = "dir = \"disk/reports\"\n\n[quarantine]\ndir = \"disk/quarantine\"";
        project.edit("job.toml", "dir = \"reports\"", folders);
        let small = Self { project, original: bars() };
        small.begin();
        Some(small)
    }

    /// The source as it was, and nothing beside it.
    fn begin(&self) {
        for entry in fs::read_dir(self.project.path("disk")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        self.project.write(BARS, &self.original);
    }

    /// Leaves room for so many pages.
    fn fill(&self, pages: u64) {
        let mut filler = File::create(self.project.path(FILLER)).unwrap();
        let free = || rustix::fs::statvfs(self.project.path("disk")).unwrap().f_bavail;
        while free() > pages {
            let page = vec![b'x'; usize::try_from(PAGE).unwrap()];
            filler.write_all(&page).unwrap();
        }
        assert_eq!(free(), pages);
    }

    fn make_room(&self) {
        fs::remove_file(self.project.path(FILLER)).unwrap();
    }

    fn source(&self) -> String {
        fs::read_to_string(self.project.path(BARS)).unwrap()
    }

    /// The lines of the rows in quarantine.
    fn kept(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        let files = support::parquet_files(&self.project.path("disk/quarantine"));
        for path in files.iter().filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.')) {
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
            for batch in reader {
                let batch = batch.unwrap();
                let raw = batch.column_by_name("raw").unwrap().as_binary::<i32>();
                lines.extend(raw.iter().flatten().map(|raw| String::from_utf8(raw.to_vec()).unwrap()));
            }
        }
        lines
    }

    /// The rows that reports name as moved.
    fn reported(&self) -> usize {
        #[derive(serde::Deserialize)]
        struct Action {
            quarantine_id: String,
            state: String,
        }
        let rows: Vec<Action> = support::table(&self.project.path("disk/reports"), "actions");
        let left =
            rows.iter().filter(|row| ["removed", "earlier_removed", "earlier_moved"].contains(&row.state.as_str()));
        left.map(|row| row.quarantine_id.as_str()).collect::<BTreeSet<_>>().len()
    }

    /// Every row is in the source, or, where it is a bad one, in quarantine; and the source is a whole file.
    fn holds(&self, what: &str) {
        let (source, kept) = (self.source(), self.kept());
        assert!(source == self.original || source == self.clean(), "{what}: the source is half a file:\n{source}");
        let there: BTreeSet<&str> = source.lines().collect();
        for line in self.original.lines() {
            assert!(there.contains(line) || (is_bad(line) && kept.contains(line)), "{what}: `{line}` is lost");
        }
    }

    fn clean(&self) -> String {
        self.original.lines().filter(|line| !is_bad(line)).fold(String::new(), |text, line| text + line + "\n")
    }

    fn bad(&self) -> BTreeSet<String> {
        self.original.lines().filter(|line| is_bad(line)).map(str::to_owned).collect()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let disk = self.project.path("disk");
        let unmount =
            |words: &[&str]| Command::new("umount").args(words).arg(&disk).status().is_ok_and(|s| s.success());
        if !unmount(&[]) {
            // Somebody is in it still; it goes when they do.
            unmount(&["--lazy"]);
        }
    }
}

/// What a call that found the disk full says: what it was doing to which file, and why that failed.
fn failed_at(output: &Told, what: &str) -> String {
    assert_eq!(output.code, Some(3), "{what}: {output:?}");
    assert!(output.err.contains("No space left on device"), "{what}: {output:?}");
    let error =
        output.err.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("{what}: {output:?}"));
    assert!(output.err.contains("`disk/"), "{what}: no file is named: {output:?}");
    error.split(|c: char| c.is_ascii_digit()).next().unwrap().to_owned()
}

/// Calls `words` with ever more room, from none on, until that is enough. `check` looks at what a call left that failed.
/// Gives the beginnings of the messages.
fn ladder(
    small: &Small,
    words: &[&str],
    mut begin: impl FnMut(),
    mut check: impl FnMut(&Told, &str),
) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for pages in 0.. {
        begin();
        small.fill(pages);
        let output = small.project.call(words);
        let what = format!("{words:?} with room for {pages} pages");
        if output.code != Some(3) {
            assert!(matches!(output.code, Some(0 | 1)), "{what}: {output:?}");
            assert!(pages > 2, "{what} is enough");
            small.make_room();
            break;
        }
        said.insert(failed_at(&output, &what));
        small.holds(&what);
        small.make_room();
        check(&output, &what);
    }
    said
}

#[test]
fn a_run_that_finds_the_disk_full_at_any_write_loses_nothing_and_the_next_one_finishes() {
    let Some(small) = Small::new() else { return };
    let mut moved = 0;
    let said = ladder(
        &small,
        &["run", "job.toml"],
        || small.begin(),
        |output, what| {
            if small.source() != small.original {
                moved += 1;
                // They left, or, where even the outcome could not be written down, may have.
                let counted = ["error: 40 rows had left", "whether 40 rows more did, the next run finds out first"];
                let reported = counted.iter().any(|words| output.err.contains(words));
                assert!(reported || output.out.contains("removed=40"), "{what}: {output:?}");
            }
            let output = small.project.call(&["run", "job.toml"]);
            assert!(matches!(output.code, Some(0 | 1)), "{what}: {output:?}");
            assert_eq!((small.source(), small.kept()), (small.clean(), small.bad()), "{what}");
            assert_eq!(small.reported(), BAD, "{what}: rows that left stand in no report");
            small.holds(what);
        },
    );
    assert!(moved > 0, "the report never failed after rows had left");
    assert!(said.len() > 3, "{said:#?}");
}

#[test]
fn a_restore_that_finds_the_disk_full_at_any_write_loses_nothing_and_the_next_one_finishes() {
    let Some(small) = Small::new() else { return };
    let words = ["quarantine", "restore", "job.toml", "--rule", "ohlc", "--confirm", "40"];
    let begin = || {
        small.begin();
        small.project.call(&["run", "job.toml"]).exits(1);
    };
    let said = ladder(&small, &words, begin, |_, what| {
        let output = small.project.call(&words);
        assert_eq!(output.code, Some(0), "{what}: {output:?}");
        assert_eq!(small.source(), small.original, "{what}");
    });
    assert_eq!(small.source(), small.original);
    assert!(said.len() > 1, "{said:#?}");
}

#[test]
fn a_report_that_finds_the_disk_full_is_whole_or_not_there() {
    let Some(small) = Small::new() else { return };
    let said = ladder(
        &small,
        &["check", "job.toml"],
        || small.begin(),
        |_, what| {
            small.project.call(&["check", "job.toml"]).exits(1);
            let shown = small.project.call(&["report", "show", "--dir", "disk/reports"]);
            assert!(shown.code == Some(0) && shown.out.contains("ohlc"), "{what}: {shown:?}");
        },
    );
    assert_eq!(small.source(), small.original);
    assert!(!said.is_empty());
}
