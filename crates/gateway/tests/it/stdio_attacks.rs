//! Callers that want what is another's.

use std::collections::HashSet;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::iter;
use http::{Request, StatusCode};
use portcullis_gateway::stdio::{Isolation, StdioTransport};
use portcullis_oauth::json::json;
use portcullis_oauth::{BaseUrl, SecretString};
use portcullis_resource_server::mcp::session::SessionLimits;
use portcullis_resource_server::{Auth, StaticToken, StaticTokenVerifier};
use tower::ServiceExt as _;

use crate::stdio_support::{
    Answer, Client, clock, eventually, is_alive, limits, notification, read, request, token, tool,
    tool_alone, transport,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_rs_18_equal_ids_never_cross() {
    let transport = transport(&[])
        .isolation(Isolation::Shared)
        .limits(limits().calls(4096))
        .build()
        .unwrap();
    let alice = Client::open(&transport, "alice").await;
    let bob = Client::open(&transport, "bob").await;
    let calls = |client: &Client, name: &'static str| {
        let client = client.clone();
        (0..1000).map(move |id| {
            let client = client.clone();
            async move {
                let answer = client.tool(&json!(id), "echo", &json!({"say": name})).await;
                assert_eq!(
                    (answer.status, &answer.last()["id"]),
                    (StatusCode::OK, &json!(id))
                );
                assert_eq!(answer.said()["said"], name);
                answer.said()["id"].as_u64().unwrap()
            }
        })
    };
    let all = join_all(calls(&alice, "alice").chain(calls(&bob, "bob"))).await;
    let own: HashSet<u64> = all.into_iter().collect();
    assert_eq!(own.len(), 2000);
    transport.stop().await;
}

fn behind_auth(transport: &StdioTransport, limits: SessionLimits) -> axum::Router {
    let verifier = ["alice", "bob"]
        .iter()
        .fold(StaticTokenVerifier::builder(), |all, name| {
            all.token(
                SecretString::from(format!("{name}-token-0123456789abcdef0123456789abcdef")),
                StaticToken::new(*name),
            )
        });
    Auth::new(verifier.build().unwrap())
        .base_url(BaseUrl::parse("http://127.0.0.1:8000").unwrap())
        .session_limits(limits)
        .protect("/mcp", transport.clone())
        .unwrap()
}

async fn over_http(app: &axum::Router, name: &str, session: Option<&str>, body: String) -> Answer {
    let mut request = Request::post("/mcp")
        .header("host", "127.0.0.1:8000")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header(
            "authorization",
            format!("Bearer {name}-token-0123456789abcdef0123456789abcdef"),
        );
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    let request = request.body(Body::from(body)).unwrap();
    read(app.clone().oneshot(request).await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_gw_19_equal_ids_never_cross_behind_auth() {
    let transport = transport(&[]).isolation(Isolation::Shared).build().unwrap();
    let app = behind_auth(&transport, SessionLimits::default());
    let hello = request(
        &json!(0),
        "initialize",
        &json!({"protocolVersion": "2025-11-25"}),
    );
    let mut sessions = Vec::new();
    for name in ["alice", "bob"] {
        let answer = over_http(&app, name, None, hello.to_string()).await;
        sessions.push((name, answer.session.unwrap()));
    }
    let call = async |id: u32, (name, session): &(&str, String)| {
        let body = tool(&json!(id), "echo", &json!({"say": name})).to_string();
        let answer = over_http(&app, name, Some(session), body).await;
        assert_eq!(answer.said()["said"], *name);
        assert_eq!(answer.last()["id"], id);
    };
    let calls = (0..1000).flat_map(|id| sessions.iter().map(move |session| (id, session)));
    iter(calls)
        .for_each_concurrent(200, |(id, session)| call(id, session))
        .await;
    // A foreign session is none.
    let body = tool(&json!(1), "echo", &json!({})).to_string();
    let stolen = over_http(&app, "bob", Some(&sessions[0].1), body).await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND);
    transport.stop().await;
}

#[tokio::test]
async fn sec_ds_08_a_session_that_ends_in_front_ends_its_process() {
    let transport = transport(&[]).build().unwrap();
    let mut limits = SessionLimits::default();
    limits.per_principal = 1;
    let app = behind_auth(&transport, limits);
    let hello = request(
        &json!(0),
        "initialize",
        &json!({"protocolVersion": "2025-11-25"}),
    );
    let mut pids = Vec::new();
    for _ in 0..2 {
        let session = over_http(&app, "alice", None, hello.to_string())
            .await
            .session;
        let body = tool(&json!(1), "echo", &json!({})).to_string();
        let answer = over_http(&app, "alice", session.as_deref(), body).await;
        pids.push(answer.said()["pid"].clone());
    }
    eventually("the first process ends", async || !is_alive(&pids[0])).await;
    assert!(is_alive(&pids[1]));
    transport.stop().await;
}

#[tokio::test]
async fn sec_rs_15_a_foreign_session_does_not_exist_on_stdio() {
    for isolation in [Isolation::Session, Isolation::User, Isolation::Shared] {
        let transport = transport(&[]).isolation(isolation).build().unwrap();
        let alice = Client::open(&transport, "alice").await;
        let mut thief = Client::new(&transport, "bob");
        thief.session.clone_from(&alice.session);
        let mut nobody = Client::with(&transport, None);
        nobody.session.clone_from(&alice.session);
        let foreign = [(&thief, "GET"), (&thief, "DELETE"), (&nobody, "GET")];
        for (client, method) in foreign {
            let answer = read(client.send(method, Body::empty(), &[]).await).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            assert_eq!(answer.text, "Not Found: Session not found");
            let answer = client.tool(&json!(1), "echo", &json!({})).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
        }
        assert_eq!(
            alice.tool(&json!(1), "echo", &json!({})).await.status,
            StatusCode::OK
        );
        transport.stop().await;
    }
}

#[tokio::test]
async fn sec_rs_15_session_ids_are_long_and_never_repeat() {
    let transport = transport(&[]).isolation(Isolation::Shared).build().unwrap();
    let mut ids = HashSet::new();
    for _ in 0..50 {
        let client = Client::open(&transport, "alice").await;
        let id = client.session.unwrap();
        assert_eq!(id.len(), 43);
        assert!(ids.insert(id));
    }
    transport.stop().await;
}

#[tokio::test]
async fn sec_ds_08_sessions_on_a_process_are_capped() {
    let transport = transport(&[])
        .isolation(Isolation::Shared)
        .limits(limits().sessions(2))
        .build()
        .unwrap();
    let first = Client::open(&transport, "alice").await;
    Client::open(&transport, "alice").await;
    let mut third = Client::new(&transport, "alice");
    let answer = third.initialize().await;
    assert_eq!(
        (answer.status, answer.session),
        (StatusCode::SERVICE_UNAVAILABLE, None)
    );
    first.send("DELETE", Body::empty(), &[]).await;
    assert_eq!(third.initialize().await.status, StatusCode::OK);
    transport.stop().await;
}

#[tokio::test]
async fn sec_ds_08_subscriptions_of_a_session_are_capped() {
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let subscribe = async |uri: String| {
        let ask = request(&json!(1), "resources/subscribe", &json!({"uri": uri}));
        read(client.post(&ask).await).await
    };
    assert_eq!(subscribe("x".repeat(5000)).await.code(), -32000);
    for at in 0..1000 {
        assert_eq!(subscribe(at.to_string()).await.last()["result"], json!({}));
    }
    assert_eq!(subscribe("one more".to_owned()).await.code(), -32000);
    assert_eq!(subscribe("7".to_owned()).await.last()["result"], json!({}));
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_17_long_ids_are_refused() {
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let long = "x".repeat(2000);
    let answer = client.tool(&json!(long), "echo", &json!({})).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, -32600)
    );
    assert_eq!(answer.last()["id"], json!(null));
    // A token of that length makes no progress.
    let mut message = tool(&json!(1), "flood", &json!({"count": 3}));
    message["params"]["_meta"] = json!({"progressToken": long});
    assert_eq!(read(client.post(&message).await).await.messages.len(), 1);
    transport.stop().await;
}

#[tokio::test]
async fn sec_rs_18_a_stream_is_never_resumed_by_event_id() {
    let transport = transport(&[]).build().unwrap();
    let alice = Client::open(&transport, "alice").await;
    let response = alice
        .send("GET", Body::empty(), &[("last-event-id", "1")])
        .await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        alice.send("GET", Body::empty(), &[]).await.status(),
        StatusCode::OK
    );
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_19_nobody_cancels_anothers_request() {
    let transport = transport(&[])
        .isolation(Isolation::Shared)
        .limits(limits().quiet(Duration::from_millis(10)))
        .build()
        .unwrap();
    let alice = Client::open(&transport, "alice").await;
    let bob = Client::open(&transport, "bob").await;
    let held = alice.post(&tool(&json!(1), "hold", &json!({}))).await;
    // Neither her id nor the number that the server knows it by.
    for id in 0..10 {
        let cancel = notification("notifications/cancelled", &json!({"requestId": id}));
        assert_eq!(bob.post(&cancel).await.status(), StatusCode::ACCEPTED);
    }
    let seen = bob.said("seen", &json!({})).await;
    assert_eq!(seen.as_array().map(Vec::len), Some(1), "{seen}");
    bob.said("release", &json!({})).await;
    assert_eq!(read(held).await.said(), "released");
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_19_nobody_answers_for_another() {
    let transport = transport(&[]).isolation(Isolation::User).build().unwrap();
    let first = Client::open(&transport, "alice").await;
    let second = Client::open(&transport, "alice").await;
    let response = first.post(&tool(&json!(1), "ask", &json!({}))).await;
    let mut stream = crate::stdio_support::Stream(response.into_body());
    let question = stream.next().await.remove(0);
    let forged = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"from": "second"}});
    second.post(&forged).await;
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"from": "first"}});
    first.post(&answer).await;
    let said = stream.next().await.remove(0).to_string();
    assert!(said.contains("first") && !said.contains("second"), "{said}");
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_19_progress_reaches_its_requester_alone() {
    let transport = transport(&[])
        .isolation(Isolation::Shared)
        .limits(limits().quiet(Duration::from_millis(10)))
        .build()
        .unwrap();
    let alice = Client::open(&transport, "alice").await;
    let bob = Client::open(&transport, "bob").await;
    let with_token = |id: u32, name: &str| {
        let mut message = tool(&json!(id), name, &json!({"count": 3}));
        message["params"]["_meta"] = json!({"progressToken": "t"});
        message
    };
    let held = alice.post(&with_token(1, "hold")).await;
    let flooded = read(bob.post(&with_token(1, "flood")).await).await;
    assert_eq!(flooded.messages.len(), 4);
    bob.said("release", &json!({})).await;
    let held = read(held).await;
    assert_eq!(held.messages.len(), 1, "{held:?}");
    // A token that nobody gave reaches nobody.
    let foreign = bob.tool(&json!(2), "foreign_progress", &json!({})).await;
    assert_eq!(foreign.messages.len(), 1, "{foreign:?}");
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_19_a_shared_server_asks_nobody() {
    let transport = transport(&[]).isolation(Isolation::Shared).build().unwrap();
    let alice = Client::open(&transport, "alice").await;
    let answer = alice.tool(&json!(1), "ask", &json!({})).await;
    assert_eq!(
        (answer.messages.len(), &answer.said()["error"]["code"]),
        (1, &json!(-32601))
    );
    let ping = alice.said("ask", &json!({"method": "ping"})).await;
    assert_eq!(ping["result"], json!({}));
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_19_a_shared_servers_log_reaches_nobody() {
    let transport = transport(&[]).isolation(Isolation::Shared).build().unwrap();
    let alice = Client::open(&transport, "alice").await;
    let mut stream = alice.listen().await;
    let answer = alice
        .tool(&json!(1), "log", &json!({"say": "secret"}))
        .await;
    assert_eq!(answer.messages.len(), 1, "{answer:?}");
    alice.said("list_changed", &json!({})).await;
    assert_eq!(
        stream.next().await[0]["method"],
        "notifications/tools/list_changed"
    );
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_19_updates_reach_subscribers_alone() {
    let transport = transport(&[]).isolation(Isolation::Shared).build().unwrap();
    let alice = Client::open(&transport, "alice").await;
    let bob = Client::open(&transport, "bob").await;
    let eve = Client::open(&transport, "eve").await;
    let mut streams = Vec::new();
    for client in [&alice, &bob, &eve] {
        streams.push(client.listen().await);
    }
    let ask = |method: &str| request(&json!(1), method, &json!({"uri": "file:///a"}));
    for client in [&alice, &bob] {
        let answer = read(client.post(&ask("resources/subscribe")).await).await;
        assert_eq!(answer.last()["result"], json!({}));
    }
    // The server goes on for bob when alice has enough.
    let answer = read(alice.post(&ask("resources/unsubscribe")).await).await;
    assert_eq!(answer.last()["result"], json!({}));
    let seen = eve.said("seen", &json!({})).await.to_string();
    assert!(!seen.contains("unsubscribe"), "{seen}");
    eve.said("update", &json!({"uri": "file:///a"})).await;
    eve.said("list_changed", &json!({})).await;
    let heard = streams[1].next().await;
    assert_eq!(heard[0]["method"], "notifications/resources/updated");
    for at in [0, 2] {
        let heard = streams[at].next().await;
        assert_eq!(
            heard[0]["method"], "notifications/tools/list_changed",
            "{at}"
        );
    }
    // Nor does one session's end change that for another.
    read(alice.post(&ask("resources/subscribe")).await).await;
    alice.send("DELETE", Body::empty(), &[]).await;
    let seen = eve.said("seen", &json!({})).await.to_string();
    assert!(!seen.contains("unsubscribe"), "{seen}");
    // With the last session that wants to hear, the server's subscription ends.
    bob.send("DELETE", Body::empty(), &[]).await;
    let seen = eve.said("seen", &json!({})).await.to_string();
    assert!(seen.contains("unsubscribe"), "{seen}");
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_18_nobody_shares_a_process_unless_asked() {
    let pid = async |client: &Client| client.said("echo", &json!({})).await["pid"].clone();
    let by_session = transport(&[]).build().unwrap();
    let first = pid(&Client::open(&by_session, "alice").await).await;
    assert_ne!(first, pid(&Client::open(&by_session, "alice").await).await);
    by_session.stop().await;

    let by_user = transport(&[]).isolation(Isolation::User).build().unwrap();
    let alice = pid(&Client::open(&by_user, "alice").await).await;
    assert_eq!(alice, pid(&Client::open(&by_user, "alice").await).await);
    assert_ne!(alice, pid(&Client::open(&by_user, "bob").await).await);
    let mut stranger = Client::with(&by_user, None);
    stranger.initialize().await;
    assert_ne!(alice, pid(&stranger).await);
    by_user.stop().await;
}

#[tokio::test]
async fn sec_gw_18_a_changed_claim_is_another_process() {
    let transport = StdioTransport::builder(
        "test",
        crate::stdio_support::command(&["modern"])
            .arg("role={claim:role}")
            .env("WHO", "{sub}"),
    )
    .isolation(Isolation::User)
    .limits(limits())
    .build()
    .unwrap();
    let as_role =
        |role: &str| Client::with(&transport, Some(token("alice", &json!({"role": role}))));
    let mut admin = as_role("admin");
    assert_eq!(admin.initialize().await.status, StatusCode::OK);
    let environment = admin.said("environment", &json!({})).await;
    assert_eq!(environment["argv"], json!(["modern", "role=admin"]));
    assert_eq!(environment["env"]["WHO"], "alice");
    // The same session with a token that says less is over.
    let mut user = as_role("user");
    user.session.clone_from(&admin.session);
    assert_eq!(
        user.tool(&json!(1), "echo", &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    user.session = None;
    assert_eq!(user.initialize().await.status, StatusCode::OK);
    let environment = user.said("environment", &json!({})).await;
    assert_eq!(environment["argv"], json!(["modern", "role=user"]));
    let call = tool_alone(&json!(1), "environment", &json!({}));
    for role in ["admin", "user"] {
        let said = read(as_role(role).alone(&call).await).await.said();
        assert_eq!(said["argv"][1], format!("role={role}"));
    }
    // Without the claim, or with one that is an option, there is no process.
    for claims in [
        json!({}),
        json!({"role": "--admin"}),
        json!({"role": "a\nb"}),
    ] {
        let mut client = Client::with(&transport, Some(token("alice", &claims)));
        let answer = client.initialize().await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, -32000)
        );
        assert!(answer.last()["error"]["data"]["incident"].is_string());
        let answer = read(client.alone(&call).await).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_18_the_environment_is_an_allow_list() {
    let command = crate::stdio_support::command(&[])
        .env("OWN", "a{{b")
        .current_dir("/");
    let transport = StdioTransport::builder("test", command)
        .limits(limits())
        .build()
        .unwrap();
    let client = Client::open(&transport, "alice").await;
    let environment = client.said("environment", &json!({})).await;
    assert_eq!(
        (&environment["cwd"], &environment["env"]["OWN"]),
        (&json!("/"), &json!("a{b"))
    );
    let allowed = [
        "HOME",
        "LOGNAME",
        "NODE_EXTRA_CA_CERTS",
        "PATH",
        "SHELL",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
    ];
    // What a shell sets by itself, where the interpreter is started by one.
    let of_shells = ["PWD", "OLDPWD", "SHLVL", "_"];
    let is_foreign = |name: &str| {
        !allowed.contains(&name)
            && !of_shells.contains(&name)
            && !["LANG", "LC_", "XDG_", "PYENV_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
    };
    // Cargo's own variables are there for the test, and not for the server.
    #[expect(clippy::disallowed_methods, reason = "what the server must not see")]
    let ours = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let foreign: Vec<String> = ours.filter(|name| is_foreign(name)).collect();
    assert!(foreign.iter().any(|name| name == "CARGO_MANIFEST_DIR"));
    for name in foreign {
        assert!(environment["env"].get(&name).is_none(), "{name}");
    }
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_17_unanswered_requests_are_bounded() {
    let transport = transport(&[]).limits(limits().queue(1000)).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let _stream = client.listen().await;
    let answer = client
        .tool(&json!(1), "ask_many", &json!({"count": 300}))
        .await;
    assert_eq!(answer.messages.len(), 257);
    eventually("what is too much is refused", async || {
        let seen = client.said("seen", &json!({})).await;
        seen.as_array()
            .is_some_and(|seen| seen.len() == 44 && seen[0]["error"]["code"] == -32601)
    })
    .await;
    transport.stop().await;
}

#[tokio::test]
async fn sec_mt_06_one_user_cannot_take_every_process() {
    let (clock, shared) = clock();
    let transport = transport(&[])
        .limits(limits().processes(4).processes_per_user(2))
        .clock(shared)
        .build()
        .unwrap();
    let mut sessions = Vec::new();
    for _ in 0..2 {
        sessions.push(Client::open(&transport, "alice").await);
        clock.advance(Duration::from_secs(1));
    }
    // One more ends the one that rested longest.
    let third = Client::open(&transport, "alice").await;
    let status = async |client: &Client| client.tool(&json!(1), "echo", &json!({})).await.status;
    assert_eq!(status(&sessions[0]).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&sessions[1]).await, StatusCode::OK);
    let bob = Client::open(&transport, "bob").await;
    assert_eq!(status(&bob).await, StatusCode::OK);
    // What is listened to does not rest.
    let _streams = (sessions[1].listen().await, third.listen().await);
    let mut fourth = Client::new(&transport, "alice");
    let answer = fourth.initialize().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.retry_after.as_deref(), Some("5"));
    transport.stop().await;
}

#[tokio::test]
async fn sec_mt_06_strangers_leave_room() {
    let transport = transport(&[])
        .limits(limits().processes(4))
        .build()
        .unwrap();
    let mut strangers = Vec::new();
    for expected in [
        StatusCode::OK,
        StatusCode::OK,
        StatusCode::SERVICE_UNAVAILABLE,
    ] {
        let mut stranger = Client::with(&transport, None);
        assert_eq!(stranger.initialize().await.status, expected);
        strangers.push(stranger);
    }
    let first = strangers[0].tool(&json!(1), "echo", &json!({})).await;
    assert_eq!(first.status, StatusCode::OK);
    Client::open(&transport, "alice").await;
    transport.stop().await;
}
