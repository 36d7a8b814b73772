//! The HTTP+SSE transport of revision 2024-11-05, behind `Auth`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::StreamExt as _;
use http::{Request, StatusCode};
use portcullis_oauth::{MockClock, SeededEntropy, Timestamp};
use portcullis_resource_server::mcp::legacy_sse::{Connection, LegacySse, MOST_RUNNING};
use portcullis_resource_server::mcp::session::SessionLimits;
use portcullis_resource_server::{AccessToken, Auth};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::mcp::{INITIALIZE, LIST, auth, bearer, call};
use crate::support::{Answer, Tokens, request, send, with_required};

/// A server that repeats each message with the name of its sender, once it is let.
struct Echo {
    app: Router,
    go_on: Arc<Semaphore>,
}

impl Echo {
    fn new(auth: &Auth) -> Self {
        let go_on = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let gate = Arc::clone(&go_on);
        let echo = LegacySse::new(move |mut client: Connection| {
            let gate = Arc::clone(&gate);
            async move {
                let answers = client.sender();
                while let Some(message) = client.receive().await {
                    let (answers, gate) = (answers.clone(), Arc::clone(&gate));
                    tokio::spawn(async move {
                        gate.acquire().await.unwrap().forget();
                        let token = message.head.extensions.get::<AccessToken>().unwrap();
                        let body = String::from_utf8(message.body.to_vec()).unwrap();
                        let answer = format!("{} says {body}", token.subject());
                        // It is dealt with before its answer is read.
                        drop(message);
                        let _ = answers.send(answer).await;
                    });
                }
            }
        });
        let modern = Router::new();
        let auth = auth.clone().entropy(Arc::new(SeededEntropy::new(7)));
        let app = auth.protect_with_legacy_sse("/mcp", modern, echo).unwrap();
        Self { app, go_on }
    }

    fn protected() -> Self {
        Self::new(&auth(with_required()))
    }

    async fn listen(&self, who: &str) -> Listening {
        let headers = [("authorization", &*bearer(who))];
        let response = self
            .app
            .clone()
            .oneshot(request("GET", "/sse", &headers, ""))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut listening = Listening {
            body: response.into_body().into_data_stream().boxed(),
            endpoint: String::new(),
        };
        let first = listening.next().await.unwrap();
        let endpoint = first.strip_prefix("event: endpoint\ndata: ").unwrap();
        endpoint.trim_end().clone_into(&mut listening.endpoint);
        listening
    }

    async fn post(&self, who: &str, endpoint: &str, body: &str) -> Answer {
        let headers = [("authorization", &*bearer(who))];
        self.send(request("POST", endpoint, &headers, body)).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        send(self.app.clone(), request).await
    }
}

struct Listening {
    body: futures_util::stream::BoxStream<'static, Result<axum::body::Bytes, axum::Error>>,
    endpoint: String,
}

impl Listening {
    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        let bytes = self.body.next().await?.unwrap();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn a_message_is_answered_on_the_stream() {
    let echo = Echo::protected();
    let mut alice = echo.listen("alice").await;
    let id = alice.endpoint.strip_prefix("/messages?sessionId=").unwrap();
    assert_eq!(id.len(), 22, "128 bits");
    let answer = echo.post("alice", &alice.endpoint, LIST).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let event = alice.next().await.unwrap();
    assert_eq!(
        event,
        format!("event: message\ndata: alice says {LIST}\n\n")
    );
    let slash = alice.endpoint.replace("/messages", "/messages/");
    let answer = echo.post("alice", &slash, LIST).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn m2_chatgpt_is_told_on_its_stream() {
    let echo = Echo::protected();
    for (who, handshake) in [
        ("chatgpt", INITIALIZE.to_owned()),
        (
            "alice",
            INITIALIZE.replace("{}", r#"{"clientInfo":{"name":"openai-mcp"}}"#),
        ),
    ] {
        let mut stream = echo.listen(who).await;
        echo.post(who, &stream.endpoint, &handshake).await;
        stream.next().await.unwrap();
        let answer = echo.post(who, &stream.endpoint, &call("write_file")).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        let event = stream.next().await.unwrap();
        assert!(event.contains("mcp/www_authenticate"), "{event}");
        assert!(!event.contains("says"), "{event}");
    }
    let bob = echo.listen("bob").await;
    let answer = echo.post("bob", &bob.endpoint, &call("write_file")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_place_to_post_to_is_below_the_base_url() {
    let base = portcullis_oauth::BaseUrl::parse("https://mcp.example.com/app").unwrap();
    let echo = Echo::new(&auth(with_required()).base_url(base));
    let alice = echo.listen("alice").await;
    assert!(alice.endpoint.starts_with("/app/messages?sessionId="));
}

#[tokio::test]
async fn sec_rs_02_both_paths_ask_for_a_token() {
    let echo = Echo::protected();
    let alice = echo.listen("alice").await;
    for (method, path, body) in [
        ("GET", "/sse", ""),
        ("GET", "/sse/", ""),
        ("POST", "/sse", LIST),
        ("POST", &alice.endpoint, LIST),
        ("POST", "/messages?sessionId=x", LIST),
        ("POST", "/messages/", LIST),
        ("GET", "/messages", ""),
        ("PUT", "/messages", ""),
        ("DELETE", "/sse", ""),
    ] {
        let answer = echo.send(request(method, path, &[], body)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/sse";
        assert!(answer.challenge().contains(metadata), "{answer:?}");
    }
    let foreign = echo.post("foreign", &alice.endpoint, LIST).await;
    assert_eq!(foreign.status, StatusCode::UNAUTHORIZED);
    let document = "/.well-known/oauth-protected-resource/sse";
    let document = echo.send(request("GET", document, &[], "")).await;
    let resource = r#""resource":"https://mcp.example.com/sse""#;
    assert!(document.body.contains(resource), "{document:?}");
}

#[tokio::test]
async fn sec_rs_15_another_principal_does_not_reach_a_legacy_stream() {
    let echo = Echo::protected();
    let mut alice = echo.listen("alice").await;
    let foreign = echo.post("bob", &alice.endpoint, LIST).await;
    let unknown = echo.post("bob", "/messages?sessionId=nobodys", LIST).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(
        (&foreign.body, &foreign.headers),
        (&unknown.body, &unknown.headers)
    );
    let none = echo.post("alice", "/messages", LIST).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let two = format!("{}&sessionId=x", alice.endpoint);
    let two = echo.post("alice", &two, LIST).await;
    assert_eq!(two.status, StatusCode::NOT_FOUND);
    echo.post("alice", &alice.endpoint, INITIALIZE).await;
    let first = alice.next().await.unwrap();
    assert!(
        first.contains("alice says"),
        "nothing of bob's came: {first}"
    );
    let endpoint = alice.endpoint.clone();
    drop(alice);
    let gone = echo.post("alice", &endpoint, LIST).await;
    assert_eq!(
        gone.status,
        StatusCode::NOT_FOUND,
        "it ended with its reader"
    );
}

#[tokio::test]
async fn sec_rs_10_11_both_paths_have_the_same_guard() {
    let echo = Echo::protected();
    let alice = echo.listen("alice").await;
    let token = bearer("alice");
    for (header, value, status) in [
        ("host", "evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("origin", "https://evil.example", StatusCode::FORBIDDEN),
        ("origin", "null", StatusCode::FORBIDDEN),
    ] {
        let headers = [("authorization", &*token), (header, value)];
        let stream = echo.send(request("GET", "/sse", &headers, "")).await;
        assert_eq!(stream.status, status, "{header}");
        let posted = request("POST", &alice.endpoint, &headers, LIST);
        assert_eq!(echo.send(posted).await.status, status, "{header}");
    }
}

#[tokio::test]
async fn sec_rs_07_a_missing_scope_is_403_on_the_legacy_path_too() {
    let echo = Echo::protected();
    let mut alice = echo.listen("alice").await;
    let refused = echo
        .post("alice", &alice.endpoint, &call("write_file"))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.challenge().contains("files:write"), "{refused:?}");
    // What is hidden is answered where this client looks, as nothing behind was asked.
    let hidden = echo.post("alice", &alice.endpoint, &call("secret")).await;
    assert_eq!(hidden.status, StatusCode::ACCEPTED);
    assert!(alice.next().await.unwrap().contains("Unknown tool"));
}

#[tokio::test]
async fn sec_ds_01_bodies_of_the_legacy_path_are_bounded() {
    let echo = Echo::protected();
    let alice = echo.listen("alice").await;
    let large = format!(r#"{{"jsonrpc":"2.0","method":"{}"}}"#, "x".repeat(4 << 20));
    let answer = echo.post("alice", &alice.endpoint, &large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    for bad in ["{", "[]", r#"{"id":1,"id":2}"#] {
        let answer = echo.post("alice", &alice.endpoint, bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let headers = [
        ("authorization", &*bearer("alice")),
        ("content-type", "text/plain"),
    ];
    let plain = request("POST", &alice.endpoint, &headers, LIST);
    let plain = echo.send(plain).await;
    assert_eq!(plain.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn sec_ds_10_messages_of_one_stream_are_capped() {
    let echo = Echo::protected();
    let mut alice = echo.listen("alice").await;
    echo.go_on.forget_permits(Semaphore::MAX_PERMITS);
    for _ in 0..MOST_RUNNING {
        let answer = echo.post("alice", &alice.endpoint, LIST).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        // The server takes it, so that it is not the queue in front of it which is full.
        tokio::task::yield_now().await;
    }
    let over = echo.post("alice", &alice.endpoint, LIST).await;
    assert_eq!(over.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(over.header("retry-after").is_some());
    let mut bob = echo.listen("bob").await;
    echo.post("bob", &bob.endpoint, LIST).await;
    echo.go_on.add_permits(MOST_RUNNING + 1);
    for _ in 0..MOST_RUNNING {
        alice.next().await.unwrap();
    }
    bob.next().await.unwrap();
    tokio::task::yield_now().await;
    let again = echo.post("alice", &alice.endpoint, LIST).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn sec_ds_10_a_slow_reader_is_not_heard() {
    let echo = Echo::protected();
    let alice = echo.listen("alice").await;
    let mut taken = 0;
    // Nobody reads: answers fill their queue, then the places of what runs.
    while taken < 10 * MOST_RUNNING {
        let answer = echo.post("alice", &alice.endpoint, LIST).await;
        if answer.status != StatusCode::ACCEPTED {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            break;
        }
        taken += 1;
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
    }
    assert!(taken <= 3 * MOST_RUNNING, "{taken} went in");
}

#[tokio::test]
async fn sec_ds_08_legacy_streams_of_one_principal_are_capped() {
    let mut limits = SessionLimits::default();
    limits.per_principal = 2;
    let echo = Echo::new(&auth(with_required()).session_limits(limits));
    let mut first = echo.listen("alice").await;
    let second = echo.listen("alice").await;
    let third = echo.listen("alice").await;
    assert_eq!(first.next().await, None, "the first one made room");
    let gone = echo.post("alice", &first.endpoint, LIST).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    for open in [&second, &third] {
        let answer = echo.post("alice", &open.endpoint, LIST).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn sec_ds_08_legacy_streams_end_each_other_at_a_pace() {
    let mut limits = SessionLimits::default();
    limits.per_principal = 1;
    limits.replaced_per_minute = 1;
    let auth = auth(with_required()).session_limits(limits);
    let echo = Echo::new(&auth.clock(Arc::new(MockClock::at(0))));
    let _first = echo.listen("alice").await;
    let second = echo.listen("alice").await;
    let headers = [("authorization", &*bearer("alice"))];
    let third = request("GET", "/sse", &headers, "");
    let third = echo.app.clone().oneshot(third).await.unwrap();
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(third.headers()["retry-after"], "60");
    let answer = echo.post("alice", &second.endpoint, LIST).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "the last one stays");
}

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_legacy_stream_ends_with_its_token() {
    let mut tokens = with_required();
    tokens.expires_at = Some(Timestamp::from_secs(1_060));
    let clock = Arc::new(MockClock::at(1_000));
    let echo = Echo::new(&auth(tokens).clock(clock));
    let mut alice = echo.listen("alice").await;
    tokio::time::advance(Duration::from_secs(61)).await;
    while let Some(event) = alice.next().await {
        assert!(event.starts_with(':'), "a sign of life at most: {event}");
    }
    let late = echo.post("alice", &alice.endpoint, LIST).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn other_methods_are_refused_at_once() {
    let echo = Echo::new(&auth(Tokens::default()));
    let alice = echo.listen("alice").await;
    // Clients that try the newer transport first see by this that they must not.
    let posted = echo.post("alice", "/sse", INITIALIZE).await;
    assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
    let headers = [("authorization", &*bearer("alice"))];
    for method in ["GET", "DELETE", "PUT"] {
        let other = echo
            .send(request(method, &alice.endpoint, &headers, ""))
            .await;
        assert_eq!(other.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
}
