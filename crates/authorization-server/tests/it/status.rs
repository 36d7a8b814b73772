//! What an embedder adds to a provider: checks of its own, and observers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use portcullis_oauth::json::json;
use portcullis_resource_server::observe::{AuthorizationEvent, Exchange, Observer};
use portcullis_resource_server::{AccessToken, GrantStatus, Unavailable};

use crate::client::{Client, Dialect, plain};
use crate::world::{World, welcome};

/// A list of an embedder's own that nobody is on.
struct NobodyIsBlocked;

impl GrantStatus for NobodyIsBlocked {
    fn known(&self, _: &AccessToken) -> Option<bool> {
        Some(true)
    }

    fn ask<'a>(&'a self, _: &'a AccessToken) -> BoxFuture<'a, Result<bool, Unavailable>> {
        async { Ok(true) }.boxed()
    }
}

#[tokio::test]
async fn sec_jwt_35_a_check_that_is_added_leaves_revocation_on() {
    let world = World::mounted(
        |builder| builder,
        |auth| {
            let auth = auth.grant_status(NobodyIsBlocked);
            auth.protect("/mcp", welcome()).unwrap()
        },
    );
    let dialect = Dialect {
        registration: json!({"redirect_uris": ["http://127.0.0.1/cb"]}),
        redirect_uri: "http://127.0.0.1:7000/cb",
        ..plain()
    };
    let client = Client::register(world.browser.clone(), dialect).await;
    let code = client.code().await;
    let tokens = client.tokens(code).await;
    assert_eq!(client.call(&tokens).await, StatusCode::OK);
    client.revoke(&tokens).await;
    assert_eq!(client.call(&tokens).await, StatusCode::UNAUTHORIZED);
}

/// Counts the events that it hears of.
#[derive(Clone, Default)]
struct Ear(Arc<AtomicUsize>);

impl Ear {
    fn heard(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Observer for Ear {
    fn answered(&self, _: &Exchange) {}

    fn authorization(&self, _: &AuthorizationEvent) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn observers_of_all_mounts_hear_of_each_event_once() {
    let (first, second) = (Ear::default(), Ear::default());
    let world = World::mounted(
        |builder| builder,
        |auth| {
            let auth = auth.one_of_several();
            let one = auth.clone().observer(first.clone());
            let other = auth.clone().observer(second.clone());
            let mut site = auth.shared_routes().unwrap();
            for (path, auth) in [("/mcp", &one), ("/again", &one), ("/other", &other)] {
                site.merge(auth.protected_routes(path, welcome()).unwrap())
                    .unwrap();
            }
            site.into_router()
        },
    );
    let dialect = Dialect {
        registration: json!({"redirect_uris": ["http://127.0.0.1/cb"]}),
        redirect_uri: "http://127.0.0.1:7000/cb",
        ..plain()
    };
    Client::register(world.browser.clone(), dialect).await;
    assert_eq!((first.heard(), second.heard()), (1, 1));
}
