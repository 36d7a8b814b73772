//! A process that is told to stop, and told again.

use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use portcullis::listener::Listener;
use portcullis::{Error, Server, Signal, Tool};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

/// Set in the process that serves: this test, once more.
const ROLE: &str = "PORTCULLIS_TEST_SERVES";

/// A server with a call that never ends.
#[expect(clippy::print_stdout, reason = "the parent waits for these lines")]
async fn serve() -> u8 {
    let endless = Tool::new("endless", async || {
        println!("called");
        std::future::pending::<String>().await
    });
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    println!("port {}", socket.local_addr().unwrap().port());
    let served = Server::new("s")
        .tool(endless)
        .serve_with_listener(socket)
        .await;
    let Err(Error::Interrupted { signal }) = served else {
        panic!("{served:?}");
    };
    assert_eq!(signal, Signal::Terminate);
    signal.exit_code()
}

fn signal(child: &Child) {
    let kill = format!("kill -TERM {}", child.id());
    let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(sent.success());
}

#[cfg(unix)]
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "the other half of this test is a process of its own"
)]
async fn a_second_signal_ends_at_once() {
    if std::env::var_os(ROLE).is_some() {
        std::process::exit(serve().await.into());
    }
    let myself = std::env::current_exe().unwrap();
    let mut child = Command::new(myself)
        .args([
            "--exact",
            "signals::a_second_signal_ends_at_once",
            "--nocapture",
        ])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = move |wanted: &str| {
        let found = lines.find_map(|line| Some(line.unwrap().split_once(wanted)?.1.to_owned()));
        found.unwrap_or_else(|| panic!("no `{wanted}`"))
    };
    let port: u16 = line("port ").parse().unwrap();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let call = crate::doors::call_in_bytes("endless").await;
    stream.write_all(&call).await.unwrap();
    line("called");

    signal(&child);
    // It drains: the listener is closed, and the process waits for its call.
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    assert!(child.try_wait().unwrap().is_none());
    signal(&child);
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
    // Well before the ten seconds that calls have otherwise.
    let status = tokio::time::timeout(Duration::from_secs(8), status).await;
    assert_eq!(status.expect("it ends at once").unwrap().code(), Some(143));
}

/// Two listeners with one end.
#[expect(clippy::print_stdout, reason = "the parent waits for this line")]
async fn serve_twice() -> u8 {
    let one = Listener::bind("127.0.0.1:0").await.unwrap();
    let other = Listener::bind("127.0.0.1:0").await.unwrap();
    let other = other.with_shutdown(one.shutdown());
    println!("bound");
    let served = tokio::join!(one.serve(Router::new()), other.serve(Router::new()));
    u8::from(served.0.is_err() || served.1.is_err())
}

#[cfg(unix)]
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "the other half of this test is a process of its own"
)]
async fn one_signal_is_one_for_every_listener_and_none_is_lost() {
    if std::env::var_os(ROLE).is_some() {
        std::process::exit(serve_twice().await.into());
    }
    let myself = std::env::current_exe().unwrap();
    for _ in 0..5 {
        let mut child = Command::new(&myself)
            .args([
                "--exact",
                "signals::one_signal_is_one_for_every_listener_and_none_is_lost",
                "--nocapture",
            ])
            .env(ROLE, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let bound = lines
            .map_while(Result::ok)
            .any(|line| line.contains("bound"));
        assert!(bound);
        signal(&child);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
