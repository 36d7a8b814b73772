#![forbid(unsafe_code)]
//! The server that real identity providers and clients meet.
//!
//! `peer-server --issuer URL` accepts the tokens of that issuer, takes a free port of 127.0.0.1 and
//! prints `{"url":".."}` when it is ready. `peer-server --upstream JSON` has an OAuth proxy before an
//! identity provider, see [`proxy`]. Both log to standard error, what `RUST_LOG` asks for.

mod proxy;

use std::{
    io::{self, Write as _},
    net::Ipv4Addr,
    sync::atomic::{AtomicU64, Ordering},
};

use portcullis::{
    AccessToken, Args, Json, Server, Tool,
    auth::{ConfigError, JwtVerifier, RemoteAuthProvider},
    scopes,
};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    // Calls of unknown tools are part of the work; rmcp warns of each.
    let asked_for = EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_env_filter(asked_for.unwrap_or_else(|_| EnvFilter::new("warn,rmcp=error")))
        .init();
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--issuer"), Some(issuer)) => serve(&issuer).await,
        (Some("--upstream"), Some(settings)) => proxy::serve(&settings).await,
        _ => {
            writeln!(
                io::stderr(),
                "usage: peer-server --issuer URL | --upstream JSON"
            )?;
            Ok(())
        }
    }
}

async fn serve(issuer: &str) -> portcullis::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let server = Server::new("peers")
        .allow_origin("https://app.example.com")
        .legacy_sse(true)
        .tool(Tool::new("whoami", whoami))
        .tool(Tool::new("echo", echo))
        .tool(Tool::new("admin_only", admin_only).require_scopes(scopes!["mcp:admin"]))
        .tool(Tool::new("hidden", hidden).allow_if(is_admin))
        .auth(auth(issuer, &base_url)?);
    announce(&format!(r#"{{"url":"{base_url}/mcp"}}"#))?;
    server.serve_with_listener(listener).await
}

fn auth(issuer: &str, base_url: &str) -> Result<RemoteAuthProvider, ConfigError> {
    let verifier = JwtVerifier::builder(issuer)
        .required_scopes(scopes!["mcp:read"])
        .build()?;
    Ok(RemoteAuthProvider::new(verifier, base_url)?.authorization_server(issuer))
}

/// Whoever started this waits for the line.
fn announce(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Caller {
    subject: String,
    scopes: String,
}

async fn whoami(token: AccessToken) -> Json<Caller> {
    Json(Caller {
        subject: token.subject().to_owned(),
        scopes: token.scopes().to_string(),
    })
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Echo {
    text: String,
}

async fn echo(Args(Echo { text }): Args<Echo>) -> String {
    text
}

/// How often `admin_only` ran: a call that was refused must not count.
static ADMIN_CALLS: AtomicU64 = AtomicU64::new(0);

async fn admin_only() -> String {
    format!("call {}", ADMIN_CALLS.fetch_add(1, Ordering::Relaxed) + 1)
}

fn is_admin(token: &AccessToken) -> bool {
    token.claim("role") == Some("admin")
}

async fn hidden() -> &'static str {
    "seen"
}
