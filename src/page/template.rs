//! The document around the data: templates, stylesheet and scripts, and the policy that allows these and nothing else.
//!
//! Templates escape what they are given, and fail over a name they are not given.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use minijinja::value::{Serde, merge_maps};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("assets/page.html");
const OVERVIEW: &str = include_str!("assets/overview.html");
const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/page.js");
/// uPlot 1.6.32, MIT, see `assets/uPlot.LICENSE`.
const PLOT: &str = include_str!("assets/uPlot.iife.min.js");
const PLOT_STYLE: &str = include_str!("assets/uPlot.min.css");

/// The page of a run. `block` is its data, in base64.
pub(super) fn page(view: &impl Serialize, block: &str) -> Result<String, minijinja::Error> {
    // The parts are long and of letters that need no escapes: they are put in when all else is there.
    render(PAGE, view, &[("data", block), ("plot", PLOT), ("script", SCRIPT)], &format!("{PLOT_STYLE}\n{STYLE}"))
}

/// The page of all jobs.
pub(super) fn overview(view: &impl Serialize) -> Result<String, minijinja::Error> {
    render(OVERVIEW, view, &[("script", SCRIPT)], STYLE)
}

/// `scripts` are put in as they are; those that are no data are allowed by their hashes.
fn render(
    template: &str,
    view: &impl Serialize,
    scripts: &[(&'static str, &str)],
    style: &str,
) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let allowed = scripts.iter().filter(|(name, _)| *name != "data").map(|(_, text)| hash(text)).collect::<Vec<_>>();
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        allowed.join(" "),
        hash(style)
    );
    let mut values: BTreeMap<&str, Value> = BTreeMap::new();
    values.insert("policy", Value::from(policy));
    values.insert("style", Value::from(style));
    values.insert("version", Value::from(env!("CARGO_PKG_VERSION")));
    values.extend(scripts.iter().map(|(name, text)| (*name, Value::from(*text))));
    let view = Value::from(Serde(view));
    let context = merge_maps([Value::from(values), view]);
    environment.render_str(template, context)
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::{hex, sha256};

    #[test]
    fn what_is_vendored_is_what_was_released() {
        // Of the package uplot 1.6.32, as its registry has it.
        let sum = |text: &str| hex(&sha256(text.as_bytes()));
        assert_eq!(sum(PLOT), "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f");
        assert_eq!(sum(PLOT_STYLE), "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04");
        assert!(include_str!("assets/uPlot.LICENSE").contains("The MIT License"));
        assert!(PLOT.starts_with("/*! https://github.com/leeoniya/uPlot (v1.6.32) */"));
    }

    #[test]
    fn nothing_in_scripts_and_style_ends_their_elements_or_asks_a_network() {
        for text in [PLOT, SCRIPT] {
            assert!(!text.contains("</script") && !text.contains("<!--"));
        }
        assert!(
            ![STYLE, PLOT_STYLE]
                .iter()
                .any(|text| text.contains("</style") || text.contains("url(") || text.contains("@import"))
        );
        for word in ["fetch(", "XMLHttpRequest", "WebSocket", "innerHTML", "insertAdjacentHTML", "eval(", "import("] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }

    #[test]
    fn values_are_escaped_and_names_must_exist() {
        let view = serde_json::json!({ "job": "<b>&\"'" });
        let escaped = render("{{ job }} {{ script | safe }}", &view, &[("script", "a < b")], "").unwrap();
        assert_eq!(escaped, "&lt;b&gt;&amp;&quot;&#x27; a < b");
        assert!(render("{{ jobb }}", &view, &[], "").is_err());
    }

    #[test]
    fn the_policy_allows_the_scripts_and_no_data() {
        let made = render("{{ policy }}", &serde_json::json!({}), &[("data", "x"), ("script", "")], "").unwrap();
        let empty = "&#x27;sha256-47DEQpj8HBSa+&#x2f;TImW+5JCeuQeRkm5NMpJWZG3hSuFU=&#x27;";
        let expected = format!(
            "default-src &#x27;none&#x27;; script-src {empty}; style-src {empty}; base-uri &#x27;none&#x27;; form-action &#x27;none&#x27;"
        );
        assert_eq!(made, expected);
    }
}
