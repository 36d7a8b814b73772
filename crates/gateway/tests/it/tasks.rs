//! Tasks of a server behind that cannot tell its callers apart.

use axum::Router;
use axum::body::Body;

use crate::support::{Answer, Behind, call, front, open, post, request, send, with_type};

const MADE: &str =
    r#"{"jsonrpc":"2.0","id":7,"result":{"task":{"taskId":"t1","status":"working"}}}"#;
const MADE_ALONE: &str =
    r#"{"jsonrpc":"2.0","id":7,"result":{"resultType":"task","taskId":"t2","status":"working"}}"#;

fn augmented() -> String {
    call("slow").replace(r#""name""#, r#""task":{"ttl":60000},"name""#)
}

/// A call by a client that takes tasks for answers (extension `io.modelcontextprotocol/tasks`).
fn capable() -> String {
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}},"name""#;
    call("slow").replace(r#""name""#, meta)
}

async fn about(app: &Router, token: &str, method: &str, id: &str) -> Answer {
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":8,"method":"{method}","params":{{"taskId":"{id}"}}}}"#);
    post(app, token, &body).await
}

fn is_unknown(answer: &Answer) -> bool {
    answer.status == 200
        && answer.body
            == r#"{"jsonrpc":"2.0","id":8,"error":{"code":-32602,"message":"Unknown task"}}"#
}

#[tokio::test]
async fn sec_mt_01_another_principals_task_is_unknown() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    for (asked, told, id) in [
        (augmented(), MADE, "t1"),
        (capable(), MADE_ALONE, "t2"),
        (capable().replace('/', "\\/"), MADE_ALONE, "t2"),
    ] {
        behind.answers_json(told);
        let made = post(&app, "alice", &asked).await;
        assert_eq!((made.status, made.body.as_str()), (200, told));
        let before = behind.seen().len();
        for method in ["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"] {
            let theft = about(&app, "mallory", method, id).await;
            assert!(is_unknown(&theft), "{method}: {theft:?}");
        }
        let note = r#"{"jsonrpc":"2.0","method":"tasks/cancel","params":{"taskId":"t1"}}"#;
        assert_eq!(post(&app, "mallory", note).await.status, 202);
        assert_eq!(behind.seen().len(), before);
        let own = about(&app, "alice", "tasks/get", id).await;
        assert_eq!((own.status, own.body.as_str()), (200, "{}"));
        assert_eq!(behind.seen().len(), before + 1);
    }
    assert!(is_unknown(
        &about(&app, "mallory", "tasks/delete", "t1").await
    ));
    // What nobody saw being made is nobody's.
    assert!(is_unknown(&about(&app, "alice", "tasks/get", "t3").await));
}

#[tokio::test]
async fn who_knows_no_tasks_is_told_so_as_a_server_would() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let revision = [("mcp-protocol-version", "2026-07-28")];
    let meta = r#""_meta":{"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}},"#;
    for (method, meta, status, code) in [
        ("tasks/get", "", 400, "-32021"),
        ("tasks/get", meta, 200, "-32602"),
        ("tasks/result", "", 404, "-32601"),
        ("tasks/result", meta, 404, "-32601"),
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":8,"method":"{method}","params":{{{meta}"taskId":"t1"}}}}"#
        );
        let answer = send(&app, request("POST", "/mcp", "alice", &revision, &body)).await;
        assert_eq!(answer.status, status, "{method}: {answer:?}");
        assert!(answer.body.contains(code), "{method}: {answer:?}");
    }
    assert!(behind.seen().is_empty());
}

#[tokio::test]
async fn a_task_that_is_made_in_a_stream_is_its_makers() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let events = format!(
        "id: 1\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}}\n\nid: 2\r\ndata: {MADE}\r\n\r\n"
    );
    behind.answers(with_type("text/event-stream", Body::from(events.clone())));
    let made = post(&app, "alice", &augmented()).await;
    assert_eq!(made.body, events);
    assert!(is_unknown(&about(&app, "mallory", "tasks/get", "t1").await));
    assert!(!is_unknown(&about(&app, "alice", "tasks/get", "t1").await));
}

#[tokio::test]
async fn a_task_that_is_made_in_a_stream_that_broke_is_its_makers() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let session = open(&behind, &app, "alice").await;
    let event = format!("id: 2\ndata: {MADE}\n\n");
    behind.answers(with_type("text/event-stream", Body::from(event.clone())));
    let headers = [("mcp-session-id", &*session), ("last-event-id", "1")];
    let again = send(&app, request("GET", "/mcp", "alice", &headers, "")).await;
    assert_eq!(again.body, event);
    assert!(!is_unknown(&about(&app, "alice", "tasks/get", "t1").await));
}

#[tokio::test]
async fn sec_rs_16_the_id_of_another_principals_task_is_502() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    behind.answers_json(MADE);
    post(&app, "alice", &augmented()).await;
    behind.answers_json(MADE);
    let again = post(&app, "mallory", &augmented()).await;
    assert_eq!(again.status, 502, "{again:?}");
    assert!(again.body.contains("incident"), "{again:?}");
    assert!(is_unknown(&about(&app, "mallory", "tasks/get", "t1").await));
    assert!(!is_unknown(&about(&app, "alice", "tasks/get", "t1").await));
}

#[tokio::test]
async fn sec_mt_01_a_list_of_tasks_shows_the_callers_own() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    behind.answers_json(MADE);
    post(&app, "alice", &augmented()).await;
    let list = r#"{"jsonrpc":"2.0","id":9,"method":"tasks/list"}"#;
    let all = r#"{"jsonrpc":"2.0","id":9,"result":{"tasks":[{"taskId":"t0"},{"taskId":"t1"}]}}"#;
    for (who, shown) in [
        (
            "alice",
            r#"{"jsonrpc":"2.0","id":9,"result":{"tasks":[{"taskId":"t1"}]}}"#,
        ),
        ("bob", r#"{"jsonrpc":"2.0","id":9,"result":{"tasks":[]}}"#),
    ] {
        behind.answers_json(all);
        assert_eq!(post(&app, who, list).await.body, shown, "{who}");
    }
}

#[tokio::test]
async fn sec_mt_01_nobody_listens_to_anothers_task() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    behind.answers_json(MADE);
    post(&app, "alice", &augmented()).await;
    let listen = |wanted: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":8,"method":"subscriptions/listen","params":{{"notifications":{wanted}}}}}"#
        )
    };
    let tasks = listen(r#"{"taskIds":["t1"]}"#);
    assert!(is_unknown(&post(&app, "mallory", &tasks).await));
    let odd = listen(r#"{"taskIds":"t1"}"#);
    assert!(is_unknown(&post(&app, "mallory", &odd).await));
    let lookalike = post(&app, "mallory", &listen(r#"{"TaskIds":["t1"]}"#)).await;
    assert_eq!(lookalike.status, 400);
    assert_eq!(behind.seen().len(), 1);
    for (who, wanted) in [
        ("alice", tasks),
        ("bob", listen(r#"{"toolsListChanged":true}"#)),
    ] {
        assert_eq!(post(&app, who, &wanted).await.body, "{}", "{who}");
        assert_eq!(behind.seen().last().unwrap().body, wanted);
    }
}

#[tokio::test]
async fn answers_that_are_no_task_pass_as_they_are() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let long = format!(r#"{{"result":{{"x":"{}"}}}}"#, "x".repeat(200_000));
    let mut odd = vec![
        "not json".to_owned(),
        r#"{"result":{"taskId":"t1"}}"#.to_owned(),
    ];
    odd.push(long);
    for told in odd {
        behind.answers_json(&told);
        assert_eq!(post(&app, "alice", &augmented()).await.body, told);
        let event = format!("data: {told}\n\n");
        behind.answers(with_type("text/event-stream", Body::from(event.clone())));
        assert_eq!(post(&app, "alice", &augmented()).await.body, event);
    }
    assert!(is_unknown(&about(&app, "alice", "tasks/get", "t1").await));
}
