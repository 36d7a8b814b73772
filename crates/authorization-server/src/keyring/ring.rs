//! The signing keys as they are kept, and how they follow each other.
//!
//! What a key is for is a question of time alone: it is published as soon as it is there, signs from
//! [`signs_from`](RingKey::signs_from) on until the next one does, and stays published until the last
//! token that it may have signed has expired. So replicas with one record agree without a word.

use std::borrow::Cow;
use std::time::Duration;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::{SecretBytes, Timestamp};
use portcullis_store::{Collection, Record};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::serial::seconds;

/// For how long a key is published before it signs: longer than anybody keeps a key set that was
/// fetched from us, which is 10 minutes.
pub(super) const OVERLAP: Duration = Duration::from_secs(15 * 60);
/// How far the clock of whoever verifies may be behind.
const LEEWAY: Duration = Duration::from_secs(5 * 60);

/// All signing keys, in the order in which they sign. There is always one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ring {
    keys: Vec<RingKey>,
}

/// One key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RingKey {
    /// Its thumbprint (RFC 7638), which is its `kid`.
    pub(super) id: String,
    pub(super) private: PrivateKey,
    #[serde(with = "seconds")]
    pub(super) made_at: Timestamp,
    #[serde(with = "seconds")]
    pub(super) signs_from: Timestamp,
    /// The longest life, in seconds, of a token that it may have signed.
    longest: u64,
}

/// The DER of PKCS#8.
#[derive(Clone, Debug)]
pub(super) struct PrivateKey(pub(super) SecretBytes);

/// What a key is for at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// It is published and signs nothing yet.
    Next {
        /// From when on it signs.
        from: Timestamp,
    },
    /// It signs.
    Active,
    /// Its tokens are still good.
    Retired {
        /// Until when; nothing while the secret that it is derived of is configured.
        until: Option<Timestamp>,
    },
}

/// Another key is about to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rotating {
    pub(super) from: Timestamp,
}

impl Record for Ring {
    const COLLECTION: Collection = Collection::new("keyring");

    fn key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(Self::KEY)
    }

    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}

impl Ring {
    /// There is one ring.
    pub(super) const KEY: &'static [u8] = b"signing";

    /// A ring of one key, which signs at once.
    pub(super) fn first(key: RingKey) -> Self {
        Self { keys: vec![key] }
    }

    /// With one more key, which signs after the overlap.
    pub(super) fn rotated(&self, key: RingKey, now: Timestamp) -> Result<Self, Rotating> {
        if let Some(next) = self.keys.iter().find(|key| key.signs_from > now) {
            return Err(Rotating {
                from: next.signs_from,
            });
        }
        let mut ring = self.pruned(now);
        let key = self.heir(key);
        ring.keys.push(RingKey {
            signs_from: now.saturating_add(OVERLAP),
            ..key
        });
        Ok(ring)
    }

    /// With this key alone.
    pub(super) fn revoked(&self, key: RingKey) -> Self {
        Self::first(self.heir(key))
    }

    /// The key, for tokens that live as long as those of any other one.
    fn heir(&self, key: RingKey) -> RingKey {
        let longest = self.keys.iter().map(|key| key.longest).max();
        RingKey {
            longest: longest.unwrap_or_default().max(key.longest),
            ..key
        }
    }

    /// Where tokens may live longer than was known: the ring in which the keys that sign from now on
    /// are kept for as long.
    pub(super) fn with_life(&self, life: Duration, now: Timestamp) -> Option<Self> {
        let active = self.active(now);
        let is_short = |key: &RingKey| key.longest < life.as_secs();
        if !self.keys.iter().skip(active).any(is_short) {
            return None;
        }
        let mut ring = self.clone();
        for key in ring.keys.iter_mut().skip(active) {
            key.longest = key.longest.max(life.as_secs());
        }
        Some(ring)
    }

    /// Whether the key that signs has done so for so long, and no other one is about to.
    pub(super) fn is_due(&self, every: Duration, now: Timestamp) -> bool {
        self.keys
            .last()
            .is_some_and(|last| last.signs_from.saturating_add(every) <= now)
    }

    /// Whether a key is of no use any more.
    pub(super) fn has_waste(&self, now: Timestamp) -> bool {
        self.states(now).count() < self.keys.len()
    }

    /// Without the keys that are of no use any more.
    pub(super) fn pruned(&self, now: Timestamp) -> Self {
        let keys = self.states(now).map(|(key, _)| key.clone());
        Self {
            keys: keys.collect(),
        }
    }

    /// What each key is for; those that are of no use any more are left out.
    pub(super) fn states(&self, now: Timestamp) -> impl Iterator<Item = (&RingKey, KeyState)> {
        let active = self.active(now);
        let ends = self.keys.iter().skip(1).map(|next| Some(next.signs_from));
        let ends = ends.chain([None]);
        let keys = self.keys.iter().zip(ends).enumerate();
        keys.filter_map(move |(at, (key, end))| {
            let state = match (at.cmp(&active), end) {
                (std::cmp::Ordering::Less, Some(end)) => {
                    // SECURITY: a key that is retired verifies nothing, once its last token has ended
                    // (RFC 7517 section 5);
                    // sec_key_15_a_full_rotation_fails_no_request_and_ends_the_old_key
                    let until = end
                        .saturating_add(Duration::from_secs(key.longest))
                        .saturating_add(LEEWAY);
                    if until <= now {
                        return None;
                    }
                    KeyState::Retired { until: Some(until) }
                }
                (std::cmp::Ordering::Greater, _) => KeyState::Next {
                    from: key.signs_from,
                },
                _ => KeyState::Active,
            };
            Some((key, state))
        })
    }

    /// The place of the key that signs.
    fn active(&self, now: Timestamp) -> usize {
        let signing = self.keys.iter().rposition(|key| key.signs_from <= now);
        signing.unwrap_or_default()
    }
}

impl RingKey {
    /// A key that signs from `now` on, tokens of at most this life.
    pub(super) fn new(id: String, private: SecretBytes, life: Duration, now: Timestamp) -> Self {
        Self {
            id,
            private: PrivateKey(private),
            made_at: now,
            signs_from: now,
            longest: life.as_secs(),
        }
    }
}

impl Serialize for PrivateKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(base64url::encode(self.0.expose())))
    }
}

impl<'de> Deserialize<'de> for PrivateKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let der =
            base64url::decode_strict(&*text).map_err(|_| de::Error::custom("not base64url"))?;
        Ok(Self(SecretBytes::new(der)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn key(id: &str, now: Timestamp) -> RingKey {
        RingKey::new(id.to_owned(), SecretBytes::new("secret"), HOUR, now)
    }

    fn after(seconds: u64) -> Timestamp {
        START.saturating_add(Duration::from_secs(seconds))
    }

    fn states(ring: &Ring, now: Timestamp) -> Vec<(&str, KeyState)> {
        let states = ring
            .states(now)
            .map(|(key, state)| (key.id.as_str(), state));
        states.collect()
    }

    #[test]
    fn sec_key_15_a_key_is_published_before_it_signs_and_until_its_tokens_have_ended() {
        let ring = Ring::first(key("a", START));
        assert_eq!(states(&ring, START), [("a", KeyState::Active)]);
        let ring = ring.rotated(key("b", after(100)), after(100)).unwrap();
        let from = after(100 + 900);
        let next = KeyState::Next { from };
        for now in [after(100), after(999)] {
            assert_eq!(states(&ring, now), [("a", KeyState::Active), ("b", next)]);
        }
        let until = after(1000 + 3600 + 300);
        let retired = KeyState::Retired { until: Some(until) };
        for now in [from, after(1000 + 3899)] {
            assert_eq!(
                states(&ring, now),
                [("a", retired), ("b", KeyState::Active)]
            );
            assert!(!ring.has_waste(now));
        }
        assert_eq!(states(&ring, until), [("b", KeyState::Active)]);
        assert!(ring.has_waste(until));
        assert_eq!(
            states(&ring.pruned(until), until),
            [("b", KeyState::Active)]
        );
    }

    #[test]
    fn one_rotation_at_a_time() {
        let ring = Ring::first(key("a", START));
        let ring = ring.rotated(key("b", START), START).unwrap();
        let from = after(900);
        let again = ring.rotated(key("c", after(899)), after(899));
        assert_eq!(again.map(drop), Err(Rotating { from }));
        assert!(ring.rotated(key("c", from), from).is_ok());
    }

    #[test]
    fn a_key_is_kept_for_the_longest_token_that_it_may_have_signed() {
        let ring = Ring::first(key("a", START));
        assert!(ring.with_life(HOUR, START).is_none());
        assert!(ring.with_life(HOUR / 2, START).is_none());
        let ring = ring.with_life(HOUR * 4, START).unwrap();
        let ring = ring.rotated(key("b", START), START).unwrap();
        let until = Some(after(900 + 4 * 3600 + 300));
        assert_eq!(states(&ring, after(900))[0].1, KeyState::Retired { until });
        // Whoever makes the next key need not know how long tokens live.
        let other = ring.rotated(key("c", after(900)), after(900)).unwrap();
        assert!(other.with_life(HOUR * 4, after(900)).is_none());
        let other = ring.revoked(key("c", after(900)));
        assert!(other.with_life(HOUR * 4, after(900)).is_none());
        // A retired key signs nothing more, so it does not have to live on for longer tokens.
        let ring = ring.with_life(HOUR * 9, after(900)).unwrap();
        assert_eq!(states(&ring, after(900))[0].1, KeyState::Retired { until });
    }

    #[test]
    fn a_key_is_due_by_its_age() {
        let ring = Ring::first(key("a", START));
        assert!(!ring.is_due(HOUR, after(3599)));
        assert!(ring.is_due(HOUR, after(3600)));
        let ring = ring.rotated(key("b", after(3600)), after(3600)).unwrap();
        assert!(!ring.is_due(HOUR, after(3601)));
        assert!(ring.is_due(HOUR, after(3600 + 900 + 3600)));
    }

    #[test]
    fn a_clock_that_is_behind_all_keys_signs_with_the_first() {
        let ring = Ring::first(key("a", after(60)));
        assert_eq!(states(&ring, START), [("a", KeyState::Active)]);
    }

    #[test]
    fn sec_op_01_a_private_key_does_not_print() {
        let printed = format!("{:?}", Ring::first(key("a", START)));
        assert!(!printed.contains("secret"), "{printed}");
    }
}
