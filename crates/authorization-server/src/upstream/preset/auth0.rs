//! Auth0.

use portcullis_oauth::scopes;

use super::argument::{base, refused};
use crate::upstream::{RevokedTokens, Upstream};

provider! {
    /// Accounts of an Auth0 tenant, for which this server is one application.
    ///
    /// Where MCP clients register at Auth0 themselves, it is
    /// [`Auth0Provider`](portcullis_resource_server::Auth0Provider).
    Auth0Proxy(domain: &str, audience: &str)
}

impl Auth0Proxy {
    /// Auth0, as data: the tenant's domain, or the URL of its configuration, and the identifier of the
    /// API that access tokens are for. Without an API they are for Auth0 alone.
    pub fn upstream(domain: &str, audience: &str) -> Upstream {
        let domain = match base("config_url", domain) {
            Ok(domain) => domain,
            Err(fault) => return refused(fault),
        };
        Upstream::oidc(format!("{domain}/")) // its issuer has the slash
            .name("Auth0")
            .scopes(scopes!["openid", "profile", "email"])
            .always_scopes(scopes!["openid", "offline_access"])
            .authorize_param("audience", audience)
            .token_param("audience", audience)
            .organisations_claim("org_id")
            .revoked_tokens(RevokedTokens::Refresh)
    }
}
