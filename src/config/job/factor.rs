//! Factors: a number, or a string with one so that its digits are exact.

use toml::de::DeValue;

use crate::bars::number::Scale;
use crate::schema::reader::{Reader, number_of};

/// The factor at `key`, where one is written.
pub(super) fn read(table: &mut Reader<'_>, key: &str) -> Option<Scale> {
    let value = table.value(key)?;
    let text = match value.get_ref() {
        DeValue::String(_) => table.string(key)?.into_inner(),
        number @ (DeValue::Integer(_) | DeValue::Float(_)) => number_of(number).map(|number| format!("{number:e}"))?,
        _ => {
            table.wrong_type(key, value, "a number, or a string with one");
            return None;
        }
    };
    let scale = Scale::parse(&text);
    if scale.is_none() {
        let mistake = table.reject(key, "bad-value", format!("`{text}` is not a factor"));
        mistake.help = Some("write a number other than 0, for instance `100` or `\"1e-9\"`".to_owned());
    }
    scale
}
