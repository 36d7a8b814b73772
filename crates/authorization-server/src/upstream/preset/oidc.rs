//! Any OpenID provider.

use crate::upstream::Upstream;

provider! {
    /// Accounts at any OpenID provider: endpoints and keys come from its metadata, and the user from
    /// its ID token.
    OidcProxy(issuer_or_config_url: &str)
}

impl OidcProxy {
    /// The provider, as data: its issuer, or the URL of its `/.well-known/openid-configuration`.
    pub fn upstream(issuer_or_config_url: &str) -> Upstream {
        Upstream::oidc(issuer_or_config_url)
    }
}
