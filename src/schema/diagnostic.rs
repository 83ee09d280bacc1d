//! A mistake in a file a person wrote: what, where, and how to repair it.
//!
//! Everything that reads job and rule files collects [`Diagnostic`]s instead of stopping at the first one,
//! so a person sees all mistakes of all files at once. Rendering looks like rustc's.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};

use crate::text::escape::visible;

/// The text of one configuration file, shared by every span into it.
#[derive(Debug)]
pub struct SourceText {
    /// The path as the user gave it, shown in messages.
    pub path: PathBuf,
    /// The whole text; spans are byte ranges into it.
    pub text: String,
}

impl SourceText {
    /// Wraps the text of the file at `path`.
    pub fn new(path: impl AsRef<Path>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { path: path.as_ref().to_path_buf(), text: text.into() })
    }
}

/// One mistake in a configuration file.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// Stable kebab-case class, e.g. `unknown-key`.
    pub code: &'static str,
    /// One clause, lower case, without a final period.
    pub title: String,
    /// The file the mistake stands in.
    pub file: Arc<SourceText>,
    /// Byte range of the offending text.
    pub span: Range<usize>,
    /// What the caret says.
    pub label: String,
    /// The remedy, where one is known.
    pub help: Option<String>,
    /// Other places that are part of the mistake, e.g. the first use of a name that is used twice.
    pub also: Vec<Place>,
}

/// A place that is part of a mistake, with what is to be said about it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceText>,
    /// Byte range in it.
    pub span: Range<usize>,
    /// What is there.
    pub label: String,
}

impl Diagnostic {
    /// A mistake at `span` of `file`.
    pub fn new(code: &'static str, title: impl Into<String>, file: &Arc<SourceText>, span: Range<usize>) -> Self {
        Self {
            code,
            title: title.into(),
            file: Arc::clone(file),
            span,
            label: String::new(),
            help: None,
            also: Vec::new(),
        }
    }

    /// Sets the text beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Sets the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place that is part of the mistake.
    #[must_use]
    pub fn also(mut self, file: &Arc<SourceText>, span: Range<usize>, label: impl Into<String>) -> Self {
        self.also.push(Place { file: Arc::clone(file), span, label: label.into() });
        self
    }

    /// Line and column of the mistake, both counted from 1, the column in characters.
    pub fn position(&self) -> (usize, usize) {
        let before = self.file.text.get(..self.span.start).unwrap_or(&self.file.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }

    /// The diagnostic as text for a person, with the source line and a caret.
    pub fn render(&self, colour: bool) -> String {
        // Names of columns come from the source, and may hold anything.
        let safe = |text: &str| text.lines().map(visible).collect::<Vec<_>>().join("\n");
        let (title, label, help) = (safe(&self.title), safe(&self.label), self.help.as_deref().map(safe));
        let here = AnnotationKind::Primary.span(within(&self.file, &self.span)).label(label.as_str());
        let (beside, elsewhere): (Vec<&Place>, Vec<&Place>) =
            self.also.iter().partition(|place| Arc::ptr_eq(&place.file, &self.file));
        let mut group = Level::ERROR
            .primary_title(title.as_str())
            .id(self.code)
            .element(snippet(&self.file).annotation(here).annotations(beside.into_iter().map(note)));
        for place in elsewhere {
            group = group.element(snippet(&place.file).annotation(note(place)));
        }
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

fn snippet(file: &SourceText) -> Snippet<'_, Annotation<'_>> {
    Snippet::source(file.text.as_str()).path(file.path.display().to_string())
}

fn note(place: &Place) -> Annotation<'_> {
    AnnotationKind::Context.span(within(&place.file, &place.span)).label(place.label.as_str())
}

/// The span, cut to the text.
fn within(file: &SourceText, span: &Range<usize>) -> Range<usize> {
    let end = span.end.min(file.text.len());
    span.start.min(end)..end
}

/// The candidate closest to `name`, if one is close enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(name.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?` when a candidate is near, and the list of all of them.
pub fn suggestion<'a>(name: &str, what: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let all = candidates.clone().into_iter().collect::<Vec<_>>().join(", ");
    match nearest(name, candidates) {
        Some(near) => format!("did you mean `{near}`? {what}: {all}"),
        None => format!("{what}: {all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_characters() {
        let file = SourceText::new("x.toml", "a = 1\nß = \"é\" # x\n");
        let at = file.text.find('#').unwrap();
        assert_eq!(Diagnostic::new("x", "x", &file, at..at + 1).position(), (2, 9));
    }

    #[test]
    fn spans_beyond_the_text_are_cut() {
        let file = SourceText::new("x.toml", "a = 1");
        let mistake = Diagnostic::new("x", "too far", &file, 90..99);
        assert!(mistake.render(false).contains("x.toml:1:6"));
        assert!(
            Diagnostic::new("x", "empty", &SourceText::new("e.toml", ""), 0..0).render(false).contains("e.toml:1:1")
        );
    }

    #[test]
    fn places_in_one_file_are_shown_together() {
        let file = SourceText::new("x.toml", "a = 1\nb = 2\n");
        let mistake = Diagnostic::new("twice", "said twice", &file, 6..7).label("again").also(&file, 0..1, "first");
        insta::assert_snapshot!(mistake.render(false), @r"
error[twice]: said twice
 --> x.toml:2:1
  |
1 | a = 1
  | - first
2 | b = 2
  | ^ again
");
    }

    #[test]
    fn colour_is_decoration_only() {
        let file = SourceText::new("x.toml", "a = 1\n");
        let mistake = Diagnostic::new("x", "title", &file, 0..1).help("help");
        let coloured = mistake.render(true);
        assert!(coloured.contains("\u{1b}[") && !mistake.render(false).contains("\u{1b}["));
    }

    #[test]
    fn nearest_is_near_or_nothing() {
        let fields = ["open", "high", "low", "close"];
        assert_eq!(nearest("clsoe", fields), Some("close"));
        assert_eq!(nearest("hihg", fields), Some("high"));
        assert_eq!(nearest("turnover", fields), None);
        assert_eq!(suggestion("turnover", "fields", fields), "fields: open, high, low, close");
    }
}
