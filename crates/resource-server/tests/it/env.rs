//! Authentication from the environment.

use std::path::PathBuf;

use axum::Router;
use axum::routing::post;
use http::StatusCode;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::json::{self, Limits, Value, json};
use portcullis_resource_server::env::{Provider, ProxyProvider, reference_page};
use portcullis_resource_server::{
    AccessToken, Algorithm, Auth, AuthEnv, AuthKitProvider, ConfigError, ConfigErrors, JwtVerifier,
    auth_from_env,
};
use portcullis_testkit::{CapturedLogs, FakeIdp, TokenBuilder};

use crate::support::{Answer, BASE, request, send};
use crate::world::RESOURCE;

const SELECTOR: &str = "FASTMCP_SERVER_AUTH";
const AUTHKIT: &str = "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_";

fn load(pairs: &[(&str, &str)]) -> Result<Option<Auth>, ConfigErrors> {
    auth_from_env(&AuthEnv::from_pairs(pairs.iter().copied()))
}

/// The variables that are wrong, with what is wrong.
#[track_caller]
fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    load(pairs)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// AuthKit with one more variable.
fn authkit<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        (SELECTOR, "authkit"),
        (
            "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_AUTHKIT_DOMAIN",
            "p-1.authkit.app",
        ),
        ("FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_BASE_URL", BASE),
        (name, value),
    ]
}

fn app(auth: &Auth) -> Router {
    let whoami = |token: AccessToken| async move { token.subject().to_owned() };
    auth.protect("/mcp", Router::new().route("/mcp", post(whoami)))
        .unwrap()
}

async fn document(auth: Auth) -> Value {
    let path = "/.well-known/oauth-protected-resource/mcp";
    let answer = send(app(&auth), request("GET", path, &[], "")).await;
    json::from_str(&answer.body, Limits::METADATA).unwrap()
}

/// The scopes that a list in the environment stands for, as metadata shows them.
async fn scopes(value: &str) -> Result<Vec<String>, ConfigErrors> {
    let name = format!("{AUTHKIT}REQUIRED_SCOPES");
    let auth = load(&authkit(&name, value))?.unwrap();
    let listed = document(auth).await["scopes_supported"].clone();
    let listed = listed.as_array().cloned().unwrap_or_default();
    Ok(listed
        .iter()
        .map(|scope| scope.as_str().unwrap().to_owned())
        .collect())
}

async fn call(app: &Router, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    send(app.clone(), request("POST", "/mcp", &headers, body)).await
}

/// The lines of a `.env` file, as a program that reads one hands them over.
fn lines(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.trim_start_matches("export "), value.trim_matches('"')))
        .collect()
}

#[test]
fn nothing_set_is_nothing() {
    assert!(load(&[]).unwrap().is_none());
    assert!(
        load(&[("PATH", "/bin"), ("FASTMCP_LOG_LEVEL", "DEBUG")])
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn the_documented_authkit_file_works() {
    let env = lines(
        "# Use the AuthKit provider
         FASTMCP_SERVER_AUTH=fastmcp.server.auth.providers.workos.AuthKitProvider

         # AuthKit configuration
         FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_AUTHKIT_DOMAIN=https://your-project-12345.authkit.app
         FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_BASE_URL=https://your-server.com
         FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_REQUIRED_SCOPES=openid,profile,email",
    );
    let document = document(load(&env).unwrap().unwrap()).await;
    assert_eq!(document["resource"], "https://your-server.com/mcp");
    assert_eq!(
        document["authorization_servers"],
        json!(["https://your-project-12345.authkit.app"])
    );
    assert_eq!(
        document["scopes_supported"],
        json!(["openid", "profile", "email"])
    );
}

#[test]
fn the_documented_jwt_variables_work() {
    let env = lines(
        r#"export FASTMCP_SERVER_AUTH=JWT
        export FASTMCP_SERVER_AUTH_JWT_JWKS_URI="https://auth.example.com/jwks"
        export FASTMCP_SERVER_AUTH_JWT_ISSUER="https://auth.example.com"
        export FASTMCP_SERVER_AUTH_JWT_AUDIENCE="mcp-server""#,
    );
    let auth = load(&env).unwrap().unwrap();
    assert!(auth.is_protected());
    assert!(auth.public_url().is_none(), "the server knows where it is");
}

#[test]
fn every_provider_has_an_example_that_works() {
    let base = format!("PORTCULLIS_BASE_URL={BASE}");
    for (selector, settings) in [
        ("jwt.JWTVerifier", "JWT_ISSUER=https://a.example"),
        (
            "introspection.IntrospectionTokenVerifier",
            "INTROSPECTION_INTROSPECTION_URL=https://a.example/introspect
             INTROSPECTION_CLIENT_ID=server
             INTROSPECTION_CLIENT_SECRET=kN3v8Qz1mWx7TtLr5yBc0dFg
             INTROSPECTION_TIMEOUT_SECONDS=5",
        ),
        ("remote", "REMOTE_AUTHORIZATION_SERVERS=https://a.example"),
        ("workos.AuthKitProvider", "AUTHKITPROVIDER_AUTHKIT_DOMAIN=p-1.authkit.app"),
        ("auth0-remote", "AUTH0_REMOTE_CONFIG_URL=t.eu.auth0.com\nAUTH0_REMOTE_PERMISSIONS_AS_SCOPES=true"),
        ("keycloak.KeycloakAuthProvider", "KEYCLOAK_REALM_URL=https://sso.example/realms/staff\nKEYCLOAK_AUDIENCE=notes"),
        ("descope.DescopeProvider", "DESCOPEPROVIDER_PROJECT_ID=P1\nDESCOPEPROVIDER_DESCOPE_BASE_URL=https://api.descope.com"),
        ("descope", "DESCOPE_CONFIG_URL=https://api.descope.com/v1/apps/agentic/P1/M1/.well-known/openid-configuration"),
        ("scalekit.ScalekitProvider", "SCALEKITPROVIDER_ENVIRONMENT_URL=https://e.scalekit.com\nSCALEKITPROVIDER_RESOURCE_ID=res_1"),
        (
            "supabase.SupabaseProvider",
            "SUPABASE_PROJECT_URL=https://abc.supabase.co\nSUPABASE_AUTH_ROUTE=/auth/v1
             SUPABASE_ALGORITHM=RS256\nSUPABASE_DANGER_ACCEPT_SHARED_AUDIENCE=true",
        ),
        (
            "propelauth",
            "PROPELAUTH_AUTH_URL=https://auth.example.com\nPROPELAUTH_INTROSPECTION_CLIENT_ID=server
             PROPELAUTH_INTROSPECTION_CLIENT_SECRET=kN3v8Qz1mWx7TtLr5yBc0dFg",
        ),
        ("clerk-verifier", "CLERK_VERIFIER_DOMAIN=e.clerk.accounts.dev\nCLERK_VERIFIER_CLIENT_ID=app"),
        ("cognito-verifier", "COGNITO_VERIFIER_USER_POOL_ID=eu-central-1_Ab\nCOGNITO_VERIFIER_CLIENT_ID=app"),
        ("entra-verifier", "ENTRA_VERIFIER_TENANT_ID=[\"t1\", \"t2\"]\nENTRA_VERIFIER_CLIENT_ID=app"),
    ] {
        let selector = if selector.contains('.') {
            format!("fastmcp.server.auth.providers.{selector}")
        } else {
            selector.to_owned()
        };
        let file = settings.lines().map(str::trim);
        let file: Vec<_> = file.map(|line| format!("{SELECTOR}_{line}")).collect();
        let mut env: Vec<_> = file.iter().map(|line| line.split_once('=').unwrap()).collect();
        env.push((SELECTOR, &selector));
        env.push(base.split_once('=').unwrap());
        let (outcome, log) = CapturedLogs::during(|| load(&env));
        assert!(outcome.unwrap().unwrap().is_protected(), "{selector}");
        assert!(!log.contains("nobody reads it"), "{log}");
    }
}

#[test]
fn a_selector_has_several_spellings() {
    for (value, expected) in [
        ("JWT", Provider::Jwt),
        ("jwt", Provider::Jwt),
        (" Jwt ", Provider::Jwt),
        (
            "fastmcp.server.auth.providers.jwt.JWTVerifier",
            Provider::Jwt,
        ),
        (
            "fastmcp.server.auth.providers.jwt:JWTVerifier",
            Provider::Jwt,
        ),
        ("fastmcp.server.auth.JWTVerifier", Provider::Jwt),
        ("AUTHKIT", Provider::AuthKit),
        ("AUTH0_MCP", Provider::Auth0),
        ("auth0-remote", Provider::Auth0),
        ("KEYCLOAK_REMOTE", Provider::Keycloak),
    ] {
        let env = AuthEnv::from_pairs([(SELECTOR, value)]);
        assert_eq!(Provider::selected(&env).unwrap(), Some(expected), "{value}");
        for name in [
            "PORTCULLIS_AUTH",
            "portcullis_auth_mode",
            "FastMCP_Server_Auth",
        ] {
            let env = AuthEnv::from_pairs([(name, value)]);
            assert_eq!(Provider::selected(&env).unwrap(), Some(expected), "{name}");
        }
    }
    for provider in Provider::ALL {
        let env = AuthEnv::from_pairs([(SELECTOR, provider.name())]);
        assert_eq!(Provider::selected(&env).unwrap(), Some(provider));
    }
}

#[test]
fn sec_op_07_a_selector_names_one_of_a_closed_list() {
    for value in [
        "my_company.auth.Provider",
        "fastmcp.server.auth.providers.jwt.Other",
        "fastmcp.server.auth.providers.debug.DebugTokenVerifier",
        "fastmcp.server.auth.providers.in_memory.InMemoryOAuthProvider",
        "fastmcp.server.auth.providers.workos.JWTVerifier",
        "evil.fastmcp.server.auth.providers.jwt.JWTVerifier",
        "os.system",
        "none",
        "false",
        "debug",
        "jwt ; rm",
        "../jwt",
    ] {
        let errors = load(&[(SELECTOR, value)]).unwrap_err();
        let error = errors.iter().next().unwrap();
        assert_eq!(error.field(), SELECTOR, "{value}");
        assert!(!error.to_string().contains(value), "{error}");
        let hint = error.hint().unwrap();
        for provider in Provider::ALL {
            assert!(hint.contains(provider.name()), "{hint}");
        }
    }
    let errors = load(&[(SELECTOR, "authkti")]).unwrap_err();
    assert!(
        errors.to_string().contains("did you mean `authkit`?"),
        "{errors}"
    );
}

#[test]
fn a_provider_of_the_proxy_has_the_names_of_fastmcp() {
    for (value, expected) in [
        ("google", ProxyProvider::Google),
        ("GITHUB", ProxyProvider::GitHub),
        (
            "fastmcp.server.auth.providers.github.GitHubProvider",
            ProxyProvider::GitHub,
        ),
        (
            "fastmcp.server.auth.providers.azure:AzureProvider",
            ProxyProvider::Azure,
        ),
        ("entra", ProxyProvider::Azure),
        ("workos", ProxyProvider::WorkOs),
        ("fastmcp.server.auth.WorkOSProvider", ProxyProvider::WorkOs),
        ("discord", ProxyProvider::Discord),
        ("AUTH0", ProxyProvider::Auth0),
        (
            "fastmcp.server.auth.providers.auth0.Auth0Provider",
            ProxyProvider::Auth0,
        ),
        ("keycloak", ProxyProvider::Keycloak),
        ("AWS_COGNITO", ProxyProvider::Cognito),
        ("COGNITO", ProxyProvider::Cognito),
        ("clerk", ProxyProvider::Clerk),
        ("huggingface", ProxyProvider::HuggingFace),
        ("oci", ProxyProvider::Oci),
        ("oidc", ProxyProvider::Oidc),
        ("oauth", ProxyProvider::OAuth),
    ] {
        let env = AuthEnv::from_pairs([(SELECTOR, value)]);
        let selected = Provider::selected(&env).unwrap();
        assert_eq!(selected, Some(Provider::Proxy(expected)), "{value}");
        let text = load(&[(SELECTOR, value)]).unwrap_err().to_string();
        assert!(text.contains("needs the OAuth proxy"), "{text}");
    }
}

#[test]
fn a_provider_of_the_proxy_says_at_once_all_that_is_missing() {
    let errors = ProxyProvider::Azure
        .settings_from(&AuthEnv::default())
        .unwrap_err();
    let missing: Vec<_> = errors.iter().map(ConfigError::field).collect();
    let names = ["TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "BASE_URL"];
    let names = names.map(|name| format!("FASTMCP_SERVER_AUTH_AZURE_{name}"));
    assert_eq!(missing, names);
}

#[test]
fn a_public_client_and_one_with_a_key_have_no_secret() {
    for more in [
        ("PORTCULLIS_AUTH_TOKEN_ENDPOINT_AUTH_METHOD", "none"),
        ("PORTCULLIS_AUTH_CLIENT_KEY", "a key"),
    ] {
        let env = AuthEnv::from_pairs([
            ("PORTCULLIS_AUTH_CLIENT_ID", "app"),
            ("PORTCULLIS_BASE_URL", BASE),
            more,
        ]);
        let settings = ProxyProvider::GitHub.settings_from(&env).unwrap();
        assert!(settings.secret("CLIENT_SECRET").is_none());
    }
}

#[test]
fn settings_of_the_proxy_are_read_by_their_form() {
    let with = |name: &str, value: &str| {
        let name = format!("FASTMCP_SERVER_AUTH_GOOGLE_{name}");
        let env = AuthEnv::from_pairs([
            ("PORTCULLIS_AUTH_CLIENT_ID", "app"),
            ("PORTCULLIS_AUTH_CLIENT_SECRET", "kN3v8Qz1mWx7TtLr5yBc0dFg"),
            ("PORTCULLIS_BASE_URL", BASE),
            (&name, value),
        ]);
        ProxyProvider::Google.settings_from(&env)
    };
    let uris = "ALLOWED_CLIENT_REDIRECT_URIS";
    for (value, expected) in [
        (
            r#"["http://localhost:*", "https://a.example/*"]"#,
            Some(&["http://localhost:*", "https://a.example/*"][..]),
        ),
        (
            "http://localhost:*, https://a.example/*",
            Some(&["http://localhost:*", "https://a.example/*"]),
        ),
        ("http://localhost:*", Some(&["http://localhost:*"])),
        ("[]", Some(&[])),
        ("  ", None),
    ] {
        let settings = with(uris, value).unwrap();
        let listed = settings.list(uris).map(<[String]>::to_vec);
        let expected = expected.map(|all| all.iter().map(ToString::to_string).collect());
        assert_eq!(listed, expected, "{value}");
    }
    let params = "EXTRA_AUTHORIZE_PARAMS";
    let settings = with(params, r#"{"hd": "example.com"}"#).unwrap();
    assert_eq!(
        settings.params(params),
        [("hd".to_owned(), "example.com".to_owned())]
    );
    assert_eq!(with("PKCE", "false").unwrap().flag("PKCE"), Some(false));
    assert_eq!(with("SCOPES", "openid").unwrap().flag("PKCE"), None);
    for (name, value) in [
        (uris, r#"["a", 1]"#),
        (params, "hd=example.com"),
        (params, r#"{"hd": 1}"#),
        ("SCOPES", r#"["a b"]"#),
        ("TIMEOUT_SECONDS", "4711"),
        ("PKCE", "perhaps"),
    ] {
        let error = with(name, value).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        assert!(!error.contains(value), "{error}");
    }
}

#[test]
fn sec_op_07_a_misspelt_setting_of_the_proxy_stops_the_start() {
    let env = AuthEnv::from_pairs([
        ("PORTCULLIS_AUTH_CLIENT_ID", "app"),
        ("PORTCULLIS_AUTH_CLIENT_SECRET", "kN3v8Qz1mWx7TtLr5yBc0dFg"),
        ("PORTCULLIS_BASE_URL", BASE),
        ("FASTMCP_SERVER_AUTH_GITHUB_REQUIRED_SCOPE", "user"),
    ]);
    let error = ProxyProvider::GitHub.settings_from(&env).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("did you mean `FASTMCP_SERVER_AUTH_GITHUB_REQUIRED_SCOPES`?")
    );
}

#[test]
fn selectors_that_disagree_stop_the_start() {
    let two = [(SELECTOR, "jwt"), ("PORTCULLIS_AUTH", "authkit")];
    let faults = faults(&two);
    assert_eq!(
        faults,
        ["`PORTCULLIS_AUTH`: names another provider than `FASTMCP_SERVER_AUTH`"]
    );
    let same = AuthEnv::from_pairs([(SELECTOR, "JWT"), ("PORTCULLIS_AUTH", "jwt")]);
    assert_eq!(Provider::selected(&same).unwrap(), Some(Provider::Jwt));
}

#[test]
fn sec_op_07_an_empty_selector_stops_the_start() {
    for name in [SELECTOR, "PORTCULLIS_AUTH", "portcullis_auth_mode"] {
        for value in ["", "  "] {
            let error = load(&[(name, value)]).unwrap_err().to_string();
            let upper = name.to_ascii_uppercase();
            assert!(error.contains(&format!("`{upper}`: is empty")), "{error}");
        }
    }
    let env = [
        (SELECTOR, "jwt"),
        ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "https://a.example"),
    ];
    assert!(load(&env).unwrap().unwrap().is_protected());
}

#[test]
fn sec_op_07_settings_without_a_provider_stop_the_start() {
    for (env, selector) in [
        (
            &[("FASTMCP_SERVER_AUTH_JWT_ISSUER", "canary")][..],
            "FASTMCP_SERVER_AUTH=jwt",
        ),
        (
            &[
                ("FASTMCP_SERVER_AUTH_KEYCLOAK_REALM_URL", "canary"),
                ("FASTMCP_SERVER_AUTH_KEYCLOAK_BASE_URL", "canary"),
            ],
            "FASTMCP_SERVER_AUTH=keycloak-remote",
        ),
        (
            &[("FASTMCP_SERVER_AUTH_AUTH0_REMOTE_CONFIG_URL", "canary")],
            "FASTMCP_SERVER_AUTH=auth0-remote",
        ),
        (
            &[("PORTCULLIS_AUTH_AUDIENCE", "canary")],
            "FASTMCP_SERVER_AUTH=<provider>",
        ),
        (
            &[("FASTMCP_SERVER_AUTH_GOOGLE_CLIENT_ID", "canary")],
            "FASTMCP_SERVER_AUTH=google",
        ),
        (
            &[("fastmcp_server_auth_thing", "canary")],
            "FASTMCP_SERVER_AUTH=<provider>",
        ),
    ] {
        let errors = load(env).unwrap_err().to_string();
        let (name, _) = env[0];
        assert!(
            errors.contains(name) && errors.contains("is not set, and"),
            "{errors}"
        );
        assert!(errors.contains(selector), "{errors}");
        assert!(!errors.contains("canary"), "{errors}");
    }
    let base_url = [("PORTCULLIS_BASE_URL", "https://mcp.example.com")];
    assert!(load(&base_url).unwrap().is_none());
}

#[test]
fn sec_op_07_a_selector_one_letter_away_stops_the_start() {
    for (name, meant) in [
        ("FASTMCP_SERVER_AUTHH", SELECTOR),
        ("FASTMCP_SERVER_AUT", SELECTOR),
        ("FASTMPC_SERVER_AUTH", SELECTOR),
        ("FASTMCP_SEVER_AUTH", SELECTOR),
        ("ASTMCP_SERVER_AUTH", SELECTOR),
        ("PORTCULIS_AUTH", "PORTCULLIS_AUTH"),
        ("PORTCULLIS_ATUH", "PORTCULLIS_AUTH"),
        ("portcullis_auth_mod", "PORTCULLIS_AUTH_MODE"),
        ("PORTCULIS_AUTH_ISSUER", "PORTCULLIS_AUTH_ISSUER"),
        (
            "FASTMCP_SERVR_AUTH_JWT_PUBLIC_KEY_FILE",
            "FASTMCP_SERVER_AUTH_JWT_PUBLIC_KEY_FILE",
        ),
        ("PORTCULLIS_BASE_UR", "PORTCULLIS_BASE_URL"),
    ] {
        let errors = load(&[(name, "canary")]).unwrap_err().to_string();
        let expected = format!("`{name}`: is no variable that anybody reads");
        assert!(errors.contains(&expected), "{errors}");
        let hint = format!("did you mean `{meant}`?");
        assert!(errors.contains(&hint), "{errors}");
        assert!(!errors.contains("canary"), "{errors}");
        let closed = load(&authkit(name, "canary"));
        assert!(closed.is_err(), "{name}, beside a provider");
    }
}

#[test]
fn names_that_only_look_alike_are_warned_of() {
    for name in [
        "FASTMCP_AUTH",
        "fastmcp_auth_jwt_issuer",
        "PORTCULLIS_SERVER_AUTH",
    ] {
        let (outcome, log) = CapturedLogs::during(|| load(&[(name, "canary")]));
        assert!(outcome.unwrap().is_none(), "{name}");
        assert!(log.contains("WARN") && log.contains(name), "{log}");
        assert!(!log.contains("canary"), "{log}");
    }
    for foreign in [
        "FASTMCP_LOG_LEVEL",
        "PORTCULLIS_LISTEN",
        "SSH_AUTH_SOCK",
        "\u{fc}_AUTH",
    ] {
        let (outcome, log) = CapturedLogs::during(|| load(&[(foreign, "x")]));
        assert!(outcome.unwrap().is_none(), "{foreign}");
        assert_eq!(log, "", "{foreign}");
    }
}

#[test]
fn sec_jwt_14_an_empty_audience_is_an_error() {
    // R-39: an empty audience let the tokens of other services in.
    for value in [
        "",
        "  ",
        "[]",
        "[\"\"]",
        "[\"a\", \" \"]",
        "null",
        "[1]",
        "[a]",
    ] {
        let name = "FASTMCP_SERVER_AUTH_JWT_AUDIENCE";
        let env = [
            (SELECTOR, "jwt"),
            ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "https://a.example"),
            (name, value),
        ];
        let errors = load(&env).unwrap_err();
        let error = errors.iter().next().unwrap();
        assert_eq!(error.field(), name, "{value:?}");
        let fault = error.to_string();
        let is_list = ["[1]", "[a]"].contains(&value);
        assert_eq!(
            fault.ends_with("`: is empty"),
            !is_list,
            "{value:?}: {fault}"
        );
    }
    let issuer = [(SELECTOR, "jwt"), ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "")];
    assert!(load(&issuer).is_err());
    assert!(load(&[(SELECTOR, "jwt")]).is_err(), "nobody to trust");
}

#[tokio::test]
async fn lists_of_scopes_are_read_in_each_form() {
    for (value, expected) in [
        ("openid profile", vec!["openid", "profile"]),
        ("openid,profile", vec!["openid", "profile"]),
        ("openid, profile ,email", vec!["openid", "profile", "email"]),
        ("openid\tprofile", vec!["openid", "profile"]),
        (r#"["a","b"]"#, vec!["a", "b"]),
        (r#" [ "a" ] "#, vec!["a"]),
        ("[]", vec![]),
        ("", vec![]),
        ("   ", vec![]),
        ("null", vec![]),
        (r#""quoted""#, vec!["quoted"]),
        ("123", vec!["123"]),
    ] {
        assert_eq!(scopes(value).await.unwrap(), expected, "{value:?}");
    }
    for value in [
        r#"["a", 1]"#,
        r#"["a b"]"#,
        "[a,b]",
        "true",
        "false",
        r#"{"x":1}"#,
        r#""a b""#,
        r#""a"#,
        "[\"a\"",
        "[[\"a\"]]",
        "caf\u{e9}",
        r#"a"b"#,
        r#"[""]"#,
    ] {
        let error = scopes(value).await.unwrap_err();
        let error = error.iter().next().unwrap();
        assert_eq!(
            error.field(),
            format!("{AUTHKIT}REQUIRED_SCOPES"),
            "{value:?}"
        );
        assert!(error.hint().is_some());
    }
}

/// An identity provider, and a server that the environment protects by it.
async fn world(audience: &str) -> (FakeIdp, Result<Router, ConfigErrors>, String) {
    let idp = FakeIdp::start().await;
    let (jwks, issuer) = (idp.jwks_url().to_string(), idp.issuer().to_string());
    let env = [
        (SELECTOR, "jwt"),
        ("FASTMCP_SERVER_AUTH_JWT_ISSUER", issuer.as_str()),
        ("FASTMCP_SERVER_AUTH_JWT_JWKS_URI", jwks.as_str()),
        ("FASTMCP_SERVER_AUTH_JWT_BASE_URL", BASE),
        ("FASTMCP_SERVER_AUTH_JWT_AUDIENCE", audience),
    ];
    let env = if audience == "unset" {
        &env[..4]
    } else {
        &env[..]
    };
    let (auth, log) = CapturedLogs::during(|| load(env));
    (idp, auth.map(|auth| app(&auth.unwrap())), log)
}

#[tokio::test]
async fn names_are_one_text_or_a_json_list() {
    for (value, accepted, refused) in [
        ("mcp", vec!["mcp"], "m"),
        (r#"["a","b"]"#, vec!["a", "b"], "c"),
        ("a,b", vec!["a,b"], "a"),
        ("123", vec!["123"], "1"),
        ("true", vec!["true"], RESOURCE),
        ("unset", vec![RESOURCE], "unset"),
    ] {
        let (idp, app, log) = world(value).await;
        let app = app.unwrap();
        for audience in accepted {
            let good = idp.token().audience(audience).sign();
            assert_eq!(
                call(&app, &good).await.status,
                StatusCode::OK,
                "{value} {audience}"
            );
        }
        let bad = idp.token().audience(refused).sign();
        assert_eq!(
            call(&app, &bad).await.status,
            StatusCode::UNAUTHORIZED,
            "{value}"
        );
        assert_eq!(
            log.contains("one name with a comma in it"),
            value == "a,b",
            "{log}"
        );
    }
}

#[tokio::test]
async fn scopes_come_from_scope_and_scp_and_legacy_tokens_from_a_profile() {
    let (idp, app, _) = world("unset").await;
    let app = app.unwrap();
    let legacy = |token: TokenBuilder| token.audience(RESOURCE).typ("JWT").sign();
    assert_eq!(
        call(&app, &legacy(idp.token())).await.status,
        StatusCode::UNAUTHORIZED
    );

    let issuer = idp.issuer().to_string();
    let env = [
        ("PORTCULLIS_AUTH", "jwt"),
        ("PORTCULLIS_AUTH_ISSUER", issuer.as_str()),
        ("PORTCULLIS_AUTH_TOKEN_PROFILE", "legacy"),
        ("PORTCULLIS_AUTH_REQUIRED_SCOPES", "notes:read"),
        ("PORTCULLIS_BASE_URL", BASE),
    ];
    let app = self::app(&load(&env).unwrap().unwrap());
    let without = legacy(idp.token());
    assert_eq!(call(&app, &without).await.status, StatusCode::FORBIDDEN);
    for token in [
        idp.token().scope("notes:read"),
        idp.token().claim("scp", vec!["notes:read"]),
    ] {
        assert_eq!(call(&app, &legacy(token)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_pem_may_have_its_line_breaks_written_out() {
    let idp = FakeIdp::start().await;
    let pem = idp.public_pem();
    for text in [
        pem.clone(),
        pem.replace('\n', "\\n"),
        pem.replace('\n', "\\r\\n"),
    ] {
        let issuer = idp.issuer().to_string();
        let env = [
            (SELECTOR, "jwt"),
            ("FASTMCP_SERVER_AUTH_JWT_ISSUER", issuer.as_str()),
            ("FASTMCP_SERVER_AUTH_JWT_PUBLIC_KEY", text.as_str()),
            ("FASTMCP_SERVER_AUTH_JWT_ALGORITHM", "ES256"),
            ("FASTMCP_SERVER_AUTH_JWT_RESOURCE_SERVER_URL", BASE),
        ];
        let app = app(&load(&env).unwrap().unwrap());
        let good = idp.token().audience(RESOURCE).sign();
        assert_eq!(call(&app, &good).await.status, StatusCode::OK);
    }
}

#[test]
fn sec_jwt_02_a_key_in_the_environment_is_what_it_is_called() {
    let pem = SigningKey::generate_es256().unwrap().public_pem().unwrap();
    let secret = "kN3v8Qz_1mWx7-TtLr5yBc0dFgHjPs2u";
    let load = |key: &str, algorithm: &str| {
        let env = [
            (SELECTOR, "jwt"),
            ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "https://a.example"),
            ("FASTMCP_SERVER_AUTH_JWT_PUBLIC_KEY", key),
            ("FASTMCP_SERVER_AUTH_JWT_ALGORITHM", algorithm),
        ];
        JwtVerifier::from_env(&AuthEnv::from_pairs(env)).map(|_| ())
    };
    load(&pem, "ES256").unwrap();
    load(&pem, "").unwrap();
    load(secret, "HS256").unwrap();
    for (key, algorithm, field) in [
        (pem.as_str(), "HS256", "PUBLIC_KEY"),
        (secret, "", "PUBLIC_KEY"),
        (secret, "RS256", "PUBLIC_KEY"),
        (&pem, "none", "ALGORITHM"),
        (&pem, "None", "ALGORITHM"),
        (&pem, "XX256", "ALGORITHM"),
        (&pem, "es256", "ALGORITHM"),
    ] {
        let errors = load(key, algorithm).unwrap_err();
        let name = format!("FASTMCP_SERVER_AUTH_JWT_{field}");
        let error = errors.iter().next().unwrap();
        assert_eq!(error.field(), name, "{algorithm}");
        let fault = error.to_string();
        let is_pair = fault.ends_with("does not go with the algorithm");
        assert_eq!(is_pair, field == "PUBLIC_KEY", "{fault}");
        assert!(!format!("{errors} {errors:?}").contains(secret));
    }
}

#[test]
fn a_weak_secret_is_told_by_the_variables_name() {
    let env = [
        (SELECTOR, "jwt"),
        ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "https://a.example"),
        ("FASTMCP_SERVER_AUTH_JWT_PUBLIC_KEY", "secret"),
        ("FASTMCP_SERVER_AUTH_JWT_ALGORITHM", "HS256"),
    ];
    let errors = load(&env).unwrap_err();
    let error = errors.iter().next().unwrap();
    assert_eq!(error.field(), "FASTMCP_SERVER_AUTH_JWT_PUBLIC_KEY");
}

#[test]
fn a_key_and_a_url_of_keys_exclude_each_other() {
    let pem = SigningKey::generate_es256().unwrap().public_pem().unwrap();
    let env = [
        (SELECTOR, "jwt"),
        ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "https://a.example"),
        ("FASTMCP_SERVER_AUTH_JWT_JWKS_URI", "https://a.example/jwks"),
        ("FASTMCP_SERVER_AUTH_JWT_PUBLIC_KEY", &pem),
    ];
    let faults = faults(&env);
    assert_eq!(
        faults,
        ["`FASTMCP_SERVER_AUTH_JWT_PUBLIC_KEY`: is set besides a key URL"]
    );
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    assert_eq!(
        faults(&[(SELECTOR, "authkit")]),
        [
            "`FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_AUTHKIT_DOMAIN`: is not set",
            "`FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_BASE_URL`: is not set",
        ]
    );
    let wrong = [
        (SELECTOR, "introspection"),
        ("FASTMCP_SERVER_AUTH_INTROSPECTION_TIMEOUT_SECONDS", "soon"),
        ("FASTMCP_SERVER_AUTH_INTROSPECTION_REQUIRED_SCOPES", "{}"),
        (
            "FASTMCP_SERVER_AUTH_INTROSPECTION_CLIENT_AUTH_METHOD",
            "magic",
        ),
    ];
    let fields: Vec<_> = load(&wrong)
        .unwrap_err()
        .into_iter()
        .map(|e| e.field().to_owned())
        .collect();
    let expected = [
        "INTROSPECTION_URL",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "CLIENT_AUTH_METHOD",
        "TIMEOUT_SECONDS",
        "REQUIRED_SCOPES",
    ];
    for name in expected {
        let name = format!("FASTMCP_SERVER_AUTH_INTROSPECTION_{name}");
        assert!(fields.contains(&name), "{name} {fields:?}");
    }
    assert_eq!(fields.len(), expected.len(), "{fields:?}");
}

#[test]
fn descope_wants_one_form_or_the_other() {
    let faults = faults(&[(SELECTOR, "descope"), ("PORTCULLIS_BASE_URL", BASE)]);
    assert_eq!(
        faults,
        [
            "`FASTMCP_SERVER_AUTH_DESCOPEPROVIDER_DESCOPE_BASE_URL`: is not set",
            "`FASTMCP_SERVER_AUTH_DESCOPEPROVIDER_PROJECT_ID`: is not set",
        ]
    );
}

#[test]
fn supabase_has_to_be_acknowledged() {
    let name = "FASTMCP_SERVER_AUTH_SUPABASE_DANGER_ACCEPT_SHARED_AUDIENCE";
    for value in [None, Some(""), Some("false"), Some("no"), Some("perhaps")] {
        let mut env = vec![
            (SELECTOR, "supabase"),
            (
                "FASTMCP_SERVER_AUTH_SUPABASE_PROJECT_URL",
                "https://abc.supabase.co",
            ),
            ("PORTCULLIS_BASE_URL", BASE),
        ];
        env.extend(value.map(|value| (name, value)));
        let errors = load(&env).unwrap_err();
        assert_eq!(
            errors.iter().map(ConfigError::field).collect::<Vec<_>>(),
            [name],
            "{value:?}"
        );
    }
}

#[test]
fn what_a_constructor_refuses_is_told_by_the_variables_name() {
    let mut env = authkit("PORTCULLIS_AUTH_RESOURCE_NAME", "Notes");
    env[1].1 = "http://p-1.authkit.app";
    let text = load(&env).unwrap_err().to_string();
    assert!(
        text.starts_with("`FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_AUTHKIT_DOMAIN`: "),
        "{text}"
    );
    env[1].1 = "p-1.authkit.app";
    env[2].1 = "http://mcp.example.com";
    let text = load(&env).unwrap_err().to_string();
    assert!(
        text.starts_with("`FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_BASE_URL`: "),
        "{text}"
    );
}

#[test]
fn two_names_of_one_setting_have_to_agree() {
    for other in [
        "FASTMCP_SERVER_AUTH_AUTHKIT_BASE_URL",
        "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_RESOURCE_SERVER_URL",
        "fastmcp_server_auth_authkitprovider_base_url",
        "PORTCULLIS_AUTH_BASE_URL",
        "PORTCULLIS_BASE_URL",
    ] {
        assert!(load(&authkit(other, BASE)).unwrap().is_some(), "{other}");
        let text = load(&authkit(other, "https://other.example"))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("which is the same setting"),
            "{other}: {text}"
        );
        assert!(!text.contains("other.example"), "{text}");
    }
}

#[test]
fn a_disagreement_about_names_is_told_once() {
    let faults = faults(&[
        (SELECTOR, "jwt"),
        ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "https://a.example"),
        ("PORTCULLIS_AUTH_ISSUER", "https://b.example"),
    ]);
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn sec_op_07_a_misspelt_setting_stops_the_start() {
    for (name, meant) in [
        (
            "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_REQUIRED_SCOPE",
            "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_REQUIRED_SCOPES",
        ),
        (
            "FASTMCP_SERVER_AUTH_AUTHKITPROVDER_BASE_URL",
            "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_BASE_URL",
        ),
        (
            "PORTCULLIS_AUTH_REQUIRD_SCOPES",
            "PORTCULLIS_AUTH_REQUIRED_SCOPES",
        ),
    ] {
        let errors = load(&authkit(name, "canary")).unwrap_err();
        assert_eq!(
            errors.to_string(),
            format!("`{name}`: is no variable that anybody reads (hint: did you mean `{meant}`?)")
        );
    }
    let issuer = "FASTMCP_SERVER_AUTH_JWT_ISUER";
    let errors = load(&[(SELECTOR, "jwt"), (issuer, "https://a.example")]).unwrap_err();
    let fields: Vec<&str> = errors.iter().map(ConfigError::field).collect();
    assert_eq!(fields, [issuer, "FASTMCP_SERVER_AUTH_JWT_ISSUER"]);
}

#[test]
fn names_that_nobody_reads_are_warned_of() {
    let name = "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_COLOUR_OF_THE_PAGE";
    let (outcome, log) = CapturedLogs::during(|| load(&authkit(name, "canary")));
    assert!(outcome.unwrap().is_some());
    assert!(
        log.contains(name) && log.contains("nobody reads it"),
        "{log}"
    );
    assert!(!log.contains("canary"), "{log}");
    for fine in [
        "FASTMCP_SERVER_AUTH_JWT_ISSUER",
        "FASTMCP_SERVER_AUTH_GOOGLE_CLIENT_ID",
    ] {
        let (_, log) = CapturedLogs::during(|| load(&authkit(fine, "x")));
        assert!(!log.contains("nobody reads it"), "{log}");
    }
}

/// A file in the test's own folder.
fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_secret_may_be_in_a_file() {
    const NAME: &str = "FASTMCP_SERVER_AUTH_INTROSPECTION_CLIENT_SECRET";
    let load = |more: &[(&str, &str)]| {
        let mut env = vec![
            (SELECTOR, "introspection"),
            (
                "FASTMCP_SERVER_AUTH_INTROSPECTION_INTROSPECTION_URL",
                "https://a.example/i",
            ),
            ("FASTMCP_SERVER_AUTH_INTROSPECTION_CLIENT_ID", "server"),
        ];
        env.extend_from_slice(more);
        super::env::load(&env)
    };
    let good = file("secret", "kN3v8Qz1mWx7TtLr5yBc0dFg\n");
    let named = format!("{NAME}_FILE");
    load(&[(&named, &good)]).unwrap();
    load(&[("PORTCULLIS_AUTH_CLIENT_SECRET_FILE", &good)]).unwrap();
    let both = load(&[(&named, &good), (NAME, "canary")]).unwrap_err();
    assert_eq!(
        both.to_string(),
        format!("`{NAME}`: is set, and `{named}` too")
    );
    let empty = file("empty-secret", "\n");
    for path in [empty.as_str(), "does/not/exist"] {
        let errors = load(&[(&named, path)]).unwrap_err();
        assert_eq!(errors.iter().next().unwrap().field(), named, "{path}");
    }
}

#[test]
fn sec_op_01_the_environment_gives_no_value_away() {
    let canary = "canary-kN3v8Qz1mWx7TtLr5yBc0dFg";
    let env = AuthEnv::from_pairs([
        (SELECTOR, "introspection"),
        ("FASTMCP_SERVER_AUTH_INTROSPECTION_CLIENT_SECRET", canary),
        ("FASTMCP_SERVER_AUTH_INTROSPECTION_CLIENT_SECRT", canary),
        ("FASTMCP_SERVER_AUTH_INTROSPECTION_TIMEOUT_SECONDS", canary),
        ("PORTCULLIS_AUTH_CLIENT_SECRET", "another"),
    ]);
    let (outcome, log) = CapturedLogs::during(|| auth_from_env(&env));
    let errors = outcome.unwrap_err();
    let text = format!("{log} {env:?} {errors} {errors:?}");
    assert!(text.contains("CLIENT_SECRET"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn a_provider_reads_its_own_variables() {
    let env = AuthEnv::from_pairs(authkit(SELECTOR, "authkit"));
    let auth = AuthKitProvider::from_env(&env)
        .unwrap()
        .algorithms(&[Algorithm::Es256]);
    assert!(format!("{auth:?}").contains("p-1.authkit.app"));
}

#[test]
fn the_reference_page_is_that_of_the_code() {
    let page = include_str!("../../../../docs/reference/environment.md");
    assert!(
        page == reference_page(),
        "docs/reference/environment.md is old: write it anew by\n\
         cargo run -p portcullis-resource-server --example environment_page > docs/reference/environment.md"
    );
}
