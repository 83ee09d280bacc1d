//! Usual fields that rules need and the bars of a job lack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bars::BarsSpec;
use crate::schema::diagnostic::{Diagnostic, SourceText, nearest};

/// That the bars lack usual fields that rules need, and the lines to write.
pub(super) fn lacking_fields(
    job: &Arc<SourceText>,
    bars: &BarsSpec,
    lacking: &BTreeMap<String, Vec<Arc<str>>>,
) -> Diagnostic {
    let quoted =
        |names: &mut dyn Iterator<Item = &str>| names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let fields = quoted(&mut lacking.keys().map(String::as_str));
    let rules: BTreeSet<&str> = lacking.values().flatten().map(|id| &**id).collect();
    let (noun, verb) = if rules.len() == 1 { ("rule", "needs") } else { ("rules", "need") };
    let title = format!("{} {noun} {verb} {fields}, which these bars do not have", rules.len());
    let sources: Vec<&str> = bars.fields.iter().map(|field| &*field.source).collect();
    let line = |field: &String| {
        let near = nearest(field, sources.iter().copied()).unwrap_or("…");
        format!("{field} = \"{near}\"")
    };
    let lines = lacking.keys().map(line).collect::<Vec<_>>().join(", ");
    let without = lacking.keys().map(|field| format!("\"{field}\"")).collect::<Vec<_>>().join(", ");
    let help = format!(
        "say in `[bars]` which columns they are, `fields = {{ {lines} }}`, or that these bars have none, `without = \
         [{without}]`; columns: {}",
        sources.join(", ")
    );
    let at = job.text.find("[bars]").unwrap_or(0);
    let span = at..job.text[at..].find('\n').map_or(job.text.len(), |length| at + length);
    Diagnostic::new("unknown-field", title, job, span).label("unknown fields").help(help)
}
