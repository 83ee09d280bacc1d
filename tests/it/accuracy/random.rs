//! Numbers that nobody chose, the same on every machine: `ChaCha20`, seeded by a text.

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use sha2::{Digest, Sha256};

/// A generator of its own for each kind of fault and each file, so that a new kind changes no other one.
pub(super) struct Random(TestRng);

impl Random {
    /// The generator of `seed`, any text.
    pub(super) fn of(seed: &str) -> Self {
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &Sha256::digest(seed)))
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).unwrap()
    }

    /// 1 or -1.
    pub(super) fn sign(&mut self) -> f64 {
        if self.below(2) == 0 { 1.0 } else { -1.0 }
    }
}
