//! Proxies that others wrote.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::{net::TcpListener, process::Command};

use crate::{login::Peer, options::Peers};

/// TypeScript `FastMCP`.
pub(super) async fn typescript(peers: &Peers, upstream: SocketAddr) -> Result<Peer> {
    let mut program = Command::new(&peers.node);
    program
        .arg(peers.scripts.join("fastmcp_proxy.mjs"))
        .arg(free_address().await?.port().to_string())
        .arg(format!("http://{upstream}"))
        .env("NODE_ENV", "production")
        .env("PACKAGES", &peers.modules);
    Peer::that_says(&mut program).await
}

/// Python `FastMCP`.
pub(super) async fn python(peers: &Peers, upstream: SocketAddr) -> Result<Peer> {
    let address = free_address().await?;
    let mut program = Command::new(peers.python.as_ref().context("no Python")?);
    program
        .arg(peers.scripts.join("fastmcp_proxy.py"))
        .arg(address.port().to_string())
        .arg(format!("http://{upstream}"));
    Peer::listening(&mut program, address).await
}

/// They take no port 0, so each gets one that was free a moment ago.
async fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}
