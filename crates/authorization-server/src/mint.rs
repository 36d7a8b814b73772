//! Access tokens without a login, for tests: made by whoever has the store and its key.

use std::time::Duration;

use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{BearerToken, ClientId, Issuer, ResourceUrl, ScopeSet, Subject};
use portcullis_resource_server::StartError;
use portcullis_store::{Records, StoreError};

use crate::grant::GrantId;
use crate::grant::record::{GrantRecord, Owner};
use crate::issuer::AccessTokenClaims;
use crate::keyring::{Keyring, KeyringError};
use crate::provider::OAuthProvider;

/// An access token to be made for a test.
///
/// It is a real one: a grant stands behind it, which its user sees among the connections and can take
/// back, and which ends with the token. So whoever can make one can be anybody; nothing but access to
/// the store is asked for, and nothing of this is reached over the network.
#[derive(Clone, Debug)]
#[must_use]
pub struct Mint {
    subject: Subject,
    client: ClientId,
    resource: ResourceUrl,
    scope: ScopeSet,
    lifetime: Duration,
    claims: Map<String, Value>,
    /// The identity provider that its user is taken for one of.
    provider: Option<u64>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The server that should make it does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no signature.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The grant cannot be kept.
    #[error("the grant cannot be kept")]
    Store(#[from] StoreError),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] portcullis_oauth::EntropyError),
}

impl Mint {
    /// A token of this user, through that client, for the resource; without a scope, for 10 minutes.
    pub fn new(subject: Subject, client: ClientId, resource: ResourceUrl) -> Self {
        Self {
            subject,
            client,
            resource,
            scope: ScopeSet::new(),
            lifetime: Duration::from_secs(600),
            claims: Map::new(),
            provider: None,
        }
    }

    /// What it allows.
    pub fn scope(mut self, scope: ScopeSet) -> Self {
        self.scope = scope;
        self
    }

    /// How long it lasts: no longer than the key ring's tokens do.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// What else it says of its user, such as `role`.
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// For the users of that server: where these come from an identity provider, the token counts as long
    /// as it is the same one. The provider knows nothing of it, so there is no token of its own behind it:
    /// a handler that asks for one is told [`Absent`](portcullis_resource_server::UpstreamTokenError).
    ///
    /// [`OAuthProvider::mint`] does this itself.
    pub fn at(self, server: &OAuthProvider) -> Self {
        Self {
            provider: server.identity_provider(),
            ..self
        }
    }

    /// Makes it, as `issuer`, by the clock and the randomness of the keys.
    ///
    /// # Errors
    /// [`MintError`]
    pub async fn token(
        &self,
        issuer: &Issuer,
        keyring: &Keyring,
        records: &Records,
    ) -> Result<BearerToken, MintError> {
        let entropy = keyring.entropy();
        let now = keyring.clock().now();
        let expires_at = now.saturating_add(self.lifetime);
        let id = GrantId::generate(&**entropy)?;
        let claims = AccessTokenClaims {
            issuer,
            subject: self.subject.as_str(),
            client_id: &self.client,
            audience: &self.resource,
            scope: &self.scope,
            token_id: &id.token_id(&**entropy)?,
            authenticated_at: None,
            issued_at: now,
            expires_at,
            extra: &self.claims,
        };
        let token = keyring.sign_access_token(&claims).await?;
        let grant = GrantRecord {
            id,
            client: self.client.clone(),
            is_configured: false,
            is_proxied: self.provider.is_some(),
            is_minted: true,
            owner: Some(Owner {
                subject: self.subject.clone(),
                generation: self.provider.unwrap_or_default(),
                authenticated_at: now,
            }),
            scope: self.scope.clone(),
            resource: self.resource.clone(),
            reach: None,
            granted_at: now,
            last_used: now,
            ends_at: expires_at,
            // Verifiers allow for clocks that differ.
            expires_at: expires_at.saturating_add(Duration::from_secs(60)),
            refresh: None,
        };
        records.insert_new(&grant).await?;
        tracing::warn!(
            target: "portcullis::security",
            event = "token_minted",
            subject = self.subject.as_str(),
            client = self.client.as_str(),
            grant = %id,
            "an access token was made without a login",
        );
        Ok(token)
    }
}
