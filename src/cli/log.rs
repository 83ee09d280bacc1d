//! What is written to stderr: log lines, and the messages that a person is to read whatever the level. As text a message
//! stands as it is and a log line is `TIME LEVEL job=… run=… what happened key=value`; as JSON every line is an object with
//! the same fields.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::panic;

use chrono::Utc;
use clap::ValueEnum;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tracing::field::{Empty, Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::colour::colour_on_stderr;
use crate::report::render::quoted;
use crate::run::log::MESSAGE;
use crate::text::utc::UtcMicros;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

/// The fields of a span that its lines have too.
const OF_A_RUN: [&str; 3] = ["job", "run", "file"];

/// Writes log lines and messages from here on, as the flags and `BARKEEP_LOG` say.
pub(super) fn install(verbose: u8, format: LogFormat) {
    let level = match (verbose, format) {
        // The summary says how a run ended.
        (0, LogFormat::Text) => "warn,barkeep::progress=info,barkeep::life=off",
        (0, LogFormat::Json) => "warn,barkeep::progress=info",
        (1, _) => "barkeep=info,warn",
        _ => "barkeep=debug,info",
    };
    let filter = EnvFilter::try_from_env("BARKEEP_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // What the client of HTTP logs holds the addresses of webhooks, which are secrets. What a person is to read is no
    // matter of levels.
    let always = ["ureq=off", "ureq_proto=off", "barkeep::message=trace"];
    let filter = always.iter().filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive);
    let lines = Lines { format, colour: format == LogFormat::Text && colour_on_stderr() };
    // A program that calls this as a library may have a subscriber of its own.
    drop(tracing_subscriber::registry().with(filter).with(lines).try_init());
    if format == LogFormat::Json {
        panic::set_hook(Box::new(|panicked| message(&format!("error: {panicked}"))));
    }
}

/// The span of one call for a job: whoever reads and runs the job writes its file, its name and that of the run into it.
pub(super) fn call() -> Span {
    tracing::error_span!(target: MESSAGE, "call", file = Empty, job = Empty, run = Empty)
}

/// Writes a message; its first word sets the level.
pub(super) fn message(text: &str) {
    match level_of(text) {
        Level::ERROR => tracing::error!(target: MESSAGE, "{text}"),
        Level::WARN => tracing::warn!(target: MESSAGE, "{text}"),
        _ => tracing::info!(target: MESSAGE, "{text}"),
    }
}

/// Writes why a command failed: `text` for a person, the object `details` where lines are JSON.
pub(super) fn failure(text: &str, details: &Value) {
    tracing::error!(target: MESSAGE, %details, "{text}");
}

/// Writes what happened to `job` as the fields of `details`, where lines are JSON.
pub(super) fn event(job: Option<&str>, level: Level, details: &Value) {
    let span = call();
    if let Some(job) = job {
        span.record("job", job);
    }
    span.in_scope(|| match level {
        Level::WARN => tracing::warn!(target: MESSAGE, %details, "event"),
        _ => tracing::info!(target: MESSAGE, %details, "event"),
    });
}

/// The level that the first word of a message stands for.
fn level_of(text: &str) -> Level {
    match text.split([':', '[', ' ']).next().unwrap_or_default() {
        "error" | "refused" | "locked" | "stopped" => Level::ERROR,
        "warning" => Level::WARN,
        _ => Level::INFO,
    }
}

/// Writes every event as one line.
struct Lines {
    format: LogFormat,
    colour: bool,
}

/// Fields of an event or a span, in their order.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => self.0.push((name, value)),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(at).1)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut of_run = Fields::default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(known) = span.extensions().get::<Fields>() {
                let wanted = known.0.iter().filter(|(name, _)| OF_A_RUN.contains(name));
                for (name, value) in wanted {
                    if !of_run.has(name) && !fields.has(name) {
                        of_run.0.push((name, value.clone()));
                    }
                }
            }
        }
        of_run.0.sort_by_key(|(name, _)| OF_A_RUN.iter().position(|known| known == name));
        // The file says which job it is where nothing else does.
        if of_run.has("job") || fields.has("job") {
            of_run.take("file");
        }
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let line = match self.format {
            LogFormat::Json => json(level, target, of_run, fields),
            LogFormat::Text => text(level, target, &of_run, fields, self.colour),
        };
        // A line that cannot be written has nowhere else to go.
        drop(writeln!(io::stderr().lock(), "{line}"));
    }
}

/// A line as an object.
struct Line(Vec<(String, Value)>);

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn json(level: Level, target: &str, of_run: Fields, mut fields: Fields) -> String {
    let named = |(name, value): (&str, Value)| (name.to_owned(), value);
    let mut line = vec![
        ("time".to_owned(), UtcMicros::from(Utc::now()).to_string().into()),
        ("level".to_owned(), level.as_str().to_lowercase().into()),
    ];
    line.extend(of_run.0.into_iter().map(named));
    let message = fields.take("message");
    let details = fields.take("details").and_then(|text| serde_json::from_str(text.as_str()?).ok());
    match details {
        // It says in its own words what the message says for people.
        Some(Value::Object(details)) => {
            line.extend(
                details
                    .into_iter()
                    .filter(|(name, value)| !matches!(name.as_str(), "type" | "job") && !value.is_null()),
            );
        }
        _ => line.push(("message".to_owned(), message.unwrap_or_default())),
    }
    line.extend(fields.0.into_iter().filter(|(name, _)| !name.starts_with("log.")).map(named));
    if !target.starts_with("barkeep") {
        line.push(("target".to_owned(), target.into()));
    }
    serde_json::to_string(&Line(line)).unwrap_or_default()
}

fn text(level: Level, target: &str, of_run: &Fields, mut fields: Fields, colour: bool) -> String {
    let message = fields.take("message").unwrap_or_default();
    let message = message.as_str().unwrap_or_default();
    if target == MESSAGE {
        return message.to_owned();
    }
    let time = UtcMicros::from(Utc::now());
    let level = match (colour, level) {
        (true, Level::ERROR) => "\u{1b}[31mERROR\u{1b}[0m".to_owned(),
        (true, Level::WARN) => "\u{1b}[33m WARN\u{1b}[0m".to_owned(),
        _ => format!("{level:>5}"),
    };
    let mut line = format!("{time} {level}");
    let mut add = |name: &str, value: &Value| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // A text in memory takes everything.
        write!(line, " {name}={}", quoted(&value)).ok();
    };
    of_run.0.iter().for_each(|(name, value)| add(name, value));
    if !target.starts_with("barkeep") {
        add("target", &target.into());
    }
    add("message", &message.into());
    fields.0.iter().filter(|(name, _)| !name.starts_with("log.")).for_each(|(name, value)| add(name, value));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_a_message_is_its_level() {
        for (text, level) in [
            ("error: no such file", Level::ERROR),
            ("error[unknown-field]: rule `a`", Level::ERROR),
            ("refused: the plan expired", Level::ERROR),
            ("locked: another run is alive", Level::ERROR),
            ("stopped by a signal; nothing was changed", Level::ERROR),
            ("warning: rule `a` has nothing to evaluate", Level::WARN),
            ("note: two files left out", Level::INFO),
            ("waiting: another run", Level::INFO),
        ] {
            assert_eq!(level_of(text), level, "{text}");
        }
    }

    #[test]
    fn a_text_line_is_one_line_whatever_the_data_says() {
        let fields = || Fields(vec![("message", "two\nlines".into()), ("rows", 3.into())]);
        let of_run = Fields(vec![("job", "demo".into()), ("run", "r1".into())]);
        let line = text(Level::WARN, "barkeep::run", &of_run, fields(), false);
        let (_, rest) = line.split_once(' ').unwrap();
        assert_eq!(rest, " WARN job=demo run=r1 message=two\\nlines rows=3");
        assert_eq!(text(Level::WARN, MESSAGE, &of_run, fields(), false), "two\nlines");
    }

    #[test]
    fn a_line_of_json_has_the_fields_of_its_details() {
        let details = r#"{"type":"error","job":"a.toml","code":2,"help":null,"message":"wrong"}"#;
        let fields = Fields(vec![("message", "error: wrong".into()), ("details", details.into())]);
        let line = json(Level::ERROR, MESSAGE, Fields(vec![("file", "a.toml".into())]), fields);
        let mut object: Value = serde_json::from_str(&line).unwrap();
        object["time"] = Value::Null;
        assert_eq!(object.to_string(), r#"{"time":null,"level":"error","file":"a.toml","code":2,"message":"wrong"}"#);
    }
}
