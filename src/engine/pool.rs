//! Where a run takes its memory from while nobody limits it.
//!
//! A sort of all rows that is held in memory is no faster than one that spills: measured, it is slower, and takes gigabytes
//! that the page cache would use better. So sorts spill beyond an amount that grows with the threads, and what cannot spill
//! (a series, findings, keys) takes what it needs.

use std::fmt;

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation, UnboundedMemoryPool,
};

/// What the sorts of one thread hold before they spill, in bytes.
const OF_A_THREAD: usize = 192 << 20;

/// Bounds what can spill, and nothing else.
#[derive(Debug)]
pub(super) struct SortsSpill {
    sorts: FairSpillPool,
    rest: UnboundedMemoryPool,
}

impl SortsSpill {
    /// The pool of a run on so many threads.
    pub(super) fn new(threads: usize) -> Self {
        let rest = UnboundedMemoryPool::default();
        Self { sorts: FairSpillPool::new(OF_A_THREAD.saturating_mul(threads.max(1))), rest }
    }

    fn of(&self, consumer: &MemoryConsumer) -> &dyn MemoryPool {
        if consumer.can_spill() { &self.sorts } else { &self.rest }
    }
}

impl fmt::Display for SortsSpill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for what can spill", self.sorts)
    }
}

impl MemoryPool for SortsSpill {
    fn name(&self) -> &'static str {
        "sorts_spill"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.of(consumer).register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.of(consumer).unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.of(reservation.consumer()).grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.of(reservation.consumer()).shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.of(reservation.consumer()).try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.sorts.reserved() + self.rest.reserved()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_can_spill_is_bounded_and_a_series_is_not() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SortsSpill::new(2));
        let sort = MemoryConsumer::new("sort").with_can_spill(true).register(&pool);
        let series = MemoryConsumer::new("series").register(&pool);
        series.try_grow(8 * OF_A_THREAD).unwrap();
        sort.try_grow(2 * OF_A_THREAD).unwrap();
        sort.try_grow(1).unwrap_err();
        assert_eq!(pool.reserved(), 10 * OF_A_THREAD);
        series.free();
        sort.try_grow(1).unwrap_err();
        sort.free();
        assert_eq!(pool.reserved(), 0);
    }
}
