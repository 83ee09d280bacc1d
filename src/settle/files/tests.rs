//! Rows that leave files and come back, compared by raw bytes.

mod crashes;
mod parquet_files;
mod refusals;
mod restoring;
mod text_files;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::*;
use crate::settle::item::State;
use crate::source::Format;
use crate::source::testing::Fixture;

type Hook = Box<dyn FnMut(&Path) -> Result<(), Errno>>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// What happens right before names are exchanged.
pub(super) fn before_exchange(source: &Path) -> Result<(), Errno> {
    HOOK.with(|hook| hook.borrow_mut().as_mut().map_or(Ok(()), |hook| hook(source)))
}

/// Lets `hook` act right before names are exchanged, while the value lives.
struct Hooked;

impl Hooked {
    fn new(hook: impl FnMut(&Path) -> Result<(), Errno> + 'static) -> Self {
        HOOK.with(|slot| *slot.borrow_mut() = Some(Box::new(hook)));
        Self
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        HOOK.with(|slot| slot.borrow_mut().take());
    }
}

const AT: i64 = 1_700_000_000_000_000;
const DAY: i64 = 86_400_000_000;

/// One source file and a quarantine.
struct World {
    fixture: Fixture,
    quarantine: tempfile::TempDir,
    original: Vec<u8>,
}

impl World {
    fn new(format: Format, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let original = bytes.as_ref().to_vec();
        let fixture = Fixture::new(format, &[(name, bytes)]);
        Self { fixture, quarantine: tempfile::tempdir().unwrap(), original }
    }

    fn csv(text: &str) -> Self {
        Self::new(Format::Csv, "a.csv", text)
    }

    fn source(&self) -> &Path {
        &self.fixture.set.files[0]
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.source()).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    fn place(&self) -> Place<'_> {
        Place { dir: self.quarantine.path(), job: "j" }
    }

    fn settle(&self, rows: &[u64]) -> Result<Outcome, FilesError> {
        self.settle_as("20260101T000000Z-aaaa", AT, rows)
    }

    fn settle_as(&self, run_id: &str, at: i64, rows: &[u64]) -> Result<Outcome, FilesError> {
        self.settle_known(&identify(self.source())?, run_id, at, rows, &|| false)
    }

    fn settle_known(
        &self,
        file: &FileIdentity,
        run_id: &str,
        at: i64,
        rows: &[u64],
        stop: &dyn Fn() -> bool,
    ) -> Result<Outcome, FilesError> {
        let rows: Vec<Condemned> = rows.iter().map(|row| condemned(*row)).collect();
        let retention = Retention { quarantine: at + 90 * DAY, delete: at + 7 * DAY };
        let set = &self.fixture.set;
        settle(self.place(), &Order { run_id, plan_id: "p", at, retention, set, file, rows: &rows }, stop)
    }

    fn restore(&self, ids: &[String]) -> Restored {
        let run = Run { id: "20260102T000000Z-bbbb", at: AT + DAY };
        restore(self.place(), ids, false, run).unwrap()
    }

    fn ids(&self) -> Vec<String> {
        items(self.place()).unwrap().into_iter().map(|item| item.id).collect()
    }

    fn states(&self) -> Vec<State> {
        items(self.place()).unwrap().into_iter().map(|item| item.state).collect()
    }

    /// Names beside the source that are not the source.
    fn strangers(&self) -> Vec<String> {
        let own = self.source().file_name().unwrap().to_string_lossy().into_owned();
        place::names(self.fixture.dir.path()).unwrap().into_iter().filter(|name| *name != own).collect()
    }

    /// How often each row is in the source.
    fn keys(&self) -> HashMap<u128, u64> {
        swap::keys_in(self.source(), &self.fixture.set).unwrap()
    }

    /// Everything below the quarantine folder.
    fn stored(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.quarantine.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for name in place::names(&folder).unwrap() {
                let path = folder.join(name);
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

fn condemned(row: u64) -> Condemned {
    let reason =
        Reason { id: "r".to_owned(), hash: "h".to_owned(), why: Some("why".to_owned()), finding_id: "f".to_owned() };
    Condemned {
        row,
        sha256: None,
        row_key: format!("k{row}"),
        series: "S".to_owned(),
        time: Some(AT),
        action: Action::Quarantine,
        reasons: vec![reason],
    }
}
