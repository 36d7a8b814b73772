//! Settings of a proxy that open a hole.

use portcullis_resource_server::{ConfigError, SharedVerifier, TokenVerifier};

use super::{OAuthProxyBuilder, PassThrough};
use crate::faults::Faults;
use crate::provider::OAuthProviderBuilder;
use crate::upstream::UpstreamClient;

/// Settings of an [`OAuthProxyBuilder`] that open a hole. Each is logged at every start.
#[derive(Debug)]
#[must_use]
pub struct DangerousOAuthProxyBuilder(OAuthProxyBuilder);

impl DangerousOAuthProxyBuilder {
    pub(super) fn new(builder: OAuthProxyBuilder) -> Self {
        Self(builder)
    }

    /// Sends users to the provider without asking them here first.
    ///
    /// The provider knows one client, this server. Where its users are signed in and have agreed
    /// before, it asks nothing: any client that registers itself here then gets their tokens by a link
    /// that they open (MCP Security Best Practices, Confused Deputy Problem). It is right only where
    /// all clients are [configured](crate::OAuthProviderBuilder::client), and registration and documents are
    /// off.
    pub fn skip_consent(mut self) -> OAuthProxyBuilder {
        self.0.skips_consent = true;
        self.0
    }

    /// Hands the provider's access tokens out to clients, in the place of ours. `verifier` says of each
    /// one, at each request, whether it is good; whom it takes a token to be for is its own matter.
    ///
    /// What breaks: whoever gets hold of such a token can use it at the provider, and wherever else the
    /// provider's tokens are taken; this server cannot take it back (MCP Security Best Practices, Token
    /// Passthrough). Who is hurt: the user whose token it is. When it is right: where clients have to
    /// call the provider themselves.
    ///
    /// All else stays. Users are asked, and a token opens what was granted to the client that got it
    /// here, at one resource, until its grant ends: a token that the provider gave to anybody else is
    /// none. Refresh tokens are ours, so the exchange at the provider is made here. A token counts until
    /// the provider's end, or [ours](OAuthProxyBuilder::access_token_lifetime) if that is sooner. When a
    /// grant ends, what it had is given back to the provider at once. Clients get no tokens for
    /// themselves (`client_credentials`), and nobody can ask about tokens
    /// ([introspection](crate::OAuthProviderBuilder::introspection)).
    ///
    /// ```
    /// use portcullis_authorization_server::{OAuthProxy, Upstream};
    /// use portcullis_resource_server::JwtVerifier;
    ///
    /// let verifier = JwtVerifier::builder("https://idp.example.com")
    ///     .audience("https://api.example.com")
    ///     .build()?;
    /// let proxy = OAuthProxy::builder(Upstream::oidc("https://idp.example.com"))
    ///     .base_url("https://mcp.example.com")
    ///     .client("client-id", "the secret".into())
    ///     .dangerous()
    ///     .pass_upstream_tokens_through(verifier)
    ///     .build()?;
    /// # drop(proxy);
    /// # Ok::<(), portcullis_resource_server::ConfigErrors>(())
    /// ```
    pub fn pass_upstream_tokens_through(
        mut self,
        verifier: impl TokenVerifier,
    ) -> OAuthProxyBuilder {
        let verifier = SharedVerifier::new(verifier);
        self.0.passes_through = Some(PassThrough::By(verifier));
        self.0
    }

    /// The same without a verifier of yours: the provider is asked whether a token is good, as it is at
    /// a login, and its word holds for a minute. That takes an endpoint for it, such as that of userinfo
    /// (OpenID Connect Core section 5.3).
    pub fn pass_upstream_tokens_through_and_ask(mut self) -> OAuthProxyBuilder {
        self.0.passes_through = Some(PassThrough::Asking);
        self.0
    }
}

/// What cannot be where clients get the provider's tokens.
pub(super) fn check_passing(
    how: &PassThrough,
    server: &OAuthProviderBuilder,
    client: Option<&UpstreamClient>,
    faults: &mut Faults,
) {
    if server.offers_introspection() {
        let fault = "cannot be answered where the provider's tokens are handed out";
        let hint = "ask the provider about its tokens";
        faults.add(ConfigError::new("introspection", fault).with_hint(hint));
    }
    let has_way = client.is_none_or(UpstreamClient::may_tell);
    if matches!(how, PassThrough::Asking) && !has_way {
        let fault = "is not set, and nobody else can say whether the provider's tokens are good";
        let hint = "name it, or pass a verifier to `pass_upstream_tokens_through`";
        faults.add(ConfigError::new("userinfo_endpoint", fault).with_hint(hint));
    }
}
