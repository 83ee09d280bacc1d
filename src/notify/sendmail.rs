//! Hands a mail to the `sendmail` of the system.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::http::{Outcome, Patience};
use crate::text::escape::shortened;

const STEP: Duration = Duration::from_millis(10);
/// Bytes of what the program says that are read.
const MOST_SAID: u64 = 4_096;

/// Hands over `mail`, whose headers name who gets it. The program is asked once: it has a queue of its own.
pub fn send(program: &Path, mail: &str, patience: &Patience) -> Outcome {
    let failed = hand_over(program, mail, patience.limit).err();
    Outcome { tries: 1, failed: failed.map(|why| format!("`{}`: {why}", program.display())) }
}

fn hand_over(program: &Path, mail: &str, limit: Duration) -> Result<(), String> {
    let mut command = Command::new(program);
    // Who gets it stands in the headers; a line with one dot is no end.
    command.args(["-t", "-i"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    // A program that reads nothing must not hold us.
    let input = child.stdin.take();
    let mail = mail.to_owned();
    let writing = thread::spawn(move || input.map(|mut input| input.write_all(mail.as_bytes())));
    let said = child.stderr.take();
    let reading = thread::spawn(move || {
        let mut text = String::new();
        // What cannot be read is not said.
        said.map(|said| said.take(MOST_SAID).read_to_string(&mut text).ok());
        text
    });
    let status = wait(&mut child, limit)?;
    // A program that ended has closed both pipes, unless it left others behind: those are not waited for.
    let said = if status.success() { String::new() } else { soon(reading) };
    drop(writing);
    match status.success() {
        true => Ok(()),
        false => Err(format!("it ended with {status}{}", if said.is_empty() { said } else { format!(": {said}") })),
    }
}

/// What was read, where that is there in a moment.
fn soon(reading: thread::JoinHandle<String>) -> String {
    let began = Instant::now();
    while !reading.is_finished() && began.elapsed() < Duration::from_secs(1) {
        thread::sleep(STEP);
    }
    if !reading.is_finished() {
        return String::new();
    }
    shortened(reading.join().unwrap_or_default().trim(), 200)
}

fn wait(child: &mut Child, limit: Duration) -> Result<std::process::ExitStatus, String> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        if began.elapsed() >= limit {
            // Whatever comes of it: it is not waited for any longer than this.
            child.kill().and_then(|()| child.wait()).ok();
            return Err(format!("it did not end within {limit:?}"));
        }
        thread::sleep(STEP);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(dir: &Path, script: &str) -> std::path::PathBuf {
        let path = dir.join("sendmail");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn quick() -> Patience {
        Patience { limit: Duration::from_millis(300), ..Patience::default() }
    }

    #[test]
    fn the_program_gets_the_mail() {
        let dir = tempfile::tempdir().unwrap();
        let got = dir.path().join("got");
        let program = program(dir.path(), &format!("echo \"$@\" > {0}; cat >> {0}", got.display()));
        let patience = Patience { limit: Duration::from_secs(20), ..Patience::default() };
        assert_eq!(send(&program, "To: x\n\nhello\n", &patience), Outcome { tries: 1, failed: None });
        assert_eq!(fs::read_to_string(got).unwrap(), "-t -i\nTo: x\n\nhello\n");
    }

    #[test]
    fn a_program_that_fails_hangs_or_is_not_there_is_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let failed = |path: &Path| send(path, &"x".repeat(1 << 20), &quick()).failed.unwrap();
        let patience = Patience { limit: Duration::from_secs(20), ..Patience::default() };
        let full = send(&program(dir.path(), "echo queue full >&2; exit 75"), "", &patience).failed.unwrap();
        assert!(full.ends_with("it ended with exit status: 75: queue full"), "{full}");
        let hang = failed(&program(dir.path(), "exec sleep 60"));
        assert!(hang.contains("did not end within 300ms"), "{hang}");
        let gone = failed(&dir.path().join("nowhere"));
        assert!(gone.contains("nowhere`: No such file"), "{gone}");
    }
}
