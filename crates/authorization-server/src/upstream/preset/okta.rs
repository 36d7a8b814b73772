//! Okta.

use portcullis_oauth::scopes;
use portcullis_resource_server::ConfigError;

use super::argument::{base, refused};
use crate::upstream::Upstream;

provider! {
    /// Accounts of an Okta organization, by one of its custom authorization servers.
    OktaProvider(issuer: &str)
}

impl OktaProvider {
    /// Okta, as data: the issuer, as in `https://example.okta.com/oauth2/default`. The organization's
    /// own authorization server is refused: its access tokens are for Okta alone.
    pub fn upstream(issuer: &str) -> Upstream {
        let issuer = match base("config_url", issuer) {
            Ok(issuer) => issuer,
            Err(fault) => return refused(fault),
        };
        let server = issuer.split_once("/oauth2/").map(|(_, server)| server);
        if server.is_none_or(|server| server.is_empty() || server.contains('/')) {
            let fault = "is not the issuer of a custom authorization server";
            let hint = "as in `https://example.okta.com/oauth2/default`: the organization's own gives \
                        access tokens that nobody else can use";
            return refused(ConfigError::new("config_url", fault).with_hint(hint));
        }
        Upstream::oidc(issuer)
            .name("Okta")
            .scopes(scopes!["openid", "profile", "email"])
            .always_scopes(scopes!["openid", "offline_access"])
            .revocation_ends_all(false)
    }
}
