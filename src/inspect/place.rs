//! Where the symbol stands in the names of files.

use std::path::{Path, PathBuf};

/// A name with `{symbol}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The last component of the path.
    pub(super) name: String,
    /// What stands before and behind the symbol, for the looks of the symbols.
    before: usize,
    first: Vec<String>,
}

const ENDINGS: [&str; 17] = [
    ".gz", ".zst", ".bz2", ".xz", ".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".json", ".parquet", ".pq", ".parq",
    ".arrow", ".feather", ".ipc", ".zip",
];
/// Words that name no symbol.
const WORDS: &str = "daily weekly monthly intraday dat ascii data historical history hist prices price quotes ohlcv ohlc bars \
                     klines kline candles export download binance kraken coinbase bitstamp bybit okx bats nasdaq nyse amex \
                     stock stocks adjusted unadjusted raw spot futures";

/// What a piece of a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A word, a step from bar to bar.
    Fixed,
    /// A date, which differs from file to file.
    Date,
    Symbol,
}

/// The pattern that the names of `files` fit.
pub(super) fn pattern(files: &[PathBuf]) -> Place {
    let names: Vec<String> = files.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    let Some(first) = names.first() else { return fallback("", &names) };
    let (stem, ending) = cut(first);
    let pieces = pieces(stem);
    let mut kinds: Vec<Kind> = pieces.iter().map(|(_, text)| kind(text)).collect();
    let others: Vec<Vec<(&str, &str)>> = names.iter().map(|name| self::pieces(cut(name).0)).collect();
    if others.iter().all(|other| other.len() == pieces.len()) && names.len() > 1 {
        for (at, kind) in kinds.iter_mut().enumerate() {
            let same = others.iter().all(|other| other[at].1 == pieces[at].1);
            if same
                && *kind == Kind::Symbol
                && (0..pieces.len()).any(|other| {
                    others.iter().any(|o| o[other].1 != pieces[other].1) && self::kind(pieces[other].1) == Kind::Symbol
                })
            {
                *kind = Kind::Fixed;
            }
        }
    }
    if !kinds.contains(&Kind::Symbol) {
        // A symbol may be a number: the first one that is no word.
        match kinds.iter().position(|kind| *kind == Kind::Date) {
            Some(at) if pieces.len() == 1 || at == 0 => kinds[at] = Kind::Symbol,
            _ => return fallback(ending, &names),
        }
    }
    let name = assembled(&pieces, &kinds, ending);
    if names.iter().all(|name_of| fits(&name, name_of)) { place(name, &names) } else { fallback(ending, &names) }
}

fn fallback(ending: &str, names: &[String]) -> Place {
    place(format!("{{symbol}}{ending}"), names)
}

fn place(name: String, names: &[String]) -> Place {
    let before = name.find("{symbol}").unwrap_or_default();
    Place { name, before, first: names.to_vec() }
}

impl Place {
    /// What the symbols of the first files look like.
    pub(super) fn symbols(&self) -> Vec<String> {
        let behind = self.name[self.before..].trim_start_matches("{symbol}").chars().next();
        let symbol = |name: &String| {
            let rest = name.get(self.before..).unwrap_or(name);
            match behind {
                Some(end) if end != '*' => rest.split(end).next().unwrap_or(rest).to_owned(),
                _ => rest.to_owned(),
            }
        };
        self.first.iter().take(50).map(symbol).collect()
    }
}

/// A name and its ending.
fn cut(name: &str) -> (&str, &str) {
    let mut end = name.len();
    while let Some(ending) = ENDINGS.iter().find(|ending| name[..end].to_ascii_lowercase().ends_with(**ending)) {
        end -= ending.len();
    }
    name.split_at(end)
}

/// The pieces of a stem, each with what stands before it.
fn pieces(stem: &str) -> Vec<(&str, &str)> {
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    let sign = |c: char| matches!(c, '_' | ' ' | ',');
    let dashes = stem
        .split('-')
        .skip(1)
        .any(|piece| !matches!(kind(piece.split(sign).next().unwrap_or_default()), Kind::Symbol));
    for (at, c) in stem.char_indices() {
        // What stands behind a point in small letters is a market: `aapl.us`.
        let market =
            c == '.' && stem[at + 1..].len() == 2 && stem[at + 1..].bytes().all(|byte| byte.is_ascii_lowercase());
        if sign(c) || (c == '-' && dashes) || market {
            cuts.push((at, at + c.len_utf8()));
        }
    }
    let (mut out, mut start, mut before) = (Vec::new(), 0, 0);
    for (at, after) in cuts.into_iter().chain([(stem.len(), stem.len())]) {
        if at > start {
            out.push((&stem[before..start], &stem[start..at]));
            before = at;
        }
        start = after;
    }
    out
}

fn kind(piece: &str) -> Kind {
    let lower = piece.to_ascii_lowercase();
    let digits = piece.bytes().filter(u8::is_ascii_digit).count();
    let step = || {
        let (number, letters) =
            (lower.trim_matches(|c: char| !c.is_ascii_digit()), lower.trim_matches(|c: char| c.is_ascii_digit()));
        !number.is_empty()
            && number.len() <= 4
            && number.len() + letters.len() == lower.len()
            && ["m", "h", "d", "w", "min", "mn", "s", "mo", "minute", "hour", "day"].contains(&letters)
    };
    if WORDS.split_whitespace().any(|word| word == lower)
        || step()
        || piece.len() == 2 && piece.bytes().all(|b| b.is_ascii_lowercase())
    {
        return Kind::Fixed;
    }
    if digits == piece.len() && digits > 0 {
        let year = digits == 4 && (piece.starts_with("19") || piece.starts_with("20"));
        let dated =
            year || digits <= 2 || digits >= 8 || digits == 6 && (piece.starts_with("20") || piece.starts_with("19"));
        let minutes = ["1", "5", "15", "30", "60", "240", "720", "1440"].contains(&piece);
        return if minutes {
            Kind::Fixed
        } else if dated {
            Kind::Date
        } else {
            Kind::Symbol
        };
    }
    Kind::Symbol
}

/// Puts a name together: neighbours that make the symbol are one, and so are dates.
fn assembled(pieces: &[(&str, &str)], kinds: &[Kind], ending: &str) -> String {
    let mut name = String::new();
    let (mut last, mut done) = (None, false);
    for ((before, text), kind) in pieces.iter().zip(kinds) {
        let kind = if *kind == Kind::Symbol && done && last != Some(Kind::Symbol) { Kind::Fixed } else { *kind };
        if last != Some(kind) || kind == Kind::Fixed {
            name.push_str(before);
            match kind {
                Kind::Fixed => name.push_str(&glob::Pattern::escape(text)),
                Kind::Date => name.push('*'),
                Kind::Symbol => name.push_str("{symbol}"),
            }
        }
        done |= kind == Kind::Symbol;
        last = Some(kind);
    }
    name + ending
}

fn fits(pattern: &str, name: &str) -> bool {
    glob::Pattern::new(&pattern.replace("{symbol}", "?*")).is_ok_and(|pattern| pattern.matches(name))
}

/// The folder that all `files` are below.
pub(super) fn folder(files: &[PathBuf]) -> PathBuf {
    let mut common = files.first().and_then(|path| path.parent()).map(Path::to_path_buf).unwrap_or_default();
    while !files.iter().all(|path| path.starts_with(&common)) && common.pop() {}
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> String {
        let files: Vec<PathBuf> = names.iter().map(|name| Path::new("data").join(name)).collect();
        pattern(&files).name
    }

    #[test]
    fn the_symbol_is_what_is_no_word_step_or_date() {
        assert_eq!(of(&["AAPL.csv", "BRK-B.csv"]), "{symbol}.csv");
        assert_eq!(of(&["daily_IBM.csv"]), "daily_{symbol}.csv");
        assert_eq!(of(&["BTCUSDT-1m-2024-01.csv", "ETHUSDT-1m-2025-01.csv"]), "{symbol}-1m-*.csv");
        assert_eq!(of(&["DAT_ASCII_EURUSD_M1_201202.csv"]), "DAT_ASCII_{symbol}_M1_*.csv");
        assert_eq!(of(&["XAUUSD_M15_202401020000_202401021445.csv"]), "{symbol}_M15_*.csv");
        assert_eq!(of(&["BATS_AAPL, 1D.csv"]), "BATS_{symbol}, 1D.csv");
        assert_eq!(of(&["aapl.us.txt", "brk-b.us.txt"]), "{symbol}.us.txt");
        assert_eq!(of(&["BTC_USDT-5m.json"]), "{symbol}-5m.json");
        assert_eq!(of(&["XBTUSD_1.csv", "ETHUSD_1.csv"]), "{symbol}_1.csv");
        assert_eq!(of(&["000001.csv", "600519.csv"]), "{symbol}.csv");
    }
}
