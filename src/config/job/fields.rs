//! `fields` of `[bars]`: what the fields are called in the source, and what the job says of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::factor;
use crate::bars::FieldKind;
use crate::bars::number::Scale;
use crate::schema::keys::Otherwise::Nothing;
use crate::schema::keys::{Holds, Section, key};
use crate::schema::reader::Reader;
use crate::schema::section::SectionReader;

/// A field whose name or type the job sets.
#[derive(Debug, Clone)]
pub struct FieldName {
    /// The name rules use.
    pub name: Spanned<Arc<str>>,
    /// Its names in the source: the first is the usual one, files may have any of the others instead.
    pub sources: Vec<Spanned<Arc<str>>>,
    /// What it is in every bar; it has no name in the source then.
    pub value: Option<Arc<str>>,
    /// What its numbers are multiplied by.
    pub scale: Option<Scale>,
    /// What it holds, where the job says.
    pub kind: Option<FieldKind>,
}

impl FieldName {
    /// The name in the source that it goes by; its own for one that has a value of the job.
    pub fn source(&self) -> &Spanned<Arc<str>> {
        self.sources.first().unwrap_or(&self.name)
    }
}

pub(super) const FIELD: Section = Section {
    name: "a field of `[bars]`",
    doc: "A field whose name or type the job sets.",
    keys: &[
        key(
            "field",
            Holds::SomeTexts,
            Nothing,
            "Its name in the source, or several of which files have one; default the name rules use.",
        ),
        key("value", Holds::Text, Nothing, "What it is in every bar, where the source does not have it."),
        key("scale", Holds::Factor, Nothing, "What its numbers are multiplied by, e.g. `100` or `\"1e-9\"`."),
        key("type", Holds::Choice(&["number", "text"]), Nothing, "What it holds."),
    ],
};

pub(super) fn read(section: &mut SectionReader<'_>) -> Vec<FieldName> {
    let Some(mut table) = section.reader().table("fields") else { return Vec::new() };
    let mut fields: Vec<FieldName> = Vec::new();
    for (name, span) in table.keys() {
        let own = Spanned::new(span.clone(), Arc::from(name));
        fields.extend(read_field(&mut table, name, own));
    }
    let mistakes = table.finish("`fields`");
    section.absorb(mistakes);
    reject_shared_sources(section, &fields);
    fields
}

fn read_field(table: &mut Reader<'_>, key: &str, name: Spanned<Arc<str>>) -> Option<FieldName> {
    let shared = |text: Spanned<String>| Spanned::new(text.span(), Arc::from(text.get_ref().as_str()));
    let Some(DeValue::Table(_)) = table.value(key).map(Spanned::get_ref) else {
        let sources = table.strings(key)?.into_iter().map(shared).collect();
        return Some(FieldName { name, sources, value: None, scale: None, kind: None });
    };
    let mut part = SectionReader::new(&FIELD, table.table(key)?);
    let mut sources: Vec<Spanned<Arc<str>>> = part.texts("field").into_iter().map(shared).collect();
    let value = part.text("value").map(|value| Arc::from(value.get_ref().as_str()));
    if value.is_some() && !sources.is_empty() {
        part.reject("value", "a field has a name in the source or a value, not both", "keep one of them");
    } else if value.is_none() && sources.is_empty() {
        sources.push(name.clone());
    }
    let scale = factor::read(part.reader(), "scale");
    let kind = part.choice("type").map(|kind| if kind == "number" { FieldKind::Number } else { FieldKind::Text });
    if scale.is_some() && kind == Some(FieldKind::Text) {
        part.reject("scale", "text cannot be multiplied", "take `scale` out, or write `type = \"number\"`");
    }
    table.absorb(part.finish());
    Some(FieldName { name, sources, value, scale, kind })
}

fn reject_shared_sources(section: &mut SectionReader<'_>, fields: &[FieldName]) {
    let mut names: BTreeMap<&str, &FieldName> = BTreeMap::new();
    for (field, source) in fields.iter().flat_map(|field| field.sources.iter().map(move |source| (field, source))) {
        if let Some(first) = names.insert(source.get_ref(), field) {
            let title = format!("the source field `{}` is named twice", source.get_ref());
            let help = format!("it is `{}` already; a field has one name in rules", first.name.get_ref());
            section.reject_at(source.span(), title, help);
        }
    }
}
