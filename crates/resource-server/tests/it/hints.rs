//! What somebody reads who has set up something wrong: start-up errors, and lines in the log.

use axum::Router;
use portcullis_oauth::json::json;
use portcullis_oauth::{BaseUrl, SecretString};
use portcullis_resource_server::{
    Auth, AuthEnv, ConfigError, IntoAuth as _, IntrospectionVerifier, JwtVerifier,
    KeycloakProvider, RemoteAuthProvider, StaticToken, StaticTokenVerifier, auth_from_env,
};
use portcullis_testkit::{CapturedLogs, FakeIdp};

use crate::support::{BASE, with_required};
use crate::world::{NOW, World, present};

#[track_caller]
fn hint<T: std::fmt::Debug>(outcome: Result<T, ConfigError>) -> String {
    outcome.unwrap_err().hint().unwrap_or_default().to_owned()
}

#[test]
fn an_issuer_that_is_none_comes_with_an_example() {
    for issuer in ["auth.example.com", "http://auth.example.com", ""] {
        let verifier = JwtVerifier::builder(issuer).build();
        assert!(hint(verifier).contains("`https://auth.example.com`"));
        let remote = RemoteAuthProvider::new(with_required(), BASE).unwrap();
        let auth = remote.authorization_server(issuer).into_auth();
        assert!(hint(auth).contains("`https://auth.example.com`"));
    }
    let env = AuthEnv::from_pairs([
        ("FASTMCP_SERVER_AUTH", "jwt"),
        ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "auth.example.com"),
    ]);
    let errors = auth_from_env(&env).unwrap_err();
    let error = errors.iter().next().unwrap();
    assert_eq!(error.field(), "FASTMCP_SERVER_AUTH_JWT_ISSUER");
    assert!(error.hint().unwrap().contains("`https://auth.example.com`"));
}

#[test]
fn a_secret_that_is_missing_is_named_as_the_environment_does() {
    let key = "FASTMCP_SERVER_AUTH_JWT_PUBLIC_KEY";
    for value in ["", "  "] {
        let env = AuthEnv::from_pairs([
            ("FASTMCP_SERVER_AUTH", "jwt"),
            ("FASTMCP_SERVER_AUTH_JWT_ISSUER", "https://auth.example.com"),
            ("FASTMCP_SERVER_AUTH_JWT_ALGORITHM", "HS256"),
            (key, value),
        ]);
        let errors = auth_from_env(&env).unwrap_err().to_string();
        let expected = format!("`{key}`: is not set, and `ALGORITHM` needs a shared secret");
        assert!(errors.starts_with(&expected), "{errors}");
        assert!(!errors.contains("hmac_secret"), "{errors}");
    }
}

#[test]
fn an_empty_static_token_is_called_so() {
    let verifier = StaticTokenVerifier::builder()
        .token(SecretString::from(""), StaticToken::new("alice"))
        .build();
    assert_eq!(
        verifier.unwrap_err().to_string(),
        "`tokens`: a token of `alice` is empty"
    );
}

#[test]
fn a_missing_base_url_comes_with_the_call_that_sets_it() {
    let error = Auth::new(with_required()).protect("/mcp", Router::new());
    assert!(hint(error).contains("`.base_url(\"https://mcp.example.com\")`"));
}

#[test]
fn a_base_url_with_the_path_of_mcp_is_warned_of() {
    for (base, path, warns) in [
        ("https://mcp.example.com/mcp", "/mcp", true),
        ("https://mcp.example.com/mcp/", "/mcp", true),
        ("https://mcp.example.com/a/mcp", "/mcp/", true),
        ("https://mcp.example.com", "/mcp", false),
        ("https://mcp.example.com/amcp", "/mcp", false),
        ("https://mcp.example.com/", "/", false),
    ] {
        let auth = Auth::new(with_required()).base_url(BaseUrl::parse(base).unwrap());
        let (outcome, log) = CapturedLogs::during(|| auth.protect(path, Router::new()));
        assert!(outcome.is_ok());
        let line = log
            .lines()
            .find(|line| line.contains("ends with the path of MCP"));
        assert_eq!(line.is_some(), warns, "{base}: {log}");
        assert!(line.is_none_or(|line| line.contains("WARN") && line.contains("resource=")));
    }
}

#[test]
fn a_keycloak_url_without_a_realm_is_warned_of() {
    for (url, warns) in [
        ("https://sso.example.com", true),
        ("https://sso.example.com/realms/staff", false),
    ] {
        let (provider, log) = CapturedLogs::during(|| KeycloakProvider::new(url, BASE));
        assert!(provider.is_ok());
        assert_eq!(log.contains("it has no `/realms/`"), warns, "{log}");
    }
}

/// The one line about the audience, at INFO.
#[track_caller]
fn expectation(logs: &CapturedLogs) -> String {
    let events = logs.security_events();
    let mut lines = events.into_iter().filter(|line| line.contains("expected="));
    let line = lines.next().unwrap();
    assert!(line.contains(" INFO ") && line.contains("reason=\"wrong_audience\""));
    assert_eq!(lines.next(), None);
    line
}

#[tokio::test]
async fn a_token_for_somebody_else_shows_who_was_expected() {
    let world = World::new().await;
    let token = world.idp.token().audience("https://canary.example").sign();
    for (verifier, expected) in [
        (world.builder(), "expected=\"https://mcp.example.com/mcp\""),
        (
            world.builder().audience("api").audience("other"),
            "expected=\"api, other\"",
        ),
        (world.builder().client("cli-7"), "expected=\"client cli-7\""),
    ] {
        let verifier = verifier.build().unwrap();
        let logs = CapturedLogs::start();
        present(&verifier, &token).await.unwrap_err();
        let line = expectation(&logs);
        assert!(line.contains(expected), "{line}");
        logs.assert_free_of("canary.example");
    }
}

#[tokio::test]
async fn an_opaque_token_for_somebody_else_shows_who_was_expected() {
    let world = World::new().await;
    let answer = json!({
        "active": true, "sub": "alice", "client_id": "cli", "aud": "canary", "exp": NOW + 300,
    });
    world.idp.introspection(move |_| answer.clone());
    let builder = || {
        IntrospectionVerifier::builder(world.idp.introspection_url().as_str())
            .client("mcp:server", SecretString::from("s3cr3t-s3cr3t-s3cr3t"))
            .clock(world.clock.clone())
    };
    for (verifier, expected) in [
        (builder(), "expected=\"https://mcp.example.com/mcp\""),
        (builder().audience("api"), "expected=\"api\""),
    ] {
        let verifier = verifier.build().unwrap();
        let logs = CapturedLogs::start();
        present(&verifier, "opaque-token-1").await.unwrap_err();
        let line = expectation(&logs);
        assert!(line.contains(expected), "{line}");
        assert!(!line.contains("canary"), "{line}");
    }
}

#[tokio::test]
async fn an_issuer_with_another_slash_at_its_end_is_told_apart() {
    let idp = FakeIdp::start().await;
    let issuer = format!("{}/", idp.issuer().as_str());
    let verifier = JwtVerifier::builder(issuer).build().unwrap();
    let logs = CapturedLogs::start();
    let token = idp.token().issuer(&format!("{}/", idp.issuer().as_str()));
    present(&verifier, &token.sign()).await.unwrap_err();
    let text = logs.text();
    assert!(text.contains("only by the slash at its end"), "{text}");
}
