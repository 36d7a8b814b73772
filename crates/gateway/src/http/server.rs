//! The settings of a server behind that speaks HTTP.

use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::StreamClient;
use portcullis_oauth::EndpointUrl;
use portcullis_resource_server::ConfigError;

use super::{HttpTransport, Outgoing, Route};
use crate::identity::Identity;

/// A server behind that speaks Streamable HTTP, for [`Upstream::http`](crate::Upstream::http).
///
/// ```
/// use std::time::Duration;
///
/// use portcullis_gateway::{HttpServer, Identity, Upstream};
/// use portcullis_oauth::EndpointUrl;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = HttpServer::new(EndpointUrl::parse("https://files.internal/mcp")?)
///     .identity(Identity::new().header("X-User", "{sub}")?)
///     .answer_within(Duration::from_secs(60));
/// let files = Upstream::http("files", server);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct HttpServer {
    url: EndpointUrl,
    identity: Identity,
    forwarded: Vec<String>,
    connect_within: Duration,
    answer_within: Duration,
    idle: Duration,
    certificates: Vec<String>,
}

impl HttpServer {
    /// The server at `url`.
    pub fn new(url: EndpointUrl) -> Self {
        Self {
            url,
            identity: Identity::new(),
            forwarded: Vec::new(),
            connect_within: Duration::from_secs(5),
            answer_within: Duration::from_secs(300),
            idle: Duration::from_secs(30 * 60),
            certificates: Vec::new(),
        }
    }

    /// What it is told of the caller. Default: nothing.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// One more header field of requests that goes on to it.
    pub fn forward_header(mut self, name: impl Into<String>) -> Self {
        self.forwarded.push(name.into());
        self
    }

    /// How long connecting may take. Default: 5 s.
    pub fn connect_within(mut self, limit: Duration) -> Self {
        self.connect_within = limit;
        self
    }

    /// How long a request may wait for the head of its answer. Default: 5 min.
    pub fn answer_within(mut self, limit: Duration) -> Self {
        self.answer_within = limit;
        self
    }

    /// How long a body may pause. Default: 30 min.
    pub fn idle(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// Trusts a private certificate authority beside those of the platform: one or more
    /// certificates as PEM.
    pub fn add_root_certificate_pem(mut self, pem: impl Into<String>) -> Self {
        self.certificates.push(pem.into());
        self
    }

    pub(crate) fn transport(&self, name: &Arc<str>) -> Result<HttpTransport, ConfigError> {
        let mut client = StreamClient::builder(self.url.clone())
            .connect_timeout(self.connect_within)
            .answer_within(self.answer_within);
        for pem in &self.certificates {
            client = client.add_root_certificate_pem(pem.clone());
        }
        let client = client
            .build()
            .map_err(|error| ConfigError::new(format!("upstream `{name}`"), error.to_string()))?;
        Ok(HttpTransport::new(Route {
            name: Arc::clone(name),
            client,
            outgoing: Outgoing::new(self.identity.clone(), &self.forwarded)?,
            idle: self.idle,
        }))
    }
}

impl From<EndpointUrl> for HttpServer {
    fn from(url: EndpointUrl) -> Self {
        Self::new(url)
    }
}
