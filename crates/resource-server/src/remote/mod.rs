//! [`RemoteAuthProvider`]: users log in elsewhere, tokens are verified here.

mod forward;
#[macro_use]
pub(crate) mod preset;

use std::fmt;

use axum::routing::MethodRouter;
use portcullis_oauth::{BaseUrl, EndpointUrl, InvalidUrl, Issuer, ScopeHierarchy, ScopeSet};

use self::forward::Forward;
use crate::{AccessToken, Auth, ConfigError, IntoAuth, TokenVerifier};

/// Protects a server by the tokens of an identity provider, and leads clients there.
///
/// It joins a [`TokenVerifier`] with the metadata (RFC 9728) from which an MCP client learns where
/// to log in. The token's audience is the MCP URL: base URL and path of the endpoint.
///
/// ```
/// use portcullis_resource_server::{RemoteAuthProvider, TokenVerifier};
///
/// # fn auth(verifier: impl TokenVerifier) -> Result<RemoteAuthProvider, portcullis_resource_server::ConfigError> {
/// let auth = RemoteAuthProvider::new(verifier, "https://mcp.example.com")?
///     .authorization_server("https://auth.example.com")
///     .resource_name("Example");
/// # Ok(auth)
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct RemoteAuthProvider {
    auth: Auth,
    servers: Vec<String>,
    forward: Option<Source>,
}

/// Where the forwarded metadata of the authorization server comes from.
#[derive(Debug, Clone)]
enum Source {
    /// The well-known places of the first authorization server.
    WellKnown,
    Url(String),
}

impl RemoteAuthProvider {
    /// Tokens are verified by `verifier`; `base_url` is the public URL of this server, without
    /// the path of the MCP endpoint.
    ///
    /// # Errors
    /// [`ConfigError`] when `base_url` is not a URL that clients can reach us by.
    pub fn new(verifier: impl TokenVerifier, base_url: &str) -> Result<Self, ConfigError> {
        let base_url = parse_base_url(base_url)?;
        Ok(Self {
            auth: Auth::new(verifier).base_url(base_url),
            servers: Vec::new(),
            forward: None,
        })
    }

    /// An issuer whose tokens are accepted, exactly as its own metadata writes it. Most clients
    /// use the first.
    pub fn authorization_server(mut self, issuer: impl Into<String>) -> Self {
        self.servers.push(issuer.into());
        self
    }

    /// The scopes that metadata lists; those that the verifier requires unless set.
    pub fn scopes_supported(self, scopes: ScopeSet) -> Self {
        self.with(|auth| auth.scopes_supported(scopes))
    }

    /// Says that [`scopes_supported`](Self::scopes_supported) are all there are. See
    /// [`Auth::only_supported_scopes`].
    pub fn only_supported_scopes(self) -> Self {
        self.with(Auth::only_supported_scopes)
    }

    /// Which scopes the principal of a token can get. See [`Auth::grantable`].
    pub fn grantable(
        self,
        rule: impl Fn(&AccessToken) -> ScopeSet + Send + Sync + 'static,
    ) -> Self {
        self.with(|auth| auth.grantable(rule))
    }

    /// The scopes that a 401 asks for; those that the verifier requires unless set.
    pub fn challenge_scopes(self, scopes: ScopeSet) -> Self {
        self.with(|auth| auth.challenge_scopes(scopes))
    }

    /// Scopes that every request needs, beside those that the verifier requires. Each call adds to
    /// them.
    pub fn required_scopes(self, scopes: ScopeSet) -> Self {
        self.with(|auth| auth.required_scopes(scopes))
    }

    /// Which scopes stand for others.
    pub fn scope_hierarchy(self, hierarchy: ScopeHierarchy) -> Self {
        self.with(|auth| auth.scope_hierarchy(hierarchy))
    }

    /// A name of the resource for users.
    pub fn resource_name(self, name: impl Into<String>) -> Self {
        self.with(|auth| auth.resource_name(name))
    }

    /// The URL of a page about the resource for developers.
    pub fn resource_documentation(self, url: impl Into<String>) -> Self {
        self.with(|auth| auth.resource_documentation(url))
    }

    /// One more public route beside the metadata. It is not behind the token.
    pub fn route(self, path: impl Into<String>, route: MethodRouter) -> Self {
        self.with(|auth| auth.route(path, route))
    }

    /// Anything else that [`Auth`] can be told.
    pub fn with(mut self, change: impl FnOnce(Auth) -> Auth) -> Self {
        self.auth = change(self.auth);
        self
    }

    /// Serves the metadata of the first authorization server (RFC 8414) here too, for clients of
    /// MCP's first revisions, which look for it at the server itself. The document is fetched
    /// from the issuer's well-known places, must name that issuer, and is kept for five minutes.
    pub fn forward_authorization_server_metadata(mut self) -> Self {
        self.forward = Some(Source::WellKnown);
        self
    }

    /// The same, from a URL of its own.
    pub fn forward_authorization_server_metadata_from(mut self, url: impl Into<String>) -> Self {
        self.forward = Some(Source::Url(url.into()));
        self
    }
}

impl IntoAuth for RemoteAuthProvider {
    fn into_auth(self) -> Result<Auth, ConfigError> {
        let issuers = self
            .servers
            .iter()
            .map(|text| parse_issuer(text))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(first) = issuers.first() else {
            return Err(ConfigError::new("authorization_server", "is not set")
                .with_hint("name the issuer at which users log in"));
        };
        let clock = self.auth.shared_clock();
        let forward = match &self.forward {
            None => None,
            Some(Source::WellKnown) => Some(Forward::well_known(first, clock)?),
            Some(Source::Url(text)) => {
                let url = EndpointUrl::parse(text).map_err(|error| {
                    ConfigError::new("forward_authorization_server_metadata", error.to_string())
                })?;
                Some(Forward::from(vec![url], first, clock)?)
            }
        };
        let auth = match forward {
            Some(forward) => self.auth.route(forward::PATH, forward.route()),
            None => self.auth,
        };
        Ok(self
            .servers
            .into_iter()
            .fold(auth, Auth::authorization_server))
    }
}

impl fmt::Debug for RemoteAuthProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteAuthProvider")
            .field("auth", &self.auth)
            .field("authorization_servers", &self.servers)
            .finish_non_exhaustive()
    }
}

pub(crate) fn parse_base_url(text: &str) -> Result<BaseUrl, ConfigError> {
    BaseUrl::parse(text).map_err(|error| {
        ConfigError::new("base_url", error.to_string()).with_hint(
            "give the public URL of this server, as in `https://mcp.example.com`; \
             `http` is for loopback addresses alone",
        )
    })
}

/// An authorization server, as metadata names it. The text is not repeated: it may hold a password.
pub(crate) fn parse_issuer(text: &str) -> Result<Issuer, ConfigError> {
    Issuer::parse(text).map_err(|error| issuer_error("authorization_server", &error))
}

/// The same hint wherever an issuer is written.
pub(crate) fn issuer_error(field: &'static str, error: &InvalidUrl) -> ConfigError {
    ConfigError::new(field, error.to_string()).with_hint(
        "give the issuer as its metadata writes it, as in `https://auth.example.com`; \
         `http` is for loopback addresses alone",
    )
}
