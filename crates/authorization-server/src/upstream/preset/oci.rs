//! Oracle Cloud Infrastructure.

use portcullis_oauth::scopes;

use super::argument::{base, refused};
use crate::upstream::Upstream;

provider! {
    /// Accounts of an identity domain of OCI IAM.
    ///
    /// All domains have one issuer, which is no domain's address; their keys differ.
    OciProvider(domain_url: &str)
}

impl OciProvider {
    /// OCI, as data: the domain's URL, as in `https://idcs-0123.identity.oraclecloud.com`.
    pub fn upstream(domain_url: &str) -> Upstream {
        match base("config_url", domain_url) {
            Ok(url) => Upstream::oidc(url)
                .name("Oracle Cloud")
                .issuer("https://identity.oraclecloud.com/")
                .scopes(scopes!["openid"])
                .always_scopes(scopes!["openid", "offline_access"])
                .claim_alias("name", "user_displayname"),
            Err(fault) => refused(fault),
        }
    }
}
