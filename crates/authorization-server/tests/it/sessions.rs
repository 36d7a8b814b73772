//! How long a browser stays logged in, as the operator says.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use portcullis_authorization_server::OAuthProvider;
use portcullis_oauth::{BaseUrl, SharedClock};
use portcullis_resource_server::IntoAuth as _;
use portcullis_store::MemoryStore;
use portcullis_testkit::{Browser, MockClock, SeededEntropy};
use tower::service_fn;

use crate::world::{BASE, Household, PASSWORD};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn sec_op_14_a_session_lives_as_long_as_the_operator_says() {
    let clock = Arc::new(MockClock::at(1_790_000_000));
    let provider = OAuthProvider::builder()
        .base_url(BASE)
        .users(Household)
        .store(MemoryStore::new())
        .session_idle(10 * MINUTE)
        .session_lifetime(25 * MINUTE)
        .clock(Arc::clone(&clock) as SharedClock)
        .entropy(Arc::new(SeededEntropy::new(7)))
        .build()
        .unwrap();
    let welcome = service_fn(async |_: Request| Ok::<_, Infallible>("{}"));
    let site = provider.into_auth().unwrap().protect("/mcp", welcome);
    let browser = Browser::new(site.unwrap(), &BaseUrl::parse(BASE).unwrap());
    let log_in = async || {
        let page = browser.open("/account").await;
        let fields = [("username", "casey"), ("password", PASSWORD)];
        browser.press(&page, "Sign in", &fields).await;
    };
    let is_in = async || {
        let page = browser.open("/account").await;
        !page.text.contains("type=\"password\"")
    };
    assert!(!is_in().await);
    log_in().await;
    for _ in 0..2 {
        clock.advance(9 * MINUTE);
        assert!(is_in().await);
    }
    clock.advance(8 * MINUTE);
    assert!(!is_in().await, "at most 25 minutes, used or not");
    log_in().await;
    clock.advance(11 * MINUTE);
    assert!(!is_in().await, "at most 10 minutes without use");
}
