//! The listener under routes of somebody else's.

use axum::{Router, routing::get};
use portcullis::listener::{Listener, probes};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
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
