//! A server behind that speaks HTTP+SSE, the transport of revision 2024-11-05: a stream of events
//! with what it says, and another URL for what it hears.
//!
//! Such a connection is a pair of pipes for lines, so everything that holds for a server on stdio
//! holds for it: see [`stdio`](crate::stdio). Clients speak Streamable HTTP to it.
//!
//! # Sources
//!
//! MCP 2024-11-05, basic/transports, HTTP with SSE.

mod connection;

use std::sync::Arc;

use http::HeaderMap;
use portcullis_fetch::StreamClient;
use portcullis_resource_server::{AccessToken, ConfigError};

pub(crate) use self::connection::{Connection, Lost};
use crate::http::HttpServer;
use crate::identity::Identity;
use crate::stdio::{Isolation, StdioTransport};

/// A server behind that speaks HTTP+SSE, for [`Upstream::http_sse`](crate::Upstream::http_sse).
///
/// ```
/// use portcullis_gateway::stdio::Isolation;
/// use portcullis_gateway::{HttpSseServer, Upstream};
/// use portcullis_oauth::EndpointUrl;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url = EndpointUrl::parse("http://127.0.0.1:3001/sse")?;
/// let old = Upstream::http_sse("old", HttpSseServer::new(url).isolation(Isolation::User));
/// # Ok(())
/// # }
/// ```
///
/// The URL is the one of its stream. Where messages go is said by the server, and has to be on the
/// same origin. What the server is told of the caller is told when a connection begins, so a caller
/// whose token says something else gets another one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct HttpSseServer {
    server: HttpServer,
    isolation: Isolation,
}

impl HttpSseServer {
    /// The server whose stream is at this URL, or one with settings. Its time for an answer is that
    /// of a whole request; its `idle` time is that of a connection which nobody uses.
    pub fn new(server: impl Into<HttpServer>) -> Self {
        Self {
            server: server.into(),
            isolation: Isolation::default(),
        }
    }

    /// Who shares a connection; nobody unless set.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    pub(crate) fn transport(&self, name: &Arc<str>) -> Result<StdioTransport, ConfigError> {
        if self.server.forwards() {
            let fault = "differs from request to request, and a connection serves many";
            return Err(ConfigError::new("forwarded header", fault).with_hint("take it away"));
        }
        if self.server.told().is_signed() {
            let fault = "lasts a minute, and a connection lasts longer";
            return Err(ConfigError::new("signed identity", fault).with_hint("take it away"));
        }
        let dial = Dial {
            client: self.server.client(name)?,
            identity: self.server.told().clone(),
        };
        let limits = self.server.limits();
        StdioTransport::of_connections(name, dial, self.isolation, limits)
    }
}

impl From<portcullis_oauth::EndpointUrl> for HttpSseServer {
    fn from(url: portcullis_oauth::EndpointUrl) -> Self {
        Self::new(url)
    }
}

/// How connections to one server are made.
#[derive(Debug)]
pub(crate) struct Dial {
    client: StreamClient,
    identity: Identity,
}

impl Dial {
    /// Whether connections differ from caller to caller.
    pub(crate) fn is_personal(&self) -> bool {
        !self.identity.is_empty()
    }

    /// What a connection of this caller tells of it: a value for each field, or none.
    pub(crate) fn values(&self, token: Option<&AccessToken>) -> Vec<String> {
        let mut headers = HeaderMap::new();
        // Nothing is signed here, so nothing fails.
        let _ = self.identity.apply(token, &mut headers);
        let value = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let values = self.identity.names().map(|name| value(name).unwrap_or(""));
        values.map(str::to_owned).collect()
    }

    /// A connection for the caller of these values.
    pub(crate) fn connection(&self, values: &[String]) -> Connection {
        let mut headers = HeaderMap::new();
        for (name, value) in self.identity.names().zip(values) {
            if let Some(value) = value.parse().ok().filter(|_| !value.is_empty()) {
                headers.insert(name, value);
            }
        }
        Connection::new(self.client.clone(), headers)
    }
}
