//! The settings of a `JwtVerifier`.

use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::Fetcher;
use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::jose::gate::{AudienceMode, PositiveMark, TypProfile};
use portcullis_oauth::{ScopeSet, SecretString, SharedClock};

use super::KeySetSource;
use crate::jwks_cache::Bounds;

mod resolve;

/// The settings of a [`JwtVerifier`](super::JwtVerifier); from [`JwtVerifier::builder`](super::JwtVerifier::builder) or
/// [`JwtVerifier::for_issuers`](super::JwtVerifier::for_issuers).
///
/// These belong to the issuers named last, by `builder`, `for_issuers` or
/// [`issuer`](Self::issuer): where their keys are, [`algorithms`](Self::algorithms),
/// [`typ_profile`](Self::typ_profile), [`positive_marks`](Self::positive_marks) and
/// [`scope_claims`](Self::scope_claims). All others are for every token.
///
/// | setting | default |
/// |---|---|
/// | keys | by discovery from the issuer |
/// | [`audience`](Self::audience) | the resource in front of which a token is presented |
/// | [`algorithms`](Self::algorithms) | RS256, ES256, ES384, ES512, `EdDSA`; HS256 with [`hmac_secret`](Self::hmac_secret) |
/// | [`typ_profile`](Self::typ_profile) | `at+jwt` alone |
/// | [`scope_claims`](Self::scope_claims) | `scope` |
/// | [`leeway`](Self::leeway) | 30 seconds |
/// | [`max_lifetime`](Self::max_lifetime) | 24 hours |
/// | [`max_key_age`](Self::max_key_age), [`max_key_outage`](Self::max_key_outage) | 10 minutes, 24 hours |
/// | [`cache_capacity`](Self::cache_capacity) | 10 000 tokens |
#[derive(Debug, Clone)]
#[must_use]
pub struct JwtVerifierBuilder {
    issuers: Vec<IssuerDraft>,
    /// The number of the group that was named last.
    group: usize,
    audience: AudienceDraft,
    audience_mode: AudienceMode,
    required_scopes: ScopeSet,
    leeway: Duration,
    max_lifetime: Duration,
    bounds: Bounds,
    clock: Option<SharedClock>,
    fetcher: Option<Fetcher>,
    cache_capacity: usize,
}

#[derive(Debug, Clone)]
struct IssuerDraft {
    issuer: String,
    /// Issuers of one number were named together.
    group: usize,
    keys: Vec<KeyDraft>,
    algorithms: Option<Vec<Algorithm>>,
    typ: TypProfile,
    marks: Option<Vec<PositiveMark>>,
    scope_claims: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
enum KeyDraft {
    Uri(String),
    Shared(Arc<dyn KeySetSource>),
    Pem(String),
    Jwk(String),
    Hmac(SecretString),
}

#[derive(Debug, Clone)]
enum AudienceDraft {
    Listed(Vec<String>),
    Clients(Vec<String>),
    Any,
}

impl JwtVerifierBuilder {
    pub(super) fn new(issuers: impl IntoIterator<Item = String>) -> Self {
        Self {
            issuers: issuers
                .into_iter()
                .map(|issuer| IssuerDraft::new(issuer, 0))
                .collect(),
            group: 0,
            audience: AudienceDraft::Listed(Vec::new()),
            audience_mode: AudienceMode::default(),
            required_scopes: ScopeSet::new(),
            leeway: Duration::from_secs(30),
            max_lifetime: Duration::from_secs(24 * 60 * 60),
            bounds: Bounds::default(),
            clock: None,
            fetcher: None,
            cache_capacity: 10_000,
        }
    }

    /// Accepts the tokens of one more issuer. The issuer's settings that follow are for it alone.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.group += 1;
        self.issuers
            .push(IssuerDraft::new(issuer.into(), self.group));
        self
    }

    /// Where the issuer's keys are (RFC 7517 section 5), without discovery. `https`, or `http` on
    /// loopback.
    pub fn jwks_uri(self, url: impl Into<String>) -> Self {
        self.key(&KeyDraft::Uri(url.into()))
    }

    /// The issuer's keys where the issuer is this program itself: taken from memory, and followed as
    /// they change. A token ends with its key.
    pub fn key_set(self, source: Arc<dyn KeySetSource>) -> Self {
        self.key(&KeyDraft::Shared(source))
    }

    /// The issuer's public key, as PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`). Each call adds one, up
    /// to four. Such a key answers for tokens with any `kid`.
    pub fn public_key_pem(self, pem: impl Into<String>) -> Self {
        self.key(&KeyDraft::Pem(pem.into()))
    }

    /// The issuer's public key, as the JSON of a JWK (RFC 7517 section 4). Each call adds one, up
    /// to four.
    pub fn public_key_jwk(self, jwk: impl Into<String>) -> Self {
        self.key(&KeyDraft::Jwk(jwk.into()))
    }

    /// A secret that this server shares with the issuer, for HS256, HS384 or HS512.
    ///
    /// Whoever verifies with it can also mint: a leak here makes anybody anyone. Prefer a public
    /// key wherever the issuer offers one. At least 32 bytes (48 or 64 for HS384 and HS512), and no
    /// example out of a manual.
    pub fn hmac_secret(self, secret: SecretString) -> Self {
        self.key(&KeyDraft::Hmac(secret))
    }

    /// The algorithms that the issuer signs with, instead of the default ones.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let algorithms: Vec<_> = algorithms.into_iter().collect();
        self.each(|issuer| issuer.algorithms = Some(algorithms.clone()));
        self
    }

    /// What `typ` the issuer's tokens have. [`TypProfile::Legacy`] is for issuers from before
    /// RFC 9068, whose access tokens say `JWT` or nothing.
    pub fn typ_profile(mut self, profile: TypProfile) -> Self {
        self.each(|issuer| issuer.typ = profile);
        self
    }

    /// What marks the issuer's access tokens under [`TypProfile::Legacy`] where their audience is
    /// not the resource itself. Any of [`PositiveMark::ALL`] unless set.
    pub fn positive_marks(mut self, marks: impl IntoIterator<Item = PositiveMark>) -> Self {
        let marks: Vec<_> = marks.into_iter().collect();
        self.each(|issuer| issuer.marks = Some(marks.clone()));
        self
    }

    /// The claims that hold scopes: `scp`, or `permissions` as Auth0 has it. `scope` is a text,
    /// the others may be lists of texts.
    pub fn scope_claims<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        self.each(|issuer| issuer.scope_claims = Some(names.clone()));
        self
    }

    /// Accepts tokens for this audience instead of the resource, byte for byte. Each call adds one.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        match &mut self.audience {
            AudienceDraft::Listed(listed) => listed.push(audience.into()),
            AudienceDraft::Clients(_) | AudienceDraft::Any => {
                self.audience = AudienceDraft::Listed(vec![audience.into()]);
            }
        }
        self
    }

    /// Accepts tokens that were issued to this client, in place of an audience: for issuers whose
    /// access tokens have no `aud`. One that is there all the same has to be the resource or the
    /// client. Each call adds one.
    pub fn client(mut self, id: impl Into<String>) -> Self {
        match &mut self.audience {
            AudienceDraft::Clients(clients) => clients.push(id.into()),
            AudienceDraft::Listed(_) | AudienceDraft::Any => {
                self.audience = AudienceDraft::Clients(vec![id.into()]);
            }
        }
        self
    }

    /// Whether a token may also be for others.
    pub fn audience_mode(mut self, mode: AudienceMode) -> Self {
        self.audience_mode = mode;
        self
    }

    /// Scopes that every token must have; one without them is answered with 403. Each call adds to
    /// them.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes.extend(scopes);
        self
    }

    /// How far the issuer's clock may be from ours: 0 to 300 seconds.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest life of a token, from `iat` to `exp`.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// How long fetched keys are used before they are fetched again, where the server does not ask
    /// for less: at least 60 seconds. It bounds how long a withdrawn key still works.
    pub fn max_key_age(mut self, age: Duration) -> Self {
        self.bounds.max_age = age;
        self
    }

    /// How long keys are used that cannot be fetched again.
    pub fn max_key_outage(mut self, outage: Duration) -> Self {
        self.bounds.max_stale = outage;
        self
    }

    /// The clock; the operating system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The way out, for metadata and keys alike. Without it URLs in the configuration may lead
    /// into a private network, and those in an issuer's metadata may not.
    pub fn fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = Some(fetcher);
        self
    }

    /// How many verified tokens are remembered; 0 for none.
    pub fn cache_capacity(mut self, tokens: usize) -> Self {
        self.cache_capacity = tokens;
        self
    }

    /// Settings that open a hole.
    pub fn dangerous(self) -> DangerousJwtVerifierBuilder {
        DangerousJwtVerifierBuilder(self)
    }

    fn key(mut self, key: &KeyDraft) -> Self {
        self.each(|issuer| issuer.keys.push(key.clone()));
        self
    }

    fn each(&mut self, change: impl FnMut(&mut IssuerDraft)) {
        let group = self.group;
        self.issuers
            .iter_mut()
            .filter(|issuer| issuer.group == group)
            .for_each(change);
    }
}

/// Settings of a [`JwtVerifierBuilder`] that open a hole. Each is logged at every start.
#[derive(Debug, Clone)]
#[must_use]
pub struct DangerousJwtVerifierBuilder(JwtVerifierBuilder);

impl DangerousJwtVerifierBuilder {
    /// Accepts tokens that were issued for anybody.
    ///
    /// A token that the issuer made for any other service works here too, so whoever runs such a
    /// service can act as its users. All users of the issuer are exposed. It is right only where
    /// the issuer serves this one server.
    pub fn accept_any_audience(mut self) -> JwtVerifierBuilder {
        self.0.audience = AudienceDraft::Any;
        self.0
    }
}

impl IssuerDraft {
    fn new(issuer: String, group: usize) -> Self {
        Self {
            issuer,
            group,
            keys: Vec::new(),
            algorithms: None,
            typ: TypProfile::default(),
            marks: None,
            scope_claims: None,
        }
    }
}
