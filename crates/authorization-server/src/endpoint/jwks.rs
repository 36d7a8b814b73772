//! `GET /oauth/jwks`: the public keys (RFC 7517 section 5). Anybody may read them, from every page.
//! Without the store those are told that were there a while ago.

use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use portcullis_resource_server::{PublicDocument, public_route};

use super::failure::Failure;
use super::path;
use crate::keyring::Keyring;

/// For how long the keys may be kept. A key signs only when it was published for longer.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

impl Keyring {
    /// Where the public keys are, below the public URL.
    pub const JWKS_PATH: &str = path::JWKS;

    /// The route with the public keys, for a program that signs and is no authorization server.
    pub fn jwks_route(&self) -> MethodRouter {
        let keyring = self.clone();
        public_route(move || {
            let keyring = keyring.clone();
            async move { get(&keyring).await }
        })
    }
}

/// `GET /oauth/jwks`
pub(crate) async fn get(keyring: &Keyring) -> Response {
    if let Err(error) = keyring.refresh().await {
        tracing::warn!(%error, "the published keys may be old ones");
    }
    match keyring.jwks() {
        Ok(published) => PublicDocument::new(published.json, MAX_AGE).into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt as _;
    use portcullis_oauth::json::{self, Limits};
    use portcullis_oauth::{MockClock, SeededEntropy};
    use portcullis_store::{MemoryStore, StoreHandle};
    use tower::ServiceExt as _;

    use super::*;
    use crate::keyring::{KeyringSettings, Rotation};

    #[tokio::test]
    async fn sec_key_15_the_next_key_is_served_before_it_signs() {
        let clock = Arc::new(MockClock::at(1_800_000_000));
        let entropy = Arc::new(SeededEntropy::new(1));
        let store = StoreHandle::from(MemoryStore::new());
        let records = store.open(clock.clone(), entropy).await.unwrap();
        let settings = KeyringSettings::new().clock(clock);
        let keyring = Keyring::open(&records, settings).await.unwrap();
        let router = Router::new().route(path::JWKS, keyring.jwks_route());
        let ask = async || {
            let request = Request::get(path::JWKS).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.headers()["cache-control"], "public, max-age=600");
            assert_eq!(response.headers()["access-control-allow-origin"], "*");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let document = json::value(&body, Limits::METADATA).unwrap();
            let keys = document["keys"].as_array().unwrap().clone();
            let ids = keys
                .iter()
                .map(|key| key["kid"].as_str().unwrap().to_owned());
            ids.collect::<Vec<_>>()
        };
        let first = ask().await;
        let next = keyring.rotate(Rotation::Overlap).await.unwrap();
        assert_eq!(ask().await, [first[0].clone(), next.id]);
        let only = keyring.rotate(Rotation::Revoke).await.unwrap();
        assert_eq!(ask().await, [only.id]);
    }
}
