//! What a person labels, as it is typed: the id of a finding, or `rule=outlier,series=BRK/B`.

use crate::run::failure::Failure;
use crate::schema::diagnostic::suggestion;
use crate::schema::moment::Moment;
use crate::text::toml::string;

/// The keys of a pattern.
const KEYS: [&str; 6] = ["rule", "series", "time", "since", "until", "field"];

/// What a label is to be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The finding whose id begins so.
    Finding(String),
    /// The findings with these values, by key, each once.
    Pattern(Vec<(&'static str, String)>),
}

impl Asked {
    /// Reads what was typed. A comma stands between two keys only where a key follows: values may hold commas.
    ///
    /// # Errors
    /// There is no such key, one is there twice or has no value, or a moment is none.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if !text.contains('=') {
            let help = "write the id of a finding, or a pattern as rule=outlier,series=BRK/B; `barkeep sql` shows the column `finding_id`";
            let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let wrong =
                || Failure::Usage(format!("`{text}` is neither the id of a finding nor a pattern"), help.to_owned());
            return if is_id { Ok(Self::Finding(text.to_ascii_lowercase())) } else { Err(wrong()) };
        }
        let mut pairs: Vec<(&str, String)> = Vec::new();
        for part in text.split(',') {
            match (part.split_once('='), pairs.last_mut()) {
                (Some((key, value)), _) => pairs.push((key.trim(), value.to_owned())),
                (None, Some((_, value))) => {
                    value.push(',');
                    value.push_str(part);
                }
                (None, None) => pairs.push((part, String::new())),
            }
        }
        let mut pattern: Vec<(&'static str, String)> = Vec::new();
        for (key, value) in pairs {
            let wrong = |title: String| Err(Failure::Usage(title, format!("keys of a pattern: {}", KEYS.join(", "))));
            let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
                let help = suggestion(key, "keys of a pattern", KEYS);
                return Err(Failure::Usage(format!("`{key}` is not a key of a pattern"), help));
            };
            if value.is_empty() {
                return wrong(format!("`{key}` has no value"));
            }
            if pattern.iter().any(|(before, _)| *before == known) {
                return wrong(format!("`{key}` is there twice"));
            }
            if matches!(known, "time" | "since" | "until")
                && let Err(problem) = Moment::parse(&value)
            {
                return wrong(format!("{key}: {problem}"));
            }
            pattern.push((known, value));
        }
        Ok(Self::Pattern(pattern))
    }

    /// The lines of a file of labels that say it.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |key: &str, value: &str| match Moment::parse(value) {
            Ok(Moment::Date(date)) if matches!(key, "time" | "since" | "until") => format!("{key} = {date}"),
            _ => format!("{key} = {}", string(value)),
        };
        match self {
            Self::Finding(id) => vec![line("finding", id)],
            Self::Pattern(pattern) => pattern.iter().map(|(key, value)| line(key, value)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Vec<(&'static str, String)> {
        match Asked::parse(text).unwrap() {
            Asked::Pattern(pattern) => pattern,
            Asked::Finding(id) => panic!("a finding {id}"),
        }
    }

    fn wrong(text: &str) -> String {
        Asked::parse(text).unwrap_err().render(false)
    }

    #[test]
    fn ids_and_patterns_are_told_apart() {
        assert_eq!(Asked::parse("01AbcdEF").unwrap(), Asked::Finding("01abcdef".to_owned()));
        assert_eq!(pattern("rule=outlier,series=BRK/B"), [("rule", "outlier".into()), ("series", "BRK/B".into())]);
        assert_eq!(pattern("series=A,B,since=2024-01-01"), [("series", "A,B".into()), ("since", "2024-01-01".into())]);
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let asked = Asked::parse("series=a\"b\\,time=2024-03-08,until=2024-03-08T14:30:00Z").unwrap();
        let text = asked.lines().join("\n");
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["series"].as_str(), Some("a\"b\\"));
        assert_eq!(table["time"].as_datetime().unwrap().to_string(), "2024-03-08");
        assert_eq!(table["until"].as_str(), Some("2024-03-08T14:30:00Z"));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(wrong("outlier").contains("neither the id of a finding nor a pattern"));
        assert!(wrong("serie=A").contains("did you mean `series`?"));
        assert!(wrong("series=").contains("`series` has no value"));
        assert!(wrong("rule=a,rule=b").contains("`rule` is there twice"));
        assert!(wrong("time=yesterday").contains("time: `yesterday` is not a date or time"));
        assert!(wrong("A,rule=b").contains("`A` is not a key"));
    }
}
