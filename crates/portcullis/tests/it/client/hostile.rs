//! `Client` against servers that mean no good, or know no better.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Response};
use futures_util::stream;
use portcullis::Client;
use portcullis::client::{ClientError, TransportError};
use portcullis_oauth::json::{self, Limits, Value, json};
use tokio::net::TcpListener;

/// A server that answers a message by a function; its URL, and how many requests came.
async fn server(
    answer: impl Fn(&Method, &Value) -> Response<Body> + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let router = Router::new().fallback(move |method: Method, body: Bytes| {
        counted.fetch_add(1, Ordering::SeqCst);
        let message = json::value(&body, Limits::MCP).unwrap_or(Value::Null);
        let answer = answer(&method, &message);
        async move { answer }
    });
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/mcp", socket.local_addr().unwrap());
    tokio::spawn(axum::serve(socket, router).into_future());
    (url, count)
}

fn plain(status: u16, content_type: &str, body: impl Into<Body>) -> Response<Body> {
    let answer = Response::builder()
        .status(status)
        .header("content-type", content_type);
    answer.body(body.into()).unwrap()
}

fn result(message: &Value, result: &Value) -> Response<Body> {
    let body = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    plain(200, "application/json", body.to_string())
}

/// What a server of revision 2026-07-28 says first; `None` for what comes later.
fn opening(message: &Value) -> Option<Response<Body>> {
    let discovered = json!({
        "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
        "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
        "serverInfo": {"name": "s", "version": "1"},
    });
    (message["method"] == "server/discover").then(|| result(message, &discovered))
}

async fn failure(url: &str) -> ClientError {
    Client::connect(url)
        .timeout(Duration::from_secs(5))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn what_is_no_mcp_server_is_said_to_be_none() {
    let (url, _) = server(|_, _| plain(200, "text/html", "<html>")).await;
    let error = failure(&url).await;
    assert!(
        matches!(error, ClientError::Transport(TransportError::NotMcp { .. })),
        "{error:?}"
    );
    let (url, _) = server(|_, _| plain(404, "text/html", "<html>")).await;
    let error = failure(&url).await;
    assert!(
        matches!(error, ClientError::Transport(TransportError::Status(_))),
        "{error:?}"
    );
    for body in ["{", "{}", "[]", "\"x\"", "{\"a\":1,\"a\":2}"] {
        let (url, _) = server(move |_, _| plain(200, "application/json", body)).await;
        let error = failure(&url).await;
        assert!(
            matches!(
                error,
                ClientError::Transport(TransportError::NoMessage | TransportError::Malformed(_))
            ),
            "{body}: {error:?}"
        );
    }
    for body in ["data: hello\n\n", "data: {\"a\":1,\"a\":2}\n\n"] {
        let (url, _) = server(move |_, _| plain(200, "text/event-stream", body)).await;
        let error = failure(&url).await;
        assert!(
            matches!(error, ClientError::Transport(TransportError::Malformed(_))),
            "{body}: {error:?}"
        );
    }
    let (url, _) = server(|_, _| plain(200, "text/event-stream", "data: {}\n\n")).await;
    let error = failure(&url).await;
    assert!(
        matches!(error, ClientError::Closed | ClientError::Unexpected),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_refusal_is_not_asked_for_again_and_again() {
    let (url, count) = server(|_, _| plain(401, "text/plain", "no")).await;
    let error = Client::connect(&url).bearer("token").await.unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Transport(TransportError::Unauthorized { .. })
        ),
        "{error:?}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn sec_cl_10_a_client_is_not_led_elsewhere() {
    let (elsewhere, count) = server(|_, _| plain(200, "text/plain", "caught")).await;
    let (url, _) = server(move |_, _| {
        let mut answer = plain(307, "text/plain", "");
        answer
            .headers_mut()
            .insert("location", elsewhere.parse().unwrap());
        answer
    })
    .await;
    let error = Client::connect(&url).bearer("token").await.unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Transport(TransportError::Redirected { .. })
        ),
        "{error:?}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn sec_a_list_without_an_end_is_given_up() {
    let tool = json!({"name": "t", "inputSchema": {"type": "object"}});
    for (tools, next) in [(1, "same"), (200, "new")] {
        let page = json!(vec![tool.clone(); tools]);
        let (url, count) = server(move |_, message| {
            opening(message).unwrap_or_else(|| {
                let cursor = match next {
                    "same" => "again".to_owned(),
                    _ => format!("after {}", message["id"]),
                };
                let page = json!({
                    "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
                    "tools": page, "nextCursor": cursor,
                });
                result(message, &page)
            })
        })
        .await;
        let client = Client::connect(&url).await.unwrap();
        let error = client.tools().await.unwrap_err();
        assert!(matches!(error, ClientError::TooMuch), "{error:?}");
        assert!(count.load(Ordering::SeqCst) < 100, "{next}: {count:?}");
    }
}

#[tokio::test]
async fn sec_a_list_with_all_its_pages_has_a_time() {
    let (url, count) = server(|_, message| {
        opening(message).unwrap_or_else(|| {
            let body = json!({"jsonrpc": "2.0", "id": message["id"], "result": {
                "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
                "tools": [], "nextCursor": format!("after {}", message["id"]),
            }});
            // Each page is slow, and none is late.
            let slow = stream::once(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok::<_, std::io::Error>(body.to_string())
            });
            plain(200, "application/json", Body::from_stream(slow))
        })
    })
    .await;
    let client = Client::connect(&url)
        .timeout(Duration::from_secs(1))
        .await
        .unwrap();
    let error = client.tools().await.unwrap_err();
    assert!(matches!(error, ClientError::ListTimeout(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the server's list did not end within 1 s"
    );
    assert!(count.load(Ordering::SeqCst) < 100, "{count:?}");
}

#[tokio::test]
async fn a_stream_that_talks_and_never_answers_is_given_up() {
    let (url, _) = server(|_, message| {
        opening(message).unwrap_or_else(|| {
            let said = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"x\"}}\n\n";
            let endless = stream::unfold((), move |()| async move {
                tokio::task::yield_now().await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(said.as_bytes())), ()))
            });
            plain(200, "text/event-stream", Body::from_stream(endless))
        })
    })
    .await;
    let client = Client::connect(&url)
        .timeout(Duration::from_secs(1))
        .await
        .unwrap();
    let error = client.tools().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout(_)), "{error:?}");
    let error = client.call("t", ()).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/mcp", silent.local_addr().unwrap());
    let connect = Client::connect(url).timeout(Duration::from_millis(100));
    let error = connect.await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout(_)), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_said_to_have() {
    let (url, _) = server(|_, message| {
        opening(message).unwrap_or_else(|| {
            let broken = stream::iter([
                Ok(Bytes::from_static(b": hello\n\n")),
                Err(std::io::Error::other("gone")),
            ]);
            plain(200, "text/event-stream", Body::from_stream(broken))
        })
    })
    .await;
    let client = Client::connect(&url)
        .timeout(Duration::from_secs(5))
        .await
        .unwrap();
    let error = client.tools().await.unwrap_err();
    // The head of the answer may break off as well.
    assert!(
        matches!(
            error,
            ClientError::Transport(TransportError::Interrupted | TransportError::Fetch(_))
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_of_a_revision_nobody_knows_is_named() {
    let (url, _) = server(|_, message| {
        let error = json!({"code": -32022, "message": "no", "data": {"supported": ["2031-01-01"], "requested": "2026-07-28"}});
        let body = json!({"jsonrpc": "2.0", "id": message["id"], "error": error});
        plain(400, "application/json", body.to_string())
    })
    .await;
    match failure(&url).await {
        ClientError::NoCommonRevision { server } => assert_eq!(server, ["2031-01-01"]),
        other => panic!("{other:?}"),
    }
}
