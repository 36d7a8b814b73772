//! Code challenges that codes were redeemed with.
//!
//! A client draws a verifier for each request. One that uses the same for all is told of: whoever saw
//! its verifier once can redeem each code of it that leaks. It is not refused, for its users would be
//! no safer without it. What is known is bounded and in memory, which is enough to notice a client
//! that does it every time.

use portcullis_oauth::crypto::Sha256;
use portcullis_oauth::{ClientId, CodeChallenge};
use quick_cache::sync::Cache;

/// How many challenges are remembered.
const MOST: usize = 16_384;

/// The challenges of late.
#[derive(Debug)]
pub(super) struct Challenges(Cache<[u8; 32], ()>);

impl Challenges {
    pub(super) fn new() -> Self {
        Self(Cache::new(MOST))
    }

    /// Remembers a challenge. Whether that client redeemed another code with it.
    pub(super) fn is_reused(&self, client: &ClientId, challenge: &CodeChallenge) -> bool {
        let mut digest = Sha256::new();
        // A challenge has one length, so the two cannot run into each other.
        digest.update(challenge.as_str().as_bytes());
        digest.update(client.as_str().as_bytes());
        let digest = digest.finish();
        let is_known = self.0.get(&digest).is_some();
        self.0.insert(digest, ());
        is_known
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::{CodeVerifier, SeededEntropy};

    use super::*;

    #[test]
    fn what_is_remembered_has_a_bound() {
        let (challenges, entropy) = (Challenges::new(), SeededEntropy::new(1));
        let client = ClientId::parse("a").unwrap();
        for _ in 0..2 * MOST {
            let challenge = CodeVerifier::generate(&entropy).unwrap().challenge();
            assert!(!challenges.is_reused(&client, &challenge));
        }
        assert!(challenges.0.len() <= MOST);
    }
}
