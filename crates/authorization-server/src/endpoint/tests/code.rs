//! Codes at the token endpoint: in the hands of clients with a secret, for one of several resources,
//! and in the log.

use axum::routing::any;
use axum::{Router, response::IntoResponse as _};
use http::StatusCode;
use portcullis_oauth::secret::ClientSecret;
use portcullis_testkit::CapturedLogs;

use super::server::{APP, OTHER, SECRET, Server};
use super::world::{RESOURCE, known};
use crate::client::{AuthenticationMethod, ClientOrigin, GrantType, SecretDigest};

const DESK: &str = "desk";

/// A server with a client that has a secret and users.
async fn with_desk(method: AuthenticationMethod) -> Server {
    let server = Server::new().await;
    let mut desk = known((DESK, "http://127.0.0.1/cb"), ClientOrigin::Configured);
    desk.authentication = vec![method];
    desk.secret = Some(SecretDigest::of(&ClientSecret::new(SECRET)));
    server.book.put(desk);
    server
}

#[tokio::test]
async fn sec_ca_01_a_code_waits_for_its_clients_secret() {
    let server = with_desk(AuthenticationMethod::ClientSecretPost).await;
    let code = server.code(DESK).await;
    let before = server.stored().await;
    for secret in [
        "",
        "wrong",
        "2Yk8pQv5Zr1Xn7Lw9Bt3Hs6Fd4Gj0M",
        SECRET.to_lowercase().as_str(),
    ] {
        let answer = server
            .redeem(DESK, &code, &[("client_secret", secret)])
            .await;
        assert_eq!(
            answer.error(),
            (401, "invalid_client".to_owned()),
            "{secret}"
        );
    }
    assert_eq!(server.stored().await, before);
    let right = [("client_secret", SECRET)];
    let tokens = server.redeem(DESK, &code, &right).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    // So does a refresh token.
    let (refresh, before) = (tokens.text("refresh_token"), server.stored().await);
    let answer = server.refresh(DESK, &refresh, &[]).await;
    assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
    assert_eq!(server.stored().await, before);
    let answer = server.refresh(DESK, &refresh, &right).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_ca_02_a_code_is_redeemed_in_the_registered_way_alone() {
    let server = with_desk(AuthenticationMethod::ClientSecretBasic).await;
    let code = server.code(DESK).await;
    let before = server.stored().await;
    let answer = server
        .redeem(DESK, &code, &[("client_secret", SECRET)])
        .await;
    assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
    assert_eq!(server.stored().await, before);
}

#[tokio::test]
async fn sec_ca_15_a_public_client_has_no_secret_and_no_grant_of_its_own() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let before = server.stored().await;
    let answer = server.redeem(APP, &code, &[("client_secret", "x")]).await;
    assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
    // Not even where it is listed for one.
    let mut app = known((APP, "http://127.0.0.1/cb"), ClientOrigin::Configured);
    app.grant_types.push(GrantType::CLIENT_CREDENTIALS);
    server.book.put(app);
    let fields = [("grant_type", "client_credentials"), ("client_id", APP)];
    let answer = server.post("/oauth/token", &fields).await;
    assert_eq!(answer.error(), (400, "unauthorized_client".to_owned()));
    assert_eq!(server.stored().await, before);
    assert_eq!(server.redeem(APP, &code, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_pk_03_a_verifier_outside_the_grammar_is_refused() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let before = server.stored().await;
    for verifier in [
        "v".repeat(42),
        "v".repeat(129),
        format!("{}+", "v".repeat(42)),
        format!("{} ", "v".repeat(43)),
        format!("{}\u{e9}", "v".repeat(43)),
        format!("{}\0", "v".repeat(43)),
    ] {
        let answer = server
            .redeem(APP, &code, &[("code_verifier", &verifier)])
            .await;
        assert_eq!(
            answer.error(),
            (400, "invalid_grant".to_owned()),
            "{verifier:?}"
        );
    }
    // None of them counts as a guess, so none burns the code.
    assert_eq!(server.stored().await, before);
    assert_eq!(server.redeem(APP, &code, &[]).await.status, StatusCode::OK);
}

/// Of what a client does with each of its requests, its operator learns; of two clients that happen to
/// draw the same, nobody.
#[tokio::test]
async fn sec_pk_06_a_challenge_that_comes_back_is_an_event() {
    let logs = CapturedLogs::start();
    let server = Server::new().await;
    let reuses = || {
        let events = logs.security_events().into_iter();
        let events = events.filter(|line| line.contains("challenge_reused"));
        events.collect::<Vec<_>>()
    };
    for client in [APP, OTHER] {
        let code = server.code(client).await;
        let first = server.redeem(client, &code, &[]).await;
        assert_eq!(first.status, StatusCode::OK);
    }
    // A second approval alone is none: its user may have opened the client's link twice.
    let code = server.code(APP).await;
    assert_eq!(reuses().len(), 0);
    let second = server.redeem(APP, &code, &[]).await;
    assert_eq!(second.status, StatusCode::OK);
    let reuses = reuses();
    assert_eq!(reuses.len(), 1, "{reuses:?}");
    assert!(reuses[0].contains(r#"client_id="app""#), "{reuses:?}");
}

#[tokio::test]
async fn sec_cd_07_a_code_of_one_resource_is_none_of_another_of_ours() {
    let mcp = Router::new().fallback(any(async || "the tool's answer".into_response()));
    let server = Server::mounted(
        |builder| builder,
        |auth| {
            let other = auth.clone().one_of_several();
            let _ = other.protect("/a/mcp", mcp).unwrap();
            auth
        },
    )
    .await;
    let other = "https://mcp.example/a/mcp";
    let resources = server.context.resources.list();
    assert!(resources.iter().any(|known| known.as_str() == other));
    let code = server.code(APP).await;
    let before = server.stored().await;
    let answer = server.redeem(APP, &code, &[("resource", other)]).await;
    assert_eq!(answer.error(), (400, "invalid_target".to_owned()));
    assert_eq!(server.stored().await, before);
    let tokens = server.redeem(APP, &code, &[("resource", RESOURCE)]).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    let (refresh, before) = (tokens.text("refresh_token"), server.stored().await);
    let answer = server.refresh(APP, &refresh, &[("resource", other)]).await;
    assert_eq!(answer.error(), (400, "invalid_target".to_owned()));
    assert_eq!(server.stored().await, before);
}

#[tokio::test]
async fn sec_cd_09_no_code_and_no_verifier_is_in_a_log() {
    let logs = CapturedLogs::start();
    let server = Server::new().await;
    let wrong = "canary-verifier-of-somebody-else-and-long-enough";
    let code = server.code(APP).await;
    server.redeem(APP, &code, &[("code_verifier", wrong)]).await;
    let tokens = server.redeem(APP, &code, &[]).await;
    let again = server.redeem(APP, &code, &[]).await;
    assert_eq!((tokens.status.as_u16(), again.status.as_u16()), (200, 400));
    let text = logs.text();
    assert!(
        text.contains("code_replayed") && text.contains("wrong_verifier"),
        "{text}"
    );
    for secret in [
        &code,
        code.get(22..).unwrap(),
        wrong,
        super::server::verifier().expose(),
    ] {
        logs.assert_free_of(secret);
    }
}
