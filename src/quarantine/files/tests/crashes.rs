//! A crash at every point of the protocol, and at every point of the recovery from it.

use std::collections::BTreeSet;

use super::*;
use crate::quarantine::crash::testing::{crash_at, reached};

const TEXT: &str = "s,n\nA,1\n\nB,2\r\nC,3\nD,4\nE,5\n";
const GONE: [u64; 3] = [2, 4, 5];
const LATE: &str = "F,6\n";

/// How the world behaves while names are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fair,
    /// Nobody else writes, and the file system exchanges no names.
    Links,
    /// A loader opens the source right before the first exchange.
    Late,
}

const ALL: [Weather; 3] = [Weather::Fair, Weather::Links, Weather::Late];

fn weather(world: &mut World, weather: Weather) -> Option<std::sync::mpsc::Receiver<()>> {
    let (done, wait) = std::sync::mpsc::channel();
    let mut done = Some(done);
    match weather {
        Weather::Fair => return None,
        Weather::Links => {
            world.writers = Writers::None;
            world.hooked.set(|_| Err(rustix::io::Errno::INVAL.into()));
            return None;
        }
        Weather::Late => world.hooked.set(move |source| {
            if let Some(done) = done.take() {
                append(source, LATE, done);
            }
            Ok(())
        }),
    }
    Some(wait)
}

struct Case {
    world: World,
    /// Keys of the rows that stay, and of those that are to go.
    stay: Vec<u128>,
    go: Vec<u128>,
}

impl Case {
    fn new() -> Self {
        let world = World::csv(TEXT);
        let mut keys = Vec::new();
        text::sums(&world.open(), &world.fixture.set, |key| keys.push(key)).unwrap();
        let gone = |index: &usize| GONE.contains(&(*index as u64 + 1));
        let (go, stay): (Vec<usize>, Vec<usize>) = (0..keys.len()).partition(gone);
        let of = |rows: Vec<usize>| rows.into_iter().map(|row| keys[row]).collect();
        Self { stay: of(stay), go: of(go), world }
    }

    /// I1 and I2, at any instant: good rows are in the source, rejected ones there or in a copy that reads.
    fn copies(&self, what: &str) {
        let there = self.world.keys();
        assert!(self.stay.iter().all(|key| there.get(key) == Some(&1)), "{what}: a good row is missing");
        let copies =
            self.world.stored().into_iter().filter(|path| path.extension().is_some_and(|end| end == "parquet"));
        let mut in_copies = BTreeSet::new();
        for copy in copies {
            let hidden = copy.file_name().unwrap().to_string_lossy().starts_with('.');
            assert!(!hidden, "{what}: {}", copy.display());
            let copy = Open::at(&self.world.disk, &copy).unwrap();
            in_copies.extend(quarantine::read(&copy).unwrap().into_iter().map(|row| text::key(&row.raw.unwrap())));
        }
        for key in &self.go {
            assert!(there.contains_key(key) || in_copies.contains(key), "{what}: a rejected row is nowhere");
        }
    }

    /// After recovery: nothing is open, the source is one of the whole files, and the states say which.
    fn counts(&self, what: &str) {
        assert_eq!(self.world.recover(), [], "{what}: a second recovery finds nothing");
        assert_eq!(self.world.strangers(), Vec::<String>::new(), "{what}");
        self.copies(what);
        let hidden = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with('.');
        assert_eq!(self.world.stored().into_iter().filter(hidden).collect::<Vec<_>>(), Vec::<PathBuf>::new(), "{what}");
        let there = self.world.keys();
        assert_eq!(late(self.world.place()).unwrap(), [], "{what}");
        for item in self.world.items() {
            let present = there.contains_key(&text::key(&item.raw));
            match item.state {
                State::Removed => assert!(!present, "{what}: a removed row is in the source"),
                State::Removing => panic!("{what}: an outcome is not known"),
                _ => assert!(present, "{what}: a row that is {} is not in the source", item.state.as_str()),
            }
        }
    }
}

/// Points of one way, by the first letters of their names.
fn points(way: &str) -> Vec<&'static str> {
    let other =
        |point: &str| way == "files." && (point.starts_with("files.recover") || point.starts_with("files.restore"));
    CRASH_POINTS.iter().copied().filter(|point| point.starts_with(way) && !other(point)).collect()
}

/// Runs `work` on new cases, cut short at every point of `way`, then at every point of the recovery; `check` looks at
/// each case when recovery went through. Gives the points that were reached.
fn everywhere(
    way: &str,
    begin: impl Fn() -> Case,
    work: impl Fn(&Case),
    check: impl Fn(&Case, Weather, &str),
) -> BTreeSet<String> {
    let mut crashed = BTreeSet::new();
    for kind in ALL {
        for point in points(way) {
            // The first recovery goes through and tells the points it came to; then each of them is a crash.
            let mut again: Vec<Option<String>> = vec![None];
            let mut first = true;
            while let Some(again_at) = again.pop() {
                let mut case = begin();
                let loader = weather(&mut case.world, kind);
                if crash_at(point, || work(&case)).is_some() {
                    break;
                }
                if kind == Weather::Late {
                    // A loader that has not come by now never does, and gives its sender back.
                    case.world.hooked.clear();
                }
                crashed.insert(point.to_owned());
                let what = format!("{kind:?} {point} {again_at:?}");
                // Where the exchange was not come to, no loader came.
                let came = loader.is_some_and(|loader| loader.recv().is_ok());
                case.copies(&what);
                if let Some(again_at) = &again_at {
                    assert!(crash_at(again_at, || case.world.recover()).is_none(), "{what}");
                    crashed.insert(again_at.clone());
                    case.copies(&what);
                }
                reached();
                case.world.recover();
                if std::mem::take(&mut first) {
                    again.extend(reached().into_iter().collect::<BTreeSet<_>>().into_iter().map(Some));
                }
                case.counts(&what);
                assert_eq!(case.world.text().ends_with(LATE), came, "{what}: the loader's row");
                case.world.hooked.clear();
                check(&case, kind, &what);
            }
        }
    }
    crashed
}

fn missed(way: &str, crashed: &BTreeSet<String>) -> Vec<&'static str> {
    points(way).into_iter().filter(|point| !crashed.contains(*point)).collect()
}

#[test]
fn a_removal_cut_short_anywhere_is_finished_or_closed() {
    let clean = "s,n\nA,1\n\nC,3\n";
    let crashed = everywhere(
        "files.",
        Case::new,
        |case| drop(case.world.remove(&GONE).unwrap()),
        |case, _, what| {
            let text = case.world.text();
            let rest = text.strip_suffix(LATE).unwrap_or(&text);
            assert!(rest == TEXT || rest == clean, "{what}: {text:?}");
            if rest == TEXT {
                assert_eq!(case.world.remove(&GONE).unwrap().counts.removed, 3, "{what}");
            }
            assert_eq!(case.world.restore(&case.world.ids()).restored, 3, "{what}");
            let text = case.world.text();
            assert_eq!(text.strip_suffix(LATE).unwrap_or(&text), TEXT, "{what}");
        },
    );
    // Rows are carried over in a window that this loader does not hit; the simulation does.
    assert_eq!(missed("files.", &crashed), ["files.carry.before", "files.carry.after"]);
}

#[test]
fn a_restore_cut_short_anywhere_is_finished_or_closed() {
    let begin = || {
        let case = Case::new();
        case.world.remove(&GONE).unwrap();
        case
    };
    let work = |case: &Case| drop(case.world.restore(&case.world.ids()[..2]));
    let crashed = everywhere("files.restore.", begin, work, |case, _, what| {
        case.world.restore(&case.world.ids());
        let text = case.world.text();
        assert_eq!(text.strip_suffix(LATE).unwrap_or(&text), TEXT, "{what}");
        assert_eq!(case.world.states(), [State::Restored; 3], "{what}");
    });
    assert_eq!(missed("files.restore.", &crashed), ["files.restore.carry.before", "files.restore.carry.after"]);
}

#[test]
fn a_removal_from_parquet_cut_short_anywhere_is_finished_or_closed() {
    let new = || parquet_files::world(40, 12);
    let reference = new();
    reference.remove(&GONE).unwrap();
    let clean = reference.bytes();
    for kind in [Weather::Fair, Weather::Links] {
        for point in points("files.") {
            let mut again: Vec<Option<String>> = vec![None];
            let mut first = true;
            while let Some(again_at) = again.pop() {
                let mut world = new();
                weather(&mut world, kind);
                if crash_at(point, || world.remove(&GONE).unwrap()).is_some() {
                    break;
                }
                let what = format!("{kind:?} {point} {again_at:?}");
                let whole = || world.bytes() == world.original || world.bytes() == clean;
                assert!(whole(), "{what}");
                if let Some(again_at) = &again_at {
                    assert!(crash_at(again_at, || world.recover()).is_none(), "{what}");
                    assert!(whole(), "{what}");
                }
                reached();
                world.recover();
                if std::mem::take(&mut first) {
                    again.extend(reached().into_iter().collect::<BTreeSet<_>>().into_iter().map(Some));
                }
                assert_eq!(world.recover(), [], "{what}: a second recovery finds nothing");
                assert_eq!(world.strangers(), Vec::<String>::new(), "{what}");
                let removed = world.states().iter().filter(|state| **state == State::Removed).count();
                assert_eq!(removed, if world.bytes() == clean { 3 } else { 0 }, "{what}");
                if world.bytes() == world.original {
                    assert_eq!(world.remove(&GONE).unwrap().counts.removed, 3, "{what}");
                }
                assert!(world.bytes() == clean, "{what}");
                assert_eq!(world.restore(&world.ids()).restored, 3, "{what}");
                assert_eq!(world.bytes(), world.original, "{what}");
            }
        }
    }
}

#[test]
fn a_source_that_is_rewritten_while_the_runner_is_dead_is_looked_at_row_by_row() {
    for point in ["files.intent.after", "files.exchange.after", "files.original.after", "files.done.before"] {
        let case = Case::new();
        assert!(crash_at(point, || case.world.remove(&GONE)).is_none());
        fs::write(case.world.source(), "s,n\nA,1\nC,3\nD,4\nG,7\n").unwrap();
        let recovered = case.world.recover();
        assert_eq!(recovered.len(), 1, "{point}");
        // Rewritten in place before the exchange, the file is still the source.
        let after = point != "files.intent.after";
        let (removed, kept_changed, untried) = if after { (2, 1, 0) } else { (0, 0, 3) };
        let counts = RemovalCounts { planned: 3, removed, kept_changed, untried, ..RemovalCounts::default() };
        assert_eq!(recovered[0].counts, counts, "{point}");
        assert_eq!(case.world.text(), "s,n\nA,1\nC,3\nD,4\nG,7\n", "{point}");
        case.copies(point);
        assert_eq!(case.world.strangers(), Vec::<String>::new(), "{point}");
        assert_eq!(case.world.recover(), [], "{point}");
    }
}

#[test]
fn a_source_that_another_file_was_renamed_over_while_the_runner_is_dead_is_looked_at_row_by_row() {
    for point in ["files.intent.after", "files.exchange.after", "files.original.after", "files.done.before"] {
        let case = Case::new();
        assert!(crash_at(point, || case.world.remove(&GONE)).is_none());
        let other = case.world.fixture.dir.path().join("new");
        fs::write(&other, "s,n\nA,1\nC,3\nD,4\nG,7\n").unwrap();
        fs::rename(&other, case.world.source()).unwrap();
        let recovered = case.world.recover();
        let after = point != "files.intent.after";
        let (removed, kept_changed) = if after { (2, 1) } else { (0, 3) };
        let counts = RemovalCounts { planned: 3, removed, kept_changed, ..RemovalCounts::default() };
        assert_eq!(recovered[0].counts, counts, "{point}");
        case.copies(point);
        assert_eq!(case.world.strangers(), Vec::<String>::new(), "{point}");
        assert_eq!(case.world.recover(), [], "{point}");
    }
}

#[test]
fn a_new_file_that_somebody_took_away_leaves_the_rows() {
    let case = Case::new();
    assert!(crash_at("files.intent.after", || case.world.remove(&GONE)).is_none());
    for name in case.world.strangers() {
        fs::remove_file(case.world.fixture.dir.path().join(name)).unwrap();
    }
    let recovered = case.world.recover();
    assert_eq!(recovered[0].counts, RemovalCounts { planned: 3, untried: 3, ..RemovalCounts::default() });
    assert_eq!(case.world.text(), TEXT);
    case.counts("taken away");
}

#[test]
fn rows_that_came_to_the_old_file_while_the_runner_is_dead_are_carried_over() {
    for named in ["", "F,6\n", "X,0\nF,6\n"] {
        let case = Case::new();
        assert!(crash_at("files.exchange.after", || case.world.remove(&GONE)).is_none());
        let old = case.world.strangers().into_iter().find(|name| name.starts_with(".barkeep-")).unwrap();
        let write = |path: &Path, rows: &str| {
            let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
            std::io::Write::write_all(&mut file, rows.as_bytes()).unwrap();
        };
        write(&case.world.fixture.dir.path().join(old), "F,6\nG,7\n");
        write(case.world.source(), named);
        case.world.recover();
        assert_eq!(case.world.text(), format!("s,n\nA,1\n\nC,3\n{named}F,6\nG,7\n"), "each was written by a loader");
        case.counts("carried over");
    }
}

#[test]
fn an_old_file_that_was_rewritten_while_the_runner_is_dead_has_its_name_again() {
    let case = Case::new();
    assert!(crash_at("files.exchange.after", || case.world.remove(&GONE)).is_none());
    let old = case.world.strangers().into_iter().find(|name| name.starts_with(".barkeep-")).unwrap();
    fs::write(case.world.fixture.dir.path().join(old), "s,n\nA,1\nB,2\nC,3\nD,4\nE,5\nF,6\n").unwrap();
    let recovered = case.world.recover();
    assert_eq!(recovered[0].counts, RemovalCounts { planned: 3, kept_changed: 3, ..RemovalCounts::default() });
    assert_eq!(case.world.text(), "s,n\nA,1\nB,2\nC,3\nD,4\nE,5\nF,6\n");
    assert_eq!(case.world.strangers(), Vec::<String>::new());
}

#[test]
fn work_of_another_job_at_the_file_is_finished_first() {
    let case = Case::new();
    assert!(crash_at("files.exchange.after", || case.world.remove(&GONE)).is_none());
    let file = case.world.identify();
    let rows = [rejected(1)];
    let retention = Retention { quarantine: AT, delete: AT };
    let other = Place { job: "other", ..case.world.place() };
    let order = case.world.order(&file, "r9", AT, retention, &rows);
    assert_eq!(remove(other, &order, &|| false).unwrap().counts.removed, 1);
    assert_eq!(case.world.text(), "s,n\n\nC,3\n");
    assert_eq!(case.world.states(), [State::Removed; 3]);
    assert_eq!(case.world.recover(), []);
    assert_eq!(case.world.strangers(), Vec::<String>::new());
}

#[test]
fn the_list_of_points_is_every_step_on_every_way() {
    let mut sorted = CRASH_POINTS.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), CRASH_POINTS.len(), "a point is listed twice");
    let code = [
        include_str!("../removal.rs"),
        include_str!("../exchange.rs"),
        include_str!("../carry.rs"),
        include_str!("../finish.rs"),
        include_str!("../restore.rs"),
        include_str!("../recovery.rs"),
    ]
    .concat();
    for piece in code.split("Step::").skip(1) {
        let name: String = piece.chars().take_while(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        let listed = CRASH_POINTS.iter().any(|point| point.ends_with(&format!(".{name}.before")));
        assert!(listed, "step `{name}` is in the code and not in the list");
    }
}

#[test]
fn a_file_that_was_cut_short_while_it_was_written_is_swept_away() {
    let case = Case::new();
    case.world.remove(&GONE).unwrap();
    let before = case.world.stored();
    let folder = case.world.quarantine.path().join("job=j");
    for name in [".x-000.parquet.writing", "journal/.x-000.begun.json.writing", "originals/.0a.writing"] {
        fs::write(folder.join(name), "half").unwrap();
    }
    assert_eq!(case.world.recover(), []);
    assert_eq!(case.world.stored(), before);
}
