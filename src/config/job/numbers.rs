//! `numbers`: how numbers are written that are text.

use toml::Spanned;

use super::factor;
use crate::bars::layout::{Delimiter, TextLayout};
use crate::bars::number::{NumberFormat, Scale};
use crate::schema::keys::Otherwise::{Nothing, Text};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::section::SectionReader;

pub(super) const NUMBERS: Section = Section {
    name: "`numbers`",
    doc: "How numbers are written that are text.",
    keys: &[
        key("decimal", Holds::Text, Text("."), "The character before the fraction."),
        key("thousands", Holds::Text, Nothing, "The character between groups of digits."),
        key(
            "units",
            Holds::Factors,
            Nothing,
            "Ends of numbers and what they multiply by, e.g. `{ K = 1000, M = \"1e6\" }`.",
        ),
        key("around", Holds::Texts, Nothing, "Texts before or behind numbers that are left out, e.g. `$` and `%`."),
    ],
};

/// Reads how numbers are written in files of this `layout`.
pub(super) fn read(files: &mut SectionReader<'_>, layout: &TextLayout) -> NumberFormat {
    let Some(mut section) = files.section("numbers") else { return NumberFormat::default() };
    let decimal = read_mark(&mut section, "decimal").unwrap_or('.');
    let thousands = read_mark(&mut section, "thousands");
    let delimiter = match layout.delimiter {
        Delimiter::Byte(byte) => char::from(byte),
        Delimiter::Blanks => ' ',
    };
    if thousands == Some(decimal) {
        section.reject("thousands", "`thousands` and `decimal` are the same character", "change one of them");
    }
    // A quoted cell may hold the delimiter; where it is what stands before every fraction, nothing is quoted.
    if decimal == delimiter && section.has("decimal") {
        let help = "name the delimiter of the files: with a decimal comma it is mostly `delimiter = \";\"`";
        section.reject("decimal", "`decimal` is the delimiter of the cells too", help);
    }
    let units = read_units(&mut section);
    let around = section.texts("around").into_iter().map(Spanned::into_inner).filter(|text| !text.is_empty()).collect();
    files.absorb(section.finish());
    NumberFormat { decimal, thousands, units, around }
}

fn read_units(section: &mut SectionReader<'_>) -> Vec<(String, Scale)> {
    let Some(mut table) = section.reader().table("units") else { return Vec::new() };
    let names: Vec<&str> = table.keys().map(|(name, _)| name).collect();
    let read = |name: &str| factor::read(&mut table, name).map(|scale| (name.to_owned(), scale));
    let units = names.into_iter().filter_map(read).collect();
    let mistakes = table.finish("`units`");
    section.absorb(mistakes);
    units
}

/// One character that stands in numbers.
fn read_mark(section: &mut SectionReader<'_>, name: &'static str) -> Option<char> {
    let text = section.text(name)?.into_inner();
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(mark), None) if !mark.is_ascii_alphanumeric() && !matches!(mark, '+' | '-' | '"') => Some(mark),
        _ => {
            section.reject(
                name,
                format!("`{name}` is one character, no letter, digit or sign"),
                "write for instance \",\"",
            );
            None
        }
    }
}
