use portcullis_oauth::{ScopeSet, scopes};

use super::*;

/// What each mode needs beside a client.
const MODES: [(&str, &[(&str, &str)]); 18] = [
    ("google", &[]),
    ("github", &[]),
    (
        "azure",
        &[("TENANT_ID", "11111111-1111-1111-1111-111111111111")],
    ),
    (
        "azure-b2c",
        &[
            ("TENANT_NAME", "contoso"),
            ("TENANT_ID", "11111111-1111-1111-1111-111111111111"),
            ("POLICY_NAME", "B2C_1_signin"),
        ],
    ),
    (
        "auth0",
        &[
            ("CONFIG_URL", "t.eu.auth0.com"),
            ("AUDIENCE", "https://api.example"),
        ],
    ),
    (
        "keycloak",
        &[("REALM_URL", "https://sso.example/realms/staff")],
    ),
    (
        "okta",
        &[("CONFIG_URL", "https://e.okta.com/oauth2/default")],
    ),
    ("workos", &[("AUTHKIT_DOMAIN", "e.authkit.app")]),
    (
        "cognito",
        &[
            ("USER_POOL_ID", "eu-central-1_Ab"),
            ("AWS_REGION", "eu-central-1"),
        ],
    ),
    ("clerk", &[("DOMAIN", "e.clerk.accounts.dev")]),
    ("gitlab", &[("URL", "https://gitlab.example")]),
    ("discord", &[]),
    ("slack", &[]),
    ("linear", &[]),
    ("huggingface", &[]),
    (
        "oci",
        &[("CONFIG_URL", "https://idcs-0.identity.oraclecloud.com")],
    ),
    ("oidc", &[("ISSUER", "https://idp.example")]),
    (
        "oauth",
        &[
            ("AUTHORIZATION_ENDPOINT", "https://idp.example/authorize"),
            ("TOKEN_ENDPOINT", "https://idp.example/token"),
            ("USERINFO_ENDPOINT", "https://idp.example/me"),
            ("SCOPES", "read"),
        ],
    ),
];

/// A key of P-256 for these tests alone.
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgEt4Y0EMv8g62MmYR\
    R330IC7h8ds1LBWqGe4e/hivgPKhRANCAARlEmMoSOjp9dLdziP0Cqpie67ec1Bc\
    7CuQGizS+BoPgM0BzbJH+WZn5wSCBBGPtzxUZhJT8sCVzZU0SYMOUOa7";

/// The environment of a mode with a client, and more.
fn env(mode: &str, extra: &[(&str, &str)]) -> AuthEnv {
    let client = [
        ("MODE", mode),
        ("CLIENT_ID", "app"),
        ("CLIENT_SECRET", "a secret there"),
        ("BASE_URL", "https://mcp.example.com"),
    ];
    let all = client
        .iter()
        .filter(|(name, _)| extra.iter().all(|(other, _)| other != name));
    let all = all.chain(extra).filter(|(_, value)| !value.is_empty());
    AuthEnv::from_pairs(all.map(|(name, value)| (format!("PORTCULLIS_AUTH_{name}"), *value)))
}

fn builder(mode: &str, extra: &[(&str, &str)]) -> Result<OAuthProxyBuilder, ConfigErrors> {
    let env = env(mode, extra);
    let Some(Provider::Proxy(provider)) = Provider::selected(&env).unwrap() else {
        panic!("{mode} is no proxy");
    };
    OAuthProxyBuilder::from_env(provider, &env)
}

#[track_caller]
fn scopes_of(mode: &str, extra: &[(&str, &str)]) -> ScopeSet {
    builder(mode, extra).unwrap().known_scopes()
}

#[test]
fn every_provider_is_built_by_its_variables() {
    for (mode, settings) in MODES {
        let auth = auth_from_env(&env(mode, settings));
        let auth = auth.unwrap_or_else(|errors| panic!("{mode}: {errors}"));
        assert!(auth.unwrap().is_protected(), "{mode}");
    }
    let listed = MODES.map(|(mode, _)| mode);
    for provider in Provider::ALL {
        let is_proxy = matches!(provider, Provider::Proxy(_));
        assert_eq!(listed.contains(&provider.name()), is_proxy, "{provider:?}");
    }
}

#[test]
fn a_variable_that_is_missing_is_named() {
    for (mode, settings) in MODES {
        for (name, _) in settings {
            if ["AWS_REGION", "URL", "USERINFO_ENDPOINT", "SCOPES"].contains(name) {
                continue;
            }
            let left: Vec<_> = settings
                .iter()
                .filter(|(other, _)| other != name)
                .copied()
                .collect();
            let errors = auth_from_env(&env(mode, &left)).unwrap_err().to_string();
            assert!(
                errors.contains(&format!("_{name}`: is not set")),
                "{mode}: {errors}"
            );
        }
    }
}

#[test]
fn others_than_those_of_the_proxy_are_known_too() {
    let jwt = AuthEnv::from_pairs([
        ("PORTCULLIS_AUTH", "jwt"),
        ("PORTCULLIS_AUTH_ISSUER", "https://a.example"),
    ]);
    assert!(auth_from_env(&jwt).unwrap().is_some());
    assert!(auth_from_env(&AuthEnv::default()).unwrap().is_none());
}

#[test]
fn required_scopes_are_asked_for() {
    let asked = scopes_of("github", &[("REQUIRED_SCOPES", "user")]);
    assert_eq!(asked, scopes!["read:user", "user:email", "user"]);
    let own = [("REQUIRED_SCOPES", "notes"), ("OWN_SCOPES", "notes")];
    assert_eq!(
        scopes_of("github", &own),
        scopes!["read:user", "user:email", "notes"]
    );
    let both = [("SCOPES", "user"), ("REQUIRED_SCOPES", "user")];
    assert_eq!(scopes_of("github", &both), scopes!["user"]);
}

#[test]
fn sec_px_10_a_provider_for_everybody_is_known_by_any_name() {
    let oauth = |login| {
        [
            ("AUTHORIZATION_ENDPOINT", login),
            ("TOKEN_ENDPOINT", "https://t.example"),
        ]
    };
    for (mode, settings, anybody) in [
        (
            "oidc",
            &[("ISSUER", "https://accounts.google.com")][..],
            true,
        ),
        (
            "oidc",
            &[("ISSUER", "https://idp.example/github.com")],
            false,
        ),
        (
            "oidc",
            &[("ISSUER", "https://login.microsoftonline.com/common/v2.0")],
            true,
        ),
        (
            "oauth",
            &oauth("https://GitHub.com/login/oauth/authorize"),
            true,
        ),
        ("oauth", &oauth("https://github.com.evil.example/"), false),
        ("azure", &[("TENANT_ID", "organizations")], true),
        (
            "azure",
            &[("TENANT_ID", "11111111-1111-1111-1111-111111111111")],
            false,
        ),
        ("google", &[], true),
        ("gitlab", &[], true),
        ("gitlab", &[("URL", "https://gitlab.example")], false),
        ("github", &[("URL", "https://github.example")], false),
    ] {
        let builder = builder(mode, settings).unwrap();
        assert_eq!(
            builder.provider().is_multi_tenant(),
            anybody,
            "{mode} {settings:?}"
        );
    }
}

#[test]
fn how_the_server_shows_who_it_is_goes_with_what_it_has() {
    // Line breaks as a variable has them.
    let key = format!("-----BEGIN PRIVATE KEY-----\\n{KEY}\\n-----END PRIVATE KEY-----\\n");
    let key = key.as_str();
    for (extra, fault) in [
        (
            &[("TOKEN_ENDPOINT_AUTH_METHOD", "client_secret_post")][..],
            None,
        ),
        (
            &[
                ("TOKEN_ENDPOINT_AUTH_METHOD", "none"),
                ("CLIENT_SECRET", ""),
            ],
            None,
        ),
        (&[("CLIENT_KEY", key), ("CLIENT_SECRET", "")], None),
        (
            &[("TOKEN_ENDPOINT_AUTH_METHOD", "magic")],
            Some("is no method that is known"),
        ),
        (
            &[("TOKEN_ENDPOINT_AUTH_METHOD", "none")],
            Some("and there is a secret"),
        ),
        (
            &[("TOKEN_ENDPOINT_AUTH_METHOD", "private_key_jwt")],
            Some("and there is a secret"),
        ),
        (&[("CLIENT_KEY", key)], Some("is set, and a secret too")),
        (
            &[
                ("TOKEN_ENDPOINT_AUTH_METHOD", "private_key_jwt"),
                ("CLIENT_SECRET", ""),
            ],
            Some("is not set, and `private_key_jwt` needs it"),
        ),
        (
            &[("CLIENT_KEY", "no key"), ("CLIENT_SECRET", "")],
            Some("CLIENT_KEY"),
        ),
        (
            &[
                ("CLIENT_KEY", key),
                ("CLIENT_SECRET", ""),
                ("CLIENT_CERTIFICATE_THUMBPRINT", "0A1B2C"),
            ],
            Some("CLIENT_CERTIFICATE_THUMBPRINT`: is no SHA-256 thumbprint"),
        ),
        (
            &[
                ("CLIENT_KEY", key),
                ("CLIENT_SECRET", ""),
                (
                    "CLIENT_CERTIFICATE_THUMBPRINT",
                    "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
                ),
            ],
            None,
        ),
    ] {
        let said = auth_from_env(&env("github", extra))
            .err()
            .map(|errors| errors.to_string());
        match (said, fault) {
            (None, None) => {}
            (Some(said), Some(fault)) => assert!(said.contains(fault), "{said}"),
            (said, fault) => panic!("{said:?} is not {fault:?}"),
        }
    }
}

#[test]
fn what_building_finds_has_the_name_of_its_variable() {
    for (extra, name) in [
        (&[("REDIRECT_PATH", "/oauth/token")][..], "REDIRECT_PATH"),
        (
            &[("EXTRA_AUTHORIZE_PARAMS", r#"{"state": "x"}"#)],
            "EXTRA_AUTHORIZE_PARAMS",
        ),
        (
            &[("EXTRA_TOKEN_PARAMS", r#"{"code": "x"}"#)],
            "EXTRA_TOKEN_PARAMS",
        ),
        (&[("JWT_SIGNING_KEY", "short")], "JWT_SIGNING_KEY"),
    ] {
        let errors = auth_from_env(&env("github", extra))
            .unwrap_err()
            .to_string();
        let expected = format!("FASTMCP_SERVER_AUTH_GITHUB_{name}");
        assert!(errors.contains(&expected), "{errors}");
    }
    let wrong = [
        ("USER_POOL_ID", "eu-central-1_Ab"),
        ("AWS_REGION", "us-east-1"),
    ];
    let errors = auth_from_env(&env("cognito", &wrong))
        .unwrap_err()
        .to_string();
    assert!(errors.contains("_AWS_REGION"), "{errors}");
}

#[test]
fn a_thumbprint_is_read_as_openssl_and_as_jose_write_it() {
    let jose = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
    let openssl = "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:\
                   61:F2:00:15:AD";
    for text in [
        jose.to_owned(),
        openssl.to_owned(),
        openssl.replace(':', "").to_lowercase(),
    ] {
        assert_eq!(
            super::thumbprint(&text).ok().as_deref(),
            Some(jose),
            "{text}"
        );
    }
    // One of SHA-1, and other texts.
    for text in [
        "",
        "A9993E364706816ABA3E25717850C26C9CD0D89D",
        "ungWv48B",
        "zz",
    ] {
        assert!(super::thumbprint(text).is_err(), "{text}");
    }
}
