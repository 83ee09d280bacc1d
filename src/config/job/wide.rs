//! `wide`: what the header of a wide table says.

use toml::Spanned;
use toml::de::DeValue;

use crate::bars::wide::FIELD;
use crate::schema::keys::Otherwise::Mistake;
use crate::schema::keys::{Holds, Section, key};
use crate::schema::section::SectionReader;

/// What the header of a wide table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wide {
    /// What stands in each header row, from the top.
    pub rows: Vec<String>,
    /// The field that cells are, where there is one header row.
    pub values: Option<String>,
}

pub(super) const WIDE: Section = Section {
    name: "`wide`",
    doc: "What the names of columns and what the cells of a wide table are.",
    keys: &[
        key("names", Holds::Text, Mistake, "The field that the names of columns are, e.g. `symbol`."),
        key("values", Holds::Text, Mistake, "The field that the cells are, e.g. `close`."),
    ],
};

/// Reads `wide`, where the job has it; only CSV files may have it.
pub(super) fn read(section: &mut SectionReader<'_>, may_be_csv: bool) -> Option<Wide> {
    let value = section.reader().value("wide").map(Spanned::get_ref)?;
    let wide = match value {
        DeValue::Table(_) => {
            let mut part = SectionReader::new(&WIDE, section.reader().table("wide")?);
            let names = part.text("names").map(Spanned::into_inner);
            let values = part.text("values").map(Spanned::into_inner);
            if names.is_some() && names == values {
                part.reject("values", "names and values are the same field", "write for instance `values = \"close\"`");
            }
            section.absorb(part.finish());
            Wide { rows: vec![names?], values }
        }
        _ => {
            let rows: Vec<String> = section.reader().strings("wide")?.into_iter().map(Spanned::into_inner).collect();
            let fields = rows.iter().filter(|row| *row == FIELD).count();
            let distinct = rows.iter().all(|row| rows.iter().filter(|other| *other == row).count() == 1);
            if fields != 1 || rows.len() < 2 || !distinct {
                let help =
                    "write for instance `[\"field\", \"symbol\"]`, or `{ names = \"symbol\", values = \"close\" }`";
                section.reject(
                    "wide",
                    "`wide` says of each header row what it names, and one of them is `field`",
                    help,
                );
            }
            Wide { rows, values: None }
        }
    };
    if !may_be_csv {
        section.reject("wide", "only CSV files are wide tables", "leave it out");
    }
    for name in ["header", "columns"] {
        if section.has(name) {
            section.reject(
                name,
                format!("`wide` says what the header rows are, so there is no `{name}`"),
                "leave it out",
            );
        }
    }
    Some(wide)
}
