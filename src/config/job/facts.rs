//! `[facts]`: files with what is known of the market besides its calendar.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;

use super::bars::Bars;
use super::path::JobPath;
use crate::schema::diagnostic::{Diagnostic, suggestion};
use crate::schema::keys::Otherwise::Nothing;
use crate::schema::keys::{Holds, Section, key};
use crate::schema::section::SectionReader;

/// The files of facts that a job names, and how their symbols are matched to series.
#[derive(Debug, Clone, Default)]
pub struct FactFiles {
    /// The key of `[facts]` and a file that it names, in the order of the section.
    pub files: Vec<(&'static str, Spanned<JobPath>)>,
    /// The field of the series key that holds the symbol.
    pub symbol: Option<Arc<str>>,
    /// The field of the series key that holds the source.
    pub source: Option<Arc<str>>,
}

/// The field that is taken for the source where the series key has it.
const USUAL_SOURCE: &str = "data_source";

pub(super) const FACTS: Section = Section {
    name: "`[facts]`",
    doc: "Files with what is known of the market besides its calendar, relative to the job file; columns in `docs/facts.md`.",
    keys: &[
        key("corporate_actions", Holds::SomeTexts, Nothing, "Splits, bonus shares, rights and dividends, by ex-date."),
        key("suspensions", Holds::SomeTexts, Nothing, "When single symbols were not traded."),
        key("listings", Holds::SomeTexts, Nothing, "When symbols were listed."),
        key("price_limits", Holds::SomeTexts, Nothing, "How far prices may move in a day."),
        key("outages", Holds::SomeTexts, Nothing, "When a source delivered nothing."),
        key("exceptions", Holds::SomeTexts, Nothing, "Rules that do not hold for one symbol, for a time, and why."),
        key(
            "symbol",
            Holds::Text,
            Nothing,
            "The field of `series` that is compared with the symbols of facts; default its first.",
        ),
        key(
            "source",
            Holds::Text,
            Nothing,
            "The field of `series` that is compared with the sources of outages; default `data_source` where `series` has it.",
        ),
    ],
};

/// The keys of `[facts]` that name files.
const FILES: [&str; 6] = ["corporate_actions", "suspensions", "listings", "price_limits", "outages", "exceptions"];

pub(super) fn read(mut section: SectionReader<'_>, bars: Option<&Bars>) -> (Option<FactFiles>, Vec<Diagnostic>) {
    let job = section.file().path.clone();
    let mut files = Vec::new();
    for name in FILES {
        files.extend(section.texts(name).into_iter().map(|path| (name, of_job(&job, path))));
    }
    let first = bars.and_then(|bars| bars.series.first()).map(|name| Arc::clone(name.get_ref()));
    let symbol = field(&mut section, "symbol", bars).or(first);
    let is_usual = |name: &&Spanned<Arc<str>>| **name.get_ref() == *USUAL_SOURCE;
    let usual = bars.and_then(|bars| bars.series.iter().find(is_usual)).map(|name| Arc::clone(name.get_ref()));
    let source = field(&mut section, "source", bars).or(usual);
    (Some(FactFiles { files, symbol, source }), section.finish())
}

fn of_job(job: &Path, path: Spanned<String>) -> Spanned<JobPath> {
    Spanned::new(path.span(), JobPath::new(job, path.into_inner()))
}

/// A field of the series key that the key `name` names.
fn field(section: &mut SectionReader<'_>, name: &str, bars: Option<&Bars>) -> Option<Arc<str>> {
    let (text, bars) = (section.text(name)?, bars?);
    let found = bars.series.iter().find(|field| **field.get_ref() == *text.get_ref().as_str());
    if found.is_none() {
        let help = suggestion(text.get_ref(), "fields of `series`", bars.series.iter().map(|field| &**field.get_ref()));
        section.reject_at(text.span(), format!("`{}` is not a field of the series key", text.get_ref()), help);
    }
    found.map(|field| Arc::clone(field.get_ref()))
}

#[cfg(test)]
mod tests {
    use super::super::read as read_job;
    use super::*;
    use crate::schema::{Environment, SourceText};

    fn of(series: &str, facts: &str) -> Result<FactFiles, String> {
        let text = format!(
            "name = \"x\"\nrules = \"x\"\nsource.files.path = \"x\"\n[bars]\nseries = {series}\ninterval = \"1d\"\n[facts]\n{facts}\n"
        );
        let draft = read_job(&SourceText::new("jobs/x.toml", text), &Environment::default());
        let mistakes = draft.mistakes.iter().map(|mistake| mistake.render(false)).collect::<Vec<_>>().join("\n");
        draft.job.map(|job| job.facts).ok_or(mistakes)
    }

    #[test]
    fn files_are_beside_the_job_and_fields_have_defaults() {
        let facts = of(r#"["code", "data_source"]"#, r#"listings = ["../a.csv", "b.csv"]"#).unwrap();
        let files: Vec<_> = facts.files.iter().map(|(name, path)| (*name, path.get_ref().resolved.clone())).collect();
        assert_eq!(files, [("listings", "a.csv".into()), ("listings", "jobs/b.csv".into())]);
        assert_eq!((facts.symbol.as_deref(), facts.source.as_deref()), (Some("code"), Some("data_source")));
        let facts = of(r#"["vendor", "code"]"#, "symbol = \"code\"\nsource = \"vendor\"").unwrap();
        assert_eq!((facts.symbol.as_deref(), facts.source.as_deref()), (Some("code"), Some("vendor")));
    }

    #[test]
    fn fields_are_those_of_the_series_key() {
        let mistakes = of(r#"["symbol"]"#, "symbol = \"symbl\"\nhalts = \"x.csv\"").unwrap_err();
        assert!(mistakes.contains("`symbl` is not a field of the series key"), "{mistakes}");
        assert!(mistakes.contains("did you mean `symbol`?") && mistakes.contains("unknown key `halts`"), "{mistakes}");
    }
}
