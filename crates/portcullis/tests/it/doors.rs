//! Real sockets: who may listen where, and how a server stops.

use std::{net::Ipv4Addr, sync::Arc};

use portcullis::auth::{
    AccessToken, Auth, BaseUrl, BearerToken, Rejection, TokenVerifier, VerifyContext, VerifyError,
};
use portcullis::{Error, Server, Tool};
use tokio::sync::Notify;
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

/// Keys that cannot be fetched, or never arrive.
struct Slow(Arc<Notify>, bool);

impl TokenVerifier for Slow {
    async fn verify(
        &self,
        _: &BearerToken,
        _: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        Err(Rejection::Unknown.into())
    }

    async fn warm(&self) -> Result<(), VerifyError> {
        self.0.notify_one();
        if self.1 {
            std::future::pending::<()>().await;
        }
        Err(Rejection::Unknown.into())
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_before_the_first_request_and_never_stop_the_start() {
    for never in [false, true] {
        let asked = Arc::new(Notify::new());
        let base = BaseUrl::parse(BASE).unwrap();
        let slow = Auth::new(Slow(Arc::clone(&asked), never)).base_url(base);
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let running = tokio::spawn(server().auth(slow).serve_with_listener(socket));
        asked.notified().await;
        assert!(probe(port).await.contains("200 OK"), "{never}");
        running.abort();
    }
}

#[tokio::test]
async fn failed_auth_is_what_is_reported() {
    let broken = server().base_url("not a url");
    let socket = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
    let error = broken.serve_with_listener(socket).await.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error:?}");
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

#[tokio::test]
async fn stopping_lets_the_running_call_finish() {
    let (started, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, wait) = (Arc::clone(&started), Arc::clone(&go_on));
    let slow = Tool::new("slow", move || {
        let (inside, wait) = (Arc::clone(&inside), Arc::clone(&wait));
        async move {
            inside.notify_one();
            wait.notified().await;
            "finished"
        }
    });
    let server = Server::new("s").tool(slow);
    let handle = server.handle();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let serving = tokio::spawn(server.serve_with_listener(socket));

    let calling = tokio::spawn(call(port, "slow"));
    started.notified().await;
    handle.stop();
    // The listener is closed while the call still runs.
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    assert!(!calling.is_finished() && !serving.is_finished());
    go_on.notify_one();
    let answer = calling.await.unwrap();
    assert!(answer.contains("finished"), "{answer}");
    serving.await.unwrap().unwrap();
}

/// One call of revision 2026-07-28, as it is sent.
pub(crate) async fn call_in_bytes(tool: &str) -> Vec<u8> {
    let request = crate::support::request(
        None,
        "tools/call",
        portcullis_oauth::json::json!({"name": tool}),
    );
    let request = request
        .header("host", "localhost")
        .header("connection", "close");
    let (parts, body) = request.body_of("tools/call").into_parts();
    let body = http_body_util::BodyExt::collect(body)
        .await
        .unwrap()
        .to_bytes();
    let mut text = "POST /mcp HTTP/1.1\r\n".to_owned();
    for (name, value) in &parts.headers {
        text.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
    }
    text.extend(["content-length: ", &body.len().to_string(), "\r\n\r\n"]);
    [text.as_bytes(), &body].concat()
}

async fn call(port: u16, tool: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    stream.write_all(&call_in_bytes(tool).await).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
