//! An authorization server whose users log in at an identity provider: the modes `google`, `github`,
//! `oidc` and the others of the proxy.

use std::time::Duration;

use portcullis::listener::PROBES;
use portcullis_authorization_server::{
    AllowList, ClaimsPassthrough, OAuthProvider, OAuthProxy, OAuthProxyBuilder,
};
use portcullis_oauth::{BaseUrl, ScopeHierarchy, ScopeSet};
use portcullis_resource_server::ConfigError;
use portcullis_resource_server::env::{Provider, ProxyProvider, ProxySettings};
use portcullis_store::StoreHandle;

use super::lifetimes;
use super::provider::ProviderPlan;
use super::server::ServerPlan;
use crate::config::Loaded;
use crate::config::listen::{Listen, way_in};
use crate::config::raw::{RawClaims, RawPassthrough};
use crate::config::said::{news, said};
use crate::report::{Failure, Problem};

/// What stands between clients and an identity provider, as it was told.
#[derive(Debug)]
pub(crate) struct ProxyPlan {
    kind: ProxyProvider,
    provider: ProviderPlan,
    settings: ProxySettings,
    /// What is wrong with them.
    faults: Vec<ConfigError>,
    server: ServerPlan,
    claims: ClaimsPassthrough,
    transaction: Option<Duration>,
}

/// The public URL in the settings, until it is known.
const NOT_KNOWN_YET: &str = "http://localhost";

/// What such a server is built with, beside its settings.
pub(crate) struct Surroundings<'a> {
    pub(crate) base: &'a BaseUrl,
    pub(crate) store: StoreHandle,
    /// Who may come, if it was said.
    pub(crate) allow: Option<&'a AllowList>,
    /// The server of the settings before.
    pub(crate) before: Option<&'a OAuthProvider>,
}

/// What is told at the start about the provider.
pub(crate) struct Upstream {
    pub(crate) name: String,
    /// What has to be registered there.
    pub(crate) redirect_uri: String,
}

impl ProxyPlan {
    /// What was written, decided. Problems are added to those of the configuration.
    pub(super) fn resolve(
        kind: ProxyProvider,
        provider: ProviderPlan,
        loaded: &mut Loaded,
    ) -> Self {
        let environment = provider.environment(NOT_KNOWN_YET);
        let (settings, faults) = kind.settings_and_faults(&environment);
        Self {
            kind,
            provider,
            settings,
            faults,
            server: ServerPlan::in_front(loaded),
            claims: claims(loaded.raw.auth.claims_passthrough.clone()),
            transaction: lifetimes::transaction(loaded),
        }
    }

    pub(super) fn provider(&self) -> Provider {
        self.kind.into()
    }

    pub(super) fn mode(&self) -> &'static str {
        self.provider().name()
    }

    /// The server. Mistakes are told by the names of keys.
    pub(crate) fn proxy(&self, around: &Surroundings<'_>) -> Result<OAuthProxy, Failure> {
        self.built(around).map_err(|faults| {
            let problems = faults.iter().map(|fault| self.problem(fault, around.base));
            Failure(problems.collect())
        })
    }

    /// What building the server finds beside what is known to be wrong.
    pub(crate) fn faults(&self, around: &Surroundings<'_>, known: &[Problem]) -> Vec<Problem> {
        let faults = self.built(around).err().unwrap_or_default();
        let found = faults.iter().map(|fault| self.problem(fault, around.base));
        news(known, found)
    }

    fn built(&self, around: &Surroundings<'_>) -> Result<OAuthProxy, Vec<ConfigError>> {
        let (builder, mut faults) = self.draft(around.base);
        let mut builder = builder
            .claims_passthrough(self.claims.clone())
            .store(around.store.clone())
            .server(|server| {
                let server = self.server.apply(server);
                // SECURITY: whoever guesses gets no more attempts by a new configuration (CWE-307);
                // sec_op_14_a_reload_gives_nobody_more_attempts
                match around.before {
                    Some(before) => server.succeeds(before),
                    None => server,
                }
            });
        if let Some(allow) = around.allow {
            builder = builder.allow(allow.clone());
        }
        if let Some(scopes) = self.server.default_scopes() {
            builder = builder.default_scopes(scopes.clone());
        }
        if let Some(lifetime) = self.transaction {
            builder = builder.transaction_lifetime(lifetime);
        }
        let built = builder.build();
        match built {
            Ok(proxy) if faults.is_empty() => return Ok(proxy),
            Ok(_) => {}
            Err(errors) => self.add(&mut faults, self.settings.renamed_all(errors)),
        }
        Err(faults)
    }

    /// What is told at the start about the provider.
    pub(crate) fn upstream(&self, base: &BaseUrl) -> Upstream {
        let (builder, _) = self.draft(base);
        Upstream {
            name: builder.provider().display_name(),
            redirect_uri: builder.redirect_uri(),
        }
    }

    /// Says where strangers could come in, and what nobody can be granted. `wanted` are the scopes that
    /// anything behind asks for.
    pub(crate) fn check(
        &self,
        base: &BaseUrl,
        (wanted, hierarchy): (&ScopeSet, &ScopeHierarchy),
        listen: &Listen,
        loaded: &mut Loaded,
    ) {
        let (builder, _) = self.draft(base);
        let name = builder.provider().display_name();
        // SECURITY: everybody in the world has an account at such a provider (RFC 9700 section 4.16);
        // sec_px_10_strangers_are_let_in_by_name_alone
        if builder.provider().is_multi_tenant()
            && loaded.raw.auth.allow.is_none()
            && (!base.is_loopback() || way_in(listen, loaded).is_some())
        {
            let what = format!("everybody who has an account at {name} could come in");
            let hint = "say who may by `[auth.allow]` with `domains`, `emails`, `orgs`, `groups` or \
                        `tenants`, or by `--allow example.com`; `allow = \"anyone\"` is for everybody";
            let at = loaded.origins.find("auth.mode").cloned();
            loaded
                .problems
                .push(Problem::new(what).at(at.as_ref()).hint(hint));
        }
        let known = hierarchy.expand(&builder.known_scopes());
        let unknown = wanted.difference(&known);
        if !unknown.is_empty() {
            let what = format!("nobody can be granted `{unknown}`, which is asked for here");
            let hint = format!(
                "add it to `auth.scopes` if {name} knows it (beside {}), or to `auth.own_scopes`, if a \
                 user's consent is enough for it",
                builder.known_scopes()
            );
            let at = loaded.origins.find("auth.scopes");
            let at = at.or(loaded.origins.find("auth.mode"));
            let problem = Problem::new(what).at(at).hint(hint);
            loaded.problems.push(problem);
        }
    }

    /// Says that users cannot come back to a path where something else is served. No: they can.
    pub(crate) fn refuse_return(&self, mcp_paths: &[&str], loaded: &mut Loaded) -> bool {
        let path = self.settings.text("REDIRECT_PATH").unwrap_or_default();
        let same = |other: &&str| other.trim_matches('/') == path.trim_matches('/');
        let fault = if path.is_empty() {
            return false;
        } else if mcp_paths.iter().any(same) {
            "is where MCP is served"
        } else if PROBES.iter().any(same) {
            "is where probes are answered"
        } else {
            return false;
        };
        let problem = loaded.problem("auth.redirect_path", fault);
        let hint = "leave it out, or take another path, as `/oauth/callback`";
        loaded.problems.push(problem.hint(hint));
        true
    }

    /// What is built of the settings, and what is wrong with them.
    fn draft(&self, base: &BaseUrl) -> (OAuthProxyBuilder, Vec<ConfigError>) {
        let (builder, more) = OAuthProxyBuilder::draft(&self.settings);
        let mut faults = self.faults.clone();
        self.add(&mut faults, more);
        (builder.base_url(base.as_str()), faults)
    }

    /// Adds what is about other keys: a mistake is told once.
    fn add(&self, faults: &mut Vec<ConfigError>, more: impl IntoIterator<Item = ConfigError>) {
        for fault in more {
            if !faults
                .iter()
                .any(|known| self.key(known) == self.key(&fault))
            {
                faults.push(fault);
            }
        }
    }

    fn key<'a>(&'a self, fault: &'a ConfigError) -> &'a str {
        self.provider.key_of(fault).unwrap_or(fault.field())
    }

    /// Who has no client there has to make one, or may want the mode for clients that register there
    /// themselves.
    fn with_way_out(&self, fault: &ConfigError, base: &BaseUrl) -> ConfigError {
        if !fault.field().ends_with("_CLIENT_ID") || fault.fault() != "is not set" {
            return fault.clone();
        }
        let Upstream { name, redirect_uri } = self.upstream(base);
        let is_known = !name.is_empty() && !name.ends_with(".invalid");
        let name = if is_known { &name } else { "the provider" };
        let hint = format!(
            "register this server at {name} with the redirect URI `{redirect_uri}`, and it gives one"
        );
        let more = match self.kind {
            ProxyProvider::Auth0 => "auth0-remote",
            ProxyProvider::Keycloak => "keycloak-remote",
            ProxyProvider::WorkOs => "authkit",
            _ => return fault.clone().with_hint(hint),
        };
        let more = format!("; where MCP clients register there by themselves, it is mode `{more}`");
        fault.clone().with_hint(format!("{hint}{more}"))
    }

    fn problem(&self, error: &ConfigError, base: &BaseUrl) -> Problem {
        let error = self.with_way_out(error, base);
        match self.provider.key_of(&error) {
            Some(_) => self.provider.problem(&error),
            None => said(&error),
        }
    }
}

/// Says what has an effect only where users log in at a provider.
pub(super) fn refuse_what_has_no_effect(loaded: &mut Loaded) {
    let key = "auth.claims_passthrough";
    if loaded.raw.auth.claims_passthrough.is_some() {
        let problem = loaded.problem(key, "has no effect");
        let hint = "it is for modes whose users log in at a provider by this server, as `google`";
        loaded.problems.push(problem.hint(hint));
    }
}

fn claims(said: Option<RawPassthrough>) -> ClaimsPassthrough {
    let raw = match said {
        None | Some(RawPassthrough::All(true)) => RawClaims::default(),
        Some(RawPassthrough::All(false)) => return ClaimsPassthrough::disabled(),
        Some(RawPassthrough::Some(raw)) => raw,
    };
    let mut claims = ClaimsPassthrough::new()
        .from_access_token(raw.from_access_token.unwrap_or(true))
        .from_id_token(raw.from_id_token.unwrap_or(true))
        .from_profile(raw.from_profile.unwrap_or(true))
        .prefix(raw.prefix.unwrap_or_default())
        .blocked(raw.blocked)
        .allow_complex(raw.allow_complex.unwrap_or(false));
    if let Some(allowed) = raw.allowed {
        claims = claims.allowed(allowed);
    }
    if let Some(size) = raw.max_value_size {
        claims = claims.max_value_size(usize::try_from(size).unwrap_or(usize::MAX));
    }
    claims
}
