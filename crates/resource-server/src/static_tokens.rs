//! Tokens out of the configuration: API keys for machines, and for tests.
//!
//! # Rules
//!
//! * Of a token only its SHA-256 digest is kept. A lookup compares with every digest, in constant
//!   time.
//! * A token is refused at start when it is no secret: it needs 128 bits. Its characters count 4
//!   bits each where all are hexadecimal digits and 6 bits elsewhere, so 32 or 22 of them are the
//!   least. It may not repeat itself, have fewer than 10 different characters or come out of a
//!   manual. Make one with `openssl rand -hex 32`.
//! * It consists of what RFC 6750 section 2.1 allows in a bearer token.
//! * It says who comes, through which client, with which scopes, until when, and what else is
//!   claimed of them.
//!
//! Such a token is good until it is taken out of the configuration, for whoever holds it. People
//! should log in instead.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use portcullis_fetch::system::SystemClock;
use portcullis_oauth::crypto::{ct_eq, hex, sha256};
use portcullis_oauth::secret::guessable;
use portcullis_oauth::{
    BearerToken, ClientId, ScopeSet, SecretString, SharedClock, Subject, Timestamp,
};
use serde_json::{Map, Value};

use crate::events::{Detail, Journal};
use crate::{
    AccessToken, ConfigError, Rejection, TokenParts, TokenVerifier, VerifyContext, VerifyError,
};

/// Who the tokens' issuer is unless [`StaticTokenVerifierBuilder::issuer`] says otherwise.
const DEFAULT_ISSUER: &str = "urn:portcullis:static";

/// Verifies tokens that are listed in the configuration.
///
/// ```
/// use portcullis_oauth::scopes;
/// use portcullis_resource_server::{StaticToken, StaticTokenVerifier};
///
/// # let secret = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
/// let verifier = StaticTokenVerifier::builder()
///     .token(secret.into(), StaticToken::new("ci").scopes(scopes!["notes:read"]))
///     .build()?;
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct StaticTokenVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    tokens: Vec<([u8; 32], StaticToken)>,
    issuer: Arc<str>,
    required_scopes: ScopeSet,
    clock: SharedClock,
    journal: Journal,
}

/// Whose a static token is, and what it may do.
#[derive(Debug, Clone)]
#[must_use]
pub struct StaticToken {
    subject: String,
    client_id: Option<String>,
    scopes: ScopeSet,
    expires_at: Option<Timestamp>,
    claims: Map<String, Value>,
}

impl StaticToken {
    /// A token of `subject` that grants nothing and does not end.
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            client_id: None,
            scopes: ScopeSet::new(),
            expires_at: None,
            claims: Map::new(),
        }
    }

    /// The client that uses it.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// What it grants.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self
    }

    /// What else is said of the subject, such as its `role`.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// When it ends.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }
}

impl StaticTokenVerifier {
    /// A verifier without tokens.
    pub fn builder() -> StaticTokenVerifierBuilder {
        StaticTokenVerifierBuilder {
            tokens: Vec::new(),
            issuer: DEFAULT_ISSUER.to_owned(),
            required_scopes: ScopeSet::new(),
            clock: None,
        }
    }

    /// The entry of a token. The time depends on the number of entries alone.
    fn find(&self, token: &BearerToken) -> Option<&StaticToken> {
        let digest = sha256(token.expose().as_bytes());
        let mut found = None;
        for (known, entry) in &self.inner.tokens {
            // SECURITY: no early end, and no comparison that tells how far it came (CWE-208);
            // sec_key_14_each_token_is_found_among_many
            if ct_eq(known, &digest) {
                found = Some(entry);
            }
        }
        found
    }

    fn check(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Result<AccessToken, Rejection> {
        let entry = self.find(token).ok_or(Rejection::Unknown)?;
        let now = self.inner.clock.now();
        // SECURITY: at its end a token is over (RFC 6750 section 5.2);
        // sec_key_14_a_static_token_ends
        if entry.expires_at.is_some_and(|end| now >= end) {
            return Err(Rejection::Expired);
        }
        let mut parts = TokenParts::new(Arc::clone(&self.inner.issuer), entry.subject.as_str())
            .scopes(entry.scopes.clone())
            .audience([cx.resource().as_str()])
            .claims(entry.claims.clone());
        if let Some(client) = &entry.client_id {
            parts = parts.client_id(client.as_str());
        }
        if let Some(end) = entry.expires_at {
            parts = parts.expires_at(end);
        }
        Ok(AccessToken::assert_verified(parts))
    }
}

impl TokenVerifier for StaticTokenVerifier {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        self.check(token, cx).map_err(|rejection| {
            self.inner
                .journal
                .token_rejected("static", rejection, Detail::default());
            rejection.into()
        })
    }

    fn required_scopes(&self) -> ScopeSet {
        self.inner.required_scopes.clone()
    }
}

impl fmt::Debug for StaticTokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTokenVerifier")
            .field("tokens", &self.inner.tokens.len())
            .finish_non_exhaustive()
    }
}

/// The settings of a [`StaticTokenVerifier`].
#[derive(Debug, Clone)]
#[must_use]
pub struct StaticTokenVerifierBuilder {
    tokens: Vec<(Written, StaticToken)>,
    issuer: String,
    required_scopes: ScopeSet,
    clock: Option<SharedClock>,
}

/// A token as the configuration has it.
#[derive(Debug, Clone)]
enum Written {
    Plain(SecretString),
    /// The digest, in hexadecimal digits.
    Digest(String),
}

impl StaticTokenVerifierBuilder {
    /// Accepts a token. Its text is forgotten in [`build`](Self::build).
    pub fn token(mut self, secret: SecretString, token: StaticToken) -> Self {
        self.tokens.push((Written::Plain(secret), token));
        self
    }

    /// Accepts the token with this SHA-256 digest, in 64 lower-case hexadecimal digits, so that the
    /// configuration does not hold the token: `printf %s "$TOKEN" | sha256sum`. Whether the token
    /// is hard to guess cannot be checked then.
    pub fn token_digest(mut self, digest: impl Into<String>, token: StaticToken) -> Self {
        self.tokens.push((Written::Digest(digest.into()), token));
        self
    }

    /// Who the tokens' issuer is; `urn:portcullis:static` unless set. Subjects of two issuers are
    /// never the same.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Scopes that every token must have; one without them is answered with 403. Each call adds to
    /// them.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes.extend(scopes);
        self
    }

    /// The clock; the operating system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that is wrong, and never a token.
    pub fn build(self) -> Result<StaticTokenVerifier, ConfigError> {
        if self.tokens.is_empty() {
            return Err(ConfigError::new("tokens", "no token is listed"));
        }
        if self.issuer.is_empty() {
            return Err(ConfigError::new("issuer", "an issuer cannot be empty"));
        }
        let mut digests = BTreeSet::new();
        let mut tokens = Vec::with_capacity(self.tokens.len());
        for (written, token) in self.tokens {
            Subject::parse(&token.subject)
                .map_err(|error| ConfigError::new("subject", error.to_string()))?;
            if let Some(client) = &token.client_id {
                ClientId::parse(client)
                    .map_err(|error| ConfigError::new("client_id", error.to_string()))?;
            }
            let digest = written.digest(&token.subject)?;
            if !digests.insert(digest) {
                let fault = format!("a token of `{}` is listed twice", token.subject);
                return Err(ConfigError::new("tokens", fault));
            }
            tokens.push((digest, token));
        }
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        Ok(StaticTokenVerifier {
            inner: Arc::new(Inner {
                tokens,
                issuer: self.issuer.into(),
                required_scopes: self.required_scopes,
                journal: Journal::new(Arc::clone(&clock)),
                clock,
            }),
        })
    }
}

impl Written {
    fn digest(&self, subject: &str) -> Result<[u8; 32], ConfigError> {
        let fault = |fault: &str| {
            ConfigError::new("tokens", format!("a token of `{subject}` {fault}"))
                .with_hint("make one with `openssl rand -hex 32`")
        };
        match self {
            Self::Plain(secret) => match flaw(secret.expose()) {
                Some(flaw) => Err(fault(flaw)),
                None => Ok(sha256(secret.expose().as_bytes())),
            },
            Self::Digest(digest) => hex::decode_strict(digest)
                .ok()
                .and_then(|digest| digest.try_into().ok())
                .ok_or_else(|| fault("has a digest that is not 64 lower-case hexadecimal digits")),
        }
    }
}

/// Why a text cannot be a token, if it cannot.
fn flaw(token: &str) -> Option<&'static str> {
    if token.is_empty() {
        return Some("is empty");
    }
    if BearerToken::parse(token).is_err() {
        return Some("has characters that no bearer token has (RFC 6750 section 2.1)");
    }
    guessable(token)
}
