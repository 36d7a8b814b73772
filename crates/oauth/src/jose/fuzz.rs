//! Entry points for fuzzing: plain functions over bytes that must return, whatever the bytes are.

use super::compact::CompactJws;
use super::jwks::JwkSet;

/// Reads the bytes as a token. What is accepted must be within its limits.
pub fn compact(data: &[u8]) {
    let Ok(token) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(jws) = CompactJws::parse(token) {
        assert!(token.len() <= super::compact::MAX_TOKEN, "too large");
        assert_eq!(token.matches('.').count(), 2, "three segments");
        let _ = jws.unverified_issuer();
        let _ = format!("{jws:?}");
    }
}

/// Reads the bytes as a key set. What is accepted must be within its limits.
pub fn jwks(data: &[u8]) {
    if let Ok(set) = JwkSet::parse(data) {
        let keys = set.len() + set.skipped().len();
        assert!(keys <= super::jwks::MAX_KEYS, "too many keys");
        for key in set.keys() {
            assert!(set.candidates(key.kid(), super::Algorithm::Rs256).count() <= 4);
            assert_eq!(key.thumbprint().len(), 43, "32 bytes");
        }
    }
}
