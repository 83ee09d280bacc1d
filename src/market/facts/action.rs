//! Corporate actions, and what they make of a price.

/// What a corporate action does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ActionKind {
    /// Each share becomes `ratio` shares: 2 for two for one, 0.1 for one for ten.
    Split {
        /// Shares after it for each share before.
        ratio: f64,
    },
    /// `ratio` new shares for each share held, for nothing.
    Bonus {
        /// New shares for each share held.
        ratio: f64,
    },
    /// `ratio` new shares for each share held, to be bought at `price`.
    Rights {
        /// New shares for each share held.
        ratio: f64,
        /// What a new share costs.
        price: f64,
    },
    /// `cash` is paid for each share.
    Dividend {
        /// What is paid for each share, in the unit of the prices.
        cash: f64,
    },
    /// Anything else that may change the level of the prices, by how much is not known.
    Other,
}

/// A corporate action of one symbol.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorporateAction {
    /// The first moment at which prices are without what it gives (the ex-date), µs on the scale of the timestamps.
    pub time: i64,
    /// What it does.
    pub kind: ActionKind,
}

/// What `previous`, a price before `actions`, is after them (the reference price); `None` where one of them does not say,
/// or nothing is left of the price. Actions of one moment are worked out together, as exchanges do: cash is deducted,
/// rights are added, and the sum is divided by the shares that one share becomes.
pub fn reference_price(actions: &[CorporateAction], previous: f64) -> Option<f64> {
    let mut price = previous;
    for of_moment in actions.chunk_by(|one, next| one.time == next.time) {
        let (mut paid, mut shares, mut split) = (0.0, 1.0, 1.0);
        for action in of_moment {
            match action.kind {
                ActionKind::Split { ratio } => split *= ratio,
                ActionKind::Bonus { ratio } => shares += ratio,
                ActionKind::Rights { ratio, price } => {
                    shares += ratio;
                    paid += ratio * price;
                }
                ActionKind::Dividend { cash } => paid -= cash,
                ActionKind::Other => return None,
            }
        }
        price = (price + paid) / (shares * split);
    }
    (price.is_finite() && price > 0.0).then_some(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: i64, kind: ActionKind) -> CorporateAction {
        CorporateAction { time, kind }
    }

    fn rounded(actions: &[CorporateAction], previous: f64) -> Option<f64> {
        reference_price(actions, previous).map(|price| (price * 1e4).round() / 1e4)
    }

    #[test]
    fn the_reference_price_is_that_of_the_exchanges() {
        let split = at(1, ActionKind::Split { ratio: 4.0 });
        assert_eq!(rounded(&[split], 500.0), Some(125.0));
        let (bonus, dividend) = (at(1, ActionKind::Bonus { ratio: 0.2 }), at(1, ActionKind::Dividend { cash: 0.174 }));
        assert_eq!(rounded(&[bonus, dividend], 16.49), Some(13.5967), "(16.49 - 0.174) / 1.2");
        let rights = at(1, ActionKind::Rights { ratio: 0.3, price: 8.0 });
        assert_eq!(rounded(&[rights], 10.0), Some(9.5385), "(10 + 0.3 × 8) / 1.3");
    }

    #[test]
    fn actions_of_one_moment_are_one_and_others_follow_each_other() {
        let (cash, split) = (ActionKind::Dividend { cash: 1.0 }, ActionKind::Split { ratio: 2.0 });
        assert_eq!(rounded(&[at(1, cash), at(1, split)], 11.0), Some(5.0));
        assert_eq!(rounded(&[at(1, split), at(2, cash)], 11.0), Some(4.5));
        assert_eq!(rounded(&[], 11.0), Some(11.0));
    }

    #[test]
    fn what_is_not_known_or_leaves_nothing_has_no_reference() {
        assert_eq!(rounded(&[at(1, ActionKind::Other)], 11.0), None);
        assert_eq!(rounded(&[at(1, ActionKind::Dividend { cash: 12.0 })], 11.0), None);
    }
}
