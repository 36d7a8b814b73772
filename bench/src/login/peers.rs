//! Authorization servers in processes of their own, most of which others wrote.

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
pub(crate) struct Peer {
    pub(crate) site: Site,
    pub(crate) meter: Meter,
    _child: Child,
}

impl Peer {
    /// Starts a program that says where it listens, as `{"issuer": "..", "resource": ".."}`.
    pub(crate) async fn that_says(program: &mut Command) -> Result<Self> {
        let mut child = spawn(program)?;
        let output = child.stdout.take().context("no pipe from the peer")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let line = line.context("a peer ended at its start")?;
        let said = json::value(line.as_bytes(), Limits::MCP)?;
        let text = |name: &str| said.get(name).and_then(Value::as_str).context("no name");
        let address = text("issuer")?.trim_start_matches("http://").parse()?;
        let resource = text("resource")?.to_owned();
        Self::at(address, child, resource).await
    }

    /// Starts a program that is told where to listen, and waits until it does.
    pub(crate) async fn listening(program: &mut Command, address: SocketAddr) -> Result<Self> {
        let mut child = spawn(program)?;
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("a peer ended at its start: {status}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self::at(address, child, format!("http://{address}/mcp")).await
    }

    async fn at(address: SocketAddr, child: Child, resource: String) -> Result<Self> {
        Ok(Self {
            site: Site::discover(address, (resource, "notes:read"), person()).await?,
            meter: Meter::of_whole_process(child.id()),
            _child: child,
        })
    }
}

pub(super) async fn oidc_provider(peers: &Peers) -> Result<Peer> {
    let mut program = Command::new(&peers.node);
    program
        .arg(peers.scripts.join("oidc_provider.mjs"))
        .env("NODE_ENV", "production")
        .env("PACKAGES", &peers.modules);
    Peer::that_says(&mut program).await
}

/// It takes no port 0, so it gets one that was free a moment ago.
pub(super) async fn fastmcp(peers: &Peers) -> Result<Peer> {
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let mut program = Command::new(peers.python.as_ref().context("no Python")?);
    program
        .arg(peers.scripts.join("fastmcp_server.py"))
        .arg(address.port().to_string());
    Peer::listening(&mut program, address).await
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
