//! Tokens of other APIs, in the name of the user who called.

use std::fmt;

use portcullis_oauth::ScopeSet;

/// Another API, for which a token is asked in a user's name.
///
/// What names it is a matter of the identity provider: Microsoft Entra ID knows an API by the scopes
/// alone (`https://graph.microsoft.com/User.Read`), token exchange (RFC 8693) by an audience or a
/// resource too.
///
/// ```
/// use portcullis_oauth::scopes;
/// use portcullis_resource_server::DownstreamApi;
///
/// let graph = DownstreamApi::from(scopes!["https://graph.microsoft.com/User.Read"]);
/// let orders = DownstreamApi::new().audience("orders").scopes(scopes!["orders:read"]);
/// # let _ = (graph, orders);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct DownstreamApi {
    scopes: ScopeSet,
    audience: Option<String>,
    resource: Option<String>,
}

impl DownstreamApi {
    /// One of which nothing is said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the token is to open there, as the provider spells it.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self
    }

    /// What the provider calls the API: at Keycloak the id of its client (RFC 8693 section 2.1).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The URL of the API (RFC 8707).
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// The scopes that are asked for.
    pub fn asked_scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The audience, if one is named.
    pub fn asked_audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    /// The resource, if one is named.
    pub fn asked_resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }
}

impl From<ScopeSet> for DownstreamApi {
    fn from(scopes: ScopeSet) -> Self {
        Self::new().scopes(scopes)
    }
}

/// What the identity provider wants of the user before it gives a token of another API: consent, a
/// second factor, a managed device.
#[derive(Clone, PartialEq, Eq)]
pub struct InteractionRequired {
    claims: Option<String>,
}

impl InteractionRequired {
    /// One with the provider's claims challenge, if it sent one.
    pub fn new(claims: Option<String>) -> Self {
        Self { claims }
    }

    /// The claims challenge: a JSON object, which the provider takes back as the parameter `claims` of
    /// an authorization request (OpenID Connect Core section 5.5). It is the provider's own text: show
    /// it to nobody.
    pub fn claims(&self) -> Option<&str> {
        self.claims.as_deref()
    }
}

impl fmt::Debug for InteractionRequired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The provider's words, and who reads logs need not know its policies.
        f.debug_struct("InteractionRequired")
            .field("has_claims", &self.claims.is_some())
            .finish()
    }
}
