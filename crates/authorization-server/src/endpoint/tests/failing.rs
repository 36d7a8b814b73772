//! What becomes of requests while the store, or a part that somebody else wrote, fails.

use std::sync::Arc;

use axum::body::Body;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST};
use http::{Request, StatusCode};
use portcullis_oauth::ClientId;
use portcullis_oauth::json::json;
use portcullis_resource_server::Unavailable;
use portcullis_resource_server::observe::{Exchange, Observer};
use portcullis_testkit::store::Fault;

use super::revoke::revoke;
use super::server::{APP, REDIRECT, Server, body};
use crate::client::{Client, ClientRegistry, Registrations};
use crate::grant::record::GrantRecord;

/// More operations than any flow has.
const MANY: u64 = 40;

async fn live_grants(server: &Server) -> u64 {
    server.context.records.count::<GrantRecord>().await.unwrap()
}

/// Each operation of the store fails once, in either way.
#[tokio::test]
async fn sec_st_14_no_token_is_given_that_is_not_stored() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        let (mut failed, mut granted) = (0, 0);
        for nth in 0..MANY {
            let server = Server::new().await;
            let code = server.code(APP).await;
            server.store.fail(nth, fault);
            let answer = server.redeem(APP, &code, &[]).await;
            server.store.heal();
            if answer.status == StatusCode::OK {
                granted += 1;
                let token = answer.text("access_token");
                assert_eq!(server.call(&token).await, StatusCode::OK);
                continue;
            }
            failed += 1;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(answer.headers.contains_key("retry-after"));
            assert!(answer.json().get("access_token").is_none());
            // The client tries again: it gets tokens, or, where the code was spent already, nobody
            // has any.
            let again = server.redeem(APP, &code, &[]).await;
            if again.status == StatusCode::OK {
                let token = again.text("access_token");
                assert_eq!(server.call(&token).await, StatusCode::OK);
            } else {
                assert_eq!(fault, Fault::AnswerLost);
                assert_eq!(again.error(), (400, "invalid_grant".to_owned()));
                assert_eq!(live_grants(&server).await, 0);
            }
        }
        assert!(failed > 0 && granted > 0, "{fault:?}: {failed} {granted}");
    }
}

/// A registration that is in use lives on, so no grant is without that note, and no note is made for
/// nothing.
#[tokio::test]
async fn sec_dr_01_a_grant_and_the_use_of_its_client_are_one_change() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        let mut seen = [0, 0];
        for nth in 0..MANY {
            let server = Server::new().await;
            let client = registered(&server).await;
            let code = server.code(&client).await;
            server.store.fail(nth, fault);
            let _answer = server.redeem(&client, &code, &[]).await;
            server.store.heal();
            let clients = Registrations::new(server.context.records.clone());
            let clients = clients.list().await.unwrap();
            let in_use = clients.iter().filter(|client| client.used_at.is_some());
            let in_use = in_use.count();
            assert_eq!(live_grants(&server).await, in_use as u64, "{fault:?} {nth}");
            seen[in_use] += 1;
        }
        assert!(!seen.contains(&0), "{fault:?}: {seen:?}");
    }
}

pub(super) async fn registered(server: &Server) -> String {
    let metadata = json!({
        "redirect_uris": [REDIRECT],
        "application_type": "native",
        "token_endpoint_auth_method": "none",
    });
    let request = Request::post("/oauth/register")
        .header(HOST, "mcp.example")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(metadata.to_string()));
    server.send(request.unwrap()).await.text("client_id")
}

/// A lost answer costs a client nothing: it asks again.
#[tokio::test]
async fn sec_rt_04_a_refresh_survives_each_failure_of_the_store() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        let mut failed = 0;
        for nth in 0..MANY {
            let server = Server::new().await;
            let (_, refresh) = server.tokens(APP).await;
            server.store.fail(nth, fault);
            let mut answer = server.refresh(APP, &refresh, &[]).await;
            server.store.heal();
            if answer.status != StatusCode::OK {
                failed += 1;
                assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
                answer = server.refresh(APP, &refresh, &[]).await;
            }
            assert_eq!(answer.status, StatusCode::OK, "{fault:?} {nth}");
            let token = answer.text("access_token");
            assert_eq!(server.call(&token).await, StatusCode::OK);
            let next = answer.text("refresh_token");
            let next = server.refresh(APP, &next, &[]).await;
            assert_eq!(next.status, StatusCode::OK);
        }
        assert!(failed > 0);
    }
}

#[tokio::test]
async fn sec_rv_02_nothing_opens_while_nobody_can_say_whether_it_was_revoked() {
    let server = Server::with(|builder| builder.strict_revocation(true)).await;
    let (access, _) = server.tokens(APP).await;
    assert_eq!(server.call(&access).await, StatusCode::OK);
    server.store.fail_from(0, Fault::Refused);
    assert_eq!(server.call(&access).await, StatusCode::SERVICE_UNAVAILABLE);
    server.store.heal();
    assert_eq!(server.call(&access).await, StatusCode::OK);
}

/// Whether the deletion happened cannot be known, so the token opens nothing from then on.
#[tokio::test]
async fn sec_rv_02_a_revocation_whose_answer_is_lost_counts() {
    let mut failed = 0;
    for nth in 0..MANY {
        let server = Server::new().await;
        let (access, refresh) = server.tokens(APP).await;
        assert_eq!(
            server.call(&access).await,
            StatusCode::OK,
            "it is remembered"
        );
        server.store.fail(nth, Fault::AnswerLost);
        let mut answer = revoke(&server, APP, &refresh).await;
        server.store.heal();
        if answer.status != StatusCode::OK {
            failed += 1;
            answer = revoke(&server, APP, &refresh).await;
        }
        assert_eq!(answer.status, StatusCode::OK, "{nth}");
        assert_eq!(
            server.call(&access).await,
            StatusCode::UNAUTHORIZED,
            "{nth}"
        );
    }
    assert!(failed > 0);
}

struct Panicking;

impl ClientRegistry for Panicking {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Unavailable> {
        panic!("the registry has a secret: {id}")
    }
}

#[tokio::test]
async fn sec_ds_11_a_panic_at_a_back_channel_is_a_failure_without_a_cause() {
    let server = Server::with(|builder| builder.registry(Panicking)).await;
    let answer = server.refresh(APP, "x", &[]).await;
    assert_eq!(answer.error(), (500, "server_error".to_owned()));
    let text = String::from_utf8_lossy(&answer.body);
    assert!(!text.contains("secret"), "{text}");
    assert!(answer.json()["incident"].is_string());
}

#[tokio::test]
async fn sec_ds_11_a_panic_at_a_page_is_a_failure_without_a_cause() {
    let server = Server::with(|builder| builder.registry(Panicking)).await;
    let query = "response_type=code&client_id=x&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb";
    for (accept, says) in [
        ("text/html", "Something went wrong here"),
        ("application/json", r#""error":"server_error""#),
    ] {
        let request = Request::get(format!("/oauth/authorize?{query}"))
            .header(HOST, "mcp.example")
            .header(ACCEPT, accept)
            .body(Body::empty());
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        let text = String::from_utf8_lossy(&answer.body);
        assert!(text.contains(says), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn sec_ds_09_who_meets_a_store_that_fails_learns_when_to_come_again() {
    let server = Server::new().await;
    server.store.fail_from(0, Fault::Refused);
    let get = |path: &str, accept| {
        let request = Request::get(path).header(HOST, "mcp.example");
        let request = request.header(ACCEPT, accept);
        let cookie = format!("__Host-portcullis-session={}", "A".repeat(43));
        request.header(COOKIE, cookie).body(Body::empty()).unwrap()
    };
    let register = Request::post("/oauth/register")
        .header(HOST, "mcp.example")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(format!(r#"{{"redirect_uris":["{REDIRECT}"]}}"#)));
    for request in [
        get("/account", "text/html"),
        get("/account", "application/json"),
        register.unwrap(),
    ] {
        let path = request.uri().to_string();
        let answer = server.send(request).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.headers["retry-after"], "5", "{path}");
    }
    server.store.heal();
    let early = Request::get("/oauth/authorize").header(HOST, "mcp.example");
    let early = early.header("sec-purpose", "prefetch").body(Body::empty());
    let early = server.send(early.unwrap()).await;
    assert_eq!(early.error(), (503, "temporarily_unavailable".to_owned()));
    assert!(early.headers.contains_key("retry-after"));
}

/// An observer whose disk is full.
struct Full;

impl Observer for Full {
    fn answered(&self, _: &Exchange) {}

    fn reserve_event(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn sec_st_14_no_token_is_given_that_nobody_can_note() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let (_, refresh) = server.tokens(APP).await;
    let before = server.stored().await;
    let full: Arc<dyn Observer> = Arc::new(Full);
    let observers = portcullis_resource_server::observe::Observers::new([full]);
    server.context.events.observed_by(observers);
    let answers = [
        server.redeem(APP, &code, &[]).await,
        server.refresh(APP, &refresh, &[]).await,
    ];
    for answer in answers {
        assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    }
    assert_eq!(server.stored().await, before);
}

#[tokio::test]
async fn sec_op_01_a_refusal_repeats_nothing_of_the_request() {
    let server = Server::new().await;
    let marked = "canary-7f3a";
    let basic = format!("Basic {marked}");
    for (name, value) in [
        ("grant_type", marked),
        ("client_id", marked),
        ("code", marked),
        ("scope", marked),
        ("client_assertion_type", marked),
    ] {
        let fields = [("client_id", APP), (name, value)];
        let answer = server.post("/oauth/token", &fields).await;
        assert!(!String::from_utf8_lossy(&answer.body).contains(marked));
    }
    let request = Request::post("/oauth/token")
        .header(HOST, "mcp.example")
        .header(AUTHORIZATION, basic)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body(&[("grant_type", marked)]));
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(!String::from_utf8_lossy(&answer.body).contains(marked));
}
