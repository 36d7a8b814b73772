//! What a server says when it starts, and when it cannot.

use std::net::Ipv4Addr;
use std::time::Duration;

use portcullis::auth::Auth;
use portcullis::{AccessToken, Error, Prompt, Resource, Server, Tool};
use portcullis_testkit::CapturedLogs;
use tokio::net::TcpListener;

use crate::support::{BASE, Names, auth};

/// Everything that a server says until it serves.
async fn log_of(server: Server) -> (String, u16) {
    let logs = CapturedLogs::start();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let task = tokio::spawn(server.serve_with_listener(socket));
    let serving = async {
        while !logs.text().contains("serving MCP") {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), serving).await;
    task.abort();
    let log = logs.text();
    in_time.unwrap_or_else(|_| panic!("it says nothing: {log}"));
    (log, port)
}

/// The one line in which a server says where it is.
#[track_caller]
fn hello(log: &str) -> &str {
    let mut lines = log.lines().filter(|line| line.contains("serving MCP"));
    let line = lines.next().unwrap();
    assert_eq!(lines.next(), None, "once");
    assert!(line.contains(" INFO "), "{line}");
    line
}

#[tokio::test]
async fn a_server_says_where_it_is_and_what_protects_it() {
    let (log, _) = log_of(Server::new("s").auth(auth())).await;
    let line = hello(&log);
    for part in [
        "url=\"https://mcp.example.com/mcp\"",
        "auth=\"in code\"",
        "login=\"https://auth.example.com\"",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let without_login = Server::new("s").base_url(BASE).auth(Auth::new(Names));
    let (log, _) = log_of(without_login.mcp_path("/tools")).await;
    let line = hello(&log);
    assert!(line.contains("login=\"none\""), "{line}");
    assert!(
        line.contains("url=\"https://mcp.example.com/tools\""),
        "{line}"
    );
}

#[tokio::test]
async fn a_server_without_auth_says_so() {
    let (log, port) = log_of(Server::new("s")).await;
    let line = hello(&log);
    let url = format!("url=\"http://localhost:{port}/mcp\"");
    assert!(line.contains(&url), "{line}");
    assert!(line.contains("auth=\"none\""), "{line}");
    assert!(line.contains("without asking who calls"), "{line}");
}

fn restricted() -> Server {
    Server::new("s")
        .tool(Tool::new("whoami", async |_: AccessToken| ""))
        .tool(Tool::new("open", async || ""))
        .tool(Tool::new("admin", async || "").allow_if(|_| true))
        .prompt(Prompt::new("tidy", async |_: AccessToken| ""))
        .resource(Resource::new("x://motd", async |_: AccessToken| ""))
}

#[tokio::test]
async fn what_needs_a_token_without_auth_is_warned_of() {
    let warned = [
        "tool `whoami`",
        "tool `admin`",
        "prompt `tidy`",
        "resource `x://motd`",
    ];
    let (log, _) = log_of(restricted()).await;
    for component in warned {
        let expected = format!("{component} needs a token, and this server has no auth");
        let line = log.lines().find(|line| line.contains(&expected));
        assert!(line.is_some_and(|line| line.contains(" WARN ")), "{log}");
    }
    assert_eq!(log.matches("needs a token").count(), warned.len(), "{log}");
    let (log, _) = log_of(restricted().auth(auth())).await;
    assert!(!log.contains("needs a token"), "{log}");
}

#[tokio::test]
async fn on_a_stream_nothing_is_said_of_tokens() {
    let logs = CapturedLogs::start();
    let (ours, theirs) = tokio::io::duplex(64);
    drop(theirs);
    let (read, write) = tokio::io::split(ours);
    let _ = restricted().serve_stream(read, write).await;
    assert!(!logs.text().contains("needs a token"), "{}", logs.text());
}

#[tokio::test]
async fn an_address_that_cannot_be_bound_has_the_right_hint() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = taken.local_addr().unwrap().to_string();
    for (address, hint) in [
        (
            "8000",
            "write an address and a port, as in `127.0.0.1:8000`",
        ),
        (
            "localhost",
            "write an address and a port, as in `127.0.0.1:8000`",
        ),
        (port.as_str(), "is another program using this port?"),
    ] {
        let error = Server::new("s").serve_http(address).await.unwrap_err();
        assert!(matches!(error, Error::Listen { .. }), "{error:?}");
        assert_eq!(error.hint(), Some(hint), "{address}");
    }
}

#[tokio::test]
async fn a_url_that_is_missing_or_wrong_comes_with_the_call_that_sets_it() {
    let call = "`.base_url(\"https://mcp.example.com\")`";
    let missing = Server::new("s").auth(Names).into_router().unwrap_err();
    assert_eq!(missing.to_string(), "`base_url`: is not set");
    let wrong = Server::new("s").base_url("mcp.example.com");
    let wrong = wrong.into_router().unwrap_err();
    for error in [missing, wrong] {
        assert!(error.hint().unwrap().contains(call), "{error:?}");
    }
}

#[test]
fn what_is_defined_twice_is_named_with_its_kind() {
    let tool = || Tool::new("add", async || "");
    let resource = || Resource::new("x://a", async || "");
    let server = Server::new("s").tool(tool()).tool(tool());
    let server = server.resource(resource()).resource(resource());
    assert_eq!(
        server.into_router().unwrap_err().to_string(),
        "tool `add`: is defined twice; resource `x://a`: is defined twice"
    );
}

#[test]
fn a_variable_that_is_missing_can_be_named() {
    let error = Error::from(std::env::VarError::NotPresent);
    assert!(error.hint().unwrap().contains("ConfigError::new(NAME"));
}

#[test]
fn a_file_that_is_missing_is_no_broken_connection() {
    let error = Error::from(std::io::Error::from(std::io::ErrorKind::NotFound));
    assert!(format!("{error:?}").starts_with("input or output failed\n  caused by: "));
}
