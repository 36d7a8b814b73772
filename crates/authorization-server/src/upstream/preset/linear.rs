//! Linear.

use portcullis_oauth::scopes;

use crate::upstream::Upstream;

provider! {
    /// Linear accounts.
    ///
    /// Scopes go with commas, and the user is asked for by GraphQL.
    LinearProvider()
}

const VIEWER: &str = r#"{"query":"{ viewer { id name email organization { id urlKey } } }"}"#;

impl LinearProvider {
    /// Linear, as data. Its workspaces are the organisations, by the key in their URL.
    pub fn upstream() -> Upstream {
        Upstream::oauth2(
            "https://linear.app/oauth/authorize",
            "https://api.linear.app/oauth/token",
        )
        .name("Linear")
        .secret_in_body(true)
        .revocation_endpoint("https://api.linear.app/oauth/revoke")
        .scopes(scopes!["read"])
        .always_scopes(scopes!["read"])
        .scope_separator(',')
        .login_prompt("consent")
        .userinfo_query("https://api.linear.app/graphql", VIEWER, "/data/viewer")
        .subject("id")
        .display(["name", "email"])
        .organisations_claim("/organization/urlKey")
        .multi_tenant(true)
    }
}
