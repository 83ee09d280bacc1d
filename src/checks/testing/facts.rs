//! Facts as examples of documentation write them.

use std::sync::Arc;

use crate::market::facts::{ActionKind, CorporateAction, Exception, LimitFact, MarketFacts, Outage, Stretch, Who};
use crate::market::price_limits::PriceLimit;

/// The symbol that the facts of an example are about, whatever the series is called.
pub(super) const ANY: &str = "TEST";

/// A fact as an example writes it: `suspended 2024-01-03 2024-01-05`, the words of the reasons or `listed`, `split 2` and
/// `other` before a date, `limit 0.05`.
pub(super) fn add_fact(facts: &mut MarketFacts, text: &str, at: &dyn Fn(&str) -> i64) {
    let words: Vec<&str> = text.split(' ').collect();
    let stretch = |from: usize| Stretch {
        from: words.get(from).map_or(i64::MIN, |text| at(text)),
        until: words.get(from + 1).map_or(i64::MAX, |text| at(text)),
    };
    match words[0] {
        "suspended" => facts.add_suspension(ANY, stretch(1)),
        "listed" => facts.add_listing(ANY, stretch(1)),
        "outage" => facts.add_outage(Outage { stretch: stretch(1), source: None, symbol: None }),
        "split" => {
            let kind = ActionKind::Split { ratio: words[1].parse().expect("a ratio") };
            facts.add_action(ANY, CorporateAction { time: at(words[2]), kind });
        }
        "dividend" => {
            let kind = ActionKind::Dividend { cash: words[1].parse().expect("cash") };
            facts.add_action(ANY, CorporateAction { time: at(words[2]), kind });
        }
        "limit" => {
            let share = Some(words[1].parse::<u32>().expect("ten-thousandths"));
            let limit = PriceLimit { up: share, down: share };
            facts.add_limit(LimitFact { who: Who::Symbols("*".to_owned()), stretch: stretch(2), limit });
        }
        "moved" => *facts = std::mem::take(facts).with_moved([(ANY.to_owned(), at(words[1]))]),
        "exception" => facts.add_exception(ANY, Exception { rule: Arc::from("test"), stretch: stretch(1) }),
        other => panic!("no fact `{other}`"),
    }
}
