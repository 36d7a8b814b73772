//! A server with one of everything, for the official MCP conformance suite.
//!
//! `everything-server --port 0` prints its URL on stdout when it is ready;
//! `everything-server --stdio` speaks on stdin and stdout.

mod asks;
mod content;
mod prompts;
mod resources;
mod rounds;
mod tasks;
mod tools;

use std::{io::Write as _, net::Ipv4Addr};

use portcullis::Server;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter("warn")
        .init();
    let server = everything();
    match Listen::from_arguments(std::env::args().skip(1)) {
        Some(Listen::Stdio) => server.serve_stdio().await,
        Some(Listen::Port(port)) => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            announce(&format!("http://{}/mcp", listener.local_addr()?))?;
            server.serve_with_listener(listener).await
        }
        None => {
            writeln!(
                std::io::stderr(),
                "usage: everything-server [--port PORT | --stdio]"
            )?;
            Ok(())
        }
    }
}

/// Where to serve.
enum Listen {
    Stdio,
    Port(u16),
}

impl Listen {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        match (
            arguments.next().as_deref(),
            arguments.next(),
            arguments.next(),
        ) {
            (None, ..) => Some(Self::Port(0)),
            (Some("--stdio"), None, _) => Some(Self::Stdio),
            (Some("--port"), Some(port), None) => port.parse().ok().map(Self::Port),
            _ => None,
        }
    }
}

/// Whoever started this waits for the line.
fn announce(url: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{url}")?;
    out.flush()
}

fn everything() -> Server {
    let server = Server::new("everything-server")
        .version(env!("CARGO_PKG_VERSION"))
        .instructions("Every feature once, for conformance tests.");
    let server = tools::add(server);
    let server = asks::add(server);
    let server = rounds::add(server);
    let server = tasks::add(server);
    prompts::add(resources::add(server))
}
