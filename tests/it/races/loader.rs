//! A loader: a process of its own that adds rows to a file in one of the ways that loaders have, and keeps a log of every
//! row it has completely written.
//!
//! It is this test binary once more, so that nothing else has to be installed. It ends when a file named `stop` is there,
//! never in the middle of a write, so that its log is whole.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::rows::{Bad, Format};

const VARIABLE: &str = "BARKEEP_TEST_LOADER";

/// How a loader adds rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Opens, appends with one write, closes.
    Append,
    /// Keeps the file open for good, and appends through the descriptor.
    Hold,
    /// Keeps the file open for twenty rows, then opens it again.
    Reopen,
    /// Knows all rows, writes a whole new file, and renames it over the old one.
    Replace,
    /// Knows all rows, cuts the file to nothing, and writes all of them again.
    Truncate,
    /// Reads what is there, adds to it, and renames the result over the file, as `sed -i` does.
    Sed,
}

impl Kind {
    /// It only ever adds bytes at the end.
    pub(crate) fn appends(self) -> bool {
        matches!(self, Self::Append | Self::Hold | Self::Reopen)
    }
}

/// What a loader is reported.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) kind: Kind,
    pub(crate) format: Format,
    /// The file it adds to.
    pub(crate) file: PathBuf,
    /// Where it writes down what it wrote.
    pub(crate) log: PathBuf,
    /// The file whose presence ends it.
    pub(crate) stop: PathBuf,
    /// Rows that it adds one after the other without a pause.
    pub(crate) burst: u64,
    /// The pause after that, in microseconds.
    pub(crate) pause: u64,
    /// It waits until names in the folder of the file have changed so many times, and adds a few rows so many
    /// microseconds later: in the moment in which a file is exchanged.
    pub(crate) ambush: Option<(u64, u64)>,
    /// The number of its first row.
    pub(crate) first: u64,
}

/// Starts a loader, `before` which other commands may stand, and waits until it is about to write.
pub(crate) fn start(order: &Order, before: &[String]) -> Child {
    File::create(&order.log).unwrap();
    let anybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(&order.log, anybody).unwrap();
    let program = std::env::current_exe().unwrap();
    let test = ["--exact", "races::loader::main", "--ignored", "--nocapture"];
    let words: Vec<String> = before.iter().cloned().chain([program.display().to_string()]).collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(test).env(VARIABLE, serde_json::to_string(order).unwrap());
    let mut child =
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while fs::read(&order.log).unwrap().is_empty() {
        let waited = began.elapsed() > Duration::from_mins(1) || child.try_wait().unwrap().is_some();
        assert!(!waited, "the loader does not begin: {order:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

/// The rows that a loader has completely written, or what stopped it.
pub(crate) fn written(log: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(log).map_err(|error| error.to_string())?;
    match text.lines().find(|line| line.starts_with("error ")) {
        Some(error) => Err(error.to_owned()),
        None => Ok(text.lines().skip(1).map(str::to_owned).collect()),
    }
}

#[test]
#[ignore = "is the loader that the races start; does nothing by itself"]
fn main() {
    let Ok(order) = std::env::var(VARIABLE) else { return };
    let order: Order = serde_json::from_str(&order).unwrap();
    let mut log = OpenOptions::new().append(true).open(&order.log).unwrap();
    if let Err(error) = load(&order, &mut log) {
        writeln!(log, "error {error}").unwrap();
    }
}

fn load(order: &Order, log: &mut File) -> std::io::Result<()> {
    let format = order.format;
    let mut held = matches!(order.kind, Kind::Hold | Kind::Reopen).then(|| open(&order.file)).transpose()?;
    let mut known = match order.kind {
        Kind::Replace | Kind::Truncate => format.rows(&fs::read(&order.file)?),
        _ => Vec::new(),
    };
    writeln!(log, "ready")?;
    let mut next = order.first;
    let (mut before, mut seen, mut rounds) = (names(order), 0, 1);
    while !order.stop.exists() {
        if let Some((changes, delay)) = order.ambush.filter(|_| rounds == 0) {
            seen += u64::from(changed(order, &mut before));
            if seen <= changes {
                continue;
            }
            (seen, rounds) = (0, 8);
            std::thread::sleep(Duration::from_micros(delay));
        }
        rounds = u64::saturating_sub(rounds, 1);
        for _ in 0..order.burst {
            // Few, so that no run moves more than a hundred: more than usual is refused.
            let bad = if next % 16 == 5 && next - order.first < 160 { Bad::Close } else { Bad::No };
            let row = format.row(next, bad, 0);
            let added = std::slice::from_ref(&row);
            match order.kind {
                Kind::Append => open(&order.file)?.write_all(&format.tail(added))?,
                Kind::Hold | Kind::Reopen => {
                    if order.kind == Kind::Reopen && next.is_multiple_of(20) {
                        held = Some(open(&order.file)?);
                    }
                    held.as_mut().ok_or(std::io::ErrorKind::NotFound)?.write_all(&format.tail(added))?;
                }
                Kind::Replace => {
                    known.push(row.clone());
                    replace(order, &format.file(&known))?;
                }
                Kind::Truncate => {
                    known.push(row.clone());
                    File::create(&order.file)?.write_all(&format.file(&known))?;
                }
                Kind::Sed => {
                    let mut now = format.rows(&fs::read(&order.file)?);
                    now.push(row.clone());
                    replace(order, &format.file(&now))?;
                }
            }
            log.write_all(format!("{row}\n").as_bytes())?;
            next += 1;
        }
        std::thread::sleep(Duration::from_micros(order.pause));
    }
    Ok(())
}

/// How many names there are beside the file, and where barkeep keeps its journal, as far as the loader may look.
fn names(order: &Order) -> usize {
    let folder = order.file.parent().unwrap_or(Path::new("/"));
    let folders = [folder.to_path_buf(), folder.join("quarantine/job=f"), folder.join("quarantine/job=f/journal")];
    folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).map(Iterator::count).sum()
}

/// Waits a moment for another number of names.
fn changed(order: &Order, before: &mut usize) -> bool {
    for _ in 0..200 {
        let now = names(order);
        if now != *before {
            *before = now;
            return true;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    false
}

/// As `>>` opens a file.
fn open(file: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(file)
}

fn replace(order: &Order, bytes: &[u8]) -> std::io::Result<()> {
    let new = order.file.with_file_name(format!(".loader-{}", order.first));
    fs::write(&new, bytes)?;
    fs::rename(new, &order.file)
}
