//! Finds passwords that stand in a file instead of the environment, and redacts them out.
//!
//! Works on the text, not on parsed values, so that a secret in a comment or in a file with syntax errors is
//! found as well. What is found is never shown: messages are made from the redacted text.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Patterns whose group 1 is a password, unless it is a reference to the environment.
static PATTERNS: LazyLock<[Regex; 3]> = LazyLock::new(|| {
    [
        // scheme://user:password@host; a reference may stand for any part.
        pattern(r#"://(?:\$\{[^}\s]*\}|[^\s/?#"':@$])*:((?:\$\{[^}\s]*\}|[^\s/?#"'])+)@"#),
        pattern(
            r#"(?i)\b(?:password|passwd|secret|(?:webhook|feishu|dingtalk)_secret)["']?[ \t]*=[ \t]*["']([^"'\n]+)["']"#,
        ),
        // Whoever knows the address of a webhook can write there.
        pattern(
            r#"(?m)^[ \t]*["']?(?:notify\.)?(?:webhook|slack|feishu|dingtalk|wecom|healthchecks)["']?[ \t]*=[ \t]*["'](https?://[^"'\n]+|\$\{[^"'\n]+)["']"#,
        ),
    ]
});

#[expect(clippy::expect_used, reason = "the patterns are constants and tested")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern compiles")
}

/// Byte ranges of the passwords in `text`, in order.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let groups = PATTERNS.iter().flat_map(|pattern| pattern.captures_iter(text)).filter_map(|found| found.get(1));
    let mut ranges: Vec<_> = groups.filter(|group| !is_reference(group.as_str())).map(|group| group.range()).collect();
    ranges.sort_by_key(|range| range.start);
    ranges
}

/// Whether `password` is `${NAME}`: a default would be a password in the file again.
fn is_reference(password: &str) -> bool {
    if password.starts_with("http") {
        // An address may be put together of parts, one of which is the secret.
        return password.contains("${") && !password.contains(":-");
    }
    let name = password.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.contains(['{', '}']) && (!name.contains(":-") || name.ends_with(":-")))
}

/// `text` with every byte of `ranges` replaced by `*`, so that all places in it stay what they were.
pub fn redact(text: &str, ranges: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        out.push_str(&text[at..range.start.max(at)]);
        out.extend(std::iter::repeat_n('*', range.end.saturating_sub(range.start.max(at))));
        at = at.max(range.end);
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn passwords_of_uris_are_found_wherever_they_stand() {
        assert_eq!(found(r#"uri = "mongodb://bob:hunter2@db/x""#), ["hunter2"]);
        assert_eq!(found("# was mongodb+srv://bob:p@ss@db"), ["p@ss"]);
        assert_eq!(found("uri = 'mongodb://${USER}:geheim@db'"), ["geheim"]);
        assert_eq!(found("uri = 'mongodb://${USER:-bob}:${PW:-hunter2}@db'"), ["${PW:-hunter2}"]);
        assert_eq!(found("a='s3://k:v1@x'\nb='s3://k:v2@x'"), ["v1", "v2"]);
    }

    #[test]
    fn values_of_keys_named_after_secrets_are_found() {
        assert_eq!(found("password = \"hunter2\"\nPASSWD='x'\n"), ["hunter2", "x"]);
        assert_eq!(found("a = { secret = \"s\" }"), ["s"]);
        assert_eq!(found("webhook_secret = 's'\nslack = \"https://hooks/x\"\n"), ["s", "https://hooks/x"]);
        assert_eq!(found("slack = \"${X:-https://hooks/x}\""), ["${X:-https://hooks/x}"]);
    }

    #[test]
    fn references_and_uris_without_password_are_not() {
        for text in [
            "mongodb://${USER}:${PASSWORD}@db",
            "mongodb://bob:${PASSWORD:-}@db",
            "${MONGODB_URI}",
            "mongodb://db:27017/x",
            "https://example.com/a:b@c",
            "password = \"${PASSWORD}\"",
            "slack = \"${SLACK}\"",
            "slack = \"${SLACK:-}\"",
            "healthchecks = \"https://hc-ping.com/${KEY}/demo\"",
            "field = \"slack\"",
            "field = \"a:b@c\"",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn redacting_keeps_every_place() {
        let text = "a='x://u:pässword@h'\nb=1";
        let redacted = redact(text, &find(text));
        assert_eq!(redacted, "a='x://u:*********@h'\nb=1");
        assert_eq!(redacted.len(), text.len());
    }
}
