//! Bars of one timestamp from several sources, field by field.

use super::limits::{Columns, FIELDS, Limits, PRICES};

/// A bar of one source that the others contradict, in its prices or in its volume.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    /// Which of the timestamps that several sources have it is.
    pub(super) place: usize,
    /// The source, and its row.
    pub(super) source: usize,
    pub(super) row: usize,
    /// The field with the largest difference, and all that differ.
    pub(super) field: usize,
    pub(super) fields: Vec<usize>,
    /// Value divided by that of the row it is compared with, of the same ratio in all fields that differ; else NaN.
    pub(super) ratio: f64,
    /// Whether more than half of the sources agree on another value.
    pub(super) odd: bool,
    /// The row it is compared with.
    pub(super) reference: usize,
    /// Sources and rows of the others.
    pub(super) others: Vec<(usize, usize)>,
}

/// Compares `bars`, of each source the row it has at the timestamp with the number `place`; what differs is appended to
/// `found`.
pub(super) fn compare(
    place: usize,
    bars: &[(usize, usize)],
    columns: &Columns<'_>,
    limits: Limits,
    found: &mut Vec<Difference>,
) {
    for fields in [0..PRICES, PRICES..FIELDS.len()] {
        let agreed: Vec<(usize, Agreed)> =
            fields.filter_map(|field| Some((field, agree(field, bars, columns, limits)?))).collect();
        for (own, (source, row)) in bars.iter().enumerate() {
            let differs = |(field, agreed): &&(usize, Agreed)| {
                let value = value(columns, *field, *row);
                value.is_finite() && !agreed.with.contains(&own) && agreed.finite.iter().any(|other| *other != own)
            };
            let differing: Vec<&(usize, Agreed)> = agreed.iter().filter(differs).collect();
            let Some((_, first)) = differing.first() else { continue };
            let reference = first.reference(own, bars);
            let ratio = |field: usize| value(columns, field, *row) / value(columns, field, reference);
            let far = |field: usize| (ratio(field).abs().ln()).abs();
            let fields: Vec<usize> = differing.iter().map(|(field, _)| *field).collect();
            let field = fields.iter().copied().max_by(|one, other| far(*one).total_cmp(&far(*other))).unwrap_or(0);
            let one_ratio =
                fields.iter().all(|other| (ratio(*other) / ratio(field) - 1.0).abs() <= 2.0 * limits.price.max(1e-9));
            found.push(Difference {
                place,
                source: *source,
                row: *row,
                field,
                ratio: if one_ratio { ratio(field) } else { f64::NAN },
                odd: differing.iter().all(|(_, agreed)| agreed.majority),
                reference,
                others: bars.iter().filter(|bar| bar.0 != *source).copied().collect(),
                fields,
            });
        }
    }
}

/// Who agrees on a field.
struct Agreed {
    /// Bars with a value.
    finite: Vec<usize>,
    /// Bars that agree with each other; none where no more than half do.
    with: Vec<usize>,
    /// Whether these are more than half.
    majority: bool,
}

impl Agreed {
    /// The row that the bar at `own` is compared with.
    fn reference(&self, own: usize, bars: &[(usize, usize)]) -> usize {
        let other = self.with.first().or_else(|| self.finite.iter().find(|other| **other != own));
        bars[other.copied().unwrap_or(own)].1
    }
}

/// Who agrees on `field`; `None` where all do, or fewer than two have a value.
fn agree(field: usize, bars: &[(usize, usize)], columns: &Columns<'_>, limits: Limits) -> Option<Agreed> {
    let finite: Vec<usize> = (0..bars.len()).filter(|bar| value(columns, field, bars[*bar].1).is_finite()).collect();
    if finite.len() < 2 {
        return None;
    }
    let alike = |one: usize, other: usize| {
        limits.alike(field, value(columns, field, bars[one].1), value(columns, field, bars[other].1))
    };
    let with = |bar: usize| finite.iter().copied().filter(|other| alike(bar, *other)).collect::<Vec<_>>();
    let best = finite
        .iter()
        .map(|bar| with(*bar))
        .reduce(|best, other| if other.len() > best.len() { other } else { best })?;
    if best.len() == finite.len() {
        return None;
    }
    let majority = best.len() * 2 > finite.len();
    Some(Agreed { finite, with: if majority { best } else { Vec::new() }, majority })
}

fn value(columns: &Columns<'_>, field: usize, row: usize) -> f64 {
    columns[field].as_ref().map_or(f64::NAN, |column| column.values()[row])
}
