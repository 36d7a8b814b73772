//! The gate: what a JWT access token has to be.
//!
//! # Rules
//!
//! [`AccessTokenPolicy::check`] asks, in this order:
//!
//! 1. Is the algorithm one of the configured ones, and the key's?
//! 2. Is the signature the key's? No claim is looked at before.
//! 3. Is `typ` that of an access token (RFC 9068 section 4)? With [`TypProfile::Legacy`] `JWT` or
//!    none will do, if nothing marks an ID token and, where the audience is not the resource itself,
//!    something marks an access token.
//! 4. Is `iss` the issuer, byte for byte?
//! 5. Is now between `nbf` and `exp`, `iat` not ahead, and the lifetime not beyond the limit?
//! 6. Is it for us (`aud`), byte for byte?
//! 7. Is it a plain bearer token, without `cnf`?
//! 8. Has it a subject, and are the names that it gives (`sub`, `client_id`, `azp`, `jti`) names: of
//!    at least one character, bounded, and without control characters?
//!
//! # What must be there
//!
//! RFC 9068 section 2.2 has an issuer write `iss`, `exp`, `aud`, `sub`, `client_id`, `iat` and `jti`.
//! Section 4 has a resource server check `iss`, `aud`, `exp`, `typ` and the signature. So `iss`,
//! `exp`, `sub` and `aud` (or what a policy takes in its place) are required here: a principal needs
//! them. `client_id`, `iat` and `jti` are not, because issuers leave them out or spell them
//! differently, and nothing is decided by their absence: without `iat` the lifetime counts from now,
//! without `client_id` the principal has no client. One that is there is checked, and a malformed one
//! is never taken for an absent one.
//!
//! Scopes are not its question: they decide between 403 and 200, not between 401 and 200.
//!
//! # Failure
//!
//! [`GateFault`], with a stable [`reason`](GateFault::reason) for logs. The client learns
//! `invalid_token`, whatever the reason.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "sign")] {
//! use std::time::Duration;
//! use portcullis_oauth::crypto::sign::SigningKey;
//! use portcullis_oauth::jose::{Algorithm, compact::CompactJws, gate::*, sign::JwtBuilder};
//! use portcullis_oauth::{Issuer, ResourceUrl, Timestamp};
//!
//! let (now, hour) = (Timestamp::from_secs(1_700_000_000), Duration::from_secs(3600));
//! let resource = ResourceUrl::parse("https://mcp.example.com/mcp").unwrap();
//! let key = SigningKey::generate_es256().unwrap();
//! let token = JwtBuilder::access_token("https://auth.example.com")
//!     .subject("alice").audience(resource.as_str()).valid(now, hour).sign(&key).unwrap();
//!
//! let issuer = Issuer::parse("https://auth.example.com").unwrap();
//! let policy = AccessTokenPolicy::builder(&issuer).build().unwrap();
//! let jws = CompactJws::parse(&token).unwrap();
//! let at = CheckContext::new(now).resource(&resource);
//! let claims = policy.check(&jws, &key.verifying_key().unwrap(), Algorithm::Es256, at).unwrap();
//! assert_eq!(claims.subject(), Some("alice"));
//! # }
//! ```

mod policy;
#[cfg(test)]
#[cfg(feature = "sign")]
mod tests;

use serde_json::Value;

use super::Algorithm;
use super::claims::{ClaimFault, Claims, TimeFault};
use super::compact::{CompactJws, Header, JoseFault};
use crate::crypto::VerifyingKey;
use crate::id::{ClientId, ResourceUrl, Subject, TokenId};
use crate::scope::ScopeSet;
use crate::time::Timestamp;

use self::policy::AudienceRule;
pub use self::policy::{
    AccessTokenPolicy, AccessTokenPolicyBuilder, AudienceMode, DangerousAccessTokenPolicyBuilder,
    PolicyError, PositiveMark, TypProfile,
};

/// When, and in front of which resource, a token is judged.
#[derive(Debug, Clone, Copy)]
pub struct CheckContext<'a> {
    now: Timestamp,
    resource: Option<&'a str>,
}

impl<'a> CheckContext<'a> {
    /// Judged at this time.
    pub const fn new(now: Timestamp) -> Self {
        Self {
            now,
            resource: None,
        }
    }

    /// In front of this resource.
    #[must_use]
    pub fn resource(self, resource: &'a ResourceUrl) -> Self {
        Self {
            resource: Some(resource.as_str()),
            ..self
        }
    }
}

impl From<Timestamp> for CheckContext<'_> {
    fn from(now: Timestamp) -> Self {
        Self::new(now)
    }
}

/// Why a token is refused. Never carries a piece of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum GateFault {
    /// Its form or its signature.
    #[error(transparent)]
    Token(#[from] JoseFault),
    /// Its claims are malformed.
    #[error(transparent)]
    Claims(#[from] ClaimFault),
    /// Its algorithm is not one of the configured ones.
    #[error("the token's algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// `typ` names another kind of token.
    #[error("the token's type is not that of an access token")]
    WrongTyp,
    /// It has `nonce` or another mark of an ID token.
    #[error("the token is an ID token")]
    IdToken,
    /// It has none of the marks of an access token that the profile names.
    #[error("nothing marks the token as an access token")]
    Unmarked,
    /// `iss` is not the issuer.
    #[error("the token is from another issuer")]
    WrongIssuer,
    /// It does not count now.
    #[error(transparent)]
    Time(#[from] TimeFault),
    /// `iat` is after `exp`, or the two are further apart than the limit.
    #[error("the token's lifetime is not acceptable")]
    Lifetime,
    /// `aud` does not name us.
    #[error("the token is for another audience")]
    WrongAudience,
    /// `cnf`: it is bound to a key, and was presented as a bearer token.
    #[error("the token is bound to a key")]
    SenderConstrained,
    /// `sub` is missing, empty, longer than 255 bytes or has control characters.
    #[error("the token has no usable subject")]
    NoSubject,
    /// `client_id`, or another claim that names the client, is empty, longer than 2048 bytes or has
    /// other than printable ASCII characters.
    #[error("the token names no usable client")]
    BadClientId,
    /// `jti` is empty, longer than 255 bytes or has control characters.
    #[error("the token has no usable id of its own")]
    BadTokenId,
}

impl GateFault {
    /// A stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Token(fault) => fault.reason(),
            Self::Claims(fault) => fault.reason(),
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::WrongTyp => "wrong_typ",
            Self::IdToken => "id_token",
            Self::Unmarked => "no_access_token_mark",
            Self::WrongIssuer => "wrong_issuer",
            Self::Time(fault) => fault.reason(),
            Self::Lifetime => "lifetime",
            Self::WrongAudience => "wrong_audience",
            Self::SenderConstrained => "sender_constrained",
            Self::NoSubject => "no_subject",
            Self::BadClientId => "bad_client_id",
            Self::BadTokenId => "bad_token_id",
        }
    }
}

impl AccessTokenPolicy {
    /// Judges a token that `key` may have signed.
    ///
    /// `algorithm` is what the key is to be used with: the one its owner names, or the token's if
    /// that is [allowed](Self::allows). A context without a resource is enough for a policy that
    /// lists its audiences.
    ///
    /// # Errors
    /// The first of the [module](self)'s rules that the token breaks.
    pub fn check<'c>(
        &self,
        jws: &CompactJws<'_>,
        key: &VerifyingKey,
        algorithm: Algorithm,
        context: impl Into<CheckContext<'c>>,
    ) -> Result<Claims, GateFault> {
        let context = context.into();
        // SECURITY: the configured list comes before the token's wish (RFC 8725 section 3.1);
        // sec_jwt_03_the_algorithm_is_not_the_tokens_choice
        if !self.allows(algorithm) {
            return Err(GateFault::AlgorithmNotAllowed);
        }
        let claims = Claims::parse(jws.verify(key, algorithm)?)?;
        self.check_kind(jws.header(), &claims, context)?;
        self.check_issuer(&claims)?;
        self.check_times(&claims, context.now)?;
        self.check_audience(&claims, context)?;
        // SECURITY: a stolen token that is bound to a key must not work without it (RFC 9449
        // section 7.1, RFC 8705 section 3); sec_jwt_25_bound_tokens_are_no_bearer_tokens
        if claims.confirmation().is_some() {
            return Err(GateFault::SenderConstrained);
        }
        check_names(&claims)?;
        Ok(claims)
    }

    /// What a token grants, by the claims that the policy names.
    pub fn scopes(&self, claims: &Claims) -> ScopeSet {
        self.scope_claims
            .iter()
            .map(|name| claims.scopes_in(name))
            .reduce(|all, more| all.union(&more))
            .unwrap_or_default()
    }

    fn check_kind(
        &self,
        header: &Header,
        claims: &Claims,
        context: CheckContext<'_>,
    ) -> Result<(), GateFault> {
        if header.is_typ("at+jwt") {
            return Ok(());
        }
        // SECURITY: another kind of token must not pass for an access token (RFC 8725
        // section 3.11); sec_jwt_10_other_kinds_of_token_are_refused
        if self.typ != TypProfile::Legacy || !(header.typ().is_none() || header.is_typ("JWT")) {
            return Err(GateFault::WrongTyp);
        }
        // SECURITY: an ID token says who logged in, and allows nothing (RFC 9068 section 4);
        // sec_jwt_11_id_tokens_are_refused
        if ["nonce", "at_hash", "c_hash", "s_hash"]
            .into_iter()
            .any(|name| claims.get(name).is_some())
        {
            return Err(GateFault::IdToken);
        }
        let names_resource = context
            .resource
            .is_some_and(|resource| claims.audience().iter().any(|aud| aud == resource));
        // SECURITY: an audience that is a client id may be an ID token's (RFC 9068 section 4);
        // sec_jwt_11_a_foreign_audience_needs_a_mark
        if !names_resource && !self.marks.iter().any(|mark| mark.is_on(claims)) {
            return Err(GateFault::Unmarked);
        }
        Ok(())
    }

    fn check_issuer(&self, claims: &Claims) -> Result<(), GateFault> {
        // SECURITY: keys vouch for their own issuer alone (RFC 8725 section 3.8);
        // sec_jwt_32_the_issuer_is_compared_byte_for_byte
        match claims.issuer() {
            Some(issuer) if self.issuers.iter().any(|known| known == issuer) => Ok(()),
            _ => Err(GateFault::WrongIssuer),
        }
    }

    fn check_times(&self, claims: &Claims, now: Timestamp) -> Result<(), GateFault> {
        claims.check_times(now, self.leeway)?;
        let expires_at = claims.expires_at();
        let latest_start = now.saturating_add(self.leeway);
        let issued_at = claims.issued_at().unwrap_or(latest_start);
        // SECURITY: a token that lives for years is a password (RFC 9700 section 2.2.1);
        // sec_jwt_17_lifetime_has_a_limit
        if claims.issued_at().is_some_and(|issued| issued > expires_at)
            || expires_at.duration_since(issued_at) > self.max_lifetime
        {
            return Err(GateFault::Lifetime);
        }
        Ok(())
    }

    fn check_audience(&self, claims: &Claims, context: CheckContext<'_>) -> Result<(), GateFault> {
        let is_ours = |audience: &String| match &self.audience {
            AudienceRule::Resource => context.resource == Some(audience.as_str()),
            AudienceRule::Listed(accepted) => accepted.contains(audience),
            AudienceRule::Clients(clients) => {
                context.resource == Some(audience.as_str()) || clients.contains(audience)
            }
            AudienceRule::Any => true,
        };
        let audience = claims.audience();
        // SECURITY: a token for another resource opens nothing here (RFC 9068 section 4, RFC 8707
        // section 2); sec_jwt_13_the_audience_is_compared_byte_for_byte
        let accepted = match (&self.audience, self.audience_mode) {
            (AudienceRule::Any, _) => true,
            // SECURITY: where no audience is written, the client stands for it, and `azp`, which
            // sessions have too, is no client (RFC 9068 section 2.2);
            // sec_jwt_13_a_client_in_place_of_an_audience
            (AudienceRule::Clients(clients), _) => {
                let client = claims.get("client_id").and_then(Value::as_str);
                client.is_some_and(|id| clients.iter().any(|known| known == id))
                    && (audience.is_empty() || audience.iter().any(is_ours))
            }
            (_, AudienceMode::Contains) => audience.iter().any(is_ours),
            (_, AudienceMode::Exact) => !audience.is_empty() && audience.iter().all(is_ours),
        };
        if accepted {
            Ok(())
        } else {
            Err(GateFault::WrongAudience)
        }
    }
}

fn check_names(claims: &Claims) -> Result<(), GateFault> {
    let subject = claims.subject();
    subject
        .and_then(|subject| Subject::parse(subject).ok())
        .ok_or(GateFault::NoSubject)?;
    // SECURITY: names become keys of sessions and words of logs: an empty one is everybody's, and a
    // line break starts a line of its own (RFC 6749 appendix A.1, CWE-117);
    // sec_jwt_30_names_in_claims_are_well_formed
    let is_client = |name: &str| ClientId::parse(name).is_ok();
    let written = ["client_id", "azp"].into_iter();
    let written = written.filter_map(|name| claims.get(name).and_then(Value::as_str));
    if !written.chain(claims.client_id()).all(is_client) {
        return Err(GateFault::BadClientId);
    }
    match claims.jwt_id().map(TokenId::parse) {
        Some(Err(_)) => Err(GateFault::BadTokenId),
        _ => Ok(()),
    }
}

impl PositiveMark {
    fn is_on(self, claims: &Claims) -> bool {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let has_text = |name: &str| text(name).is_some_and(|text| !text.is_empty());
        match self {
            Self::Scope => has_text("scope") || has_text("scp") || !claims.scp().is_empty(),
            Self::ClientId => has_text("client_id") || has_text("cid"),
            Self::TokenUse => text("token_use") == Some("access"),
            Self::PayloadTyp => text("typ") == Some("Bearer"),
        }
    }
}
