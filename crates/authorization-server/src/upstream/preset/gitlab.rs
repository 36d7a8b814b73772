//! GitLab.

use portcullis_oauth::scopes;

use super::argument::{base, refused};
use crate::upstream::Upstream;

provider! {
    /// Accounts at gitlab.com, or at a GitLab of your own.
    GitLabProvider()
}

const GITLAB_COM: &str = "https://gitlab.com";

impl GitLabProvider {
    /// gitlab.com, as data.
    pub fn upstream() -> Upstream {
        Self::upstream_at(GITLAB_COM)
    }

    /// A GitLab of your own: `https://gitlab.example.com`.
    pub fn upstream_at(url: &str) -> Upstream {
        let url = match base("config_url", url) {
            Ok(url) => url,
            Err(fault) => return refused(fault),
        };
        let anybody = url == GITLAB_COM;
        Upstream::oidc(url)
            .name("GitLab")
            .scopes(scopes!["openid", "profile", "email"])
            .display(["name", "nickname"])
            .revocation_ends_all(false)
            .multi_tenant(anybody)
    }
}
