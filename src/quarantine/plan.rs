//! What a run would take out of its source: a list with a checksum of rows, each with the bytes it had, and of what they are
//! rows.
//!
//! A plan is a text file: a line for the head, a line a row, and a line with the SHA-256 of everything before it. A plan
//! that was edited does not open. Nothing selects rows by a condition once there is a plan.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::item::Reason;
use crate::decide::Action;
use crate::durable::{self, Disk};
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// The version of the format.
const VERSION: u32 = 1;
/// How many digits of the checksum a person confirms a plan with.
const CONFIRMED: usize = 8;

/// What is to leave a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What it is about.
    pub head: Head,
    /// The rows, in the order of their places in the source.
    pub rows: Vec<PlanRow>,
    /// SHA-256 (hex) over head and rows as written.
    pub checksum: String,
}

/// What a plan is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the format.
    pub version: u32,
    /// The run that made it, which is its name.
    pub plan_id: String,
    /// The job.
    pub job: String,
    /// The job file, as an absolute path.
    pub job_file: PathBuf,
    /// SHA-256 of the rules.
    pub rules_sha256: String,
    /// The rules that reject its rows.
    pub rules: Vec<PlanRule>,
    /// The source.
    pub source: SourceIdentity,
    /// Rows read.
    pub read: u64,
    /// Rows to be removed.
    pub rows: u64,
    /// What was known when it was made: the moment the source was read.
    pub as_of: UtcMicros,
    /// From when on it is too old.
    pub expires_at: UtcMicros,
    /// The limits it breaks, in words: such a plan wants a person's confirmation.
    pub refusals: Vec<String>,
}

/// A rule that rejects rows of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRule {
    /// Its identifier.
    pub id: String,
    /// SHA-256 of what decides its verdicts.
    pub hash: String,
    /// Why it exists.
    pub why: Option<String>,
}

/// Which source the rows of a plan are rows of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceIdentity {
    /// A collection.
    Mongodb {
        /// The server, without credentials.
        server: String,
        /// `database.collection`.
        namespace: String,
        /// The UUID of the collection (hex): one that was dropped and made again has another.
        uuid: String,
    },
    /// Files, by their index.
    Files(Vec<PlanFile>),
}

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// Its name as the job gives it.
    pub name: String,
    /// Its absolute path.
    pub path: PathBuf,
    /// The device it lay on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 (hex) of its bytes.
    pub sha256: String,
}

/// A row that is to leave its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// Where it is.
    pub at: Place,
    /// Where it stands in a text file, for people: the line, and in a JSON document the byte in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<String>,
    /// SHA-256 (hex) of its bytes; `None` for a row of Parquet, whose file is hashed as a whole.
    pub sha256: Option<String>,
    /// Identity of the row, stable over runs.
    pub row_key: String,
    /// The series key.
    pub series: String,
    /// Its timestamp, µs UTC; `None` where it has none that can be read.
    pub time: Option<i64>,
    /// What is to be done.
    pub action: Action,
    /// What was found of it: index into the rules of the head, and the finding.
    pub found: Vec<(usize, String)>,
}

/// Where a row is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The `_id` of a document (hex): its element type and bytes.
    Id(String),
    /// A row of a file.
    Row {
        /// Index of the file.
        file: usize,
        /// The row, from 1.
        row: u64,
    },
}

/// Why a plan cannot be written or opened.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is no such file, or it cannot be read.
    #[error("cannot read the plan `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write the plan `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not a plan.
    #[error("`{}` line {line} is not part of a plan: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// It is not as it was written.
    #[error("the plan `{}` was changed after it was written", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// It is of another version of barkeep.
    #[error("the plan `{}` is of version {found}, and this is version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

impl Head {
    /// The version that [`Plan::new`] writes.
    pub const VERSION: u32 = VERSION;
}

impl Plan {
    /// Seals `rows` under `head`.
    ///
    /// # Errors
    /// A value that JSON cannot hold.
    pub fn new(head: Head, rows: Vec<PlanRow>) -> Result<Self, serde_json::Error> {
        let mut hash = Sha256::new();
        lines(&head, &rows, |line| hash.update(line))?;
        Ok(Self { checksum: durable::hex(&hash.finalize()), head, rows })
    }

    /// What a person types to confirm it: `<first 8 digits of the checksum>:<rows>`.
    pub fn confirmation(&self) -> String {
        format!("{}:{}", self.checksum.get(..CONFIRMED).unwrap_or(&self.checksum), self.rows.len())
    }

    /// Every rule that rejected a row of the plan.
    pub fn reasons(&self, row: &PlanRow) -> Vec<Reason> {
        let reason = |(rule, finding): &(usize, String)| {
            let rule = self.head.rules.get(*rule)?;
            let finding_id = finding.clone();
            Some(Reason { id: rule.id.clone(), hash: rule.hash.clone(), why: rule.why.clone(), finding_id })
        };
        row.found.iter().filter_map(reason).collect()
    }

    /// Writes the plan to `path`, readable by its owner only, in place of what is there, whole or not at all.
    ///
    /// # Errors
    /// The disk does not take it; then there is no plan, or it may be gone after a power failure.
    pub fn write(&self, path: &Path) -> Result<(), PlanError> {
        self.write_on(&Disk::system(), path)
    }

    /// [`Plan::write`] on a file system of the caller's.
    fn write_on(&self, disk: &Disk, path: &Path) -> Result<(), PlanError> {
        let failed = |source| PlanError::Write { path: path.to_path_buf(), source };
        disk.make_folders(durable::folder_of(path)).map_err(failed)?;
        let written = disk.write_with(path, |out| {
            let mut written = Ok(());
            lines(&self.head, &self.rows, |line| {
                if written.is_ok() {
                    written = out.write_all(line);
                }
            })?;
            written?;
            writeln!(out, "{}", serde_json::json!({ "checksum": self.checksum }))
        });
        written.map_err(failed)
    }

    /// Opens the plan at `path`.
    ///
    /// # Errors
    /// It is not there, is not a plan, or was changed after it was written.
    pub fn open(path: &Path) -> Result<Self, PlanError> {
        let read = |source| PlanError::Read { path: path.to_path_buf(), source };
        let text = fs::read_to_string(path).map_err(read)?;
        let malformed = |line: usize, reason: String| PlanError::Malformed { path: path.to_path_buf(), line, reason };
        let body = text.trim_end_matches('\n');
        let Some((before, last)) = body.rsplit_once('\n') else {
            return Err(malformed(1, "it has no checksum; make the plan again".to_owned()));
        };
        let covered = &text[..=before.len()];
        let count = before.lines().count();
        let line: Checksum = serde_json::from_str(last).map_err(|error| malformed(count + 1, error.to_string()))?;
        if line.checksum != durable::hex(&durable::sha256(covered.as_bytes())) {
            return Err(PlanError::Broken { path: path.to_path_buf() });
        }
        let mut lines = before.lines().zip(1..);
        let head = lines.next().map_or("", |(line, _)| line);
        let version: Version = serde_json::from_str(head).map_err(|error| malformed(1, error.to_string()))?;
        if version.version != VERSION {
            return Err(PlanError::Version { path: path.to_path_buf(), found: version.version });
        }
        let head: Head = serde_json::from_str(head).map_err(|error| malformed(1, error.to_string()))?;
        let row = |(line, number)| serde_json::from_str(line).map_err(|error| malformed(number, error.to_string()));
        let rows: Vec<PlanRow> = lines.map(row).collect::<Result<_, _>>()?;
        if head.rows != rows.len() as u64 {
            return Err(malformed(1, format!("it tells of {} and has {}", counted(head.rows, "row"), rows.len())));
        }
        Ok(Self { head, rows, checksum: line.checksum })
    }
}

#[derive(Deserialize)]
struct Checksum {
    #[serde(alias = "seal")]
    checksum: String,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The lines that the checksum is of.
fn lines(head: &Head, rows: &[PlanRow], mut line: impl FnMut(&[u8])) -> Result<(), serde_json::Error> {
    let mut text = serde_json::to_vec(head)?;
    text.push(b'\n');
    line(&text);
    for row in rows {
        text.clear();
        serde_json::to_writer(&mut text, row)?;
        text.push(b'\n');
        line(&text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::durable::faulty::{disk, every_call};
    use crate::durable::simulated::World;

    fn plan() -> Plan {
        let head = Head {
            version: VERSION,
            plan_id: "20261120T023000Z-k7f3".into(),
            job: "quotes".into(),
            job_file: "/jobs/quotes.toml".into(),
            rules_sha256: "ab".into(),
            rules: vec![PlanRule { id: "date".into(), hash: "cd".into(), why: Some("no date".into()) }],
            source: SourceIdentity::Mongodb {
                server: "mongodb://127.0.0.1".into(),
                namespace: "d.c".into(),
                uuid: "00".into(),
            },
            read: 10,
            rows: 2,
            as_of: UtcMicros(1_700_000_000_000_000),
            expires_at: UtcMicros(1_700_600_000_000_000),
            refusals: Vec::new(),
        };
        let row = |id: &str| PlanRow {
            stands: None,
            at: Place::Id(id.into()),
            sha256: Some("ef".repeat(32)),
            row_key: id.into(),
            series: "A".into(),
            time: None,
            action: Action::Quarantine,
            found: vec![(0, format!("f{id}"))],
        };
        Plan::new(head, vec![row("07aa"), row("07bb")]).unwrap()
    }

    #[test]
    fn a_plan_opens_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plans/a.plan");
        let plan = plan();
        plan.write(&path).unwrap();
        assert_eq!(Plan::open(&path).unwrap(), plan);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(plan.confirmation(), format!("{}:2", &plan.checksum[..8]));
        let reasons = plan.reasons(&plan.rows[1]);
        assert_eq!((reasons[0].id.as_str(), reasons[0].finding_id.as_str()), ("date", "f07bb"));
    }

    #[test]
    fn a_plan_is_whole_or_not_there_whichever_call_fails() {
        let path = Path::new("/data/plans/a.plan");
        let plan = plan();
        let failed = every_call(|at, fault| {
            let world = World::new(3);
            world.put_folder("/data");
            let (disk, calls) = disk(world.process(), at, fault);
            let written = plan.write_on(&disk, path);
            let reported = format!("{fault:?} of call {at}, {:?}: {written:?}", calls.failed());
            let copy = tempfile::NamedTempFile::new().unwrap();
            let there = world.contents(path).map(|bytes| fs::write(copy.path(), bytes).unwrap());
            assert!(there.is_none() || Plan::open(copy.path()).unwrap() == plan, "{reported}");
            assert!(there.is_some() || written.is_err(), "{reported}");
            assert!(written.is_ok() || !(calls.failed().is_none() || fault.is_invisible()), "{reported}");
            calls
        });
        assert!(failed > 30, "{failed} calls failed");
    }

    #[test]
    fn any_changed_byte_breaks_the_checksum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.plan");
        plan().write(&path).unwrap();
        let good = fs::read(&path).unwrap();
        let covered = good.len() - 75;
        for at in (0..covered).step_by(7) {
            let mut bytes = good.clone();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            fs::write(&path, &bytes).unwrap();
            assert!(Plan::open(&path).is_err(), "byte {at}");
        }
        fs::write(&path, &good[..good.len() / 2]).unwrap();
        assert!(Plan::open(&path).is_err(), "cut short");
        let text = String::from_utf8(good).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        fs::write(&path, [lines[0], lines[2], lines[3]].join("\n")).unwrap();
        assert!(matches!(Plan::open(&path), Err(PlanError::Broken { .. })), "a row taken out");
    }

    #[test]
    fn what_is_no_plan_is_reported_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.plan");
        assert!(matches!(Plan::open(&path), Err(PlanError::Read { .. })));
        fs::write(&path, "name = \"job\"\nrules = []\n").unwrap();
        assert!(matches!(Plan::open(&path), Err(PlanError::Malformed { line: 2, .. })));
        fs::write(&path, "").unwrap();
        assert!(matches!(Plan::open(&path), Err(PlanError::Malformed { line: 1, .. })));
    }
}
