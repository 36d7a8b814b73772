//! Between this server's clients and the users of an identity provider: the way there and back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{
    ClientId, CodeVerifier, EntropyError, ScopeSet, SecretBytes, SharedClock, SharedEntropy,
    Subject, Timestamp,
};
use portcullis_store::{Records, StoreError, Stored};

use super::allow::{AllowList, Standing};
use super::claims::ClaimsPassthrough;
use super::give_back::Returns;
use super::handed::{Handed, PassThrough};
use super::held::Held;
use super::on_behalf_of::Exchanges;
use super::patience::Patience;
use super::record::UpstreamRecord;
use super::swap::Flights;
use super::transaction::Transaction;
use crate::endpoint::outage::{Outage, unavailable};
use crate::grant::GrantId;
use crate::grant::record::Owner;
use crate::identity::Holder;
use crate::interaction::Interaction;
use crate::serial::Digest;
use crate::session::Session;
use crate::upstream::{Ask, Evidence, Proof, TokenSet, UpstreamClient, UpstreamError};
use crate::users::User;

/// The longest that a login at a provider may take.
pub(crate) const LONGEST_TRANSACTION: Duration = Duration::from_secs(3600);
/// Bytes of a `state`.
const STATE: usize = 32;
/// Bytes of a `nonce`.
const NONCE: usize = 16;

/// What an operator chose for a proxy.
#[derive(Clone, Debug)]
pub(crate) struct BrokerSettings {
    pub(crate) passthrough: ClaimsPassthrough,
    pub(crate) allow: AllowList,
    /// Scopes of this server's own, which the provider does not know.
    pub(crate) own_scopes: ScopeSet,
    /// All that can be asked of the provider.
    pub(crate) upstream_scopes: ScopeSet,
    /// How long a login at the provider may take.
    pub(crate) transaction: Duration,
    /// How long a code of ours lives.
    pub(crate) code: Duration,
    /// Whether nobody is asked before the provider is.
    pub(crate) skips_consent: bool,
    /// Whether nobody said who may come.
    pub(crate) is_open: bool,
    /// Whether clients get the provider's tokens in the place of ours, and who then verifies them.
    pub(crate) passes_through: Option<PassThrough>,
}

impl BrokerSettings {
    /// Says what opens a hole, at every start.
    pub(crate) fn warn(&self, client: &UpstreamClient) {
        if self.is_open && client.is_multi_tenant() {
            tracing::warn!(
                target: "portcullis::security",
                event = "anybody_may_come",
                provider = client.name(),
                "everybody who has an account at the identity provider may come in: say who may by an \
                 allow-list"
            );
        }
        if self.skips_consent {
            tracing::warn!(
                target: "portcullis::security",
                event = "dangerous_setting",
                setting = "skip_consent",
                "users are not asked before a client gets access: whoever makes them open a link gets \
                 it"
            );
        }
        if self.passes_through.is_some() {
            tracing::warn!(
                target: "portcullis::security",
                event = "dangerous_setting",
                setting = "pass_upstream_tokens_through",
                provider = client.name(),
                "clients get the identity provider's own access tokens: whoever has one can use it \
                 wherever the provider's tokens are taken"
            );
        }
    }
}

/// Between clients and an identity provider.
pub(crate) struct Broker {
    pub(super) client: UpstreamClient,
    pub(super) settings: BrokerSettings,
    pub(super) records: Records,
    pub(super) flights: Flights,
    pub(super) held: Held,
    pub(super) returns: Returns,
    pub(super) patience: Patience,
    pub(super) exchanges: Exchanges,
    pub(super) handed: Option<Handed>,
    state_key: SecretBytes,
    pub(super) clock: SharedClock,
    pub(super) entropy: SharedEntropy,
}

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
    pub(crate) fn new(
        client: UpstreamClient,
        settings: BrokerSettings,
        (records, is_strict): (Records, bool),
        (clock, entropy): (SharedClock, SharedEntropy),
    ) -> Self {
        Self {
            state_key: SecretBytes::new(records.derive("upstream state")),
            handed: (settings.passes_through.clone()).map(|how| Handed::new(how, &records)),
            client,
            settings,
            records,
            flights: Flights::default(),
            held: Held::new(is_strict),
            returns: Returns::default(),
            patience: Patience::default(),
            exchanges: Exchanges::default(),
            clock,
            entropy,
        }
    }

    /// What pages call the provider.
    pub(crate) fn name(&self) -> &str {
        self.client.name()
    }

    /// Whether users are sent to the provider without being asked here first.
    pub(crate) fn skips_consent(&self) -> bool {
        self.settings.skips_consent
    }

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

    /// What is kept under an id.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn find(
        &self,
        id: GrantId,
    ) -> Result<Option<Stored<UpstreamRecord>>, StoreError> {
        self.records.get(id.as_bytes()).await
    }

    /// The user of a grant, if what is kept is from the provider of now, and the user is still one of
    /// those who may come.
    pub(crate) fn holder(&self, owner: &Owner, kept: Stored<UpstreamRecord>) -> Option<Holder> {
        // SECURITY: an account is one of a provider: the same name at another is somebody else (OpenID
        // Connect Core section 5.7); sec_px_09_what_began_under_another_provider_ends
        if kept.provider != self.client.fingerprint() || kept.subject != owner.subject {
            return None;
        }
        // SECURITY: whoever is taken off the list is out at the next refresh;
        // sec_px_10_who_is_taken_off_the_list_is_out
        if !self.admits(&kept.evidence) {
            return None;
        }
        Some(Holder {
            user: self.user(&kept.tokens, &kept.evidence),
            login: Some(kept),
        })
    }

    /// Finds the provider, before somebody waits for it.
    pub(crate) async fn warm(&self) {
        self.client.warm().await;
    }

    /// Whether a grant that was made without a login is for users of the provider of now.
    pub(crate) fn is_of_now(&self, owner: &Owner) -> bool {
        // SECURITY: as for grants of users; sec_px_09_a_minted_token_is_for_one_provider
        owner.generation == self.client.fingerprint()
    }

    /// The user of a session.
    pub(crate) fn of_session(&self, session: &Session) -> Option<User> {
        // SECURITY: as for grants; sec_px_09_what_began_under_another_provider_ends
        if session.generation != self.client.fingerprint() {
            return None;
        }
        let name = session.name.clone();
        let name = name.unwrap_or_else(|| session.subject.as_str().to_owned());
        let user = User::new(session.subject.clone()).name(name);
        Some(user.generation(session.generation))
    }

    fn admits(&self, evidence: &Evidence) -> bool {
        let standing = Standing::of(evidence, self.client.domain_claim());
        self.settings.allow.admits(&standing)
    }

    fn user(&self, tokens: &TokenSet, evidence: &Evidence) -> User {
        let user = User::new(evidence.subject.clone())
            .name(self.client.display(evidence))
            .generation(self.client.fingerprint());
        // SECURITY: what the provider did not grant is not granted here either (RFC 6749 section
        // 3.3); sec_px_06_no_more_is_granted_than_upstream
        let granted = tokens.scope.as_ref().map(|granted| {
            let granted = granted.intersection(&self.settings.upstream_scopes);
            granted.union(&self.settings.own_scopes)
        });
        User {
            claims: self.settings.passthrough.apply(evidence),
            granted,
            ..user
        }
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

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("provider", &self.name())
            .finish_non_exhaustive()
    }
}
