//! How far the price of a share may move in a day, by board and date: the rules of Shanghai, Shenzhen and Beijing.
//!
//! Limits are in ten-thousandths of the reference price, prices in whole ticks: worked out in integers, for exchanges
//! round the half up and a binary float would not.

/// Ten-thousandths of one.
const WHOLE: i64 = 10_000;

/// A board with price limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Board {
    /// The main boards of Shanghai and Shenzhen.
    Main,
    /// `ChiNext` of Shenzhen.
    ChiNext,
    /// STAR of Shanghai.
    Star,
    /// Beijing.
    Beijing,
}

/// The exchanges that a code can be of, and how symbols name them.
const EXCHANGES: [(&str, &[&str]); 3] =
    [("SH", &["sh", "ss", "xshg", "sse"]), ("SZ", &["sz", "xshe", "szse"]), ("BJ", &["bj", "bse", "xbse"])];

/// First digits of the codes of shares, by exchange and board.
const CODES: [(&str, Board, &[&str]); 5] = [
    ("SH", Board::Main, &["600", "601", "603", "605"]),
    ("SZ", Board::Main, &["000", "001", "002", "003"]),
    ("SZ", Board::ChiNext, &["300", "301", "302"]),
    ("SH", Board::Star, &["688", "689"]),
    ("BJ", Board::Beijing, &["4", "8", "92"]),
];

impl Board {
    /// The words of the boards.
    pub const WORDS: &'static [&'static str] = &["main", "chinext", "star", "beijing"];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The board that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Main, Self::ChiNext, Self::Star, Self::Beijing].into_iter().find(|board| board.word() == word)
    }

    /// The board a share is on, by its code of six digits, as in `600000`, `600000.SH`, `sh600000` and `SH.600000`. `None`
    /// for what is no A share: funds, B shares, indices (`000001.SH`), other symbols.
    pub fn of(symbol: &str) -> Option<Self> {
        let start = symbol.find(|char: char| char.is_ascii_digit())?;
        let length = symbol[start..].bytes().take_while(u8::is_ascii_digit).count();
        let (code, rest) = (&symbol[start..start + length], [&symbol[..start], &symbol[start + length..]].concat());
        let named = rest.trim_matches(['.', '_', '-', ':', ' ']).to_ascii_lowercase();
        let exchange = match named.is_empty() {
            true => None,
            false => Some(EXCHANGES.iter().find(|(_, names)| names.contains(&named.as_str()))?.0),
        };
        let of_board = |(of, _, starts): &&(&str, Self, &[&str])| {
            exchange.is_none_or(|exchange| exchange == *of) && starts.iter().any(|start| code.starts_with(start))
        };
        (length == 6).then(|| CODES.iter().find(of_board))?.map(|(_, board, _)| *board)
    }
}

/// How far a price may move from the reference price, in ten-thousandths of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceLimit {
    /// Upwards; `None` where there is no limit.
    pub up: Option<u32>,
    /// Downwards; `None` where there is no limit.
    pub down: Option<u32>,
}

impl PriceLimit {
    /// No limit at all.
    pub const NONE: Self = Self { up: None, down: None };

    const fn both(limit: u32) -> Self {
        Self { up: Some(limit), down: Some(limit) }
    }

    /// The lowest and the highest price allowed, in ticks, where the reference price is `reference` ticks: rounded to the
    /// nearest tick, the half up; at least one tick away from the reference, and at least one tick.
    pub fn band(self, reference: i64) -> (Option<i64>, Option<i64>) {
        let at = |share: i64| (reference * share + WHOLE / 2).div_euclid(WHOLE);
        let low = self.down.map(|down| at(WHOLE - i64::from(down)).min(reference - 1).max(1));
        let high = self.up.map(|up| at(WHOLE + i64::from(up)).max(reference + 1));
        (low, high)
    }
}

/// One entry of the table: what holds on a board from a day on, until the next entry of the board.
struct Era {
    board: Board,
    from: i32,
    usual: PriceLimit,
    /// For shares under special treatment (ST), where that differs.
    special: Option<PriceLimit>,
}

/// Ascending by day on each board. Before its first entry a board has no limit.
const ERAS: [Era; 6] = [
    Era {
        board: Board::Main,
        from: day(1996, 12, 16),
        usual: PriceLimit::both(1_000),
        special: Some(PriceLimit::both(500)),
    },
    Era { board: Board::Main, from: day(2026, 7, 6), usual: PriceLimit::both(1_000), special: None },
    Era { board: Board::ChiNext, from: day(2009, 10, 30), usual: PriceLimit::both(1_000), special: None },
    Era { board: Board::ChiNext, from: day(2020, 8, 24), usual: PriceLimit::both(2_000), special: None },
    Era { board: Board::Star, from: day(2019, 7, 22), usual: PriceLimit::both(2_000), special: None },
    Era { board: Board::Beijing, from: day(2021, 11, 15), usual: PriceLimit::both(3_000), special: None },
];

/// The first sessions of shares listed from a day on, until the next entry of the board.
struct FirstDays {
    board: Board,
    from: i32,
    sessions: u32,
    limit: PriceLimit,
}

/// What held on the first day of a listing on the main boards and `ChiNext` from 2014 on.
const FIRST_DAY_OF_2014: PriceLimit = PriceLimit { up: Some(4_400), down: Some(3_600) };

const FIRST_DAYS: [FirstDays; 8] = [
    FirstDays { board: Board::Main, from: i32::MIN, sessions: 1, limit: PriceLimit::NONE },
    FirstDays { board: Board::Main, from: day(2014, 1, 1), sessions: 1, limit: FIRST_DAY_OF_2014 },
    FirstDays { board: Board::Main, from: day(2023, 4, 10), sessions: 5, limit: PriceLimit::NONE },
    FirstDays { board: Board::ChiNext, from: i32::MIN, sessions: 1, limit: PriceLimit::NONE },
    FirstDays { board: Board::ChiNext, from: day(2014, 1, 1), sessions: 1, limit: FIRST_DAY_OF_2014 },
    FirstDays { board: Board::ChiNext, from: day(2020, 8, 24), sessions: 5, limit: PriceLimit::NONE },
    FirstDays { board: Board::Star, from: i32::MIN, sessions: 5, limit: PriceLimit::NONE },
    FirstDays { board: Board::Beijing, from: i32::MIN, sessions: 1, limit: PriceLimit::NONE },
];

/// The most sessions after a listing that have limits of their own.
pub const MOST_FIRST_SESSIONS: u32 = 5;

/// The limit on `board` on `day` (days since 1970-01-01), for shares under special treatment where `special` says so.
pub fn usual_limit(board: Board, day: i32, special: bool) -> PriceLimit {
    let era = ERAS.iter().rfind(|era| era.board == board && era.from <= day);
    era.map_or(PriceLimit::NONE, |era| era.special.filter(|_| special).unwrap_or(era.usual))
}

/// The limit in session number `session` (from 1) of a share listed on `board` on the day `listed`; `None` where the usual
/// one holds again.
pub fn first_limit(board: Board, listed: i32, session: u32) -> Option<PriceLimit> {
    let first = FIRST_DAYS.iter().rfind(|first| first.board == board && first.from <= listed)?;
    (session <= first.sessions).then_some(first.limit)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
const fn day(year: i32, month: i32, date: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn on(text: &str) -> i32 {
        text.parse::<NaiveDate>().unwrap().to_epoch_days()
    }

    /// Low and high of the band around `reference` cents.
    fn band(limit: u32, reference: i64) -> (i64, i64) {
        let (low, high) = PriceLimit::both(limit).band(reference);
        (low.unwrap(), high.unwrap())
    }

    #[test]
    fn limits_are_rounded_to_the_cent_the_half_up() {
        assert_eq!(band(1_000, 1_554), (1_399, 1_709), "13.986 and 17.094");
        assert_eq!(band(1_000, 1_005), (905, 1_106), "9.045 and 11.055: half-even and floats give 9.04");
        assert_eq!(band(500, 335), (318, 352), "3.1825 and 3.5175");
        assert_eq!(band(2_000, 1_234), (987, 1_481), "9.872 and 14.808");
        assert_eq!(band(3_000, 777), (544, 1_010), "5.439 and 10.101");
    }

    #[test]
    fn a_price_may_always_move_by_one_tick() {
        assert_eq!(band(1_000, 4), (3, 5));
        assert_eq!(band(1_000, 1), (1, 2), "no price is below one tick");
        assert_eq!(PriceLimit::NONE.band(1_000), (None, None));
    }

    #[test]
    fn dates_of_the_table_are_days() {
        for (year, month, date) in [(1970, 1, 1), (1996, 12, 16), (2000, 2, 29), (2020, 8, 24), (2026, 7, 6)] {
            let expected = NaiveDate::from_ymd_opt(year, month, date).unwrap().to_epoch_days();
            assert_eq!(day(year, i32::try_from(month).unwrap(), i32::try_from(date).unwrap()), expected);
        }
    }

    #[test]
    fn limits_hold_by_board_and_date() {
        let limit = |board, date, special| usual_limit(board, on(date), special).up;
        assert_eq!(limit(Board::Main, "1996-12-13", false), None);
        assert_eq!(limit(Board::Main, "1996-12-16", false), Some(1_000));
        assert_eq!(limit(Board::ChiNext, "2020-08-21", false), Some(1_000));
        assert_eq!(limit(Board::ChiNext, "2020-08-24", false), Some(2_000));
        assert_eq!(limit(Board::Star, "2020-08-24", true), Some(2_000));
        assert_eq!(limit(Board::Beijing, "2024-01-02", false), Some(3_000));
        assert_eq!(limit(Board::Main, "2026-07-03", true), Some(500));
        assert_eq!(limit(Board::Main, "2026-07-06", true), Some(1_000));
    }

    #[test]
    fn first_days_have_limits_of_their_own() {
        assert_eq!(first_limit(Board::Star, on("2021-01-04"), 5), Some(PriceLimit::NONE));
        assert_eq!(first_limit(Board::Star, on("2021-01-04"), 6), None);
        assert_eq!(first_limit(Board::Main, on("2022-01-04"), 1), Some(FIRST_DAY_OF_2014));
        assert_eq!(first_limit(Board::Main, on("2022-01-04"), 2), None);
        assert_eq!(first_limit(Board::Main, on("2023-04-10"), 5), Some(PriceLimit::NONE));
        assert_eq!(first_limit(Board::Beijing, on("2023-04-10"), 2), None);
        assert!(FIRST_DAYS.iter().all(|first| first.sessions <= MOST_FIRST_SESSIONS));
    }

    #[test]
    fn the_board_follows_from_the_code() {
        for (symbol, board) in [
            ("600000", Some(Board::Main)),
            ("600000.SH", Some(Board::Main)),
            ("sz000001", Some(Board::Main)),
            ("SZ.300750", Some(Board::ChiNext)),
            ("688981.XSHG", Some(Board::Star)),
            ("920002.BJ", Some(Board::Beijing)),
            ("430047", Some(Board::Beijing)),
            ("000001.SH", None),
            ("510300.SH", None),
            ("900901.SH", None),
            ("600000.HK", None),
            ("00700", None),
            ("AAPL", None),
            ("", None),
        ] {
            assert_eq!(Board::of(symbol), board, "{symbol}");
        }
    }
}
