//! Requests of 2026-07-28, to servers of both eras.

use std::time::Duration;

use http::StatusCode;
use portcullis_gateway::stdio::Isolation;
use portcullis_oauth::json::{Value, json};

use crate::stdio_support::{
    Client, Stream, clock, eventually, limits, read, request, tool_alone, transport, with_meta,
};

#[tokio::test]
async fn a_request_stands_alone() {
    let transport = transport(&["modern"]).build().unwrap();
    let alice = Client::new(&transport, "alice");
    let answer = read(
        alice
            .alone(&tool_alone(&json!("x"), "echo", &json!({"say": 1})))
            .await,
    )
    .await;
    assert_eq!((answer.status, answer.is_stream), (StatusCode::OK, false));
    assert_eq!(
        (&answer.last()["id"], answer.session.clone()),
        (&json!("x"), None)
    );
    let own = answer.said()["pid"].clone();
    // The next one finds the same process, another principal's finds another.
    let again = read(
        alice
            .alone(&tool_alone(&json!(2), "echo", &json!({})))
            .await,
    )
    .await;
    assert_eq!(again.said()["pid"], own);
    let bob = Client::new(&transport, "bob");
    let other = read(bob.alone(&tool_alone(&json!(1), "echo", &json!({}))).await).await;
    assert_ne!(other.said()["pid"], own);
    let discovery = with_meta(request(&json!(3), "server/discover", &json!({})));
    let answer = read(alice.alone(&discovery).await).await;
    assert_eq!(
        answer.last()["result"]["supportedVersions"][0],
        "2026-07-28"
    );
    transport.stop().await;
}

#[tokio::test]
async fn errors_of_the_era_have_statuses() {
    let transport = transport(&["modern"]).build().unwrap();
    let client = Client::new(&transport, "alice");
    let ping = with_meta(request(&json!(4), "ping", &json!({})));
    let answer = read(client.alone(&ping).await).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::NOT_FOUND, -32601)
    );
    assert_eq!(answer.last()["id"], 4);
    let unknown = read(
        client
            .alone(&tool_alone(&json!(5), "none", &json!({})))
            .await,
    )
    .await;
    assert_eq!((unknown.status, unknown.code()), (StatusCode::OK, -32602));

    let mut bare = tool_alone(&json!(6), "echo", &json!({}));
    bare["params"]["_meta"] = json!({});
    let answer = read(client.alone(&bare).await).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, -32602)
    );
    assert_eq!(answer.last()["id"], 6);
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {}}).to_string();
    let version = [("mcp-protocol-version", "2026-07-28")];
    let answer = read(client.post_raw(answer, &version).await).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, -32600)
    );
    for method in ["GET", "DELETE"] {
        let response = client
            .send(method, axum::body::Body::empty(), &version)
            .await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_13_a_header_that_disagrees_reaches_no_server() {
    let transport = transport(&["modern"]).build().unwrap();
    let client = Client::new(&transport, "alice");
    let message = tool_alone(&json!(7), "note", &json!({"say": "x"})).to_string();
    let version = ("mcp-protocol-version", "2026-07-28");
    let cases: [&[(&str, &str)]; 4] = [
        &[version, ("mcp-method", "tools/call"), ("mcp-name", "echo")],
        &[version, ("mcp-method", "tools/list"), ("mcp-name", "note")],
        &[version, ("mcp-method", "tools/call")],
        &[
            ("mcp-protocol-version", "2025-11-25"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "note"),
        ],
    ];
    for headers in cases {
        let answer = read(client.post_raw(message.clone(), headers).await).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, -32020)
        );
        assert_eq!(answer.last()["id"], 7);
    }
    let notes = read(
        client
            .alone(&tool_alone(&json!(1), "note", &json!({"say": "y"})))
            .await,
    )
    .await;
    assert_eq!(notes.said(), json!(["y"]));
    transport.stop().await;
}

#[tokio::test]
async fn a_subscription_keeps_its_clients_id() {
    let transport = transport(&["modern"]).build().unwrap();
    let client = Client::new(&transport, "alice");
    let listen = with_meta(request(&json!("sub"), "subscriptions/listen", &json!({})));
    let response = client.alone(&listen).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = Stream(response.into_body());
    let mut heard = stream.next().await;
    while heard.len() < 2 {
        heard.extend(stream.next().await);
    }
    assert_eq!(
        heard[0]["method"],
        "notifications/subscriptions/acknowledged"
    );
    assert_eq!(heard[1]["method"], "notifications/tools/list_changed");
    for message in heard {
        assert_eq!(
            message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
            "sub"
        );
    }
    // Closed, it is cancelled.
    drop(stream);
    cancelled_in(&client).await;
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_17_a_client_that_leaves_cancels_its_request() {
    let transport = transport(&["modern"])
        .limits(limits().quiet(Duration::from_millis(10)))
        .build()
        .unwrap();
    let client = Client::new(&transport, "alice");
    let held = client
        .alone(&tool_alone(&json!(1), "hold", &json!({})))
        .await;
    drop(held);
    cancelled_in(&client).await;
    transport.stop().await;
}

/// The server hears of one cancelled request.
async fn cancelled_in(client: &Client) {
    eventually("the request is cancelled", async || {
        let seen = read(
            client
                .alone(&tool_alone(&json!(1), "seen", &json!({})))
                .await,
        )
        .await
        .said();
        seen[0]["method"] == "notifications/cancelled" && seen[0]["params"]["requestId"].is_u64()
    })
    .await;
}

#[tokio::test]
async fn a_server_of_sessions_sends_clients_to_the_handshake() {
    for flags in [&[][..], &["quits"], &["mute"]] {
        let (clock, shared) = clock();
        let transport = transport(flags).clock(shared).build().unwrap();
        let mut client = Client::new(&transport, "alice");
        for id in 0..2 {
            let call = tool_alone(&json!(id), "echo", &json!({}));
            // One that says nothing is given up in the end.
            let impatience = async {
                let is_needed = flags == ["mute"];
                loop {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    clock.advance(Duration::from_secs(if is_needed { 10 } else { 0 }));
                }
            };
            let answer = tokio::select! {
                response = client.alone(&call) => read(response).await,
                () = impatience => continue,
            };
            // No code of the new era, or clients would not fall back.
            assert_eq!(
                (answer.status, answer.code()),
                (StatusCode::BAD_REQUEST, -32000),
                "{flags:?}"
            );
            let data = &answer.last()["error"]["data"];
            assert_eq!(data["requested"], "2026-07-28");
            assert_eq!(data["supported"][0], "2025-11-25");
            assert_eq!(answer.last()["id"], id);
        }
        let answer = client.initialize().await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(
            client.said("echo", &json!({"say": "hi"})).await["said"],
            "hi"
        );
        transport.stop().await;
    }
}

#[tokio::test]
async fn a_server_that_quits_when_asked_for_its_era_is_not_held_up() {
    let (clock, shared) = clock();
    let transport = transport(&["quits"])
        .limits(limits().idle(Duration::from_secs(1)))
        .clock(shared)
        .build()
        .unwrap();
    let mut client = Client::new(&transport, "alice");
    for _ in 0..3 {
        let answer = client
            .alone(&tool_alone(&json!(1), "echo", &json!({})))
            .await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        // It is asked again after a while.
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(client.initialize().await.status, StatusCode::OK);
    transport.stop().await;
}

#[tokio::test]
async fn a_server_of_both_eras_serves_both() {
    let transport = transport(&["modern"])
        .isolation(Isolation::User)
        .build()
        .unwrap();
    let session = Client::open(&transport, "alice").await;
    let alone = Client::new(&transport, "alice");
    let own = session.said("echo", &json!({})).await["pid"].clone();
    let other = read(
        alone
            .alone(&tool_alone(&json!(1), "echo", &json!({})))
            .await,
    )
    .await
    .said();
    // What is said in one era does not reach into the other.
    assert_ne!(other["pid"], own);
    transport.stop().await;
}

#[tokio::test]
async fn a_stateless_server_may_ask_nobody() {
    let transport = transport(&["modern"]).build().unwrap();
    let client = Client::new(&transport, "alice");
    let answer = read(
        client
            .alone(&tool_alone(&json!(1), "ask", &json!({})))
            .await,
    )
    .await;
    assert_eq!(answer.said()["error"]["code"], -32601);
    let ping = json!({"method": "ping"});
    let answer = read(client.alone(&tool_alone(&json!(1), "ask", &ping)).await).await;
    assert_eq!(answer.said(), json!({"result": {}, "error": Value::Null}));
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_13_a_mirrored_parameter_that_disagrees_reaches_no_server() {
    let transport = transport(&["modern", "mirrors"]).build().unwrap();
    let client = Client::new(&transport, "alice");
    let call = tool_alone(&json!(1), "note", &json!({"say": "x"})).to_string();
    let send = async |said: &[(&str, &str)]| {
        let mut headers = vec![
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "note"),
        ];
        headers.extend(said);
        read(client.post_raw(call.clone(), &headers).await).await
    };
    for said in [&[][..], &[("mcp-param-say", "y")]] {
        let answer = send(said).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, -32020)
        );
    }
    assert_eq!(send(&[("Mcp-Param-Say", "x")]).await.said(), json!(["x"]));
    // The tools were listed once, in two pages, and the first one again when they changed.
    let lists = async || {
        let seen = read(
            client
                .alone(&tool_alone(&json!(1), "seen", &json!({})))
                .await,
        )
        .await
        .said();
        seen.to_string().matches("tools/list").count()
    };
    assert_eq!(lists().await, 2);
    client
        .alone(&tool_alone(&json!(1), "list_changed", &json!({})))
        .await;
    assert_eq!(lists().await, 4);
    transport.stop().await;
}
