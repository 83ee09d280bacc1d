//! What a race is, as a number decides it: the same number is the same race.

use super::loader::Kind;
use super::rows::Format;

/// One race.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Race {
    /// The number all of it follows from.
    pub(crate) seed: u64,
    pub(crate) system: &'static str,
    pub(crate) format: Format,
    /// About the bytes of the file at the beginning.
    pub(crate) size: usize,
    pub(crate) kind: Kind,
    pub(crate) loaders: u64,
    pub(crate) burst: u64,
    /// The pause of a loader, in microseconds.
    pub(crate) pause: u64,
    /// The loaders wait for barkeep to come so far, in names that change, and for so many microseconds more.
    pub(crate) ambush: Option<(u64, u64)>,
    pub(crate) who: Who,
    pub(crate) mode: Mode,
    /// Milliseconds after the start of the loaders that barkeep is started.
    pub(crate) head_start: u64,
    /// Milliseconds after which barkeep is killed, where it is.
    pub(crate) kill: u64,
    /// Milliseconds that the loaders go on after barkeep has ended.
    pub(crate) rest: u64,
    /// The output of barkeep is JSON.
    pub(crate) json: bool,
}

/// Who is who.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// All the same user.
    Same,
    /// The loader is another user, and barkeep the superuser.
    OtherLoader,
    /// The loader owns the file, and barkeep is another user in its group who sees nothing of it in `/proc`.
    OtherBarkeep,
    /// barkeep sees no process but itself.
    OtherNamespace,
}

/// What barkeep does beside the loaders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// `run`.
    Run,
    /// `run`, killed, and `run` again.
    Kill,
    /// `run` before, then `quarantine restore` and `restore --late`.
    Restore,
    /// As `Restore`, the first one killed.
    KillRestore,
    /// `run` of two jobs at once.
    Pair,
}

/// Numbers that nobody chose, the same for the same seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

impl Race {
    /// The race of a seed. `large`: files of 20 MB and, one in fifty, of 200 MB are among them.
    pub(crate) fn of(seed: u64, large: bool) -> Self {
        let mut numbers = Numbers(seed);
        let mut kind = numbers.one(&[
            Kind::Append,
            Kind::Append,
            Kind::Append,
            Kind::Hold,
            Kind::Hold,
            Kind::Reopen,
            Kind::Replace,
            Kind::Truncate,
            Kind::Sed,
        ]);
        let format = numbers.one(&[Format::Csv, Format::Csv, Format::Csv, Format::Ndjson, Format::Gz, Format::Parquet]);
        if format == Format::Parquet {
            kind = Kind::Replace;
        }
        let huge = numbers.below(50) == 0;
        let size = numbers.one(&[1_000, 1_000, 4_000, 4_000, 20_000, 100_000, 100_000, 2_000_000]);
        let size = match (large, huge, numbers.below(10)) {
            (true, true, _) => 200_000_000,
            (true, false, 0) => 20_000_000,
            _ => size,
        };
        // One that writes all rows again and again is no quicker than that takes.
        let (size, slow) = if kind.appends() { (size, 0) } else { (size.min(100_000), 2_000) };
        let pause = numbers.one(&[200, 500, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000]).max(slow);
        let burst = numbers.one(&[1, 1, 1, 5, 50, 400]);
        let ambush = numbers.below(3) > 0;
        let delay = numbers.one(&[0, 0, 100, 300, 1_000, 3_000, 10_000, 50_000]);
        Self {
            seed,
            system: numbers.one(&["tmpfs", "ext4", "xfs", "btrfs", "overlay"]),
            format,
            size,
            kind,
            // Several that write all of it would lose each other's rows by themselves.
            loaders: if kind.appends() { numbers.one(&[1, 1, 2, 3]) } else { 1 },
            burst: if kind.appends() { burst } else { 1 },
            pause: if burst > 1 { pause.max(5_000) } else { pause },
            ambush: ambush.then_some((numbers.below(12), delay)),
            who: numbers.one(&[
                Who::Same,
                Who::Same,
                Who::Same,
                Who::OtherLoader,
                Who::OtherBarkeep,
                Who::OtherNamespace,
            ]),
            mode: numbers.one(&[
                Mode::Run,
                Mode::Run,
                Mode::Run,
                Mode::Kill,
                Mode::Restore,
                Mode::KillRestore,
                Mode::Pair,
            ]),
            head_start: numbers.below(60),
            kill: 100 + numbers.below(1_900),
            rest: 50 + numbers.below(400),
            json: numbers.below(2) == 0,
        }
    }
}

/// The seed of the race `index` of a series.
pub(crate) fn seed(series: u64, index: u64) -> u64 {
    Numbers(series ^ index.wrapping_mul(0xd134_2543_de82_ef95)).below(u64::MAX)
}

#[test]
fn the_same_seed_is_the_same_race_and_all_kinds_occur() {
    let races: Vec<Race> = (0..400).map(|index| Race::of(seed(1, index), false)).collect();
    assert_eq!(races[7], Race::of(seed(1, 7), false));
    let kinds: std::collections::BTreeSet<(Kind, Mode)> = races.iter().map(|race| (race.kind, race.mode)).collect();
    assert_eq!(kinds.len(), 30, "{kinds:?}");
}
