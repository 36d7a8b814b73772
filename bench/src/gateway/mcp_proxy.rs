//! npm's `mcp-proxy`: a server on stdio over HTTP, without authorization.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Result, bail};
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

use crate::{host::Host, options::Peers};

const PROGRAM: &str = "mcp-proxy/dist/bin/mcp-proxy.mjs";

/// It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) host: Host,
    _child: Child,
}

impl Proxy {
    /// Starts it in front of `command`, and waits until it listens.
    pub(super) async fn start(peers: &Peers, command: &[&str]) -> Result<Self> {
        let address = free_address().await?;
        let mut program = Command::new(&peers.node);
        program
            .arg(peers.modules.join(PROGRAM))
            .args(["--host", "127.0.0.1", "--server", "stream"])
            .args(["--port", &address.port().to_string(), "--"])
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = program.spawn()?;
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("`mcp-proxy` ended at its start: {status}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Self {
            host: Host::of_program(address, child.id()),
            _child: child,
        })
    }
}

/// It takes no port 0, so it gets one that was free a moment ago.
async fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}
