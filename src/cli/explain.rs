//! `barkeep explain`: one bar with its neighbours, and what every rule says of it.

mod answers;
mod chart;
mod json;
mod look;
mod page;
mod table;

use self::look::Look;
use super::args::{ExplainArgs, Global};
use super::colour::is_utf8;
use super::events;
use super::output::{self, Output};
use crate::run::explain::ExplainOptions;
use crate::run::shell::{typed, typed_word};
use crate::run::{Exit, Failure, Job, Stop};
use crate::schema::moment::Moment;
use crate::text::utc::UtcMicros;

/// With fewer columns nothing is readable.
const NARROWEST: usize = 40;

/// Shows the bar.
pub(crate) async fn explain(global: &Global, args: &ExplainArgs, output: &mut Output) -> Result<Exit, Failure> {
    let moment = |flag: &str, text: &str| {
        let example = format!("e.g. `{flag} 2026-10-28` or `{flag} 2026-10-28T14:30:00Z`");
        Moment::parse(text).map_err(|problem| Failure::Usage(format!("{flag}: {problem}"), example))
    };
    let options = ExplainOptions {
        series: args.series.clone(),
        at: moment("--at", &args.at)?,
        as_of: args.as_of.as_deref().map(|text| moment("--as-of", text)).transpose()?,
        alone: args.alone,
    };
    let context = events::context(global, Stop::never());
    let explanation = Job::open(&context, &args.job)?.explain(&options).await?;
    if output.is_json() {
        output.line(&json::object(&explanation).to_string())?;
        return Ok(Exit::Ok);
    }
    let drawn = output.terminal() && is_utf8();
    let look = Look { width: output::width().max(NARROWEST), drawn, colour: output.colour() };
    for line in page::text(&explanation, look) {
        output.line(line.trim_end())?;
    }
    let flagged = explanation.rules.iter().flat_map(|rule| &rule.findings).next();
    if let Some(finding) = flagged {
        output.line(&format!("next: barkeep label {} {} fine --why \"…\"", typed(&args.job), finding.id))?;
    } else if let [Some(before), _] = explanation.nearest()
        && explanation.rows().next().is_none()
    {
        let at = UtcMicros(before).to_string();
        let at = if explanation.is_daily() { UtcMicros(before).date() } else { at };
        let series = typed_word(explanation.series.as_ref());
        output.line(&format!("next: barkeep explain {} --series {series} --at {at}", typed(&args.job)))?;
    }
    Ok(Exit::Ok)
}
