//! Runs a job from a program and acts on what it found: `cargo run --example embed -- jobs/demo.toml`.
//!
//! Nothing leaves the source: a check only reports. `Job::plan` writes down which rows would leave, and `Plan::apply`
//! carries that out.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it found")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use barkeep::engine::session::{Limits, session};
use barkeep::report::store;
use barkeep::{CheckOptions, Context, Event, Exit, Job};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let job = std::env::args().nth(1).ok_or("name a job file, e.g. jobs/demo.toml")?;
    let context = Context {
        threads: Some(2),
        memory: Some(1 << 30),
        events: Arc::new(|event| match event {
            Event::Began(job, stage, _) => eprintln!("{job}: {}", stage.as_str()),
            Event::Note(text) => eprintln!("note: {text}"),
            Event::Rows(_) | Event::Ended => {}
        }),
        ..Context::default()
    };
    let job = Job::open(&context, job)?;
    let result = job.check(CheckOptions::default()).await?;
    let rows = &result.summary.rows;
    println!("{} rows read, {} clean", rows.read, rows.clean);
    // Nothing that is not clean reaches the model.
    if result.exit == Exit::Findings {
        print_findings(job.report_dir(), &result.summary.run_id).await?;
    }
    result.failure.map_or(Ok(()), |failure| Err(failure.into()))
}

/// Prints the errors of a run: rule, series and place, from the report tables that every run writes.
async fn print_findings(reports: &Path, run: &str) -> Result<(), Box<dyn Error>> {
    let session = session(&Limits::default())?;
    store::register(&session, reports)?;
    let query = format!(
        "SELECT rule_id, series, locator FROM findings WHERE run_id = '{run}' AND severity = 'error' ORDER BY locator LIMIT 10"
    );
    for batch in session.sql(&query).await?.collect().await? {
        let texts = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells: Vec<&str> = texts.iter().map(|column| column.as_string::<i32>().value(row)).collect();
            println!("{}", cells.join("  "));
        }
    }
    Ok(())
}
