//! The keys at one time: which one signs, and which ones are published.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use portcullis_oauth::Timestamp;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::jose::jwk::Jwk;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::json::{self, Value, json};

use super::KeyringError;
use super::ring::{KeyState, Ring};

/// A key, ready to sign.
pub(super) struct Held {
    pub(super) id: String,
    pub(super) key: SigningKey,
    /// The public part (RFC 7517).
    jwk: Value,
}

impl Held {
    pub(super) fn new(key: SigningKey) -> Result<Self, KeyringError> {
        let jwk = key.public_jwk(None).ok_or(KeyringError::Key)?;
        let id = jwk.get("kid").and_then(Value::as_str);
        Ok(Self {
            id: id.ok_or(KeyringError::Key)?.to_owned(),
            key,
            jwk,
        })
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.id).finish()
    }
}

/// Public keys, as they are published.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// The document (RFC 7517 section 5).
    pub(crate) json: Bytes,
    /// The same, read.
    pub(crate) set: Arc<JwkSet>,
}

/// The keys at one time.
#[derive(Debug)]
pub(super) struct View {
    /// Where they come from; nothing where they are derived.
    ring: Option<Ring>,
    keys: Vec<Arc<Held>>,
    pub(super) signing: Arc<Held>,
    pub(super) published: Published,
    /// Counts the sets of published keys.
    pub(super) generation: u64,
    /// When the ring says something else.
    until: Option<Timestamp>,
}

impl View {
    /// Of keys that are derived: the first one signs, for ever.
    pub(super) fn of_derived(keys: Vec<Held>) -> Result<Self, KeyringError> {
        let keys: Vec<_> = keys.into_iter().map(Arc::new).collect();
        let signing = keys.first().ok_or(KeyringError::Key)?;
        Ok(Self {
            ring: None,
            signing: Arc::clone(signing),
            published: publish(&keys)?,
            keys,
            generation: 0,
            until: None,
        })
    }

    /// Of a ring. What `before` has of its keys is not read again.
    pub(super) fn of_ring(
        ring: Ring,
        before: Option<&Self>,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        let known = before.map_or(&[][..], |view| &view.keys);
        let mut keys = Vec::new();
        let mut signing = None;
        let mut until = None;
        for (key, state) in ring.states(now) {
            let held = match known.iter().find(|held| held.id == key.id) {
                Some(held) => Arc::clone(held),
                None => Arc::new(read(&key.private.0, &key.id)?),
            };
            let change = match state {
                KeyState::Active => {
                    signing = Some(Arc::clone(&held));
                    None
                }
                KeyState::Next { from } => Some(from),
                KeyState::Retired { until } => until,
            };
            until = until.into_iter().chain(change).min();
            keys.push(held);
        }
        let same = before.filter(|view| {
            let ids = view.keys.iter().map(|held| &held.id);
            ids.eq(keys.iter().map(|held| &held.id))
        });
        let (published, generation) = match (same, before) {
            (Some(same), _) => (same.published.clone(), same.generation),
            (None, before) => {
                let generation = before.map_or(0, |view| view.generation + 1);
                (publish(&keys)?, generation)
            }
        };
        Ok(Self {
            ring: Some(ring),
            signing: signing.ok_or(KeyringError::Key)?,
            keys,
            published,
            generation,
            until,
        })
    }

    /// Whether time has changed what the keys are for.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// The same keys at another time.
    pub(super) fn at(&self, now: Timestamp) -> Result<Option<Self>, KeyringError> {
        let ring = self.ring.clone();
        ring.map(|ring| Self::of_ring(ring, Some(self), now))
            .transpose()
    }

    /// Each key, what it is for, and when it was made; of a derived one the latter is not known.
    pub(super) fn states(&self, now: Timestamp) -> Vec<(&Held, KeyState, Option<Timestamp>)> {
        if let Some(ring) = &self.ring {
            let states = ring.states(now).filter_map(|(key, state)| {
                let held = self.keys.iter().find(|held| held.id == key.id)?;
                Some((&**held, state, Some(key.made_at)))
            });
            return states.collect();
        }
        let retired = KeyState::Retired { until: None };
        let keys = self.keys.iter().enumerate().map(|(at, held)| {
            let state = if at == 0 { KeyState::Active } else { retired };
            (&**held, state, None)
        });
        keys.collect()
    }
}

fn read(private: &portcullis_oauth::SecretBytes, id: &str) -> Result<Held, KeyringError> {
    let key = SigningKey::from_pkcs8_der(private).map_err(|_| KeyringError::Key)?;
    let held = Held::new(key)?;
    if held.id == id {
        Ok(held)
    } else {
        Err(KeyringError::Key)
    }
}

/// The document with the public parts.
fn publish(keys: &[Arc<Held>]) -> Result<Published, KeyringError> {
    // SECURITY: each JWK is made of the public key alone (RFC 7517 section 9.2);
    // sec_key_15_the_key_set_has_public_parts_alone
    let jwks: Vec<&Value> = keys.iter().map(|held| &held.jwk).collect();
    let set = jwks.iter().map(|jwk| Jwk::from_value(jwk));
    let set = set.collect::<Result<JwkSet, _>>();
    let json = json::to_vec(&json!({ "keys": jwks })).map_err(|_| KeyringError::Key)?;
    Ok(Published {
        json: json.into(),
        set: Arc::new(set.map_err(|_| KeyringError::Key)?),
    })
}
