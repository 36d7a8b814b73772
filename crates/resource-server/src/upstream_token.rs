//! The identity provider's own token of a user, in the hands of a handler.
//!
//! Behind an OAuth proxy clients hold tokens of ours, and the provider's stay in the store. A handler
//! that calls the provider's APIs for its user asks for the provider's token by the [`AccessToken`]
//! that it was called with: there is no other key to it, so no text that somebody sent opens it.
//!
//! | handler | asks by |
//! |---|---|
//! | of axum | the argument `UpstreamToken`, or `Option<UpstreamToken>` |
//! | a tool, prompt or resource of the crate `portcullis` | the same |
//! | of an rmcp server | [`load_upstream_tokens`] with its `AccessToken` |
//!
//! Nothing is loaded for a request that does not ask. The refresh token stays where it is.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use portcullis_oauth::{ScopeSet, SecretString, Timestamp};

use crate::{AccessToken, DownstreamApi, InteractionRequired, Unavailable};

/// The identity provider's access token of the user who called, for calls of the provider's APIs.
///
/// It is fresh: what had expired was refreshed before it was handed out. It is not written by
/// `Debug`, and [`expose`](Self::expose) is the only way to its text.
///
/// ```
/// use portcullis_resource_server::{AccessToken, UpstreamToken, UpstreamTokenError, load_upstream_tokens};
///
/// async fn whoami(user: &AccessToken) -> Result<String, UpstreamTokenError> {
///     let token: UpstreamToken = load_upstream_tokens(user).await?;
///     let authorization = format!("Bearer {}", token.expose());
/// #   let _ = authorization;
///     // .. and with that header GET https://api.provider.com/user
///     # Ok(String::new())
/// }
/// ```
#[derive(Clone)]
pub struct UpstreamToken {
    access_token: SecretString,
    scopes: Option<ScopeSet>,
    expires_at: Option<Timestamp>,
    /// Whose it is, and so the way to tokens of other APIs.
    caller: Option<AccessToken>,
}

impl UpstreamToken {
    /// A token of which nothing more is known.
    #[must_use]
    pub const fn new(access_token: SecretString) -> Self {
        Self {
            access_token,
            scopes: None,
            expires_at: None,
            caller: None,
        }
    }

    /// Says what the provider granted.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Option<ScopeSet>) -> Self {
        self.scopes = scopes;
        self
    }

    /// Says when it ends.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: Option<Timestamp>) -> Self {
        self.expires_at = expires_at;
        self
    }

    /// The token's text. Send it to the provider that issued it, and to nobody else.
    pub fn expose(&self) -> &str {
        self.access_token.expose()
    }

    /// The scopes that the provider granted, in our spelling; `None` where it does not say.
    pub fn scopes(&self) -> Option<&ScopeSet> {
        self.scopes.as_ref()
    }

    /// When it ends; `None` where it does not, or the provider does not say.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// A token of another API, in the name of the same user: Microsoft's on-behalf-of, or token exchange
    /// (RFC 8693), whichever the provider has. It is kept in memory until a minute before its end, so
    /// ask whenever you need it.
    ///
    /// ```
    /// use portcullis_oauth::scopes;
    /// use portcullis_resource_server::{UpstreamToken, UpstreamTokenError};
    ///
    /// async fn my_mail(user: UpstreamToken) -> Result<String, UpstreamTokenError> {
    ///     let graph = user.on_behalf_of(scopes!["https://graph.microsoft.com/Mail.Read"]).await?;
    ///     let authorization = format!("Bearer {}", graph.expose());
    /// #   let _ = authorization;
    ///     // .. and with that header GET https://graph.microsoft.com/v1.0/me/messages
    ///     # Ok(String::new())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`UpstreamTokenError::Unsupported`] where the provider has no way to it, or this token did not
    /// come from [`load_upstream_tokens`] or an argument;
    /// [`UpstreamTokenError::InteractionRequired`] where the user has to do something first;
    /// [`UpstreamTokenError::Refused`] where this server may not have such a token; and the others as
    /// they say.
    pub async fn on_behalf_of(
        &self,
        api: impl Into<DownstreamApi>,
    ) -> Result<Self, UpstreamTokenError> {
        let api = api.into();
        let Some(caller) = &self.caller else {
            return Err(UpstreamTokenError::Unsupported);
        };
        match caller.upstream_tokens() {
            Some(tokens) => tokens.on_behalf_of(caller, &api).await,
            None => Err(UpstreamTokenError::Unsupported),
        }
    }
}

impl fmt::Debug for UpstreamToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SECURITY: the token stays out of what may be logged (CWE-532);
        // sec_px_05_nothing_prints_an_upstream_token
        f.debug_struct("UpstreamToken")
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Where the tokens of users at an identity provider are kept. A verifier that knows of one hands it
/// on with its tokens, by [`AccessToken::with_upstream_tokens`].
pub trait UpstreamTokens: Send + Sync + 'static {
    /// The provider's token of whoever `token` is of, refreshed where it has to be.
    ///
    /// # Errors
    /// [`UpstreamTokenError`].
    fn load<'a>(
        &'a self,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<UpstreamToken, UpstreamTokenError>>;

    /// A token of another API for the same user. Unless a provider has a way to it, there is none.
    ///
    /// # Errors
    /// [`UpstreamTokenError`].
    fn on_behalf_of<'a>(
        &'a self,
        token: &'a AccessToken,
        api: &'a DownstreamApi,
    ) -> BoxFuture<'a, Result<UpstreamToken, UpstreamTokenError>> {
        let _ = (token, api);
        Box::pin(std::future::ready(Err(UpstreamTokenError::Unsupported)))
    }
}

/// Why there is no token of the identity provider, split by who must act.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamTokenError {
    /// We must: no identity provider stands behind the caller's token. A handler that needs one is
    /// served by a server whose tokens are its own users' or somebody else's.
    #[error("no identity provider stands behind the caller's token")]
    Absent,
    /// The user must sign in again: the provider has ended what was granted.
    #[error("what was granted at the identity provider has ended")]
    Ended,
    /// The user must do something at the provider first, before there is a token of another API.
    #[error("the identity provider asks for more of the user before it gives a token of that API")]
    InteractionRequired(InteractionRequired),
    /// The operator must act: this server may not have a token of that API for its users. The log says
    /// what the provider answered.
    #[error("the identity provider refuses this server a token of that API")]
    Refused,
    /// We must: the provider is not known to give tokens of other APIs.
    #[error("the identity provider gives no tokens of other APIs, as far as this server knows")]
    Unsupported,
    /// Nobody but time: the provider is out of reach, or busy. What was granted stands.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The identity provider's token of the user who called, refreshed where it had expired.
///
/// The `AccessToken` is the proof that the user called: a text that somebody sent opens nothing.
///
/// # Errors
/// [`UpstreamTokenError`].
pub async fn load_upstream_tokens(
    token: &AccessToken,
) -> Result<UpstreamToken, UpstreamTokenError> {
    match token.upstream_tokens() {
        Some(tokens) => {
            let loaded = tokens.load(token).await?;
            Ok(UpstreamToken {
                caller: Some(token.clone()),
                ..loaded
            })
        }
        None => Err(UpstreamTokenError::Absent),
    }
}

/// Where tokens of a provider are kept, shared by all that came by the same way.
pub(crate) type SharedUpstreamTokens = Arc<dyn UpstreamTokens>;
