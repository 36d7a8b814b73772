//! Discord.

use portcullis_oauth::scopes;

use crate::upstream::{RevokedTokens, Upstream};

provider! {
    /// Discord accounts.
    DiscordProvider()
}

impl DiscordProvider {
    /// Discord, as data. Its servers (guilds) are the organisations, by their ids.
    pub fn upstream() -> Upstream {
        Upstream::oauth2(
            "https://discord.com/oauth2/authorize",
            "https://discord.com/api/oauth2/token",
        )
        .name("Discord")
        .issuer("https://discord.com")
        .revocation_endpoint("https://discord.com/api/oauth2/token/revoke")
        .revoked_tokens(RevokedTokens::Either)
        .scopes(scopes!["identify"])
        .always_scopes(scopes!["identify"])
        .login_prompt("consent")
        .userinfo_endpoint("https://discord.com/api/users/@me")
        .subject("id")
        .display(["global_name", "username"])
        .claim_alias("email_verified", "verified")
        .claim_alias("preferred_username", "username")
        .organisations(
            "https://discord.com/api/users/@me/guilds",
            "/*/id",
            scopes!["guilds"],
        )
        .token_check("https://discord.com/api/oauth2/@me", "/application/id")
        .multi_tenant(true)
    }
}
