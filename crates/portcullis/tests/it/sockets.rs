//! What arrives on a real socket, in shapes that no client sends.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::http::{Request, StatusCode, Version};
use axum::routing::get;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis::Server;
use portcullis_oauth::json::{self, Limits, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::attacks::whoami_server;
use crate::support::request;

/// A server on a port of its own, until this is dropped.
struct Running {
    port: u16,
    task: JoinHandle<portcullis::Result<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    async fn start(server: Server) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let task = tokio::spawn(server.serve_with_listener(socket));
        Self { port, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .unwrap()
    }

    /// Sends a request as it is, and returns the answer's status.
    async fn raw(&self, head: &str) -> u16 {
        let mut stream = self.connect().await;
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        status.unwrap_or_else(|| panic!("no answer to {head:.60}: {answer}"))
    }

    async fn get(&self, target: &str, headers: &str) -> u16 {
        let host = "Host: mcp.example.com\r\nConnection: close\r\n";
        self.raw(&format!("GET {target} HTTP/1.1\r\n{host}{headers}\r\n"))
            .await
    }
}

type Http2 = hyper::client::conn::http2::SendRequest<Full<axum::body::Bytes>>;

/// One HTTP/2 connection.
async fn http2(running: &Running) -> Http2 {
    let stream = TokioIo::new(running.connect().await);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn sec_ds_03_headers_have_limits() {
    let running = Running::start(whoami_server()).await;
    let many = |n: usize| "x-many: y\r\n".repeat(n);
    assert_eq!(running.get("/livez", &many(90)).await, 200);
    assert_eq!(running.get("/livez", &many(101)).await, 431);
    let long = |n: usize| format!("x-long: {}\r\n", "y".repeat(n));
    assert_eq!(running.get("/livez", &long(8 * 1024)).await, 200);
    assert_eq!(running.get("/livez", &long(8 * 1024 + 1)).await, 431);
    assert_eq!(running.get("/livez", &long(8 * 1024).repeat(5)).await, 431);
    // Not even a token makes the whole of them longer.
    let token = format!("authorization: Bearer {}\r\n", "t".repeat(64 * 1024));
    assert_eq!(running.get("/mcp", &token).await, 431);

    let mut http2 = http2(&running).await;
    for (count, length, status) in [
        (90, 1, StatusCode::OK),
        (101, 1, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (1, 8 * 1024 + 1, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (90, 1024, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
    ] {
        let uri = "http://mcp.example.com/livez";
        let mut request = Request::get(uri).version(Version::HTTP_2);
        for i in 0..count {
            request = request.header(format!("x-{i}"), "y".repeat(length));
        }
        let request = request.body(Full::default()).unwrap();
        let answer = http2.send_request(request).await.unwrap();
        assert_eq!(answer.status(), status, "{count} of {length}");
    }
}

#[tokio::test]
async fn sec_ds_17_a_target_is_one_path() {
    let server = whoami_server().route("/{*rest}", get(async || "reached"));
    let running = Running::start(server).await;
    assert_eq!(running.get("/files", "").await, 200);
    for target in ["//mcp.example.com/files", "//evil.example/mcp", "//", "*"] {
        assert_eq!(running.get(target, "").await, 400, "{target}");
    }
    let host = "Host: mcp.example.com\r\nConnection: close\r\n\r\n";
    assert_eq!(
        running.raw(&format!("OPTIONS * HTTP/1.1\r\n{host}")).await,
        400
    );
    // The absolute form is allowed (RFC 9112 section 3.2.2), for our own name alone.
    let ours = running.get("http://mcp.example.com/mcp", "").await;
    assert_eq!(ours, 401);
    let theirs = running.get("http://evil.example/mcp", "").await;
    assert_eq!(theirs, 400);
    for bad in ["mcp", "/a b", "", "\\\\evil\\mcp"] {
        assert_eq!(running.get(bad, "").await, 400, "{bad:?}");
    }
}

/// Two requests on one connection: how many answers there are, and the first one's status.
async fn two(running: &Running, first: &str) -> (usize, u16) {
    let mut stream = running.connect().await;
    let second = "GET /livez HTTP/1.1\r\nHost: mcp.example.com\r\nConnection: close\r\n\r\n";
    let _ = stream
        .write_all(format!("{first}{second}").as_bytes())
        .await;
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers).await;
    let answers = String::from_utf8_lossy(&answers);
    let status = answers.split(' ').nth(1).and_then(|code| code.parse().ok());
    (answers.matches("HTTP/1.1 ").count(), status.unwrap_or(0))
}

#[tokio::test]
async fn sec_ds_17_a_coding_is_chunked_or_none() {
    let running = Running::start(whoami_server()).await;
    let post = |headers: &str, body: &str| {
        let host = "Host: mcp.example.com\r\nContent-Type: application/json\r\n";
        format!("POST /livez HTTP/1.1\r\n{host}{headers}\r\n{body}")
    };
    let chunks = "2\r\n{}\r\n0\r\n\r\n";
    let good = two(&running, &post("Transfer-Encoding: Chunked\r\n", chunks)).await;
    assert_eq!(good, (2, 405), "the route's own answer, and the next one");
    for bad in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding: \r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 0x2\r\n",
        "Content-Length: 2, 2\r\n",
    ] {
        assert_eq!(two(&running, &post(bad, chunks)).await, (1, 400), "{bad:?}");
    }
    // Of a length beside chunks the length is dropped, and what follows them is no request.
    for both in [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
    ] {
        assert_eq!(two(&running, &post(both, chunks)).await.0, 1, "{both:?}");
    }
    let old =
        "POST /livez HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(two(&running, &format!("{old}{chunks}")).await, (1, 400));
}

#[tokio::test]
async fn sec_ds_17_a_request_names_one_host() {
    let running = Running::start(whoami_server()).await;
    let get = |target: &str, hosts: &str| format!("GET {target} HTTP/1.1\r\n{hosts}\r\n");
    let ours = "Host: mcp.example.com\r\n";
    for target in [
        "/livez",
        "http://mcp.example.com/livez",
        "https://MCP.example.com/livez",
        "http://mcp.example.com:80/livez",
    ] {
        assert_eq!(
            two(&running, &get(target, ours)).await,
            (2, 200),
            "{target}"
        );
    }
    for (target, hosts) in [
        ("/livez", ""),
        (
            "/livez",
            "Host: mcp.example.com\r\nHost: mcp.example.com\r\n",
        ),
        ("/livez", "Host: mcp.example.com\r\nHost: evil.example\r\n"),
        ("/livez", "Host: user@mcp.example.com\r\n"),
        ("/livez", "Host: a b\r\n"),
        ("/livez", "Host: mcp.example.com/x\r\n"),
        ("http://mcp.example.com/livez", ""),
        ("http://evil.example/livez", ours),
        ("http://mcp.example.com:8000/livez", ours),
        ("http://user@mcp.example.com/livez", ours),
        ("http://evil.example@mcp.example.com/livez", ours),
        ("http://mcp.example.com@evil.example/livez", ours),
        ("ftp://mcp.example.com/livez", ours),
        ("file://mcp.example.com/livez", ours),
        ("mcp.example.com:80", ours),
    ] {
        let seen = two(&running, &get(target, hosts)).await;
        assert_eq!(seen, (1, 400), "{target} {hosts}");
    }
    let mut http2 = http2(&running).await;
    for (uri, host, status) in [
        ("http://mcp.example.com/livez", None, StatusCode::OK),
        (
            "http://mcp.example.com/livez",
            Some("mcp.example.com"),
            StatusCode::OK,
        ),
        (
            "http://mcp.example.com/livez",
            Some("evil.example"),
            StatusCode::BAD_REQUEST,
        ),
        (
            "http://user@mcp.example.com/livez",
            None,
            StatusCode::BAD_REQUEST,
        ),
        ("ftp://mcp.example.com/livez", None, StatusCode::BAD_REQUEST),
    ] {
        let mut request = Request::get(uri).version(Version::HTTP_2);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request.body(Full::default()).unwrap();
        let answer = http2.send_request(request).await.unwrap();
        assert_eq!(answer.status(), status, "{uri} {host:?}");
    }
}

#[tokio::test]
async fn sec_ds_15_no_tunnel_and_no_mirror() {
    let running = Running::start(whoami_server()).await;
    let tail = "HTTP/1.1\r\nHost: mcp.example.com\r\nConnection: close\r\n\r\n";
    for line in [
        "CONNECT mcp.example.com:443",
        "CONNECT /mcp",
        "TRACE /mcp",
        "TRACE /livez",
    ] {
        let status = running.raw(&format!("{line} {tail}")).await;
        assert!(matches!(status, 400 | 405), "{line}: {status}");
    }
    let status = running.raw(&format!("TRACE /livez {tail}")).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn sec_ds_09_overload_is_503_and_probes_still_answer() {
    let gate = Arc::new(Semaphore::new(0));
    let (inside, entered) = (Arc::clone(&gate), Arc::new(Semaphore::new(0)));
    let knock = Arc::clone(&entered);
    let slow = get(async move || {
        knock.add_permits(1);
        inside.acquire().await.unwrap().forget();
        "done"
    });
    let server = whoami_server().route("/slow", slow).max_connections(100, 2);
    let running = Arc::new(Running::start(server).await);
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let running = Arc::clone(&running);
            tokio::spawn(async move { running.get("/slow", "").await })
        })
        .collect();
    entered.acquire_many(2).await.unwrap().forget();
    assert_eq!(running.get("/slow", "").await, 503);
    assert_eq!(running.get("/mcp", "").await, 503);
    for path in [
        "/livez",
        "/readyz",
        "/.well-known/oauth-protected-resource/mcp",
    ] {
        assert_eq!(running.get(path, "").await, 200, "{path}");
    }
    gate.add_permits(2);
    for done in waiting {
        assert_eq!(done.await.unwrap(), 200);
    }
    assert_eq!(running.get("/mcp", "").await, 401, "and it recovers");
}

#[tokio::test]
async fn sec_rs_23_users_on_one_connection_stay_apart() {
    let running = Running::start(whoami_server()).await;
    let http2 = http2(&running).await;
    let calls = (0..100).map(|i| {
        let mut http2 = http2.clone();
        async move {
            let who = ["alice", "bob", "root"][i % 3];
            let word = format!("w{i}");
            let params = json!({"name": "whoami", "arguments": {"word": word}});
            let call = request(Some(who), "tools/call", params).body_of("tools/call");
            let (mut parts, body) = call.into_parts();
            parts.uri = "http://mcp.example.com/mcp".parse().unwrap();
            parts.version = Version::HTTP_2;
            parts.headers.remove("host");
            let body = Full::new(body.collect().await.unwrap().to_bytes());
            let call = Request::from_parts(parts, body);
            let answer = http2.send_request(call).await.unwrap();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let answer = json::value(&body, Limits::MCP).unwrap();
            let text = &answer["result"]["content"][0]["text"];
            assert_eq!(*text, format!("{who} {word}"));
        }
    });
    futures_util::future::join_all(calls).await;
}
