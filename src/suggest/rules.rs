//! From a profile to rules whose limits follow from it.

use super::draft::Draft;
use super::known::Known;
use super::profile::{FieldProfile, Numbers, Profile};
use super::sets;
use super::shapes;
use crate::bars::{BarsSpec, FieldKind};
use crate::text::UtcMicros;
use crate::text::escape::visible;
use crate::text::numbers::{counted, percent, rate, rough, thousands};
use crate::text::toml::string;

/// Returns that tell what is usual.
const ENOUGH_RETURNS: u64 = 250;
/// Values that tell what is usual.
const ENOUGH_VALUES: u64 = 100;
/// The share of returns above the size from which the limit follows, and how many of them at least: a few wrong prices do
/// not decide.
const TAIL: (f64, f64) = (0.001, 5.0);
/// The limit of returns, in times of that size.
const RETURN_ROOM: f64 = 3.0;
/// How far prices may lie from the usual ones of the series that goes furthest: times, or parts.
const PRICE_ROOM: f64 = 3.0;
/// The same for volumes.
const VOLUME_ROOM: f64 = 10.0;
/// Share of bars in which a field may be missing and is still meant to be there.
const SELDOM_MISSING: f64 = 0.001;
/// Share of bars that fields must agree in for a rule that says they do.
const AGREE: f64 = 0.99;
/// Share of bars with closes of zero or below from which on a return in per cent says nothing.
const OFTEN: f64 = 0.01;

/// The rules that `profile` of the bars of the job `job` suggests beyond those of `known`, and notes on what is not
/// suggested.
pub(crate) fn drafts(job: &str, profile: &Profile, bars: &BarsSpec, known: &Known) -> (Vec<Draft>, Vec<String>) {
    let mut covered = known.clone();
    for (_, text) in sets::fitting(bars.calendar.as_ref().map(|calendar| calendar.name()), &profile.symbols, known) {
        for (id, check, params) in sets::rules(text) {
            covered.take(&id, &check, params);
        }
    }
    let mut notes = Vec::new();
    let of_profile = Of { profile, bars, known: &covered };
    let mut drafts: Vec<Draft> = [
        of_profile.present(),
        of_profile.symbols(),
        of_profile.closes(),
        of_profile.step(&mut notes),
        of_profile.moves(&mut notes),
        of_profile.volumes(&mut notes),
        of_profile.turnover(&mut notes),
        of_profile.changes(&mut notes),
    ]
    .into_iter()
    .flatten()
    .collect();
    for draft in &mut drafts {
        let name = format!("{job}-{}", draft.id);
        let free = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}-{n}")));
        draft.id = free.into_iter().find(|id| !covered.has_id(id)).unwrap_or(name);
    }
    (drafts, notes)
}

struct Of<'a> {
    profile: &'a Profile,
    bars: &'a BarsSpec,
    known: &'a Known,
}

impl Of<'_> {
    fn present(&self) -> Option<Draft> {
        let all = self.profile.bars;
        let is_key = |field: &FieldProfile| self.bars.series.contains(&field.name);
        let filled = |field: &&FieldProfile| field.nulls as f64 <= all as f64 * SELDOM_MISSING;
        let fields: Vec<&FieldProfile> = self.profile.fields.iter().filter(filled).collect();
        let fields: Vec<&&FieldProfile> =
            fields.iter().filter(|field| !is_key(field) && !self.known.requires(&field.name)).collect();
        if fields.is_empty() || all < ENOUGH_VALUES {
            return None;
        }
        let missing: u64 = fields.iter().map(|field| field.nulls).sum();
        let names: Vec<String> = fields.iter().map(|field| visible(&field.name).into_owned()).collect();
        let reason = match missing {
            0 => format!("There is a value in each of {}: {}.", counted(all, "bar"), names.join(", ")),
            some => {
                format!("Of {} only {} are missing: {}.", counted(all, "bar"), counted(some, "value"), names.join(", "))
            }
        };
        Some(Draft {
            id: "present".to_owned(),
            check: "required",
            values: vec![("fields", list(fields.iter().map(|field| &*field.name)))],
            reasons: vec![reason],
            why: "fields that every bar has: where one is missing the feed changed".to_owned(),
        })
    }

    fn symbols(&self) -> Option<Draft> {
        let field = self.bars.series.first()?;
        let is_text =
            self.bars.field(field).is_some_and(|(_, spec)| spec.kind == FieldKind::Text && spec.constant.is_none());
        if !is_text || self.known.has_field("matches", field) {
            return None;
        }
        let pattern = shapes::pattern(&self.profile.symbols)?;
        let some: Vec<&str> = self.profile.symbols.iter().take(3).map(String::as_str).collect();
        let all = counted(self.profile.symbols.len() as u64, "symbol");
        Some(Draft {
            id: "symbol".to_owned(),
            check: "matches",
            values: vec![("field", string(field)), ("pattern", format!("'{pattern}'"))],
            reasons: vec![format!("{all} are written so, {} among them.", some.join(", "))],
            why: "a symbol of another form makes a series of its own".to_owned(),
        })
    }

    fn closes(&self) -> Option<Draft> {
        let why = "a price far outside of all that was ever seen: another unit, a lost point, another company";
        self.bounds("close", &self.profile.closes, (PRICE_ROOM, &["min", "max"]), why)
    }

    fn volumes(&self, notes: &mut Vec<String>) -> Option<Draft> {
        self.bars.field("volume")?;
        let note = match self.profile.volumes.all {
            None => "`volume` is NULL in every bar: take it out with `without = [\"volume\"]` in `[bars]`",
            Some((_, most)) if most <= 0.0 => "`volume` is never above 0: no limit follows from it",
            // Below zero no volume is; the rule `ohlc` says so.
            Some(_) => {
                let why = "a volume far above all that was ever traded: another unit, or a number that was cut wrong";
                return self.bounds("volume", &self.profile.volumes, (VOLUME_ROOM, &["max"]), why);
            }
        };
        notes.push(note.to_owned());
        None
    }

    /// A rule for the ends `wanted` of `field`, as far as no rule has them, with `room` beyond what is usual.
    fn bounds(
        &self,
        field: &str,
        numbers: &Numbers,
        (room, wanted): (f64, &[&'static str]),
        why: &str,
    ) -> Option<Draft> {
        let (Some((least, most)), Some((low, high))) = (numbers.all, numbers.usual) else { return None };
        let ends: Vec<&'static str> = wanted.iter().copied().filter(|end| !self.known.bounds(field, end)).collect();
        if numbers.count < ENOUGH_VALUES || ends.is_empty() {
            return None;
        }
        let beyond = (high - low) * (room - 1.0);
        let limit = |end: &str| match (end, low > 0.0) {
            ("min", true) => down(low / room),
            ("min", false) => -up(beyond - low),
            (_, true) => up(high * room),
            (_, false) => up(beyond + high),
        };
        let follows = |end: &&str| match (*end, low > 0.0) {
            ("min", true) => format!("`min` is the lower of these divided by {room}"),
            ("max", true) => format!("`max` is {} the higher of these", times(room)),
            (end, _) => format!("`{end}` lies {} their distance beyond them", times(room - 1.0)),
        };
        Some(Draft {
            id: format!("{field}-range"),
            check: "range",
            values: std::iter::once(("field", string(field)))
                .chain(ends.iter().map(|end| (*end, rough(limit(end), 6))))
                .collect(),
            reasons: vec![
                format!(
                    "`{field}` lies between {} and {} in {}.",
                    rough(least, 6),
                    rough(most, 6),
                    counted(numbers.count, "bar")
                ),
                format!(
                    "The lowest 1 % quantile of {} is {}, the highest 99 % quantile {}.",
                    counted(self.profile.series, "series"),
                    rough(low, 4),
                    rough(high, 4)
                ),
                format!("{}, rounded outwards.", ends.iter().map(follows).collect::<Vec<_>>().join(", ")),
            ],
            why: why.to_owned(),
        })
    }

    fn step(&self, notes: &mut Vec<String>) -> Option<Draft> {
        if self.known.has("tick-size") || self.known.asserts("round(") {
            return None;
        }
        let Some(step) = self.profile.steps.found() else {
            if self.profile.closes.count >= ENOUGH_VALUES {
                notes.push(
                    "prices stand on no step: they were adjusted or averaged, or have several steps; no `tick-size`"
                        .to_owned(),
                );
            }
            return None;
        };
        Some(Draft {
            id: "tick".to_owned(),
            check: "tick-size",
            values: vec![("tick", rough(step.size, 12))],
            reasons: vec![format!(
                "{} of {} are multiples of {}, and fewer of any coarser step.",
                thousands(step.on),
                counted(step.of, "price"),
                rough(step.size, 12)
            )],
            why: "a price between two steps was adjusted or mistyped".to_owned(),
        })
    }

    fn moves(&self, notes: &mut Vec<String>) -> Option<Draft> {
        if self.known.asserts("ret(close)") {
            return None;
        }
        let Profile { returns, closes, not_positive, .. } = self.profile;
        if *not_positive as f64 > closes.count as f64 * OFTEN || self.bars.negative {
            let share = rate(*not_positive as f64 / closes.count.max(1) as f64);
            notes.push(format!("{share} of closes are zero or below: moves in per cent say nothing"));
            return None;
        }
        let count = returns.sizes.count();
        if count < ENOUGH_RETURNS {
            let enough = counted(ENOUGH_RETURNS, "return");
            notes.push(format!("{} are too few to tell a usual move; {enough} are needed", counted(count, "return")));
            return None;
        }
        let below = 1.0 - TAIL.0.max(TAIL.1 / count as f64);
        let (median, body) = (returns.sizes.quantile(0.5)?, returns.sizes.quantile(below)?);
        let below = format!("{} %", rough(below * 100.0, 3));
        let (largest, series, time) = returns.largest.as_ref()?;
        if body <= 0.0 {
            notes.push("closes do not move: no limit of moves follows".to_owned());
            return None;
        }
        let limit = up(body * RETURN_ROOM);
        let at = UtcMicros(*time).timestamp(self.bars.daily());
        Some(Draft {
            id: "move".to_owned(),
            check: "sql",
            values: vec![
                ("assert", string(&format!("abs(ret(close)) <= {}", rough(limit, 6)))),
                ("nulls", string("pass")),
            ],
            reasons: vec![
                format!(
                    "The largest move from bar to bar is {} on {} {at}; {below} of {} are at most {}, half of them at most {}.",
                    percent(*largest),
                    visible(series),
                    counted(count, "return"),
                    share(body),
                    share(median),
                ),
                format!("The limit is {} the size that {below} do not exceed.", times(RETURN_ROOM)),
            ],
            why: "a move far beyond what these series do: a slipped point, a split, or news that a person should see"
                .to_owned(),
        })
    }

    fn turnover(&self, notes: &mut Vec<String>) -> Option<Draft> {
        let turnover = self.profile.turnover;
        if self.known.has("turnover") || turnover.evaluated < ENOUGH_VALUES {
            return None;
        }
        let all = turnover.evaluated as f64;
        if turnover.inside as f64 >= all * AGREE {
            return Some(Draft {
                id: "turnover".to_owned(),
                check: "turnover",
                values: Vec::new(),
                reasons: vec![format!(
                    "Amount over volume lies between low and high in {} of {}.",
                    thousands(turnover.inside),
                    counted(turnover.evaluated, "bar")
                )],
                why: "amount, volume and prices are of the same trades".to_owned(),
            });
        }
        let (power, most) = (-4..=4).zip(turnover.by_power).max_by_key(|(_, count)| *count)?;
        notes.push(match most as f64 >= all * AGREE {
            true => format!(
                "amount over volume is between low and high in {} of bars when it is multiplied by {}: give the unit with `scale` in `fields`, then suggest again",
                rate(most as f64 / all),
                rough(10_f64.powi(power), 6)
            ),
            false => format!("amount over volume is between low and high in {} of bars only: no `turnover`", rate(turnover.inside as f64 / all)),
        });
        None
    }

    fn changes(&self, notes: &mut Vec<String>) -> Option<Draft> {
        let (follow, evaluated) = self.profile.changes;
        if self.known.has("pct-change") || evaluated < ENOUGH_VALUES {
            return None;
        }
        if (follow as f64) < evaluated as f64 * AGREE {
            let some = rate(follow as f64 / evaluated as f64);
            notes.push(format!(
                "`pct_chg` follows from `close` and `pre_close` in {some} of bars only: no `pct-change`"
            ));
            return None;
        }
        let (follow, evaluated) = (thousands(follow), counted(evaluated, "bar"));
        Some(Draft {
            id: "pct-chg".to_owned(),
            check: "pct-change",
            values: Vec::new(),
            reasons: vec![format!("`pct_chg` follows from `close` and `pre_close` in {follow} of {evaluated}.")],
            why: "three numbers of one trade report agree".to_owned(),
        })
    }
}

/// A number above zero rounded up to two digits; the same for one below zero away from it.
fn up(value: f64) -> f64 {
    rounded(value, f64::ceil)
}

fn down(value: f64) -> f64 {
    rounded(value, f64::floor)
}

fn rounded(value: f64, to: impl Fn(f64) -> f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let unit = 10_f64.powf(value.abs().log10().floor() - 1.0);
    // What is whole but for the last bit stays.
    let steps = value / unit;
    let whole = if (steps - steps.round()).abs() < 1e-9 { steps.round() } else { to(steps) };
    whole * unit
}

fn times(room: f64) -> String {
    match room {
        2.0 => "twice".to_owned(),
        3.0 => "three times".to_owned(),
        room => format!("{} times", rough(room, 3)),
    }
}

/// A size in per cent.
pub(super) fn share(size: f64) -> String {
    // Rounded up, for nothing is said to be larger.
    format!("{} %", rough(up(size * 100.0), 3))
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", texts.map(string).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests;
