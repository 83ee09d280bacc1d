//! Rows that leave files and come back, compared by raw bytes.

mod crashes;
mod hooked;
mod parquet_files;
mod refusals;
mod restoring;
mod simulation;
mod text_files;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::quarantine::item::State;
use crate::source::Format;
use crate::source::testing::Fixture;
use hooked::Hooked;
use open::Open;

const AT: i64 = 1_700_000_000_000_000;
const DAY: i64 = 86_400_000_000;

/// One source file and a quarantine.
struct World {
    fixture: Fixture,
    quarantine: tempfile::TempDir,
    original: Vec<u8>,
    hooked: Hooked,
    disk: Disk,
    writers: Writers,
}

impl World {
    fn new(format: Format, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let original = bytes.as_ref().to_vec();
        let fixture = Fixture::new(format, &[(name, bytes)]);
        let hooked = Hooked::new();
        let disk = hooked.disk();
        Self { fixture, quarantine: tempfile::tempdir().unwrap(), original, hooked, disk, writers: Writers::Any }
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
        Place { disk: &self.disk, dir: self.quarantine.path(), job: "j" }
    }

    fn identify(&self) -> FileIdentity {
        identify(&self.disk, self.source()).unwrap()
    }

    /// The source, open.
    fn open(&self) -> Open {
        Open::at(&self.disk, self.source()).unwrap()
    }

    fn remove(&self, rows: &[u64]) -> Result<Outcome, FilesError> {
        self.remove_as("20260101T000000Z-aaaa", AT, rows)
    }

    fn remove_as(&self, run_id: &str, at: i64, rows: &[u64]) -> Result<Outcome, FilesError> {
        self.remove_known(&self.identify(), run_id, at, rows, &|| false)
    }

    fn remove_known(
        &self,
        file: &FileIdentity,
        run_id: &str,
        at: i64,
        rows: &[u64],
        stop: &dyn Fn() -> bool,
    ) -> Result<Outcome, FilesError> {
        let rows: Vec<Rejected> = rows.iter().map(|row| rejected(*row)).collect();
        let retention = Retention { quarantine: at + 90 * DAY, delete: at + 7 * DAY };
        remove(self.place(), &self.order(file, run_id, at, retention, &rows), stop)
    }

    fn order<'a>(
        &'a self,
        file: &'a FileIdentity,
        run_id: &'a str,
        at: i64,
        retention: Retention,
        rows: &'a [Rejected],
    ) -> Order<'a> {
        let (set, writer_timeout) = (&self.fixture.set, WriterTimeout(Duration::from_secs(5)));
        Order { run_id, plan_id: "p", at, retention, set, file, rows, writers: self.writers, writer_timeout }
    }

    fn restore(&self, ids: &[String]) -> Restored {
        restore(self.place(), ids, false, self.run("20260102T000000Z-bbbb")).unwrap()
    }

    fn run<'a>(&self, id: &'a str) -> Run<'a> {
        Run { id, at: AT + DAY, writers: self.writers, writer_timeout: WriterTimeout(Duration::from_secs(5)) }
    }

    fn recover(&self) -> Vec<Recovered> {
        let recovery = recover(self.place()).unwrap();
        assert!(recovery.failed.is_empty(), "{:?}", recovery.failed);
        recovery.done
    }

    fn purge(&self, older_than: i64, now: i64, dry_run: bool) -> Purged {
        let limits = Limits { older_than, now, originals_before: now - 90 * DAY };
        purge(self.place(), limits, dry_run).unwrap()
    }

    fn items(&self) -> Vec<Item> {
        let listed = items(self.place()).unwrap();
        assert!(listed.damaged.is_empty(), "{:?}", listed.damaged);
        listed.items
    }

    fn ids(&self) -> Vec<String> {
        self.items().into_iter().map(|item| item.id).collect()
    }

    fn states(&self) -> Vec<State> {
        self.items().into_iter().map(|item| item.state).collect()
    }

    /// Names beside the source that are not the source. The lock of a run that was cut short before it had begun stays
    /// until the next one takes it.
    fn strangers(&self) -> Vec<String> {
        let lock = |name: &String| name.ends_with(".barkeep-lock");
        self.beside().into_iter().filter(|name| !lock(name)).collect()
    }

    /// All names beside the source.
    fn beside(&self) -> Vec<String> {
        let own = self.source().file_name().unwrap().to_string_lossy().into_owned();
        let names = self.disk.names(self.fixture.dir.path()).unwrap();
        names.into_iter().map(|name| name.into_string().unwrap()).filter(|name| *name != own).collect()
    }

    /// How often each row is in the source.
    fn keys(&self) -> HashMap<u128, u64> {
        finish::keys_in(&self.open(), &self.fixture.set).unwrap()
    }

    /// Everything below the quarantine folder.
    fn stored(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.quarantine.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for name in self.disk.names(&folder).unwrap() {
                let path = folder.join(name);
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

fn rejected(row: u64) -> Rejected {
    let reason =
        Reason { id: "r".to_owned(), hash: "h".to_owned(), why: Some("why".to_owned()), finding_id: "f".to_owned() };
    Rejected {
        row,
        sha256: None,
        row_key: format!("k{row}"),
        series: "S".to_owned(),
        time: Some(AT),
        action: Action::Quarantine,
        reasons: vec![reason],
    }
}

/// A loader: opens the file to append, which waits for a lease, and says when it has written. Comes back when the loader
/// waits: it has found the file before the names are exchanged.
fn append(source: &Path, rows: &'static str, done: std::sync::mpsc::Sender<()>) {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", fs::metadata(source).unwrap().ino());
    let source = source.to_path_buf();
    std::thread::spawn(move || {
        let mut file = fs::OpenOptions::new().append(true).open(source).unwrap();
        std::io::Write::write_all(&mut file, rows.as_bytes()).unwrap();
        drop(file);
        done.send(()).ok();
    });
    let waits = |line: &str| line.contains("LEASE") && line.contains("BREAKING") && line.contains(&inode);
    while !fs::read_to_string("/proc/locks").unwrap().lines().any(waits) {
        std::thread::sleep(Duration::from_micros(200));
    }
}
