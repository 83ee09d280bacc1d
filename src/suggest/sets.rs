//! The rule sets that ship, and those that fit a market.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::known::Known;

/// The rules for bars of any market.
pub(crate) const OHLCV: (&str, &str) = ("rules/ohlcv.toml", include_str!("../../rules/ohlcv.toml"));
/// The rule sets besides [`OHLCV`], with their places in a project.
pub(crate) const SETS: [(&str, &str); 11] = [
    ("rules/across-series.toml", include_str!("../../rules/across-series.toml")),
    ("rules/crypto.toml", include_str!("../../rules/crypto.toml")),
    ("rules/cn-equities.toml", include_str!("../../rules/cn-equities.toml")),
    ("rules/us-equities.toml", include_str!("../../rules/us-equities.toml")),
    ("rules/eu-equities.toml", include_str!("../../rules/eu-equities.toml")),
    ("rules/futures.toml", include_str!("../../rules/futures.toml")),
    ("rules/fx.toml", include_str!("../../rules/fx.toml")),
    ("rules/hk-equities.toml", include_str!("../../rules/hk-equities.toml")),
    ("rules/in-equities.toml", include_str!("../../rules/in-equities.toml")),
    ("rules/jp-equities.toml", include_str!("../../rules/jp-equities.toml")),
    ("rules/uk-equities.toml", include_str!("../../rules/uk-equities.toml")),
];

/// Calendars of exchanges, each with the set of its market.
const MARKETS: [(&str, &str); 20] = [
    ("XNYS", "us-equities"),
    ("XNAS", "us-equities"),
    ("XSHG", "cn-equities"),
    ("XSHE", "cn-equities"),
    ("XHKG", "hk-equities"),
    ("XTKS", "jp-equities"),
    ("XLON", "uk-equities"),
    ("XBOM", "in-equities"),
    ("XNSE", "in-equities"),
    ("XETR", "eu-equities"),
    ("XFRA", "eu-equities"),
    ("XPAR", "eu-equities"),
    ("XAMS", "eu-equities"),
    ("XBRU", "eu-equities"),
    ("XLIS", "eu-equities"),
    ("XMIL", "eu-equities"),
    ("XMAD", "eu-equities"),
    ("XSWX", "eu-equities"),
    ("CMES", "futures"),
    ("XCBF", "futures"),
];
/// What the symbols of coins have in them.
const COINS: [&str; 6] = ["USDT", "USDC", "BTC", "XBT", "ETH", "-USD"];
/// Currencies that most pairs have in them.
const CURRENCIES: [&str; 7] = ["USD", "EUR", "JPY", "GBP", "CHF", "AUD", "CAD"];

/// The sets that fit bars of `calendar` with these symbols and of which `known` has no rule: the place of each in a
/// project, and its rules.
pub(super) fn fitting(
    calendar: Option<&str>,
    symbols: &BTreeSet<String>,
    known: &Known,
) -> Vec<(&'static str, &'static str)> {
    let market = calendar.and_then(|name| MARKETS.iter().find(|(known, _)| *known == name)).map(|(_, set)| *set);
    let market = market.or_else(|| around_the_clock(calendar, symbols));
    let of_market = market.and_then(|market| SETS.iter().find(|(path, _)| *path == format!("rules/{market}.toml")));
    let sets = std::iter::once(&OHLCV).chain(of_market);
    sets.copied().filter(|(_, text)| !rules(text).iter().any(|(id, ..)| known.has_id(id))).collect()
}

/// Markets that no calendar tells, by how most symbols are written.
fn around_the_clock(calendar: Option<&str>, symbols: &BTreeSet<String>) -> Option<&'static str> {
    let most = |is: &dyn Fn(&str) -> bool| {
        let hits = symbols.iter().filter(|symbol| is(&symbol.to_ascii_uppercase())).count();
        !symbols.is_empty() && hits * 2 > symbols.len()
    };
    let is_coin = |symbol: &str| COINS.iter().any(|coin| symbol.contains(coin));
    let is_pair = |symbol: &str| {
        let letters: String = symbol.chars().filter(char::is_ascii_alphabetic).collect();
        letters.len() == 6 && CURRENCIES.iter().any(|one| letters.starts_with(one) || letters.ends_with(one))
    };
    match calendar {
        Some("24/7") if most(&is_coin) => Some("crypto"),
        Some("weekdays" | "24/5" | "FX") if most(&is_pair) => Some("fx"),
        _ => None,
    }
}

/// The rules of a set: id, check and parameters.
pub(super) fn rules(text: &str) -> Vec<(String, String, Map<String, Value>)> {
    let set: Value = toml::from_str(text).unwrap_or_default();
    let rules = set.get("rule").and_then(Value::as_array).into_iter().flatten();
    let text = |rule: &Value, key: &str| rule.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    rules.map(|rule| (text(rule, "id"), text(rule, "check"), rule.as_object().cloned().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(calendar: Option<&str>, symbols: &[&str], known: &Known) -> Vec<&'static str> {
        let symbols = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        fitting(calendar, &symbols, known).into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn sets_fit_a_market_by_its_calendar_or_its_symbols() {
        let none = Known::default();
        assert_eq!(names(Some("XNYS"), &["AAPL"], &none), ["rules/ohlcv.toml", "rules/us-equities.toml"]);
        assert_eq!(names(Some("24/7"), &["BTCUSDT"], &none), ["rules/ohlcv.toml", "rules/crypto.toml"]);
        assert_eq!(names(Some("24/7"), &["SENSOR"], &none), ["rules/ohlcv.toml"]);
        assert_eq!(names(Some("weekdays"), &["EUR/USD", "USDJPY"], &none), ["rules/ohlcv.toml", "rules/fx.toml"]);
        assert_eq!(names(None, &[], &none), ["rules/ohlcv.toml"]);
        let mut has = Known::default();
        has.take("ohlc", "ohlc", Map::new());
        has.take("us-symbol", "matches", Map::new());
        assert_eq!(names(Some("XNYS"), &["AAPL"], &has), [""; 0]);
    }

    #[test]
    fn every_set_has_rules_and_every_market_a_set() {
        for (path, text) in SETS.iter().chain([&OHLCV]) {
            assert!(!rules(text).is_empty(), "{path}");
        }
        for (calendar, set) in MARKETS {
            assert!(SETS.iter().any(|(path, _)| *path == format!("rules/{set}.toml")), "{calendar}");
        }
    }
}
