//! Keycloak.

use portcullis_oauth::scopes;

use super::argument::{base, refused};
use crate::upstream::{TokenExchange, Upstream};

provider! {
    /// Accounts of a Keycloak realm, of which this server is one client.
    ///
    /// Where MCP clients register at Keycloak themselves, it is
    /// [`KeycloakProvider`](portcullis_resource_server::KeycloakProvider).
    KeycloakProxy(realm_url: &str)
}

impl KeycloakProxy {
    /// Keycloak, as data: the realm's URL, as in `https://sso.example.com/realms/staff`. The roles of
    /// the realm become the claim `roles`.
    pub fn upstream(realm_url: &str) -> Upstream {
        match base("realm_url", realm_url) {
            Ok(realm) => Upstream::oidc(realm)
                .name("Keycloak")
                .scopes(scopes!["openid", "profile", "email"])
                .claim_alias("roles", "/realm_access/roles")
                .token_exchange(TokenExchange::Standard),
            Err(fault) => refused(fault),
        }
    }
}
