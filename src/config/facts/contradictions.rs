//! Facts that contradict each other, or say the same thing twice.

use std::sync::Arc;

use super::kinds::{Row, Rows};
use super::reader::CODE;
use crate::market::facts::{CorporateAction, Exception, LimitFact, Outage, Stretch};
use crate::schema::diagnostic::Diagnostic;

/// So many of each are shown; the others are counted.
const MOST_SHOWN: usize = 20;

/// What contradicts itself, and what is only odd.
pub(super) fn of(rows: &Rows) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    let (mut wrong, mut odd) = (Vec::new(), Vec::new());
    actions(&rows.actions, &mut wrong, &mut odd);
    for (row, other) in overlapping(&rows.listings, |_, _| true, |fact| *fact) {
        let title = format!("`{}` was listed twice at once", row.symbol);
        let help = "end the first listing where the second begins: two companies do not share a symbol";
        wrong.push(pair(row, other, &title).help(help));
    }
    let same_limit = |one: &Row<LimitFact>, other: &Row<LimitFact>| one.fact.who == other.fact.who;
    for (row, other) in overlapping(&rows.limits, same_limit, |fact| fact.stretch) {
        let pair = pair(row, other, "two price limits hold at once for the same shares");
        match row.fact.limit == other.fact.limit {
            true => odd.push(pair.help("one of them is enough")),
            false => wrong.push(pair.help("end the first where the second begins")),
        }
    }
    for (row, other) in overlapping(&rows.suspensions, |_, _| true, |fact| *fact) {
        let title = format!("two suspensions of `{}` overlap, and are taken for one", row.symbol);
        odd.push(pair(row, other, &title).help("one row for each is clearer"));
    }
    let same_source = |one: &Row<Outage>, other: &Row<Outage>| one.fact.source == other.fact.source;
    for (row, other) in overlapping(&rows.outages, same_source, |fact| fact.stretch) {
        odd.push(pair(row, other, "two outages overlap, and are taken for one").help("one row for each is clearer"));
    }
    let same_rule = |one: &Row<Exception>, other: &Row<Exception>| one.fact.rule == other.fact.rule;
    for (row, other) in overlapping(&rows.exceptions, same_rule, |fact| fact.stretch) {
        let title = format!("two exceptions take `{}` out of the same rule at once", row.symbol);
        odd.push(pair(row, other, &title).help("one row for each is clearer"));
    }
    outside(rows, &mut odd);
    (shortened(wrong), shortened(odd))
}

/// Corporate actions of one kind on one date.
fn actions(rows: &[Row<CorporateAction>], wrong: &mut Vec<Diagnostic>, odd: &mut Vec<Diagnostic>) {
    let key = |row: &Row<CorporateAction>| (row.symbol.clone(), row.fact.time);
    let mut sorted: Vec<&Row<CorporateAction>> = rows.iter().collect();
    sorted.sort_by_cached_key(|row| key(row));
    for of_date in sorted.chunk_by(|one, next| key(one) == key(next)) {
        for (index, row) in of_date.iter().enumerate() {
            let kind = std::mem::discriminant(&row.fact.kind);
            let Some(first) = of_date[..index].iter().find(|first| std::mem::discriminant(&first.fact.kind) == kind)
            else {
                continue;
            };
            let title = format!("`{}` has two actions of one kind on one date", row.symbol);
            match row.fact.kind == first.fact.kind {
                true => odd.push(
                    pair(row, first, &format!("{title}: both count")).help("take one of them out, if they are one"),
                ),
                false => {
                    wrong.push(pair(row, first, &title).help("keep the right one, or write what they are together"));
                }
            }
        }
    }
}

/// Suspensions of symbols and actions at times when no listing holds.
fn outside(rows: &Rows, odd: &mut Vec<Diagnostic>) {
    let mut listings: Vec<(&str, Stretch)> = rows.listings.iter().map(|row| (row.symbol.as_str(), row.fact)).collect();
    listings.sort_unstable();
    let of = |symbol: &str| {
        let from = listings.partition_point(|(other, _)| *other < symbol);
        let own = &listings[from..];
        &own[..own.partition_point(|(other, _)| *other == symbol)]
    };
    for row in &rows.actions {
        let own = of(&row.symbol);
        if !own.is_empty() && !own.iter().any(|(_, listing)| listing.covers(row.fact.time)) {
            let title = format!("`{}` has an action at a time when it was not listed", row.symbol);
            odd.push(one(row, &title).help("is the date right, and the symbol that of this company?"));
        }
    }
    for row in &rows.suspensions {
        let own = of(&row.symbol);
        if !own.is_empty() && !own.iter().any(|(_, listing)| listing.meets(row.fact)) {
            let title = format!("`{}` was suspended at a time when it was not listed", row.symbol);
            odd.push(one(row, &title).help("are the dates right, and the symbol that of this company?"));
        }
    }
}

/// Each row that overlaps an earlier one of its symbol, with that.
fn overlapping<F>(
    rows: &[Row<F>],
    alike: impl Fn(&Row<F>, &Row<F>) -> bool,
    stretch: impl Fn(&F) -> Stretch,
) -> Vec<(&Row<F>, &Row<F>)> {
    let mut sorted: Vec<&Row<F>> = rows.iter().collect();
    sorted.sort_by_cached_key(|row| (row.symbol.clone(), stretch(&row.fact)));
    let mut found = Vec::new();
    for of_symbol in sorted.chunk_by(|one, next| one.symbol == next.symbol) {
        // Of each sort, the row that reaches furthest so far.
        let mut furthest: Vec<&Row<F>> = Vec::new();
        for row in of_symbol {
            match furthest.iter_mut().find(|other| alike(row, other)) {
                None => furthest.push(row),
                Some(other) => {
                    if stretch(&row.fact).meets(stretch(&other.fact)) {
                        found.push((*row, *other));
                    }
                    if stretch(&row.fact).until > stretch(&other.fact).until {
                        *other = row;
                    }
                }
            }
        }
    }
    found
}

fn one<F>(row: &Row<F>, title: &str) -> Diagnostic {
    Diagnostic::new(CODE, title, &row.file, row.span.clone())
}

fn pair<F>(row: &Row<F>, first: &Row<F>, title: &str) -> Diagnostic {
    let same = Arc::ptr_eq(&row.file, &first.file) && row.span == first.span;
    let mistake = one(row, title);
    if same { mistake } else { mistake.also(&first.file, first.span.clone(), "the other one") }
}

/// The first few, and how many more there are.
fn shortened(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let more = found.len().saturating_sub(MOST_SHOWN);
    found.truncate(MOST_SHOWN);
    if let Some(last) = found.last_mut().filter(|_| more > 0) {
        last.title += &format!(" (and {more} more like these)");
    }
    found
}
