//! A registered client, as it is stored.

use std::borrow::Cow;
use std::time::Duration;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::metadata::ClientMetadata;
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::{ClientId, ScopeSet, Timestamp};
use portcullis_store::{Collection, Record};
use serde::{Deserialize, Serialize};

use super::secret::SecretKey;
use super::{AuthenticationMethod, Client, ClientOrigin, metadata};

/// A client that registered itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClientRecord {
    id: ClientId,
    /// What it was answered, without its secret.
    metadata: ClientMetadata,
    /// The digest of its secret as base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    issued_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<i64>,
    expires_at: i64,
}

/// Uses within this time are one. A registration lives so much longer than it has to, so that of all
/// grants of a day the first one alone is written down.
const SAME_USE: Duration = Duration::from_secs(24 * 60 * 60);

impl ClientRecord {
    /// A registration of now, which ends after that time unless it is used.
    pub(super) fn new(
        id: ClientId,
        metadata: ClientMetadata,
        now: Timestamp,
        unused: Duration,
    ) -> Self {
        Self {
            id,
            metadata,
            secret: None,
            issued_at: now.as_secs(),
            used_at: None,
            expires_at: now.saturating_add(unused).as_secs(),
        }
    }

    pub(super) fn with_secret(mut self, digest: [u8; 32]) -> Self {
        self.secret = Some(base64url::encode(digest));
        self
    }

    /// The same registration, used now for what ends then; nothing if that is known well enough.
    pub(super) fn used(
        &self,
        now: Timestamp,
        lives_on: Duration,
        grant_ends: Timestamp,
    ) -> Option<Self> {
        let known = self
            .used_at()
            .is_some_and(|used_at| now.duration_since(used_at) < SAME_USE);
        // A grant without its client could not be refreshed.
        let outlives = grant_ends <= self.ends_at();
        (!known || !outlives).then(|| {
            let ends_at = now.saturating_add(lives_on).max(grant_ends);
            let ends_at = ends_at.saturating_add(SAME_USE).max(self.ends_at());
            Self {
                used_at: Some(now.as_secs()),
                expires_at: ends_at.as_secs(),
                ..self.clone()
            }
        })
    }

    /// Its id.
    pub(crate) fn id(&self) -> &ClientId {
        &self.id
    }

    /// The name that it gives itself.
    pub(crate) fn name(&self) -> Option<&str> {
        self.metadata.client_name.as_deref()
    }

    /// Where codes for it may be sent.
    pub(super) fn redirect_uris(&self) -> &[String] {
        &self.metadata.redirect_uris
    }

    /// When it registered.
    pub(crate) fn issued_at(&self) -> Timestamp {
        Timestamp::from_secs(self.issued_at)
    }

    /// When it was last granted something or refreshed it, to a day; nothing if it never was.
    pub(crate) fn used_at(&self) -> Option<Timestamp> {
        self.used_at.map(Timestamp::from_secs)
    }

    /// When it ends unless it is used before.
    pub(crate) fn ends_at(&self) -> Timestamp {
        Timestamp::from_secs(self.expires_at)
    }

    /// The client, if what is stored still makes one. `schemes` are those of apps that are allowed.
    pub(super) fn client(&self, schemes: &[&str]) -> Option<Client> {
        let said = &self.metadata;
        let method = said.token_endpoint_auth_method.as_deref();
        let redirect_uris = said
            .redirect_uris
            .iter()
            .filter_map(|uri| RedirectUri::parse_allowing(uri, schemes).ok());
        let secret = match &self.secret {
            None => None,
            Some(digest) => Some(base64url::decode_strict(digest).ok()?.try_into().ok()?),
        };
        Some(Client {
            name: said.client_name.clone(),
            uri: said.client_uri.clone(),
            redirect_uris: redirect_uris.collect(),
            authentication: vec![AuthenticationMethod::parse(method?)?],
            assertion_algorithm: metadata::assertion_algorithm(said).ok()?,
            secret: secret.map(SecretKey::stored),
            keys: metadata::keys(said, false).ok()?,
            grant_types: metadata::grant_types(said),
            scope: said.scope.as_deref().map(ScopeSet::parse_lenient),
            ..Client::new(self.id.clone(), ClientOrigin::Registered)
        })
    }
}

impl Record for ClientRecord {
    const COLLECTION: Collection = Collection::new("clients");

    fn key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.id.as_str().as_bytes())
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends_at())
    }
}
