//! The way to a provider and back: what a browser is sent away with, and who comes back.

use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{ClientId, CodeVerifier, EntropyError, ScopeSet, Subject, Timestamp};
use portcullis_store::{StoreError, Stored};

use super::broker::Broker;
use super::record::UpstreamRecord;
use super::transaction::Transaction;
use crate::endpoint::outage::{Outage, unavailable};
use crate::grant::GrantId;
use crate::interaction::Interaction;
use crate::serial::Digest;
use crate::upstream::{Ask, Evidence, Proof, TokenSet, UpstreamError};
use crate::users::User;

/// The longest that a login at a provider may take.
pub(crate) const LONGEST_TRANSACTION: Duration = Duration::from_secs(3600);
/// Bytes of a `state`.
const STATE: usize = 32;
/// Bytes of a `nonce`.
const NONCE: usize = 16;

/// Why a browser cannot be sent to the provider.
#[derive(Debug)]
pub(crate) enum DepartError {
    /// Something does not answer.
    Unavailable(Outage),
    /// The provider, or what was configured of it, cannot be used.
    Upstream(UpstreamError),
}

unavailable!(DepartError: EntropyError, StoreError);

/// Somebody who came back from the provider.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) user: User,
    id: GrantId,
    provider: u64,
    tokens: TokenSet,
    evidence: Evidence,
    at: Timestamp,
    until: Timestamp,
}

/// Why nobody came back from it.
#[derive(Debug)]
pub(crate) enum ArriveError {
    /// The provider said so, or could not be understood.
    Upstream(UpstreamError),
    /// Somebody did, and is none of those who may come.
    NotAllowed(Subject),
    /// There is no randomness.
    Entropy(EntropyError),
}

impl Broker {
    /// Where the browser goes to log in, for what its user has approved.
    ///
    /// # Errors
    /// [`DepartError`]
    pub(crate) async fn depart(
        &self,
        interaction: &Interaction,
        scope: &ScopeSet,
    ) -> Result<String, DepartError> {
        let mut state = [0; STATE];
        self.entropy.fill(&mut state)?;
        let mut nonce = [0; NONCE];
        self.entropy.fill(&mut nonce)?;
        let verifier = CodeVerifier::generate(&*self.entropy)?;
        let (challenge, nonce) = (verifier.challenge(), base64url::encode(nonce));
        let transaction = Transaction {
            // SECURITY: whoever reads the store can send nobody's browser back with it (RFC 9700
            // section 4.7); sec_st_06_no_state_is_in_the_store
            state: self.digest(&state),
            interaction: interaction.seal(&self.records)?,
            scope: scope.clone(),
            proof: Proof {
                verifier,
                nonce: nonce.clone(),
            },
            expires_at: self.clock.now().saturating_add(self.settings.transaction),
        };
        let asked = interaction.asked();
        let (state, scope) = (
            base64url::encode(state),
            scope.intersection(&self.settings.upstream_scopes),
        );
        let ask = Ask {
            // SECURITY: fresh for each approval, and nothing that a page or URL of ours has shown (MCP
            // Security Best Practices, Confused Deputy Problem);
            // sec_cn_08_the_state_upstream_is_made_after_approval
            state: &state,
            nonce: &nonce,
            challenge: &challenge,
            scope: &scope,
            login_hint: asked.and_then(|asked| asked.login_hint.as_deref()),
            login: interaction.wants_a_fresh_login(),
        };
        let url = self.client.authorization_url(&ask);
        let url = url.await.map_err(DepartError::Upstream)?;
        self.records.put(&transaction).await?;
        Ok(url)
    }

    /// Whether an answer is one of the provider's (RFC 9207).
    ///
    /// # Errors
    /// [`UpstreamError`] when it is not, or that cannot be said.
    pub(crate) async fn check_issuer(&self, issuer: Option<&str>) -> Result<(), UpstreamError> {
        self.client.check_issuer(issuer).await
    }

    /// What an error means that a browser brought from the provider.
    pub(crate) fn brought(&self, word: &str) -> UpstreamError {
        self.client.brought(word)
    }

    /// What was begun under a `state`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn transaction(
        &self,
        state: &str,
    ) -> Result<Option<Stored<Transaction>>, StoreError> {
        let Some(digest) = self.read_state(state) else {
            return Ok(None);
        };
        let found = self.records.get::<Transaction>(digest.as_bytes()).await?;
        let now = self.clock.now();
        Ok(found.filter(|found| now < found.expires_at))
    }

    /// Takes it for itself: of many who come back at once, one does.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn take(&self, transaction: &Transaction) -> Result<bool, StoreError> {
        let taken = self
            .records
            .take::<Transaction>(transaction.state.as_bytes());
        Ok(taken.await?.is_some())
    }

    /// Who came back with a code of the provider's. Nothing is kept of it yet; what came with somebody
    /// who is not let in is given back.
    ///
    /// # Errors
    /// [`ArriveError`]
    pub(crate) async fn arrive(
        self: &Arc<Self>,
        code: &AuthorizationCode,
        transaction: &Transaction,
    ) -> Result<Arrived, ArriveError> {
        let redeemed = self.client.redeem(code, &transaction.proof).await;
        let tokens = redeemed.map_err(ArriveError::Upstream)?;
        let evidence = match self.client.identify(&tokens, &transaction.proof).await {
            Ok(evidence) => evidence,
            Err(error) => {
                self.give_back(tokens, None);
                return Err(ArriveError::Upstream(error));
            }
        };
        // SECURITY: everybody in the world has an account at some providers (RFC 9700 section 4.16);
        // sec_px_10_only_those_who_are_let_in_come_in
        if !self.admits(&evidence) {
            let who = evidence.subject;
            self.give_back(tokens, Some(who.clone()));
            return Err(ArriveError::NotAllowed(who));
        }
        let now = self.clock.now();
        Ok(Arrived {
            user: self.user(&tokens, &evidence),
            id: GrantId::generate(&*self.entropy).map_err(ArriveError::Entropy)?,
            provider: self.client.fingerprint(),
            tokens,
            evidence,
            at: now,
            // Until there is a grant, it is for whoever redeems the code.
            until: now.saturating_add(self.settings.code + Duration::from_secs(60)),
        })
    }

    fn read_state(&self, state: &str) -> Option<Digest> {
        let bytes = base64url::decode_strict(state).ok()?;
        (bytes.len() == STATE).then(|| self.digest(&bytes))
    }

    fn digest(&self, state: &[u8]) -> Digest {
        Digest::of(self.state_key.expose(), state)
    }
}

impl Arrived {
    /// What the provider gave, where no grant comes of it.
    pub(crate) fn into_tokens(self) -> (TokenSet, Subject) {
        (self.tokens, self.user.subject)
    }

    /// What is kept of it for a grant to that client.
    pub(crate) fn kept_for(self, client: &ClientId) -> UpstreamRecord {
        UpstreamRecord {
            id: self.id,
            client: client.clone(),
            subject: self.user.subject,
            name: self.user.name,
            provider: self.provider,
            tokens: self.tokens,
            evidence: self.evidence,
            confirmed_at: self.at,
            lease: None,
            expires_at: self.until,
        }
    }
}
