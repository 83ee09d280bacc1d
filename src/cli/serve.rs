//! `barkeep serve`: reports in a browser on this machine.

use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;

use super::args::{Global, ServeArgs};
use super::events::context;
use super::log::message;
use super::output::Output;
use super::signals;
use crate::run::{Exit, Failure, Job, Stop};
use crate::serve::{ServeOptions, Server};

/// How often clients are asked whether they are there.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Serves until a signal comes.
pub(crate) async fn serve(global: &Global, args: &ServeArgs, output: &mut Output) -> Result<Exit, Failure> {
    let context = context(global, Stop::never());
    let jobs = args.jobs.iter().map(|path| Job::open(&context, path)).collect::<Result<Vec<_>, _>>()?;
    let options = ServeOptions {
        dir: args.reports.dir.clone(),
        jobs,
        allow_actions: args.allow_actions,
        port: args.port,
        heartbeat: HEARTBEAT,
    };
    let stop = signals::listen()?;
    let port = args.port;
    let server = Server::bind(&context, options).await.map_err(|error| {
        let problem = format!("cannot listen on port {port} of this machine: {error}");
        Failure::Usage(problem, "name another one with `--port`, or none".to_owned())
    })?;
    let url = server.url();
    if output.is_json() {
        output.line(&json!({ "type": "serve", "url": url }).to_string())?;
    } else {
        output.line(&url)?;
        message("open this address; who knows it sees the reports. Ctrl-C ends it");
    }
    let (ending, ended) = oneshot::channel();
    let stopped = async move {
        // Nobody waits for it where the port was lost.
        ending.send(stop.wait().await).ok();
    };
    server.run(stopped).await?;
    Ok(ended.await.map_or(Exit::Ok, Exit::Signal))
}
