//! GitHub.

use portcullis_oauth::scopes;

use crate::upstream::Upstream;

provider! {
    /// GitHub accounts, at github.com.
    ///
    /// There is no ID token: the user is the number `id` that the API tells, for names can be taken by
    /// others. Tokens of an OAuth app never end, and are checked before each of our refreshes.
    GitHubProvider()
}

impl GitHubProvider {
    /// GitHub, as data.
    pub fn upstream() -> Upstream {
        Upstream::oauth2(
            "https://github.com/login/oauth/authorize",
            "https://github.com/login/oauth/access_token",
        )
        .name("GitHub")
        .secret_in_body(true)
        .scopes(scopes!["read:user", "user:email"])
        .login_prompt("select_account")
        .userinfo_endpoint("https://api.github.com/user")
        .subject("id")
        .display(["name", "login"])
        .claim_alias("preferred_username", "login")
        .verified_emails("https://api.github.com/user/emails")
        .organisations(
            "https://api.github.com/user/orgs?per_page=100",
            "/*/login",
            scopes!["read:org"],
        )
        // Any app's token opens the API; only this says whose app it was given to.
        .token_check_by_client(
            "https://api.github.com/applications/{client_id}/token",
            "/app/client_id",
        )
        .multi_tenant(true)
    }
}
