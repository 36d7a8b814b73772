//! Between this server's clients and the users of an identity provider: who they are, and what is kept.

use std::fmt;
use std::time::Duration;

use portcullis_oauth::{ScopeSet, SecretBytes, SharedClock, SharedEntropy};
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
use crate::grant::GrantId;
use crate::grant::record::Owner;
use crate::identity::Holder;
use crate::session::Session;
use crate::upstream::{Evidence, TokenSet, UpstreamClient};
use crate::users::User;

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
    pub(super) state_key: SecretBytes,
    pub(super) clock: SharedClock,
    pub(super) entropy: SharedEntropy,
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

    pub(super) fn admits(&self, evidence: &Evidence) -> bool {
        let standing = Standing::of(evidence, self.client.domain_claim());
        self.settings.allow.admits(&standing)
    }

    pub(super) fn user(&self, tokens: &TokenSet, evidence: &Evidence) -> User {
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
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("provider", &self.name())
            .finish_non_exhaustive()
    }
}
