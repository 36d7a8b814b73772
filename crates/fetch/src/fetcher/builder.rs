//! The settings of a client.

use std::sync::Arc;
use std::time::Duration;

use super::{Fetcher, Inner};
use crate::error::{FetchError, TransportError};
use crate::policy::{Policy, Profile};
use crate::resolver::{CheckedResolver, Lookup, SystemLookup};

/// How many connections to a host wait for the next request, where others choose the hosts.
const IDLE_GUARDED: usize = 4;
/// The same at a host that the operator chose, such as an identity provider: when many log in at once,
/// each spares a handshake.
const IDLE_TRUSTED: usize = 32;

/// The settings of a [`Fetcher`]; from [`Fetcher::guarded`] or [`Fetcher::trusted`].
#[derive(Debug, Clone)]
#[must_use]
pub struct FetcherBuilder {
    profile: Profile,
    timeout: Duration,
    connect_timeout: Duration,
    max_bytes: usize,
    redirects: usize,
    allow_loopback: bool,
    extra_ports: Vec<u16>,
    root_certificates: Vec<String>,
    lookup: Arc<dyn Lookup>,
}

impl FetcherBuilder {
    pub(super) fn new(profile: Profile) -> Self {
        Self {
            profile,
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            max_bytes: 256 * 1024,
            redirects: 0,
            allow_loopback: false,
            extra_ports: Vec::new(),
            root_certificates: Vec::new(),
            lookup: Arc::new(SystemLookup),
        }
    }

    /// The time for a whole request, redirects and body included. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The time for a lookup with the connection and TLS handshake that follow. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest body in bytes, after decompression. Default: 256 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many redirects a `GET` follows, at most 3. Default: none.
    ///
    /// Each target is checked as the first URL was. A trusted client stays on the origin.
    pub fn redirects(mut self, count: usize) -> Self {
        self.redirects = count.min(3);
        self
    }

    /// Allows `http://localhost`, `http://127.0.0.1` and `http://[::1]`, on any port, for
    /// development and tests. Default: no.
    ///
    /// A name that merely resolves to loopback stays refused in a guarded client.
    pub fn allow_loopback(mut self, allow: bool) -> Self {
        self.allow_loopback = allow;
        self
    }

    /// Ports besides 443 that a guarded client may use. Default: none.
    pub fn extra_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.extra_ports.extend(ports);
        self
    }

    /// Trusts a private certificate authority beside those of the platform: one or more
    /// certificates as PEM.
    pub fn add_root_certificate_pem(mut self, pem: impl Into<String>) -> Self {
        self.root_certificates.push(pem.into());
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
    /// [`FetchError::Setting`] when a certificate cannot be read or TLS has no roots.
    pub fn build(self) -> Result<Fetcher, FetchError> {
        let policy = Policy {
            profile: self.profile,
            allow_loopback: self.allow_loopback,
            plain_http: false,
            extra_ports: self.extra_ports.into(),
        };
        let resolver = CheckedResolver {
            lookup: self.lookup,
            policy: policy.clone(),
        };
        let idle = match self.profile {
            Profile::Guarded => IDLE_GUARDED,
            Profile::Trusted => IDLE_TRUSTED,
        };
        let connections = (self.connect_timeout, idle);
        let client = client(resolver, connections, &self.root_certificates)?;
        Ok(Fetcher {
            inner: Arc::new(Inner {
                client,
                policy,
                timeout: self.timeout,
                max_bytes: self.max_bytes,
                redirects: self.redirects,
            }),
        })
    }
}

fn client(
    resolver: CheckedResolver,
    (connect_timeout, idle): (Duration, usize),
    root_certificates: &[String],
) -> Result<reqwest::Client, FetchError> {
    let mut roots = Vec::new();
    for pem in root_certificates {
        let bundle = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|error| setting("add_root_certificate_pem", Some(error)))?;
        if bundle.is_empty() {
            return Err(setting("add_root_certificate_pem", None));
        }
        roots.extend(bundle);
    }
    let fallible = if roots.is_empty() {
        "build"
    } else {
        "add_root_certificate_pem"
    };
    #[expect(clippy::disallowed_methods, reason = "the one home of the client")]
    let builder = reqwest::Client::builder();
    builder
        .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
        // SECURITY: a variable such as `HTTPS_PROXY` would send every request to a stranger, who
        // resolves the names unchecked; sec_sf_04_proxy_variables_are_ignored
        .no_proxy()
        // SECURITY: redirects are followed by `Fetcher::get`, which checks each;
        // sec_sf_05_redirects_are_refused_by_default
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // SECURITY: the client connects to checked addresses alone;
        // sec_sf_03_a_name_that_moves_to_loopback_is_never_reached
        .dns_resolver(resolver)
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
        .tls_certs_merge(roots)
        .http2_max_header_list_size(64 * 1024)
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(idle)
        .build()
        .map_err(|error| setting(fallible, Some(error)))
}

fn setting(setting: &'static str, error: Option<reqwest::Error>) -> FetchError {
    FetchError::Setting {
        setting,
        source: error.map(TransportError::new),
    }
}
