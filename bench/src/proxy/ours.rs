//! Our proxy in a process of its own, on a durable store.
//!
//! `proxy-server FOLDER UPSTREAM` keeps its state in FOLDER, takes a free port of 127.0.0.1 and
//! prints `{"issuer": "..", "resource": ".."}`.

use std::{fs, net::SocketAddr, path::PathBuf, process, time::Duration};

use anyhow::{Context as _, Result};
use portcullis::{Args, Server as McpServer, Tool, ToolError, UpstreamToken};
use portcullis_authorization_server::{OAuthProxy, RateLimits, RegistrationPolicy, Upstream};
use portcullis_oauth::{json::json, scopes};
use portcullis_store::DiskStore;
use tokio::{
    io::{AsyncWriteExt as _, stdout},
    net::TcpListener,
    process::Command,
};

use super::upstream::{CLIENT, SECRET};
use crate::{login::Peer, server::calls::Echo};

/// As the program's first word: this server, and nothing else.
pub(crate) const NAME: &str = "proxy-server";

/// Longer than any benchmark.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Where its state is, which goes when this is dropped.
pub(super) struct State(PathBuf);

impl Drop for State {
    fn drop(&mut self) {
        // It fails only when it is gone already.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) async fn start(upstream: SocketAddr) -> Result<(Peer, State)> {
    let program = std::env::current_exe()?;
    // Beside the program: a folder for temporary files may be in memory.
    let state = State(program.with_file_name(format!("proxy-state-{}", process::id())));
    let mut command = Command::new(&program);
    command
        .arg(NAME)
        .arg(&state.0)
        .arg(format!("http://{upstream}"));
    Ok((Peer::that_says(&mut command).await?, state))
}

/// `FOLDER UPSTREAM`
pub(crate) fn serve(mut words: impl Iterator<Item = String>) -> Result<()> {
    let folder = words.next().context("no folder is named")?;
    let upstream = words.next().context("no upstream is named")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&folder, &upstream))
}

async fn run(folder: &str, upstream: &str) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let proxy = OAuthProxy::builder(Upstream::oidc(upstream))
        .base_url(&base_url)
        .client(CLIENT, SECRET.into())
        .scopes(scopes!["notes:read"])
        .access_token_lifetime(LIFETIME)
        .store(DiskStore::open(folder).await?)
        .server(|server| {
            server
                .rate_limits(RateLimits::default().times(1_000_000))
                .registration(RegistrationPolicy::new().limit(u64::MAX))
        })
        .build()?;
    let server = McpServer::new("bench")
        .tool(Tool::new("echo", echo))
        .auth(proxy);
    let said = json!({"issuer": base_url, "resource": format!("{base_url}/mcp")});
    let mut out = stdout();
    out.write_all(format!("{said}\n").as_bytes()).await?;
    out.flush().await?;
    Ok(server.serve_with_listener(listener).await?)
}

/// Says it again, to whom the upstream has a token for.
async fn echo(Args(Echo { text }): Args<Echo>, token: UpstreamToken) -> Result<String, ToolError> {
    if token.expose().starts_with("eyJ") {
        Ok(text)
    } else {
        Err(ToolError::new("no token of the upstream"))
    }
}
