//! `Auth::protect`: the whole way to an MCP endpoint.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::{StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_oauth::{BaseUrl, MockClock, SharedClock, scopes};
use portcullis_resource_server::mcp::session::SessionLimits;
use portcullis_resource_server::mcp::{AccessPolicy, Deciding, Decision, Operation, Target};
use portcullis_resource_server::{AccessToken, Auth};
use portcullis_testkit::CapturedLogs;
use tower::service_fn;

use crate::support::{Answer, BASE, Tokens, request, send, with_required};

pub(crate) const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
pub(crate) const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;

/// `write_*` needs a scope, `secret` is hidden, `slow` has to be waited for.
struct Rules;

impl AccessPolicy for Rules {
    fn decide<'a>(
        &'a self,
        token: Option<&'a AccessToken>,
        operation: &'a Operation<'a>,
    ) -> Deciding<'a> {
        let needed = match operation.target() {
            Target::Tool(name) if name.starts_with("write_") => {
                scopes!["files:write", "files:read"]
            }
            Target::Tool(name) if name == "secret" => return Deciding::ready(Decision::Hide),
            Target::Tool(name) if name == "slow" => {
                return Deciding::pending(async { Decision::StepUp(scopes!["slow"]) });
            }
            _ => return Deciding::ready(Decision::Allow),
        };
        let has = token.is_some_and(|token| token.has_scopes(&needed));
        Deciding::ready(if has {
            Decision::Allow
        } else {
            Decision::StepUp(needed)
        })
    }
}

/// A server that counts its calls, repeats the body and opens a session at each handshake.
pub(crate) struct Endpoint {
    app: Router,
    calls: Arc<AtomicUsize>,
}

impl Endpoint {
    pub(crate) fn new(auth: &Auth) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let server = service_fn(move |request: Request<Body>| {
            let call = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                let named = request.headers().get("mcp-session-id").cloned();
                let cookie = request.headers().contains_key("cookie");
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let mut response = Response::builder().header("x-cookie", cookie.to_string());
                if let Some(id) = named {
                    response = response.header("x-session", id);
                } else if body == INITIALIZE {
                    response = response.header("mcp-session-id", format!("session-{call}"));
                }
                Ok::<_, Infallible>(response.body(Body::from(body)).unwrap())
            }
        });
        Self {
            app: auth.protect("/mcp", server).unwrap(),
            calls,
        }
    }

    pub(crate) fn protected() -> Self {
        Self::new(&auth(with_required()))
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(self.app.clone(), request).await
    }

    pub(crate) async fn post(&self, who: &str, body: &str) -> Answer {
        self.send(request(
            "POST",
            "/mcp",
            &[("authorization", &bearer(who))],
            body,
        ))
        .await
    }

    async fn within(&self, method: &str, who: &str, session: &str) -> Answer {
        let headers = [
            ("authorization", bearer(who)),
            ("mcp-session-id", session.to_owned()),
        ];
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let body = if method == "POST" { LIST } else { "" };
        self.send(request(method, "/mcp", &headers, body)).await
    }

    async fn open_session(&self, who: &str) -> String {
        let answer = self.post(who, INITIALIZE).await;
        answer
            .header("mcp-session-id")
            .unwrap_or_else(|| panic!("{answer:?}"))
            .to_owned()
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

pub(crate) fn auth(tokens: Tokens) -> Auth {
    Auth::new(tokens)
        .base_url(BaseUrl::parse(BASE).unwrap())
        .authorization_server("https://auth.example.com")
        .access_policy(Arc::new(Rules))
}

pub(crate) fn bearer(who: &str) -> String {
    format!("Bearer {who}.mcp~read")
}

pub(crate) fn call(tool: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
}

#[tokio::test]
async fn the_body_arrives_as_it_was_sent() {
    let body = "{ \"jsonrpc\":\"2.0\" ,\"id\":1.0e0, \"method\":\"x/y\",\"unknown\":[1, 2]}";
    let body = body.replace("1.0e0", "1");
    let answer = Endpoint::protected().post("alice", &body).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, body));
}

#[tokio::test]
async fn sec_rs_01_every_method_and_spelling_needs_a_token() {
    let endpoint = Endpoint::protected();
    for path in ["/mcp", "/mcp/", "/mcp?token=alice.mcp~read"] {
        for method in ["POST", "GET", "DELETE", "HEAD", "OPTIONS", "PUT", "BREW"] {
            let answer = endpoint
                .send(request(method, path, &[], "not even JSON"))
                .await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert!(!answer.challenge().contains("error="), "{answer:?}");
        }
    }
    for path in [
        "//mcp", "/mcp;x", "/%6dcp", "/MCP", "/mcp//", "/./mcp", "/mcp/x",
    ] {
        let answer = endpoint.send(request("POST", path, &[], LIST)).await;
        assert!(answer.status.is_client_error(), "{path}");
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn sec_rs_02_no_message_goes_without_a_token() {
    let endpoint = Endpoint::protected();
    for method in [
        "initialize",
        "ping",
        "notifications/initialized",
        "server/discover",
        "subscriptions/listen",
        "tools/call",
        "no/such/method",
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        let headers = [("content-type", "application/json"), ("last-event-id", "1")];
        let answer = endpoint
            .send(request("POST", "/mcp", &headers, &body))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method}");
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn sec_rs_10_the_guard_comes_before_the_token() {
    let endpoint = Endpoint::protected();
    let host = endpoint
        .send(request("POST", "/mcp", &[("host", "evil.example")], LIST))
        .await;
    assert_eq!(host.status, StatusCode::MISDIRECTED_REQUEST);
    let headers = [
        ("origin", "https://evil.example"),
        ("authorization", "Bearer alice.mcp~read"),
    ];
    let origin = endpoint.send(request("POST", "/mcp", &headers, LIST)).await;
    assert_eq!(origin.status, StatusCode::FORBIDDEN);
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn sec_rs_27_a_preflight_needs_no_token_and_tells_nothing() {
    let endpoint = Endpoint::new(&auth(with_required()).allow_origin("https://app.example"));
    let preflight = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,mcp-protocol-version,mcp-param-region",
        ),
    ];
    let answer = endpoint
        .send(request("OPTIONS", "/mcp", &preflight, ""))
        .await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://app.example")
    );
    assert!(
        answer
            .header("access-control-allow-methods")
            .unwrap()
            .contains("DELETE")
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("www-authenticate"), None);

    let refused = endpoint
        .send(request(
            "POST",
            "/mcp",
            &[("origin", "https://app.example")],
            "",
        ))
        .await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some("https://app.example")
    );
    let exposed = refused.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("WWW-Authenticate") && exposed.contains("Mcp-Session-Id"));
}

#[tokio::test]
async fn sec_rs_07_a_tool_scope_is_403_before_dispatch() {
    let endpoint = Endpoint::protected();
    let answer = endpoint.post("alice", &call("write_file")).await;
    assert_eq!(
        (answer.status, endpoint.calls()),
        (StatusCode::FORBIDDEN, 0)
    );
    assert!(
        answer
            .challenge()
            .contains(r#"scope="mcp:read files:write files:read""#),
        "{answer:?}"
    );
    assert!(answer.challenge().contains(r#"error="insufficient_scope""#));
    let waited = endpoint.post("alice", &call("slow")).await;
    assert_eq!(
        (waited.status, endpoint.calls()),
        (StatusCode::FORBIDDEN, 0)
    );
    let granted = "alice.mcp~read+files~write+files";
    let headers = [("authorization", format!("Bearer {granted}~read"))];
    let headers = [(headers[0].0, headers[0].1.as_str())];
    let answer = endpoint
        .send(request("POST", "/mcp", &headers, &call("write_file")))
        .await;
    assert_eq!((answer.status, endpoint.calls()), (StatusCode::OK, 1));
}

#[tokio::test]
async fn sec_rs_07_an_escaped_name_is_the_same_name() {
    let endpoint = Endpoint::protected();
    let escaped = call("x")
        .replace(r#""x""#, r#""\u0077rite_file""#)
        .replace("name", r"n\u0061me");
    let answer = endpoint.post("alice", &escaped).await;
    assert_eq!(
        (answer.status, endpoint.calls()),
        (StatusCode::FORBIDDEN, 0),
        "{escaped}"
    );
}

/// The same rules, in front of a server that asks them too.
struct AskedAgain;

impl AccessPolicy for AskedAgain {
    fn decide<'a>(
        &'a self,
        token: Option<&'a AccessToken>,
        operation: &'a Operation<'a>,
    ) -> Deciding<'a> {
        Rules.decide(token, operation)
    }

    fn is_asked_at_dispatch(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_hidden_tool_is_the_dispatchers_to_deny_where_it_asks() {
    let asked = Auth::new(with_required())
        .base_url(BaseUrl::parse(BASE).unwrap())
        .access_policy(Arc::new(AskedAgain));
    let endpoint = Endpoint::new(&asked);
    assert_eq!(
        endpoint.post("alice", &call("secret")).await.status,
        StatusCode::OK
    );
    assert_eq!(endpoint.calls(), 1);
}

#[tokio::test]
async fn without_a_token_an_anonymous_endpoint_asks_only_where_it_must() {
    let endpoint = Endpoint::new(&auth(Tokens::default()).anonymous_per_component());
    assert_eq!(
        endpoint
            .send(request("POST", "/mcp", &[], LIST))
            .await
            .status,
        StatusCode::OK
    );
    let needed = endpoint
        .send(request("POST", "/mcp", &[], &call("write_file")))
        .await;
    assert_eq!(needed.status, StatusCode::UNAUTHORIZED);
    assert!(
        needed
            .challenge()
            .contains(r#"scope="files:write files:read""#),
        "{needed:?}"
    );
    assert!(!needed.challenge().contains("error="), "{needed:?}");
    let expired = [("authorization", "Bearer expired")];
    let expired = endpoint.send(request("POST", "/mcp", &expired, LIST)).await;
    assert_eq!(expired.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sec_rs_02_anonymous_needs_a_policy() {
    let auth = Auth::new(Tokens::default())
        .base_url(BaseUrl::parse(BASE).unwrap())
        .anonymous_per_component();
    let endpoint = Endpoint::new(&auth);
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    for (method, body) in [
        ("POST", INITIALIZE),
        ("POST", LIST),
        ("POST", &call("anything")),
        ("POST", answer),
        ("GET", ""),
        ("DELETE", ""),
    ] {
        let refused = endpoint.send(request(method, "/mcp", &[], body)).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{method} {body}");
    }
    assert_eq!(endpoint.calls(), 0);
    let known = endpoint.post("alice", &call("anything")).await;
    assert_eq!(known.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_rs_15_a_session_belongs_to_whoever_opened_it() {
    let endpoint = Endpoint::protected();
    let session = endpoint.open_session("alice").await;
    let calls = endpoint.calls();
    for method in ["POST", "GET", "DELETE"] {
        let stolen = endpoint.within(method, "bob", &session).await;
        assert_eq!(stolen.status, StatusCode::NOT_FOUND, "{method}");
        let invented = endpoint.within(method, "bob", "no-such-session").await;
        assert_eq!(
            stolen.body, invented.body,
            "a foreign session looks like none"
        );
    }
    assert_eq!(endpoint.calls(), calls);
    assert_eq!(
        endpoint.within("GET", "alice", &session).await.status,
        StatusCode::OK
    );
    assert_eq!(
        endpoint.within("DELETE", "alice", &session).await.status,
        StatusCode::OK
    );
    assert_eq!(
        endpoint.within("POST", "alice", &session).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn sec_rs_15_both_spellings_share_their_sessions() {
    let endpoint = Endpoint::protected();
    let session = endpoint.open_session("alice").await;
    let headers = [
        ("authorization", bearer("bob")),
        ("mcp-session-id", session),
    ];
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let stolen = endpoint
        .send(request("POST", "/mcp/", &headers, LIST))
        .await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sec_rs_16_a_stateless_request_names_no_session() {
    let endpoint = Endpoint::protected();
    let session = endpoint.open_session("alice").await;
    let headers = [
        ("authorization", bearer("alice")),
        ("mcp-session-id", session),
        ("mcp-protocol-version", "2026-07-28".to_owned()),
    ];
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = endpoint.send(request("POST", "/mcp", &headers, LIST)).await;
    assert_eq!(
        (answer.status, answer.header("x-session")),
        (StatusCode::OK, None)
    );
}

#[tokio::test]
async fn sec_rs_16_two_session_ids_are_none() {
    let endpoint = Endpoint::protected();
    let session = endpoint.open_session("alice").await;
    let authorization = bearer("alice");
    let headers = [
        ("authorization", authorization.as_str()),
        ("mcp-session-id", &session),
        ("mcp-session-id", "other"),
    ];
    let answer = endpoint.send(request("POST", "/mcp", &headers, LIST)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sec_ds_08_a_full_server_refuses_a_handshake_and_recovers() {
    let clock = Arc::new(MockClock::at(0));
    let mut limits = SessionLimits::default();
    limits.total = 3;
    limits.per_principal = 2;
    let endpoint = Endpoint::new(
        &auth(with_required())
            .session_limits(limits)
            .clock(Arc::clone(&clock) as SharedClock),
    );
    let lost = endpoint.open_session("alice").await;
    clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        endpoint.open_session("alice").await;
    }
    let gone = endpoint.within("POST", "alice", &lost).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "one more ended it");
    endpoint.open_session("bob").await;
    let calls = endpoint.calls();
    let full = endpoint.post("carol", INITIALIZE).await;
    assert_eq!(
        (full.status, endpoint.calls()),
        (StatusCode::SERVICE_UNAVAILABLE, calls)
    );
    assert!(full.header("retry-after").is_some());
    clock.advance(Duration::from_secs(30 * 60));
    endpoint.open_session("carol").await;
}

#[tokio::test]
async fn sec_rs_15_a_thousand_callers_each_get_their_own_session() {
    let endpoint = Arc::new(Endpoint::protected());
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..1000 {
        let endpoint = Arc::clone(&endpoint);
        tasks.spawn(async move {
            let who = format!("user{i}");
            let session = endpoint.open_session(&who).await;
            let other = format!("user{}", (i + 1) % 1000);
            assert_eq!(
                endpoint.within("POST", &who, &session).await.status,
                StatusCode::OK
            );
            let stolen = endpoint.within("POST", &other, &session).await;
            assert_eq!(stolen.status, StatusCode::NOT_FOUND);
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn sec_jwt_09_repeated_members_never_reach_the_dispatcher() {
    let endpoint = Endpoint::protected();
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"write_b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"deep":[{"a":1,"a":2}]}}"#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"} {}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"",
        "\u{feff}{}",
        "",
    ] {
        let answer = endpoint.post("alice", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(
            answer.body.contains("-32700") && answer.body.contains("\"id\":null"),
            "{answer:?}"
        );
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn what_is_no_message_is_an_invalid_request() {
    let endpoint = Endpoint::protected();
    for body in [
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#,
        r#"["2.0",1,"tools/call",{"name":"write_x"}]"#,
        "7",
        "null",
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":9223372036854775808,"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":true,"method":"x"}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":{},"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":9223372036854775808,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":{},"error":{"code":1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1,"message":"x"}}"#,
    ] {
        let answer = endpoint.post("alice", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.body.contains("-32600"), "{body}: {}", answer.body);
    }
    for body in [
        r#"{"jsonrpc":"2.0","id":"a","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":["write_x"]}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":["write_x"]}}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"completion/complete","params":{"ref":{"type":"x"}}}"#,
    ] {
        let answer = endpoint.post("alice", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(
            answer.body.contains("-32602") && answer.body.contains(r#""id":"a""#),
            "{answer:?}"
        );
    }
    assert_eq!(endpoint.calls(), 0);
    for body in [
        r#"{"jsonrpc":"2.0","id":"x","result":{"action":"accept"}}"#,
        r#"{"jsonrpc":"2.0","id":-9223372036854775808,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no","data":[1]}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}"#,
    ] {
        assert_eq!(endpoint.post("alice", body).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn sec_ds_01_a_large_body_is_refused_while_it_streams() {
    let endpoint = Endpoint::protected();
    let chunk = Bytes::from(vec![b' '; 64 * 1024]);
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let chunks = stream::iter(0..1_000_000).map(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(chunk.clone())
    });
    let mut endless = request("POST", "/mcp", &[("authorization", &bearer("alice"))], "");
    *endless.body_mut() = Body::from_stream(chunks);
    let answer = endpoint.send(endless).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        sent.load(Ordering::SeqCst) <= 66,
        "{sent:?} chunks were read"
    );

    let authorization = bearer("alice");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-length", "99999999"),
    ];
    let announced = endpoint.send(request("POST", "/mcp", &headers, "")).await;
    assert_eq!(announced.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(announced.header("connection"), Some("close"));
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn sec_ds_01_a_compressed_body_is_refused() {
    let endpoint = Endpoint::protected();
    let authorization = bearer("alice");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-encoding", "gzip"),
    ];
    let answer = endpoint.send(request("POST", "/mcp", &headers, LIST)).await;
    assert_eq!(
        (answer.status, endpoint.calls()),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn sec_ds_02_a_slow_body_times_out() {
    let endpoint = Endpoint::protected();
    let mut slow = request("POST", "/mcp", &[("authorization", &bearer("alice"))], "");
    *slow.body_mut() = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let answer = endpoint.send(slow).await;
    assert_eq!(
        (answer.status, endpoint.calls()),
        (StatusCode::REQUEST_TIMEOUT, 0)
    );
}

#[tokio::test]
async fn sec_op_01_no_credentials_reach_the_server() {
    let endpoint = Endpoint::protected();
    let authorization = bearer("alice");
    let headers = [
        ("authorization", authorization.as_str()),
        ("cookie", "session=canary"),
    ];
    let answer = endpoint.send(request("POST", "/mcp", &headers, LIST)).await;
    assert_eq!(answer.header("x-cookie"), Some("false"));
}

#[tokio::test]
async fn an_open_server_has_everything_but_the_token() {
    let open = Auth::dangerous()
        .allow_anonymous()
        .base_url(BaseUrl::parse("http://localhost:8000").unwrap());
    let endpoint = Endpoint::new(&open.access_policy(Arc::new(Rules)));
    let local = [("host", "127.0.0.1:8000")];
    let send = |method, headers, body| endpoint.send(request(method, "/mcp", headers, body));
    assert_eq!(send("POST", &local, LIST).await.status, StatusCode::OK);
    assert_eq!(
        send("POST", &local, "[]").await.status,
        StatusCode::BAD_REQUEST
    );
    let foreign = [("host", "evil.example")];
    assert_eq!(
        send("POST", &foreign, LIST).await.status,
        StatusCode::MISDIRECTED_REQUEST
    );
    let page = [
        ("host", "localhost:8000"),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(
        send("POST", &page, LIST).await.status,
        StatusCode::FORBIDDEN
    );
}

#[test]
fn an_open_server_that_others_can_reach_says_so_at_start() {
    for (base, warnings) in [("http://localhost:8000", 0), ("https://mcp.example.com", 1)] {
        let logs = CapturedLogs::start();
        let open = Auth::dangerous().allow_anonymous();
        let open = open.base_url(BaseUrl::parse(base).unwrap());
        let _ = open.protect("/mcp", Router::new()).unwrap();
        let logged = logs.security_events();
        assert_eq!(logged.len(), warnings, "{base}: {logged:?}");
        assert!(
            logged.iter().all(|line| {
                line.contains("WARN") && line.contains("setting=\"allow_anonymous\"")
            })
        );
    }
}

#[test]
fn a_mount_that_cannot_work_says_so() {
    let fail = |auth: Auth, path: &str| {
        auth.protect(path, Router::new())
            .map(|_| ())
            .unwrap_err()
            .field()
            .to_owned()
    };
    assert_eq!(fail(Auth::new(Tokens::default()), "/mcp"), "base_url");
    for path in ["mcp", "", "/{x}", "/a b", "//mcp", "/*rest"] {
        assert_eq!(fail(auth(Tokens::default()), path), "path", "{path}");
    }
    assert_eq!(
        fail(auth(Tokens::default()).allow_origin("*"), "/mcp"),
        "allowed_origins"
    );
    assert_eq!(
        fail(auth(Tokens::default()).allow_host("a/b"), "/mcp"),
        "allowed_hosts"
    );
}
