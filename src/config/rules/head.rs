//! The keys every rule has.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;

use super::cases::TEST;
use crate::checks::{self, CHECKS, CheckKind, Exempt, parse_error};
use crate::config::job::is_identifier;
use crate::decide::{Action, Severity};
use crate::market::Part;
use crate::schema::diagnostic::{Diagnostic, suggestion};
use crate::schema::keys::Otherwise::{Flag, Mistake, Nothing, Text};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::moment::Moment;
use crate::schema::section::SectionReader;

/// The keys of a rule file.
pub(in crate::config) const RULE_FILE: Section = Section {
    name: "the rule file",
    doc: "Rules that bars are evaluated by.",
    keys: &[key("rule", Holds::Tables(&RULE), Mistake, "A rule; a rule file has at least one.")],
};

/// The keys of a rule besides the parameters of its check.
pub(in crate::config) const RULE: Section = Section {
    name: "the rule",
    doc: "A rule: which check, with which parameters, severity and action.",
    keys: &[
        key("id", Holds::Text, Mistake, "Its identifier, of a-z, 0-9, `-` and `_`; findings carry it."),
        key("check", Holds::Text, Mistake, "The check it runs; the other keys are the parameters of that check."),
        key(
            "where",
            Holds::Text,
            Nothing,
            "A boolean SQL expression; rows for which it is not true are not evaluated.",
        ),
        key(
            "part",
            Holds::Choice(Part::WORDS),
            Nothing,
            "The part of a session it evaluates, where `[bars] hours = \"extended\"`: the `regular` hours, or what is traded before and after them (`extended`); without it, both.",
        ),
        key(
            "causes",
            Holds::SomeTexts,
            Nothing,
            "Causes of the findings it makes, of those that its check has; others of the check are left to other rules.",
        ),
        key(
            "exempt",
            Holds::Texts,
            Nothing,
            "Facts of the job that excuse its findings: `halted`, `corporate-action`, `limit-move`, `outage`, `listing`, `quarantined`; without it, those that the document of its check names.",
        ),
        key("severity", Holds::Choice(Severity::WORDS), Text("error"), "Severity of a finding."),
        key("action", Holds::Choice(Action::WORDS), Text("report"), "What is done with a flagged row."),
        key("from", Holds::Moment, Nothing, "First date or time of the bars it holds for."),
        key("until", Holds::Moment, Nothing, "First date or time of the bars to which it no longer applies."),
        key(
            "budget",
            Holds::Share,
            Nothing,
            "Share of the rows it may flag; where it flags more, the rule is taken to be wrong, and the run is refused.",
        ),
        key(
            "optional",
            Holds::Flag,
            Flag(false),
            "Whether the rule is left out where the bars lack a field that it needs; that is counted and shown.",
        ),
        key("why", Holds::Text, Nothing, "Why the rule exists, for whoever reads a finding."),
        key("owner", Holds::Text, Nothing, "Who answers for the rule."),
        key("test", Holds::Tables(&TEST), Nothing, "Rows, and which of them the rule must flag."),
    ],
};

/// The keys every rule has, as read.
pub(super) struct Head {
    /// Its identifier; where the file gives none, its number in the file.
    pub(super) id: Spanned<Arc<str>>,
    /// Whether the identifier can be one.
    pub(super) named: bool,
    pub(super) kind: Option<&'static dyn CheckKind>,
    pub(super) condition: Option<Spanned<String>>,
    /// The part of a session that it is about.
    pub(super) part: Option<&'static str>,
    /// Causes of its findings; none where it makes findings of every cause.
    pub(super) causes: Vec<&'static str>,
    /// Facts that excuse its findings, where the rule names them.
    pub(super) exempt: Option<Vec<Exempt>>,
    pub(super) severity: Severity,
    pub(super) action: Action,
    pub(super) from: Option<Moment>,
    pub(super) until: Option<Moment>,
    pub(super) budget: Option<f64>,
    pub(super) optional: bool,
    pub(super) why: Option<String>,
    pub(super) owner: Option<String>,
}

/// Reads the keys of rule number `number` (from 1) of its file.
pub(super) fn read(section: &mut SectionReader<'_>, number: usize) -> Head {
    let (id, named) = read_id(section, number);
    let kind = read_check(section, id.get_ref());
    let severity = section.choice("severity").and_then(Severity::parse).unwrap_or_default();
    let action = section.choice("action").and_then(Action::parse).unwrap_or_default();
    if let Some(kind) = kind
        && action.moves_rows()
        && !kind.flags_rows()
    {
        let title =
            format!("rule `{}`: a finding of `{}` is about missing bars, and moves no row", id.get_ref(), kind.name());
        section.reject("action", title, "findings of this check can only be reported: leave `action` out");
    }
    let causes = read_causes(section, id.get_ref(), kind);
    let exempt = read_exempt(section, id.get_ref(), kind);
    let condition = section.text("where");
    if let Some(sql) = condition.as_ref().filter(|sql| sql.get_ref().trim().is_empty()) {
        section.reject_at(sql.span(), "`where` is empty", "leave it out to evaluate every row");
    }
    let part = section.choice("part");
    if part == Some("extended") && kind.is_some_and(|kind| !kind.flags_rows()) {
        let title = format!("rule `{}`: no bar is expected before and after the regular hours", id.get_ref());
        section.reject("part", title, "bars that are missing are looked for in the regular hours: leave `part` out");
    }
    Head {
        id,
        named,
        kind,
        condition,
        part,
        causes,
        exempt,
        severity,
        action,
        from: section.moment("from"),
        until: section.moment("until"),
        budget: section.number("budget"),
        optional: section.flag("optional"),
        why: section.text("why").map(Spanned::into_inner),
        owner: section.text("owner").map(Spanned::into_inner),
    }
}

fn read_id(section: &mut SectionReader<'_>, number: usize) -> (Spanned<Arc<str>>, bool) {
    let Some(text) = section.text("id") else {
        return (Spanned::new(section.span_of("id"), Arc::from(format!("#{number}"))), false);
    };
    let (span, id): (Range<usize>, Arc<str>) = (text.span(), Arc::from(text.get_ref().as_str()));
    if !is_identifier(&id) {
        section.reject("id", format!("`{id}` cannot be the id of a rule"), "an id is made of a-z, 0-9, `-` and `_`");
    } else if &*id == parse_error::NAME {
        let help = "values that do not decode have it; choose another one";
        section.reject("id", format!("the id `{id}` is taken"), help);
    }
    (Spanned::new(span, id), true)
}

/// The causes that a rule names, of those of its check.
fn read_causes(section: &mut SectionReader<'_>, id: &str, kind: Option<&'static dyn CheckKind>) -> Vec<&'static str> {
    let named = section.texts("causes");
    let Some(kind) = kind else { return Vec::new() };
    let mut causes = Vec::new();
    for cause in named {
        match kind.causes().iter().find(|known| **known == cause.get_ref().as_str()) {
            Some(known) => causes.push(*known),
            None => {
                let title = format!("rule `{id}`: `{}` has no cause `{}`", kind.name(), cause.get_ref());
                let help = suggestion(cause.get_ref(), "causes", kind.causes().iter().copied());
                section.reject_at(cause.span(), title, help);
            }
        }
    }
    causes
}

/// The facts that a rule names, of those that can excuse findings of its check.
fn read_exempt(section: &mut SectionReader<'_>, id: &str, kind: Option<&'static dyn CheckKind>) -> Option<Vec<Exempt>> {
    let (written, named) = (section.has("exempt"), section.texts("exempt"));
    let excusable = kind?.excusable();
    let mut exempt = Vec::new();
    for word in named {
        match Exempt::parse(word.get_ref()).filter(|one| excusable.contains(one)) {
            Some(one) => exempt.push(one),
            None if excusable.is_empty() => {
                let title = format!("rule `{id}`: facts do not excuse findings of `{}`", kind?.name());
                section.reject_at(word.span(), title, "leave `exempt` out");
            }
            None => {
                let title = format!("rule `{id}`: `exempt` names an unknown fact `{}`", word.get_ref());
                let help = suggestion(word.get_ref(), "facts", excusable.iter().map(|one| one.word()));
                section.reject_at(word.span(), title, help);
            }
        }
    }
    written.then_some(exempt)
}

fn read_check(section: &mut SectionReader<'_>, id: &str) -> Option<&'static dyn CheckKind> {
    let name = section.text("check")?;
    let found = checks::find(name.get_ref());
    if found.is_none() {
        let title = format!("rule `{id}` names a check that does not exist");
        let help = suggestion(name.get_ref(), "checks", CHECKS.iter().map(|check| check.name()));
        let mistake = Diagnostic::new("unknown-check", title, section.file(), name.span());
        section.reader().push(mistake.label("unknown check").help(help));
    }
    found
}
