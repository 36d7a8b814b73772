//! Refresh tokens, under attack.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use portcullis_oauth::{Clock as _, scopes};

use super::failing::registered;
use super::server::{APP, OTHER, SECRET, Server};
use super::world::RESOURCE;
use crate::client::Registrations;

fn refused(error: &str) -> (u16, String) {
    (400, error.to_owned())
}

#[tokio::test]
async fn a_refresh_token_is_replaced_each_time() {
    let server = Server::new().await;
    let (_, mut refresh) = server.tokens(APP).await;
    for _ in 0..5 {
        server.clock.advance(Duration::from_secs(3500));
        let answer = server
            .refresh(APP, &refresh, &[("resource", RESOURCE)])
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let next = answer.text("refresh_token");
        assert_ne!(next, refresh);
        let token = answer.text("access_token");
        assert_eq!(server.call(&token).await, StatusCode::OK);
        refresh = next;
    }
}

/// RT-02, RT-05: 64 at once are one family with one successor, and nobody is logged out.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rt_02_one_of_64_refreshes_replaces_the_token() {
    let server = Arc::new(Server::new().await);
    let (_, mut refresh) = server.tokens(APP).await;
    for round in 0..20 {
        let all = (0..64).map(|_| {
            let (server, refresh) = (Arc::clone(&server), refresh.clone());
            tokio::spawn(async move { server.refresh(APP, &refresh, &[]).await })
        });
        let answers: Vec<_> = join_all(all)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let mut pairs: Vec<_> = answers
            .iter()
            .map(|answer| (answer.text("access_token"), answer.text("refresh_token")))
            .collect();
        pairs.dedup();
        assert_eq!(pairs.len(), 1, "round {round}");
        let (access, next) = pairs.remove(0);
        assert_eq!(server.call(&access).await, StatusCode::OK);
        refresh = next;
    }
}

#[tokio::test]
async fn sec_rt_03_a_reused_token_kills_the_family() {
    let server = Server::new().await;
    let (first_access, first) = server.tokens(APP).await;
    let second = server.refresh(APP, &first, &[]).await.text("refresh_token");
    let third = server.refresh(APP, &second, &[]).await;
    // The successor was used, so the window is closed, whatever the time.
    let reused = server.refresh(APP, &first, &[]).await;
    assert_eq!(reused.error(), refused("invalid_grant"));
    for token in [first_access, third.text("access_token")] {
        assert_eq!(server.call(&token).await, StatusCode::UNAUTHORIZED);
    }
    let dead = server.refresh(APP, &third.text("refresh_token"), &[]).await;
    assert_eq!(dead.error(), refused("invalid_grant"));
}

#[tokio::test]
async fn sec_rt_04_a_lost_answer_is_given_once_more_for_a_minute() {
    let server = Server::new().await;
    let (_, first) = server.tokens(APP).await;
    let answer = server.refresh(APP, &first, &[]).await;
    server.clock.advance(Duration::from_secs(59));
    let again = server.refresh(APP, &first, &[]).await;
    for name in ["access_token", "refresh_token", "scope"] {
        assert_eq!(again.text(name), answer.text(name));
    }
    assert_eq!(again.json()["expires_in"], 3600 - 59);
    server.clock.advance(Duration::from_secs(1));
    let late = server.refresh(APP, &first, &[]).await;
    assert_eq!(late.error(), refused("invalid_grant"));
    let token = answer.text("access_token");
    assert_eq!(server.call(&token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sec_rt_06_a_foreign_client_changes_nothing() {
    let server = Server::new().await;
    let (access, first) = server.tokens(APP).await;
    let second = server.refresh(APP, &first, &[]).await.text("refresh_token");
    let third = server
        .refresh(APP, &second, &[])
        .await
        .text("refresh_token");
    let before = server.stored().await;
    for token in [&first, &second, &third] {
        let answer = server.refresh(OTHER, token, &[]).await;
        assert_eq!(answer.error(), refused("invalid_grant"));
    }
    assert_eq!(server.stored().await, before);
    assert_eq!(server.call(&access).await, StatusCode::OK);
    assert_eq!(
        server.refresh(APP, &third, &[]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn sec_rt_07_nothing_but_a_refresh_token_refreshes() {
    let server = Server::new().await;
    let (access, refresh) = server.tokens(APP).await;
    let code = server.code(APP).await;
    let jwt_id = {
        let payload = access.split('.').nth(1).unwrap();
        let payload = portcullis_oauth::crypto::base64url::decode_strict(payload).unwrap();
        let claims =
            portcullis_oauth::json::value(&payload, portcullis_oauth::json::Limits::METADATA);
        claims.unwrap()["jti"].as_str().unwrap().to_owned()
    };
    let grant = jwt_id.split('.').next().unwrap().to_owned();
    let before = server.stored().await;
    let (half, _) = refresh.split_at(refresh.len() / 2);
    for offered in [
        &access,
        &code,
        &jwt_id,
        &grant,
        SECRET,
        half,
        &refresh.to_lowercase(),
        &format!("{refresh}A"),
        &format!("{refresh}="),
        &format!(" {refresh}"),
        &format!("{refresh}{refresh}"),
        &"A".repeat(refresh.len()),
    ] {
        let answer = server.refresh(APP, offered, &[]).await;
        assert_eq!(answer.error(), refused("invalid_grant"), "{offered}");
    }
    assert_eq!(server.stored().await, before);
    assert_eq!(server.call(&access).await, StatusCode::OK);
    let answer = server.refresh(APP, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_rt_08_a_refresh_narrows_and_never_widens() {
    let server = Server::new().await;
    let code = server.code_for(APP, scopes!["read"]).await;
    let first = server.redeem(APP, &code, &[]).await.text("refresh_token");
    let before = server.stored().await;
    let wider = server
        .refresh(APP, &first, &[("scope", "read write")])
        .await;
    assert_eq!(wider.error(), refused("invalid_scope"));
    assert_eq!(server.stored().await, before);

    let (_, wide) = server.tokens(APP).await;
    let narrow = server.refresh(APP, &wide, &[("scope", "read")]).await;
    assert_eq!(narrow.json()["scope"], "read");
    // The grant itself is as wide as before.
    let next = narrow.text("refresh_token");
    let again = server.refresh(APP, &next, &[]).await;
    assert_eq!(again.json()["scope"], "read write");
}

#[tokio::test]
async fn sec_cd_07_a_refresh_is_for_the_same_resource() {
    let server = Server::new().await;
    let (_, refresh) = server.tokens(APP).await;
    let before = server.stored().await;
    let other = [("resource", "https://evil.example/mcp")];
    let answer = server.refresh(APP, &refresh, &other).await;
    assert_eq!(answer.error(), refused("invalid_target"));
    assert_eq!(server.stored().await, before);
}

/// Whoever logged in once and refreshes ever since is no stranger.
#[tokio::test]
async fn sec_dr_01_a_registration_lives_on_with_each_refresh() {
    let day = Duration::from_secs(24 * 3600);
    let server = Server::with(|builder| builder.refresh_token_lifetime(day * 365)).await;
    let client = registered(&server).await;
    let (_, mut refresh) = server.tokens(&client).await;
    let registrations = Registrations::new(server.context.records.clone());
    for n in 1..=12 {
        server.clock.advance(day * 29);
        let answer = server.refresh(&client, &refresh, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{n}: {answer:?}");
        refresh = answer.text("refresh_token");
        let known = registrations.list().await.unwrap();
        assert_eq!(known[0].used_at, Some(server.clock.now()), "{n}");
        let lives_on = server.clock.now().saturating_add(day * 90);
        assert!(known[0].ends_at >= lives_on, "{n}");
    }
}

#[tokio::test]
async fn sec_rt_10_a_grant_ends_however_often_it_is_refreshed() {
    let server = Server::new().await;
    let day = Duration::from_secs(24 * 3600);
    let (_, mut refresh) = server.tokens(APP).await;
    for _ in 0..4 {
        server.clock.advance(day * 20);
        let answer = server.refresh(APP, &refresh, &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
        refresh = answer.text("refresh_token");
    }
    // One hour before the last day no token outlives it.
    server
        .clock
        .advance(Duration::from_secs(10 * 24 * 3600 - 600));
    let last = server.refresh(APP, &refresh, &[]).await;
    assert_eq!(last.json()["expires_in"], 600);
    server.clock.advance(Duration::from_secs(600));
    let over = server.refresh(APP, &last.text("refresh_token"), &[]).await;
    assert_eq!(over.error(), refused("invalid_grant"));

    let (_, idle) = server.tokens(APP).await;
    server.clock.advance(day * 30);
    let idle = server.refresh(APP, &idle, &[]).await;
    assert_eq!(idle.error(), refused("invalid_grant"));
}

#[tokio::test]
async fn sec_rt_11_a_user_who_is_gone_or_has_another_password_ends_the_grant() {
    for is_gone in [true, false] {
        let server = Server::new().await;
        let (access, refresh) = server.tokens(APP).await;
        server.people.set(|people| {
            if is_gone {
                people.gone = vec!["alice".to_owned()];
            } else {
                people.generation = 1;
            }
        });
        let answer = server.refresh(APP, &refresh, &[]).await;
        assert_eq!(answer.error(), refused("invalid_grant"));
        assert_eq!(server.call(&access).await, StatusCode::UNAUTHORIZED);
        // It does not come back with the user.
        server.people.set(|people| {
            people.gone.clear();
            people.generation = 0;
        });
        let answer = server.refresh(APP, &refresh, &[]).await;
        assert_eq!(answer.error(), refused("invalid_grant"));
    }
}

#[tokio::test]
async fn a_user_who_lost_a_right_loses_it_with_the_next_refresh() {
    let server = Server::new().await;
    let (_, refresh) = server.tokens(APP).await;
    server
        .people
        .set(|people| people.scopes = Some(scopes!["read"]));
    let answer = server.refresh(APP, &refresh, &[]).await;
    assert_eq!(answer.json()["scope"], "read");
}

#[tokio::test]
async fn sec_rt_11_a_client_that_is_gone_refreshes_nothing() {
    let server = Server::new().await;
    let (_, refresh) = server.tokens(APP).await;
    server.book.remove(APP);
    let answer = server.refresh(APP, &refresh, &[]).await;
    assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn sec_st_06_no_token_is_in_the_store() {
    let server = Server::new().await;
    let (access, refresh) = server.tokens(APP).await;
    server.refresh(APP, &refresh, &[]).await;
    for row in server.stored().await {
        let text = String::from_utf8_lossy(&row.value);
        assert!(!text.contains(&refresh) && !text.contains(&access));
    }
}
