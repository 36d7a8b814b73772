//! A server behind that speaks HTTP.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use http::Response;
use http_body_util::BodyExt as _;
use portcullis_gateway::{Gateway, HttpServer, Identity, Upstream};
use portcullis_oauth::BaseUrl;
use portcullis_oauth::EndpointUrl;
use portcullis_resource_server::Auth;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::raw::Raw;
use crate::support::{Behind, call, front, open, post, request, send, with_status, with_type};

#[tokio::test]
async fn bytes_go_through_unchanged_both_ways() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let asked = "{ \"jsonrpc\" : \"2.0\",\n \"id\":\"\\u0041\", \"method\":\"x/new\", \"params\":[1.50, {\"é\":null}], \"unknown\": 1e3 }";
    let told =
        "{\"id\":\"A\",\"jsonrpc\":\"2.0\",\"result\":{\"future\":[1.0,2e0],\"x\":\"\\u00e9\"}}  ";
    behind.answers_json(told);
    let answer = post(&app, "alice", asked).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, told));
    assert_eq!(behind.seen()[0].body, asked);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn sec_gw_05_the_host_is_the_configured_one() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let headers = [
        ("x-forwarded-host", "evil.example"),
        ("mcp-init-host", "evil.example"),
    ];
    let sent = request(
        "POST",
        "/mcp?url=http://evil.example",
        "alice",
        &headers,
        &call("a"),
    );
    assert_eq!(send(&app, sent).await.status, 200);
    let seen = &behind.seen()[0];
    assert_eq!(seen.headers["host"], behind.address.to_string());
    assert_eq!(seen.target, "/mcp");
    for name in [
        "x-forwarded-host",
        "mcp-init-host",
        "authorization",
        "cookie",
        "origin",
    ] {
        assert!(!seen.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn sec_gw_02_only_the_gateway_says_who_is_calling() {
    let behind = Behind::start().await;
    let identity = Identity::new().header("X-MCP-Subject", "{sub}").unwrap();
    let app = front(Upstream::http(
        "behind",
        HttpServer::new(behind.url()).identity(identity),
    ));
    let headers = [
        ("X-MCP-Subject", "mallory"),
        ("x_mcp_subject", "mallory"),
        ("connection", "x-mcp-subject"),
    ];
    send(&app, request("POST", "/mcp", "alice", &headers, &call("a"))).await;
    let seen = &behind.seen()[0];
    assert_eq!(seen.headers["x-mcp-subject"], "alice");
    assert!(!seen.headers.iter().any(|(_, value)| value == "mallory"));
}

#[tokio::test]
async fn sec_gw_15_a_challenge_from_behind_is_502() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    for status in [401, 403] {
        let mut response = with_status(status, "the secret of the server");
        let challenge = "Bearer resource_metadata=\"https://evil.example\"";
        let headers = response.headers_mut();
        headers.insert("www-authenticate", challenge.parse().unwrap());
        behind.answers(response);
        let answer = post(&app, "alice", &call("a")).await;
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("www-authenticate"), None);
    }
}

#[tokio::test]
async fn sec_op_04_an_upstreams_words_go_no_further() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    for (status, expected) in [(500, 502), (502, 502), (503, 503), (504, 504), (302, 502)] {
        behind.answers(with_status(status, "SELECT * FROM users; at main.py:7"));
        let answer = post(&app, "alice", &call("a")).await;
        assert_eq!(answer.status, expected, "{status}");
        assert!(!answer.body.contains("SELECT"), "{}", answer.body);
        assert!(
            answer
                .body
                .starts_with(r#"{"jsonrpc":"2.0","id":7,"error":{"#),
            "{}",
            answer.body
        );
        assert!(answer.body.contains("incident"), "{}", answer.body);
        assert_eq!(answer.header("retry-after").is_some(), expected == 503);
    }
}

#[tokio::test]
async fn sec_gw_20_a_redirect_from_behind_is_502() {
    let (behind, other) = (Behind::start().await, Behind::start().await);
    let app = front(behind.upstream());
    let mut response = with_status(307, "");
    let place = other.url().as_str().parse().unwrap();
    response.headers_mut().insert("location", place);
    behind.answers(response);
    let answer = post(&app, "alice", &call("a")).await;
    assert_eq!((answer.status, answer.header("location")), (502, None));
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_server_that_is_down_is_502_and_one_that_is_slow_504() {
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = unused.local_addr().unwrap();
    let url = EndpointUrl::parse(&format!("http://{address}/mcp")).unwrap();
    let slow = HttpServer::new(url.clone()).answer_within(Duration::from_millis(50));
    let app = front(Upstream::http("slow", slow));
    let answer = post(&app, "alice", &call("a")).await;
    assert_eq!(answer.status, 504, "{answer:?}");
    drop(unused);
    let app = front(Upstream::http("down", url));
    let answer = post(&app, "alice", &call("a")).await;
    assert_eq!(answer.status, 502, "{answer:?}");
}

#[tokio::test]
async fn sec_gw_22_a_call_is_never_sent_twice() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let (sender, receiver) = mpsc::channel::<std::io::Result<Bytes>>(1);
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    behind.answers(with_type("application/json", Body::from_stream(pieces)));
    let sent = request("POST", "/mcp", "alice", &[], &call("pay"));
    let begin = sender.send(Ok(Bytes::from_static(b"{\"jso")));
    let (response, _) = tokio::join!(app.oneshot(sent), begin);
    let mut body = response.unwrap().into_body().into_data_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), "{\"jso");
    sender
        .send(Err(std::io::Error::other("gone")))
        .await
        .unwrap();
    // What broke must not look whole.
    assert!(body.next().await.unwrap().is_err());
    assert_eq!(behind.seen().len(), 1);
}

#[tokio::test]
async fn a_stream_arrives_as_it_is_written_and_ends_when_the_client_leaves() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let session = open(&behind, &app, "alice").await;
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let events = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let bytes = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(bytes), receiver))
    });
    behind.answers(with_type("text/event-stream", Body::from_stream(events)));
    let headers = [("mcp-session-id", &*session), ("last-event-id", "7")];
    let sent = request("GET", "/mcp", "alice", &headers, "");
    let response = app.oneshot(sent).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    for text in [
        "data: {\"x\":1}\n\n",
        ": comment\n\n",
        "id: 8\r\ndata:\r\n\r\n",
    ] {
        sender
            .send(Bytes::from_static(text.as_bytes()))
            .await
            .unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), text);
    }
    assert_eq!(behind.seen()[1].headers["last-event-id"], "7");
    drop(body);
    sender.closed().await;
}

#[tokio::test]
async fn a_stream_that_is_silent_for_too_long_ends() {
    let behind = Behind::start().await;
    let app = front(Upstream::http(
        "behind",
        HttpServer::new(behind.url()).idle(Duration::from_millis(30)),
    ));
    let silent = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    behind.answers(with_type("text/event-stream", Body::from_stream(silent)));
    let response = app
        .oneshot(request("GET", "/mcp", "alice", &[], ""))
        .await
        .unwrap();
    let mut body = response.into_body().into_data_stream();
    assert!(body.next().await.unwrap().is_err());
}

#[tokio::test]
async fn sec_gw_15_only_known_headers_come_back() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("set-cookie", "a=b")
        .header("access-control-allow-origin", "*")
        .header("strict-transport-security", "max-age=0")
        .header("mcp-protocol-version", "2025-11-25")
        .body(Body::from("{}"));
    behind.answers(answer.unwrap());
    let answer = post(&app, "alice", &call("a")).await;
    for name in [
        "set-cookie",
        "access-control-allow-origin",
        "strict-transport-security",
    ] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.header("mcp-protocol-version"), Some("2025-11-25"));
}

#[tokio::test]
async fn sec_gw_07_trailers_stay_behind() {
    let raw = Raw::answering(&[
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntrailer: mcp-session-id\r\n\
        transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nmcp-session-id: late\r\n\r\n",
    ])
    .await;
    let app = front(Upstream::http("raw", raw.url()));
    let sent = request("POST", "/mcp", "alice", &[], &call("a"));
    let response = app.oneshot(sent).await.unwrap();
    let whole = response.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), None);
    assert_eq!(whole.to_bytes(), "{}");
}

#[tokio::test]
async fn sec_rs_15_a_session_behind_belongs_to_who_opened_it() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    assert_eq!(open(&behind, &app, "alice").await, "session-of-alice");
    let session = [("mcp-session-id", "session-of-alice")];
    for (method, body) in [
        ("POST", call("a")),
        ("GET", String::new()),
        ("DELETE", String::new()),
    ] {
        let theft = send(&app, request(method, "/mcp", "mallory", &session, &body)).await;
        assert_eq!(theft.status, 404, "{method}");
    }
    assert_eq!(behind.seen().len(), 1);
    let own = send(&app, request("POST", "/mcp", "alice", &session, &call("a"))).await;
    assert_eq!(own.status, 200);
    assert_eq!(
        behind.seen()[1].headers["mcp-session-id"],
        "session-of-alice"
    );
}

#[tokio::test]
async fn m5_every_request_of_a_session_shows_its_token() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let session = open(&behind, &app, "alice").await;
    let headers = [("mcp-session-id", &*session)];
    for (method, body) in [
        ("POST", call("a")),
        (
            "POST",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
        ),
        ("POST", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned()),
        ("GET", String::new()),
        ("DELETE", String::new()),
    ] {
        let without = request(method, "/mcp", "", &headers, &body);
        assert_eq!(send(&app, without).await.status, 401, "{method} {body}");
        let others = request(method, "/mcp", "mallory", &headers, &body);
        assert_eq!(send(&app, others).await.status, 404, "{method} {body}");
    }
    assert_eq!(behind.seen().len(), 1);
}

#[tokio::test]
async fn sec_rs_18_an_event_id_without_a_session_resumes_nothing() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let session = open(&behind, &app, "alice").await;
    let (event, session) = (("last-event-id", "7"), ("mcp-session-id", &*session));
    let stateless = ("mcp-protocol-version", "2026-07-28");
    let hidden = ("connection", "mcp-session-id");
    for headers in [
        &[event][..],
        &[event, session, stateless],
        &[event, ("mcp-session-id", ""), hidden],
    ] {
        let answer = send(&app, request("GET", "/mcp", "mallory", headers, "")).await;
        assert_eq!(answer.status, 404, "{headers:?}");
    }
    assert_eq!(behind.seen().len(), 1);
    let own = request("GET", "/mcp", "alice", &[event, session], "");
    assert_eq!(send(&app, own).await.status, 200);
}

#[tokio::test]
async fn sec_gw_04_no_path_leads_past_the_token() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    for target in [
        "/mcp",
        "/mcp/",
        "//mcp",
        "/mcp//",
        "/./mcp",
        "/x/../mcp",
        "/%2e%2e/mcp",
        "/..;/mcp",
        "/mcp;x=1",
        "/mcp%2f",
        "/%6dcp",
        "/MCP",
        "/mcp?x=/livez",
        "/livez/../mcp",
        "/.well-known/../mcp",
        "/.well-known/oauth-protected-resource/../../mcp",
        "https://mcp.example.com/mcp",
    ] {
        let headers = [
            ("x-original-url", "/livez"),
            ("x-rewrite-url", "/livez"),
            ("x-forwarded-uri", "/livez"),
            ("x-forwarded-prefix", "/livez"),
        ];
        for token in ["", "alice"] {
            let sent = request("POST", target, token, &headers, &call("a"));
            let answer = send(&app, sent).await;
            let expected: &[u16] = if token.is_empty() {
                &[401, 404]
            } else {
                &[200, 404]
            };
            assert!(expected.contains(&answer.status), "{target}: {answer:?}");
        }
    }
    // Whatever got through went to the one URL that is configured.
    for seen in behind.seen() {
        assert_eq!(seen.target, "/mcp");
        let names: Vec<&str> = seen.headers.keys().map(http::HeaderName::as_str).collect();
        assert!(
            !names.iter().any(|name| name.starts_with("x-")),
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn sec_gw_08_what_a_client_says_of_its_way_is_not_believed() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    let headers = [
        ("forwarded", "for=10.0.0.1;host=evil.example;proto=http"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-real-ip", "10.0.0.1"),
    ];
    let challenged = send(&app, request("POST", "/mcp", "", &headers, &call("a"))).await;
    let challenge = challenged.header("www-authenticate").unwrap();
    assert!(
        challenge.contains("\"https://mcp.example.com/"),
        "{challenge}"
    );
    let document = "/.well-known/oauth-protected-resource";
    let document = send(&app, request("GET", document, "", &headers, "")).await;
    assert!(
        document
            .body
            .contains(r#""resource":"https://mcp.example.com/mcp""#)
    );
    send(&app, request("POST", "/mcp", "alice", &headers, &call("a"))).await;
    for (name, _) in headers {
        assert!(!behind.seen()[0].headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn sec_gw_09_without_a_token_nothing_goes_through() {
    let behind = Behind::start().await;
    let app = front(behind.upstream());
    for method in ["POST", "GET", "DELETE", "HEAD", "PUT"] {
        let answer = send(&app, request(method, "/mcp", "", &[], "")).await;
        assert_eq!(answer.status, 401, "{method}");
    }
    assert!(behind.seen().is_empty());
}

#[tokio::test]
async fn an_open_gateway_forwards_for_everybody() {
    let behind = Behind::start().await;
    let open = Auth::dangerous()
        .allow_anonymous()
        .base_url(BaseUrl::parse("http://localhost:8000").unwrap());
    let app = Gateway::new(open)
        .unwrap()
        .upstream(behind.upstream())
        .build()
        .unwrap()
        .router();
    let sent = http::Request::post("/mcp")
        .header("host", "localhost:8000")
        .header("content-type", "application/json")
        .body(Body::from(call("a")))
        .unwrap();
    assert_eq!(send(&app, sent).await.status, 200);
}
