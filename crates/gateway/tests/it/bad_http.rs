//! A server behind that does not behave, over HTTP: its callers hear of it, and nothing is left.

use std::time::Duration;

use axum::Router;
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use portcullis_gateway::{HttpServer, Needs, Rules, Upstream};
use tower::ServiceExt as _;

use crate::raw::{Raw, Step, until};
use crate::support::{call, front, post, request, send};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const LIST: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;

fn in_front(raw: &Raw) -> Router {
    front(Upstream::http("raw", raw.url()))
}

fn filtered(raw: &Raw) -> Router {
    let rules = Rules::new().tool("x", Needs::roles(["admin"])).unwrap();
    front(Upstream::http("raw", raw.url()).rules(rules))
}

async fn nothing_is_left(raw: &Raw, why: &str) {
    until(why, || raw.open() == 0).await;
}

#[tokio::test]
async fn what_is_no_answer_is_a_json_rpc_error_with_an_incident() {
    let long = "x".repeat(4096);
    let mut steps = vec![
        ("silence", Step::Say(Vec::new()), 504),
        ("gone", Step::Close(Vec::new()), 502),
        (
            "half a head",
            Step::Close(b"HTTP/1.1 200 OK\r\nconte".to_vec()),
            502,
        ),
        (
            "garbage",
            Step::Say(b"\x00\xff hello\r\n\r\n".to_vec()),
            502,
        ),
        (
            "another protocol",
            Step::Say(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
            502,
        ),
        (
            "an endless header",
            Step::Flood(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), long.clone().into()),
            502,
        ),
        (
            "endless headers",
            Step::Flood(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".to_vec()),
            502,
        ),
        (
            "an endless first line",
            Step::Flood(b"HTTP/1.1 200 ".to_vec(), long.into()),
            502,
        ),
        (
            "endless hints",
            Step::Flood(Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
            504,
        ),
    ];
    for (name, head) in [
        (
            "another protocol from now on",
            "101 Switching Protocols\r\nupgrade: x",
        ),
        (
            "two lengths",
            "200 OK\r\ncontent-length: 2\r\ncontent-length: 3",
        ),
        ("a length that is none", "200 OK\r\ncontent-length: +2"),
        (
            "a redirect",
            "307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0",
        ),
        (
            "a compressed answer",
            "200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2",
        ),
    ] {
        let bytes = format!("HTTP/1.1 {head}\r\n\r\n{{}}");
        steps.push((name, Step::Say(bytes.into()), 502));
    }
    for (name, step, status) in steps {
        let raw = Raw::start(vec![step]).await;
        let patience = Duration::from_millis(if status == 504 { 300 } else { 60_000 });
        let server = HttpServer::new(raw.url()).answer_within(patience);
        let app = front(Upstream::http("raw", server));
        let answer = post(&app, "alice", &call("a")).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        let start = r#"{"jsonrpc":"2.0","id":7,"error":{"#;
        assert!(answer.body.starts_with(start), "{name}: {answer:?}");
        assert!(
            answer.body.contains(r#""incident":""#),
            "{name}: {answer:?}"
        );
        assert_eq!(raw.requests().len(), 1, "{name}");
        drop(app);
        nothing_is_left(&raw, name).await;
    }
}

#[tokio::test]
async fn what_breaks_off_does_not_look_whole() {
    for (name, answer) in [
        ("short", "content-length: 9\r\n\r\n{}"),
        ("cut chunk", "transfer-encoding: chunked\r\n\r\n9\r\n{}"),
        (
            "no last chunk",
            "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        ),
        (
            "bad chunk",
            "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\nxyz\r\n",
        ),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{answer}");
        let raw = Raw::start(vec![Step::Close(text.into())]).await;
        let app = in_front(&raw);
        let sent = request("POST", "/mcp", "alice", &[], &call("a"));
        let response = app.oneshot(sent).await.unwrap();
        assert!(response.into_body().collect().await.is_err(), "{name}");
        nothing_is_left(&raw, name).await;
    }
}

#[tokio::test]
async fn sec_gw_22_a_request_that_was_sent_is_never_sent_again() {
    // The second request goes out on the connection of the first, and is read, but not answered.
    let raw = Raw::start(vec![Step::Say(OK.into()), Step::Close(Vec::new())]).await;
    let app = in_front(&raw);
    assert_eq!(post(&app, "alice", &call("a")).await.status, 200);
    assert_eq!(post(&app, "alice", &call("pay")).await.status, 502);
    assert_eq!(raw.requests().len(), 2);
}

#[tokio::test]
async fn sec_rs_18_an_answer_that_nobody_asked_for_reaches_nobody() {
    let theirs = OK.replace("{}", "[]");
    for forged in [format!("{OK}{theirs}"), format!("{OK}\r\n{theirs}")] {
        let raw = Raw::start(vec![Step::Say(forged.into()), Step::Say(OK.into())]).await;
        let app = in_front(&raw);
        assert_eq!(post(&app, "mallory", &call("a")).await.body, "{}");
        for _ in 0..3 {
            let answer = post(&app, "alice", &call("a")).await;
            assert_ne!(answer.body, "[]");
        }
    }
}

#[tokio::test]
async fn sec_gw_17_an_event_without_an_end_ends_a_list() {
    let piece = vec![b'x'; 65_536];
    let raw = Raw::start(vec![Step::Flood(format!("{STREAM}data: ").into(), piece)]).await;
    let sent = request("POST", "/mcp", "alice", &[], LIST);
    let response = filtered(&raw).oneshot(sent).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    nothing_is_left(&raw, "closed").await;
}

#[tokio::test]
async fn sec_gw_17_a_flood_goes_no_faster_than_it_is_read() {
    let piece = vec![b'x'; 65_536];
    let raw = Raw::start(vec![Step::Flood(format!("{STREAM}data: ").into(), piece)]).await;
    let sent = request("POST", "/mcp", "alice", &[], &call("a"));
    let response = in_front(&raw).oneshot(sent).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    assert!(body.next().await.unwrap().is_ok());
    // Nobody reads: what is written fills the buffers of two sockets, and then waits.
    let mut before = 0;
    until("it waits", || {
        let now = raw.written();
        let waits = now == before;
        before = now;
        waits
    })
    .await;
    assert!(before < 16 * 1024 * 1024, "{before}");
    drop(body);
    nothing_is_left(&raw, "closed").await;
}

#[tokio::test]
async fn sec_gw_17_a_client_that_leaves_ends_its_request_behind() {
    let raw = Raw::start(vec![Step::Say(Vec::new())]).await;
    let app = front(Upstream::http("raw", raw.url()));
    let call = tokio::spawn(async move { post(&app, "alice", &call("slow")).await });
    until("asked", || raw.requests().len() == 1).await;
    assert_eq!(raw.open(), 1);
    call.abort();
    nothing_is_left(&raw, "closed").await;
}

#[tokio::test]
async fn a_bad_server_is_no_trouble_for_its_neighbour() {
    let bad = Raw::start(vec![Step::Say(b"garbage\r\n\r\n".to_vec())]).await;
    let good = Raw::start(vec![Step::Say(OK.into()); 20]).await;
    let app = portcullis_gateway::Gateway::new(crate::support::auth())
        .unwrap()
        .upstream(Upstream::http("bad", bad.url()).path("/bad"))
        .upstream(Upstream::http("good", good.url()).path("/good"))
        .build()
        .unwrap()
        .router();
    for _ in 0..10 {
        for (path, status) in [("/bad", 502), ("/good", 200)] {
            let answer = send(&app, request("POST", path, "alice", &[], &call("a"))).await;
            assert_eq!(answer.status, status, "{path}");
        }
    }
}
