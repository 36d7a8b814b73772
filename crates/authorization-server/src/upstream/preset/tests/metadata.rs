//! Configuration documents as the providers publish them, without what nobody here reads.

use portcullis_oauth::json::{Value, json};

/// Where a provider's configuration is, and what it says.
pub(super) struct Metadata {
    pub(super) url: &'static str,
    pub(super) document: Value,
}

macro_rules! metadata {
    ($name:ident, $url:literal, $issuer:literal, $base:literal, $paths:expr) => {
        pub(super) fn $name() -> Metadata {
            let [authorize, token, keys, userinfo] = $paths;
            let at = |path: &str| {
                if path.starts_with("https://") {
                    path.to_owned()
                } else {
                    format!("{}{path}", $base)
                }
            };
            Metadata {
                url: concat!($url, "/.well-known/openid-configuration"),
                document: json!({
                    "issuer": $issuer,
                    "authorization_endpoint": at(authorize),
                    "token_endpoint": at(token),
                    "jwks_uri": at(keys),
                    "userinfo_endpoint": at(userinfo),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }),
            }
        }
    };
}

metadata!(
    auth0,
    "https://tenant.eu.auth0.com",
    "https://tenant.eu.auth0.com/",
    "https://tenant.eu.auth0.com",
    [
        "/authorize",
        "/oauth/token",
        "/.well-known/jwks.json",
        "/userinfo"
    ]
);
metadata!(
    okta,
    "https://example.okta.com/oauth2/default",
    "https://example.okta.com/oauth2/default",
    "https://example.okta.com/oauth2/default",
    ["/v1/authorize", "/v1/token", "/v1/keys", "/v1/userinfo"]
);
metadata!(
    keycloak,
    "https://sso.example.com/realms/staff",
    "https://sso.example.com/realms/staff",
    "https://sso.example.com/realms/staff/protocol/openid-connect",
    ["/auth", "/token", "/certs", "/userinfo"]
);
metadata!(
    workos,
    "https://example.authkit.app",
    "https://example.authkit.app",
    "https://example.authkit.app/oauth2",
    ["/authorize", "/token", "/jwks", "/userinfo"]
);
metadata!(
    cognito,
    "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf",
    "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf",
    "https://example.auth.eu-central-1.amazoncognito.com/oauth2",
    [
        "/authorize",
        "/token",
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf/.well-known/jwks.json",
        "/userInfo"
    ]
);
metadata!(
    clerk,
    "https://example.clerk.accounts.dev",
    "https://example.clerk.accounts.dev",
    "https://example.clerk.accounts.dev",
    [
        "/oauth/authorize",
        "/oauth/token",
        "/.well-known/jwks.json",
        "/oauth/userinfo"
    ]
);
metadata!(
    gitlab,
    "https://gitlab.com",
    "https://gitlab.com",
    "https://gitlab.com/oauth",
    ["/authorize", "/token", "/discovery/keys", "/userinfo"]
);
metadata!(
    slack,
    "https://slack.com",
    "https://slack.com",
    "https://slack.com",
    [
        "/openid/connect/authorize",
        "/api/openid.connect.token",
        "/openid/connect/keys",
        "/api/openid.connect.userInfo"
    ]
);
metadata!(
    hugging_face,
    "https://huggingface.co",
    "https://huggingface.co",
    "https://huggingface.co/oauth",
    ["/authorize", "/token", "/jwks", "/userinfo"]
);
metadata!(
    oci,
    "https://idcs-0123.identity.oraclecloud.com",
    "https://identity.oraclecloud.com/",
    "https://idcs-0123.identity.oraclecloud.com:443",
    [
        "/oauth2/v1/authorize",
        "/oauth2/v1/token",
        "/admin/v1/SigningCert/jwk",
        "/oauth2/v1/userinfo"
    ]
);
