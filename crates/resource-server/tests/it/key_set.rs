//! Keys of an issuer in the same program, as a verifier follows them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::jose::jwk::Jwk;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::jose::sign::JwtBuilder;
use portcullis_oauth::{MockClock, Timestamp};
use portcullis_resource_server::{
    JwtVerifier, KeySetSnapshot, KeySetSource, Rejection, TokenVerifier as _, Unavailable,
};
use std::time::Duration;

use crate::world::{NOW, RESOURCE, cached, is_unavailable, present, rejection};

const ISSUER: &str = "https://mcp.example.com";

/// A key ring of a test's own.
#[derive(Debug, Default)]
struct Ring {
    state: Mutex<State>,
    asked: AtomicUsize,
    asked_again: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    keys: Vec<Arc<SigningKey>>,
    generation: u64,
    /// Whether another process may have changed something.
    unsure: bool,
    down: bool,
    /// Keys that only a second look finds.
    late: Vec<Arc<SigningKey>>,
}

impl Ring {
    fn with(keys: &[&Arc<SigningKey>]) -> Arc<Self> {
        let ring = Arc::new(Self::default());
        ring.set(keys);
        ring
    }

    fn set(&self, keys: &[&Arc<SigningKey>]) {
        let mut state = self.state.lock().unwrap();
        state.keys = keys.iter().map(|key| Arc::clone(key)).collect();
        state.generation += 1;
    }

    fn snapshot(state: &State) -> KeySetSnapshot {
        let keys = state.keys.iter();
        let keys = keys.map(|key| Jwk::from_value(&key.public_jwk(None).unwrap()).unwrap());
        KeySetSnapshot::new(Arc::new(keys.collect::<JwkSet>()), state.generation)
    }
}

impl KeySetSource for Ring {
    fn settled(&self) -> Option<u64> {
        let state = self.state.lock().unwrap();
        (!state.unsure).then_some(state.generation)
    }

    fn current(&self) -> BoxFuture<'_, Result<KeySetSnapshot, Unavailable>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let state = self.state.lock().unwrap();
        let current = if state.down {
            Err(Unavailable::new("the store is out of reach"))
        } else {
            Ok(Self::snapshot(&state))
        };
        Box::pin(std::future::ready(current))
    }

    fn newer_than(&self, _: u64) -> BoxFuture<'_, Result<Option<KeySetSnapshot>, Unavailable>> {
        self.asked_again.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.lock().unwrap();
        let late = std::mem::take(&mut state.late);
        let newer = (!late.is_empty()).then(|| {
            state.keys.extend(late);
            state.generation += 1;
            Self::snapshot(&state)
        });
        Box::pin(std::future::ready(Ok(newer)))
    }
}

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::generate_es256().unwrap())
}

fn verifier(ring: &Arc<Ring>) -> JwtVerifier {
    let ring: Arc<dyn KeySetSource> = Arc::<Ring>::clone(ring);
    let verifier = JwtVerifier::builder(ISSUER).key_set(ring);
    verifier
        .clock(Arc::new(MockClock::at(NOW)))
        .build()
        .unwrap()
}

fn token(key: &SigningKey) -> String {
    let jwk = key.public_jwk(None).unwrap();
    JwtBuilder::access_token(ISSUER)
        .kid(jwk["kid"].as_str().unwrap())
        .subject("alice")
        .audience(RESOURCE)
        .valid(Timestamp::from_secs(NOW), Duration::from_secs(300))
        .sign(key)
        .unwrap()
}

#[tokio::test]
async fn a_remembered_token_asks_for_no_keys() {
    let key = key();
    let ring = Ring::with(&[&key]);
    let (verifier, token) = (verifier(&ring), token(&key));
    present(&verifier, &token).await.unwrap();
    assert!(cached(&verifier, &token).is_some());
    present(&verifier, &token).await.unwrap();
    assert_eq!(ring.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn sec_key_03_a_key_that_leaves_the_ring_takes_its_tokens_along() {
    let (old, new) = (key(), key());
    let ring = Ring::with(&[&old]);
    let (verifier, token) = (verifier(&ring), token(&old));
    present(&verifier, &token).await.unwrap();
    ring.set(&[&old, &new]);
    assert!(cached(&verifier, &token).is_none(), "the ring has changed");
    present(&verifier, &token).await.unwrap();
    assert!(cached(&verifier, &token).is_some());
    ring.set(&[&new]);
    assert!(cached(&verifier, &token).is_none());
    let refused = rejection(present(&verifier, &token).await);
    assert_eq!(refused, Rejection::UnknownKey);
}

#[tokio::test]
async fn sec_key_16_where_keys_are_not_certain_a_remembered_token_waits_for_them() {
    let key = key();
    let ring = Ring::with(&[&key]);
    let (verifier, token) = (verifier(&ring), token(&key));
    present(&verifier, &token).await.unwrap();
    ring.state.lock().unwrap().unsure = true;
    assert!(cached(&verifier, &token).is_none());
    present(&verifier, &token).await.unwrap();
    ring.state.lock().unwrap().down = true;
    assert!(is_unavailable(&present(&verifier, &token).await));
    assert!(verifier.warm().await.is_err());
}

#[tokio::test]
async fn a_key_that_another_process_began_to_sign_with_is_looked_for() {
    let (known, late) = (key(), key());
    let ring = Ring::with(&[&known]);
    let verifier = verifier(&ring);
    ring.state.lock().unwrap().late = vec![Arc::clone(&late)];
    present(&verifier, &token(&late)).await.unwrap();
    assert_eq!(ring.asked_again.load(Ordering::SeqCst), 1);
    let unknown = present(&verifier, &token(&key())).await;
    assert_eq!(rejection(unknown), Rejection::UnknownKey);
    // A key that is there and did not sign needs no second look.
    let forged = token(&known).rsplit_once('.').unwrap().0.to_owned() + "." + &"A".repeat(86);
    let forged = present(&verifier, &forged).await;
    assert_eq!(rejection(forged), Rejection::BadSignature);
    assert_eq!(ring.asked_again.load(Ordering::SeqCst), 2);
}

#[test]
fn keys_are_at_one_place() {
    let ring: Arc<dyn KeySetSource> = Ring::with(&[]);
    let both = JwtVerifier::builder(ISSUER)
        .key_set(ring)
        .jwks_uri("https://mcp.example.com/jwks");
    assert_eq!(both.build().unwrap_err().field(), "key_set");
}
