//! The listener under routes of somebody else's.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router, routing::get};
use portcullis::{
    Server,
    listener::{ClientAddress, Listener, Shutdown, probes},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

async fn exchange(port: u16, head: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn any_router_is_served_within_the_same_bounds() {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let (port, shutdown) = (listener.port(), listener.shutdown());
    assert!(listener.is_local());
    assert_eq!(listener.to_string(), format!("127.0.0.1:{port}"));
    let app = probes(&shutdown)
        .into_iter()
        .fold(Router::new(), |app, (path, route)| app.route(path, route))
        .route("/", get(async || "hello"));
    let serving = tokio::spawn(listener.serve(app));

    let host = format!("Host: 127.0.0.1:{port}\r\nConnection: close\r\n");
    let hello = exchange(port, &format!("GET / HTTP/1.1\r\n{host}\r\n")).await;
    assert!(
        hello.starts_with("HTTP/1.1 200") && hello.ends_with("hello"),
        "{hello}"
    );
    let ready = exchange(port, &format!("GET /readyz HTTP/1.1\r\n{host}\r\n")).await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    let twice = format!("GET / HTTP/1.1\r\n{host}Host: other\r\n\r\n");
    assert!(exchange(port, &twice).await.starts_with("HTTP/1.1 400"));

    shutdown.begin();
    serving.await.unwrap().unwrap();
    assert!(shutdown.is_draining());
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn as_many_as_there_can_be_is_a_limit_too() {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let listener = listener.max_connections(usize::MAX, usize::MAX);
    let (port, shutdown) = (listener.port(), listener.shutdown());
    let serving = tokio::spawn(listener.serve(Router::new()));
    let head = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(exchange(port, head).await.starts_with("HTTP/1.1 404"));
    shutdown.begin();
    serving.await.unwrap().unwrap();
}

/// Whether a request that takes a minute finishes on a listener that drains for `drain`.
async fn a_minute_ends_within(drain: Duration) -> bool {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap().drain(drain);
    let (port, shutdown) = (listener.port(), listener.shutdown());
    let (entered, finished) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (knock, done) = (Arc::clone(&entered), Arc::clone(&finished));
    let slow = get(async move || {
        knock.add_permits(1);
        tokio::time::sleep(Duration::from_secs(60)).await;
        done.add_permits(1);
    });
    let serving = tokio::spawn(listener.serve(Router::new().route("/slow", slow)));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    entered.acquire().await.unwrap().forget();
    shutdown.begin();
    serving.await.unwrap().unwrap();
    finished.available_permits() == 1
}

#[tokio::test(start_paused = true)]
async fn requests_may_run_on_for_as_long_as_was_said() {
    assert!(a_minute_ends_within(Duration::from_secs(3600)).await);
    assert!(!a_minute_ends_within(Duration::from_secs(1)).await);
}

#[tokio::test]
async fn a_server_ends_with_the_listener_that_it_is_given() {
    let shutdown = Shutdown::new();
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let listener = listener.with_shutdown(shutdown.clone()).without_signals();
    let server = Server::new("s");
    let own = server.shutdown();
    let serving = tokio::spawn(server.serve_on(listener));
    shutdown.begin();
    serving.await.unwrap().unwrap();
    assert!(own.is_draining());
}

#[tokio::test]
async fn a_router_says_that_its_server_drains() {
    let server = Server::new("s").base_url("http://localhost:8000");
    let (shutdown, listener) = (server.shutdown(), Listener::bind("127.0.0.1:0").await);
    let app = server.into_router().unwrap();
    let port = listener.as_ref().unwrap().port();
    // Its own end begins later, so that there is somebody to say so.
    tokio::spawn(listener.unwrap().serve(app));
    let ask = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(exchange(port, ask).await.starts_with("HTTP/1.1 200"));
    shutdown.begin();
    assert!(exchange(port, ask).await.starts_with("HTTP/1.1 503"));
    let server = Server::new("s").base_url("http://localhost:8000");
    let app = server.probes(false).into_router().unwrap();
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.port();
    tokio::spawn(listener.serve(app));
    assert!(exchange(port, ask).await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn sec_gw_08_each_request_knows_its_client() {
    let mut seen = Vec::new();
    for trusted in ["127.0.0.0/8", "10.0.0.0/8"] {
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let listener = listener.trusted_proxies([trusted.parse().unwrap()]);
        let port = listener.port();
        let who = get(async |Extension(client): Extension<ClientAddress>| client.to_string());
        tokio::spawn(listener.serve(Router::new().route("/", who)));
        let fields = "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nConnection: close\r\n";
        let ask = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        let answer = exchange(port, &ask).await;
        seen.push(answer.rsplit("\r\n").next().unwrap().to_owned());
    }
    assert_eq!(seen, ["203.0.113.9", "127.0.0.1"]);
}
