//! A provider's endpoints, as they are known now.

use std::sync::Arc;

use portcullis_fetch::{FetchError, Fetcher};
use portcullis_oauth::jose::id_token::IssuerRule;
use portcullis_oauth::{EndpointUrl, Issuer};
use portcullis_resource_server::RemoteKeys;
use std::time::Duration;

use super::answer::LONGEST;

/// A URL, and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) url: EndpointUrl,
    pub(super) fetcher: Fetcher,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// The first one names the accounts; empty where nothing is known.
    pub(super) issuers: Vec<IssuerRule>,
    pub(super) authorization: EndpointUrl,
    pub(super) token: Endpoint,
    pub(super) userinfo: Option<Endpoint>,
    pub(super) revocation: Option<Endpoint>,
    pub(super) keys: Option<Arc<RemoteKeys>>,
    /// Whether it says that its authorization responses carry `iss` (RFC 9207).
    pub(super) sends_issuer: bool,
    /// For whom assertions are.
    pub(super) assertion_audience: String,
}

/// The ways out: one for URLs that the operator has chosen, one for those that a document names.
#[derive(Clone, Debug)]
pub(super) struct Ways {
    configured: Fetcher,
    discovered: Fetcher,
}

impl Ways {
    pub(super) fn new(
        fetcher: Option<Fetcher>,
        timeout: Duration,
        loopback: bool,
    ) -> Result<Self, FetchError> {
        if let Some(fetcher) = fetcher {
            return Ok(Self {
                configured: fetcher.clone(),
                discovered: fetcher,
            });
        }
        let build = |builder: portcullis_fetch::FetcherBuilder| {
            builder
                .timeout(timeout)
                .max_bytes(LONGEST)
                .allow_loopback(loopback)
                .build()
        };
        Ok(Self {
            configured: build(Fetcher::trusted())?,
            discovered: build(Fetcher::guarded())?,
        })
    }

    /// The way to a URL that the operator has chosen.
    pub(super) fn to_configured(&self, url: EndpointUrl) -> Endpoint {
        Endpoint {
            url,
            fetcher: self.configured.clone(),
        }
    }

    /// The way to a URL in the document of an issuer that the operator has chosen.
    pub(super) fn to_discovered(&self, url: EndpointUrl, issuer: &Issuer) -> Endpoint {
        if url.origin() == issuer.origin() {
            return self.to_configured(url);
        }
        Endpoint {
            url,
            // SECURITY: metadata must not lead us, and our secret, into the private network (RFC 9700
            // section 4.11); sec_sf_01_discovered_endpoints_are_reached_through_the_guard
            fetcher: self.discovered.clone(),
        }
    }
}
