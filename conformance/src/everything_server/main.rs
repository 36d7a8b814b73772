#![forbid(unsafe_code)]
//! A server with one of everything, for the official MCP conformance suite.
//!
//! `everything-server --port 0` prints its URL on stdout when it is ready, and with `--token TOKEN`
//! answers to this token alone; `everything-server --stdio` speaks on stdin and stdout.

mod asks;
mod auth;
mod content;
mod prompts;
mod resources;
mod rounds;
mod tasks;
mod tools;

use std::{io::Write as _, net::Ipv4Addr};

use portcullis::Server;
use tokio::net::TcpListener;

const USAGE: &str = "usage: everything-server [--port PORT [--token TOKEN] | --stdio]";

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter("warn")
        .init();
    let server = everything();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => serve(server, "0", None).await,
        ["--stdio"] => server.serve_stdio().await,
        ["--port", port] => serve(server, port, None).await,
        ["--port", port, "--token", token] => serve(server, port, Some(token)).await,
        _ => Ok(writeln!(std::io::stderr(), "{USAGE}")?),
    }
}

async fn serve(server: Server, port: &str, token: Option<&str>) -> portcullis::Result<()> {
    let address = format!("{}:{port}", Ipv4Addr::LOCALHOST);
    let listener = TcpListener::bind(address).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let server = match token {
        Some(token) => server.auth(auth::one_token(token, &origin)?),
        None => server,
    };
    announce(&format!("{origin}/mcp"))?;
    server.serve_with_listener(listener).await
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
