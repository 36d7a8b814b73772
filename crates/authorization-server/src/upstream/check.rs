//! What can be wrong with a provider's data, all of it at once, and what it becomes.

use portcullis_fetch::Fetcher;
use portcullis_oauth::{ClientId, EndpointUrl, RedirectUri, Scope, ScopeSet};
use portcullis_resource_server::ConfigError;

use super::Upstream;
use super::authentication::UpstreamAuthentication;
use super::authorize::RESERVED;
use super::claims::ClaimMap;
use super::client::{UpstreamParts, Wants};
use super::pointer::Pointer;
use super::scopes::ScopeMap;
use super::site::{Endpoint, Ways};
use super::source::Source;
use super::user::Organisations;
use crate::framed::FramedDigest;

/// What was configured, without a mistake.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) upstream: Upstream,
    pub(super) name: String,
    pub(super) fingerprint: u64,
    pub(super) client_id: ClientId,
    pub(super) authentication: UpstreamAuthentication,
    pub(super) redirect_uri: String,
    pub(super) scopes: ScopeMap,
    /// All that may be asked for, in our spelling.
    pub(super) known: ScopeSet,
    pub(super) claims: ClaimMap,
    pub(super) speaks_oidc: bool,
    pub(super) wants: Wants,
    pub(super) userinfo: UserInfoSettings,
}

/// Where users are asked about.
#[derive(Debug)]
pub(super) struct UserInfoSettings {
    /// What is posted to the userinfo endpoint; nothing: it is got.
    pub(super) query: Option<String>,
    pub(super) at: Option<Pointer>,
    pub(super) emails: Option<Endpoint>,
    pub(super) organisations: Vec<(Endpoint, Pointer)>,
    pub(super) organisation_claims: Vec<Pointer>,
    pub(super) check: Option<TokenCheckSettings>,
}

/// How access tokens are asked about.
#[derive(Debug)]
pub(super) struct TokenCheckSettings {
    pub(super) endpoint: Endpoint,
    pub(super) client: Pointer,
    pub(super) by_client: bool,
}

/// No provider is waited for longer.
const LONGEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Checks all parts.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn check(parts: UpstreamParts) -> Result<(Settings, Source), Vec<ConfigError>> {
    let redirect = RedirectUri::parse(&parts.redirect_uri);
    // Whoever gives a way out decides where it leads.
    let loopback = redirect.is_ok_and(|uri| uri.is_loopback()) || parts.fetcher.is_some();
    let mut checker = Checker {
        faults: parts.upstream.faults.clone(),
        client_id: &parts.client_id,
        loopback,
    };
    if let Err(fault) = parts.authentication.check() {
        checker.faults.push(fault);
    }
    let timeout = parts.upstream.timeout;
    if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
        checker.fault("upstream_timeout", "is zero, or longer than a minute");
    }
    checker.parameters(&parts.upstream);
    checker.subject(&parts.upstream);
    let ways = checker.ways(parts.fetcher.clone(), &parts.upstream);
    let known = parts.scopes.as_ref().unwrap_or(&parts.upstream.scopes);
    let known = known.clone();
    let scopes = checker.scopes(&parts.upstream, &known, parts.wants);
    let (source, place) = checker.source(&parts, ways.as_ref());
    let userinfo = ways
        .as_ref()
        .and_then(|ways| checker.userinfo(&parts.upstream, ways));
    let faults = std::mem::take(&mut checker.faults);
    let (Some(source), Some(userinfo), true) = (source, userinfo, faults.is_empty()) else {
        return Err(faults);
    };
    let settings = Settings {
        name: parts.upstream.name.clone().unwrap_or(place.host),
        fingerprint: fingerprint(&place.accounts, &parts.client_id),
        claims: ClaimMap::of(&parts.upstream),
        speaks_oidc: parts.upstream.speaks_oidc(),
        scopes,
        known,
        userinfo,
        client_id: parts.client_id,
        authentication: parts.authentication,
        redirect_uri: parts.redirect_uri,
        wants: parts.wants,
        upstream: parts.upstream,
    };
    Ok((settings, source))
}

pub(super) struct Checker<'a> {
    faults: Vec<ConfigError>,
    client_id: &'a ClientId,
    /// Whether we are for this machine alone.
    loopback: bool,
}

impl Checker<'_> {
    pub(super) fn fault(&mut self, field: &'static str, fault: impl Into<String>) {
        self.faults.push(ConfigError::new(field, fault.into()));
    }

    fn ways(&mut self, fetcher: Option<Fetcher>, upstream: &Upstream) -> Option<Ways> {
        let ways = Ways::new(fetcher, upstream.timeout, self.loopback);
        ways.map_err(|error| self.fault("upstream", error.to_string()))
            .ok()
    }

    /// A URL in which `{client_id}` stands for ours.
    pub(super) fn url(&mut self, field: &'static str, text: &str) -> Option<EndpointUrl> {
        let text = text.replace("{client_id}", self.client_id.as_str());
        match EndpointUrl::parse(&text) {
            // SECURITY: codes and secrets must not leave a public server in clear, nor its users be sent
            // to their own machine; sec_sf_06_a_provider_on_loopback_is_for_loopback_alone
            Ok(url) if url.url().scheme() == "http" && !self.loopback => {
                self.faults.push(
                    ConfigError::new(field, "is `http`, and this server is not on loopback")
                        .with_hint("a provider without TLS is for development: give it `https`"),
                );
                None
            }
            Ok(url) => Some(url),
            Err(error) => {
                self.fault(field, format!("`{text}`: {error}"));
                None
            }
        }
    }

    pub(super) fn optional_url(
        &mut self,
        field: &'static str,
        text: Option<&str>,
    ) -> Option<EndpointUrl> {
        text.and_then(|text| self.url(field, text))
    }

    fn parameters(&mut self, upstream: &Upstream) {
        for (field, pairs, reserved) in [
            (
                "authorize_params",
                &upstream.authorize_params,
                &RESERVED[..],
            ),
            (
                "token_params",
                &upstream.token_params,
                &RESERVED_AT_TOKEN[..],
            ),
        ] {
            for (name, _) in pairs {
                // SECURITY: whoever overrides `state` or `redirect_uri` unbinds the answer from the
                // request (RFC 6749 section 10.12); sec_px_01_no_parameter_of_the_protocol_is_to_be_set
                if name.is_empty() || reserved.contains(&name.as_str()) {
                    self.fault(field, format!("`{name}` is set by this server alone"));
                }
            }
        }
    }

    fn subject(&mut self, upstream: &Upstream) {
        // SECURITY: an address or a name may be somebody else's next year, or be written by the user
        // (OpenID Connect Core section 5.7); sec_px_09_no_account_is_known_by_an_address
        if PASSED_ON.contains(&upstream.subject.as_str()) {
            let fault = format!(
                "`{}` is no id: it can become another user's",
                upstream.subject
            );
            let hint = "name the claim with the provider's own id of a user, as `sub` or `id`";
            self.faults
                .push(ConfigError::new("subject", fault).with_hint(hint));
        }
    }

    fn scopes(&mut self, upstream: &Upstream, known: &ScopeSet, wants: Wants) -> ScopeMap {
        let mut scope = |text: &str| match Scope::parse(text) {
            Ok(scope) => Some(scope),
            Err(error) => {
                self.fault("scope_alias", format!("`{text}`: {error}"));
                None
            }
        };
        let aliases = upstream.scope_aliases.iter();
        let aliases = aliases
            .filter_map(|(ours, theirs)| scope(ours).zip(scope(theirs)))
            .collect();
        let speaks_oidc = upstream.speaks_oidc();
        let of_oidc = [
            ("openid", speaks_oidc),
            ("email", speaks_oidc && wants.email),
        ];
        let of_oidc = of_oidc.into_iter().filter(|(_, is_needed)| *is_needed);
        let mut always = upstream.always_scopes.clone();
        always.extend(of_oidc.filter_map(|(name, _)| scope(name)));
        // SECURITY: a client that asks for little would be judged by little, and a list that lets its user
        // in by a group would not (RFC 9700 section 4.16);
        // sec_px_10_who_may_come_is_known_whatever_a_client_asks_for
        always.extend(upstream.identity_scopes.intersection(known));
        if wants.profile {
            always.extend(upstream.identity_scopes.intersection(&upstream.scopes));
        }
        for place in &upstream.organisations {
            if let Organisations::Endpoint { needs, .. } = place
                && wants.organisations
            {
                always = always.union(needs);
            }
        }
        let prefix = upstream.scope_prefix.as_ref().map(|(prefix, except)| {
            let prefix = prefix.replace("{client_id}", self.client_id.as_str());
            (prefix, except.clone())
        });
        ScopeMap {
            separator: upstream.scope_separator,
            aliases,
            prefix,
            always,
        }
    }

    fn userinfo(&mut self, upstream: &Upstream, ways: &Ways) -> Option<UserInfoSettings> {
        let info = upstream.userinfo.as_ref();
        let mut endpoint = |field, text: &str| Some(ways.to_configured(self.url(field, text)?));
        let emails = match upstream.verified_emails.as_deref() {
            Some(text) => Some(endpoint("verified_emails", text)?),
            None => None,
        };
        let (mut organisations, mut claims) = (Vec::new(), Vec::new());
        for place in &upstream.organisations {
            match place {
                Organisations::Claim(claim) => claims.push(Pointer::parse(claim)),
                Organisations::Endpoint { url, at, .. } => {
                    organisations.push((endpoint("organisations", url)?, Pointer::parse(at)));
                }
            }
        }
        let check = match &upstream.token_check {
            Some(check) => Some(TokenCheckSettings {
                endpoint: endpoint("token_check", &check.endpoint)?,
                client: Pointer::parse(&check.client),
                by_client: check.by_client,
            }),
            None => None,
        };
        Some(UserInfoSettings {
            query: info.and_then(|info| info.query.clone()),
            at: info.and_then(|info| info.at.as_deref()).map(Pointer::parse),
            emails,
            organisations,
            organisation_claims: claims,
            check,
        })
    }
}

/// Claims that are passed on from one user to another, or that users choose (OpenID Connect Core section
/// 5.1, and `upn` and `unique_name` of Microsoft's).
const PASSED_ON: [&str; 8] = [
    "email",
    "name",
    "nickname",
    "phone_number",
    "preferred_username",
    "unique_name",
    "upn",
    "username",
];

/// The parameters of a token request that are nobody's to set.
const RESERVED_AT_TOKEN: [&str; 10] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_verifier",
    "grant_type",
    "redirect_uri",
    "refresh_token",
    "resource",
];

/// A number for the accounts at this provider as they are known to this client of it: under another, a
/// subject may be somebody else.
fn fingerprint(accounts: &str, client_id: &ClientId) -> u64 {
    let mut digest = FramedDigest::new();
    // One may write the URL of the configuration, which does not tell whether its issuer has a slash.
    digest.text(accounts.strip_suffix('/').unwrap_or(accounts));
    digest.text(client_id.as_str());
    let digest = digest.finish();
    digest
        .first_chunk()
        .map_or(0, |first| u64::from_be_bytes(*first))
}
