//! `bars_{symbol}`: a name with pieces that are fields. Pure.

/// A name in which `{field}` stands for a piece of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// These very characters.
    Text(String),
    /// Any characters, at least one: the value of this field.
    Field(String),
}

/// What a name says about its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// The name does not fit.
    Not,
    /// The values of the fields, in the order of the pattern.
    Values(Vec<String>),
    /// It fits in more than one way, so that its fields are not known.
    Ambiguous,
}

impl NamePattern {
    /// The pattern that `text` is; `None` where no brace is in it, so that it is just a name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or("`{` is not closed by `}`")?;
            if before.contains('}') || name.contains('{') {
                return Err("the braces do not come in pairs".to_owned());
            }
            if name.trim().is_empty() {
                return Err("`{}` names no field".to_owned());
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            match parts.last() {
                Some(Part::Field(last)) => {
                    return Err(format!("nothing stands between `{{{last}}}` and `{{{name}}}`"));
                }
                _ if parts.contains(&Part::Field(name.to_owned())) => return Err(format!("`{{{name}}}` stands twice")),
                _ => parts.push(Part::Field(name.to_owned())),
            }
            rest = behind;
        }
        if rest.contains('}') {
            return Err("the braces do not come in pairs".to_owned());
        }
        if parts.is_empty() {
            return Ok(None);
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Some(Self { parts }))
    }

    /// The names of the fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The values that the fields have in `name`.
    pub fn values(&self, name: &str) -> Match {
        let mut found = Vec::new();
        matches(&self.parts, name, &mut Vec::new(), &mut found);
        match found.len() {
            0 => Match::Not,
            1 => Match::Values(found.swap_remove(0)),
            _ => Match::Ambiguous,
        }
    }
}

/// Adds to `found` the first two ways in which `parts` fit `rest`, behind the values so `far`.
fn matches(parts: &[Part], rest: &str, far: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match parts.split_first() {
        _ if found.len() > 1 => {}
        None if rest.is_empty() => found.push(far.clone()),
        None => {}
        Some((Part::Text(text), parts)) => {
            if let Some(rest) = rest.strip_prefix(text.as_str()) {
                matches(parts, rest, far, found);
            }
        }
        Some((Part::Field(_), parts)) => {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]).skip(1);
            for end in ends {
                far.push(rest[..end].to_owned());
                matches(parts, &rest[end..], far, found);
                far.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> NamePattern {
        NamePattern::parse(text).unwrap().unwrap()
    }

    fn values(texts: &[&str]) -> Match {
        Match::Values(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn a_name_without_braces_is_a_name() {
        assert_eq!(NamePattern::parse("bars"), Ok(None));
        assert_eq!(NamePattern::parse(""), Ok(None));
    }

    #[test]
    fn the_pieces_of_a_name_are_the_values_of_its_fields() {
        let one = pattern("bars_{symbol}");
        assert_eq!(one.fields().collect::<Vec<_>>(), ["symbol"]);
        assert_eq!(one.values("bars_AAPL"), values(&["AAPL"]));
        assert_eq!(one.values("bars_BRK_B"), values(&["BRK_B"]), "the last piece takes all that is left");
        assert_eq!(one.values("bars_平安"), values(&["平安"]));
        assert_eq!(one.values("bars_"), Match::Not, "a piece is never empty");
        assert_eq!(one.values("quotes_AAPL"), Match::Not);
        let two = pattern("{exchange}.{symbol}_1d");
        assert_eq!(two.values("XNYS.A_1d"), values(&["XNYS", "A"]));
        assert_eq!(two.values("XNYS.A_1d_old"), Match::Not);
    }

    #[test]
    fn a_name_that_fits_in_two_ways_is_not_guessed() {
        assert_eq!(pattern("{exchange}_{symbol}").values("a_b"), values(&["a", "b"]));
        assert_eq!(pattern("{exchange}_{symbol}").values("a_b_c"), Match::Ambiguous);
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for (text, problem) in [
            ("bars_{}", "`{}` names no field"),
            ("bars_{ }", "`{}` names no field"),
            ("bars_{symbol", "`{` is not closed by `}`"),
            ("bars_symbol}", "the braces do not come in pairs"),
            ("}{symbol}", "the braces do not come in pairs"),
            ("{{symbol}}", "the braces do not come in pairs"),
            ("{a}{b}", "nothing stands between `{a}` and `{b}`"),
            ("{a}_{a}", "`{a}` stands twice"),
        ] {
            assert_eq!(NamePattern::parse(text), Err(problem.to_owned()), "{text}");
        }
    }
}
