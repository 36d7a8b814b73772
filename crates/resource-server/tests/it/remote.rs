//! The forwarded metadata of an authorization server.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use http::StatusCode;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{MockClock, SharedClock};
use portcullis_resource_server::{IntoAuth as _, RemoteAuthProvider};
use portcullis_testkit::FakeIdp;

use crate::support::{Answer, BASE, request, send, with_required};

const METADATA: &str = "/.well-known/oauth-authorization-server";
const OIDC: &str = "/.well-known/openid-configuration";

struct Forwarding {
    idp: FakeIdp,
    clock: Arc<MockClock>,
    app: Router,
}

impl Forwarding {
    async fn start() -> Self {
        let idp = FakeIdp::start().await;
        let clock = Arc::new(MockClock::at(0));
        let shared = Arc::clone(&clock) as SharedClock;
        let provider = RemoteAuthProvider::new(with_required(), BASE)
            .unwrap()
            .authorization_server(idp.issuer().as_str())
            .with(|auth| auth.clock(shared))
            .forward_authorization_server_metadata();
        let auth = provider.into_auth().unwrap();
        let app = auth.protect("/mcp", Router::new()).unwrap();
        Self { idp, clock, app }
    }

    async fn get(&self) -> Answer {
        send(self.app.clone(), request("GET", METADATA, &[], "")).await
    }

    fn fetches(&self) -> usize {
        self.idp.hits(METADATA)
    }
}

#[tokio::test]
async fn the_document_is_kept_for_five_minutes() {
    let forwarding = Forwarding::start().await;
    let answer = forwarding.get().await;
    assert_eq!(answer.status, StatusCode::OK);
    let document: Value = json::from_str(&answer.body, Limits::METADATA).unwrap();
    assert_eq!(document["issuer"], forwarding.idp.issuer().as_str());
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    forwarding.clock.advance(Duration::from_secs(299));
    forwarding.get().await;
    assert_eq!(forwarding.fetches(), 1);
    forwarding.clock.advance(Duration::from_secs(1));
    forwarding.get().await;
    assert_eq!(forwarding.fetches(), 2);
}

#[tokio::test]
async fn sec_key_09_a_forwarded_document_names_its_issuer() {
    let forwarding = Forwarding::start().await;
    forwarding.idp.edit_metadata(|members| {
        members.insert("issuer".to_owned(), "https://evil.example".into());
    });
    let answer = forwarding.get().await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(!answer.body.contains("evil"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn sec_key_04_an_outage_keeps_the_last_good_document() {
    let forwarding = Forwarding::start().await;
    let good = forwarding.get().await.body;
    forwarding.idp.edit_metadata(serde_json::Map::clear);
    forwarding.clock.advance(Duration::from_secs(300));
    let answer = forwarding.get().await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, good.clone()));
    // It is asked again soon, and not at every request.
    let fetches = forwarding.fetches();
    forwarding.clock.advance(Duration::from_secs(9));
    assert_eq!(forwarding.get().await.body, good);
    assert_eq!(forwarding.fetches(), fetches);
    forwarding.clock.advance(Duration::from_secs(1));
    forwarding.get().await;
    assert_eq!(forwarding.fetches(), fetches + 1);
}

#[tokio::test]
async fn sec_key_01_metadata_is_fetched_once_for_many() {
    let forwarding = Forwarding::start().await;
    for answer in join_all((0..30).map(|_| forwarding.get())).await {
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!((forwarding.fetches(), forwarding.idp.hits(OIDC)), (1, 0));
    // A caller who leaves before the answer makes nobody ask twice.
    forwarding.clock.advance(Duration::from_secs(300));
    tokio::select! {
        biased;
        () = forwarding.idp.wait_for_hits(METADATA, 2) => {}
        _ = forwarding.get() => {}
    }
    forwarding.get().await;
    assert_eq!(forwarding.fetches(), 2);
}

#[tokio::test]
async fn sec_ds_09_a_document_that_hangs_leaves_room_for_probes() {
    // It takes connections and answers none.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", silent.local_addr().unwrap());
    let provider = RemoteAuthProvider::new(with_required(), BASE)
        .unwrap()
        .authorization_server(issuer)
        .forward_authorization_server_metadata();
    let app = provider.into_auth().unwrap();
    let app = app.protect("/mcp", Router::new()).unwrap();
    let mut answers: FuturesUnordered<_> = (0..40)
        .map(|_| send(app.clone(), request("GET", METADATA, &[], "")))
        .collect();
    for _ in 32..40 {
        let answer = answers.next().now_or_never().flatten();
        let status = answer.map(|answer| answer.status);
        assert_eq!(status, Some(StatusCode::BAD_GATEWAY), "at once");
    }
}
