//! Many at once: what a provider that hangs holds up, and what is kept of those who leave for it.

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Extension;
use http::StatusCode;
use portcullis_authorization_server::RateLimits;
use portcullis_resource_server::ClientAddress;
use tokio::task::JoinHandle;

use super::stage::{DESK, World, browser, refresh};

const METADATA: &str = "/.well-known/openid-configuration";

/// How many of them have an answer, once everybody has gone as far as possible; all of these are that
/// there is no room.
async fn turned_away(all: &mut Vec<JoinHandle<StatusCode>>) -> usize {
    for _ in 0..5000 {
        tokio::task::yield_now().await;
    }
    let mut count = 0;
    let mut waiting = Vec::new();
    for task in all.drain(..) {
        if task.is_finished() {
            assert_eq!(task.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
            count += 1;
        } else {
            waiting.push(task);
        }
    }
    *all = waiting;
    count
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(60), work).await;
    done.expect("an answer")
}

#[tokio::test]
async fn sec_ds_09_a_provider_that_hangs_leaves_room_for_others() {
    let world = World::new().await;
    let held = world.upstream.hold(METADATA);
    let mut all: Vec<_> = (0..700)
        .map(|_| {
            let browser = world.browser();
            tokio::spawn(async move { browser.open("/account").await.status })
        })
        .collect();
    assert_eq!(turned_away(&mut all).await, 200);
    drop(held);
    for task in all {
        assert_eq!(in_time(task).await.unwrap(), StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn sec_ds_09_one_grant_does_not_wait_for_a_thousand() {
    let world = World::new().await;
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let held = world.upstream.hold("/token");
    let mut all: Vec<_> = (0..200)
        .map(|_| {
            let (site, token) = (world.site.clone(), tokens.refresh().to_owned());
            tokio::spawn(async move { refresh(&site, DESK, &token).await.page.status })
        })
        .collect();
    let away = turned_away(&mut all).await;
    assert!((72..=73).contains(&away), "{away}");
    drop(held);
    for task in all {
        assert_eq!(in_time(task).await.unwrap(), StatusCode::OK);
    }
}

#[tokio::test]
async fn sec_ds_08_those_who_leave_for_the_provider_have_a_bound() {
    let usual = |server: portcullis_authorization_server::OAuthProviderBuilder| {
        server.rate_limits(RateLimits::default())
    };
    let world = World::with(|builder| builder.server(usual)).await;
    let mut left = 0;
    for number in 0..12 {
        let address = ClientAddress::new(Ipv4Addr::new(198, 51, number, 1).into());
        let site = world.site.clone().layer(Extension(address));
        for _ in 0..100 {
            let page = browser(&site).open("/account").await;
            left += usize::from(page.status == StatusCode::SEE_OTHER);
        }
    }
    // The other half is for those who come for the first time.
    assert!((1000..1100).contains(&left), "{left}");
}
