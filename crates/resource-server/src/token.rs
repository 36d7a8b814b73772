//! A verified access token, as a type.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::{Scope, ScopeHierarchy, ScopeSet, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::grantable::Grantable;
use crate::upstream_token::{SharedUpstreamTokens, UpstreamTokens};

/// Proof that somebody presented a valid access token for this resource, and what it says.
///
/// There is no public constructor but [`AccessToken::assert_verified`], which only a
/// [`TokenVerifier`](crate::TokenVerifier) has a reason to call. So a function that takes an
/// `AccessToken` cannot be reached without one. It is cheap to clone and does not hold the token's
/// text: what a handler never has, it cannot log or forward.
///
/// ```
/// use portcullis_resource_server::AccessToken;
///
/// fn greet(user: &AccessToken) -> String {
///     match user.claim::<String>("name") {
///         Some(name) => format!("Hello, {name}!"),
///         None => format!("Hello, {}!", user.subject()),
///     }
/// }
/// ```
#[derive(Clone)]
pub struct AccessToken {
    inner: Arc<TokenParts>,
    /// With what the granted scopes imply; absent where nothing implies anything.
    effective: Option<ScopeSet>,
    /// What more its principal can get; absent where nobody knows of a bound.
    grantable: Option<Arc<Grantable>>,
    /// Where its user's tokens at an identity provider are; absent where there is none.
    upstream_tokens: Option<SharedUpstreamTokens>,
}

impl AccessToken {
    /// Declares that a token was verified: its signature or its issuer's word, its audience, its
    /// expiry. Whoever calls this without having done so opens the door.
    pub fn assert_verified(parts: TokenParts) -> Self {
        Self {
            inner: Arc::new(parts),
            effective: None,
            grantable: None,
            upstream_tokens: None,
        }
    }

    /// The user (`sub`, RFC 9068 section 2.2). It means something only beside
    /// [`issuer`](Self::issuer).
    pub fn subject(&self) -> &str {
        &self.inner.subject
    }

    /// Who issued the token (`iss`).
    pub fn issuer(&self) -> &str {
        &self.inner.issuer
    }

    /// The OAuth client that presented it (`client_id`), where the token names one.
    pub fn client_id(&self) -> Option<&str> {
        self.inner.client_id.as_deref()
    }

    /// The scopes that were granted, as the token says them.
    pub fn scopes(&self) -> &ScopeSet {
        &self.inner.scopes
    }

    /// The granted scopes and those that they imply.
    pub fn effective_scopes(&self) -> &ScopeSet {
        self.effective.as_ref().unwrap_or(&self.inner.scopes)
    }

    /// Whether `scope` was granted or is implied.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.effective_scopes().contains_str(scope)
    }

    /// Whether all of `scopes` were granted or are implied.
    pub fn has_scopes(&self, scopes: &ScopeSet) -> bool {
        scopes.is_subset(self.effective_scopes())
    }

    /// Whether its principal has all of `scopes` or could get them by asking. `true` unless the
    /// server was told what can be granted ([`Auth::grantable`](crate::Auth::grantable),
    /// [`Auth::only_supported_scopes`](crate::Auth::only_supported_scopes)).
    pub fn can_get(&self, scopes: &ScopeSet) -> bool {
        let bound = self.grantable.as_ref();
        bound.is_none_or(|bound| bound.covers(self, scopes))
    }

    /// Whether the user has one of `roles`, by the claim `role`, `roles` or `groups`: a string or an
    /// array of strings.
    pub fn has_any_role(&self, roles: &[String]) -> bool {
        self.has_any_role_in(&ROLE_CLAIMS, roles)
    }

    /// Whether the user has one of `roles` by one of `claims`, each a string or an array of strings:
    /// the name of a claim, or the way to a member of one, as in `realm_access.roles`.
    pub fn has_any_role_in(&self, claims: &[impl AsRef<str>], roles: &[String]) -> bool {
        self.roles_in(claims)
            .any(|role| roles.iter().any(|wanted| wanted == role))
    }

    /// The user's roles, by the claims `role`, `roles` and `groups`.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles_in(&ROLE_CLAIMS)
    }

    /// The user's roles by `claims`, as [`has_any_role_in`](Self::has_any_role_in) reads them.
    pub fn roles_in<'a>(&'a self, claims: &'a [impl AsRef<str>]) -> impl Iterator<Item = &'a str> {
        let found = claims.iter();
        let found = found.filter_map(|claim| self.claim_at(claim.as_ref()));
        found
            .flat_map(|claim| match claim {
                Value::Array(items) => items.as_slice(),
                claim => std::slice::from_ref(claim),
            })
            .filter_map(Value::as_str)
    }

    /// A claim by its name, which may hold dots, or by the way to it.
    fn claim_at(&self, way: &str) -> Option<&Value> {
        let claims = self.claims();
        claims.get(way).or_else(|| {
            let mut members = way.split('.');
            let first = claims.get(members.next()?)?;
            members.try_fold(first, |value, member| value.get(member))
        })
    }

    /// For whom the token was issued (`aud`).
    pub fn audience(&self) -> &[String] {
        &self.inner.audience
    }

    /// When the token ends (`exp`); `None` only where its verifier has tokens that do not.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.inner.expires_at
    }

    /// When nobody accepts the token any more: its end, and the leeway that its verifier allows for
    /// clocks that differ. A stream of events that it opened lasts until then.
    pub fn accepted_until(&self) -> Option<Timestamp> {
        let end = self.inner.expires_at?;
        Some(end.saturating_add(self.inner.leeway))
    }

    /// The token's own id (`jti`).
    pub fn jwt_id(&self) -> Option<&str> {
        self.claims().get("jti").and_then(Value::as_str)
    }

    /// A claim, read as `T`. `None` when it is absent or is no `T`.
    ///
    /// ```
    /// # use portcullis_resource_server::AccessToken;
    /// fn is_admin(token: &AccessToken) -> bool {
    ///     token.claim::<String>("role").as_deref() == Some("admin")
    /// }
    /// ```
    pub fn claim<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        self.claims()
            .get(name)
            .and_then(|value| T::deserialize(value).ok())
    }

    /// All claims: of a JWT its payload, of an opaque token what its issuer answered.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.inner.claims
    }

    /// Who this is: the key under which sessions and state belong to somebody.
    pub fn principal(&self) -> Principal {
        Principal {
            issuer: Arc::clone(&self.inner.issuer),
            subject: Arc::clone(&self.inner.subject),
            client_id: self.inner.client_id.clone(),
        }
    }

    /// The same through no client in particular.
    pub(crate) fn user(&self) -> Principal {
        Principal {
            issuer: Arc::clone(&self.inner.issuer),
            subject: Arc::clone(&self.inner.subject),
            client_id: None,
        }
    }

    /// The same token where scopes may imply others.
    #[must_use]
    pub fn with_hierarchy(mut self, hierarchy: &ScopeHierarchy) -> Self {
        self.effective = (!hierarchy.is_empty()).then(|| hierarchy.expand(&self.inner.scopes));
        self
    }

    /// The same token, of a user whose tokens at an identity provider are kept there. A verifier that
    /// knows of them says so; handlers ask by
    /// [`load_upstream_tokens`](crate::load_upstream_tokens).
    #[must_use]
    pub fn with_upstream_tokens(mut self, tokens: Arc<dyn UpstreamTokens>) -> Self {
        self.upstream_tokens = Some(tokens);
        self
    }

    pub(crate) fn upstream_tokens(&self) -> Option<&dyn UpstreamTokens> {
        self.upstream_tokens.as_deref()
    }

    /// The same token where not every scope can be had.
    pub(crate) fn with_grantable(mut self, grantable: Option<&Arc<Grantable>>) -> Self {
        self.grantable = grantable.cloned();
        self
    }
}

/// The claims in which identity providers put roles.
const ROLE_CLAIMS: [&str; 3] = ["role", "roles", "groups"];

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Claims are about a person: they stay out of what may be logged.
        f.debug_struct("AccessToken")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .field("client_id", &self.client_id())
            .field("scopes", self.scopes())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

/// What a verifier found out about a token, for [`AccessToken::assert_verified`].
///
/// ```
/// use portcullis_oauth::{Timestamp, scopes};
/// use portcullis_resource_server::{AccessToken, TokenParts};
///
/// let token = AccessToken::assert_verified(
///     TokenParts::new("https://auth.example.com", "alice")
///         .client_id("cli")
///         .scopes(scopes!["notes:read"])
///         .expires_at(Timestamp::from_secs(1_800_000_000)),
/// );
/// assert!(token.has_scope("notes:read"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct TokenParts {
    issuer: Arc<str>,
    subject: Arc<str>,
    client_id: Option<Arc<str>>,
    scopes: ScopeSet,
    audience: Vec<String>,
    expires_at: Option<Timestamp>,
    leeway: Duration,
    claims: Map<String, Value>,
}

impl TokenParts {
    /// A token of `subject`, issued by `issuer`, that grants nothing yet.
    pub fn new(issuer: impl Into<Arc<str>>, subject: impl Into<Arc<str>>) -> Self {
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            client_id: None,
            scopes: ScopeSet::new(),
            audience: Vec::new(),
            expires_at: None,
            leeway: Duration::ZERO,
            claims: Map::new(),
        }
    }

    /// The client that the token was issued to.
    pub fn client_id(mut self, client_id: impl Into<Arc<str>>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// The scopes that the token grants.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self
    }

    /// One more scope.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scopes.extend([scope]);
        self
    }

    /// For whom the token was issued.
    pub fn audience(mut self, audience: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.audience = audience.into_iter().map(Into::into).collect();
        self
    }

    /// When the token ends.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// How long the verifier accepts the token beyond its end, because clocks differ; no time
    /// unless set.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// All claims.
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }
}

impl fmt::Debug for TokenParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenParts")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// Who acts: a user, at an issuer, through a client.
///
/// Sessions, event streams and per-user state belong to a principal, not to a token: a refreshed
/// token is the same principal, the same subject at another issuer is not.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    issuer: Arc<str>,
    subject: Arc<str>,
    client_id: Option<Arc<str>>,
}

impl Principal {
    /// The issuer that vouches for the subject.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The user at that issuer.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The client, where tokens name it.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The same user through no client in particular.
    pub(crate) fn without_client(&self) -> Self {
        Self {
            client_id: None,
            ..self.clone()
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("client_id", &self.client_id)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::scopes;
    use serde_json::json;

    use super::*;

    fn token() -> AccessToken {
        let Value::Object(claims) = json!({"role": "admin", "n": 7, "email": "a@b.example"}) else {
            unreachable!()
        };
        AccessToken::assert_verified(
            TokenParts::new("https://i.example", "alice")
                .client_id("cli")
                .scopes(scopes!["admin"])
                .claims(claims),
        )
    }

    #[test]
    fn a_claim_of_another_type_is_absent() {
        let token = token();
        assert_eq!(token.claim::<String>("role").as_deref(), Some("admin"));
        assert_eq!(token.claim::<u8>("n"), Some(7));
        assert_eq!(token.claim::<String>("n"), None);
        assert_eq!(token.claim::<String>("none"), None);
    }

    #[test]
    fn implied_scopes_count_and_are_not_granted() {
        let rules = ScopeHierarchy::new().implies(Scope::from_static("admin"), scopes!["read"]);
        let token = token();
        assert!(!token.has_scope("read"));
        let token = token.with_hierarchy(&rules);
        assert!(token.has_scope("read") && token.has_scopes(&scopes!["read", "admin"]));
        assert_eq!(token.scopes(), &scopes!["admin"]);
    }

    #[test]
    fn debug_shows_no_claims() {
        assert!(!format!("{:?}", token()).contains("a@b.example"));
    }

    #[test]
    fn principals_differ_by_issuer_and_client() {
        let parts = |i: &str, c: &str| {
            AccessToken::assert_verified(TokenParts::new(i, "alice").client_id(c)).principal()
        };
        assert_eq!(parts("i", "c"), parts("i", "c"));
        assert_ne!(parts("i", "c"), parts("j", "c"));
        assert_ne!(parts("i", "c"), parts("i", "d"));
    }
}
