//! From settings to a verifier.

use std::sync::Arc;

use portcullis_fetch::system::SystemClock;
use portcullis_oauth::crypto::VerifyingKey;
use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::jose::gate::{AccessTokenPolicy, AccessTokenPolicyBuilder, PolicyError};
use portcullis_oauth::jose::jwk::Jwk;
use portcullis_oauth::json::{self, Limits};
use portcullis_oauth::secret::weakness;
use portcullis_oauth::{EndpointUrl, Issuer, SecretBytes, SecretString, SharedClock};

use super::super::keys::{FixedKey, Keys, TrustedIssuer};
use super::super::{Inner, JwtVerifier};
use super::{AudienceDraft, IssuerDraft, JwtVerifierBuilder, KeyDraft};
use crate::ConfigError;
use crate::events::{self, Journal};
use crate::jwks_cache::{Bounds, Fetchers, JwksCache, KeySource};
use crate::remote::issuer_error;
use crate::token_cache::VerifiedCache;

/// As many keys as one token is tried with.
const MAX_FIXED_KEYS: usize = 4;

impl JwtVerifierBuilder {
    /// Checks the settings. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that is wrong, and how to mend it.
    pub fn build(self) -> Result<JwtVerifier, ConfigError> {
        if self.issuers.is_empty() {
            return Err(ConfigError::new("issuer", "no issuer is named"));
        }
        self.check_key_times()?;
        let clock = self.clock.clone();
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let mut issuers: Vec<TrustedIssuer> = Vec::with_capacity(self.issuers.len());
        for draft in &self.issuers {
            let trusted = self.resolve(draft, &clock)?;
            // SECURITY: of two rules for one issuer the weaker would win (RFC 8725 section 3.8);
            // an_issuer_is_named_once
            if issuers.iter().any(|known| known.issuer == trusted.issuer) {
                let fault = format!("`{}` is named twice", trusted.issuer);
                return Err(ConfigError::new("issuer", fault));
            }
            issuers.push(trusted);
        }
        if matches!(self.audience, AudienceDraft::Any) {
            events::dangerous(
                "jwt",
                "accept_any_audience",
                "tokens for any audience are accepted: a token for any other service works here",
            );
        }
        Ok(JwtVerifier {
            inner: Arc::new(Inner {
                issuers,
                required_scopes: self.required_scopes,
                journal: Journal::new(Arc::clone(&clock)),
                clock,
                cache: VerifiedCache::new(self.cache_capacity),
            }),
        })
    }

    fn check_key_times(&self) -> Result<(), ConfigError> {
        if self.bounds.max_age < Bounds::MIN_AGE {
            return Err(ConfigError::new("max_key_age", "less than 60 seconds")
                .with_hint("an issuer that is asked more often may refuse to answer"));
        }
        if self.bounds.max_stale < self.bounds.max_age {
            let fault = "shorter than `max_key_age`";
            return Err(ConfigError::new("max_key_outage", fault));
        }
        Ok(())
    }

    fn resolve(
        &self,
        draft: &IssuerDraft,
        clock: &SharedClock,
    ) -> Result<TrustedIssuer, ConfigError> {
        let issuer =
            Issuer::parse(&draft.issuer).map_err(|error| issuer_error("issuer", &error))?;
        let policy = self.policy(draft, &issuer)?;
        let keys = self.keys(draft, &issuer, &policy, clock)?;
        Ok(TrustedIssuer {
            name: issuer.as_str().into(),
            issuer,
            policy,
            keys,
        })
    }

    fn policy(
        &self,
        draft: &IssuerDraft,
        issuer: &Issuer,
    ) -> Result<AccessTokenPolicy, ConfigError> {
        let mut policy = AccessTokenPolicy::builder(issuer)
            .audience_mode(self.audience_mode)
            .typ_profile(draft.typ)
            .leeway(self.leeway)
            .max_lifetime(self.max_lifetime);
        match &self.audience {
            AudienceDraft::Any => policy = policy.dangerous().accept_any_audience(),
            AudienceDraft::Clients(ids) => {
                policy = ids.iter().fold(policy, AccessTokenPolicyBuilder::client);
            }
            AudienceDraft::Listed(listed) => {
                policy = listed
                    .iter()
                    .fold(policy, AccessTokenPolicyBuilder::audience);
            }
        }
        if draft.keys.iter().any(KeyDraft::is_symmetric) {
            policy = policy.algorithms([Algorithm::Hs256]);
        }
        if let Some(algorithms) = &draft.algorithms {
            policy = policy.algorithms(algorithms.iter().copied());
        }
        if let Some(marks) = &draft.marks {
            policy = policy.positive_marks(marks.iter().copied());
        }
        if let Some(names) = &draft.scope_claims {
            policy = policy.scope_claims(names);
        }
        policy.build().map_err(policy_error)
    }

    fn keys(
        &self,
        draft: &IssuerDraft,
        issuer: &Issuer,
        policy: &AccessTokenPolicy,
        clock: &SharedClock,
    ) -> Result<Keys, ConfigError> {
        let symmetric = policy.algorithms().iter().any(|a| a.is_symmetric());
        // SECURITY: the type of key and of algorithm belong together, or a public key becomes a
        // secret (RFC 8725 section 2.1); sec_jwt_02_hmac_needs_a_secret_and_nothing_else
        if symmetric != draft.keys.iter().any(KeyDraft::is_symmetric) {
            let fault = "HMAC algorithms go with `hmac_secret`, the others with public keys";
            return Err(ConfigError::new("algorithms", fault));
        }
        let together = |other: &&IssuerDraft| other.group == draft.group;
        if let Some(key) = draft.keys.first()
            && self.issuers.iter().filter(together).count() > 1
        {
            // SECURITY: issuers that share keys speak for each other (RFC 8725 section 3.8);
            // keys_are_not_given_for_several_issuers_at_once
            return Err(
                ConfigError::new(key.field(), "given for several issuers at once")
                    .with_hint("name each with `.issuer(..)`, followed by its keys"),
            );
        }
        let location = match draft.keys.as_slice() {
            [] => None,
            [KeyDraft::Shared(source)] => return Ok(Keys::Shared(Arc::clone(source))),
            [KeyDraft::Uri(uri)] => Some(
                EndpointUrl::parse(uri)
                    .map_err(|error| ConfigError::new("jwks_uri", error.to_string()))?,
            ),
            keys => return fixed_keys(keys, policy),
        };
        let loopback = location
            .as_ref()
            .map_or(issuer.is_loopback(), EndpointUrl::is_loopback);
        let fetchers = match &self.fetcher {
            Some(fetcher) => Fetchers::only(fetcher.clone()),
            None => Fetchers::standard(loopback)
                .map_err(|error| ConfigError::new("fetcher", error.to_string()))?,
        };
        let source = match location {
            Some(url) => KeySource::at(issuer.clone(), url, fetchers),
            None => KeySource::discover(issuer.clone(), fetchers),
        };
        let cache = JwksCache::new(source, self.bounds, Arc::clone(clock));
        Ok(Keys::Remote(cache))
    }
}

fn fixed_keys(drafts: &[KeyDraft], policy: &AccessTokenPolicy) -> Result<Keys, ConfigError> {
    let first = drafts.first().map(KeyDraft::field).unwrap_or_default();
    if drafts.len() > MAX_FIXED_KEYS {
        let fault = format!("more than {MAX_FIXED_KEYS} keys for one issuer");
        return Err(ConfigError::new(first, fault)
            .with_hint("publish them as a key set and use `.jwks_uri(..)`"));
    }
    // SECURITY: one kind of key for one issuer (RFC 8725 section 2.1);
    // sec_jwt_02_hmac_needs_a_secret_and_nothing_else
    if drafts.iter().any(KeyDraft::is_symmetric) && !drafts.iter().all(KeyDraft::is_symmetric) {
        return Err(ConfigError::new("hmac_secret", "mixed with a public key"));
    }
    let mut keys = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let field = draft.field();
        let key = match draft {
            KeyDraft::Uri(_) | KeyDraft::Shared(_) => {
                return Err(ConfigError::new(field, "given besides other keys")
                    .with_hint("an issuer's keys are at one place, or all in the configuration"));
            }
            KeyDraft::Pem(pem) => FixedKey::Plain(
                VerifyingKey::from_pem(pem)
                    .map_err(|error| ConfigError::new(field, error.to_string()))?,
            ),
            KeyDraft::Jwk(text) => FixedKey::Jwk(Box::new(jwk(text)?)),
            KeyDraft::Hmac(secret) => FixedKey::Plain(hmac_key(secret)?),
        };
        let fits = |algorithm: &Algorithm| match &key {
            FixedKey::Plain(key) => key.supports(*algorithm),
            FixedKey::Jwk(jwk) => jwk.allows(*algorithm),
        };
        if !policy.algorithms().iter().any(fits) {
            return Err(
                ConfigError::new("algorithms", format!("none fits `{field}`"))
                    .with_hint("HS384 and HS512 need secrets of 48 and 64 bytes"),
            );
        }
        keys.push(key);
    }
    Ok(Keys::Fixed(keys))
}

fn jwk(text: &str) -> Result<Jwk, ConfigError> {
    const FIELD: &str = "public_key_jwk";
    let value = json::value(text.as_bytes(), Limits::METADATA)
        .map_err(|error| ConfigError::new(FIELD, error.to_string()))?;
    Jwk::from_value(&value).map_err(|error| ConfigError::new(FIELD, error.to_string()))
}

fn hmac_key(secret: &SecretString) -> Result<VerifyingKey, ConfigError> {
    const FIELD: &str = "hmac_secret";
    let fault = |fault: String| {
        ConfigError::new(FIELD, fault).with_hint("make one with `openssl rand -base64 48`")
    };
    let key = VerifyingKey::hmac(SecretBytes::new(secret.expose().as_bytes()))
        .map_err(|error| fault(error.to_string()))?;
    // SECURITY: a secret out of a manual is a public one (RFC 8725 section 3.5);
    // sec_key_17_weak_hmac_secrets_are_refused
    match weakness(secret.expose()) {
        Some(weakness) => Err(fault(format!("the secret {weakness}"))),
        None => Ok(key),
    }
}

impl KeyDraft {
    fn is_symmetric(&self) -> bool {
        matches!(self, Self::Hmac(_))
    }

    fn field(&self) -> &'static str {
        match self {
            Self::Uri(_) => "jwks_uri",
            Self::Shared(_) => "key_set",
            Self::Pem(_) => "public_key_pem",
            Self::Jwk(_) => "public_key_jwk",
            Self::Hmac(_) => "hmac_secret",
        }
    }
}

fn policy_error(error: PolicyError) -> ConfigError {
    let field = match error {
        PolicyError::NoAlgorithm | PolicyError::MixedAlgorithms => "algorithms",
        PolicyError::EmptyName => "audience",
        PolicyError::Leeway => "leeway",
        PolicyError::Lifetime => "max_lifetime",
        _ => "issuer",
    };
    ConfigError::new(field, error.to_string())
}
