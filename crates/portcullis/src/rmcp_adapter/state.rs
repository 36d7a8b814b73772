//! What travels through the client: `requestState` between two rounds of a call, and the cursor
//! between two pages of a list.
//!
//! It is sealed, so that a client can neither read it, change it nor make one up, and bound: to
//! the caller, the method, the component and the arguments, or to the caller and the list. It
//! opens for nobody else and nothing else, and only for ten minutes.

use std::time::Duration;

use portcullis_oauth::{
    SecretBytes, SharedClock, SharedEntropy, Timestamp,
    crypto::{aead, base64url, hkdf_sha256},
    json,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{McpResult, lists::bad_cursor};
use crate::{context::Carried, model};

/// Seals and opens the state of a call, and places in a list.
#[derive(Debug)]
pub(crate) struct StateCodec {
    states: SecretBytes,
    cursors: SecretBytes,
    clock: SharedClock,
    entropy: SharedEntropy,
}

/// A place in a list.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Position {
    /// Name or URI of the component before it.
    pub(super) after: String,
}

/// How long a user may take to answer, and a client to ask for the next page.
const LIFETIME: Duration = Duration::from_secs(600);

/// What a client has to carry at most, in characters.
const LIMIT: usize = 64 * 1024;

const EXPIRY_LEN: usize = 8;

/// The shortest secret that a key is made from.
const SECRET_LEN: usize = 32;

/// Keep these keys apart from every other that is made from the same secret.
const STATES: &[u8] = b"portcullis request state 1";
const CURSORS: &[u8] = b"portcullis list cursor 1";

impl StateCodec {
    /// A codec whose keys are made from a secret of at least 32 bytes. `None` if it is shorter.
    pub(crate) fn new(secret: &[u8], clock: SharedClock, entropy: SharedEntropy) -> Option<Self> {
        if secret.len() < SECRET_LEN {
            return None;
        }
        let key = |purpose| {
            let mut key = [0; aead::KEY_LEN];
            hkdf_sha256(secret, &[], purpose, &mut key).ok()?;
            Some(SecretBytes::new(key))
        };
        Some(Self {
            states: key(STATES)?,
            cursors: key(CURSORS)?,
            clock,
            entropy,
        })
    }

    pub(super) fn seal(&self, carried: &Carried, binding: &[u8]) -> McpResult<String> {
        let sealed = self
            .try_seal(&self.states, carried, binding)
            .filter(|sealed| sealed.len() <= LIMIT);
        sealed.ok_or_else(|| {
            model::ErrorData::internal_error("the call's state cannot be carried", None)
        })
    }

    pub(super) fn open(&self, sealed: &str, binding: &[u8]) -> McpResult<Carried> {
        // SECURITY: state of another caller, call or time is refused, not ignored (MCP 2026-07-28,
        // multi round-trip requests); sec_rs_19_request_state_is_bound
        let carried = self.try_open(&self.states, sealed, binding);
        carried.ok_or_else(|| {
            model::ErrorData::invalid_params("`requestState` is not ours, or no longer valid", None)
        })
    }

    pub(super) fn seal_cursor(&self, position: &Position, binding: &[u8]) -> McpResult<String> {
        let sealed = self.try_seal(&self.cursors, position, binding);
        sealed.ok_or_else(|| model::ErrorData::internal_error("the list has no next page", None))
    }

    pub(super) fn open_cursor(&self, sealed: &str, binding: &[u8]) -> McpResult<Position> {
        // SECURITY: a cursor that anybody can write asks whether a hidden component exists;
        // sec_rs_09_a_cursor_is_the_callers_own
        let position = self.try_open(&self.cursors, sealed, binding);
        position.ok_or_else(bad_cursor)
    }

    fn try_seal(
        &self,
        key: &SecretBytes,
        value: &impl Serialize,
        binding: &[u8],
    ) -> Option<String> {
        let expires = self.clock.now().saturating_add(LIFETIME);
        let mut plain = expires.as_secs().to_be_bytes().to_vec();
        plain.extend_from_slice(&serde_json::to_vec(value).ok()?);
        let mut nonce = [0; aead::NONCE_LEN];
        self.entropy.fill(&mut nonce).ok()?;
        let mut text = nonce.to_vec();
        text.extend_from_slice(&aead::seal(&bytes(key)?, &nonce, binding, &plain).ok()?);
        Some(base64url::encode(&text))
    }

    fn try_open<T: DeserializeOwned>(
        &self,
        key: &SecretBytes,
        sealed: &str,
        binding: &[u8],
    ) -> Option<T> {
        if sealed.len() > LIMIT {
            return None;
        }
        let text = base64url::decode_strict(sealed).ok()?;
        let (nonce, text) = text.split_first_chunk::<{ aead::NONCE_LEN }>()?;
        let plain = aead::open(&bytes(key)?, nonce, binding, text).ok()?;
        let (expires, value) = plain.split_first_chunk::<EXPIRY_LEN>()?;
        let expires = Timestamp::from_secs(i64::from_be_bytes(*expires));
        if self.clock.now() >= expires {
            return None;
        }
        json::from_slice(value, json::Limits::MCP).ok()
    }
}

fn bytes(key: &SecretBytes) -> Option<[u8; aead::KEY_LEN]> {
    key.expose().try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_oauth::{MockClock, SeededEntropy};

    use super::*;
    use crate::context::Round;

    fn codec(clock: &Arc<MockClock>) -> StateCodec {
        let clock = Arc::clone(clock) as SharedClock;
        StateCodec::new(&[7; 32], clock, Arc::new(SeededEntropy::new(1))).unwrap()
    }

    fn state(codec: &StateCodec) -> String {
        let round = Round::default();
        round.set_state("secret".into());
        codec.seal(&round.carry(), b"alice calls f").unwrap()
    }

    fn opened(codec: &StateCodec, sealed: &str, binding: &[u8]) -> Option<String> {
        Round::new(None, codec.open(sealed, binding).ok()?).state()
    }

    #[test]
    fn sec_rs_19_request_state_is_bound() {
        let clock = Arc::new(MockClock::at(1_000_000));
        let codec = codec(&clock);
        let sealed = state(&codec);
        assert_eq!(
            opened(&codec, &sealed, b"alice calls f").as_deref(),
            Some("secret")
        );
        assert_eq!(opened(&codec, &sealed, b"bob calls f"), None);
        assert_eq!(
            opened(&codec, &format!("{sealed}-TAMPERED"), b"alice calls f"),
            None
        );
        for index in 0..sealed.len() {
            let mut bent = sealed.clone().into_bytes();
            bent[index] = if bent[index] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).unwrap();
            assert_eq!(
                opened(&codec, &bent, b"alice calls f"),
                None,
                "character {index}"
            );
        }
    }

    #[test]
    fn sec_rs_19_request_state_expires() {
        let clock = Arc::new(MockClock::at(1_000_000));
        let codec = codec(&clock);
        let sealed = state(&codec);
        clock.advance(LIFETIME.saturating_sub(Duration::from_secs(1)));
        assert!(opened(&codec, &sealed, b"alice calls f").is_some());
        clock.advance(Duration::from_secs(1));
        assert_eq!(opened(&codec, &sealed, b"alice calls f"), None);
    }

    #[test]
    fn request_state_is_unreadable_and_never_the_same() {
        let codec = codec(&Arc::new(MockClock::at(1_000_000)));
        let (first, second) = (state(&codec), state(&codec));
        assert_ne!(first, second);
        let bytes = base64url::decode_strict(&first).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn a_short_secret_makes_no_key() {
        let clock = Arc::new(MockClock::at(0));
        assert!(StateCodec::new(&[7; 31], clock, Arc::new(SeededEntropy::new(1))).is_none());
    }
}
