//! Collections: their dumps get the database and the UUID that they had, so that not a byte of an item is changed.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, doc};

use super::{LIST, copy, output, plan, states};
use crate::cli_support::{Project, Told};
use crate::mongo::server::{Database, KINDS, Server};

/// The databases have the names they had, and a server has each name once: tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A fixture at work on a server.
struct Case {
    project: Project,
    database: Database,
    _turn: MutexGuard<'static, ()>,
}

impl Case {
    /// Runs `test` over the fixture on each kind of server there is.
    fn each(name: &str, test: impl Fn(&Self)) {
        for server in KINDS.into_iter().filter_map(Server::get) {
            test(&Self::new(server, name));
        }
    }

    fn new(server: &'static Server, name: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let project = copy("mongodb", name);
        let database = Database { server, name: format!("bars_{}", name.replace('-', "_")) };
        database.command(doc! { "dropDatabase": 1 });
        let case = Self { project, database, _turn: turn };
        let uuid = Binary { subtype: BinarySubtype::Uuid, bytes: case.uuid() };
        let create = doc! {
            "op": "c", "ns": format!("{}.$cmd", case.database.name), "ui": uuid, "o": { "create": "quotes" },
        };
        case.database.command(doc! { "applyOps": [create] });
        for collection in ["quotes", "quotes_quarantine", "barkeep_runs"] {
            let documents = case.dump(collection);
            if !documents.is_empty() {
                case.database.insert(collection, &documents);
            }
        }
        case
    }

    /// The UUID of the collection, as the plan has it.
    fn uuid(&self) -> Vec<u8> {
        let plans = self.project.files("reports/plans");
        let text = fs::read_to_string(&plans[0]).unwrap();
        let head: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let hex = head["source"]["mongodb"]["uuid"].as_str().unwrap();
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// The documents of a dump: one behind another, each with its length in front.
    fn dump(&self, name: &str) -> Vec<RawDocumentBuf> {
        let Ok(bytes) = fs::read(self.project.path(&format!("{name}.bson"))) else { return Vec::new() };
        let (mut rest, mut documents) = (bytes.as_slice(), Vec::new());
        while let Some(length) = rest.first_chunk() {
            let (document, behind) = rest.split_at(usize::try_from(i32::from_le_bytes(*length)).unwrap());
            documents.push(RawDocumentBuf::from_bytes(document.to_vec()).unwrap());
            rest = behind;
        }
        documents
    }

    fn call(&self, args: &[&str]) -> Told {
        let mut command = self.project.command(args);
        command.env("EARLIER_URI", self.database.uri()).env("EARLIER_DATABASE", &self.database.name);
        self.project.output(command.output().unwrap())
    }

    #[track_caller]
    fn holds(&self, expected: &[(&str, u64)]) {
        assert_eq!(states(&self.call(&LIST).exits(0)), output(expected));
    }

    fn restore(&self, rows: u64) {
        let rows = rows.to_string();
        self.call(&["quarantine", "restore", "job.toml", "--since", "2000-01-01", "--confirm", &rows]).exits(0);
    }

    fn purge(&self, rows: u64) {
        let rows = rows.to_string();
        self.call(&["quarantine", "purge", "job.toml", "--older-than", "0d", "--confirm", &rows]).exits(0);
    }

    /// Whether the collection is as it was before, byte for byte.
    #[track_caller]
    fn is_back(&self) {
        assert!(self.database.documents("quotes") == self.dump("before"), "the collection is not what it was");
    }

    /// Whether the rows without a date are away and all others are as they were.
    #[track_caller]
    fn is_clean(&self) {
        assert!(self.database.documents("quotes") == self.dump("before")[..20], "the good rows are not what they were");
    }
}

#[test]
fn removed_rows_are_listed_and_come_back_byte_for_byte() {
    Case::each("removed", |case| {
        case.holds(&[("removed", 10)]);
        case.is_clean();
        case.restore(10);
        case.is_back();
        case.holds(&[("restored", 10)]);
    });
}

#[test]
fn expired_rows_are_erased_and_the_source_stays() {
    Case::each("removed", |case| {
        case.purge(10);
        case.holds(&[]);
        case.is_clean();
    });
}

#[test]
fn rows_that_came_back_before_stay_where_they_are() {
    Case::each("restored", |case| {
        case.holds(&[("restored", 10)]);
        case.restore(0);
        case.call(&["run", "job.toml"]);
        case.is_back();
        case.holds(&[("restored", 10)]);
        case.purge(0);
        case.is_back();
    });
}

#[test]
fn what_was_cut_short_is_finished_and_comes_back() {
    for name in ["killed-after-delete", "killed-before-delete"] {
        Case::each(name, |case| {
            case.holds(&[("removing", 10)]);
            case.call(&["run", "job.toml"]);
            case.holds(&[("removed", 10)]);
            case.is_clean();
            assert_eq!(case.database.count("barkeep_runs", doc! { "kind": "run", "sealed": false }), 0);
            case.restore(10);
            case.is_back();
        });
    }
}

#[test]
fn a_plan_is_applied() {
    Case::each("planned", |case| {
        case.holds(&[]);
        let (plan, confirmation) = plan(&case.project, |head| {
            head["source"]["mongodb"]["server"] = format!("mongodb://{}", case.database.server.address()).into();
        });
        case.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
        case.holds(&[("removed", 10)]);
        case.is_clean();
        case.restore(10);
        case.is_back();
    });
}
