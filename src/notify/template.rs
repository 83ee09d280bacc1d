//! A message in a person's own words: a minijinja template over the values of a [`Message`].

use std::fmt;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::event::Event;
use super::message::{Message, RuleLine};

const NAME: &str = "text";
/// Most bytes of a text: no service takes more.
const MOST_BYTES: usize = 20_000;

/// A template that renders.
#[derive(Clone)]
pub struct Template {
    environment: Environment<'static>,
}

impl Template {
    /// Reads a template. It is tried with messages that have everything and nothing, so that a name it does not find is
    /// found now.
    ///
    /// # Errors
    /// What is wrong, and in which line of the template.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| said(&error))?;
        let template = Self { environment };
        for message in [full(), empty()] {
            template.render(&message)?;
        }
        Ok(template)
    }

    /// The text for a message, cut where it is very long.
    ///
    /// # Errors
    /// The template does something a message does not allow, e.g. it adds a number to nothing.
    pub fn render(&self, message: &Message) -> Result<String, String> {
        let headline = message.headline();
        let values = context! { headline, text => message.text(), ..Value::from(Serde(message)) };
        let rendered = self.environment.get_template(NAME).and_then(|template| template.render(values));
        rendered.map(|text| cut(text.trim_end(), MOST_BYTES)).map_err(|error| said(&error))
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

fn said(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let detail =
        error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    format!("the template does not render{line}: {detail}")
}

/// `text` with at most `most` bytes; `…` stands for what was cut off.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

fn full() -> Message {
    let rule = RuleLine { id: "r".to_owned(), severity: "error".to_owned(), findings: 1, new: Some(1) };
    Message {
        run_id: Some("20261120T023000Z-k7f3".to_owned()),
        error: Some("e".to_owned()),
        new: Some(1),
        fixed: Some(1),
        rules: vec![rule],
        refusals: vec!["r".to_owned()],
        next: Some("n".to_owned()),
        ..empty()
    }
}

fn empty() -> Message {
    let none = (String::new(), String::new());
    let message = Message::without_report(Event::Fail, "j", "h".to_owned(), none);
    Message { status: "broken".to_owned(), exit_code: 3, ..message }
}

#[cfg(test)]
mod tests {
    use super::super::message::sample;
    use super::*;

    fn rendered(text: &str) -> String {
        Template::parse(text).unwrap().render(&sample()).unwrap()
    }

    #[test]
    fn values_of_the_message_stand_in_the_text() {
        assert_eq!(rendered("{{ job }}: {{ errors }} <{{ event }}>\n"), "cn-daily: 13 <fail>");
        let rules = "{% for rule in rules if rule.severity == 'error' %}{{ rule.id }} {{ rule.findings }}{% endfor %}";
        assert_eq!(rendered(rules), "ohlc 13");
        assert_eq!(rendered("{{ headline }}"), sample().headline());
        assert_eq!(rendered("{% if new is none %}?{% else %}{{ new }} new{% endif %}"), "2 new");
    }

    #[test]
    fn a_name_that_is_none_is_found_before_a_run() {
        let wrong = |text: &str| Template::parse(text).unwrap_err();
        assert!(
            wrong("{{ job }}\n{{ symbol }}").starts_with("the template does not render in line 2: undefined value")
        );
        assert!(wrong("{% for rule in rules %}{{ rule.first }}{% endfor %}").contains("undefined value"));
        assert!(wrong("{{ job").contains("syntax error"), "{}", wrong("{{ job"));
        assert!(wrong("{{ new + 1 }}").contains("in line 1"), "{}", wrong("{{ new + 1 }}"));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!((cut("abc", 3), cut("abcd", 3)), ("abc".to_owned(), "…".to_owned()));
        assert_eq!(cut("日本語です", 10), "日本…");
        assert!(rendered("{% for n in range(9000) %}{{ job }}{% endfor %}").len() <= MOST_BYTES);
    }
}
