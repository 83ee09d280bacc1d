//! Who this process is: on which machine, of which user.

use std::fs;

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

/// What tells this process from every other one of this machine, for people and for recognition: the start of the
/// machine, the PID namespace, the process and its start.
pub fn identity() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program stands in brackets and may hold anything.
    let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)).unwrap_or_default();
    format!("boot={} ns={} pid={} started={started}", boot.trim(), namespace.display(), std::process::id())
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
    fn this_process_is_reported_from_others() {
        let identity = identity();
        assert!(identity.contains(&format!(" pid={} started=", std::process::id())), "{identity}");
        let started = identity.rsplit('=').next().unwrap();
        assert!(started.parse::<u64>().unwrap() > 0, "{identity}");
    }
}
