//! WorkOS.

use portcullis_oauth::scopes;

use super::argument::{base, refused};
use crate::upstream::Upstream;

provider! {
    /// Accounts at AuthKit, by an application of WorkOS Connect.
    ///
    /// Where MCP clients register at AuthKit themselves, it is
    /// [`AuthKitProvider`](portcullis_resource_server::AuthKitProvider).
    WorkOSProvider(authkit_domain: &str)
}

impl WorkOSProvider {
    /// WorkOS, as data: the AuthKit domain, as in `https://example.authkit.app`.
    pub fn upstream(authkit_domain: &str) -> Upstream {
        match base("authkit_domain", authkit_domain) {
            Ok(domain) => Upstream::oidc(domain)
                .name("AuthKit")
                .secret_in_body(true)
                .scopes(scopes!["openid", "profile", "email"])
                .always_scopes(scopes!["openid", "offline_access"])
                .organisations_claim("org_id"),
            Err(fault) => refused(fault),
        }
    }
}
