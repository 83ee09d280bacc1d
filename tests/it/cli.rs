//! The command line from the outside: every command, exit code and form of output, through the program itself.

mod after_moving;
mod backfill;
mod commands;
mod disk_full;
mod extract;
mod history;
mod kills;
mod labels;
mod late;
mod leftovers;
mod locks;
mod logs;
mod new_errors;
mod notify;
mod output;
mod overview;
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
