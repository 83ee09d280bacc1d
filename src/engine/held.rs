//! What a run holds in memory besides the series that it evaluates: it counts against the memory limit.

use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::prelude::SessionContext;

use super::EngineError;

/// Memory that is set aside as long as this lives.
#[derive(Debug)]
pub struct Held {
    memory: MemoryReservation,
    what: &'static str,
    instead: &'static str,
}

impl Held {
    /// None yet. `what` is held, in the words of the error where it does not fit, which names what to do `instead`.
    pub fn new(session: &SessionContext, what: &'static str, instead: &'static str) -> Self {
        let memory = MemoryConsumer::new(what).register(&session.runtime_env().memory_pool);
        Self { memory, what, instead }
    }

    /// Sets aside `bytes` in all.
    ///
    /// # Errors
    /// They do not fit into the memory limit.
    pub fn resize(&mut self, bytes: usize) -> Result<(), EngineError> {
        self.memory.try_resize(bytes).map_err(|_| {
            let Self { what, instead, .. } = self;
            let message = format!(
                "{what} does not fit into the memory limit at {} MB: raise --memory-limit, or {instead}",
                bytes >> 20
            );
            EngineError::Query {
                doing: "cannot hold what rules compare with",
                source: DataFusionError::ResourcesExhausted(message),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::session::{Limits, session};

    #[test]
    fn what_does_not_fit_says_what_to_do() {
        let limited = session(&Limits { threads: 1, memory: Some(8 << 20), temp: None }).unwrap();
        let mut held = Held::new(&limited, "what other series show", "leave the rule out");
        held.resize(5 << 20).unwrap();
        let EngineError::Query { source, .. } = held.resize(9 << 20).unwrap_err() else { panic!("another error") };
        let expected = "what other series show does not fit into the memory limit at 9 MB: raise --memory-limit, or leave the rule out";
        assert!(source.to_string().contains(expected), "{source}");
        held.resize(7 << 20).unwrap();
        drop(held);
        assert_eq!(limited.runtime_env().memory_pool.reserved(), 0);
    }
}
