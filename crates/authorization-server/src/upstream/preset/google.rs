//! Google.

use portcullis_oauth::scopes;

use crate::upstream::{RevokedTokens, Upstream};

provider! {
    /// Google accounts.
    ///
    /// A refresh token takes `access_type=offline` and `prompt=consent` there, both of which are sent,
    /// and not `offline_access`, which Google refuses.
    ///
    /// ```
    /// use portcullis_authorization_server::{AllowList, GoogleProvider};
    ///
    /// let proxy = GoogleProvider::builder()
    ///     .base_url("https://mcp.example.com")
    ///     .client("1234.apps.googleusercontent.com", "the secret".into())
    ///     .allow(AllowList::new().domains(["example.com"]))
    ///     .build()?;
    /// # Ok::<(), portcullis_resource_server::ConfigErrors>(())
    /// ```
    GoogleProvider()
}

impl GoogleProvider {
    /// Google, as data.
    pub fn upstream() -> Upstream {
        Upstream::oauth2(
            "https://accounts.google.com/o/oauth2/v2/auth",
            "https://oauth2.googleapis.com/token",
        )
        .name("Google")
        .issuer("https://accounts.google.com")
        .jwks_uri("https://www.googleapis.com/oauth2/v3/certs")
        .userinfo_endpoint("https://openidconnect.googleapis.com/v1/userinfo")
        .revocation_endpoint("https://oauth2.googleapis.com/revoke")
        .revoked_tokens(RevokedTokens::Either)
        .scopes(scopes!["openid", "profile", "email"])
        .always_scopes(scopes!["openid"])
        .scope_alias("email", "https://www.googleapis.com/auth/userinfo.email")
        .scope_alias(
            "profile",
            "https://www.googleapis.com/auth/userinfo.profile",
        )
        .authorize_param("access_type", "offline")
        .authorize_param("prompt", "consent")
        .login_prompt("select_account consent")
        .domain_claim("hd")
        .multi_tenant(true)
    }
}
