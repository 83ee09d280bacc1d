//! What the rows of each kind of file say.

use std::ops::Range;
use std::sync::Arc;

use super::columns::KINDS;
use super::reader::{Reader, Scale};
use super::table::Table;
use crate::market::facts::{ActionKind, CorporateAction, Exception, LimitFact, MarketFacts, Outage, Stretch, Who};
use crate::market::price_limits::{Board, PriceLimit};
use crate::schema::diagnostic::{Diagnostic, SourceText};

/// A fact, whose it is, and where it stands.
#[derive(Debug)]
pub(super) struct Row<F> {
    /// The symbol; empty where the fact says itself whose it is.
    pub(super) symbol: String,
    pub(super) fact: F,
    pub(super) file: Arc<SourceText>,
    pub(super) span: Range<usize>,
}

/// The rows of all files.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) actions: Vec<Row<CorporateAction>>,
    pub(super) suspensions: Vec<Row<Stretch>>,
    pub(super) listings: Vec<Row<Stretch>>,
    pub(super) limits: Vec<Row<LimitFact>>,
    pub(super) outages: Vec<Row<Outage>>,
    pub(super) exceptions: Vec<Row<Exception>>,
}

/// Moves further than this share of the reference price are taken for per cent.
const LARGEST_LIMIT: f64 = 1.0;

impl Rows {
    /// Takes the rows of a file named by the key `key` of `[facts]`: its mistakes, and what is odd in it.
    pub(super) fn take(&mut self, key: &str, table: &Table, scale: Scale) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        let Some(kind) = KINDS.iter().find(|kind| kind.key == key) else {
            unreachable!("bug: no columns are declared for `{key}`")
        };
        let mut reader = Reader::new(table, kind, scale);
        for row in 0..table.rows.len() {
            let symbol = reader.text(row, "symbol").unwrap_or_default().to_owned();
            let (file, span) = (Arc::clone(&table.file), reader.span(row, ""));
            match key {
                "corporate_actions" => {
                    self.actions.extend(action(&mut reader, row).map(|fact| Row { symbol, fact, file, span }));
                }
                "suspensions" => {
                    self.suspensions.extend(of_symbol(&mut reader, row).map(|fact| Row { symbol, fact, file, span }));
                }
                "listings" => {
                    self.listings.extend(of_symbol(&mut reader, row).map(|fact| Row { symbol, fact, file, span }));
                }
                "price_limits" => {
                    self.limits.extend(limit(&mut reader, row).map(|fact| Row { symbol, fact, file, span }));
                }
                "outages" => self.outages.extend(outage(&mut reader, row).map(|fact| Row { symbol, fact, file, span })),
                _ => {
                    let span = reader.span(row, "rule");
                    self.exceptions.extend(exception(&mut reader, row).map(|fact| Row { symbol, fact, file, span }));
                }
            }
        }
        reader.finish()
    }

    /// The facts, in order.
    pub(super) fn facts(self) -> MarketFacts {
        let mut facts = MarketFacts::default();
        self.actions.into_iter().for_each(|row| facts.add_action(&row.symbol, row.fact));
        self.suspensions.into_iter().for_each(|row| facts.add_suspension(&row.symbol, row.fact));
        self.listings.into_iter().for_each(|row| facts.add_listing(&row.symbol, row.fact));
        self.exceptions.into_iter().for_each(|row| facts.add_exception(&row.symbol, row.fact));
        self.outages.into_iter().for_each(|row| facts.add_outage(row.fact));
        self.limits.into_iter().for_each(|row| facts.add_limit(row.fact));
        facts.in_order()
    }
}

/// A stretch of one symbol.
fn of_symbol(reader: &mut Reader<'_>, row: usize) -> Option<Stretch> {
    let (symbol, stretch) = (reader.needed(row, "symbol"), reader.stretch(row));
    symbol.and(stretch)
}

fn action(reader: &mut Reader<'_>, row: usize) -> Option<CorporateAction> {
    let symbol = reader.needed(row, "symbol");
    let time = reader.needed(row, "date").and_then(|_| reader.first_time(row, "date"));
    reader.needed(row, "kind")?;
    let word = reader.word(row, "kind")?;
    let uses: &[&str] = match word {
        "split" | "bonus" => &["ratio"],
        "rights" => &["ratio", "price"],
        "dividend" => &["cash"],
        _ => &[],
    };
    for name in ["ratio", "cash", "price"] {
        if !uses.contains(&name) && reader.text(row, name).is_some() {
            let title = format!("`{name}` says nothing of `{word}`");
            let help = "leave it empty; give an action of several kinds a row for each";
            reader.reject(row, reader.span(row, name), &title, help);
        }
    }
    let what = format!("`{word}`");
    let mut number = |name: &str| reader.needed_number(row, name, &what);
    let kind = match word {
        "split" => ActionKind::Split { ratio: number("ratio")? },
        "bonus" => ActionKind::Bonus { ratio: number("ratio")? },
        "rights" => {
            let (ratio, price) = (number("ratio"), number("price"));
            ActionKind::Rights { ratio: ratio?, price: price? }
        }
        "dividend" => ActionKind::Dividend { cash: number("cash")? },
        _ => ActionKind::Other,
    };
    symbol?;
    Some(CorporateAction { time: time?, kind })
}

fn limit(reader: &mut Reader<'_>, row: usize) -> Option<LimitFact> {
    let stretch = reader.stretch(row);
    let mut share = |name: &str| {
        let number = reader.number(row, name)?;
        if number > LARGEST_LIMIT {
            let title = format!("`{name}` is {number}, and must not be above 1");
            reader.reject(row, reader.span(row, name), &title, "it is a share of the price: write 0.1 for 10 %");
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share lies between 0 and 1")]
        Some((number * 10_000.0).round() as u32)
    };
    let limit = PriceLimit { up: share("up"), down: share("down") };
    let who = match (reader.text(row, "symbol"), reader.text(row, "board")) {
        (Some(symbol), None) => Some(Who::Symbols(symbol.to_owned())),
        (None, Some(_)) => reader.word(row, "board").and_then(Board::parse).map(Who::Board),
        (symbol, _) => {
            let title = if symbol.is_some() { "both `symbol` and `board` are given" } else { "no share is named" };
            reader.reject(
                row,
                reader.span(row, ""),
                title,
                "name a `symbol`, a form of symbols as `30*`, or a `board`",
            );
            None
        }
    };
    Some(LimitFact { who: who?, stretch: stretch?, limit })
}

fn outage(reader: &mut Reader<'_>, row: usize) -> Option<Outage> {
    let own = |text: Option<&str>| text.map(str::to_owned);
    reader.needed(row, "from")?;
    let stretch = reader.touched(row)?;
    Some(Outage { stretch, source: own(reader.text(row, "source")), symbol: own(reader.text(row, "symbol")) })
}

fn exception(reader: &mut Reader<'_>, row: usize) -> Option<Exception> {
    let (symbol, rule, why) = (reader.needed(row, "symbol"), reader.needed(row, "rule"), reader.needed(row, "why"));
    let stretch = reader.stretch(row);
    symbol.and(why)?;
    Some(Exception { rule: Arc::from(rule?), stretch: stretch? })
}
