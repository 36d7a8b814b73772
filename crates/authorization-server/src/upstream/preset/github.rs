//! GitHub.

use portcullis_oauth::scopes;

use super::argument::{base, refused};
use crate::upstream::Upstream;

provider! {
    /// GitHub accounts, at github.com or at a GitHub Enterprise Server.
    ///
    /// There is no ID token: the user is the number `id` that the API tells, for names can be taken by
    /// others. Tokens of an OAuth app never end, and are checked before each of our refreshes.
    GitHubProvider()
}

impl GitHubProvider {
    /// github.com, as data.
    pub fn upstream() -> Upstream {
        Self::at("https://github.com", "https://api.github.com").multi_tenant(true)
    }

    /// A GitHub Enterprise Server: `https://github.example.com`.
    pub fn upstream_at(url: &str) -> Upstream {
        match base("url", url) {
            Ok(url) => Self::at(&url, &format!("{url}/api/v3")),
            Err(fault) => refused(fault),
        }
    }

    fn at(url: &str, api: &str) -> Upstream {
        Upstream::oauth2(
            format!("{url}/login/oauth/authorize"),
            format!("{url}/login/oauth/access_token"),
        )
        .name("GitHub")
        .secret_in_body(true)
        .scopes(scopes!["read:user", "user:email"])
        .identity_scopes(scopes!["read:user", "user:email"])
        .login_prompt("select_account")
        .userinfo_endpoint(format!("{api}/user"))
        .subject("id")
        .display(["name", "login"])
        .claim_alias("preferred_username", "login")
        .verified_emails(format!("{api}/user/emails"))
        .organisations(
            format!("{api}/user/orgs?per_page=100"),
            "/*/login",
            scopes!["read:org"],
        )
        // Any app's token opens the API; only this says whose app it was given to.
        .token_check_by_client(
            format!("{api}/applications/{{client_id}}/token"),
            "/app/client_id",
        )
        .revocation_by_client(format!("{api}/applications/{{client_id}}/token"))
        .revocation_ends_all(false)
    }
}
