//! What the transport makes of an answer.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use portcullis_client::transport::HttpTransport;
use portcullis_client::{ConnectFault, Credentials, MAX_MESSAGE, TransportError};
use portcullis_fetch::StreamClient;
use portcullis_oauth::EndpointUrl;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient as _, StreamableHttpError, StreamableHttpPostResponse,
};

use crate::support::{EVENTS, JSON, Raw, TOKEN, answer};

type Posted = Result<StreamableHttpPostResponse, StreamableHttpError<TransportError>>;

fn message(method: &str) -> ClientJsonRpcMessage {
    let text = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{}}}}"#);
    portcullis_oauth::json::from_str(&text, portcullis_oauth::json::Limits::MCP).unwrap()
}

async fn post(
    transport: &HttpTransport,
    message: ClientJsonRpcMessage,
    session: Option<&str>,
) -> Posted {
    let headers = HashMap::new();
    let session = session.map(Arc::from);
    transport
        .post_message("unused".into(), message, session, None, headers)
        .await
}

/// The fault of an answer to a request.
async fn fault(answer: Vec<u8>) -> TransportError {
    let server = Raw::always(answer).await;
    let transport = server.transport(Credentials::bearer(&TOKEN.into()).unwrap());
    match post(&transport, message("tools/list"), None).await {
        Err(StreamableHttpError::Client(error)) => {
            assert!(!format!("{error:?} {error}").contains(TOKEN), "{error:?}");
            error
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_comes_with_its_challenge() {
    let challenge =
        "WWW-Authenticate: Basic realm=\"x\", Bearer scope=\"a b\", error=\"invalid_token\"\r\n";
    match fault(answer("401 Unauthorized", challenge, "")).await {
        TransportError::Unauthorized {
            challenge,
            had_token,
        } => {
            let challenge = challenge.unwrap();
            assert!(had_token);
            assert_eq!(challenge.get("error"), Some("invalid_token"));
            assert_eq!(challenge.scopes().to_string(), "a b");
        }
        other => panic!("{other:?}"),
    }
    let bare = fault(answer("401 Unauthorized", "WWW-Authenticate: \"\r\n", "")).await;
    assert!(
        matches!(
            bare,
            TransportError::Unauthorized {
                challenge: None,
                ..
            }
        ),
        "{bare:?}"
    );

    let challenge = "WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"a\"\r\n";
    let error = fault(answer("403 Forbidden", challenge, "")).await;
    assert_eq!(error.required_scopes().to_string(), "a");
    let error = fault(answer(
        "403 Forbidden",
        JSON,
        r#"{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}"#,
    ))
    .await;
    assert!(matches!(error, TransportError::Forbidden), "{error:?}");
}

#[tokio::test]
async fn sec_cl_10_a_redirect_is_not_followed() {
    let elsewhere = Raw::always(answer("200 OK", JSON, "{}")).await;
    let location = format!("Location: {}\r\n", elsewhere.url("/"));
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        match fault(answer(status, &location, "")).await {
            TransportError::Redirected { location } => {
                assert_eq!(location.unwrap(), elsewhere.url("/"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn what_is_no_mcp_is_said_to_be_none() {
    let html = fault(answer("200 OK", "Content-Type: text/html\r\n", "<html>")).await;
    assert!(
        matches!(html, TransportError::NotMcp { content_type: Some(kind) } if kind == "text/html")
    );
    let nothing = fault(answer("200 OK", "", "")).await;
    assert!(matches!(
        nothing,
        TransportError::NotMcp { content_type: None }
    ));
    for (body, is_json) in [
        ("", false),
        ("{", false),
        ("[]", true),
        ("{}", true),
        ("\"x\"", true),
        (
            r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":7,"result":{}}"#,
            false,
        ),
    ] {
        let error = fault(answer("200 OK", JSON, body)).await;
        match error {
            TransportError::NoMessage if is_json => {}
            TransportError::Malformed(_) if !is_json => {}
            other => panic!("{body}: {other:?}"),
        }
    }
    let gone = fault(answer(
        "404 Not Found",
        "Content-Type: text/html\r\n",
        "<html>",
    ))
    .await;
    assert!(matches!(gone, TransportError::Status(status) if status == 404));
}

#[tokio::test]
async fn an_error_in_json_rpc_says_more_than_its_status() {
    for id in ["7", "null", "\"server-error\""] {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#);
        let server = Raw::always(answer("404 Not Found", JSON, &body)).await;
        let transport = server.transport(Credentials::None);
        match post(&transport, message("tools/list"), None).await.unwrap() {
            StreamableHttpPostResponse::Json(ServerJsonRpcMessage::Error(error), None) => {
                assert_eq!(error.error.code.0, -32601);
                assert_eq!(error.id.unwrap().to_string(), "7", "it answers the request");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_knows_no_discovery_is_an_older_one() {
    for status in [
        "400 Bad Request",
        "404 Not Found",
        "405 Method Not Allowed",
        "415 Unsupported",
    ] {
        let server = Raw::always(answer(status, "Content-Type: text/plain\r\n", "what?")).await;
        let transport = server.transport(Credentials::None);
        let discover = message("server/discover");
        assert!(
            matches!(&discover, ClientJsonRpcMessage::Request(request) if matches!(request.request, ClientRequest::DiscoverRequest(_)))
        );
        let said = post(&transport, discover, None).await.unwrap();
        assert!(
            matches!(
                said,
                StreamableHttpPostResponse::Json(ServerJsonRpcMessage::Error(_), _)
            ),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_session_that_is_gone_is_told_from_a_path_that_is_wrong() {
    let server = Raw::always(answer("404 Not Found", "", "")).await;
    let transport = server.transport(Credentials::None);
    let with = post(&transport, message("tools/list"), Some("s"))
        .await
        .unwrap_err();
    assert!(
        matches!(with, StreamableHttpError::SessionExpired),
        "{with:?}"
    );
    let without = post(&transport, message("tools/list"), None)
        .await
        .unwrap_err();
    assert!(
        matches!(
            without,
            StreamableHttpError::Client(TransportError::Status(_))
        ),
        "{without:?}"
    );
}

#[tokio::test]
async fn sec_an_answer_has_a_bound() {
    let long = " ".repeat(MAX_MESSAGE + 1);
    let error = fault(answer("200 OK", JSON, &long)).await;
    assert!(
        matches!(error, TransportError::TooLarge { limit } if limit == MAX_MESSAGE),
        "{error:?}"
    );
    let broken =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{".to_vec();
    let error = fault(broken).await;
    assert!(matches!(error, TransportError::Interrupted), "{error:?}");
}

/// How a stream of events ends, and what was noted of it.
async fn stream(body: &str, limit: usize) -> (usize, bool, Option<TransportError>) {
    let server = Raw::always(answer("200 OK", EVENTS, body)).await;
    let transport = server.transport(Credentials::None);
    let posted = transport.post_message_with_max_sse_event_size(
        "unused".into(),
        message("tools/list"),
        None,
        None,
        HashMap::new(),
        limit,
    );
    let StreamableHttpPostResponse::Sse(mut events, _) = posted.await.unwrap() else {
        panic!("no stream");
    };
    let mut count = 0;
    while let Some(event) = events.next().await {
        match event {
            Ok(_) => count += 1,
            Err(_) => return (count, true, transport.fault()),
        }
    }
    (count, false, transport.fault())
}

#[tokio::test]
async fn a_stream_has_its_events() {
    let (count, failed, fault) = stream("id: 1\ndata:\n\ndata: {\"a\":1}\n\n: ping\n\n", 100).await;
    assert!(count >= 2 && !failed && fault.is_none());
}

#[tokio::test]
async fn sec_an_event_is_strict_json() {
    for body in ["data: {\"a\":1,\"a\":2}\n\n", "data: hello\n\n"] {
        let (_, failed, fault) = stream(body, 100).await;
        assert!(
            failed && matches!(fault, Some(TransportError::Malformed(_))),
            "{body}: {fault:?}"
        );
    }
}

#[tokio::test]
async fn an_event_that_does_not_end_breaks_the_stream() {
    let (_, failed, fault) = stream(&format!("data: \"{}", "x".repeat(200)), 100).await;
    assert!(
        failed && matches!(fault, Some(TransportError::TooLarge { limit: 100 })),
        "{fault:?}"
    );
}

#[tokio::test]
async fn sec_cl_10_only_the_given_token_is_sent() {
    let server = Raw::always(answer("202 Accepted", "", "")).await;
    let with = server.transport(Credentials::bearer(&TOKEN.into()).unwrap());
    let headers = HashMap::from([(http::header::AUTHORIZATION, "Bearer other".parse().unwrap())]);
    let other = Some("another".to_owned());
    let _ = with
        .post_message(
            "http://elsewhere.example/".into(),
            message("ping"),
            None,
            other.clone(),
            headers.clone(),
        )
        .await;
    let without = server.transport(Credentials::None);
    let _ = without
        .post_message("unused".into(), message("ping"), None, other, headers)
        .await;
    let requests = server.requests();
    assert!(
        requests[0].contains(&format!("authorization: Bearer {TOKEN}\r\n")),
        "{requests:?}"
    );
    assert_eq!(
        requests[0].matches("authorization").count(),
        1,
        "{requests:?}"
    );
    assert!(!requests[1].contains("authorization"), "{requests:?}");
}

#[tokio::test]
async fn nobody_there_is_told_from_no_tls() {
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = unused.local_addr().unwrap().port();
    drop(unused);
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let no_tls = format!("https://{}/mcp", plain.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 No\r\n\r\n").await;
    });
    for (url, expected) in [
        (
            format!("http://127.0.0.1:{port}/mcp"),
            ConnectFault::Refused,
        ),
        (no_tls, ConnectFault::Tls),
    ] {
        let url = EndpointUrl::parse(&url).unwrap();
        let client = StreamClient::builder(url).build().unwrap();
        let transport = HttpTransport::new(client, Credentials::None);
        match post(&transport, message("ping"), None).await {
            Err(StreamableHttpError::Client(error)) => {
                assert_eq!(error.connect_fault(), Some(expected), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}
