//! The settings of a server behind that speaks HTTP.

use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::StreamClient;
use portcullis_oauth::{BaseUrl, EndpointUrl};
use portcullis_resource_server::{Causes, ConfigError};

use super::{HttpTransport, Outgoing, Route};
use crate::identity::Identity;
use crate::stdio::StdioLimits;

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
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct HttpServer {
    url: EndpointUrl,
    identity: Identity,
    forwarded: Vec<String>,
    connect_within: Duration,
    answer_within: Duration,
    idle: Duration,
    certificates: Vec<String>,
    plain_http: bool,
}

/// Settings of an [`HttpServer`] that open a hole, from [`HttpServer::dangerous`]. Each is logged at
/// every start.
#[derive(Debug, Clone)]
#[must_use]
pub struct DangerousHttpServer(HttpServer);

impl DangerousHttpServer {
    /// Calls a server on another machine by plain `http`: its URL is from
    /// [`EndpointUrl::parse_plain`]. Every address of its name must be private or loopback.
    ///
    /// What breaks: whoever is on the way there reads and changes what is said, and can say who is
    /// calling where the server believes headers. Who is hurt: everybody whose data the server has.
    /// When it is right: between containers, or machines, of one network that is all one's own.
    pub fn allow_plain_http(mut self) -> HttpServer {
        self.0.plain_http = true;
        self.0
    }
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
            plain_http: false,
        }
    }

    /// Settings that open a hole.
    pub fn dangerous(self) -> DangerousHttpServer {
        DangerousHttpServer(self)
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

    /// Where it is.
    pub(crate) fn url(&self) -> &EndpointUrl {
        &self.url
    }

    /// The transport, for requests that come in at `base`.
    pub(crate) fn transport(
        &self,
        name: &Arc<str>,
        base: Option<&BaseUrl>,
    ) -> Result<HttpTransport, ConfigError> {
        let identity = self.identity.clone().for_server(&self.url);
        let outgoing = Outgoing::new(identity, &self.forwarded)?;
        Ok(HttpTransport::new(Route {
            name: Arc::clone(name),
            client: self.client(name)?,
            outgoing: outgoing.coming_in_at(base),
            idle: self.idle,
        }))
    }

    /// What speaks to it.
    pub(crate) fn client(&self, name: &Arc<str>) -> Result<StreamClient, ConfigError> {
        let mut client = StreamClient::builder(self.url.clone())
            .allow_plain_http(self.plain_http)
            .connect_timeout(self.connect_within)
            .answer_within(self.answer_within);
        for pem in &self.certificates {
            client = client.add_root_certificate_pem(pem.clone());
        }
        let client = client.build().map_err(|error| {
            let fault = Causes::of(&error).to_string();
            let error = ConfigError::new(format!("upstream `{name}`"), fault);
            if self.url.is_plain() && !self.plain_http {
                return error.with_hint("use `https`, or `.dangerous().allow_plain_http()`");
            }
            error
        })?;
        if self.url.is_plain() {
            tracing::warn!(
                target: "portcullis::security",
                event = "dangerous_setting",
                upstream = &**name,
                setting = "allow_plain_http",
                "the server behind is called by plain http: whoever is on the way there reads and \
                 changes what is said, the caller's name included",
            );
        }
        Ok(client)
    }

    /// What it is told of the caller.
    pub(crate) fn told(&self) -> &Identity {
        &self.identity
    }

    /// Whether anything goes on that differs from request to request.
    pub(crate) fn forwards(&self) -> bool {
        !self.forwarded.is_empty() || self.identity.is_forwarded()
    }

    /// The bounds on a connection to it that stays open.
    pub(crate) fn limits(&self) -> StdioLimits {
        StdioLimits::default()
            .processes(CONNECTIONS)
            .processes_per_user(CONNECTIONS_PER_USER)
            .start_timeout(self.answer_within.min(START))
            .request_timeout(self.answer_within)
            .idle(self.idle)
    }
}

impl From<EndpointUrl> for HttpServer {
    fn from(url: EndpointUrl) -> Self {
        Self::new(url)
    }
}

/// Connections that stay open at a time, for all users and for one.
const CONNECTIONS: usize = 1024;
const CONNECTIONS_PER_USER: usize = 64;
/// How long one may take for its first answer.
const START: Duration = Duration::from_secs(30);
