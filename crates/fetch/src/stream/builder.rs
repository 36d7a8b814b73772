//! The settings of a client that streams.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use portcullis_oauth::EndpointUrl;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::{Connector, StreamClient};
use crate::error::FetchError;
use crate::policy::{Policy, Profile};
use crate::resolver::{CheckedResolver, Lookup, SystemLookup};

/// The settings of a [`StreamClient`]; from [`StreamClient::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct StreamClientBuilder {
    url: EndpointUrl,
    connect_timeout: Duration,
    answer_within: Duration,
    idle_connections: usize,
    root_certificates: Vec<String>,
    allow_plain_http: bool,
    lookup: Arc<dyn Lookup>,
}

impl StreamClientBuilder {
    pub(super) fn new(url: EndpointUrl) -> Self {
        Self {
            url,
            connect_timeout: Duration::from_secs(5),
            answer_within: Duration::from_secs(300),
            idle_connections: 128,
            root_certificates: Vec::new(),
            allow_plain_http: false,
            lookup: Arc::new(SystemLookup),
        }
    }

    /// The time for a lookup with the connection that follows. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The time from a request to the head of its answer. Default: 5 min, since a call may work
    /// for long before it answers.
    pub fn answer_within(mut self, timeout: Duration) -> Self {
        self.answer_within = timeout;
        self
    }

    /// How many connections are kept for the next request. Default: 128.
    pub fn idle_connections(mut self, count: usize) -> Self {
        self.idle_connections = count;
        self
    }

    /// Trusts a private certificate authority beside those of the platform: one or more
    /// certificates as PEM.
    pub fn add_root_certificate_pem(mut self, pem: impl Into<String>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Calls a URL that is plain `http` on another machine. Every address of it must then be private
    /// or loopback, whatever its name leads to. Default: refused.
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    /// Looks names up by other means than the operating system's.
    pub fn lookup(mut self, lookup: impl Lookup) -> Self {
        self.lookup = Arc::new(lookup);
        self
    }

    /// Makes the client. It connects to nothing yet.
    ///
    /// # Errors
    /// [`FetchError::Refused`] when the URL leads to an address that no server of one's own has,
    /// such as a cloud's metadata service, or is plain `http` without leave; [`FetchError::Setting`] when a certificate cannot be
    /// read or TLS has no roots.
    pub fn build(self) -> Result<StreamClient, FetchError> {
        let policy = Policy {
            profile: Profile::Trusted,
            allow_loopback: true,
            plain_http: self.allow_plain_http && self.url.is_plain(),
            extra_ports: Arc::default(),
        };
        policy.check_url(&self.url)?;
        let is_plain = self.url.url().scheme() == "http";
        let uri = self.url.url().as_str();
        let uri: Uri = uri.parse().map_err(|_| setting("url"))?;
        let host = uri.authority().ok_or_else(|| setting("url"))?;
        let host = HeaderValue::from_str(host.as_str()).map_err(|_| setting("url"))?;
        let mut tcp = HttpConnector::new_with_resolver(CheckedResolver {
            lookup: self.lookup,
            policy,
        });
        tcp.enforce_http(false);
        // Without it the second packet of a request waits for the acknowledgement of the first.
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(self.connect_timeout));
        let connector: Connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&self.root_certificates, is_plain)?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(self.idle_connections)
            .set_host(false)
            .build(connector);
        Ok(StreamClient {
            client,
            url: self.url,
            uri,
            host,
            answer_within: self.answer_within,
        })
    }
}

/// TLS 1.2 and 1.3, by the roots of the platform and those that were added.
///
/// A client whose one URL is plain never speaks it, so it trusts nobody: reading the platform's
/// roots would take longer than the rest of a start.
fn tls(root_certificates: &[String], is_plain: bool) -> Result<ClientConfig, FetchError> {
    let mut roots = Vec::new();
    for pem in root_certificates {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.push(certificate.map_err(|_| setting("add_root_certificate_pem"))?);
        }
        if roots.len() == before {
            return Err(setting("add_root_certificate_pem"));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| setting("build"))?;
    if is_plain {
        let nobody = config.with_root_certificates(RootCertStore::empty());
        return Ok(nobody.with_no_client_auth());
    }
    let verifier = Verifier::new_with_extra_roots(roots, provider)
        .map_err(|_| setting("add_root_certificate_pem"))?;
    // SECURITY: a server's name and certificate are checked on every connection (RFC 9110 section
    // 4.3.4); sec_gw_20_a_certificate_of_another_name_is_refused
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

fn setting(setting: &'static str) -> FetchError {
    FetchError::Setting {
        setting,
        source: None,
    }
}

/// Shorter than servers keep an idle connection: Node's, the most impatient ones, close it after
/// five seconds, and what was sent on it meanwhile must not be sent twice.
const IDLE: Duration = Duration::from_secs(4);
