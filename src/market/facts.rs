//! What is known of a market besides its calendar: corporate actions, suspensions, listings, price limits, outages, and
//! what a person takes out of a rule.
//!
//! Pure values, made once from what a person wrote. The facts of one series are found once, by its symbol and its
//! source, and then looked up by time. Times are µs on the scale of the timestamps of the bars.

mod action;
mod of_series;
mod stretch;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::price_limits::{Board, PriceLimit};
use stretch::united;

pub use action::{ActionKind, CorporateAction, reference_price};
pub use of_series::{Absence, Listed, SeriesFacts};
pub use stretch::Stretch;

/// What stands for the symbol of a suspension of all of them, as where an exchange halts trading.
pub const EVERY_SYMBOL: &str = "*";

/// A rule that a person takes back for one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// Identifier of the rule.
    pub rule: Arc<str>,
    /// When.
    pub stretch: Stretch,
}

/// A stretch in which a source delivered nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Outage {
    /// When.
    pub stretch: Stretch,
    /// The source; `None` for all of them.
    pub source: Option<String>,
    /// The symbol; `None` for all of them.
    pub symbol: Option<String>,
}

/// The shares a price limit is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Who {
    /// Symbols of this form; `*` stands for any text.
    Symbols(String),
    /// Shares of this board.
    Board(Board),
}

/// A price limit that a person set.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitFact {
    /// For which shares.
    pub who: Who,
    /// When.
    pub stretch: Stretch,
    /// How far prices may move.
    pub limit: PriceLimit,
}

/// The facts of one symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SymbolFacts {
    /// In order of their times.
    actions: Vec<CorporateAction>,
    /// In order and apart.
    suspensions: Vec<Stretch>,
    /// In order and apart.
    listings: Vec<Stretch>,
    exceptions: Vec<Exception>,
}

/// The facts of all series of a job.
#[derive(Debug, Clone, Default)]
pub struct MarketFacts {
    /// The field of the series key that holds the symbol.
    pub symbol_field: Option<Arc<str>>,
    /// The field of the series key that holds the source.
    pub source_field: Option<Arc<str>>,
    symbols: BTreeMap<String, SymbolFacts>,
    /// When nothing was traded at all, in order and apart.
    halts: Vec<Stretch>,
    outages: Vec<Outage>,
    limits: Vec<LimitFact>,
    /// Timestamps of bars that were moved to quarantine, by series key, ascending.
    moved: BTreeMap<String, Vec<i64>>,
}

impl MarketFacts {
    /// Adds a corporate action of `symbol`.
    pub fn add_action(&mut self, symbol: &str, action: CorporateAction) {
        self.of_symbol(symbol).actions.push(action);
    }

    /// Adds a stretch in which `symbol` was not traded, or, where it is [`EVERY_SYMBOL`], none was.
    pub fn add_suspension(&mut self, symbol: &str, stretch: Stretch) {
        let suspensions =
            if symbol == EVERY_SYMBOL { &mut self.halts } else { &mut self.of_symbol(symbol).suspensions };
        suspensions.push(stretch);
    }

    /// Adds a stretch in which `symbol` was listed.
    pub fn add_listing(&mut self, symbol: &str, stretch: Stretch) {
        self.of_symbol(symbol).listings.push(stretch);
    }

    /// Adds a rule that does not hold for `symbol`.
    pub fn add_exception(&mut self, symbol: &str, exception: Exception) {
        self.of_symbol(symbol).exceptions.push(exception);
    }

    /// Adds an outage.
    pub fn add_outage(&mut self, outage: Outage) {
        self.outages.push(outage);
    }

    /// Adds a price limit.
    pub fn add_limit(&mut self, limit: LimitFact) {
        self.limits.push(limit);
    }

    fn of_symbol(&mut self, symbol: &str) -> &mut SymbolFacts {
        if !self.symbols.contains_key(symbol) {
            self.symbols.insert(symbol.to_owned(), SymbolFacts::default());
        }
        self.symbols.entry(symbol.to_owned()).or_default()
    }

    /// Puts everything in order, which looking up relies on; call it once all is added.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        for facts in self.symbols.values_mut() {
            facts.actions.sort_by_key(|action| action.time);
            facts.suspensions = united(std::mem::take(&mut facts.suspensions));
            facts.listings.sort_unstable();
        }
        self.halts = united(std::mem::take(&mut self.halts));
        // The nearer a limit is to one symbol, the earlier it is asked.
        self.limits.sort_by_key(|limit| match &limit.who {
            Who::Symbols(pattern) if !pattern.contains('*') => (0, 0),
            Who::Symbols(pattern) => (1, usize::MAX - pattern.len()),
            Who::Board(_) => (2, 0),
        });
        self
    }

    /// The same, and the bars that were moved to quarantine: series keys and timestamps.
    #[must_use]
    pub fn with_moved(mut self, bars: impl IntoIterator<Item = (String, i64)>) -> Self {
        for (series, time) in bars {
            self.moved.entry(series).or_default().push(time);
        }
        self.moved.values_mut().for_each(|times| times.sort_unstable());
        self
    }

    /// Whether nothing is known of anything.
    pub fn is_empty(&self) -> bool {
        let of_symbols = self.symbols.is_empty() && self.outages.is_empty() && self.limits.is_empty();
        of_symbols && self.halts.is_empty() && self.moved.is_empty()
    }

    /// The facts of the series `key`, whose symbol and source these are.
    pub fn of_series<'a>(&'a self, key: &str, symbol: Option<&'a str>, source: Option<&str>) -> SeriesFacts<'a> {
        let moved = self.moved.get(key).map(Vec::as_slice).unwrap_or_default();
        SeriesFacts { moved, ..self.of(symbol, source) }
    }

    /// The symbols that facts name.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        self.symbols.keys().map(String::as_str)
    }

    /// The facts of a series of `symbol` from `source`.
    pub fn of<'a>(&'a self, symbol: Option<&'a str>, source: Option<&str>) -> SeriesFacts<'a> {
        let concerns = |named: Option<&str>, own: Option<&str>| named.is_none_or(|named| own == Some(named));
        let outages = self
            .outages
            .iter()
            .filter(|outage| concerns(outage.source.as_deref(), source) && concerns(outage.symbol.as_deref(), symbol));
        let board = symbol.filter(|_| !self.limits.is_empty()).and_then(Board::of);
        let limits = self.limits.iter().filter(|limit| match &limit.who {
            Who::Symbols(pattern) => symbol.is_some_and(|symbol| is_like(symbol, pattern)),
            Who::Board(of) => board == Some(*of),
        });
        let of_symbol = symbol.and_then(|symbol| self.symbols.get(symbol));
        let suspensions = of_symbol.map(|symbol| symbol.suspensions.as_slice()).unwrap_or_default();
        let suspensions = match (suspensions, self.halts.as_slice()) {
            (suspensions, []) => Cow::Borrowed(suspensions),
            ([], halts) => Cow::Borrowed(halts),
            (suspensions, halts) => Cow::Owned(united([suspensions, halts].concat())),
        };
        SeriesFacts {
            name: symbol,
            symbol: of_symbol,
            suspensions,
            outages: united(outages.map(|outage| outage.stretch).collect()),
            limits: limits.map(|limit| (limit.stretch, limit.limit)).collect(),
            moved: &[],
        }
    }
}

/// Whether `text` has the form of `pattern`, in which `*` stands for any text.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let (between, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in between.split('*') {
        let Some((_, after)) = text.split_once(part).or(part.is_empty().then_some(("", text))) else { return false };
        text = after;
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: i64, until: i64) -> Stretch {
        Stretch { from, until }
    }

    fn facts() -> MarketFacts {
        let mut facts = MarketFacts::default();
        facts.add_action("A", CorporateAction { time: 20, kind: ActionKind::Other });
        facts.add_action("A", CorporateAction { time: 10, kind: ActionKind::Split { ratio: 2.0 } });
        facts.add_suspension("A", stretch(5, 7));
        facts.add_suspension("A", stretch(3, 5));
        facts.add_listing("A", stretch(100, i64::MAX));
        facts.add_listing("A", stretch(1, 50));
        facts.add_exception("A", Exception { rule: Arc::from("spike"), stretch: stretch(1, 2) });
        facts.add_outage(Outage { stretch: stretch(1, 2), source: None, symbol: None });
        facts.add_outage(Outage { stretch: stretch(4, 6), source: Some("x".to_owned()), symbol: None });
        facts.add_outage(Outage { stretch: stretch(5, 9), source: None, symbol: Some("B".to_owned()) });
        facts.in_order()
    }

    #[test]
    fn facts_of_a_symbol_are_found_by_time() {
        let facts = facts();
        let of = facts.of(Some("A"), None);
        assert_eq!(of.actions(10, 20).len(), 1, "that of 10 was before");
        assert_eq!(of.actions(9, 20).iter().map(|action| action.time).collect::<Vec<_>>(), [10, 20]);
        assert_eq!((of.suspension(2), of.suspension(6)), (None, Some(stretch(3, 7))));
        assert!(!of.suspended_between(6, 8) && of.suspended_between(5, 8));
        assert_eq!(of.exceptions("spike").count(), 1);
        assert_eq!(of.exceptions("other").count(), 0);
        assert!(facts.of(Some("C"), None).suspension(4).is_none());
    }

    #[test]
    fn halts_of_all_trading_are_suspensions_of_each_symbol() {
        let mut facts = MarketFacts::default();
        facts.add_suspension("A", stretch(3, 5));
        facts.add_suspension(EVERY_SYMBOL, stretch(4, 7));
        facts.add_suspension(EVERY_SYMBOL, stretch(9, 11));
        let facts = facts.in_order();
        let suspension = |symbol, time| facts.of(symbol, None).suspension(time);
        assert_eq!((suspension(Some("A"), 3), suspension(Some("B"), 3)), (Some(stretch(3, 7)), None));
        assert_eq!((suspension(Some("B"), 5), suspension(None, 9)), (Some(stretch(4, 7)), Some(stretch(9, 11))));
        assert_eq!(facts.of(Some("B"), None).absence(4), (Some(Absence::Suspended), 7));
        assert!(facts.of(Some("B"), None).suspended_between(7, 10) && !facts.of(Some("B"), None).is_empty());
        assert_eq!(facts.symbols().collect::<Vec<_>>(), ["A"], "no symbol is called so");
    }

    #[test]
    fn a_ticker_that_was_used_again_has_a_hole_between() {
        let facts = facts();
        let listed = |time| facts.of(Some("A"), None).listed(time).unwrap();
        assert_eq!(listed(0), (Listed::NotYet, stretch(i64::MIN, 1)));
        assert_eq!(listed(49), (Listed::Yes, stretch(1, 50)));
        assert_eq!(listed(50), (Listed::NoLonger, stretch(50, 100)));
        assert_eq!(listed(100).0, Listed::Yes);
        assert_eq!(facts.of(Some("B"), None).listed(0), None);
    }

    #[test]
    fn outages_are_those_of_the_source_and_of_the_symbol() {
        let facts = facts();
        let outages = |symbol, source| facts.of(symbol, source).outages().to_vec();
        assert_eq!(outages(Some("A"), None), [stretch(1, 2)]);
        assert_eq!(outages(Some("A"), Some("x")), [stretch(1, 2), stretch(4, 6)]);
        assert_eq!(outages(Some("B"), Some("x")), [stretch(1, 2), stretch(4, 9)]);
    }

    #[test]
    fn of_several_price_limits_the_nearest_to_the_symbol_holds() {
        let mut facts = MarketFacts::default();
        let limit = |limit| PriceLimit { up: Some(limit), down: Some(limit) };
        for (who, up) in [
            (Who::Board(Board::Main), 1),
            (Who::Symbols("6*".to_owned()), 2),
            (Who::Symbols("6000*".to_owned()), 3),
            (Who::Symbols("600001".to_owned()), 4),
        ] {
            facts.add_limit(LimitFact { who, stretch: stretch(0, 9), limit: limit(up) });
        }
        let facts = facts.in_order();
        let of = |symbol| facts.of(Some(symbol), None).limit(5).and_then(|limit| limit.up);
        assert_eq!(
            [of("600001"), of("600002"), of("601000"), of("000001"), of("AAPL")],
            [Some(4), Some(3), Some(2), Some(1), None]
        );
        assert_eq!(facts.of(Some("600001"), None).limit(9), None);
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (text, pattern, like) in [
            ("600000.SH", "*.SH", true),
            ("600000.SH", "60*.SH", true),
            ("600000.SH", "60*.SZ", false),
            ("600000.SH", "*00*S*", true),
            ("600000", "600000", true),
            ("600000", "60000", false),
            ("ab", "a*b*b", false),
            ("x", "*", true),
        ] {
            assert_eq!(is_like(text, pattern), like, "{text} {pattern}");
        }
    }
}
