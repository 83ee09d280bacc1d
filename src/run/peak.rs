//! Most memory that one run held, of a process that may make several one after the other.

use std::fs;

/// Looks at the memory of a run from its beginning on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peak {
    known: bool,
}

impl Peak {
    /// Nothing is known of the run.
    pub(crate) const UNKNOWN: Self = Self { known: false };

    /// Begins with a run: what the process held before does not count.
    pub(crate) fn begin() -> Self {
        // Linux forgets the most that was held so far. Where it cannot, a run cannot be distinguished from those before it.
        Self { known: fs::write("/proc/self/clear_refs", "5").is_ok() }
    }

    /// The most that the process held since, in bytes; `None` where that is not known.
    pub(crate) fn bytes(self) -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok().filter(|_| self.known)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_an_earlier_run_held_is_not_of_the_next() {
        let first = Peak { known: true };
        let held = vec![1_u8; 256 << 20];
        assert!(held.iter().step_by(4096).all(|byte| *byte == 1));
        // While it is held: other tests of this process begin runs too.
        let before = first.bytes().unwrap();
        drop(held);
        assert!(before > 256 * MIB, "{before}");
        match Peak::begin().bytes() {
            Some(after) => assert!(after + 128 * MIB < before, "{after} of {before}"),
            None => assert!(fs::write("/proc/self/clear_refs", "5").is_err()),
        }
    }

    #[test]
    fn what_cannot_be_distinguished_from_earlier_runs_is_not_known() {
        assert_eq!(Peak::UNKNOWN.bytes(), None);
    }
}
