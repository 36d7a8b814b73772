//! [`AuthLayer`]: a tower layer that lets in whoever brings a valid access token.
//!
//! # Rules
//!
//! 1. The token comes in the `Authorization` header, by the scheme `Bearer` (RFC 6750 section
//!    2.1), and nowhere else: one in the query is refused, also beside a good header.
//! 2. It is verified for the layer's own resource, on every request, whatever the method.
//! 3. It must have every required scope.
//! 4. Then the request goes on, with an [`AccessToken`] in its extensions and
//!    without its credentials.
//! 5. An answer that streams events ends with the token that opened it: when its verifier would no
//!    longer accept it, which with a leeway is that much after `exp`. Every 30 seconds it asks what a
//!    new request with that token would be told, behind a [`Reloadable`](crate::Reloadable) by the
//!    routes of then.
//!
//! # What failure looks like
//!
//! | | status | challenge |
//! |---|---|---|
//! | no token, an empty header, another scheme | 401 | `Bearer resource_metadata="..", scope=".."` |
//! | a token that is malformed or not valid here | 401 | the same and `error="invalid_token"` |
//! | two tokens, or one in the query | 400 | the same and `error="invalid_request"` |
//! | what the token stands on ended while its request was handled | 401 | as for a token that is not valid |
//! | a scope is missing | 403 | the same and `error="insufficient_scope"`, all scopes in `scope` |
//! | nobody can tell, or not within 10 seconds | 503 | none; `Retry-After` |
//! | the verifier, the grant status or the hook panicked | 500 | none |
//!
//! A [`Denial`] is in the extensions of such an answer, for layers outside this one.
//!
//! # Deployment caveat
//!
//! The layer sees what its server sees. A proxy in front that answers from a cache, or that adds
//! an `Authorization` header of its own, answers for its caller.
//!
//! # Example
//!
//! ```
//! use axum::{Router, routing::get};
//! use portcullis_oauth::{ResourceUrl, scopes};
//! use portcullis_resource_server::{AccessToken, AuthLayer, TokenVerifier};
//!
//! fn app(verifier: impl TokenVerifier) -> Result<Router, Box<dyn std::error::Error>> {
//!     let resource = ResourceUrl::parse("https://api.example.com/")?;
//!     Ok(Router::new()
//!         .route("/me", get(|token: AccessToken| async move { token.subject().to_owned() }))
//!         .layer(AuthLayer::new(verifier, resource).require(scopes!["profile"])))
//! }
//! ```
//!
//! # Sources
//!
//! RFC 6750, RFC 9728 section 5, RFC 9700 section 2.3; MCP authorization, revisions 2025-06-18 to
//! 2026-07-28.

mod body;
mod credentials;
mod denial;
mod future;
mod policy;
mod service;
mod sign_in;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Extensions;
use portcullis_oauth::{ResourceUrl, ScopeHierarchy, ScopeSet, SharedClock};
use tower::Layer;

pub(crate) use self::body::{Opener, guard, is_event_stream};
pub use self::denial::{Denial, DenialKind};
pub use self::future::AuthFuture;
pub(crate) use self::policy::{OnVerified, Policy};
pub use self::service::AuthService;
pub(crate) use self::sign_in::SignInAgain;
use crate::events::{self, Journal};
use crate::{AccessToken, GrantStatus, SharedVerifier, TokenVerifier};

/// A tower layer that verifies access tokens; the [module](self) has the whole story.
#[derive(Clone)]
#[must_use]
pub struct AuthLayer(Arc<Policy>);

impl AuthLayer {
    /// Tokens are verified by `verifier`, for `resource`. The scopes that the verifier requires
    /// are required here.
    pub fn new(verifier: impl TokenVerifier, resource: ResourceUrl) -> Self {
        Self(Arc::new(Policy::new(
            SharedVerifier::new(verifier),
            resource,
        )))
    }

    pub(crate) fn from_policy(policy: Policy) -> Self {
        Self(Arc::new(policy))
    }

    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.0
    }

    /// Requires these scopes too, all of them, on every request.
    pub fn require(self, scopes: ScopeSet) -> Self {
        self.set(|policy| policy.required.extend(scopes))
    }

    /// Where this resource's metadata is (RFC 9728), for the challenge. Nothing unless set.
    pub fn resource_metadata(self, url: impl Into<Arc<str>>) -> Self {
        self.set(|policy| policy.resource_metadata = Some(url.into()))
    }

    /// The scopes that a challenge asks for when there is no token; the required ones unless set.
    pub fn challenge_scopes(self, scopes: ScopeSet) -> Self {
        self.set(|policy| policy.challenge_scopes = Some(scopes))
    }

    /// Which scopes stand for others, applied before every comparison. What was said before stays.
    pub fn scope_hierarchy(self, hierarchy: ScopeHierarchy) -> Self {
        self.set(|policy| policy.hierarchy = std::mem::take(&mut policy.hierarchy).and(hierarchy))
    }

    /// Asks, on every request, whether the grant behind a token still stands. Each call adds one who
    /// is asked, and a grant stands while all of them say so.
    pub fn grant_status(self, status: impl GrantStatus) -> Self {
        self.set(|policy| policy.grant_status.add(status))
    }

    /// Adds to a request's extensions after its token was verified. Each call adds a hook; they run
    /// in this order.
    pub fn on_verified(
        self,
        hook: impl Fn(&AccessToken, &mut Extensions) + Send + Sync + 'static,
    ) -> Self {
        self.set(|policy| policy.on_verified.push(Arc::new(hook)))
    }

    /// Hears of tokens whose grant no longer stands.
    pub(crate) fn on_revoked(self, hook: impl Fn(&AccessToken) + Send + Sync + 'static) -> Self {
        self.set(|policy| policy.on_revoked = Some(Arc::new(hook)))
    }

    /// How long the verification of one token may take, whoever is asked; 10 seconds unless set.
    /// Then the answer is 503.
    pub fn verify_within(self, limit: Duration) -> Self {
        self.set(|policy| policy.verify_within = limit)
    }

    /// The clock by which streams end and events are counted; the system's unless set.
    pub fn clock(self, clock: SharedClock) -> Self {
        self.set(|policy| {
            policy.journal = Journal::new(Arc::clone(&clock));
            policy.clock = clock;
        })
    }

    /// Settings that open a hole.
    pub fn dangerous(self) -> DangerousAuthLayer {
        DangerousAuthLayer(self)
    }

    fn set(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// Settings of an [`AuthLayer`] that open a hole. Each is logged at every start.
#[derive(Debug, Clone)]
#[must_use]
pub struct DangerousAuthLayer(AuthLayer);

impl DangerousAuthLayer {
    /// Lets requests without credentials through, with no token in their extensions. Credentials
    /// that are not valid are refused all the same.
    ///
    /// What breaks: nothing below may take a request for authenticated unless it finds an
    /// [`AccessToken`]. Who is hurt: whoever serves private data from such a route. When it is
    /// right: every handler below asks for `Option<AccessToken>` or decides by itself.
    pub fn allow_anonymous(self) -> AuthLayer {
        events::dangerous(
            "layer",
            "allow_anonymous",
            "requests without a token pass: each handler has to ask for one itself",
        );
        self.0.set(|policy| policy.optional = true)
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService::new(inner, Arc::clone(&self.0))
    }
}

impl fmt::Debug for AuthLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
