//! Takes secrets out of texts: nothing the driver or a server says is shown before it went through here.
//!
//! A password is looked for as it is, as the URI writes it, and wherever a URI with credentials is quoted. Pure.

use std::sync::LazyLock;

use mongodb::options::Credential;
use regex::Regex;
use secrecy::{ExposeSecret, SecretString};

/// A secret shorter than this cannot be reported from other text: a text that contains it is withheld.
const SHORTEST: usize = 4;
const HIDDEN: &str = "<hidden>";
const WITHHELD: &str = "(not shown: it may contain a secret)";

/// Credentials in front of the hosts of a URI. What follows a scheme up to the last `@` of its authority may be one.
#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by a test")]
static USER_INFO: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(mongodb(?:\+srv)?://)[^\s/]*@").unwrap());

/// What must not be shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets(Vec<SecretString>);

impl Secrets {
    /// The secrets as `uri` writes them: its password and the values of options that hold one.
    pub(super) fn of_uri(uri: &str) -> Self {
        let mut secrets = Self::default();
        let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
        let (before_options, options) = rest.split_once('?').unwrap_or((rest, ""));
        if let Some((user, _)) = before_options.rsplit_once('@')
            && let Some((_, password)) = user.split_once(':')
        {
            secrets.add(password);
        }
        for option in options.split('&') {
            let Some((name, value)) = option.split_once('=') else { continue };
            if holds_secret(name) {
                secrets.add(value);
                // Properties are listed as name:value.
                value.split(',').filter_map(|part| part.split_once(':')).for_each(|(_, value)| secrets.add(value));
            }
        }
        secrets
    }

    /// Adds what the driver made of the URI, percent-decoded.
    pub(super) fn add_credential(&mut self, credential: Option<&Credential>) {
        let Some(credential) = credential else { return };
        if let Some(password) = &credential.password {
            self.add(password);
        }
        for value in credential.mechanism_properties.iter().flat_map(|properties| properties.values()) {
            if let Some(text) = value.as_str() {
                self.add(text);
            }
        }
    }

    fn add(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.0.push(SecretString::from(secret.to_owned()));
        }
    }

    /// `text` without the secrets.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut shown = USER_INFO.replace_all(text, format!("${{1}}{HIDDEN}@")).into_owned();
        // Longer ones first: one may be a part of another.
        let mut secrets: Vec<&str> = self.0.iter().map(ExposeSecret::expose_secret).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in secrets {
            if !shown.contains(secret) {
                continue;
            }
            if secret.len() < SHORTEST {
                return WITHHELD.to_owned();
            }
            shown = shown.replace(secret, HIDDEN);
        }
        shown
    }
}

/// Whether the value of a URI's option is a secret.
fn holds_secret(option: &str) -> bool {
    ["authMechanismProperties", "tlsCertificateKeyFilePassword", "proxyPassword", "proxyUsername"]
        .iter()
        .any(|secret| secret.eq_ignore_ascii_case(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_as_written_and_as_decoded() {
        let mut secrets = Secrets::of_uri("mongodb://bar:s%40fe-Hunter2@db.example:27017/x?authSource=admin");
        let credential = Credential::builder().username("bar".to_owned()).password("s@fe-Hunter2".to_owned()).build();
        secrets.add_credential(Some(&credential));
        for text in ["auth of s@fe-Hunter2 failed", "auth of s%40fe-Hunter2 failed"] {
            assert_eq!(secrets.hide(text), "auth of <hidden> failed");
        }
    }

    #[test]
    fn a_quoted_uri_loses_its_credentials_even_when_they_are_unknown() {
        let secrets = Secrets::default();
        let text = "cannot parse mongodb://u:p@ss@h:1/db and mongodb+srv://u2:q@h2/ or mongodb://h3/";
        assert_eq!(
            secrets.hide(text),
            "cannot parse mongodb://<hidden>@h:1/db and mongodb+srv://<hidden>@h2/ or mongodb://h3/"
        );
    }

    #[test]
    fn secrets_in_options_are_hidden() {
        let secrets = Secrets::of_uri(
            "mongodb://h/?tlsCertificateKeyFilePassword=keypass&authMechanismProperties=AWS_SESSION_TOKEN:tok3n,X:other&appName=shown",
        );
        assert_eq!(secrets.hide("keypass tok3n other shown"), "<hidden> <hidden> <hidden> shown");
    }

    #[test]
    fn a_text_with_a_very_short_secret_is_withheld_whole() {
        let secrets = Secrets::of_uri("mongodb://u:abc@h/");
        assert_eq!(secrets.hide("xabcx"), "(not shown: it may contain a secret)");
        assert_eq!(secrets.hide("nothing here"), "nothing here");
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert!(!format!("{:?}", Secrets::of_uri("mongodb://u:hunter2@h/")).contains("hunter2"));
    }
}
