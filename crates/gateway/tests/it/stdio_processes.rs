//! Processes that start, fail, misbehave and end.

use std::time::Duration;

use axum::body::Body;
use http::StatusCode;
use portcullis_gateway::stdio::{Isolation, StdioCommand, StdioTransport};
use portcullis_oauth::json::{Value, json};
use portcullis_testkit::CapturedLogs;

use crate::stdio_support::{
    Client, clock, command, eventually, is_alive, limits, notification, read, tool, tool_alone,
    transport,
};

#[tokio::test]
async fn a_process_that_ends_fails_what_runs() {
    let transport = transport(&[])
        .limits(limits().quiet(Duration::from_millis(50)))
        .build()
        .unwrap();
    let client = Client::open(&transport, "alice").await;
    let held = client.post(&tool(&json!("h"), "hold", &json!({}))).await;
    let answer = client.tool(&json!(2), "exit", &json!({})).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_GATEWAY, -32000)
    );
    assert_eq!(answer.last()["id"], 2);
    assert_eq!(
        answer.last()["error"]["data"]["incident"]
            .as_str()
            .map(str::len),
        Some(16)
    );
    // In a stream that was open, the error is the last event.
    let held = read(held).await;
    assert_eq!((held.status, held.code()), (StatusCode::OK, -32000));
    assert_eq!(held.last()["id"], "h");
    // The session is over, and the next one works.
    assert_eq!(
        client.tool(&json!(3), "echo", &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    Client::open(&transport, "alice").await;
    transport.stop().await;
}

#[tokio::test]
async fn last_words_are_heard() {
    let transport = transport(&[]).build().unwrap();
    for user in ["a", "b", "c", "d", "e"] {
        let client = Client::open(&transport, user).await;
        assert_eq!(client.said("last_words", &json!({})).await, "bye");
        client.send("DELETE", Body::empty(), &[]).await;
    }
    transport.stop().await;
}

#[tokio::test]
async fn what_keeps_ending_is_started_ever_later() {
    let (clock, shared) = clock();
    let transport = StdioTransport::builder("test", StdioCommand::new("false"))
        .limits(limits())
        .clock(shared)
        .build()
        .unwrap();
    let mut alice = Client::new(&transport, "alice");
    let mut knock = async || {
        let answer = alice.initialize().await;
        (answer.status, answer.retry_after)
    };
    let gone = (StatusCode::BAD_GATEWAY, None);
    assert_eq!(knock().await, gone);
    for wait in ["1", "2", "4"] {
        // The first failure costs no wait, and each later one twice as much.
        assert_eq!(knock().await, gone);
        let wait_first = (StatusCode::SERVICE_UNAVAILABLE, Some(wait.to_owned()));
        assert_eq!(knock().await, wait_first);
        clock.advance(Duration::from_secs(wait.parse().unwrap()));
    }
    // Others are not held up.
    let answer = Client::new(&transport, "bob").initialize().await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    transport.stop().await;
}

#[tokio::test]
async fn a_command_that_is_not_there_is_said_in_the_log() {
    let logs = CapturedLogs::start();
    let transport = StdioTransport::builder("files", StdioCommand::new("no-such-program"))
        .build()
        .unwrap();
    let answer = Client::new(&transport, "alice").initialize().await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_GATEWAY, -32000)
    );
    assert!(!answer.text.contains("no-such-program"), "{answer:?}");
    let incident = answer.last()["error"]["data"]["incident"]
        .as_str()
        .unwrap()
        .to_owned();
    let text = logs.text();
    for word in ["files", "no-such-program", "is it installed", &incident] {
        assert!(text.contains(word), "{word}: {text}");
    }
    transport.stop().await;
}

#[tokio::test]
async fn what_is_no_message_is_dropped() {
    let logs = CapturedLogs::start();
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    assert_eq!(client.said("garbage", &json!({})).await, "clean");
    assert!(
        logs.text().contains("no message of JSON-RPC"),
        "{}",
        logs.text()
    );
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_14_a_process_is_scanned_as_strictly_as_a_client() {
    let transport = transport(&[])
        .isolation(Isolation::Shared)
        .limits(limits().quiet(Duration::from_millis(10)))
        .build()
        .unwrap();
    let alice = Client::open(&transport, "alice").await;
    let bob = Client::open(&transport, "bob").await;
    let held = alice.post(&tool(&json!(1), "hold", &json!({}))).await;
    // An answer with two ids, one of them that of another's request, is none.
    assert_eq!(bob.said("garbage", &json!({})).await, "clean");
    bob.said("release", &json!({})).await;
    assert_eq!(read(held).await.said(), "released");
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_18_what_a_process_prints_is_a_log_line() {
    let logs = CapturedLogs::start();
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    client.tool(&json!(1), "exit", &json!({})).await;
    for what in ["giving up", "exit status: 3"] {
        eventually("it is logged", async || logs.text().contains(what)).await;
    }
    let text = logs.text();
    assert!(
        text.contains("portcullis::upstream") && !text.contains('\u{1b}'),
        "{text}"
    );
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_17_a_line_without_end_ends_the_process() {
    let transport = transport(&[])
        .limits(limits().line_bytes(10_000))
        .build()
        .unwrap();
    let client = Client::open(&transport, "alice").await;
    let fits = client.said("big", &json!({"bytes": 9000})).await;
    assert_eq!(fits.as_str().map(str::len), Some(9000));
    let answer = client
        .tool(&json!(1), "big", &json!({"bytes": 20_000}))
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_GATEWAY, -32000)
    );
    assert_eq!(
        client.tool(&json!(1), "echo", &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_17_a_flood_that_nobody_reads_ends_the_stream() {
    let transport = transport(&[]).limits(limits().queue(50)).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let mut message = tool(&json!(1), "flood", &json!({"count": 2000}));
    message["params"]["_meta"] = json!({"progressToken": 1});
    // Nobody reads the body until another request shows that the server wrote it all.
    let flood = client.post(&message).await;
    assert_eq!(
        client.said("echo", &json!({"say": "on"})).await["said"],
        "on"
    );
    let flood = read(flood).await;
    assert!(flood.messages.len() < 2000, "{}", flood.messages.len());
    assert!(flood.messages.iter().all(|message| message["id"].is_null()));
    transport.stop().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_504() {
    let (clock, shared) = clock();
    let transport = transport(&[])
        .limits(limits().request_timeout(Duration::from_millis(100)))
        .clock(shared)
        .build()
        .unwrap();
    let client = Client::open(&transport, "alice").await;
    let call = tool(&json!(1), "hold", &json!({}));
    let held = client.post(&call);
    let (held, ()) = tokio::join!(held, async {
        client.said("echo", &json!({})).await;
        clock.advance(Duration::from_millis(101));
    });
    let held = read(held).await;
    assert_eq!(
        (held.status, held.code()),
        (StatusCode::GATEWAY_TIMEOUT, -32000)
    );
    // The server hears that nobody waits any more, and goes on.
    let seen = client.said("seen", &json!({})).await;
    assert_eq!(seen[0]["method"], "notifications/cancelled");
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_17_a_process_that_reads_nothing_holds_up_its_callers_alone() {
    let (clock, shared) = clock();
    let transport = transport(&["deaf"])
        .limits(
            limits()
                .request_timeout(Duration::from_millis(100))
                .line_bytes(64 * 1024),
        )
        .clock(shared)
        .build()
        .unwrap();
    let deaf = Client::open(&transport, "alice").await;
    let big = tool(&json!(1), "echo", &json!({"say": "x".repeat(60_000)}));
    let calls = (0..8).map(|_| deaf.post(&big));
    let calls = futures_util::future::join_all(calls);
    let late = async {
        // Another's process answers meanwhile.
        let other = Client::new(&transport, "bob");
        let mut other = other.clone();
        assert_eq!(other.initialize().await.status, StatusCode::OK);
        clock.advance(Duration::from_millis(101));
    };
    let (answers, ()) = tokio::join!(calls, late);
    for answer in answers {
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    }
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_17_requests_in_a_process_are_bounded() {
    let transport = transport(&[])
        .limits(limits().calls(2).quiet(Duration::from_millis(10)))
        .build()
        .unwrap();
    let client = Client::open(&transport, "alice").await;
    let mut held = Vec::new();
    for id in 0..2 {
        held.push(client.post(&tool(&json!(id), "hold", &json!({}))).await);
    }
    let answer = client.tool(&json!(3), "echo", &json!({})).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.retry_after.as_deref(), Some("1"));
    transport.stop().await;
}

async fn family(client: &Client) -> Vec<Value> {
    let pids = client.said("fork", &json!({})).await;
    let all = [&pids["own"], &pids["near"], &pids["far"]].map(Clone::clone);
    assert!(all.iter().all(is_alive), "{pids}");
    all.to_vec()
}

async fn all_end(family: &[Value]) {
    eventually("the tree ends", async || !family.iter().any(is_alive)).await;
}

#[tokio::test]
async fn sec_gw_18_grandchildren_end_with_their_server() {
    for flags in [&[][..], &["stubborn"]] {
        let transport = transport(flags).build().unwrap();
        // By the end of the session, by its own end, and by the end of the gateway.
        let client = Client::open(&transport, "alice").await;
        let ended = family(&client).await;
        client.send("DELETE", Body::empty(), &[]).await;
        all_end(&ended).await;
        let client = Client::open(&transport, "alice").await;
        let crashed = family(&client).await;
        client.tool(&json!(1), "exit", &json!({})).await;
        all_end(&crashed).await;
        let client = Client::open(&transport, "alice").await;
        let stopped = family(&client).await;
        transport.stop().await;
        assert!(!stopped.iter().any(is_alive));
        let answer = Client::new(&transport, "alice").initialize().await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test]
async fn sec_gw_18_a_client_that_leaves_at_the_handshake_leaves_no_process() {
    let transport = StdioTransport::builder("test", StdioCommand::new("sleep").arg("1000"))
        .limits(limits().processes(1))
        .build()
        .unwrap();
    let mut client = Client::new(&transport, "alice");
    let shake = tokio::time::timeout(Duration::from_millis(50), client.initialize());
    assert!(shake.await.is_err());
    // There is room for one alone: it is free again.
    eventually("the process is gone", async || {
        let mut next = Client::new(&transport, "bob");
        let shake = tokio::time::timeout(Duration::from_millis(50), next.initialize());
        shake.await.is_err()
    })
    .await;
    transport.stop().await;
}

#[tokio::test]
async fn dropped_without_a_stop_nothing_is_left() {
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let all = family(&client).await;
    drop((transport, client));
    all_end(&all).await;
}

#[tokio::test]
async fn mistakes_are_found_before_anything_starts() {
    let build = |command: StdioCommand, isolation| {
        let built = StdioTransport::builder("test", command)
            .isolation(isolation)
            .build();
        built
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let personal = build(command(&["{sub}"]), Isolation::Shared);
    assert!(
        personal.contains("placeholder for the caller"),
        "{personal}"
    );
    assert_eq!(build(command(&["{sub}"]), Isolation::User), "");
    let odd = build(command(&["{user}"]), Isolation::User);
    assert_eq!(odd, "argument 2: has an open brace or an unknown place");
}

#[tokio::test]
async fn a_shared_process_that_crashed_is_replaced() {
    let transport = transport(&["modern"])
        .isolation(Isolation::Shared)
        .build()
        .unwrap();
    let client = Client::new(&transport, "alice");
    let call = |name: &str| tool_alone(&json!(1), name, &json!({}));
    let first = read(client.alone(&call("echo")).await).await.said();
    assert_eq!(
        client.alone(&call("exit")).await.status(),
        StatusCode::BAD_GATEWAY
    );
    let second = read(client.alone(&call("echo")).await).await.said();
    assert_ne!(first["pid"], second["pid"]);
    let note = notification("notifications/x", &json!({}));
    let version = [("mcp-protocol-version", "2026-07-28")];
    let answer = client.post_raw(note.to_string(), &version).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    transport.stop().await;
}
