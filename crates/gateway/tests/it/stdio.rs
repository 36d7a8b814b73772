//! Sessions: messages there and back.

use std::time::Duration;

use axum::body::Body;
use http::StatusCode;
use portcullis_gateway::stdio::Isolation;
use portcullis_oauth::json::json;

use crate::stdio_support::{
    Client, clock, eventually, limits, notification, read, request, tool, transport,
};

#[tokio::test]
async fn a_session_begins_works_and_ends() {
    let transport = transport(&[]).build().unwrap();
    let mut client = Client::new(&transport, "alice");
    let answer = client.initialize().await;
    assert_eq!((answer.status, answer.is_stream), (StatusCode::OK, false));
    assert_eq!(answer.last()["id"], "init");
    assert_eq!(answer.last()["result"]["client"]["name"], "client");
    assert!(answer.session.as_ref().is_some_and(|id| id.len() == 43));
    let ready = notification("notifications/initialized", &json!({}));
    let answer = read(client.post(&ready).await).await;
    assert_eq!((answer.status, &*answer.text), (StatusCode::ACCEPTED, ""));

    let answer = client
        .tool(&json!("a\"1"), "echo", &json!({"say": "hi"}))
        .await;
    assert_eq!((answer.status, answer.is_stream), (StatusCode::OK, false));
    assert_eq!(answer.last()["id"], "a\"1");
    assert_eq!(answer.said()["said"], "hi");

    let gone = read(client.send("DELETE", Body::empty(), &[]).await).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let after = client.tool(&json!(1), "echo", &json!({})).await;
    assert_eq!(
        (after.status, &*after.text),
        (StatusCode::NOT_FOUND, "Not Found: Session not found")
    );
    transport.stop().await;
}

#[tokio::test]
async fn a_message_goes_through_byte_for_byte() {
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"raw"}}"#;
    let answer = read(client.post_raw(body, &[]).await).await;
    assert_eq!(
        answer.text,
        r#"{"jsonrpc":"2.0","x":[1.50,"\u00e9"],"id":7,"result":{"n":1e2}}"#
    );
    let lines = "{\n \"jsonrpc\":\"2.0\",\r\n\"id\":8,\"method\":\"tools/call\",\"params\":\n\
        {\"name\":\"echo\",\"arguments\":{\"say\":\"two\\nlines\"}}\n}\n";
    let answer = read(client.post_raw(lines, &[]).await).await;
    assert_eq!(answer.said()["said"], "two\nlines");
    transport.stop().await;
}

#[tokio::test]
async fn what_comes_before_the_answer_makes_it_a_stream() {
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let mut message = tool(&json!(3), "flood", &json!({"count": 3}));
    message["params"]["_meta"] = json!({"progressToken": "tok\u{e9}n"});
    let answer = read(client.post(&message).await).await;
    assert!(answer.is_stream);
    assert_eq!(answer.messages.len(), 4);
    for progress in &answer.messages[..3] {
        assert_eq!(progress["params"]["progressToken"], "tok\u{e9}n");
    }
    assert_eq!(answer.said(), "flooded");
    assert_eq!(answer.last()["id"], 3);

    let answer = client.tool(&json!(4), "log", &json!({"say": "x"})).await;
    assert_eq!(answer.methods(), ["notifications/message"]);
    transport.stop().await;
}

#[tokio::test]
async fn a_long_wait_is_a_stream_and_what_was_cancelled_ends() {
    let transport = transport(&[])
        .limits(limits().quiet(Duration::from_millis(10)))
        .build()
        .unwrap();
    let client = Client::open(&transport, "alice").await;
    let held = client.post(&tool(&json!(5), "hold", &json!({}))).await;
    assert_eq!(held.headers()["content-type"], "text/event-stream");
    let other = client.post(&tool(&json!(6), "hold", &json!({}))).await;
    let cancel = notification(
        "notifications/cancelled",
        &json!({"requestId": 5, "reason": "r"}),
    );
    assert_eq!(client.post(&cancel).await.status(), StatusCode::ACCEPTED);
    assert_eq!(read(held).await.text, "");
    // The server knows the request by another number, and the other one goes on.
    let seen = client.said("seen", &json!({})).await;
    assert_eq!(seen[0]["params"]["reason"], "r");
    assert_ne!(seen[0]["params"]["requestId"], 5);
    client.said("release", &json!({})).await;
    assert_eq!(read(other).await.said(), "released");
    transport.stop().await;
}

#[tokio::test]
async fn a_connection_that_breaks_cancels_nothing() {
    let transport = transport(&[])
        .limits(limits().quiet(Duration::from_millis(10)))
        .build()
        .unwrap();
    let client = Client::open(&transport, "alice").await;
    drop(client.post(&tool(&json!(5), "hold", &json!({}))).await);
    assert_eq!(client.said("seen", &json!({})).await, json!([]));
    transport.stop().await;
}

#[tokio::test]
async fn a_server_asks_on_the_stream_of_the_only_request() {
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let response = client.post(&tool(&json!(9), "ask", &json!({}))).await;
    let mut stream = crate::stdio_support::Stream(response.into_body());
    let question = stream.next().await.remove(0);
    assert_eq!(question["method"], "sampling/createMessage");
    assert_ne!(question["id"], "ask-1");
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"role": "user"}});
    assert_eq!(client.post(&answer).await.status(), StatusCode::ACCEPTED);
    let said = stream.next().await.remove(0);
    assert!(
        said["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("role")
    );
    // A second answer finds no question.
    assert_eq!(client.post(&answer).await.status(), StatusCode::ACCEPTED);
    assert_eq!(client.said("seen", &json!({})).await, json!([]));
    transport.stop().await;
}

#[tokio::test]
async fn a_server_asks_on_the_sessions_stream_when_more_run() {
    let transport = transport(&[])
        .limits(limits().quiet(Duration::from_millis(10)))
        .build()
        .unwrap();
    let client = Client::open(&transport, "alice").await;
    let mut stream = client.listen().await;
    assert_eq!(stream.next().await[0]["params"]["data"], "starting");
    let held = client.post(&tool(&json!(1), "hold", &json!({}))).await;
    let asking = client.post(&tool(&json!(2), "ask", &json!({}))).await;
    let question = stream.next().await.remove(0);
    assert_eq!(question["method"], "sampling/createMessage");
    let error = json!({"jsonrpc": "2.0", "id": question["id"],
        "error": {"code": -1, "message": "no"}});
    client.post(&error).await;
    assert_eq!(read(asking).await.said()["error"]["message"], "no");
    drop(held);
    transport.stop().await;
}

#[tokio::test]
async fn a_new_stream_takes_over_and_hears_what_waited() {
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let mut first = client.listen().await;
    first.next().await;
    let mut second = client.listen().await;
    assert_eq!(
        first.next().await,
        Vec::<portcullis_oauth::json::Value>::new()
    );
    client.said("list_changed", &json!({})).await;
    assert_eq!(
        second.next().await[0]["method"],
        "notifications/tools/list_changed"
    );
    drop(second);
    client.said("list_changed", &json!({})).await;
    let mut third = client.listen().await;
    assert_eq!(
        third.next().await[0]["method"],
        "notifications/tools/list_changed"
    );
    transport.stop().await;
}

#[tokio::test]
async fn sessions_of_one_user_share_what_the_server_keeps() {
    let transport = transport(&[]).isolation(Isolation::User).build().unwrap();
    let first = Client::open(&transport, "alice").await;
    let second = Client::open(&transport, "alice").await;
    let other = Client::open(&transport, "bob").await;
    assert_ne!(first.session, second.session);
    let ready = notification("notifications/initialized", &json!({}));
    for client in [&first, &second] {
        client.post(&ready).await;
    }
    // The server heard of it once.
    let seen = first.said("seen", &json!({})).await;
    assert_eq!(seen.as_array().map(Vec::len), Some(1));
    assert_eq!(first.said("note", &json!({"say": "a"})).await, json!(["a"]));
    assert_eq!(
        second.said("note", &json!({"say": "b"})).await,
        json!(["a", "b"])
    );
    assert_eq!(other.said("note", &json!({"say": "c"})).await, json!(["c"]));
    // One session's end leaves the other's process alone.
    first.send("DELETE", Body::empty(), &[]).await;
    assert_eq!(
        second.said("note", &json!({"say": "d"})).await,
        json!(["a", "b", "d"])
    );
    transport.stop().await;
}

#[tokio::test]
async fn everybody_has_a_handshake_with_a_shared_process() {
    let transport = transport(&[]).isolation(Isolation::Shared).build().unwrap();
    let mut alice = Client::new(&transport, "alice");
    let answer = alice.initialize().await;
    assert_eq!(answer.last()["id"], "init");
    assert_eq!(answer.last()["result"]["client"]["name"], "portcullis");
    let bob = Client::open(&transport, "bob").await;
    let own = async |client: &Client| client.said("echo", &json!({})).await["pid"].clone();
    assert_eq!(own(&alice).await, own(&bob).await);
    assert_eq!(
        alice.said("seen", &json!({})).await[0]["method"],
        "notifications/initialized"
    );
    transport.stop().await;
}

#[tokio::test]
async fn a_refused_handshake_opens_no_session() {
    for isolation in [Isolation::Session, Isolation::User] {
        let transport = transport(&["refuses"])
            .isolation(isolation)
            .build()
            .unwrap();
        let mut client = Client::new(&transport, "alice");
        let answer = client.initialize().await;
        assert_eq!(
            (answer.status, answer.session.clone()),
            (StatusCode::OK, None)
        );
        assert_eq!(
            (&answer.last()["id"], answer.code()),
            (&json!("init"), -32602)
        );
        transport.stop().await;
    }
}

#[tokio::test]
async fn odd_requests_are_refused() {
    let transport = transport(&[]).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let stranger = Client::new(&transport, "alice");
    let list = request(&json!(1), "tools/list", &json!({}));

    let answer = read(stranger.post(&list).await).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, -32000)
    );
    let answer = read(stranger.send("GET", Body::empty(), &[]).await).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = read(client.send("PUT", Body::empty(), &[]).await).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    let again = request(&json!(1), "initialize", &json!({}));
    assert_eq!(read(client.post(&again).await).await.code(), -32600);
    for body in [
        "",
        "[]",
        "{}",
        "{\"jsonrpc\":\"2.0\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}\n{}",
    ] {
        let answer = read(client.post_raw(body, &[]).await).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, -32600),
            "{body}"
        );
    }
    for (name, value, status) in [
        ("mcp-protocol-version", "2025-06-18", StatusCode::OK),
        (
            "mcp-protocol-version",
            "2025-01-01",
            StatusCode::BAD_REQUEST,
        ),
        ("accept", "application/json", StatusCode::NOT_ACCEPTABLE),
        ("accept", "text/event-stream", StatusCode::NOT_ACCEPTABLE),
        ("accept", "*/*", StatusCode::OK),
        ("accept", "text/*;q=0.5, application/json", StatusCode::OK),
    ] {
        let echo = tool(&json!(1), "echo", &json!({})).to_string();
        let answer = client.post_raw(echo, &[(name, value)]).await;
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
    transport.stop().await;
}

#[tokio::test]
async fn an_idle_session_ends_with_its_process() {
    let (clock, shared) = clock();
    let transport = transport(&[])
        .limits(limits().idle(Duration::from_millis(100)))
        .clock(shared)
        .build()
        .unwrap();
    let listening = Client::open(&transport, "alice").await;
    let mut stream = listening.listen().await;
    let resting = Client::open(&transport, "alice").await;
    let own = resting.said("echo", &json!({})).await["pid"].clone();
    clock.advance(Duration::from_millis(101));
    eventually("an idle process ends", async || {
        !crate::stdio_support::is_alive(&own)
    })
    .await;
    assert_eq!(
        resting.tool(&json!(1), "echo", &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        listening.tool(&json!(1), "echo", &json!({})).await.status,
        StatusCode::OK
    );
    stream.next().await;
    transport.stop().await;
}
