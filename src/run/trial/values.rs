//! Values that are tried in the place of those of a rule: `limit=6`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::run::failure::Failure;
use crate::schema::SourceText;
use crate::text::toml::{key, string};

/// Values by parameter, as TOML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Reads `key=value` pairs. A value that is none in TOML is a text.
    ///
    /// # Errors
    /// There is no `=`, no key, no value, or a key is there twice.
    pub fn parse<'t>(pairs: impl IntoIterator<Item = &'t str>) -> Result<Self, Failure> {
        let mut values = BTreeMap::new();
        for pair in pairs {
            let wrong =
                |problem: &str| Failure::Usage(format!("--set {pair}: {problem}"), "e.g. `--set limit=6`".to_owned());
            let (key, value) = pair.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
            let (key, value) = (key.trim(), value.trim());
            let is_key = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if key.is_empty() || !key.bytes().all(is_key) {
                return Err(wrong("before the `=` stands the name of a parameter"));
            }
            if value.is_empty() {
                return Err(wrong("there is no value behind the `=`"));
            }
            let is_toml = format!("{key} = {value}").parse::<toml::Table>().is_ok_and(|table| table.len() == 1);
            let written = if is_toml { value.to_owned() } else { string(value) };
            if values.insert(key.to_owned(), written).is_some() {
                return Err(wrong("it is set twice"));
            }
        }
        Ok(Self(values))
    }

    /// The same with a number for `key`.
    #[must_use]
    pub(in crate::run) fn with(&self, key: &str, number: f64) -> Self {
        let mut values = self.0.clone();
        // A whole number without a point is right for counts and for numbers.
        values.insert(key.to_owned(), number.to_string());
        Self(values)
    }

    /// The text that sets them for the rule `id`; `None` where there are none.
    pub(in crate::run) fn text(&self, id: &str) -> Option<Arc<SourceText>> {
        if self.0.is_empty() {
            return None;
        }
        let lines: String = self.0.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        Some(SourceText::new("--set", format!("[tune.{}]\n{lines}", key(id))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_toml_stay_and_others_are_texts() {
        let values = Values::parse(["limit=6.5", "where=volume > 0", "causes=[\"a\"]", "edges=skip"]).unwrap();
        let text = &values.text("a b").unwrap().text;
        assert_eq!(text, "[tune.\"a b\"]\ncauses = [\"a\"]\nedges = \"skip\"\nlimit = 6.5\nwhere = \"volume > 0\"\n");
        assert_eq!(values.with("limit", 8.0).0["limit"], "8");
        assert!(Values::default().text("x").is_none());
    }

    #[test]
    fn what_sets_nothing_is_refused() {
        for (pair, problem) in [
            ("limit", "there is no `=`"),
            ("=6", "the name of a parameter"),
            ("a b=6", "the name of a parameter"),
            ("limit=", "there is no value"),
        ] {
            let wrong = Values::parse([pair]).unwrap_err().render(false);
            assert!(wrong.contains(problem), "{pair}: {wrong}");
        }
        assert!(Values::parse(["limit=6", "limit=7"]).unwrap_err().render(false).contains("set twice"));
    }
}
