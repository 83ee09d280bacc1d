//! One race: a folder with a file and a job, the loaders, barkeep beside them, and the comparison afterwards.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::calls::{Called, GROUP, OTHER, OWNER, barkeep, user};
use super::loader::{self, Order};
use super::messages::{Told, held_against};
use super::oracle::{self, Fault, Faults, Item, Written};
use super::plan::{Mode, Race, Who};
use super::rows::Bad;

/// How a race ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) faults: Faults,
    /// Rows that were moved beside the loaders.
    pub(crate) moved: u64,
    /// Rows that the loaders added.
    pub(crate) loaded: u64,
    /// All that barkeep said.
    pub(crate) said: String,
}

/// No call takes longer than this, in seconds.
const WRITER_TIMEOUT: u64 = 400;

struct Scene<'a> {
    race: &'a Race,
    /// The folder on the file system that is raced on.
    dir: TempDir,
    /// Where logs are, on another.
    side: TempDir,
    written: Written,
    output: Vec<Told>,
    faults: Faults,
}

/// Runs a race in a folder of its own below `at`. `idle`: barkeep finds nothing to move, so that every fault is a false one.
pub(crate) fn run(race: &Race, at: &Path, idle: bool) -> Ended {
    let mut scene = Scene::new(race, at, idle);
    if matches!(race.mode, Mode::Restore | Mode::KillRestore) {
        scene.runs();
    }
    let loaders = scene.loaders();
    std::thread::sleep(Duration::from_millis(race.head_start));
    match race.mode {
        Mode::Run | Mode::Pair => scene.runs(),
        Mode::Kill => {
            scene.killed(&["run", "f.toml"]);
            scene.runs();
        }
        Mode::Restore => scene.restores(),
        Mode::KillRestore => {
            // A file that is being rewritten cannot be read for a moment, or lacks its header, and then there is nothing
            // to confirm.
            if let Some(rows) = scene.would("f", &["--since", "2000-01-01"]).filter(|rows| *rows > 0) {
                let rows = rows.to_string();
                scene.killed(&["quarantine", "restore", "f.toml", "--since", "2000-01-01", "--confirm", &rows]);
            }
            scene.restores();
        }
    }
    std::thread::sleep(Duration::from_millis(race.rest));
    let loaded = scene.end(loaders);
    let moved = scene.items().len() as u64;
    scene.compare();
    let said = scene.said();
    Ended { faults: scene.faults, moved, loaded, said }
}

impl<'a> Scene<'a> {
    fn new(race: &'a Race, at: &Path, idle: bool) -> Self {
        let dir = tempfile::Builder::new().prefix("race-").tempdir_in(at).unwrap();
        let side = tempfile::tempdir().unwrap();
        mode(side.path(), 0o755);
        let mut scene = Self { race, dir, side, written: Written::default(), output: vec![], faults: vec![] };
        let (root, format) = (scene.dir.path(), race.format);
        for job in ["f", "g"] {
            fs::write(root.join(format!("{job}.toml")), job_text(job, format.name())).unwrap();
            let (field, min) = (if job == "f" { "close" } else { "open" }, if idle { -10 } else { 0 });
            let rule = format!(
                "[[rule]]\nid=\"{job}-pos\"\ncheck=\"range\"\nfield=\"{field}\"\nmin={min}\naction=\"quarantine\"\n"
            );
            fs::write(root.join(format!("{job}-rules.toml")), rule).unwrap();
        }
        let count = (race.size / 80).clamp(12, 20_000);
        // Few, so that no run moves more than a hundred: more than usual is refused.
        let bad = |n: usize| match (n % 7, race.mode == Mode::Pair, n % 3) {
            _ if n > 400 => Bad::No,
            (3, true, 0) => Bad::Both,
            (3, true, 1) => Bad::Open,
            (3, ..) => Bad::Close,
            _ => Bad::No,
        };
        let rows: Vec<String> = (0..count).map(|n| format.row(n as u64, bad(n), race.size / count)).collect();
        fs::write(root.join(format.name()), format.file(&rows)).unwrap();
        scene.written.add(&rows, is_bad);
        scene.give_away();
        scene
    }

    /// Owners and modes, as the race has them.
    fn give_away(&self) {
        let (root, file) = (self.dir.path(), self.file());
        let tmp = root.join("tmp");
        fs::create_dir(&tmp).unwrap();
        mode(&tmp, 0o777);
        match self.race.who {
            Who::OtherLoader => {
                mode(root, 0o777);
                mode(&file, 0o666);
            }
            Who::OtherBarkeep => {
                for folder in ["reports", "quarantine"] {
                    fs::create_dir(root.join(folder)).unwrap();
                    mode(&root.join(folder), 0o700);
                    std::os::unix::fs::chown(root.join(folder), Some(OTHER), Some(OTHER)).unwrap();
                }
                for path in [root, &file] {
                    std::os::unix::fs::chown(path, Some(OWNER), Some(GROUP)).unwrap();
                }
                mode(root, 0o2775);
                mode(&file, 0o660);
            }
            Who::Same | Who::OtherNamespace => {}
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(self.race.format.name())
    }

    fn jobs(&self) -> &'static [&'static str] {
        if self.race.mode == Mode::Pair { &["f", "g"] } else { &["f"] }
    }

    fn loaders(&self) -> Vec<(Child, PathBuf)> {
        let before = match self.race.who {
            Who::OtherLoader | Who::OtherBarkeep => user(OWNER),
            Who::Same | Who::OtherNamespace => Vec::new(),
        };
        let start = |number: u64| {
            let order = Order {
                kind: self.race.kind,
                format: self.race.format,
                file: self.file(),
                log: self.side.path().join(format!("log-{number}")),
                stop: self.side.path().join("stop"),
                burst: self.race.burst,
                pause: self.race.pause,
                ambush: self.race.ambush,
                first: (number + 1) * 10_000_000,
            };
            (loader::start(&order, &before), order.log)
        };
        (0..self.race.loaders).map(start).collect()
    }

    /// Ends the loaders, and takes down what they wrote.
    fn end(&mut self, loaders: Vec<(Child, PathBuf)>) -> u64 {
        File::create(self.side.path().join("stop")).unwrap();
        let mut loaded = 0;
        for (mut child, log) in loaders {
            child.wait().unwrap();
            match loader::written(&log) {
                Ok(rows) => {
                    loaded += rows.len() as u64;
                    self.written.add(&rows, is_bad);
                }
                Err(error) => self.faults.push((Fault::Broken, 1, format!("loader: {error}"))),
            }
        }
        loaded
    }

    /// What is compared when nobody writes any more.
    fn compare(&mut self) {
        let (format, appends) = (self.race.format, self.race.kind.appends());
        let before = self.look();
        // Late rows are looked for by every run.
        self.runs();
        let seen = self.look();
        let missing: BTreeSet<u64> =
            oracle::missing(&before, &self.written).union(&oracle::missing(&seen, &self.written)).copied().collect();
        let gone = oracle::named_or_lost(&missing, self.dir.path(), format, &self.said());
        let lost = !gone.is_empty();
        self.faults.extend(gone);
        self.faults.extend(oracle::too_many(
            &seen,
            &self.written,
            |_| if appends { 1 } else { u64::MAX },
            "after the run",
        ));
        self.late();
        let (seen, items) = (self.look(), self.items());
        let restored = matches!(self.race.mode, Mode::Restore | Mode::KillRestore);
        self.faults.extend(oracle::quarantine(&items, &seen, &self.written, format, appends && !restored));
        self.faults.extend(held_against(&self.output, &items, self.race));
        let missing = oracle::missing(&seen, &self.written);
        if !missing.is_empty() && !lost {
            self.faults.push((Fault::NotBroughtBack, missing.len() as u64, format!("{missing:?}")));
        }
        // A loader that writes all of its rows again brings back what was taken, to be taken once more.
        let left = |id: u64| items.iter().filter(|item| item.id == id).count() as u64;
        let most = move |id: u64| if appends { 1 } else { 1 + left(id) };
        self.faults.extend(oracle::too_many(&seen, &self.written, most, "after restore --late"));
        for job in self.jobs() {
            self.restore(job, &["--since", "2000-01-01"]);
        }
        let seen = self.look();
        let lost = self.written.rows.iter().filter(|(id, (_, bad))| *bad && !seen.rows.contains_key(id)).count() as u64;
        if lost > 0 {
            self.faults.push((Fault::BadLost, lost, "not put back by restore".to_owned()));
        }
        self.faults.extend(oracle::too_many(&seen, &self.written, most, "after restore"));
        for output in self.output.iter().filter(|output| output.hung || output.err.contains("panicked")) {
            self.faults.push((Fault::Broken, 1, output.text()));
        }
    }

    fn look(&self) -> oracle::Seen {
        oracle::look(&self.file(), self.race.format, &self.written)
    }

    fn said(&self) -> String {
        self.output.iter().map(Told::text).collect()
    }

    fn items(&self) -> Vec<Item> {
        let mut all = Vec::new();
        for job in self.jobs() {
            let to = self.dir.path().join(format!("tmp/{job}.ndjson"));
            fs::remove_file(&to).ok();
            let mut command =
                self.command(&["quarantine", "export", &format!("{job}.toml"), "-o", &to.display().to_string()]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            all.extend(oracle::items(&fs::read_to_string(to).unwrap_or_default()));
        }
        all
    }

    /// barkeep, as the user it is in this race.
    fn command(&self, args: &[&str]) -> Command {
        let words = match self.race.who {
            Who::OtherBarkeep => user(OTHER),
            Who::OtherNamespace => {
                ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"].map(str::to_owned).to_vec()
            }
            Who::Same | Who::OtherLoader => Vec::new(),
        };
        barkeep(words, self.dir.path(), args)
    }

    fn spawn(&self, args: &[&str]) -> Called {
        let number = fs::read_dir(self.side.path()).unwrap().count();
        let files = ["out", "err"].map(|end| self.side.path().join(format!("{number}.{end}")));
        let [out, err] = files.each_ref().map(|path| File::create(path).unwrap());
        let child = self.command(args).stdout(out).stderr(err).spawn().unwrap();
        Called { child, files, args: args.iter().map(|word| (*word).to_owned()).collect() }
    }

    fn call(&mut self, args: &[&str]) -> usize {
        let called = self.spawn(args);
        self.output.push(called.wait(Duration::from_secs(WRITER_TIMEOUT), false));
        self.output.len() - 1
    }

    fn killed(&mut self, args: &[&str]) {
        let called = self.spawn(args);
        self.output.push(called.wait(Duration::from_millis(self.race.kill), true));
    }

    /// `run` of every job, at once where there are two.
    fn runs(&mut self) {
        let format = if self.race.json { "json" } else { "text" };
        let mut calls = Vec::new();
        for job in self.jobs() {
            calls.push(self.spawn(&["run", &format!("{job}.toml"), "--format", format]));
            std::thread::sleep(Duration::from_millis(self.race.kill % 50));
        }
        for call in calls {
            let mut output = call.wait(Duration::from_secs(WRITER_TIMEOUT), false);
            if output.code == Some(3) {
                output.note(&self.items());
            }
            self.output.push(output);
        }
    }

    fn restores(&mut self) {
        self.restore("f", &["--since", "2000-01-01"]);
        self.late();
    }

    /// How many rows `quarantine restore` would put back; none where it does not say.
    fn would(&mut self, job: &str, which: &[&str]) -> Option<u64> {
        let job = format!("{job}.toml");
        let output = self.call(&[&["quarantine", "restore", &job], which, &["--dry-run", "--format", "json"]].concat());
        self.output[output].object("restore")?["rows"].as_u64()
    }

    fn restore(&mut self, job: &str, which: &[&str]) -> bool {
        let Some(rows) = self.would(job, which).filter(|rows| *rows > 0) else { return false };
        let (job, rows) = (format!("{job}.toml"), rows.to_string());
        let output = self.call(&[&["quarantine", "restore", &job], which, &["--confirm", &rows]].concat());
        self.output[output].code == Some(0)
    }

    /// Brings back what came too late, as long as there is some.
    fn late(&mut self) {
        for job in self.jobs() {
            let mut tries = 0;
            while tries < 5 && self.restore(job, &["--late"]) {
                tries += 1;
            }
        }
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

fn is_bad(row: &str) -> bool {
    row.contains(",-1,") || row.contains(":-1,")
}

/// A job over a file.
pub(super) fn job_text(name: &str, file: &str) -> String {
    format!(
        r#"name = "{name}"
rules = ["{name}-rules.toml"]
[source.files]
path = "{file}"
[bars]
series = ["symbol"]
interval = "1d"
time = {{ field = "date", formats = ["%Y-%m-%d"] }}
[report]
dir = "reports"
[limits]
rows = 1_000_000
fraction = 1.0
series_fraction = 1.0
"#
    )
}
