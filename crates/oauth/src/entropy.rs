//! Randomness is an argument.
//!
//! Production draws from the operating system (`portcullis_fetch::system::SystemEntropy`), a test
//! from [`SeededEntropy`], which repeats itself.

use std::fmt;
use std::sync::Arc;

/// A source of random bytes fit for keys, tokens and nonces.
///
/// The tests of `portcullis-fetch` show that the system's source never repeats a draw; nothing
/// here can show that a source is unpredictable.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills `out` with fresh random bytes.
    ///
    /// # Errors
    /// [`EntropyError`] when the source gives nothing. What needed the bytes must then fail.
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError>;
}

/// A source that is handed around.
pub type SharedEntropy = Arc<dyn Entropy>;

/// The source of randomness gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed")]
#[non_exhaustive]
pub struct EntropyError;

impl EntropyError {
    /// What an implementation answers when its source fails.
    pub const fn new() -> Self {
        Self
    }
}

impl Default for EntropyError {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that look random and are the same for the same seed, in the order in which they are
/// drawn. For tests alone.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct SeededEntropy(std::sync::Mutex<u64>);

#[cfg(any(test, feature = "testing"))]
impl SeededEntropy {
    /// A source that starts at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(std::sync::Mutex::new(seed))
    }
}

#[cfg(any(test, feature = "testing"))]
impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        let mut state = self.0.lock().map_err(|_| EntropyError)?;
        for chunk in out.chunks_mut(8) {
            // SplitMix64: a sequence for tests, and no source of secrets.
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            for (byte, value) in chunk.iter_mut().zip(z.to_le_bytes()) {
                *byte = value;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_its_draws_differ() {
        let (a, b) = (SeededEntropy::new(7), SeededEntropy::new(7));
        let mut draws = [[0_u8; 13]; 3];
        a.fill(&mut draws[0]).unwrap();
        a.fill(&mut draws[1]).unwrap();
        b.fill(&mut draws[2]).unwrap();
        assert_eq!(draws[0], draws[2]);
        assert_ne!(draws[0], draws[1]);
    }
}
