//! Files: CSV, packed CSV, NDJSON and Parquet, in every state that a removal or a restore can be left in.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::{LIST, copy, output, plan, states};
use crate::cli_support::{Project, Told};
use crate::support::files;

/// A fixture at work: the journal names the source by its absolute path, which is written anew.
struct Case {
    project: Project,
    /// What the source is called.
    source: String,
}

impl Case {
    fn new(name: &str) -> Self {
        let project = copy("files", name);
        let (from, to) = (format!("/srv/bars/{name}"), project.root().to_str().unwrap().to_owned());
        for path in files(&project.path("quarantine")) {
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, text.replace(&from, &to)).unwrap();
            }
        }
        let sources = ["bars.csv", "bars.csv.gz", "bars.ndjson", "bars.parquet"];
        let source = sources.into_iter().find(|source| project.path(source).exists()).unwrap().to_owned();
        Self { project, source }
    }

    fn call(&self, args: &[&str]) -> Told {
        self.project.call(args)
    }

    #[track_caller]
    fn holds(&self, expected: &[(&str, u64)]) {
        assert_eq!(states(&self.call(&LIST).exits(0)), output(expected));
    }

    fn restore(&self, rows: u64) -> Told {
        let rows = rows.to_string();
        self.call(&["quarantine", "restore", "job.toml", "--since", "2000-01-01", "--confirm", &rows]).exits(0)
    }

    fn purge(&self, rows: u64) -> Told {
        let rows = rows.to_string();
        self.call(&["quarantine", "purge", "job.toml", "--older-than", "0d", "--confirm", &rows]).exits(0)
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.project.path(&self.source)).unwrap()
    }

    /// The source before the earlier version touched it.
    fn before(&self) -> Vec<u8> {
        fs::read(self.project.path(&self.source.replace("bars", "before"))).unwrap()
    }

    /// Whether the source is as it was before, byte for byte.
    #[track_caller]
    fn is_back(&self) {
        assert!(self.bytes() == self.before(), "{} is not what it was", self.source);
    }
}

/// Fixtures whose rows are all away, and how many there are.
const AWAY: &[(&str, u64)] = &[
    ("csv-removed", 5),
    ("csv-duplicates", 1),
    ("csv-removed-twice", 6),
    ("csv-gz-removed", 4),
    ("ndjson-removed", 4),
    ("parquet-removed", 4),
    ("csv-deleted-and-removed", 6),
    ("csv-kept", 4),
];

/// Those of them whose rows are expired.
const EXPIRED: &[&str] =
    &["csv-removed", "csv-duplicates", "csv-removed-twice", "csv-gz-removed", "ndjson-removed", "parquet-removed"];

#[test]
fn removed_rows_are_listed_and_come_back_byte_for_byte() {
    for (name, rows) in AWAY {
        let case = Case::new(name);
        case.holds(&[("removed", *rows)]);
        assert_ne!(case.bytes(), case.before(), "{name}");
        case.restore(*rows);
        case.is_back();
        case.holds(&[("restored", *rows)]);
    }
}

#[test]
fn removed_rows_come_back_one_by_one() {
    for (name, rows) in AWAY.iter().filter(|(name, _)| name.starts_with("csv-") && !name.contains("gz")) {
        let case = Case::new(name);
        let items = case.call(&LIST).exits(0).json();
        for item in &items {
            let id = item["id"].as_str().unwrap();
            case.call(&["quarantine", "restore", "job.toml", id, "--confirm", "1"]).exits(0);
        }
        case.is_back();
        case.holds(&[("restored", *rows)]);
    }
}

#[test]
fn expired_rows_are_erased_and_the_source_stays() {
    for (name, rows) in AWAY.iter().filter(|(name, _)| EXPIRED.contains(name)) {
        let case = Case::new(name);
        let source = case.bytes();
        assert_eq!(
            case.purge(*rows).out,
            format!(
                "{rows} of {rows} {} erased; 0 more are that old and still to be kept (`[quarantine] keep`, or they were put back)\n",
                if *rows == 1 { "row was" } else { "rows were" }
            )
        );
        assert_eq!(case.bytes(), source, "{name}");
        case.holds(&[]);
    }
}

#[test]
fn rows_that_are_to_be_kept_stay() {
    let case = Case::new("csv-kept");
    let purged = case.purge(0).out;
    assert!(purged.starts_with("0 of 0 rows were erased; 4 more are that old"), "{purged}");
    case.holds(&[("removed", 4)]);
}

#[test]
fn what_came_back_before_is_back_still() {
    for name in ["csv-restored", "parquet-restored"] {
        let case = Case::new(name);
        case.holds(&[("restored", 4)]);
        case.is_back();
        case.restore(0);
        case.purge(0);
        case.is_back();
    }
}

#[test]
fn the_rest_of_a_removal_comes_back() {
    let case = Case::new("csv-partly-restored");
    case.holds(&[("removed", 2), ("restored", 2)]);
    case.restore(2);
    case.is_back();
    case.holds(&[("restored", 4)]);
}

#[test]
fn what_was_cut_short_is_finished_and_comes_back() {
    for name in ["csv-killed-after-exchange", "csv-killed-after-intent"] {
        let case = Case::new(name);
        case.holds(&[("removing", 4)]);
        case.call(&["run", "job.toml"]);
        // What had not been exchanged is closed, and done anew; see below for the items of that.
        assert_eq!(states(&case.call(&LIST))["removed"], 4);
        assert_ne!(case.bytes(), case.before(), "{name}");
        case.restore(4);
        case.is_back();
        assert_eq!(states(&case.call(&LIST))["restored"], 4);
    }
}

#[test]
fn what_was_cut_short_is_finished_and_erased() {
    for (name, items) in [("csv-killed-after-exchange", 4), ("csv-killed-after-intent", 8)] {
        let case = Case::new(name);
        case.call(&["run", "job.toml"]);
        let source = case.bytes();
        case.purge(items);
        case.holds(&[]);
        assert_eq!(case.bytes(), source, "{name}");
    }
}

#[test]
fn a_removal_of_which_nothing_but_the_copy_was_made_is_closed_and_done_anew() {
    let case = Case::new("csv-killed-after-quarantine");
    case.holds(&[("copied", 4)]);
    case.is_back();
    case.call(&["run", "job.toml"]);
    // The names of items hold the folder of their source, so here the new removal makes items of its own.
    assert_eq!(states(&case.call(&LIST))["removed"], 4);
    assert_ne!(case.bytes(), case.before());
    case.restore(4);
    case.is_back();
}

#[test]
fn a_restore_that_was_cut_short_is_finished() {
    let case = Case::new("csv-killed-restoring");
    case.is_back();
    case.holds(&[("removed", 4)]);
    case.restore(4);
    case.is_back();
    case.holds(&[("restored", 4)]);
}

#[test]
fn a_plan_is_applied() {
    for name in ["csv-planned", "parquet-planned"] {
        let case = Case::new(name);
        case.holds(&[]);
        let source = case.project.path(&case.source);
        let now = fs::metadata(&source).unwrap();
        let (plan, confirmation) = plan(&case.project, |head| {
            let file = &mut head["source"]["files"][0];
            file["path"] = source.to_str().unwrap().into();
            (file["device"], file["inode"]) = (now.dev().into(), now.ino().into());
        });
        case.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
        case.holds(&[("removed", 4)]);
        case.restore(4);
        case.is_back();
    }
}
