//! Key rings over a store: rotation, revocation, processes that share one, and tokens of all of them.

mod processes;
mod rotation;
mod secrets;
mod server;
mod tokens;

use std::sync::Arc;

use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{ClientId, Issuer, MockClock, ResourceUrl, SeededEntropy, scopes};
use portcullis_resource_server::{
    AccessToken, JwtVerifier, Rejection, TokenVerifier as _, VerifyContext, VerifyError,
};
use portcullis_store::{MemoryStore, SealingKeys, StoreHandle};
use portcullis_testkit::store::{Fault, FaultyStore};

use super::*;

const NOW: i64 = 1_800_000_000;
const RESOURCE: &str = "https://mcp.example.com/mcp";
const HOUR: Duration = Duration::from_secs(3600);
const SECRET: &str = "kN3v8Qz_1mWx7-TtLr5yBc0dFgHjPs2u";

/// A database, and the clock of all processes that share it.
struct World {
    store: Arc<FaultyStore>,
    sealing: SealingKeys,
    clock: Arc<MockClock>,
    entropy: Arc<SeededEntropy>,
}

impl World {
    fn new() -> Self {
        Self {
            store: Arc::new(FaultyStore::new(Arc::new(MemoryStore::new()))),
            sealing: SealingKeys::generate(&SeededEntropy::new(9)).unwrap(),
            clock: Arc::new(MockClock::at(NOW)),
            entropy: Arc::new(SeededEntropy::new(7)),
        }
    }

    fn settings(&self) -> KeyringSettings {
        KeyringSettings::new()
            .clock(self.clock.clone())
            .entropy(self.entropy.clone())
    }

    /// The database, as one more process opens it.
    fn process(&self) -> StoreHandle {
        let store = FaultyStore::new(self.store.clone());
        StoreHandle::new(Arc::new(store), self.sealing.clone())
    }

    async fn records(&self) -> Records {
        let entropy = Arc::new(SeededEntropy::new(8));
        let opened = self.process().open(self.clock.clone(), entropy).await;
        opened.unwrap()
    }

    async fn keyring(&self) -> Keyring {
        let records = self.records().await;
        Keyring::open(&records, self.settings()).await.unwrap()
    }

    fn now(&self) -> Timestamp {
        use portcullis_oauth::Clock as _;
        self.clock.now()
    }
}

fn issuer() -> Issuer {
    Issuer::parse("https://mcp.example.com").unwrap()
}

fn verifier(keyring: &Keyring) -> JwtVerifier {
    keyring.verifier(&issuer()).unwrap()
}

async fn sign_with(keyring: &Keyring, life: Duration, extra: &Map<String, Value>) -> BearerToken {
    try_sign(keyring, life, extra).await.unwrap()
}

async fn try_sign(
    keyring: &Keyring,
    life: Duration,
    extra: &Map<String, Value>,
) -> Result<BearerToken, KeyringError> {
    let now = keyring.clock().now();
    let claims = AccessTokenClaims {
        issuer: &issuer(),
        subject: "alice",
        client_id: &ClientId::parse("cli").unwrap(),
        audience: &ResourceUrl::parse(RESOURCE).unwrap(),
        scope: &scopes!["notes:read"],
        token_id: "grant.token",
        authenticated_at: Some(now),
        issued_at: now,
        expires_at: now.saturating_add(life),
        extra,
    };
    keyring.sign_access_token(&claims).await
}

async fn sign(keyring: &Keyring) -> BearerToken {
    sign_with(keyring, HOUR, &Map::new()).await
}

async fn present(verifier: &JwtVerifier, token: &BearerToken) -> Result<AccessToken, VerifyError> {
    let resource = ResourceUrl::parse(RESOURCE).unwrap();
    let cx = VerifyContext::new(&resource);
    if let Some(known) = verifier.cached(token, &cx) {
        return Ok(known);
    }
    verifier.verify(token, &cx).await
}

#[track_caller]
fn rejection(outcome: Result<AccessToken, VerifyError>) -> Rejection {
    match outcome {
        Err(VerifyError::Rejected(rejection)) => rejection,
        other => panic!("not a rejection: {other:?}"),
    }
}

async fn ids(keyring: &Keyring) -> Vec<String> {
    let keys = keyring.keys().await.unwrap();
    keys.into_iter().map(|key| key.id).collect()
}

fn part(token: &BearerToken, at: usize) -> Value {
    let part = token.expose().split('.').nth(at).unwrap();
    let bytes = portcullis_oauth::crypto::base64url::decode_strict(part).unwrap();
    portcullis_oauth::json::value(&bytes, portcullis_oauth::json::Limits::JOSE).unwrap()
}

fn claims(token: &BearerToken) -> Value {
    part(token, 1)
}

fn kid(token: &BearerToken) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}
