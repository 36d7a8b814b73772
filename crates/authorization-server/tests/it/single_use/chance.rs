//! What is left to chance.

use portcullis_oauth::Entropy as _;
use portcullis_testkit::SeededEntropy;

/// Numbers that nobody chose, and that are the same in each run.
pub(super) struct Chance(SeededEntropy);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    pub(super) fn below(&self, bound: u32) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes).unwrap();
        u32::from_le_bytes(bytes) % bound
    }
}
