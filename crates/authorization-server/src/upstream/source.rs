//! Where a provider's endpoints are known from.

use std::sync::Arc;

use portcullis_oauth::jose::id_token::IssuerRule;
use portcullis_oauth::metadata::server::WELL_KNOWN_OPENID;
use portcullis_oauth::{EndpointUrl, Issuer, SharedClock};
use portcullis_resource_server::RemoteKeys;

use super::check::Checker;
use super::client::UpstreamParts;
use super::definition::{Place, Upstream};
use super::discovery::{Discovery, Target};
use super::site::{Endpoint, Site, Ways};

/// Where a provider's endpoints are known from.
#[derive(Debug)]
pub(super) enum Source {
    Fixed(Arc<Site>),
    Discovered(Box<Discovery>),
}

/// What a provider is called where nobody says.
#[derive(Default)]
pub(super) struct Named {
    pub(super) host: String,
    /// The name of its accounts.
    pub(super) accounts: String,
}

/// Endpoints that somebody wrote down, beside those by which users log in.
struct Written {
    userinfo: Option<EndpointUrl>,
    revocation: Option<EndpointUrl>,
    keys: Option<EndpointUrl>,
}

impl Checker<'_> {
    pub(super) fn source(
        &mut self,
        parts: &UpstreamParts,
        ways: Option<&Ways>,
    ) -> (Option<Source>, Named) {
        let upstream = &parts.upstream;
        match &upstream.place {
            Place::Endpoints {
                authorization,
                token,
            } => self.fixed(parts, ways, (authorization, token)),
            Place::Discovered(text) => {
                let named = self.discovered(parts, ways, text);
                named.map_or_else(
                    || (None, Named::default()),
                    |(discovery, named)| {
                        (
                            discovery.map(|found| Source::Discovered(Box::new(found))),
                            named,
                        )
                    },
                )
            }
        }
    }

    fn fixed(
        &mut self,
        parts: &UpstreamParts,
        ways: Option<&Ways>,
        (authorization, token): (&str, &str),
    ) -> (Option<Source>, Named) {
        let upstream = &parts.upstream;
        let authorization = self.url("authorization_endpoint", authorization);
        let token = self.url("token_endpoint", token);
        let written = self.written(upstream);
        if upstream.sends_issuer && upstream.issuers.is_empty() {
            self.fault("issuer", "is not set, and answers are to carry it");
        }
        if written.keys.is_some() && upstream.issuers.is_empty() {
            self.fault(
                "issuer",
                "is not set, and keys vouch for a named issuer alone",
            );
        }
        let (Some(authorization), Some(token), Some(ways)) = (authorization, token, ways) else {
            return (None, Named::default());
        };
        let origin = authorization.origin();
        let named = Named {
            host: authorization.host().to_owned(),
            accounts: upstream.issuers.first().cloned().unwrap_or(origin),
        };
        let keys = written
            .keys
            .map(|url| self.keys(ways.to_configured(url), &parts.clock));
        let issuer = upstream.issuers.first();
        let audience = match (upstream.assertion_for_token_endpoint, issuer) {
            (Some(false), Some(issuer)) => issuer.clone(),
            _ => token.as_str().to_owned(),
        };
        let site = Site {
            issuers: upstream
                .issuers
                .iter()
                .map(|text| IssuerRule::parse(text))
                .collect(),
            authorization,
            token: ways.to_configured(token),
            userinfo: written.userinfo.map(|url| ways.to_configured(url)),
            revocation: written.revocation.map(|url| ways.to_configured(url)),
            keys: keys.flatten(),
            sends_issuer: upstream.sends_issuer,
            assertion_audience: audience,
        };
        (Some(Source::Fixed(Arc::new(site))), named)
    }

    /// The endpoints that may be written down for every provider.
    fn written(&mut self, upstream: &Upstream) -> Written {
        let userinfo = upstream.userinfo.as_ref();
        let userinfo = userinfo.map(|info| info.endpoint.as_str());
        let revocation = upstream.revocation.endpoint.as_deref();
        Written {
            userinfo: self.optional_url("userinfo_endpoint", userinfo),
            revocation: self.optional_url("revocation_endpoint", revocation),
            keys: self.optional_url("jwks_uri", upstream.jwks_uri.as_deref()),
        }
    }

    fn keys(&mut self, at: Endpoint, clock: &SharedClock) -> Option<Arc<RemoteKeys>> {
        let keys = RemoteKeys::at(at.url, at.fetcher, Arc::clone(clock));
        keys.map(Arc::new)
            .map_err(|error| self.fault("jwks_uri", error.to_string()))
            .ok()
    }

    fn discovered(
        &mut self,
        parts: &UpstreamParts,
        ways: Option<&Ways>,
        text: &str,
    ) -> Option<(Option<Discovery>, Named)> {
        let upstream = &parts.upstream;
        let (base, document) = match text.strip_suffix(WELL_KNOWN_OPENID) {
            Some(base) => (base, Some(self.url("issuer", text)?)),
            None => (text, None),
        };
        self.url("issuer", base)?;
        let issuer = Issuer::parse(base);
        let issuer = issuer
            .map_err(|error| self.fault("issuer", format!("`{base}`: {error}")))
            .ok()?;
        let written = self.written(upstream);
        let expected = match (upstream.issuers.as_slice(), &document) {
            ([], None) => vec![base.to_owned()],
            // Where the configuration is says nothing of a slash at the issuer's end (OpenID Connect
            // Discovery section 4.1).
            ([], Some(_)) => vec![base.to_owned(), format!("{base}/")],
            (named, _) => named.to_vec(),
        };
        let accounts = upstream.issuers.first().map_or(base, String::as_str);
        let named = Named {
            host: issuer.host().to_owned(),
            accounts: accounts.to_owned(),
        };
        let ways = ways?.clone();
        let discovery = Discovery::new(Target {
            issuer,
            document,
            expected,
            spellings: upstream.issuers.clone(),
            sends_issuer: upstream.sends_issuer,
            userinfo: written.userinfo.map(|url| ways.to_configured(url)),
            revocation: written.revocation.map(|url| ways.to_configured(url)),
            jwks: written.keys.map(|url| ways.to_configured(url)),
            assertion_for_token_endpoint: upstream.assertion_for_token_endpoint.unwrap_or(false),
            ways,
            clock: Arc::clone(&parts.clock),
        });
        Some((Some(discovery), named))
    }
}
