//! What an operator chose, checked.

use std::time::Duration;

use indexmap::IndexMap;
use portcullis_oauth::{BaseUrl, Issuer, Scope, ScopeHierarchy, ScopeSet};

use portcullis_oauth::metadata::server::WELL_KNOWN_OAUTH;
use portcullis_resource_server::ConfigError;

use super::Introspection;

/// The settings of one authorization server. They never change while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Who we are, byte for byte.
    pub(crate) issuer: Issuer,
    /// Where that name is looked for.
    pub(crate) issuer_place: BaseUrl,
    /// Where we are; every URL that we write begins with it.
    pub(crate) base_url: BaseUrl,
    /// All scopes that can be granted; nothing if those are that the mounted servers need.
    pub(crate) scopes: Option<ScopeSet>,
    /// What a request without a scope, or with none that is left, asks for; nothing if all that can
    /// be granted.
    pub(crate) default_scopes: Option<ScopeSet>,
    /// Scopes without which a token opens nothing.
    pub(crate) required_scopes: ScopeSet,
    /// Which scopes stand for others.
    pub(crate) hierarchy: ScopeHierarchy,
    /// What pages say of a scope.
    pub(crate) scope_texts: IndexMap<Scope, String>,
    /// How long things live.
    pub(crate) lifetimes: Lifetimes,
    /// Who may ask about tokens.
    pub(crate) introspection: Introspection,
    /// The path where users come back from an identity provider, if they log in at one.
    pub(crate) callback: Option<String>,
}

/// How long things live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    /// From the request of a client to the user's decision.
    pub(crate) interaction: Duration,
    /// A code, from its making to its redemption.
    pub(crate) code: Duration,
    /// An access token.
    pub(crate) access: Duration,
    /// A refresh token that is not used.
    pub(crate) refresh_idle: Duration,
    /// A grant, however often it is refreshed.
    pub(crate) refresh_absolute: Duration,
    /// How long a refresh token that was just replaced gets the same answer again.
    pub(crate) grace: Duration,
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            interaction: Duration::from_secs(600),
            code: Duration::from_secs(300),
            access: HOUR,
            refresh_idle: DAY * 30,
            refresh_absolute: DAY * 90,
            grace: Duration::from_secs(60),
        }
    }
}

impl Settings {
    /// The defaults for a server at that address.
    pub(crate) fn new(issuer: Issuer, base_url: BaseUrl) -> Self {
        Self {
            issuer,
            issuer_place: base_url.clone(),
            base_url,
            scopes: None,
            default_scopes: None,
            required_scopes: ScopeSet::new(),
            hierarchy: ScopeHierarchy::new(),
            scope_texts: IndexMap::new(),
            lifetimes: Lifetimes::default(),
            introspection: Introspection::nobody(),
            callback: None,
        }
    }
}

impl Settings {
    /// Where our metadata is (RFC 8414 section 3.1).
    pub(crate) fn metadata_url(&self) -> String {
        let place = &self.issuer_place;
        let path = place.path().trim_end_matches('/');
        format!("{}{WELL_KNOWN_OAUTH}{path}", place.origin())
    }
}

/// The name of an issuer, and where it is looked for.
#[derive(Debug, Clone)]
pub(crate) struct IssuerPlace {
    pub(crate) name: Issuer,
    pub(crate) place: BaseUrl,
}

impl IssuerPlace {
    /// One that is named by its place, byte for byte.
    pub(crate) fn of(place: &BaseUrl) -> Result<Self, ConfigError> {
        let name = Issuer::parse(place.as_str());
        let name = name.map_err(|error| ConfigError::new("issuer_url", error.to_string()))?;
        let place = place.clone();
        Ok(Self { name, place })
    }
}
