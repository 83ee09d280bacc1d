//! The command line from the outside: every command, exit code and form of output, through the program itself.

mod backfill;
mod commands;
mod disk_full;
mod extract;
mod kills;
mod labels;
mod late;
mod leftovers;
mod locks;
mod new_errors;
mod notify;
mod output;
mod reports;
mod retention;
mod runs;
mod schedule;
mod scheduler;
mod settings;
mod signals;
mod suggest;
mod trials;
mod tuning;
