//! A crash at every point of the protocol, and at every point of the recovery from it.

use std::collections::BTreeSet;

use super::*;
use crate::settle::crash::testing::{crash_at, reached};

const TEXT: &str = "s,n\nA,1\n\nB,2\r\nC,3\nD,4\nE,5";
const GONE: [u64; 3] = [2, 4, 5];
const LATE: &str = "\nF,6\n";

/// How the world behaves while names are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fair,
    /// The file system exchanges no names.
    Links,
    /// Somebody writes to the source right before the first exchange.
    Late,
    LateLinks,
}

const ALL: [Weather; 4] = [Weather::Fair, Weather::Links, Weather::Late, Weather::LateLinks];

fn weather(weather: Weather) -> Hooked {
    let mut late = matches!(weather, Weather::Late | Weather::LateLinks);
    let links = matches!(weather, Weather::Links | Weather::LateLinks);
    Hooked::new(move |source| {
        if std::mem::take(&mut late) {
            let mut file = fs::OpenOptions::new().append(true).open(source).unwrap();
            std::io::Write::write_all(&mut file, LATE.as_bytes()).unwrap();
        }
        if links { Err(Errno::INVAL) } else { Ok(()) }
    })
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
        text::sums(world.source(), &world.fixture.set, |key| keys.push(key)).unwrap();
        let gone = |index: &usize| GONE.contains(&(*index as u64 + 1));
        let (go, stay): (Vec<usize>, Vec<usize>) = (0..keys.len()).partition(gone);
        let of = |rows: Vec<usize>| rows.into_iter().map(|row| keys[row]).collect();
        Self { stay: of(stay), go: of(go), world }
    }

    /// I1 and I2, at any instant: good rows are in the source, condemned ones there or in a copy that reads.
    fn sound(&self, what: &str) {
        let there = self.world.keys();
        assert!(self.stay.iter().all(|key| there.get(key) == Some(&1)), "{what}: a good row is missing");
        let copies =
            self.world.stored().into_iter().filter(|path| path.extension().is_some_and(|end| end == "parquet"));
        let mut in_copies = BTreeSet::new();
        for copy in copies {
            let hidden = copy.file_name().unwrap().to_string_lossy().starts_with('.');
            assert!(!hidden, "{what}: {}", copy.display());
            in_copies.extend(quarantine::read(&copy).unwrap().into_iter().map(|row| text::key(&row.raw.unwrap())));
        }
        for key in &self.go {
            assert!(there.contains_key(key) || in_copies.contains(key), "{what}: a condemned row is nowhere");
        }
    }

    /// After recovery: nothing is open, the source is one of the whole files, and the states say which.
    fn settled(&self, what: &str) {
        assert_eq!(recover(self.world.place()).unwrap(), [], "{what}: a second recovery finds nothing");
        assert_eq!(self.world.strangers(), Vec::<String>::new(), "{what}");
        self.sound(what);
        let hidden = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with('.');
        assert_eq!(self.world.stored().into_iter().filter(hidden).collect::<Vec<_>>(), Vec::<PathBuf>::new(), "{what}");
        let there = self.world.keys();
        for item in items(self.world.place()).unwrap() {
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
    weathers: &[Weather],
    begin: impl Fn() -> Case,
    work: impl Fn(&Case),
    check: impl Fn(&Case, Weather, &str),
) -> BTreeSet<String> {
    let mut crashed = BTreeSet::new();
    for &kind in weathers {
        for point in points(way) {
            // The first recovery goes through and tells the points it came to; then each of them is a crash.
            let mut again: Vec<Option<String>> = vec![None];
            let mut first = true;
            while let Some(again_at) = again.pop() {
                let case = begin();
                let hooked = weather(kind);
                if crash_at(point, || work(&case)).is_some() {
                    break;
                }
                crashed.insert(point.to_owned());
                let what = format!("{kind:?} {point} {again_at:?}");
                case.sound(&what);
                if let Some(again_at) = &again_at {
                    assert!(crash_at(again_at, || recover(case.world.place()).unwrap()).is_none(), "{what}");
                    crashed.insert(again_at.clone());
                    case.sound(&what);
                }
                reached();
                recover(case.world.place()).unwrap();
                if std::mem::take(&mut first) {
                    again.extend(reached().into_iter().collect::<BTreeSet<_>>().into_iter().map(Some));
                }
                case.settled(&what);
                drop(hooked);
                check(&case, kind, &what);
            }
        }
    }
    crashed
}

#[test]
fn a_removal_cut_short_anywhere_is_finished_or_closed() {
    let clean = "s,n\nA,1\n\nC,3\n";
    let late = format!("{TEXT}{LATE}");
    let crashed = everywhere(
        "files.",
        &ALL,
        Case::new,
        |case| drop(case.world.settle(&GONE).unwrap()),
        |case, kind, what| {
            let text = case.world.text();
            let fair = matches!(kind, Weather::Fair | Weather::Links);
            assert!(text == TEXT || text == if fair { clean } else { late.as_str() }, "{what}: {text:?}");
            if text == TEXT {
                assert_eq!(case.world.settle(&GONE).unwrap().settled.removed, 3, "{what}");
                assert_eq!(case.world.text(), clean, "{what}");
            }
            if fair {
                assert_eq!(case.world.restore(&case.world.ids()).restored, 3, "{what}");
                assert_eq!(case.world.text(), TEXT, "{what}");
            }
        },
    );
    let wanted: BTreeSet<String> = CRASH_POINTS
        .iter()
        .filter(|point| !point.starts_with("files.restore"))
        .map(|point| (*point).to_owned())
        .collect();
    let missed: Vec<&String> = wanted.difference(&crashed).collect();
    assert!(missed.is_empty(), "points that no crash came to: {missed:?}");
}

#[test]
fn a_restore_cut_short_anywhere_is_finished_or_closed() {
    let begin = || {
        let case = Case::new();
        case.world.settle(&GONE).unwrap();
        case
    };
    let work = |case: &Case| drop(case.world.restore(&case.world.ids()[..2]));
    let crashed = everywhere("files.restore.", &ALL, begin, work, |case, kind, what| {
        if matches!(kind, Weather::Fair | Weather::Links) {
            let result = case.world.restore(&case.world.ids());
            assert_eq!(result.restored + result.already_there, 3, "{what}");
            assert_eq!(case.world.text(), TEXT, "{what}");
            assert_eq!(case.world.states(), [State::Restored; 3], "{what}");
        } else {
            let text = case.world.text();
            assert!(text.ends_with(LATE) || text == "s,n\nA,1\n\nC,3\n", "{what}: {text:?}");
        }
    });
    let wanted: BTreeSet<String> = points("files.restore.").into_iter().map(str::to_owned).collect();
    let missed: Vec<&String> = wanted.difference(&crashed).collect();
    assert!(missed.is_empty(), "points that no crash came to: {missed:?}");
}

#[test]
fn a_removal_from_parquet_cut_short_anywhere_is_finished_or_closed() {
    let new = || parquet_files::world(40, 12);
    let reference = new();
    reference.settle(&GONE).unwrap();
    let clean = reference.bytes();
    let mut crashed = BTreeSet::new();
    for kind in [Weather::Fair, Weather::Links] {
        for point in points("files.") {
            let mut again: Vec<Option<String>> = vec![None];
            let mut first = true;
            while let Some(again_at) = again.pop() {
                let (world, hooked) = (new(), weather(kind));
                if crash_at(point, || world.settle(&GONE).unwrap()).is_some() {
                    break;
                }
                crashed.insert(point);
                let what = format!("{kind:?} {point} {again_at:?}");
                let whole = || world.bytes() == world.original || world.bytes() == clean;
                assert!(whole(), "{what}");
                if let Some(again_at) = &again_at {
                    assert!(crash_at(again_at, || recover(world.place()).unwrap()).is_none(), "{what}");
                    assert!(whole(), "{what}");
                }
                reached();
                recover(world.place()).unwrap();
                if std::mem::take(&mut first) {
                    again.extend(reached().into_iter().collect::<BTreeSet<_>>().into_iter().map(Some));
                }
                assert_eq!(recover(world.place()).unwrap(), [], "{what}: a second recovery finds nothing");
                assert_eq!(world.strangers(), Vec::<String>::new(), "{what}");
                let removed = world.states().iter().filter(|state| **state == State::Removed).count();
                assert_eq!(removed, if world.bytes() == clean { 3 } else { 0 }, "{what}");
                if world.bytes() == world.original {
                    assert_eq!(world.settle(&GONE).unwrap().settled.removed, 3, "{what}");
                }
                assert!(world.bytes() == clean, "{what}");
                assert_eq!(world.restore(&world.ids()).restored, 3, "{what}");
                assert_eq!(parquet_files::read(world.source()), parquet_files::sample(40), "{what}");
                drop(hooked);
            }
        }
    }
    let missed: Vec<&str> = points("files.").into_iter().filter(|point| !crashed.contains(point)).collect();
    assert!(missed.iter().all(|point| point.contains("back")), "points that no crash came to: {missed:?}");
}

#[test]
fn a_source_that_is_rewritten_while_the_runner_is_dead_is_looked_at_row_by_row() {
    for point in ["files.intent.after", "files.exchange.after", "files.original.after", "files.done.before"] {
        let case = Case::new();
        assert!(crash_at(point, || case.world.settle(&GONE)).is_none());
        fs::write(case.world.source(), "s,n\nA,1\nC,3\nD,4\nG,7\n").unwrap();
        let recovered = recover(case.world.place()).unwrap();
        assert_eq!(recovered.len(), 1, "{point}");
        let after = point != "files.intent.after";
        let (removed, kept_changed) = if after { (2, 1) } else { (0, 3) };
        let settled = Settled { planned: 3, removed, kept_changed, ..Settled::default() };
        assert_eq!(recovered[0].settled, settled, "{point}");
        assert_eq!(case.world.text(), "s,n\nA,1\nC,3\nD,4\nG,7\n", "{point}");
        case.sound(point);
        assert_eq!(case.world.strangers(), Vec::<String>::new(), "{point}");
        assert_eq!(recover(case.world.place()).unwrap(), [], "{point}");
    }
}

#[test]
fn a_new_file_that_somebody_took_away_leaves_the_rows() {
    let case = Case::new();
    assert!(crash_at("files.intent.after", || case.world.settle(&GONE)).is_none());
    for name in case.world.strangers() {
        fs::remove_file(case.world.fixture.dir.path().join(name)).unwrap();
    }
    let recovered = recover(case.world.place()).unwrap();
    assert_eq!(recovered[0].settled, Settled { planned: 3, kept_error: 3, ..Settled::default() });
    assert_eq!(case.world.text(), TEXT);
    case.settled("taken away");
}

#[test]
fn the_list_of_points_is_every_step_on_every_way() {
    let mut sorted = CRASH_POINTS.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), CRASH_POINTS.len(), "a point is listed twice");
    let code = [
        include_str!("../removal.rs"),
        include_str!("../swap.rs"),
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
fn what_somebody_wrote_in_the_last_moment_is_kept_where_it_cannot_go_back() {
    let case = Case::new();
    let hooked = weather(Weather::Late);
    assert!(crash_at("files.exchange.after", || case.world.settle(&GONE)).is_none());
    drop(hooked);
    fs::write(case.world.source(), "s,n\nA,1\nC,3\nG,7\n").unwrap();
    let recovered = recover(case.world.place()).unwrap();
    assert_eq!(recovered[0].settled, Settled { planned: 3, removed: 3, ..Settled::default() });
    let late = format!("{TEXT}{LATE}").into_bytes();
    assert!(case.world.stored().iter().any(|path| fs::read(path).unwrap() == late));
    case.settled("written to twice");
}

#[test]
fn a_file_that_was_cut_short_while_it_was_written_is_swept_away() {
    let case = Case::new();
    case.world.settle(&GONE).unwrap();
    let before = case.world.stored();
    let folder = case.world.quarantine.path().join("job=j");
    for name in [".x-000.parquet.writing", "journal/.x-000.begun.json.writing", "originals/.0a.writing"] {
        fs::write(folder.join(name), "half").unwrap();
    }
    assert_eq!(recover(case.world.place()).unwrap(), []);
    assert_eq!(case.world.stored(), before);
}
