//! The command line: one file a command, and the only place that prints.

mod args;
mod check;
mod demo;
mod exit;
mod init;
mod job;
mod output;
mod progress;
mod report;
mod rule_cases;
mod rules;
mod size;
mod sql;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;

use args::{Cli, Command, Global, LogFormat, ReportCommand, RulesCommand};
use exit::{Exit, Failure};
use output::{Output, message};

/// Worker stacks: planning deep expressions recurses.
const STACK: usize = 16 << 20;

/// Runs the command the process was called with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout with 0, mistakes to stderr with 2; a closed pipe is no mistake.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    log_to_stderr(&cli.global);
    let mut output = Output::new(cli.global.format);
    let exit = match dispatch(cli, &mut output) {
        Ok(exit) => exit,
        Err(failure) => {
            message(&failure.render(output::colour_on_stderr()));
            failure.exit()
        }
    };
    match finish(&mut output, exit) {
        Ok(()) => ExitCode::from(exit.code()),
        Err(error) => {
            message(&format!("error: cannot write the result: {error}"));
            ExitCode::from(Exit::Broken.code())
        }
    }
}

/// JSON output ends with the exit object.
fn finish(output: &mut Output, exit: Exit) -> io::Result<()> {
    if output.is_json() {
        output.line(&serde_json::json!({ "type": "exit", "code": exit.code(), "name": exit.name() }).to_string())?;
    }
    Ok(())
}

fn dispatch(cli: Cli, output: &mut Output) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Completions { shell } => completions(shell, output),
        Command::Init(args) => init::init(&args, output),
        Command::Rules(RulesCommand::Schema { of }) => rules::schema(of, output),
        Command::Rules(RulesCommand::Explain { check }) => rules::explain(&check, output),
        Command::Rules(RulesCommand::List { files }) => rules::list(&files, output),
        Command::Rules(RulesCommand::Lint { files }) => wait(&global, rules::lint(&files, output)),
        Command::Rules(RulesCommand::Test { files }) => wait(&global, rules::test(&global, &files, output)),
        Command::Report(ReportCommand::List { reports, limit }) => {
            wait(&global, report::list(&global, &reports.dir, limit, output))
        }
        Command::Report(ReportCommand::Show { run, reports, findings }) => {
            wait(&global, report::show(&global, &reports.dir, &run, findings, output))
        }
        Command::Sql(args) => wait(&global, sql::sql(&global, &args, output)),
        Command::Check(args) => wait(&global, check::check(&global, &args, output)),
        Command::Run(args) => wait(&global, check::run(&global, &args, output)),
    }
}

fn wait<T>(global: &Global, command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let threads = global.threads.map_or_else(|| job::engine_limits(global).threads, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(2))
        .thread_stack_size(STACK)
        .enable_all()
        .build()?;
    let result = runtime.block_on(command);
    // Work on blocking threads may still be under way after a signal; the process ends without it.
    runtime.shutdown_background();
    result
}

fn completions(shell: clap_complete::Shell, output: &mut Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "barkeep", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Ok)
}

fn log_to_stderr(global: &Global) {
    let level = match global.verbose {
        0 => "warn",
        1 => "barkeep=info,warn",
        _ => "barkeep=debug,info",
    };
    let filter = EnvFilter::try_from_env("BARKEEP_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match global.log_format {
        LogFormat::Text => builder.with_ansi(output::colour_on_stderr()).init(),
        LogFormat::Json => builder.json().init(),
    }
}
