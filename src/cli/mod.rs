//! The command line: one file a command, and the only place that prints.

mod apply;
mod args;
mod backfill;
mod backtest;
mod check;
mod colour;
mod demo;
mod diff;
mod doctor;
mod events;
mod extract;
mod failure_json;
mod init;
mod label;
mod log;
mod memory;
mod output;
mod overview;
mod page;
mod path;
mod preview;
mod progress;
mod prune;
mod quarantine;
mod report;
mod rules;
mod schedule;
#[cfg(feature = "serve")]
mod serve;
mod show;
mod signals;
mod size;
mod sql;
mod start;
mod suggest;
mod window;

use std::process::ExitCode;
use std::time::Duration;

use clap::{ColorChoice, CommandFactory, FromArgMatches};

use args::{Cli, Command, Global, LogFormat, ReportArgs, ReportCommand, RulesCommand, ScheduleCommand};
use log::message;
use output::{Format, Output};
use signals::stoppable;

use crate::engine::session::Limits;
use crate::run::{Exit, ExtractOptions, Failure};

/// How long work that is under way after a signal may take to end.
const PARTING: Duration = Duration::from_secs(1);

/// Worker stacks: planning deep expressions recurses.
const STACK: usize = 16 << 20;

/// Runs the command the process was called with.
pub fn main() -> ExitCode {
    // Left to itself the parser colours its help in every CI, whatever the terminal can do.
    let colour = if colour::colour_wanted() { ColorChoice::Auto } else { ColorChoice::Never };
    let parsed = Cli::command().color(colour).try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    log::install(cli.global.verbose, cli.global.log_format);
    let _call = log::call().entered();
    let mut output = Output::new(cli.global.format);
    let exit = match dispatch(cli, &mut output) {
        Ok(exit) => Ok(exit),
        Err(failure) => output.failure(&failure, None).map(|()| failure.exit()),
    };
    match exit.and_then(|exit| output.exit(exit).map(|()| exit)) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            message(&format!("error: {error}"));
            ExitCode::from(Exit::Broken.code())
        }
    }
}

/// Help and version go to stdout with 0, wrong flags to stderr with 2, and to stdout too where JSON is asked for.
fn unparsed(error: &clap::Error) -> ExitCode {
    let failure = Failure::Usage(error.to_string().trim_end().to_owned(), String::new());
    let object = failure_json::json(&failure, None);
    if error.use_stderr() && asked_for("--log-format", &["json"]) {
        log::install(0, LogFormat::Json);
        log::failure("", &object);
    } else {
        // A closed pipe is no mistake.
        drop(error.print());
    }
    if error.use_stderr() && asked_for("--format", &["json", "ndjson"]) {
        let mut output = Output::new(Format::Json);
        drop(output.line(&object.to_string()).and_then(|()| output.exit(Exit::Usage)));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Whether `flag` is given one of `values`, where the flags as a whole are wrong.
fn asked_for(flag: &str, values: &[&str]) -> bool {
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let is_one = |value: &str| values.contains(&value);
    let joined =
        |argument: &String| argument.strip_prefix(flag).and_then(|rest| rest.strip_prefix('=')).is_some_and(is_one);
    arguments.iter().any(joined) || arguments.windows(2).any(|pair| pair[0] == flag && is_one(&pair[1]))
}

fn dispatch(cli: Cli, output: &mut Output) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    if let Some(dir) = global.temp_dir.as_ref().filter(|dir| !dir.is_dir()) {
        let message = format!("`{}` is not a folder for temporary files", dir.display());
        return Err(Failure::Usage(message, "make it, or name another one with `--temp-dir`".to_owned()));
    }
    memory::check(global.memory_limit)?;
    match command {
        Command::Completions { shell } => completions(shell, output),
        Command::Man { dir } => man(&dir, output),
        Command::Init(args) if args.from.is_empty() => init::init(&args, output),
        Command::Init(args) => wait(&global, stoppable(init::from_files(&global, &args, output))),
        Command::Preview { job } => wait(&global, stoppable(preview::preview(&global, &job, output))),
        Command::Rules(RulesCommand::Schema { of }) => rules::schema(of, output),
        Command::Rules(RulesCommand::Explain { check }) => rules::explain(&check, output),
        Command::Rules(RulesCommand::List { files }) => rules::list(&global, &files, output),
        Command::Rules(RulesCommand::Lint { files }) => rules::lint(&global, &files, output),
        Command::Rules(RulesCommand::Suggest(args)) => {
            wait(&global, stoppable(suggest::suggest(&global, &args, output)))
        }
        Command::Rules(RulesCommand::Test { files }) => wait(&global, stoppable(rules::test(&global, &files, output))),
        Command::Rules(RulesCommand::Backtest(args)) => {
            wait(&global, stoppable(backtest::backtest(&global, &args, output)))
        }
        Command::Rules(RulesCommand::Diff(args)) => wait(&global, stoppable(diff::diff(&global, &args, output))),
        Command::Report(ReportArgs { reports, command }) => match command {
            None => overview::show(&reports.dir, output),
            Some(ReportCommand::List { reports, limit }) => {
                wait(&global, stoppable(report::list(&global, &reports.dir, limit, output)))
            }
            Some(ReportCommand::Show { run, reports, which }) => {
                wait(&global, stoppable(report::show(&global, &reports.dir, &run, &which, output)))
            }
            Some(ReportCommand::Html { page, output: target }) => page::html(&page, target.as_deref(), output),
            Some(ReportCommand::Open { page }) => page::open(&page, output),
            Some(ReportCommand::Prune(args)) => prune::prune(&args, output),
        },
        Command::Schedule(ScheduleCommand::List { jobs }) => schedule::list(&global, &jobs, output),
        Command::Schedule(ScheduleCommand::Next { job, count, from }) => {
            schedule::next(&global, &job, usize::from(count), from.as_deref(), output)
        }
        Command::Schedule(ScheduleCommand::Export { jobs, target, of_loop, output: dir, program, image }) => {
            let export = schedule::Export { target, of_loop, dir, program, image };
            schedule::export(&global, &jobs, &export, output)
        }
        Command::Schedule(ScheduleCommand::Start(args)) => wait_idle(start::start(&global, &args, output)),
        Command::Sql(args) => wait(&global, stoppable(sql::sql(&global, &args, output))),
        #[cfg(feature = "serve")]
        Command::Serve(args) => wait(&global, serve::serve(&global, &args, output)),
        Command::Check(args) => wait(&global, check::check(&global, &args, output)),
        Command::Plan(args) => wait(&global, check::plan(&global, &args, output)),
        Command::Apply(args) => wait(&global, apply::apply(&global, &args, output)),
        Command::Extract { job, output: dir, clean } => {
            wait(&global, extract::extract(&global, &job, &ExtractOptions { dir, clean }, output))
        }
        Command::Doctor { jobs } => wait(&global, stoppable(doctor::doctor(&global, &jobs, output))),
        Command::Label(args) => label::label(&global, &args, output),
        Command::Quarantine(args) => wait(&global, quarantine::run(&global, args, output)),
        Command::Backfill(args) => wait(&global, backfill::backfill(&global, &args, output)),
        Command::Run(args) => wait(&global, check::run(&global, &args, output)),
    }
}

fn wait<T>(global: &Global, command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let threads = global.threads.map_or_else(|| Limits::default().threads, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(2))
        .thread_stack_size(STACK)
        .enable_all()
        .build()?;
    let result = runtime.block_on(command);
    // After a signal, work may still be under way on other threads. It gets a moment to take its files away; the
    // process ends without the rest.
    runtime.shutdown_timeout(PARTING);
    result
}

/// [`wait`] for a command that sleeps nearly all the time: one thread is enough.
fn wait_idle<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

fn completions(shell: clap_complete::Shell, output: &mut Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "barkeep", &mut script);
    let script = String::from_utf8_lossy(&script);
    if output.is_json() {
        let object = serde_json::json!({ "type": "completions", "shell": shell.to_string(), "script": script });
        output.line(&object.to_string())?;
    } else {
        output.line(script.trim_end())?;
    }
    Ok(Exit::Ok)
}

fn man(dir: &std::path::Path, output: &mut Output) -> Result<Exit, Failure> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Cli::command(), dir)?;
    output.line(&format!("man pages are in {}", dir.display()))?;
    Ok(Exit::Ok)
}
