//! What a stranger, or a user who wants more, tries at the endpoint.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::{StreamExt as _, future::join_all, stream};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_oauth::jose::claims::Claims;
use portcullis_oauth::jose::compact::Verified;
use portcullis_oauth::{BaseUrl, MockClock, ResourceUrl, Scope, ScopeSet, SharedClock, scopes};
use portcullis_resource_server::mcp::session::SessionLimits;
use portcullis_resource_server::mcp::{AccessPolicy, Deciding, Decision, Operation, Target};
use portcullis_resource_server::{AccessToken, Auth, AuthLayer, TokenParts};
use portcullis_testkit::CapturedLogs;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::mcp::{Endpoint, INITIALIZE, LIST, auth, bearer, call};
use crate::support::{BASE, Tokens, request, send, with_required};

/// Headers with alice's token first.
fn as_alice<'a>(headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![("authorization", "Bearer alice.mcp~read")];
    all.extend(headers);
    all
}

#[tokio::test]
async fn sec_ds_15_a_method_is_what_it_says() {
    let endpoint = Endpoint::protected();
    for method in ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"] {
        let put = request(method, "/mcp", &as_alice(&[]), &call("write_file"));
        let answer = endpoint.send(put).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, POST, DELETE"));
    }
    for name in [
        "x-http-method-override",
        "X-HTTP-Method",
        "x-method-override",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let disguised = request(method, "/mcp", &as_alice(&[(name, "POST")]), "");
            let answer = endpoint.send(disguised).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {name}");
        }
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn sec_ds_15_only_post_has_a_body() {
    let endpoint = Endpoint::protected();
    for method in ["GET", "DELETE"] {
        let hidden = request(method, "/mcp", &as_alice(&[]), &call("write_file"));
        let answer = endpoint.send(hidden).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method}");
        let announced = as_alice(&[("content-length", "70")]);
        let answer = endpoint.send(request(method, "/mcp", &announced, "")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method}");
    }
    assert_eq!(endpoint.calls(), 0);
    // A body of unknown length is seen by nobody: the server repeats what it gets.
    let mut chunked = request("GET", "/mcp", &as_alice(&[]), "");
    let chunk = Bytes::from(call("write_file"));
    *chunked.body_mut() = Body::from_stream(stream::iter([Ok::<_, Infallible>(chunk)]));
    let answer = endpoint.send(chunked).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, ""));
}

#[tokio::test]
async fn sec_rs_07_another_charset_is_refused() {
    // In UTF-7 the name is `write_file`, which needs a scope that alice does not have.
    let body = call("+AHc-rite_file");
    let endpoint = Endpoint::protected();
    for media in [
        "application/json; charset=utf-7",
        "application/json;charset=UTF-16",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json; a=\"; charset=utf-7; b=\"",
        "application/json, application/json; charset=utf-7",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "",
    ] {
        let headers = as_alice(&[("content-type", media)]);
        let answer = endpoint
            .send(request("POST", "/mcp", &headers, &body))
            .await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media}");
    }
    let two = as_alice(&[
        ("content-type", "application/json"),
        ("content-type", "application/json; charset=utf-7"),
    ]);
    let answer = endpoint.send(request("POST", "/mcp", &two, &body)).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let mut none = request("POST", "/mcp", &as_alice(&[]), &body);
    none.headers_mut().remove("content-type");
    let answer = endpoint.send(none).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(endpoint.calls(), 0);
    for media in [
        "application/json",
        "Application/JSON;charset=utf-8",
        "application/json; charset=\"UTF-8\"",
    ] {
        let headers = as_alice(&[("content-type", media)]);
        let answer = endpoint.send(request("POST", "/mcp", &headers, LIST)).await;
        assert_eq!(answer.status, StatusCode::OK, "{media}");
    }
}

#[tokio::test]
async fn sec_ds_01_a_second_encoding_hides_no_compression() {
    let endpoint = Endpoint::protected();
    let headers = as_alice(&[
        ("content-encoding", "identity"),
        ("content-encoding", "gzip"),
    ]);
    let answer = endpoint.send(request("POST", "/mcp", &headers, LIST)).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn sec_rs_09_a_hidden_tool_never_reaches_a_server_that_does_not_ask() {
    let endpoint = Endpoint::protected();
    let answer = endpoint.post("alice", &call("secret")).await;
    assert_eq!((answer.status, endpoint.calls()), (StatusCode::OK, 0));
    assert!(answer.body.contains(r#""id":7,"error""#), "{answer:?}");
    assert!(!answer.body.contains("secret"), "{answer:?}");
    let silent = call("secret").replace(r#""id":7,"#, "");
    let answer = endpoint.post("alice", &silent).await;
    assert_eq!(
        (answer.status, &*answer.body, endpoint.calls()),
        (StatusCode::ACCEPTED, "", 0)
    );
    // Without auth there is nobody to challenge, and still somebody to refuse.
    let open = Auth::dangerous()
        .allow_anonymous()
        .base_url(BaseUrl::parse(BASE).unwrap());
    let open = Endpoint::new(&open.access_policy(Arc::new(NeedsScopes)));
    let answer = open.post("alice", &call("write_file")).await;
    assert!(answer.body.contains("Unknown tool"), "{answer:?}");
    assert_eq!(open.calls(), 0);
}

struct NeedsScopes;

impl AccessPolicy for NeedsScopes {
    fn decide<'a>(
        &'a self,
        _: Option<&'a AccessToken>,
        operation: &'a Operation<'a>,
    ) -> Deciding<'a> {
        match operation.target() {
            Target::Tool(name) if name == "panic" => panic!("a policy with a bug"),
            Target::Tool(name) if name == "later" => {
                Deciding::pending(async { panic!("a policy with a bug") })
            }
            _ => Deciding::ready(Decision::StepUp(scopes!["files:write"])),
        }
    }
}

/// Allows tools whose names begin with a word, and asks for a scope, or hides, where another does.
struct Words {
    allowed: &'static str,
    for_scope: &'static str,
    is_asked_again: bool,
}

impl AccessPolicy for Words {
    fn decide<'a>(
        &'a self,
        _: Option<&'a AccessToken>,
        operation: &'a Operation<'a>,
    ) -> Deciding<'a> {
        let Target::Tool(name) = operation.target() else {
            return Deciding::ready(Decision::Allow);
        };
        Deciding::ready(if name.contains(self.allowed) {
            Decision::Allow
        } else if name.contains(self.for_scope) {
            Decision::StepUp(ScopeSet::from_iter([Scope::from_static(self.for_scope)]))
        } else {
            Decision::Hide
        })
    }

    fn is_asked_at_dispatch(&self) -> bool {
        self.is_asked_again
    }
}

#[tokio::test]
async fn sec_rs_02_a_policy_that_is_added_opens_nothing() {
    let words = |allowed, for_scope, is_asked_again| Words {
        allowed,
        for_scope,
        is_asked_again,
    };
    let one = Auth::new(with_required()).base_url(BaseUrl::parse(BASE).unwrap());
    let one = one.access_policy(Arc::new(words("a", "x", true)));
    for is_asked_again in [false, true] {
        let both = one
            .clone()
            .access_policy(Arc::new(words("b", "y", is_asked_again)));
        let endpoint = Endpoint::new(&both);
        assert_eq!(endpoint.post("alice", &call("ab")).await.status, 200);
        assert_eq!(endpoint.calls(), 1);
        for (tool, challenged) in [
            ("xb", Some("mcp:read x")),
            ("ay", Some("mcp:read y")),
            ("xy", Some("mcp:read x y")),
            ("b", None),
            ("a", None),
            ("y", None),
            ("x", None),
        ] {
            let answer = endpoint.post("alice", &call(tool)).await;
            match challenged {
                Some(scope) => {
                    let scope = format!("scope=\"{scope}\"");
                    assert_eq!(answer.status, 403, "{tool}");
                    assert!(answer.challenge().contains(&scope), "{answer:?}");
                }
                None if !is_asked_again => {
                    assert!(answer.body.contains("Unknown tool"), "{tool}: {answer:?}");
                }
                None => {}
            }
        }
        let passed = if is_asked_again { 4 } else { 0 };
        assert_eq!(endpoint.calls(), 1 + passed, "what is asked again passes");
    }
}

#[tokio::test]
async fn sec_rs_09_a_policy_that_panics_denies() {
    let endpoint = Endpoint::new(&auth(with_required()).access_policy(Arc::new(NeedsScopes)));
    for tool in ["panic", "later"] {
        let answer = endpoint.post("alice", &call(tool)).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{tool}");
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn sec_rs_10_guarded_routes_have_the_hosts_of_mcp() {
    let routes = Router::new().route("/export", get(|| async { "all notes" }));
    let routes = auth(Tokens::default()).guard_routes(routes).unwrap();
    let ask = |host| {
        send(
            routes.clone(),
            request("GET", "/export", &[("host", host)], ""),
        )
    };
    assert_eq!(ask("mcp.example.com").await.status, StatusCode::OK);
    let answer = ask("evil.example").await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    assert!(!answer.body.contains("notes"));
}

#[tokio::test]
async fn sec_rs_01_routes_beside_mcp_always_need_a_token() {
    let auth = auth(Tokens::default()).anonymous_per_component();
    let layer = auth.layer_for("/mcp").unwrap().unwrap();
    let app = Router::new().route("/export", get(|| async { "all notes" }));
    let answer = send(app.layer(layer), request("GET", "/export", &[], "")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(!answer.body.contains("notes"));
}

#[tokio::test]
async fn sec_rs_06_a_dpop_token_is_no_way_in() {
    let tokens = Tokens::default();
    let calls = Arc::clone(&tokens.calls);
    let strict = AuthLayer::new(
        tokens,
        ResourceUrl::parse("https://mcp.example.com/").unwrap(),
    );
    for layer in [strict.clone(), strict.dangerous().allow_anonymous()] {
        let inner = service_fn(|_: Request<Body>| async {
            Ok::<_, Infallible>(Response::new(Body::from("inside")))
        });
        let bound = [("authorization", "DPoP alice.mcp~read")];
        let answer = send(layer.layer(inner), request("GET", "/", &bound, "")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.challenge().starts_with("Bearer"), "{answer:?}");
        assert!(!answer.challenge().contains("DPoP"), "it is not offered");
    }
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 0);
}

/// A server that streams events which never come, and an endpoint with room for two of a kind.
fn streaming() -> Router {
    let server = service_fn(|_: Request<Body>| async {
        let events = stream::once(async { Ok::<_, Infallible>(Bytes::from(": hello\n\n")) });
        let events = events.chain(stream::pending());
        let response = Response::builder().header("content-type", "text/event-stream");
        Ok::<_, Infallible>(response.body(Body::from_stream(events)).unwrap())
    });
    let mut limits = SessionLimits::default();
    limits.streams_per_principal = 2;
    let auth = auth(with_required()).session_limits(limits);
    auth.protect("/mcp", server).unwrap()
}

#[tokio::test]
async fn sec_ds_10_streams_of_one_principal_are_capped() {
    let app = streaming();
    let open = |who: &str, method: &'static str, path: &'static str| {
        let body = if method == "POST" { LIST } else { "" };
        let request = request(method, path, &[("authorization", &bearer(who))], body);
        app.clone().oneshot(request)
    };
    let mut first = open("alice", "GET", "/mcp").await.unwrap();
    let second = open("alice", "POST", "/mcp/").await.unwrap();
    assert_eq!(second.status(), StatusCode::OK);
    for method in ["GET", "POST"] {
        let third = open("alice", method, "/mcp").await.unwrap();
        assert_eq!(third.status(), StatusCode::SERVICE_UNAVAILABLE, "{method}");
        assert!(third.headers().contains_key("retry-after"));
    }
    assert_eq!(
        open("bob", "GET", "/mcp").await.unwrap().status(),
        StatusCode::OK,
        "others have their own places"
    );
    assert!(first.body_mut().frame().await.is_some());
    drop(first);
    let again = open("alice", "GET", "/mcp").await.unwrap();
    assert_eq!(again.status(), StatusCode::OK, "an ended stream makes room");
}

#[tokio::test]
async fn a_session_lasts_while_its_stream_is_open() {
    let server = service_fn(|request: Request<Body>| async move {
        let response = Response::builder();
        Ok::<_, Infallible>(if request.method() == "GET" {
            let events = stream::pending::<Result<Bytes, Infallible>>();
            let response = response.header("content-type", "text/event-stream");
            response.body(Body::from_stream(events)).unwrap()
        } else {
            let response = response.header("mcp-session-id", "s");
            response.body(Body::empty()).unwrap()
        })
    });
    let clock = Arc::new(MockClock::at(0));
    let auth = auth(with_required()).clock(Arc::clone(&clock) as SharedClock);
    let app = auth.protect("/mcp", server).unwrap();
    let send = |method: &'static str, session: &'static str, body: &'static str| {
        let alice = bearer("alice");
        let mut headers = vec![("authorization", alice.as_str())];
        if !session.is_empty() {
            headers.push(("mcp-session-id", session));
        }
        app.clone().oneshot(request(method, "/mcp", &headers, body))
    };
    send("POST", "", INITIALIZE).await.unwrap();
    let listening = send("GET", "s", "").await.unwrap();
    clock.advance(Duration::from_secs(60 * 60));
    let used = send("POST", "s", LIST).await.unwrap();
    assert_eq!(used.status(), StatusCode::OK);
    drop((listening, used));
    clock.advance(Duration::from_secs(30 * 60));
    let idle = send("POST", "s", LIST).await.unwrap();
    assert_eq!(idle.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sec_op_04_a_failure_shows_a_name_and_nothing_else() {
    let endpoint = Endpoint::new(&auth(Tokens::default()).access_policy(Arc::new(NeedsScopes)));
    for (who, tool, cause) in [
        ("down", "x", "the key set is out of reach"),
        ("panic", "x", "verifier_panicked"),
        ("alice", "panic", "the access policy panicked"),
    ] {
        let logs = CapturedLogs::start();
        let answer = endpoint.post(who, &call(tool)).await;
        assert!(answer.status.is_server_error(), "{answer:?}");
        let (_, rest) = answer.body.split_once(r#""incident":""#).unwrap();
        let incident = rest.get(..16).unwrap();
        assert!(incident.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let logged = logs.text();
        let line = logged.lines().find(|line| line.contains(incident)).unwrap();
        assert!(line.contains(cause), "{line}");
        assert!(!answer.body.contains(cause), "{answer:?}");
        assert!(!answer.body.contains("bug"), "{answer:?}");
    }
}

#[tokio::test]
async fn sec_ds_12_strangers_write_no_long_log_lines() {
    let long = "x".repeat(10_000);
    let token = format!("Bearer {long}");
    let tool = call(&long);
    let endpoint = Endpoint::protected();
    let logs = CapturedLogs::start();
    for headers in [
        vec![("authorization", &*token)],
        vec![("authorization", &*token), ("authorization", &*token)],
        vec![("host", &*long)],
        as_alice(&[("origin", &long)]),
        as_alice(&[("mcp-session-id", &long)]),
        as_alice(&[("mcp-protocol-version", &long)]),
        as_alice(&[("content-type", &long)]),
    ] {
        endpoint
            .send(request("POST", "/mcp", &headers, &tool))
            .await;
    }
    endpoint.post("panic", &tool).await;
    endpoint.post("expired", &tool).await;
    let text = logs.text();
    assert!(text.lines().count() >= 6, "{text}");
    for line in text.lines() {
        assert!(line.len() < 512 && !line.contains("xxxx"), "{line}");
    }
}

#[tokio::test]
async fn sec_op_05_a_stray_request_is_an_event() {
    for (header, reason) in [
        (("host", "evil.example"), "foreign_host"),
        (("host", "a b"), "ambiguous_host"),
        (("origin", "https://evil.example"), "foreign_origin"),
    ] {
        let endpoint = Endpoint::protected();
        let logs = CapturedLogs::start();
        endpoint
            .send(request("POST", "/mcp", &as_alice(&[header]), ""))
            .await;
        let events = logs.security_events();
        let [event] = &*events else {
            panic!("{events:?}")
        };
        let reason = format!("reason=\"{reason}\"");
        assert!(event.contains("event=\"stray_refused\"") && event.contains(&reason));
        logs.assert_free_of("evil");
    }
}

/// Tells whether a type can be read from what somebody sent.
struct FromText<T>(std::marker::PhantomData<T>);

impl<T: serde::de::DeserializeOwned> FromText<T> {
    #[expect(clippy::unused_self, reason = "the receiver picks the method")]
    fn is_possible(&self) -> bool {
        true
    }
}

trait Impossible {
    fn is_possible(&self) -> bool {
        false
    }
}

impl<T> Impossible for FromText<T> {}

#[test]
fn sec_jwt_40_no_text_becomes_verified_claims() {
    assert!(FromText::<String>(std::marker::PhantomData).is_possible());
    assert!(!FromText::<AccessToken>(std::marker::PhantomData).is_possible());
    assert!(!FromText::<TokenParts>(std::marker::PhantomData).is_possible());
    assert!(!FromText::<Claims>(std::marker::PhantomData).is_possible());
    assert!(!FromText::<Verified<'_>>(std::marker::PhantomData).is_possible());
}

/// Answers with the subject and the body, some other requests later.
fn echo() -> Router {
    let server = service_fn(|request: Request<Body>| async {
        let token = request.extensions().get::<AccessToken>().cloned().unwrap();
        for _ in 0..token.subject().len() % 7 {
            tokio::task::yield_now().await;
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut answer = token.subject().as_bytes().to_vec();
        answer.extend_from_slice(&body);
        Ok::<_, Infallible>(Response::new(Body::from(answer)))
    });
    let mut limits = SessionLimits::default();
    limits.streams_per_principal = 2000;
    let auth = auth(with_required()).session_limits(limits);
    auth.protect("/mcp", server).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rs_18_parallel_callers_get_their_own_answers() {
    let app = echo();
    let calls = (0..2000).map(|i| {
        let app = app.clone();
        tokio::spawn(async move {
            let who = if i % 2 == 0 { "alice" } else { "bob" };
            // The same id from everybody.
            let body = call(&format!("tool_{i}"));
            let headers = [("authorization", &*bearer(who))];
            let answer = send(app, request("POST", "/mcp", &headers, &body)).await;
            assert_eq!(answer.body, format!("{who}{body}"));
        })
    });
    for done in join_all(calls).await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_handshake_that_fails_leaves_its_place() {
    let endpoint = Endpoint::protected();
    for _ in 0..1100 {
        let answer = endpoint.post("alice", "{}").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(
        endpoint.post("alice", INITIALIZE).await.status,
        StatusCode::OK
    );
}
