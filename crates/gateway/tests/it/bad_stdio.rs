//! A server behind that does not behave, on stdio: its callers hear of it, and nothing is left.

use http::StatusCode;
use portcullis_gateway::stdio::{Isolation, StdioCommand, StdioTransport};
use portcullis_oauth::json::json;

use crate::stdio_support::{
    Answer, Client, eventually, is_alive, limits, read, tool_alone, transport,
};

#[tokio::test]
async fn what_ends_at_its_start_is_502_with_an_incident_and_then_503() {
    for script in [
        "exit 3",
        "echo not json; exit 0",
        "printf '{{\"jsonrpc\":\"2.0\",\"id\":1'; exit 0",
        "exec 1>&-; cat >/dev/null",
        "kill -9 $$",
    ] {
        let command = StdioCommand::new("sh").args(["-c", script]);
        let transport = StdioTransport::builder("test", command).limits(limits());
        let transport = transport.build().unwrap();
        let mut client = Client::new(&transport, "alice");
        let first = client.initialize().await;
        assert_eq!(first.status, StatusCode::BAD_GATEWAY, "{script}: {first:?}");
        let incident = first.last()["error"]["data"]["incident"].as_str();
        assert!(incident.is_some_and(|name| name.len() == 16), "{first:?}");
        assert_eq!(first.last()["id"], "init");
        assert_eq!(client.session, None);
        // It keeps ending, so it is not started again at once, for this caller alone.
        eventually("busy", async || {
            let again = client.initialize().await;
            again.status == StatusCode::SERVICE_UNAVAILABLE && again.retry_after.is_some()
        })
        .await;
        let other = Client::new(&transport, "bob").initialize().await;
        assert_eq!(other.status, StatusCode::BAD_GATEWAY, "{script}: {other:?}");
        transport.stop().await;
    }
}

#[tokio::test]
async fn sec_gw_19_answers_under_wrong_or_used_ids_reach_nobody() {
    let transport = transport(&[]).isolation(Isolation::User).build().unwrap();
    let client = Client::open(&transport, "alice").await;
    let bystander = Client::open(&transport, "alice").await;
    let held = {
        let bystander = bystander.clone();
        tokio::spawn(async move { bystander.tool(&json!(1), "hold", &json!({})).await })
    };
    eventually("held", async || {
        client.said("held", &json!({})).await == json!(1)
    })
    .await;
    let answer = client.tool(&json!("mine"), "wrong_ids", &json!({})).await;
    assert_eq!(answer.messages.len(), 1, "{answer:?}");
    assert_eq!(answer.last()["id"], "mine");
    assert_eq!(answer.said(), "right");
    assert_eq!(client.said("release", &json!({})).await, "ok");
    assert_eq!(held.await.unwrap().said(), "released");
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_19_what_is_asked_of_nobody_is_declined() {
    let transport = transport(&["early"]).isolation(Isolation::User).build();
    let transport = transport.unwrap();
    let client = Client::open(&transport, "alice").await;
    eventually("declined", async || {
        let seen = client.said("seen", &json!({})).await;
        let seen = seen.as_array().cloned().unwrap_or_default();
        seen.iter()
            .any(|it| it["answer"] == "early" && it["error"]["code"] == -32601)
    })
    .await;
    transport.stop().await;
}

#[tokio::test]
async fn sec_gw_17_a_client_that_leaves_does_no_harm() {
    let transport = transport(&["modern"]).isolation(Isolation::User).build();
    let transport = transport.unwrap();
    let client = Client::new(&transport, "alice");
    let said = |answer: Answer| answer.said();
    let echo = || tool_alone(&json!(1), "echo", &json!({}));
    let before = said(read(client.alone(&echo()).await).await);
    for _ in 0..20 {
        let client = client.clone();
        let hold = tool_alone(&json!(7), "hold", &json!({}));
        let call = tokio::spawn(async move { client.alone(&hold).await });
        tokio::task::yield_now().await;
        call.abort();
        let _ = call.await;
    }
    let after = said(read(client.alone(&echo()).await).await);
    assert_eq!(before["pid"], after["pid"]);
    let held = tool_alone(&json!(1), "held", &json!({}));
    eventually("cancelled", async || {
        said(read(client.alone(&held).await).await) == json!(0)
    })
    .await;
    let pid = before["pid"].clone();
    assert!(is_alive(&pid));
    transport.stop().await;
    assert!(!is_alive(&pid));
}
