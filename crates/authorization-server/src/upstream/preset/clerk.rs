//! Clerk.

use portcullis_oauth::scopes;

use super::argument::{base, refused};
use crate::upstream::Upstream;

provider! {
    /// Accounts of a Clerk application, by one of its OAuth applications.
    ClerkProvider(domain: &str)
}

impl ClerkProvider {
    /// Clerk, as data: the Frontend API URL, as in `https://example.clerk.accounts.dev`.
    pub fn upstream(domain: &str) -> Upstream {
        match base("domain", domain) {
            Ok(domain) => Upstream::oidc(domain)
                .name("Clerk")
                .scopes(scopes!["openid", "profile", "email"]),
            Err(fault) => refused(fault),
        }
    }
}
