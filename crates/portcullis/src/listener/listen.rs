//! Binding an address, and knowing who can reach it.

use std::{fmt, net::SocketAddr};

use tokio::net::{TcpListener, lookup_host};

use crate::error::Error;

/// Sockets that accept connections.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) sockets: Vec<TcpListener>,
    /// Where the first one listens.
    address: SocketAddr,
    local: bool,
}

impl Listening {
    pub(super) async fn bind(address: &str) -> Result<Self, Error> {
        let failed = |source| Error::Listen {
            address: address.to_owned(),
            source,
        };
        let mut sockets: Vec<TcpListener> = Vec::new();
        for wanted in lookup_host(address).await.map_err(failed)? {
            // One port for all of them, also where the system picks it.
            let port = match sockets.first() {
                Some(first) => first.local_addr().map_err(failed)?.port(),
                None => wanted.port(),
            };
            let bound = TcpListener::bind(SocketAddr::new(wanted.ip(), port)).await;
            match bound {
                Ok(socket) => sockets.push(socket),
                // A machine without IPv6 still serves `localhost`.
                Err(error) if sockets.is_empty() => return Err(failed(error)),
                Err(error) => tracing::debug!(address = %wanted, %error, "not bound"),
            }
        }
        let first = sockets.into_iter();
        let mut listening = Self::of(first.collect()).map_err(failed)?;
        listening.add_loopback_twin().await;
        Ok(listening)
    }

    pub(super) fn on(socket: TcpListener) -> Result<Self, Error> {
        Ok(Self::of(vec![socket])?)
    }

    /// Whether only this machine can connect.
    pub(super) fn is_local(&self) -> bool {
        self.local
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    fn of(sockets: Vec<TcpListener>) -> std::io::Result<Self> {
        let addresses: Vec<SocketAddr> = sockets
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let none = || std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        let address = *addresses.first().ok_or_else(none)?;
        let local = addresses.iter().all(|address| address.ip().is_loopback());
        Ok(Self {
            sockets,
            address,
            local,
        })
    }

    /// `localhost` is either address, and every client tries them in its own order.
    async fn add_loopback_twin(&mut self) {
        if !self.local || !self.address.is_ipv4() || self.sockets.len() > 1 {
            return;
        }
        let twin = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, self.port()));
        match TcpListener::bind(twin).await {
            Ok(socket) => self.sockets.push(socket),
            Err(error) => tracing::debug!(address = %twin, %error, "not bound"),
        }
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
