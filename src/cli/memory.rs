//! How much memory there is: a limit above it would let a run swap, or be killed, instead of ending with an error.

use std::fs;

use crate::run::Failure;

/// Fails where `limit` bytes are more than this process can have.
///
/// # Errors
/// A wrong flag, with both sizes.
pub(super) fn check(limit: Option<usize>) -> Result<(), Failure> {
    let (Some(limit), Some(most)) = (limit, most()) else { return Ok(()) };
    if limit as u64 <= most {
        return Ok(());
    }
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
    Err(Failure::Usage(
        format!("`--memory-limit` is {}, and this process can have {} at most", gib(limit as u64), gib(most)),
        "name less than that: a run that needs more is to end with an error, not to swap or to be killed".to_owned(),
    ))
}

/// The memory of the machine, or of the group of processes that this one is in; `None` where the system does not say.
fn most() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    // Within a container its own group is the root.
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = group.iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    machine.into_iter().chain(group).min()
}

/// `MemTotal` of the text of `/proc/meminfo`, in bytes.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read() {
        assert_eq!(total("MemTotal:       24689012 kB\nMemFree:  1 kB\n"), Some(24_689_012 * 1024));
        assert_eq!(total("MemFree:  1 kB\n"), None);
    }

    #[test]
    fn no_process_can_have_a_petabyte() {
        assert!(check(None).is_ok() && check(Some(1_000_000)).is_ok());
        if most().is_some() {
            let text = check(Some(1_000_000_000_000_000)).unwrap_err().render(false);
            assert!(text.contains("`--memory-limit` is 931322.6 GiB") && text.contains("not to swap"), "{text}");
        }
    }
}
