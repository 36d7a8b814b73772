//! What turns a bearer token into an [`AccessToken`].

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::{BearerToken, Issuer, ResourceUrl, ScopeSet};

use crate::AccessToken;

/// Decides whether a token is valid for a resource.
///
/// The resource is an argument, so no verifier can forget for whom it checks. A verifier does not
/// judge scopes: it reports what was granted, and the layer answers 403 where that is not enough.
///
/// ```
/// use portcullis_oauth::{BearerToken, scopes};
/// use portcullis_resource_server::{
///     AccessToken, Rejection, TokenParts, TokenVerifier, VerifyContext, VerifyError,
/// };
///
/// struct Door;
///
/// impl TokenVerifier for Door {
///     async fn verify(
///         &self,
///         token: &BearerToken,
///         cx: &VerifyContext<'_>,
///     ) -> Result<AccessToken, VerifyError> {
///         if !token.ct_eq(b"open sesame, and make it long") {
///             return Err(Rejection::Unknown.into());
///         }
///         let parts = TokenParts::new("https://cave.example", "ali")
///             .audience([cx.resource().as_str()])
///             .scopes(scopes!["treasure:read"]);
///         Ok(AccessToken::assert_verified(parts))
///     }
/// }
/// ```
pub trait TokenVerifier: Send + Sync + 'static {
    /// Verifies a token for the resource that `cx` names. The layer waits 10 seconds, unless
    /// [`AuthLayer::verify_within`](crate::AuthLayer::verify_within) says otherwise.
    ///
    /// # Errors
    /// [`VerifyError::Rejected`] when the token is not valid, [`VerifyError::Unavailable`] when
    /// that cannot be told now. The layer answers 401 and 503.
    fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> impl Future<Output = Result<AccessToken, VerifyError>> + Send;

    /// An answer that needs no waiting: a token verified before and still valid. The layer asks
    /// this first, because a future behind a trait object costs an allocation.
    fn cached(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Option<AccessToken> {
        let _ = (token, cx);
        None
    }

    /// Fetches what the first request would otherwise wait for, a key set for example.
    ///
    /// # Errors
    /// [`VerifyError::Unavailable`]; a server starts all the same and tries again.
    fn warm(&self) -> impl Future<Output = Result<(), VerifyError>> + Send {
        async { Ok(()) }
    }

    /// Whose tokens this verifier takes. `MultiAuth` routes by it.
    fn issuers(&self) -> Vec<Issuer> {
        Vec::new()
    }

    /// The scopes that every token must have; the layer enforces and advertises them.
    fn required_scopes(&self) -> ScopeSet {
        ScopeSet::new()
    }
}

/// For what a token is verified.
#[derive(Debug, Clone)]
pub struct VerifyContext<'a> {
    resource: &'a ResourceUrl,
}

impl<'a> VerifyContext<'a> {
    /// The token is presented at `resource`.
    pub fn new(resource: &'a ResourceUrl) -> Self {
        Self { resource }
    }

    /// The resource that the token must be for (RFC 8707).
    pub fn resource(&self) -> &'a ResourceUrl {
        self.resource
    }
}

/// Why there is no [`AccessToken`], split by who must act.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The caller must: the token is not valid here. 401.
    #[error("the token was rejected: {0}")]
    Rejected(Rejection),
    /// We or our identity provider must: nobody can tell whether the token is valid. 503.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<Rejection> for VerifyError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// What is wrong with a token. [`reason`](Self::reason) is for logs; the caller only ever learns
/// [`description`](Self::description), which tells an expired token from any other and nothing
/// more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// Not of the form that this verifier reads.
    Malformed,
    /// Nobody issued it, or it was revoked.
    Unknown,
    /// Its time is over.
    Expired,
    /// Its time has not come (`nbf`, `iat`).
    NotYetValid,
    /// It lives longer than this server accepts, or its times contradict each other.
    Lifetime,
    /// Its issuer is not trusted here.
    WrongIssuer,
    /// It was issued for another resource.
    WrongAudience,
    /// An ID token, a logout token or another kind of JWT.
    WrongType,
    /// Its algorithm is not one that this server accepts.
    WrongAlgorithm,
    /// No trusted key has its key id.
    UnknownKey,
    /// Its signature does not verify.
    BadSignature,
    /// It is bound to a key (RFC 9449, RFC 8705) and was presented without proof.
    SenderConstrained,
    /// A claim is missing or has the wrong type.
    BadClaims,
    /// Its grant was revoked.
    Revoked,
}

impl Rejection {
    /// A stable word for logs, metrics and tests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Lifetime => "lifetime",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::WrongType => "wrong_type",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::SenderConstrained => "sender_constrained",
            Self::BadClaims => "bad_claims",
            Self::Revoked => "revoked",
        }
    }

    /// The sentence for `error_description`. Only expiry is told: a client can mend that, and
    /// everything else would help somebody who tries tokens out.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Expired => "the access token has expired",
            _ => "the access token is not valid for this resource",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// The token's validity cannot be told now: keys or the introspection endpoint are out of reach.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct Unavailable {
    what: &'static str,
    retry_after: Duration,
    #[source]
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Unavailable {
    /// `what` is missing, a short phrase for the log: "the key set is out of reach".
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            retry_after: Duration::from_secs(5),
            source: None,
        }
    }

    /// What caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// When to try again; 5 seconds unless set.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }

    /// When to try again.
    pub fn wait(&self) -> Duration {
        self.retry_after
    }
}

type Verifying<'a> = Pin<Box<dyn Future<Output = Result<AccessToken, VerifyError>> + Send + 'a>>;
type Warming<'a> = Pin<Box<dyn Future<Output = Result<(), VerifyError>> + Send + 'a>>;

/// [`TokenVerifier`] as a trait object.
trait ErasedVerifier: Send + Sync {
    fn dyn_verify<'a>(&'a self, token: &'a BearerToken, cx: &'a VerifyContext<'a>)
    -> Verifying<'a>;
    fn dyn_cached(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Option<AccessToken>;
    fn dyn_warm(&self) -> Warming<'_>;
    fn dyn_issuers(&self) -> Vec<Issuer>;
    fn dyn_required_scopes(&self) -> ScopeSet;
}

impl<V: TokenVerifier> ErasedVerifier for V {
    fn dyn_verify<'a>(
        &'a self,
        token: &'a BearerToken,
        cx: &'a VerifyContext<'a>,
    ) -> Verifying<'a> {
        Box::pin(TokenVerifier::verify(self, token, cx))
    }

    fn dyn_cached(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Option<AccessToken> {
        TokenVerifier::cached(self, token, cx)
    }

    fn dyn_warm(&self) -> Warming<'_> {
        Box::pin(TokenVerifier::warm(self))
    }

    fn dyn_issuers(&self) -> Vec<Issuer> {
        TokenVerifier::issuers(self)
    }

    fn dyn_required_scopes(&self) -> ScopeSet {
        TokenVerifier::required_scopes(self)
    }
}

/// Any [`TokenVerifier`], shared. It is one itself.
#[derive(Clone)]
pub struct SharedVerifier(Arc<dyn ErasedVerifier>);

impl SharedVerifier {
    /// Shares a verifier.
    pub fn new(verifier: impl TokenVerifier) -> Self {
        Self(Arc::new(verifier))
    }
}

impl TokenVerifier for SharedVerifier {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        self.0.dyn_verify(token, cx).await
    }

    fn cached(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Option<AccessToken> {
        self.0.dyn_cached(token, cx)
    }

    async fn warm(&self) -> Result<(), VerifyError> {
        self.0.dyn_warm().await
    }

    fn issuers(&self) -> Vec<Issuer> {
        self.0.dyn_issuers()
    }

    fn required_scopes(&self) -> ScopeSet {
        self.0.dyn_required_scopes()
    }
}

impl fmt::Debug for SharedVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedVerifier")
            .field("issuers", &self.issuers())
            .finish_non_exhaustive()
    }
}
