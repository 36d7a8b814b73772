//! The provider's own tokens in the hands of clients, where an operator passes them through.
//!
//! What an access token of ours would say is kept instead, under the digest of the provider's. So a
//! token opens what was granted to the client that got it, at one resource, as long as the grant
//! stands; one that the provider gave to anybody else opens nothing.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{
    BearerToken, ClientId, Issuer, Monotonic, ResourceUrl, ScopeSet, SecretBytes, Subject,
    Timestamp,
};
use portcullis_resource_server::{
    AccessToken, Rejection, SharedVerifier, TokenParts, TokenVerifier as _, Unavailable,
    VerifyContext, VerifyError,
};
use portcullis_store::{Collection, Family, Record, Records, StoreError};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use super::broker::Broker;
use crate::endpoint::outage::Outage;
use crate::grant::record::families;
use crate::issuer::AccessTokenClaims;
use crate::serial::{Digest, seconds};
use crate::upstream::{TokenSet, UpstreamError};

/// For how long the provider's word on a token holds.
const ASKED_FOR: Duration = Duration::from_secs(60);
/// Of how many tokens its word is remembered.
const MOST: usize = 10_000;

/// Who says that a token of the provider's is good.
#[derive(Clone, Debug)]
pub(crate) enum PassThrough {
    /// A verifier of the operator's.
    By(SharedVerifier),
    /// The provider, asked as at a login.
    Asking,
}

/// What a client of ours may do with a token of the provider's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HandedRecord {
    token: Digest,
    /// As a token of ours names itself: the grant, and more.
    id: String,
    client: ClientId,
    subject: Subject,
    resource: ResourceUrl,
    scope: ScopeSet,
    claims: Map<String, Value>,
    #[serde(with = "seconds")]
    expires_at: Timestamp,
}

impl Record for HandedRecord {
    const COLLECTION: Collection = Collection::new("handed");

    fn key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.token.as_bytes())
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }

    fn families(&self) -> Vec<Family> {
        families(&self.subject, &self.client)
    }
}

/// Tokens of the provider's that clients have.
pub(super) struct Handed {
    how: PassThrough,
    key: SecretBytes,
    /// When the provider last said that one is good.
    asked: Cache<[u8; 32], Monotonic>,
}

impl Handed {
    pub(super) fn new(how: PassThrough, records: &Records) -> Self {
        Self {
            how,
            key: SecretBytes::new(records.derive("handed tokens")),
            asked: Cache::new(MOST),
        }
    }

    fn digest(&self, token: &str) -> Digest {
        Digest::of(self.key.expose(), token.as_bytes())
    }
}

impl Broker {
    /// Whether clients get the provider's tokens.
    pub(crate) fn passes_through(&self) -> bool {
        self.handed.is_some()
    }

    /// Hands the provider's token out, in the place of one that would say this: what is kept of it is
    /// worth nothing before the grant is stored.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn hand_out(
        &self,
        claims: &AccessTokenClaims<'_>,
        (owner, tokens): (&Subject, &TokenSet),
    ) -> Result<Option<(BearerToken, Timestamp)>, StoreError> {
        let Some(handed) = &self.handed else {
            return Ok(None);
        };
        let text = tokens.access_token.expose();
        let end = tokens.expires_at.unwrap_or(claims.expires_at);
        let expires_at = end.min(claims.expires_at);
        let extra = claims.extra.iter();
        let extra = extra.filter(|(name, _)| !crate::reserved::is_reserved(name));
        let record = HandedRecord {
            token: handed.digest(text),
            id: claims.token_id.to_owned(),
            client: claims.client_id.clone(),
            subject: owner.clone(),
            resource: claims.audience.clone(),
            scope: claims.scope.clone(),
            claims: extra
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            expires_at,
        };
        self.records.put(&record).await?;
        Ok(Some((BearerToken::new(text.to_owned()), expires_at)))
    }

    /// What is kept of a token that was handed out, if it was.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn handed(&self, token: &str) -> Result<Option<HandedRecord>, StoreError> {
        let Some(handed) = &self.handed else {
            return Ok(None);
        };
        let digest = handed.digest(token);
        let found = self.records.get::<HandedRecord>(digest.as_bytes()).await?;
        Ok(found.map(portcullis_store::Stored::into_inner))
    }

    /// A token of the provider's as one of ours: for whom and what it was handed out, once whoever
    /// verifies it has said that it is good.
    ///
    /// # Errors
    /// [`VerifyError`]
    pub(crate) async fn verify(
        &self,
        issuer: &Issuer,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        // SECURITY: a token that the provider gave to another application, or that somebody got past our
        // consent, is none (MCP Authorization, Token Passthrough; RFC 9700 section 2.3);
        // sec_px_05_a_token_that_was_not_handed_out_opens_nothing
        let kept = self.handed(token.expose()).await.map_err(unreadable)?;
        let kept = kept.ok_or(Rejection::Unknown)?;
        // SECURITY: what was granted for one resource opens no other (RFC 8707 section 2);
        // sec_px_05_a_token_that_is_passed_through_is_for_its_resource
        if kept.resource != *cx.resource() {
            return Err(Rejection::WrongAudience.into());
        }
        let end = match self.handed.as_ref().map(|handed| &handed.how) {
            // SECURITY: the provider may have taken it back, and nobody here would know (RFC 7009);
            // sec_px_05_the_verifier_has_the_last_word
            Some(PassThrough::By(verifier)) => verifier.verify(token, cx).await?.expires_at(),
            Some(PassThrough::Asking) => {
                self.ask_about(token, &kept).await?;
                None
            }
            None => return Err(Rejection::Unknown.into()),
        };
        let expires_at = end.map_or(kept.expires_at, |end| end.min(kept.expires_at));
        Ok(kept.into_token(issuer, expires_at))
    }

    /// Asks the provider about a token, unless it was asked a moment ago.
    async fn ask_about(&self, token: &BearerToken, kept: &HandedRecord) -> Result<(), VerifyError> {
        let Some(handed) = &self.handed else {
            return Err(Rejection::Unknown.into());
        };
        let now = self.clock.monotonic();
        let digest = *kept.token.as_bytes();
        let asked = handed.asked.get(&digest);
        if asked.is_some_and(|at| now.saturating_since(at) < ASKED_FOR) {
            return Ok(());
        }
        let _waiting = self.waiting().map_err(Outage::into_unavailable)?;
        let grant = kept.grant().ok_or(Rejection::Unknown)?;
        let login = self.find(grant).await.map_err(unreadable)?;
        let login = login.ok_or(Rejection::Revoked)?;
        let tokens = TokenSet {
            access_token: token.expose().to_owned().into(),
            ..login.tokens.clone()
        };
        match self.client.recheck(&tokens, &login.evidence).await {
            Ok(Some(_)) => {
                handed.asked.insert(digest, now);
                Ok(())
            }
            Ok(None) => Err(Unavailable::new(
                "the provider has no way to tell whether a token is good",
            )
            .into()),
            Err(UpstreamError::Ended | UpstreamError::Denied) => Err(Rejection::Revoked.into()),
            Err(UpstreamError::Unavailable(unavailable)) => Err(unavailable.into()),
            Err(error) => {
                let what = Unavailable::new("the provider cannot be understood");
                Err(what.caused_by(error).into())
            }
        }
    }
}

impl HandedRecord {
    /// The grant behind it.
    pub(crate) fn grant(&self) -> Option<crate::grant::GrantId> {
        let (id, _) = self.id.split_once('.')?;
        crate::grant::GrantId::parse(id)
    }

    fn into_token(self, issuer: &Issuer, expires_at: Timestamp) -> AccessToken {
        let mut claims = self.claims;
        for (name, value) in [
            ("iss", Value::from(issuer.as_str())),
            ("sub", self.subject.as_str().into()),
            ("aud", self.resource.as_str().into()),
            ("client_id", self.client.as_str().into()),
            ("scope", self.scope.to_string().into()),
            ("jti", self.id.into()),
            ("exp", expires_at.as_secs().into()),
        ] {
            claims.insert(name.to_owned(), value);
        }
        let parts = TokenParts::new(issuer.as_str(), self.subject.as_str())
            .client_id(self.client.as_str())
            .scopes(self.scope)
            .audience([self.resource.as_str()])
            .expires_at(expires_at)
            .claims(claims);
        AccessToken::assert_verified(parts)
    }
}

fn unreadable(error: StoreError) -> Unavailable {
    Unavailable::new("the tokens that were handed out cannot be read").caused_by(error)
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handed").field(&self.how).finish()
    }
}
