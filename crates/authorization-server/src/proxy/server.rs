//! An authorization server in front of an identity provider, as one value.

use std::fmt;

use portcullis_oauth::Issuer;
use portcullis_resource_server::{Auth, ConfigError, IntoAuth, StartError};

use super::OAuthProxyBuilder;
use crate::provider::OAuthProvider;
use crate::upstream::Upstream;

/// A complete OAuth 2.1 authorization server whose users log in at an identity provider that does not
/// let MCP clients register themselves: Google, GitHub, Azure, or any other.
///
/// Clients register here, or bring their metadata. Users are asked here whether a client may come in,
/// and are then sent to the provider, which knows this server alone. Clients get tokens of this
/// server; those of the provider stay here, sealed, and are exchanged for new ones as long as the
/// provider lets us.
///
/// ```
/// use portcullis_authorization_server::OAuthProxy;
/// use portcullis_authorization_server::Upstream;
/// use portcullis_oauth::scopes;
/// use portcullis_resource_server::{Auth, IntoAuth};
///
/// # fn auth() -> Result<Auth, portcullis_resource_server::ConfigErrors> {
/// let provider = Upstream::oauth2(
///     "https://provider.example.com/oauth/authorize",
///     "https://provider.example.com/oauth/token",
/// );
/// let proxy = OAuthProxy::builder(provider)
///     .base_url("https://your-server.example.com")
///     .client("client-id", "a secret of the provider's".into())
///     .scopes(scopes!["openid", "profile"])
///     .build()?;
/// # Ok(
/// proxy.into_auth()?
/// # )
/// # }
/// # auth().unwrap();
/// ```
///
/// Clones are the same server.
#[derive(Clone)]
pub struct OAuthProxy {
    server: OAuthProvider,
}

impl OAuthProxy {
    /// Settings of a proxy in front of that provider.
    pub fn builder(upstream: Upstream) -> OAuthProxyBuilder {
        OAuthProxyBuilder::new(upstream)
    }

    pub(super) fn of(server: OAuthProvider) -> Self {
        Self { server }
    }

    /// Who issues the tokens, byte for byte: the base URL, unless another was named.
    pub fn issuer(&self) -> &Issuer {
        self.server.issuer()
    }

    /// Opens the store, and makes or loads the keys. Whoever serves does this by [`Auth::start`];
    /// again, it does nothing.
    ///
    /// # Errors
    /// [`StartError`]. The next call tries again.
    pub async fn start(&self) -> Result<(), StartError> {
        self.server.start().await
    }

    /// The authorization server that it is: its grants, clients, keys.
    pub fn server(&self) -> &OAuthProvider {
        &self.server
    }
}

impl IntoAuth for OAuthProxy {
    fn into_auth(self) -> Result<Auth, ConfigError> {
        self.server.into_auth()
    }
}

impl fmt::Debug for OAuthProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthProxy")
            .field("issuer", self.issuer())
            .finish_non_exhaustive()
    }
}
