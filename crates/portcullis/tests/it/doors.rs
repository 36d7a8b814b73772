//! Real sockets: who may listen where, and how a server stops.

use std::net::Ipv4Addr;

use portcullis::{Error, Server, Tool};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{BASE, auth};

fn server() -> Server {
    Server::new("s").tool(Tool::new("t", async || "ran"))
}

#[tokio::test]
async fn sec_a_server_without_auth_stays_on_this_machine() {
    let everywhere = async || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
    let refused = server()
        .serve_with_listener(everywhere().await)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::OpenToTheNetwork { .. }),
        "{refused:?}"
    );
    assert!(refused.hint().is_some());
    let refused = server().serve_http("0.0.0.0:0").await.unwrap_err();
    assert!(
        matches!(refused, Error::OpenToTheNetwork { .. }),
        "{refused:?}"
    );

    // Neither reaches the accept loop without a public URL, which a Host guard needs.
    let allowed = server().dangerous().allow_anonymous();
    let nameless = allowed
        .serve_with_listener(everywhere().await)
        .await
        .unwrap_err();
    assert!(nameless.to_string().contains("base_url"), "{nameless}");
    let named = server().dangerous().allow_anonymous().base_url(BASE);
    let socket = everywhere().await;
    let port = socket.local_addr().unwrap().port();
    let running = tokio::spawn(named.serve_with_listener(socket));
    assert!(probe(port).await.contains("200 OK"));
    running.abort();
    let closed = server().auth(auth());
    let socket = everywhere().await;
    let port = socket.local_addr().unwrap().port();
    let running = tokio::spawn(closed.serve_with_listener(socket));
    assert!(probe(port).await.contains("200 OK"));
    running.abort();
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = server().serve_http(address).await.unwrap_err();
    assert!(matches!(error, Error::Listen { .. }), "{error:?}");
    assert!(server().serve_http("not an address").await.is_err());
}

/// One request, and what came back.
async fn probe(port: u16) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let request = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
