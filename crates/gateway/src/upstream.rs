//! One server behind the gateway.

use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::StreamClient;
use portcullis_oauth::{EndpointUrl, ScopeSet};
use portcullis_resource_server::ConfigError;

use crate::http::{HttpTransport, Outgoing, Route};
use crate::identity::Identity;
use crate::rules::Rules;

/// A server behind the gateway: where it is, under which path it is reached, and who may do what.
///
/// ```
/// use portcullis_gateway::{Needs, Rules, Upstream};
/// use portcullis_oauth::{EndpointUrl, scopes};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let files = Upstream::http("files", EndpointUrl::parse("http://127.0.0.1:3001/mcp")?)
///     .path("/files")
///     .required_scopes(scopes!["files"])
///     .rules(Rules::new().tool("write_*", Needs::scopes(scopes!["files:write"]))?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Upstream {
    pub(crate) name: Arc<str>,
    pub(crate) path: String,
    pub(crate) required_scopes: ScopeSet,
    pub(crate) resource_name: Option<String>,
    pub(crate) rules: Arc<Rules>,
    identity: Identity,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Http(HttpPlace),
}

#[derive(Debug, Clone)]
struct HttpPlace {
    url: EndpointUrl,
    forwarded: Vec<String>,
    connect_within: Duration,
    answer_within: Duration,
    idle: Duration,
    certificates: Vec<String>,
}

impl Upstream {
    /// A server that speaks Streamable HTTP at `url`. `name` is for logs and metrics.
    pub fn http(name: impl Into<Arc<str>>, url: EndpointUrl) -> Self {
        Self::new(
            name.into(),
            Place::Http(HttpPlace {
                url,
                forwarded: Vec::new(),
                connect_within: Duration::from_secs(5),
                answer_within: Duration::from_secs(300),
                idle: Duration::from_secs(30 * 60),
                certificates: Vec::new(),
            }),
        )
    }

    fn new(name: Arc<str>, place: Place) -> Self {
        Self {
            name,
            path: "/mcp".to_owned(),
            required_scopes: ScopeSet::new(),
            resource_name: None,
            rules: Arc::default(),
            identity: Identity::new(),
            place,
        }
    }

    /// Where clients reach it. Default: `/mcp`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Scopes that every request to it needs, beside those of the gateway.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes = scopes;
        self
    }

    /// Its name for users, in its metadata.
    pub fn resource_name(mut self, name: impl Into<String>) -> Self {
        self.resource_name = Some(name.into());
        self
    }

    /// Who may use which of its tools, prompts and resources.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = Arc::new(rules);
        self
    }

    /// What it is told of the caller. Default: nothing.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// One more header field of requests that goes on to it, over HTTP.
    pub fn forward_header(mut self, name: impl Into<String>) -> Self {
        let Place::Http(http) = &mut self.place;
        http.forwarded.push(name.into());
        self
    }

    /// How long connecting may take, and how long a request may wait for the head of its answer,
    /// over HTTP. Default: 5 s and 5 min.
    pub fn patience(mut self, connect: Duration, answer: Duration) -> Self {
        let Place::Http(http) = &mut self.place;
        http.connect_within = connect;
        http.answer_within = answer;
        self
    }

    /// How long a stream of events may be silent, over HTTP. Default: 30 min.
    pub fn idle(mut self, limit: Duration) -> Self {
        let Place::Http(http) = &mut self.place;
        http.idle = limit;
        self
    }

    /// Trusts a private certificate authority beside those of the platform, over HTTP: one or more
    /// certificates as PEM.
    pub fn root_certificate_pem(mut self, pem: impl Into<String>) -> Self {
        let Place::Http(http) = &mut self.place;
        http.certificates.push(pem.into());
        self
    }

    /// The service that reaches it.
    pub(crate) fn transport(&self) -> Result<HttpTransport, ConfigError> {
        let Place::Http(http) = &self.place;
        let mut client = StreamClient::builder(http.url.clone())
            .connect_timeout(http.connect_within)
            .answer_within(http.answer_within);
        for pem in &http.certificates {
            client = client.add_root_certificate_pem(pem.clone());
        }
        let client = client.build().map_err(|error| {
            ConfigError::new(format!("upstream `{}`", self.name), error.to_string())
        })?;
        Ok(HttpTransport::new(Route {
            name: Arc::clone(&self.name),
            client,
            outgoing: Outgoing::new(self.identity.clone(), &http.forwarded)?,
            rules: Arc::clone(&self.rules),
            idle: http.idle,
        }))
    }
}
