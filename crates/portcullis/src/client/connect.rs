//! The settings of a connection.

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use portcullis_client::Credentials;
use portcullis_fetch::StreamClient;
use portcullis_oauth::{EndpointUrl, SecretString};

use super::{Client, ClientError, Result};
use crate::model;
use crate::rmcp_adapter::client::{Connection, Opening};

/// The settings of a [`Client`]; from [`Client::connect`].
#[derive(Clone, Debug)]
#[must_use = "await it"]
pub struct Connect {
    url: String,
    token: Option<SecretString>,
    name: model::Implementation,
    timeout: Duration,
    sessions_only: bool,
    root_certificates: Vec<String>,
}

impl Connect {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            token: None,
            name: model::Implementation::new("portcullis", env!("CARGO_PKG_VERSION")),
            timeout: Duration::from_secs(60),
            sessions_only: false,
            root_certificates: Vec::new(),
        }
    }

    /// Shows this access token to the server (RFC 6750 section 2.1).
    pub fn bearer(mut self, token: impl Into<SecretString>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The name and version under which this program shows itself to the server.
    pub fn client_info(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.name = model::Implementation::new(name, version);
        self
    }

    /// How long the server may be silent: until the connection stands, and in each request later.
    /// A list with all its pages has as long. Progress of a call starts it anew, for an hour in all. Default: 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Opens a session at once, as revision 2025-11-25 and older ones have it, without asking for a
    /// newer revision.
    pub fn sessions_only(mut self) -> Self {
        self.sessions_only = true;
        self
    }

    /// Trusts a private certificate authority beside those of the platform: PEM.
    pub fn add_root_certificate_pem(mut self, pem: impl Into<String>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    async fn open(self) -> Result<Client> {
        // SECURITY: this URL is `https` or on this machine, so that no token travels in clear
        // (RFC 6750 section 5.3); sec_cl_10_no_token_goes_in_clear
        let url = EndpointUrl::parse(&self.url)?;
        let credentials = match &self.token {
            Some(token) => Credentials::bearer(token)?,
            None => Credentials::None,
        };
        // A request may take as long as it wants here: the waits of this client end it.
        let mut client = StreamClient::builder(url.clone())
            .connect_timeout(self.timeout.min(Duration::from_secs(10)))
            .answer_within(Duration::from_secs(3600))
            .idle_connections(4);
        for pem in self.root_certificates {
            client = client.add_root_certificate_pem(pem);
        }
        let client = client
            .build()
            .map_err(portcullis_client::TransportError::from)?;
        let opening = Opening {
            url,
            client,
            credentials,
            name: self.name,
            timeout: self.timeout,
            sessions_only: self.sessions_only,
        };
        Client::new(Connection::open(opening).await?)
    }
}

impl IntoFuture for Connect {
    type Output = std::result::Result<Client, ClientError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}
