use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

use portcullis_oauth::BaseUrl;
use portcullis_resource_server::DebugTokenVerifier;

use super::*;
use crate::Tool;

/// A call of the tool `slow`, and all that comes back.
async fn call(port: u16) -> String {
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},
        "io.modelcontextprotocol/clientCapabilities":{}}"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"slow","arguments":{{}},"_meta":{meta}}}}}"#
    );
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: slow\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = connect(port).await.unwrap();
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn connect(port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
}

#[tokio::test]
async fn sec_ds_13_what_runs_finishes_before_the_server_ends() {
    let (gate, entered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (inside, knock) = (Arc::clone(&gate), Arc::clone(&entered));
    let slow = move || {
        let (inside, knock) = (Arc::clone(&inside), Arc::clone(&knock));
        async move {
            knock.add_permits(1);
            inside.acquire().await.unwrap().forget();
            "all of it"
        }
    };
    let core = Server::new("s")
        .tool(Tool::new("slow", slow))
        .finish()
        .unwrap();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let listener = Listener::on(socket).unwrap();
    let (port, stop) = (listener.port(), CancellationToken::new());
    let base = BaseUrl::parse(&format!("http://localhost:{port}")).unwrap();
    let router = router::build(&HttpOptions::default(), &core, base, stop.clone()).unwrap();
    let shared = Arc::clone(&core);
    let ending = tokio::spawn(async move { serve(&shared, listener, router, stop).await });
    let answer = tokio::spawn(call(port));
    entered.acquire().await.unwrap().forget();

    core.draining.cancel();
    while connect(port).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!ending.is_finished(), "a call is still running");
    gate.add_permits(1);
    let answer = answer.await.unwrap();
    assert!(
        answer.contains("200 OK") && answer.contains("all of it"),
        "{answer}"
    );
    ending.await.unwrap().unwrap();
}

#[tokio::test]
async fn sec_ds_13_routes_of_ones_own_finish_too() {
    let (gate, entered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (inside, knock) = (Arc::clone(&gate), Arc::clone(&entered));
    let slow = axum::routing::get(async move || {
        knock.add_permits(1);
        inside.acquire().await.unwrap().forget();
        "all of it"
    });
    let mut server = Server::new("s").route("/slow", slow);
    let http = std::mem::take(&mut server.options.http);
    let core = server.finish().unwrap();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let listener = Listener::on(socket).unwrap();
    let (port, stop) = (listener.port(), CancellationToken::new());
    let base = BaseUrl::parse(&format!("http://localhost:{port}")).unwrap();
    let router = router::build(&http, &core, base, stop.clone()).unwrap();
    let shared = Arc::clone(&core);
    let ending = tokio::spawn(async move { serve(&shared, listener, router, stop).await });
    let mut stream = connect(port).await.unwrap();
    let request = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    entered.acquire().await.unwrap().forget();

    core.draining.cancel();
    core.running.close();
    let early = tokio::time::timeout(Duration::from_millis(50), core.running.wait()).await;
    assert!(early.is_err(), "the request counts as running");
    gate.add_permits(1);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("all of it"), "{answer}");
    ending.await.unwrap().unwrap();
}

/// A server whose clock stands still, so that its limits pass at once when nothing else happens.
async fn quiet_server() -> u16 {
    let core = Server::new("s").finish().unwrap();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let listener = Listener::on(socket).unwrap();
    let (port, stop) = (listener.port(), CancellationToken::new());
    let base = BaseUrl::parse(&format!("http://localhost:{port}")).unwrap();
    let router = router::build(&HttpOptions::default(), &core, base, stop.clone()).unwrap();
    tokio::spawn(async move { serve(&core, listener, router, stop).await });
    port
}

async fn serve(
    core: &Core,
    listener: Listener,
    router: Router,
    stop: CancellationToken,
) -> Result<()> {
    let shutdown = Shutdown::of(core.draining.clone(), core.running.clone(), stop);
    let listener = listener.with_shutdown(shutdown);
    listener.serve(router).await
}

/// Writes, and says whether the server closes the connection in time.
async fn is_closed_within(seconds: u64, port: u16, bytes: &[u8]) -> bool {
    let mut stream = connect(port).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let closed = stream.read_to_end(&mut answer);
    let limit = Duration::from_secs(seconds);
    tokio::time::timeout(limit, closed).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn sec_ds_02_a_silent_connection_is_closed() {
    let port = quiet_server().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    let http2 = [&preface[..], settings].concat();
    let sent: [&[u8]; 6] = [b"", b"P", b"GET / HT", &preface[..20], preface, &http2];
    for bytes in sent {
        let closed = is_closed_within(15, port, bytes).await;
        assert!(closed, "`{}` holds its place", bytes.escape_ascii());
    }
}

#[tokio::test(start_paused = true)]
async fn sec_ds_02_an_idle_connection_is_closed() {
    let port = quiet_server().await;
    let request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert!(is_closed_within(80, port, request).await);

    let stream = hyper_util::rt::TokioIo::new(connect(port).await.unwrap());
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, axum::body::Body>(executor, stream)
            .await
            .unwrap();
    let mut connection = tokio::spawn(connection);
    let request = hyper::Request::get("http://localhost/livez").body(axum::body::Body::empty());
    let answer = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(answer);
    let early = tokio::time::timeout(Duration::from_secs(70), &mut connection).await;
    assert!(early.is_err(), "clients keep connections");
    let closed = tokio::time::timeout(Duration::from_secs(10), connection).await;
    assert!(closed.is_ok(), "it holds its place");
}

fn env(value: &str) -> AuthEnv {
    AuthEnv::from_pairs([
        ("FASTMCP_SERVER_AUTH", value),
        (
            "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_AUTHKIT_DOMAIN",
            "https://p-1.authkit.app",
        ),
        (
            "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_BASE_URL",
            "https://env.example.com",
        ),
    ])
}

const AUTHKIT: &str = "fastmcp.server.auth.providers.workos.AuthKitProvider";

fn public_url(http: &HttpOptions) -> Option<&str> {
    let url = http.auth.as_ref().and_then(Auth::public_url);
    url.map(BaseUrl::as_str)
}

#[test]
fn the_environment_closes_a_server_and_never_opens_one() {
    let mut open = HttpOptions::default();
    open.close_by(&AuthEnv::default()).unwrap();
    assert!(!open.is_closed());
    open.close_by(&env(AUTHKIT)).unwrap();
    assert!(open.is_closed());
    assert!(HttpOptions::default().close_by(&env("nonsense")).is_err());
}

#[test]
fn the_environment_can_name_a_provider_where_users_log_in() {
    let env = AuthEnv::from_pairs([
        ("FASTMCP_SERVER_AUTH", "GITHUB"),
        ("FASTMCP_SERVER_AUTH_GITHUB_CLIENT_ID", "app"),
        ("FASTMCP_SERVER_AUTH_GITHUB_CLIENT_SECRET", "a secret there"),
        (
            "FASTMCP_SERVER_AUTH_GITHUB_BASE_URL",
            "https://env.example.com",
        ),
    ]);
    let mut http = HttpOptions::default();
    let outcome = http.close_by(&env);
    if cfg!(feature = "authorization-server") {
        outcome.unwrap();
        assert_eq!(public_url(&http), Some("https://env.example.com"));
    } else {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("OAuth proxy"), "{error}");
    }
}

#[test]
fn auth_in_code_wins_over_the_environment() {
    let verifier = DebugTokenVerifier::dangerous().accept_any();
    let auth = Auth::new(verifier).base_url(BaseUrl::parse("https://code.example.com").unwrap());
    let mut http = HttpOptions {
        auth: Some(auth),
        ..HttpOptions::default()
    };
    http.close_by(&env(AUTHKIT)).unwrap();
    assert_eq!(public_url(&http), Some("https://code.example.com"));
}

#[test]
fn what_the_environment_lacks_is_named_as_the_environment_does() {
    let jwt = AuthEnv::from_pairs([
        ("FASTMCP_SERVER_AUTH", "jwt"),
        ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "https://auth.example.com"),
    ]);
    let mut http = HttpOptions::default();
    http.close_by(&jwt).unwrap();
    let error = http.take_base_url(None).unwrap_err();
    assert!(
        error.hint().unwrap().contains("PORTCULLIS_BASE_URL"),
        "{error:?}"
    );
}

#[test]
fn sec_op_07_an_environment_that_was_meant_to_close_stops_the_start() {
    for name in ["FASTMCP_SERVER_AUTH_JWT_ISSUER", "PORTCULIS_AUTH"] {
        let env = AuthEnv::from_pairs([(name, "jwt")]);
        let outcome = HttpOptions::default().close_by(&env);
        assert!(matches!(outcome, Err(Error::AuthEnv(_))), "{name}");
    }
}
