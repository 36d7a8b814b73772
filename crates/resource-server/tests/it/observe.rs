//! What observers are told: one exchange a request, in the right words.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_oauth::{BearerToken, MockClock, SharedClock, scopes};
use portcullis_resource_server::mcp::legacy_sse::{Connection, LegacySse};
use portcullis_resource_server::mcp::session::SessionLimits;
use portcullis_resource_server::observe::{Exchange, Observer, Outcome};
use portcullis_resource_server::{Auth, ClientAddress, Incident};
use tower::{ServiceExt as _, service_fn};

use crate::mcp::{Endpoint, INITIALIZE, LIST, auth, bearer, call};
use crate::support::{Answer, Tokens, request, send, with_required};

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Ear {
    told: Arc<Mutex<Vec<Told>>>,
    ended: Arc<Mutex<Vec<Duration>>>,
    sessions: Arc<Mutex<Vec<String>>>,
    is_full: Arc<AtomicBool>,
}

/// An exchange, as a test compares it.
#[derive(Debug, Clone)]
struct Told {
    line: String,
    outcome: Outcome,
    correlation: String,
    whole: String,
    elapsed: Duration,
}

impl Observer for Ear {
    fn reserve(&self) -> bool {
        !self.is_full.load(Ordering::SeqCst)
    }

    fn answered(&self, exchange: &Exchange) {
        let or = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let outcome = exchange.outcome();
        let line = [
            exchange.http_method().to_string(),
            or(exchange.subject()),
            or(exchange.method()),
            exchange
                .target()
                .map_or("-".to_owned(), |(kind, name)| format!("{kind}:{name}")),
            outcome.word().to_owned(),
            or(outcome.reason()),
            exchange
                .status()
                .map_or("-".to_owned(), |status| status.as_u16().to_string()),
            if exchange.reached_server() {
                "reached".to_owned()
            } else {
                "-".to_owned()
            },
        ];
        self.told.lock().unwrap().push(Told {
            line: line.join(" "),
            outcome: outcome.clone(),
            correlation: exchange.correlation().to_owned(),
            whole: format!("{exchange:?}"),
            elapsed: exchange.elapsed(),
        });
    }

    fn ended(&self, _: &Exchange, lasted: Duration) {
        self.ended.lock().unwrap().push(lasted);
    }

    fn session_opened(&self, endpoint: &str) {
        self.sessions.lock().unwrap().push(format!("+{endpoint}"));
    }

    fn session_ended(&self, endpoint: &str, lasted: Duration) {
        let mut sessions = self.sessions.lock().unwrap();
        sessions.push(format!("-{endpoint} {}", lasted.as_secs()));
    }
}

impl Ear {
    /// The one exchange since the last time, answered and ended.
    #[track_caller]
    fn one(&self) -> Told {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let [told] = told.try_into().expect("one exchange");
        assert_eq!(std::mem::take(&mut *self.ended.lock().unwrap()).len(), 1);
        told
    }

    #[track_caller]
    fn heard(&self, line: &str) {
        assert_eq!(self.one().line, line);
    }
}

fn observed() -> (Endpoint, Ear) {
    let ear = Ear::default();
    let endpoint = Endpoint::new(&auth(with_required()).observer(ear.clone()));
    (endpoint, ear)
}

fn post(headers: &[(&str, &str)], body: &str) -> Request<Body> {
    request("POST", "/mcp", headers, body)
}

#[tokio::test]
async fn who_called_which_tool() {
    let (endpoint, ear) = observed();
    endpoint.post("alice", &call("read_file")).await;
    ear.heard("POST alice tools/call tool:read_file allowed - 200 reached");
    endpoint.post("alice", LIST).await;
    ear.heard("POST alice tools/list - allowed - 200 reached");
    let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    endpoint.post("alice", note).await;
    ear.heard("POST alice notifications/cancelled - allowed - 200 reached");
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    endpoint.post("alice", answer).await;
    ear.heard("POST alice - - allowed - 200 reached");
}

#[tokio::test]
async fn who_was_refused_and_why() {
    let (endpoint, ear) = observed();
    endpoint.send(post(&[], LIST)).await;
    ear.heard("POST - - - unauthenticated missing_token 401 -");
    endpoint.post("expired", LIST).await;
    ear.heard("POST - - - unauthenticated expired 401 -");
    endpoint.post("foreign", LIST).await;
    ear.heard("POST - - - unauthenticated wrong_audience 401 -");
    let two = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    endpoint.send(post(&two, LIST)).await;
    ear.heard("POST - - - bad_request several_tokens 400 -");
    endpoint.post("alice", &call("secret")).await;
    ear.heard("POST alice tools/call tool:secret hidden - 200 -");
    endpoint.post("alice", &call("write_file")).await;
    let told = ear.one();
    assert_eq!(
        told.line,
        "POST alice tools/call tool:write_file insufficient_scope - 403 -"
    );
    let missing = scopes!["files:write", "files:read"];
    assert_eq!(told.outcome, Outcome::InsufficientScope { missing });
    let nothing = [("authorization", "Bearer bob.other")];
    endpoint.send(post(&nothing, LIST)).await;
    let told = ear.one();
    assert_eq!(told.line, "POST bob - - insufficient_scope - 403 -");
    let missing = scopes!["mcp:read"];
    assert_eq!(told.outcome, Outcome::InsufficientScope { missing });
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn m2_a_refusal_inside_an_answer_is_told_as_a_refusal() {
    let (endpoint, ear) = observed();
    endpoint.post("chatgpt", &call("write_file")).await;
    let told = ear.one();
    assert_eq!(
        told.line,
        "POST chatgpt tools/call tool:write_file insufficient_scope - 200 -"
    );
    let missing = scopes!["files:write", "files:read"];
    assert_eq!(told.outcome, Outcome::InsufficientScope { missing });

    let ear = Ear::default();
    let auth = auth(Tokens::default()).anonymous_per_component();
    let endpoint = Endpoint::new(&auth.observer(ear.clone()));
    let agent = [("user-agent", "openai-mcp/1.0.0")];
    endpoint.send(post(&agent, &call("write_file"))).await;
    ear.heard("POST - tools/call tool:write_file unauthenticated missing_token 200 -");
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn what_was_no_request_to_answer() {
    let (endpoint, ear) = observed();
    let alice = bearer("alice");
    let alice = ("authorization", &*alice);
    for (headers, expected) in [
        (
            vec![alice, ("host", "evil.example")],
            "POST - - - stray foreign_host 421 -",
        ),
        (
            vec![alice, ("origin", "https://evil.example")],
            "POST - - - stray foreign_origin 403 -",
        ),
        (
            vec![alice, ("content-type", "text/plain")],
            "POST alice - - bad_request unsupported_media 415 -",
        ),
        (
            vec![alice, ("mcp-session-id", "nobodys")],
            "POST alice - - unknown_session - 404 -",
        ),
        (
            vec![alice, ("content-length", "99999999")],
            "POST alice - - bad_request too_large 413 -",
        ),
    ] {
        endpoint.send(post(&headers, LIST)).await;
        ear.heard(expected);
    }
    endpoint.post("alice", &format!("[{LIST}]")).await;
    ear.heard("POST alice - - bad_request malformed 400 -");
    endpoint.post("alice", "{").await;
    ear.heard("POST alice - - bad_request malformed 400 -");
    endpoint.send(request("PUT", "/mcp", &[alice], "")).await;
    ear.heard("PUT alice - - bad_request method_not_allowed 405 -");
    // Whoever asks whether it may ask has not asked.
    let preflight = [
        ("origin", BASE_PAGE),
        ("access-control-request-method", "POST"),
    ];
    let answer = endpoint
        .send(request("OPTIONS", "/mcp", &preflight, ""))
        .await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert!(ear.told.lock().unwrap().is_empty());
    assert_eq!(endpoint.calls(), 0);
}

const BASE_PAGE: &str = crate::support::BASE;

#[tokio::test]
async fn a_failure_has_one_name_for_the_client_and_for_the_log() {
    let (endpoint, ear) = observed();
    let shown = |answer: &Answer| {
        let (_, rest) = answer.body.split_once(r#""incident":""#).expect("one");
        rest.split('"').next().unwrap().to_owned()
    };
    let answer = endpoint.post("down", LIST).await;
    let told = ear.one();
    assert_eq!(told.line, "POST - - - unavailable - 503 -");
    assert_eq!(told.correlation, shown(&answer));
    let answer = endpoint.post("panic", LIST).await;
    let told = ear.one();
    assert_eq!(told.line, "POST - - - failed verifier_panicked 500 -");
    assert_eq!(told.correlation, shown(&answer));
    assert_eq!(told.correlation.len(), 16);

    let fails = service_fn(|_: Request<Body>| async {
        let incident = Incident::new();
        let mut response = Response::new(Body::from(incident.to_string()));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response.extensions_mut().insert(incident);
        Ok::<_, Infallible>(response)
    });
    let ear = Ear::default();
    let auth = auth(with_required()).observer(ear.clone());
    let app = auth.protect("/mcp", fails).unwrap();
    let alice = bearer("alice");
    let answer = send(app, post(&[("authorization", &alice)], &call("x"))).await;
    let told = ear.one();
    assert_eq!(
        told.line,
        "POST alice tools/call tool:x upstream_failed - 502 reached"
    );
    assert_eq!(told.correlation, answer.body);
}

#[tokio::test]
async fn sessions_are_told_with_their_time() {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let ear = Ear::default();
    let mut limits = SessionLimits::default();
    limits.per_principal = 1;
    let auth = auth(with_required())
        .clock(clock.clone() as SharedClock)
        .session_limits(limits)
        .endpoint_name("notes")
        .observer(ear.clone());
    let endpoint = Endpoint::new(&auth);
    let answer = endpoint.post("alice", INITIALIZE).await;
    let id = answer.header("mcp-session-id").unwrap().to_owned();
    let told = ear.one();
    assert_eq!(told.line, "POST alice initialize - allowed - 200 reached");
    clock.advance(Duration::from_secs(90));
    let alice = bearer("alice");
    let headers = [("authorization", &*alice), ("mcp-session-id", &*id)];
    endpoint.send(request("DELETE", "/mcp", &headers, "")).await;
    ear.heard("DELETE alice - - allowed - 200 reached");
    // The second one makes the first one end.
    endpoint.post("alice", INITIALIZE).await;
    clock.advance(Duration::from_secs(5));
    endpoint.post("alice", INITIALIZE).await;
    assert_eq!(
        *ear.sessions.lock().unwrap(),
        ["+notes", "-notes 90", "+notes", "-notes 5", "+notes"]
    );
}

#[tokio::test]
async fn a_stream_is_told_at_its_head_and_at_its_end() {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let ear = Ear::default();
    let auth = auth(with_required())
        .clock(clock.clone() as SharedClock)
        .observer(ear.clone());
    let server = service_fn(|_: Request<Body>| async {
        let events = stream::once(async { Ok::<_, Infallible>(Bytes::from("data: a\n\n")) });
        let response = Response::builder().header("content-type", "text/event-stream");
        let events = Body::from_stream(events.chain(stream::pending()));
        Ok::<_, Infallible>(response.body(events).unwrap())
    });
    let app = auth.protect("/mcp", server).unwrap();
    let alice = bearer("alice");
    let get = request("GET", "/mcp", &[("authorization", &alice)], "");
    let mut body = app.oneshot(get).await.unwrap().into_body();
    assert_eq!(
        ear.told.lock().unwrap()[0].line,
        "GET alice - - allowed - 200 reached"
    );
    body.frame().await.unwrap().unwrap();
    assert!(ear.ended.lock().unwrap().is_empty(), "it goes on");
    clock.advance(Duration::from_secs(60));
    drop(body);
    assert_eq!(*ear.ended.lock().unwrap(), [Duration::from_secs(60)]);
    assert_eq!(ear.one().elapsed, Duration::ZERO);
}

#[tokio::test]
async fn a_client_that_leaves_is_told_of_all_the_same() {
    let ear = Ear::default();
    let auth = auth(with_required()).observer(ear.clone());
    let never =
        service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let app = auth.protect("/mcp", never).unwrap();
    let alice = bearer("alice");
    let asked = post(&[("authorization", &alice)], &call("delete_all"));
    let mut asking = Box::pin(app.clone().oneshot(asked));
    // The first poll comes as far as the server does; the verifier needs no waiting.
    for _ in 0..3 {
        assert!((&mut asking).now_or_never().is_none());
    }
    drop(asking);
    ear.heard("POST alice tools/call tool:delete_all allowed - - reached");
}

#[tokio::test]
async fn both_paths_of_the_old_transport_are_told() {
    let ear = Ear::default();
    let auth = auth(with_required()).observer(ear.clone());
    let deaf = LegacySse::new(|mut client: Connection| async move {
        while client.receive().await.is_some() {}
    });
    let app = auth
        .protect_with_legacy_sse("/mcp", axum::Router::new(), deaf)
        .unwrap();
    let alice = bearer("alice");
    let headers = [("authorization", &*alice)];
    let opened = app
        .clone()
        .oneshot(request("GET", "/sse", &headers, ""))
        .await
        .unwrap();
    assert_eq!(
        ear.told.lock().unwrap().pop().unwrap().line,
        "GET alice - - allowed - 200 reached"
    );
    let mut events = opened.into_body();
    let first = events.frame().await.unwrap().unwrap().into_data().unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    let endpoint = first.split("data: ").nth(1).unwrap().trim();
    let hidden = request("POST", endpoint, &headers, &call("secret"));
    send(app.clone(), hidden).await;
    // The answer went to the stream, so the status is that of a message that was taken.
    ear.heard("POST alice tools/call tool:secret hidden - 202 -");
    let headers = [headers[0], ("user-agent", "openai-mcp/1.0.0")];
    let short = request("POST", endpoint, &headers, &call("write_file"));
    send(app, short).await;
    ear.heard("POST alice tools/call tool:write_file insufficient_scope - 202 -");
}

#[tokio::test]
async fn sec_gw_25_without_room_nothing_is_dispatched() {
    let (ear, other) = (Ear::default(), Ear::default());
    let auth = auth(with_required())
        .observer(ear.clone())
        .observer(other.clone());
    let endpoint = Endpoint::new(&auth);
    ear.is_full.store(true, Ordering::SeqCst);
    let answer = endpoint.post("alice", &call("read_file")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(endpoint.calls(), 0);
    assert!(ear.told.lock().unwrap().is_empty(), "it had no room");
    other.heard("POST - - - unrecorded - 503 -");
    ear.is_full.store(false, Ordering::SeqCst);
    endpoint.post("alice", &call("read_file")).await;
    assert_eq!(endpoint.calls(), 1);
    ear.heard("POST alice tools/call tool:read_file allowed - 200 reached");
}

/// Fails whenever it is asked.
struct Broken;

impl Observer for Broken {
    fn answered(&self, _: &Exchange) {
        panic!("an observer with a bug");
    }
}

#[tokio::test]
async fn an_observer_that_panics_changes_no_answer() {
    let ear = Ear::default();
    let auth = auth(with_required()).observer(Broken).observer(ear.clone());
    let endpoint = Endpoint::new(&auth);
    let answer = endpoint.post("alice", LIST).await;
    assert_eq!(answer.status, StatusCode::OK);
    ear.heard("POST alice tools/list - allowed - 200 reached");
}

#[tokio::test]
async fn sec_op_01_no_secret_is_in_an_exchange() {
    let ear = Ear::default();
    let auth = auth(Tokens::default()).observer(ear.clone());
    let endpoint = Endpoint::new(&auth);
    let canary = "canary4711";
    let token = format!("Bearer {canary}");
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":"{canary}","method":"resources/read","params":{{
        "uri":"file:///a?key={canary}","_meta":{{"token":"{canary}"}},"arguments":{{"p":"{canary}"}}}}}}"#
    );
    let headers = [
        ("cookie", canary),
        ("x-api-key", canary),
        ("proxy-authorization", canary),
        ("mcp-session-id", canary),
        ("mcp-protocol-version", canary),
        ("user-agent", canary),
    ];
    let mut with_token: Vec<_> = headers.to_vec();
    with_token.push(("authorization", &token));
    // The one with this name is the user, so another one asks where its token is good.
    let good = [("authorization", "Bearer alice.canary4711")];
    for (headers, body) in [
        (&headers[..], &*body),
        (&with_token[1..3], "{"),
        (&good[..], &*body),
        (
            &[("authorization", "Bearer canary4711 canary4711")][..],
            &*body,
        ),
        (&[("authorization", "Basic canary4711")][..], &*body),
    ] {
        endpoint.send(post(headers, body)).await;
    }
    let opened = endpoint.post("alice", INITIALIZE).await;
    let session = opened.header("mcp-session-id").unwrap();
    let alice = bearer("alice");
    let inside = [("authorization", &*alice), ("mcp-session-id", session)];
    endpoint.send(post(&inside, LIST)).await;
    let named = body.replace("file:///a?key=", "https://u:p@canary4711@host/a#");
    endpoint.send(post(&inside[..1], &named)).await;
    let told = std::mem::take(&mut *ear.told.lock().unwrap());
    assert_eq!(told.len(), 8);
    for told in &told[5..7] {
        assert!(told.whole.contains("session: Some("), "{told:?}");
        assert!(!told.whole.contains(session), "{told:?}");
    }
    assert!(
        told[2].line.contains("resource:file:///a allowed"),
        "{told:?}"
    );
    for told in told {
        // What was granted is no secret, and is not part of what is told.
        let whole = told.whole.replace(r#"scopes: ["canary4711"]"#, "");
        assert!(!told.line.contains(canary), "{told:?}");
        assert!(!whole.contains(canary), "{whole}");
    }
}

#[tokio::test]
async fn where_a_request_came_from_is_the_listeners_word() {
    struct From(Arc<Mutex<Vec<String>>>);
    impl Observer for From {
        fn answered(&self, exchange: &Exchange) {
            self.0.lock().unwrap().push(format!(
                "{} {} {} {}",
                exchange.endpoint(),
                exchange.resource(),
                exchange.client_address().unwrap(),
                exchange.trace_parent().unwrap_or("-"),
            ));
        }
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let endpoint = Endpoint::new(
        &Auth::new(Tokens::default())
            .base_url(portcullis_oauth::BaseUrl::parse(BASE_PAGE).unwrap())
            .observer(From(Arc::clone(&heard))),
    );
    let alice = bearer("alice");
    let headers = [
        ("authorization", &*alice),
        ("x-forwarded-for", "203.0.113.9"),
        ("traceparent", "00-a-b-01"),
    ];
    let mut asked = post(&headers, LIST);
    let address = ClientAddress::new("192.0.2.7".parse().unwrap());
    asked.extensions_mut().insert(address);
    endpoint.send(asked).await;
    assert_eq!(
        *heard.lock().unwrap(),
        ["/mcp https://mcp.example.com/mcp 192.0.2.7 00-a-b-01"]
    );
    // The type of a token is not shown by accident.
    assert!(!format!("{:?}", BearerToken::new("canary")).contains("canary"));
}
