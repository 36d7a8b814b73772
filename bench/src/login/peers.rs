//! Authorization servers that others wrote, each a process of its own.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use portcullis_oauth::json::{self, Limits, Value};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

use super::{person, walk::Site};
use crate::{host::Meter, options::Peers};

/// It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) site: Site,
    pub(super) meter: Meter,
    _child: Child,
}

impl Peer {
    async fn at(address: SocketAddr, child: Child, resource: String) -> Result<Self> {
        Ok(Self {
            site: Site::discover(address, (resource, "notes:read"), person()).await?,
            meter: Meter::of_whole_process(child.id()),
            _child: child,
        })
    }
}

/// It says where it listens.
pub(super) async fn oidc_provider(peers: &Peers) -> Result<Peer> {
    let mut program = Command::new(&peers.node);
    program
        .arg(peers.scripts.join("oidc_provider.mjs"))
        .env("NODE_ENV", "production")
        .env("PACKAGES", &peers.modules);
    let mut child = spawn(&mut program)?;
    let output = child.stdout.take().context("no pipe from oidc-provider")?;
    let line = BufReader::new(output).lines().next_line().await?;
    let line = line.context("oidc-provider ended at its start")?;
    let said = json::value(line.as_bytes(), Limits::MCP)?;
    let text = |name: &str| said.get(name).and_then(Value::as_str).context("no name");
    let address = text("issuer")?.trim_start_matches("http://").parse()?;
    let resource = text("resource")?.to_owned();
    Peer::at(address, child, resource).await
}

/// It takes no port 0, so it gets one that was free a moment ago.
pub(super) async fn fastmcp(peers: &Peers) -> Result<Peer> {
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let mut program = Command::new(peers.python.as_ref().context("no Python")?);
    program
        .arg(peers.scripts.join("fastmcp_server.py"))
        .arg(address.port().to_string());
    let mut child = spawn(&mut program)?;
    while TcpStream::connect(address).await.is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("FastMCP ended at its start: {status}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Peer::at(address, child, format!("http://{address}/mcp")).await
}

fn spawn(program: &mut Command) -> Result<Child> {
    let child = program
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    child.context("a peer does not start")
}
