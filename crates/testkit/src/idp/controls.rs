//! What the test has told the provider.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::form::Form;
use portcullis_oauth::json::{Map, Value, json};
use portcullis_oauth::{Issuer, SharedClock};
use tokio::sync::watch;

use crate::token::TokenBuilder;

/// A key and the name under which it is published.
#[derive(Debug)]
pub(crate) struct IdpKey {
    pub(crate) kid: String,
    pub(crate) key: SigningKey,
}

pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: String,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) issuer: Issuer,
    pub(crate) clock: SharedClock,
    tokens: AtomicU64,
    controls: Mutex<Controls>,
    /// Whether `/jwks` waits.
    pub(super) held: watch::Sender<bool>,
    pub(super) hits: watch::Sender<BTreeMap<String, usize>>,
}

pub(crate) struct Controls {
    pub(super) keys: Vec<Arc<IdpKey>>,
    published: usize,
    /// Paths that stand for others.
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) jwks_status: Option<StatusCode>,
    pub(super) jwks_body: Option<Bytes>,
    pub(super) cache_control: Option<&'static str>,
    pub(super) introspection: Arc<dyn Fn(&Form) -> Value + Send + Sync>,
    pub(super) introspection_status: Option<StatusCode>,
    pub(super) client: Option<Client>,
}

impl State {
    pub(super) fn new(issuer: Issuer, clock: SharedClock) -> Self {
        let metadata = metadata(issuer.as_str());
        Self {
            issuer,
            clock,
            tokens: AtomicU64::new(1),
            controls: Mutex::new(Controls {
                keys: Vec::new(),
                published: 0,
                aliases: BTreeMap::new(),
                metadata,
                jwks_status: None,
                jwks_body: None,
                cache_control: None,
                introspection: Arc::new(|_| json!({ "active": false })),
                introspection_status: None,
                client: None,
            }),
            held: watch::Sender::new(false),
            hits: watch::Sender::new(BTreeMap::new()),
        }
    }

    pub(super) fn controls(&self) -> MutexGuard<'_, Controls> {
        self.controls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token to be filled in and signed.
    pub(crate) fn token(&self) -> TokenBuilder {
        let id = self.tokens.fetch_add(1, Ordering::Relaxed);
        let keys = self.controls().keys.clone();
        TokenBuilder::new(self.issuer.as_str(), keys, self.clock.now(), id)
    }

    pub(super) fn publish(&self, key: SigningKey) -> String {
        let mut controls = self.controls();
        controls.published += 1;
        let kid = format!("key-{}", controls.published);
        controls.keys.push(Arc::new(IdpKey {
            kid: kid.clone(),
            key,
        }));
        kid
    }

    pub(super) fn count(&self, path: &str) {
        self.hits
            .send_modify(|hits| *hits.entry(path.to_owned()).or_default() += 1);
    }
}

impl Controls {
    pub(super) fn jwks(&self) -> Value {
        let keys = self.keys.iter();
        let keys = keys.filter_map(|key| key.key.public_jwk(Some(&key.kid)));
        json!({ "keys": keys.collect::<Vec<_>>() })
    }
}

impl fmt::Debug for Controls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controls")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn metadata(issuer: &str) -> Map<String, Value> {
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "introspection_endpoint": format!("{issuer}/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    match document {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
