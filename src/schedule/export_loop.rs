//! What keeps `schedule start` alive: a service of systemd, a `Deployment` of Kubernetes.

use std::path::{Path, PathBuf};

use super::export::{Exported, quoted, systemd_word};

/// The name of both.
const NAME: &str = "barkeep-schedule";
/// How long runs may take to stop, in seconds, before they are killed.
const TO_STOP: u32 = 300;

/// The service of systemd that starts `jobs` by the loop of `program`.
///
/// # Errors
/// A sentence: a path is not UTF-8.
pub fn systemd_loop(program: &Path, jobs: &[PathBuf]) -> Result<Exported, String> {
    let jobs = jobs.iter().map(|job| systemd_word(job)).collect::<Result<Vec<_>, _>>()?;
    let words = [vec![systemd_word(program)?, "schedule".to_owned(), "start".to_owned()], jobs].concat().join(" ");
    let text = format!(
        "[Unit]\nDescription=barkeep, which starts jobs when they are due\nWants=network-online.target\n\
         After=network-online.target\n\n[Service]\nType=exec\nExecStart={words}\n\
         # The loop passes a stop on to its runs, once: a second signal would end them at once.\nKillMode=mixed\n\
         TimeoutStopSec={TO_STOP}\nSuccessExitStatus=130 143\nRestart=on-failure\nRestartSec=30\n\n\
         [Install]\nWantedBy=multi-user.target\n"
    );
    Ok(Exported { name: format!("{NAME}.service"), text })
}

/// The `Deployment` of Kubernetes that runs `image` and starts `jobs`, whose paths are those in the container.
///
/// # Errors
/// As [`systemd_loop`].
pub fn kubernetes_loop(program: &Path, jobs: &[PathBuf], image: &str) -> Result<Exported, String> {
    let path = |path: &Path| {
        let text = path.to_str().ok_or_else(|| format!("`{}` is not UTF-8, as YAML is", path.display()))?;
        Ok::<_, String>(quoted(text))
    };
    let jobs = jobs.iter().map(|job| path(job)).collect::<Result<Vec<_>, _>>()?;
    let command = [vec![path(program)?, quoted("schedule"), quoted("start")], jobs].concat().join(", ");
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 1\n  \
         # Never two loops at a time: each would start every job.\n  strategy:\n    type: Recreate\n  \
         selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    \
         spec:\n      # How long runs may take to stop.\n      terminationGracePeriodSeconds: {TO_STOP}\n      \
         securityContext:\n        runAsNonRoot: true\n      containers:\n        - name: barkeep\n          \
         image: {image}\n          command: [{command}]\n          securityContext:\n            \
         readOnlyRootFilesystem: true\n            allowPrivilegeEscalation: false\n          \
         # Mount the folders of the jobs, rules, bars, reports, state and quarantine; the last three must last.\n          \
         volumeMounts:\n            - name: tmp\n              mountPath: /tmp\n      volumes:\n        - name: tmp\n          \
         emptyDir: {{}}\n",
        name = quoted(NAME),
        image = quoted(image),
    );
    Ok(Exported { name: format!("{NAME}.yaml"), text })
}
