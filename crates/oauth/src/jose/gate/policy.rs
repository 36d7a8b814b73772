use std::time::Duration;

use super::super::Algorithm;
use crate::id::{Issuer, ResourceUrl};

/// What one issuer's access tokens have to be. Built once, checked often.
#[derive(Debug, Clone)]
pub struct AccessTokenPolicy {
    pub(super) issuers: Vec<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) audience: AudienceRule,
    pub(super) audience_mode: AudienceMode,
    pub(super) typ: TypProfile,
    pub(super) marks: Vec<PositiveMark>,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Duration,
    pub(super) scope_claims: Vec<String>,
}

/// Builds an [`AccessTokenPolicy`].
///
/// | setting | default |
/// |---|---|
/// | [`algorithms`](Self::algorithms) | RS256, ES256, ES384, ES512, EdDSA: one for each kind of key |
/// | [`audience`](Self::audience) | the resource in front of which the token is judged |
/// | [`audience_mode`](Self::audience_mode) | [`AudienceMode::Contains`] |
/// | [`typ_profile`](Self::typ_profile) | [`TypProfile::AtJwt`] |
/// | [`leeway`](Self::leeway) | 30 seconds |
/// | [`max_lifetime`](Self::max_lifetime) | 24 hours |
/// | [`scope_claims`](Self::scope_claims) | `scope` |
#[derive(Debug, Clone)]
#[must_use]
pub struct AccessTokenPolicyBuilder(AccessTokenPolicy);

/// How `aud` is compared with the accepted audiences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AudienceMode {
    /// One of the token's audiences is ours; there may be others.
    #[default]
    Contains,
    /// All of the token's audiences are ours.
    Exact,
}

/// How strictly `typ` tells access tokens from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TypProfile {
    /// `at+jwt` alone (RFC 9068 section 4).
    #[default]
    AtJwt,
    /// Also `JWT` or none, for issuers from before RFC 9068, and then never an ID token.
    Legacy,
}

/// What tells an issuer's access tokens from its ID tokens where `typ` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PositiveMark {
    /// `scope` or `scp`.
    Scope,
    /// `client_id` or `cid`.
    ClientId,
    /// `token_use` is `access`.
    TokenUse,
    /// `typ` among the claims is `Bearer`.
    PayloadTyp,
}

impl PositiveMark {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Scope,
        Self::ClientId,
        Self::TokenUse,
        Self::PayloadTyp,
    ];
}

/// Why a policy makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// No algorithm is allowed.
    #[error("at least one algorithm must be allowed")]
    NoAlgorithm,
    /// HMAC and public-key algorithms for one issuer: a public key could pass for a secret.
    #[error("HMAC algorithms cannot be mixed with others for one issuer")]
    MixedAlgorithms,
    /// An audience, client id or issuer is the empty text.
    #[error("an issuer, audience or client id cannot be empty")]
    EmptyName,
    /// More leeway than 300 seconds.
    #[error("the leeway cannot be more than 300 seconds")]
    Leeway,
    /// No lifetime at all.
    #[error("the longest lifetime cannot be zero")]
    Lifetime,
}

/// The audiences that are ours. There is no empty list: a fresh policy means its own resource.
#[derive(Debug, Clone)]
pub(super) enum AudienceRule {
    Resource,
    Listed(Vec<String>),
    /// Tokens that were issued to these clients.
    Clients(Vec<String>),
    Any,
}

impl AccessTokenPolicy {
    /// A policy for tokens of this issuer. No policy is without issuer and audience.
    pub fn builder(issuer: &Issuer) -> AccessTokenPolicyBuilder {
        AccessTokenPolicyBuilder(Self {
            issuers: vec![issuer.as_str().to_owned()],
            algorithms: vec![
                Algorithm::Rs256,
                Algorithm::Es256,
                Algorithm::Es384,
                Algorithm::Es512,
                Algorithm::EdDsa,
            ],
            audience: AudienceRule::Resource,
            audience_mode: AudienceMode::default(),
            typ: TypProfile::default(),
            marks: PositiveMark::ALL.to_vec(),
            leeway: Duration::from_secs(30),
            max_lifetime: Duration::from_secs(24 * 60 * 60),
            scope_claims: vec!["scope".to_owned()],
        })
    }

    /// Whether tokens of this algorithm are looked at.
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether a token that claims this issuer is looked at.
    pub fn trusts_issuer(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|known| known == issuer)
    }

    /// The allowed algorithms.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Whether tokens for anybody are accepted, of which a start-up log should warn.
    pub fn is_any_audience(&self) -> bool {
        matches!(self.audience, AudienceRule::Any)
    }

    /// For whom tokens have to be in front of `resource`, for a log.
    pub fn expected_audience(&self, resource: &ResourceUrl) -> String {
        match &self.audience {
            AudienceRule::Resource => resource.as_str().to_owned(),
            AudienceRule::Listed(accepted) => accepted.join(", "),
            AudienceRule::Clients(ids) => format!("client {}", ids.join(", ")),
            AudienceRule::Any => "any".to_owned(),
        }
    }

    /// How far the clocks of issuer and verifier may differ.
    pub fn leeway(&self) -> Duration {
        self.leeway
    }
}

impl AccessTokenPolicyBuilder {
    /// Another spelling of the same issuer, for those whose `iss` is not their URL.
    pub fn issuer_alias(mut self, issuer: impl Into<String>) -> Self {
        self.0.issuers.push(issuer.into());
        self
    }

    /// The allowed algorithms, instead of the default ones.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.0.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Accepts this audience instead of the resource. Each call adds one.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        match &mut self.0.audience {
            AudienceRule::Listed(accepted) => accepted.push(audience.into()),
            AudienceRule::Resource | AudienceRule::Clients(_) | AudienceRule::Any => {
                self.0.audience = AudienceRule::Listed(vec![audience.into()]);
            }
        }
        self
    }

    /// Accepts tokens that were issued to this client, whose `client_id` says so, in place of an
    /// audience: for issuers that write none into their access tokens. An `aud` that is there all
    /// the same has to be the resource or the client. Each call adds one.
    pub fn client(mut self, id: impl Into<String>) -> Self {
        match &mut self.0.audience {
            AudienceRule::Clients(accepted) => accepted.push(id.into()),
            AudienceRule::Resource | AudienceRule::Listed(_) | AudienceRule::Any => {
                self.0.audience = AudienceRule::Clients(vec![id.into()]);
            }
        }
        self
    }

    /// Settings that open a hole.
    pub fn dangerous(self) -> DangerousAccessTokenPolicyBuilder {
        DangerousAccessTokenPolicyBuilder(self)
    }

    /// How `aud` is compared.
    pub fn audience_mode(mut self, mode: AudienceMode) -> Self {
        self.0.audience_mode = mode;
        self
    }

    /// How strictly `typ` is read.
    pub fn typ_profile(mut self, profile: TypProfile) -> Self {
        self.0.typ = profile;
        self
    }

    /// The marks of this issuer's access tokens under [`TypProfile::Legacy`]; one of them is
    /// needed where the audience is not the resource itself. All count by default.
    pub fn positive_marks(mut self, marks: impl IntoIterator<Item = PositiveMark>) -> Self {
        self.0.marks = marks.into_iter().collect();
        self
    }

    /// How far the clocks of issuer and verifier may differ: 0 to 300 seconds.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.0.leeway = leeway;
        self
    }

    /// The longest time from `iat` (or now, without one) to `exp`.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.0.max_lifetime = lifetime;
        self
    }

    /// The claims that hold scopes, such as `scope` and `scp`.
    pub fn scope_claims<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.0.scope_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`PolicyError`] for settings that make no sense, or that would open a hole.
    pub fn build(self) -> Result<AccessTokenPolicy, PolicyError> {
        let policy = self.0;
        let symmetric = policy
            .algorithms
            .iter()
            .filter(|algorithm| algorithm.is_symmetric())
            .count();
        if policy.algorithms.is_empty() {
            return Err(PolicyError::NoAlgorithm);
        }
        // SECURITY: a public key that passes for a shared secret lets everybody sign (RFC 8725
        // section 2.1); sec_jwt_02_hmac_is_not_mixed_with_public_keys
        if symmetric != 0 && symmetric != policy.algorithms.len() {
            return Err(PolicyError::MixedAlgorithms);
        }
        let listed = match &policy.audience {
            AudienceRule::Listed(listed) | AudienceRule::Clients(listed) => listed.as_slice(),
            AudienceRule::Resource | AudienceRule::Any => &[],
        };
        if policy.issuers.iter().chain(listed).any(String::is_empty) {
            return Err(PolicyError::EmptyName);
        }
        if policy.leeway > Duration::from_secs(300) {
            return Err(PolicyError::Leeway);
        }
        if policy.max_lifetime.is_zero() {
            return Err(PolicyError::Lifetime);
        }
        Ok(policy)
    }
}

/// Settings of an [`AccessTokenPolicyBuilder`] that open a hole.
#[derive(Debug, Clone)]
#[must_use]
pub struct DangerousAccessTokenPolicyBuilder(AccessTokenPolicyBuilder);

impl DangerousAccessTokenPolicyBuilder {
    /// Accepts tokens that were issued for anybody.
    ///
    /// A token that the issuer made for any other service then works here, so whoever runs such a
    /// service can act as its users. All users of the issuer are exposed. It is right only where
    /// the issuer serves nobody else.
    pub fn accept_any_audience(mut self) -> AccessTokenPolicyBuilder {
        self.0.0.audience = AudienceRule::Any;
        self.0
    }
}
