//! The text of a pattern -> pieces, with everything checked that would make it read nothing or the wrong thing.

use super::fixed::Fixed;
use super::piece::{Field, Piece};
use super::{DateForm, Pattern};

/// The specifiers there are, for messages.
const KNOWN: &str = "%Y %y %m %-m %b %d %-d %e %j %H %-H %I %-I %p %M %S %f %3f %6f %9f %.f %z %:z %F %D %T %R %%";

/// Two-letter specifiers that stand for several.
const SHORT_FORMS: [(&str, &str); 4] = [("%F", "%Y-%m-%d"), ("%D", "%m/%d/%y"), ("%T", "%H:%M:%S"), ("%R", "%H:%M")];

/// The specifiers that stand for one piece.
const SPECIFIERS: [(&str, Piece); 23] = [
    ("%Y", Piece::Digits(Field::Year, 4)),
    ("%y", Piece::ShortYear),
    ("%m", Piece::Digits(Field::Month, 2)),
    ("%-m", Piece::Unpadded(Field::Month)),
    ("%b", Piece::MonthName),
    ("%d", Piece::Digits(Field::Day, 2)),
    ("%-d", Piece::Unpadded(Field::Day)),
    ("%e", Piece::BlankPadded(Field::Day)),
    ("%j", Piece::Digits(Field::DayOfYear, 3)),
    ("%H", Piece::Digits(Field::Hour, 2)),
    ("%-H", Piece::Unpadded(Field::Hour)),
    ("%I", Piece::Digits(Field::Hour12, 2)),
    ("%-I", Piece::Unpadded(Field::Hour12)),
    ("%p", Piece::HalfDay),
    ("%M", Piece::Digits(Field::Minute, 2)),
    ("%S", Piece::Digits(Field::Second, 2)),
    ("%f", Piece::Fraction(1, 9)),
    ("%3f", Piece::Fraction(3, 3)),
    ("%6f", Piece::Fraction(6, 6)),
    ("%9f", Piece::Fraction(9, 9)),
    ("%.f", Piece::PointFraction),
    ("%z", Piece::Offset { colon_needed: false }),
    ("%:z", Piece::Offset { colon_needed: true }),
];

/// A part of the date or time. A pattern has each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    DayOfYear,
    Hour,
    Hour12,
    HalfDay,
    Minute,
    Second,
    Fraction,
    Offset,
}

impl Pattern {
    /// Reads a pattern; see `TimeFormat::compile` for what it can say.
    pub(in crate::bars::time) fn compile(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        read(text, &mut pieces).map_err(|problem| format!("`{text}` is not a time format: {problem}"))?;
        end_with_zulu(&mut pieces);
        measure_unpadded(&mut pieces);
        let problem = missing(&pieces).or_else(|| twice(&pieces)).or_else(|| ambiguous(&pieces));
        if let Some(problem) = problem {
            return Err(format!("`{text}` is not a time format: {problem}"));
        }
        let day_of_year = has_part(&pieces, Part::DayOfYear);
        let date = if day_of_year { DateForm::DayOfYear } else { DateForm::MonthAndDay };
        let fixed = Fixed::new(&pieces);
        Ok(Self { pieces, date, fixed })
    }

    /// The date and time of RFC 3339.
    pub(in crate::bars::time) fn rfc3339() -> Result<Self, String> {
        let mut pattern = Self { fixed: Self::compile("%FT%TZ")?.fixed, ..Self::compile("%FT%T%.f%:z")? };
        for piece in &mut pattern.pieces {
            if *piece == Piece::Literal(b'T') {
                *piece = Piece::Separator;
            }
        }
        Ok(pattern)
    }
}

fn read(text: &str, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        if let Some((name, long)) = SHORT_FORMS.iter().find(|(name, _)| rest.starts_with(name)) {
            read(long, pieces)?;
            rest = &rest[name.len()..];
        } else if let Some((name, piece)) = SPECIFIERS.iter().find(|(name, _)| rest.starts_with(name)) {
            pieces.push(*piece);
            rest = &rest[name.len()..];
        } else if let Some(after) = rest.strip_prefix("%%") {
            pieces.push(Piece::Literal(b'%'));
            rest = after;
        } else if first == b'%' {
            let name: String = rest.chars().take(2).collect();
            let hint = if name == "%s" { "; for seconds since 1970 write `epoch-s`" } else { "" };
            return Err(format!("`{name}` is not known{hint}; there are {KNOWN}"));
        } else {
            let literal = rest.find('%').unwrap_or(rest.len());
            pieces.extend(rest[..literal].bytes().map(Piece::Literal));
            rest = &rest[literal..];
        }
    }
    Ok(())
}

/// A `Z` right after a time of day, at the end, is the UTC of ISO 8601, not a letter.
fn end_with_zulu(pieces: &mut [Piece]) {
    if let [.., before, last @ Piece::Literal(b'Z')] = pieces
        && matches!(part(*before), Some(Part::Hour | Part::Minute | Part::Second | Part::Fraction))
    {
        *last = Piece::Zulu;
    }
}

/// Gives an unpadded part right before others of fixed width the digits that those leave over: `930` by `%-H%M`.
fn measure_unpadded(pieces: &mut [Piece]) {
    for index in 0..pieces.len() {
        let Piece::Unpadded(field) = pieces[index] else { continue };
        let width = |piece: &Piece| if let Piece::Digits(_, width) = piece { Some(*width) } else { None };
        let behind = &pieces[index + 1..];
        let digits: u8 = behind.iter().map_while(width).sum();
        let then = behind.iter().find(|piece| width(piece).is_none()).copied();
        if digits > 0 && !then.is_some_and(begins_with_digit) {
            pieces[index] = Piece::UnpaddedBefore(field, digits);
        }
    }
}

/// What a pattern lacks of a date, or half of what it says of the time of day.
fn missing(pieces: &[Piece]) -> Option<String> {
    let has = |part| has_part(pieces, part);
    let mut lacks = Vec::new();
    if !has(Part::Year) {
        lacks.push("a year (`%Y`)");
    }
    if !has(Part::DayOfYear) && !has(Part::Month) {
        lacks.push("a month (`%m`)");
    }
    if !has(Part::DayOfYear) && !has(Part::Day) {
        lacks.push("a day (`%d`)");
    }
    if !lacks.is_empty() {
        let names = if lacks.len() == 3 {
            "; the formats with a name are rfc3339, epoch, epoch-s, epoch-ms, epoch-us and epoch-ns"
        } else {
            ""
        };
        return Some(format!("it has not {}{names}", lacks.join(", not ")));
    }
    let needs = [
        (Part::Hour12, Part::HalfDay, "`%I` needs `%p`"),
        (Part::HalfDay, Part::Hour12, "`%p` needs `%I`"),
        (Part::Second, Part::Minute, "`%S` needs `%M`"),
        (Part::Fraction, Part::Second, "a fraction needs `%S`"),
    ];
    if has(Part::Minute) && !has(Part::Hour) && !has(Part::Hour12) {
        return Some("`%M` needs `%H`".to_owned());
    }
    needs.iter().find(|(part, needed, _)| has(*part) && !has(*needed)).map(|(.., problem)| (*problem).to_owned())
}

/// What a pattern has twice, so that the two could contradict each other.
fn twice(pieces: &[Piece]) -> Option<String> {
    let parts: Vec<Part> = pieces.iter().filter_map(|piece| part(*piece)).collect();
    let has = |part| parts.contains(&part);
    let same = parts.iter().enumerate().any(|(index, part)| parts[..index].contains(part));
    let date = has(Part::DayOfYear) && (has(Part::Month) || has(Part::Day));
    let hour = has(Part::Hour) && has(Part::Hour12);
    (same || date || hour).then(|| "it has a part of the date or time twice".to_owned())
}

/// Pieces of open width that would swallow the digits of the next one.
fn ambiguous(pieces: &[Piece]) -> Option<String> {
    let open = |piece: Piece| {
        let widths = matches!(piece, Piece::Fraction(least, most) if least < most);
        widths || matches!(piece, Piece::Unpadded(_) | Piece::PointFraction)
    };
    let ambiguous = pieces.windows(2).any(|pair| open(pair[0]) && begins_with_digit(pair[1]));
    ambiguous.then(|| "digits follow a part of no fixed width".to_owned())
}

fn begins_with_digit(piece: Piece) -> bool {
    match piece {
        Piece::Literal(byte) => byte.is_ascii_digit(),
        Piece::Digits(..)
        | Piece::Unpadded(_)
        | Piece::UnpaddedBefore(..)
        | Piece::BlankPadded(_)
        | Piece::ShortYear
        | Piece::Fraction(..) => true,
        _ => false,
    }
}

fn has_part(pieces: &[Piece], wanted: Part) -> bool {
    pieces.iter().any(|piece| part(*piece) == Some(wanted))
}

fn part(piece: Piece) -> Option<Part> {
    Some(match piece {
        Piece::Literal(_) | Piece::Separator => return None,
        Piece::Zulu | Piece::Offset { .. } => Part::Offset,
        Piece::ShortYear => Part::Year,
        Piece::MonthName => Part::Month,
        Piece::HalfDay => Part::HalfDay,
        Piece::Fraction(..) | Piece::PointFraction => Part::Fraction,
        Piece::Digits(field, _)
        | Piece::Unpadded(field)
        | Piece::UnpaddedBefore(field, _)
        | Piece::BlankPadded(field) => match field {
            Field::Year => Part::Year,
            Field::Month => Part::Month,
            Field::Day => Part::Day,
            Field::DayOfYear => Part::DayOfYear,
            Field::Hour => Part::Hour,
            Field::Hour12 => Part::Hour12,
            Field::Minute => Part::Minute,
            Field::Second => Part::Second,
        },
    })
}
