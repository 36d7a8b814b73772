//! Client authentication: what a client brings is compared with what it has registered.
//!
//! A failure has one answer, `invalid_client`, whether the client is unknown, the secret is wrong, or
//! the method is another than the registered one.

use http::StatusCode;
use portcullis_oauth::ClientId;
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::secret::ClientSecret;
use portcullis_resource_server::Unavailable;

use super::assertion::{AssertionFault, Expected, UsedAssertion};
use super::clients::Found;
use super::credentials::{BasicSecret, Presented, Proof};
use super::{Client, ClientKeys, ClientRecord, Clients, profile};
use crate::limits::Standing;

/// A client that has proved who it is, or that needs no proof because it has nothing to prove it
/// with. Only [`Clients::authenticate`] makes one.
#[derive(Clone, Debug)]
pub(crate) struct AuthenticatedClient(Found);

impl AuthenticatedClient {
    /// The client.
    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// What it was read from, if it registered itself.
    pub(super) fn registration(&self) -> Option<&ClientRecord> {
        self.0.registration.as_deref().map(|stored| &**stored)
    }
}

/// Why a client is not authenticated.
#[derive(Debug, thiserror::Error)]
#[error("the client is not authenticated")]
pub(crate) struct ClientAuthenticationError {
    #[source]
    unavailable: Option<Unavailable>,
    wire: OAuthError,
    reason: &'static str,
    basic: bool,
}

impl ClientAuthenticationError {
    /// A request that cannot be read as one attempt.
    pub(super) const fn malformed(what: &'static str) -> Self {
        Self {
            unavailable: None,
            wire: OAuthError::new(OAuthErrorCode::InvalidRequest, what),
            reason: "malformed",
            basic: false,
        }
    }

    /// No proof, or a wrong one. The reason is for the log alone.
    pub(super) const fn refused(reason: &'static str) -> Self {
        Self {
            unavailable: None,
            wire: OAuthError::new(
                OAuthErrorCode::InvalidClient,
                "client authentication failed: check the client's credentials, or register anew",
            ),
            reason,
            basic: false,
        }
    }

    /// The same for an attempt by `Authorization`.
    pub(super) const fn of_basic(mut self) -> Self {
        self.basic = true;
        self
    }

    /// What the client may know.
    pub(crate) const fn wire(&self) -> OAuthError {
        self.wire
    }

    /// The status of the answer: 400, 401, or 503.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.wire.code.status_hint()).unwrap_or(StatusCode::UNAUTHORIZED)
    }

    /// Whether the client used `Authorization`, so that the answer needs `WWW-Authenticate: Basic`
    /// (RFC 6749 section 5.2).
    pub(crate) const fn needs_challenge(&self) -> bool {
        self.basic && matches!(self.wire.code, OAuthErrorCode::InvalidClient)
    }

    /// A stable word for logs.
    pub(crate) const fn reason(&self) -> &'static str {
        self.reason
    }

    /// What keeps us from an answer, if that is the matter.
    pub(crate) const fn unavailable(&self) -> Option<&Unavailable> {
        self.unavailable.as_ref()
    }
}

impl From<Unavailable> for ClientAuthenticationError {
    fn from(unavailable: Unavailable) -> Self {
        Self {
            unavailable: Some(unavailable),
            wire: OAuthError::new(
                OAuthErrorCode::TemporarilyUnavailable,
                "the client cannot be looked up now",
            ),
            reason: "unavailable",
            basic: false,
        }
    }
}

impl Clients {
    /// Finds out which client sent a request, for somebody who stands so with the
    /// [host that is asked](Self::host_to_ask).
    ///
    /// # Errors
    /// [`ClientAuthenticationError`] when it does not prove to be one. Nothing has changed then.
    pub(crate) async fn authenticate(
        &self,
        presented: &Presented,
        standing: Standing,
    ) -> Result<AuthenticatedClient, ClientAuthenticationError> {
        let found = self.look_up(presented.client_id(), standing).await?;
        let outcome = self.prove(found, presented, standing).await;
        outcome.map_err(|error| {
            self.journal
                .authentication_failed(presented.client_id(), error.reason);
            ClientAuthenticationError {
                basic: matches!(presented.proof, Proof::Basic(_)),
                ..error
            }
        })
    }

    async fn prove(
        &self,
        found: Option<Found>,
        presented: &Presented,
        standing: Standing,
    ) -> Result<AuthenticatedClient, ClientAuthenticationError> {
        // Before anything is known of the client, so that it takes the same time for all.
        let knows_secret = match &presented.proof {
            Proof::Basic(BasicSecret { decoded, as_sent }) => {
                let as_sent = as_sent.as_ref();
                let as_sent =
                    as_sent.is_some_and(|sent| self.knows(found.as_ref(), presented, sent));
                // Both are compared, whichever it is.
                self.knows(found.as_ref(), presented, decoded) || as_sent
            }
            Proof::Post(secret) => self.knows(found.as_ref(), presented, secret),
            Proof::None | Proof::Assertion(_) => false,
        };
        let found = found.ok_or(ClientAuthenticationError::refused("unknown_client"))?;
        let client = &found.client;
        // SECURITY: a client that can prove who it is has to, in the way that it registered (RFC 7591
        // section 2); sec_ca_02_the_registered_method_and_no_other
        if !client.authentication.contains(&presented.method()) {
            return Err(ClientAuthenticationError::refused("method"));
        }
        match &presented.proof {
            // SECURITY: without its secret it is not that client (RFC 6749 section 2.3.1);
            // sec_ca_01_a_wrong_secret_is_refused
            Proof::Basic(_) | Proof::Post(_) if !knows_secret => {
                return Err(ClientAuthenticationError::refused("secret"));
            }
            Proof::None | Proof::Basic(_) | Proof::Post(_) => {}
            Proof::Assertion(text) => self.accept(client, text.expose(), standing).await?,
        }
        Ok(AuthenticatedClient(found))
    }

    /// Whether it is the secret of the client that was found.
    fn knows(&self, found: Option<&Found>, presented: &Presented, secret: &ClientSecret) -> bool {
        let kept = found.and_then(|found| found.client.secret);
        self.secrets.matches(presented.client_id(), kept, secret)
    }

    /// Accepts an assertion, once.
    async fn accept(
        &self,
        client: &Client,
        assertion: &str,
        standing: Standing,
    ) -> Result<(), ClientAuthenticationError> {
        let refused = |fault: AssertionFault| ClientAuthenticationError::refused(fault.reason());
        let jws = CompactJws::parse(assertion).map_err(|fault| refused(fault.into()))?;
        let audiences = self.audiences(&client.id);
        let expected = Expected {
            client,
            audiences: &audiences,
            now: self.clock.now(),
        };
        expected.glance(&jws).map_err(refused)?;
        let judged = match &client.keys {
            None => Err(AssertionFault::UnknownKey),
            Some(ClientKeys::Inline(keys)) => expected.judge(&jws, keys),
            Some(ClientKeys::At(url)) => {
                let keys = self.key_sets.at(url, standing)?;
                let known = keys.current().await?;
                match expected.judge(&jws, known.keys()) {
                    Err(fault) if fault.is_for_want_of_a_key(&jws) => {
                        match keys.newer_than(&known).await? {
                            Some(newer) => expected.judge(&jws, newer.keys()),
                            None => Err(fault),
                        }
                    }
                    judged => judged,
                }
            }
        };
        self.burn(judged.map_err(refused)?, client).await
    }

    async fn burn(
        &self,
        used: UsedAssertion,
        client: &Client,
    ) -> Result<(), ClientAuthenticationError> {
        // SECURITY: an assertion is accepted once, by whichever replica is first (RFC 7523 section 3,
        // GHSA-3p3g-vpw6-4w66); sec_ca_10_c3_one_of_64_replays_wins
        let first = self.records.insert_new(&used).await;
        if first.map_err(super::clients::no_answer)? {
            return Ok(());
        }
        self.journal.assertion_replayed(&client.id);
        Err(ClientAuthenticationError::refused("assertion_replayed"))
    }

    /// What the audience of that client's assertions may be.
    fn audiences(&self, client: &ClientId) -> Vec<&str> {
        let settings = &self.settings;
        let mut audiences = vec![settings.issuer.as_str()];
        // SECURITY: an endpoint's URL is no name for a server, and another server may have told the
        // client to write it (CVE-2025-27371); sec_ca_09_the_token_endpoint_is_no_audience
        if profile::may_name_token_endpoint(client.as_str()) {
            audiences.push(&settings.token_endpoint);
        }
        audiences
    }
}
