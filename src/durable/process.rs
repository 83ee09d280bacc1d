//! Who this process is: on which machine, of which user.

use std::{fmt, fs};

/// The name of the machine.
pub fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// The login name of the user whose process this is, or the user's number where the machine knows no name: what the
/// environment says of it anybody can change.
pub fn user() -> String {
    let number = rustix::process::getuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    login(&users, number).unwrap_or_else(|| number.to_string())
}

fn login(users: &str, number: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, its) = (fields.next()?, fields.nth(1)?);
        (!name.is_empty() && its.parse() == Ok(number)).then(|| name.to_owned())
    })
}

/// A process of a machine that was started at some time: its number may be another's later, and in another container
/// it is another's now.
#[derive(Debug, PartialEq, Eq)]
pub struct Process {
    boot: String,
    /// Its PID namespace; `None` where that is not known, as in what earlier versions wrote.
    namespace: Option<String>,
    pid: u32,
    started: String,
}

impl Process {
    /// This one.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self { boot: boot(), namespace: namespace(), pid, started: started(pid).unwrap_or_default() }
    }

    /// The process that a text names, among other words.
    pub fn of(text: &str) -> Option<Self> {
        let field = |name: &str| text.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            boot: field("boot")?.to_owned(),
            namespace: field("ns").filter(|namespace| !namespace.is_empty()).map(str::to_owned),
            pid: field("pid")?.parse().ok()?,
            started: field("started")?.to_owned(),
        })
    }

    /// Whether the process is one of this machine since it was started, and of what this process can see of it, and is
    /// gone. Of another container nothing is known: its processes have numbers of their own.
    pub fn is_dead(&self) -> bool {
        let seen_from_here =
            !self.boot.is_empty() && self.boot == boot() && self.namespace.is_some() && self.namespace == namespace();
        seen_from_here && started(self.pid).unwrap_or_default() != self.started
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        write!(f, "boot={} ns={namespace} pid={} started={}", self.boot, self.pid, self.started)
    }
}

/// The PID namespace of this process, where `/proc` shows all processes of that namespace; `None` where it does not.
fn namespace() -> Option<String> {
    let link = |path: &str| fs::read_link(path).ok().map(|link| link.to_string_lossy().into_owned());
    // The `/proc` of another namespace has other numbers, and one mounted with `hidepid` keeps processes back.
    let ours = link("/proc/self")? == std::process::id().to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let of_proc = |line: &&str| line.split(' ').nth(4) == Some("/proc");
    let hides = mounts.lines().filter(of_proc).any(|line| line.contains("hidepid=") && !line.contains("hidepid=0"));
    (ours && !hides).then(|| link("/proc/self/ns/pid"))?
}

/// What tells this start of this machine from all others; empty where the system does not tell.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// When a process was started, in ticks since the machine was; a dead one that nobody waited for counts as gone.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in brackets and may hold anything.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nodd\n:x:5:5::/:\nalice:x:1000:1000:Alice,,,:/home/alice:/bin/sh\n";
        assert_eq!(login(users, 0).as_deref(), Some("root"));
        assert_eq!(login(users, 1000).as_deref(), Some("alice"));
        assert_eq!((login(users, 5), login(users, 100)), (None, None));
        assert!(!user().is_empty() && !host().is_empty());
    }

    #[test]
    fn this_process_is_alive_and_one_that_ended_is_dead() {
        let this = Process::this();
        assert!(!this.is_dead() && !this.started.is_empty());
        let text = format!("20261120T023000Z-k7f3 {this}");
        assert_eq!(Process::of(&text), Some(this));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let started = started(child.id()).unwrap_or("1".into());
        let ended = Process { boot: boot(), namespace: namespace(), pid: child.id(), started: started.clone() };
        child.wait().unwrap();
        assert!(ended.is_dead());
        for namespace in [None, Some("pid:[1]".to_owned())] {
            let elsewhere = Process { boot: boot(), namespace, pid: child.id(), started: started.clone() };
            assert!(!elsewhere.is_dead(), "a process of another container, or of an earlier version: {elsewhere:?}");
        }
    }

    #[test]
    fn a_process_of_another_machine_is_not_known_to_be_dead() {
        let elsewhere = Process { boot: "another".into(), namespace: namespace(), pid: 4_000_000, started: "1".into() };
        assert!(!elsewhere.is_dead());
        let before = Process::of("20261120T023000Z-k7f3 boot=another pid=1 started=5").unwrap();
        assert_eq!((before.namespace, before.pid), (None, 1), "as an earlier version wrote it");
        assert_eq!(Process::of("somebody"), None);
    }
}
