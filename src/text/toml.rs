//! Texts as the files that barkeep reads write them, so that they are read as what they are.

/// `text` as a string of TOML. `$$` stands for one `$` there, for `${NAME}` is a variable.
pub fn string(text: &str) -> String {
    // JSON escapes what TOML does, in the same way, but for one character that only JSON leaves as it is.
    serde_json::Value::from(text.replace('$', "$$")).to_string().replace('\u{7f}', "\\u007F")
}

/// `name` as a key of TOML, in quotes where it needs them. Keys have no variables.
pub fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { name.to_owned() } else { serde_json::Value::from(name).to_string().replace('\u{7f}', "\\u007F") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn variables_are_no_variables_any_more() {
        assert_eq!(string("a\tb ${HOME} $5"), "\"a\\tb $${HOME} $$5\"");
        assert_eq!(
            (key("a_b-1"), key("BRK/B"), key("a$b"), key("")),
            ("a_b-1".into(), "\"BRK/B\"".into(), "\"a$b\"".into(), "\"\"".into())
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(text in ".*", name in ".*") {
            let table: toml::Table = format!("{} = {}", key(&name), string(&text)).parse().unwrap();
            prop_assert_eq!(table[&name].as_str().map(|read| read.replace("$$", "$")), Some(text));
        }
    }
}
