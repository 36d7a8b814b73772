//! What an embedder adds to the checks of a provider.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use portcullis_oauth::json::json;
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
