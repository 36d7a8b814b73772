//! Presets of identity providers, against a provider on loopback that has their addresses.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::post;
use http::StatusCode;
use portcullis_oauth::json::{self, Limits, Value, json};
use portcullis_oauth::scopes;
use portcullis_resource_server::{
    AccessToken, Algorithm, Auth, Auth0Provider, AuthKitProvider, ClerkVerifier, CognitoVerifier,
    ConfigError, DescopeProvider, EntraVerifier, IntoAuth, JwtVerifierBuilder, KeycloakProvider,
    PropelAuthProvider, Rejection, ScalekitProvider, SupabaseProvider,
};
use portcullis_testkit::{CapturedLogs, FakeIdp, MockClock, TokenBuilder};

use crate::support::{Answer, BASE, request, send};
use crate::world::{NOW, RESOURCE, present, rejection};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";

/// A provider with an RSA key, whose keys and metadata are where the preset expects them.
async fn idp(jwks: &str, issuer_path: &str) -> (FakeIdp, Arc<MockClock>) {
    let clock = Arc::new(MockClock::at(NOW));
    let idp = FakeIdp::start_at(clock.clone()).await;
    idp.add_key(Algorithm::Es384);
    idp.add_key(Algorithm::Rs256);
    idp.also_at(jwks, "/jwks");
    let issuer = format!("{}{issuer_path}", idp.issuer());
    let path = issuer_path.trim_end_matches('/');
    let well_known = "/.well-known/oauth-authorization-server";
    idp.also_at(&format!("{well_known}{path}"), well_known);
    idp.edit_metadata(|metadata| {
        metadata.insert("issuer".to_owned(), issuer.into());
    });
    (idp, clock)
}

/// A token as most of these providers write it: `typ` is `JWT`, signed with RS256.
fn token(idp: &FakeIdp, issuer_path: &str) -> TokenBuilder {
    idp.token()
        .typ("JWT")
        .alg(Algorithm::Rs256)
        .issuer(&format!("{}{issuer_path}", idp.issuer()))
        .audience(RESOURCE)
        .scope("openid")
}

fn app(provider: impl IntoAuth) -> Router {
    let whoami = |token: AccessToken| async move {
        format!("{} {}", token.subject(), token.scopes()).into_response()
    };
    let service = Router::new().route("/mcp", post(whoami));
    provider
        .into_auth()
        .unwrap()
        .protect("/mcp", service)
        .unwrap()
}

async fn call(app: &Router, token: TokenBuilder) -> Answer {
    let bearer = format!("Bearer {}", token.sign());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    send(app.clone(), request("POST", "/mcp", &headers, body)).await
}

async fn document(app: &Router, path: &str) -> Value {
    let answer = send(app.clone(), request("GET", path, &[], "")).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    json::from_str(&answer.body, Limits::METADATA).unwrap()
}

/// What holds of every remote preset: `good` is let in; the same token with a change is not.
async fn remote_contract(idp: &FakeIdp, app: Router, server_path: &str, good: TokenBuilder) {
    let answer = call(&app, good.clone()).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, "user openid")
    );
    for (what, bad) in [
        (
            "another audience",
            good.clone().audience("https://other.example/mcp"),
        ),
        (
            "a list of other audiences",
            good.clone().audience(vec!["https://other.example"]),
        ),
        ("an origin for the resource", good.clone().audience(BASE)),
        ("no audience", good.clone().without("aud")),
        (
            "another issuer",
            good.clone().issuer("https://evil.example"),
        ),
        (
            "the issuer's neighbour",
            good.clone().issuer(&format!("{}/other", idp.issuer())),
        ),
        ("an ID token", good.clone().claim("nonce", "n")),
        ("another kind of token", good.clone().typ("logout+jwt")),
        ("another algorithm", good.clone().alg(Algorithm::Es384)),
        (
            "expired",
            good.clone()
                .expires_at(portcullis_oauth::Timestamp::from_secs(NOW - 60)),
        ),
    ] {
        assert_eq!(
            call(&app, bad).await.status,
            StatusCode::UNAUTHORIZED,
            "{what}"
        );
    }
    metadata_contract(idp, &app, server_path).await;
}

async fn metadata_contract(idp: &FakeIdp, app: &Router, server_path: &str) {
    let server = format!("{}{server_path}", idp.issuer());
    let resource = document(app, "/.well-known/oauth-protected-resource/mcp").await;
    assert_eq!(resource["resource"], RESOURCE);
    assert_eq!(resource["authorization_servers"], json!([server]));
    let forwarded = document(app, "/.well-known/oauth-authorization-server").await;
    assert_eq!(forwarded["issuer"], server);
}

#[tokio::test]
async fn authkit_binds_tokens_to_the_resource() {
    let (idp, clock) = idp("/oauth2/jwks", "").await;
    let domain = format!("{}/", idp.issuer());
    let auth = AuthKitProvider::new(&domain, BASE).unwrap().clock(clock);
    remote_contract(&idp, app(auth), "", token(&idp, "")).await;
}

#[tokio::test]
async fn authkit_requires_scopes_and_tells_its_name() {
    let (idp, clock) = idp("/oauth2/jwks", "").await;
    let auth = AuthKitProvider::new(idp.issuer().as_str(), BASE).unwrap();
    let auth = auth
        .required_scopes(scopes!["profile"])
        .resource_name("Notes")
        .resource_documentation("https://docs.example.com/")
        .clock(clock);
    let app = app(auth);
    let short = call(&app, token(&idp, "")).await;
    assert_eq!(short.status, StatusCode::FORBIDDEN);
    assert!(
        short.challenge().contains("insufficient_scope"),
        "{short:?}"
    );
    let enough = call(&app, token(&idp, "").scope("openid profile")).await;
    assert_eq!(enough.status, StatusCode::OK);
    let resource = document(&app, "/.well-known/oauth-protected-resource").await;
    assert_eq!(resource["resource_name"], "Notes");
    assert_eq!(resource["scopes_supported"], json!(["profile"]));
    assert_eq!(
        resource["resource_documentation"],
        "https://docs.example.com/"
    );
}

#[test]
fn authkit_takes_a_domain_in_any_spelling() {
    for domain in [
        "p-1.authkit.app",
        "p-1.authkit.app/",
        "https://p-1.authkit.app",
        " p-1.authkit.app ",
    ] {
        let auth = AuthKitProvider::new(domain, BASE).unwrap();
        assert!(
            format!("{auth:?}").contains("\"https://p-1.authkit.app/oauth2/jwks\""),
            "{auth:?}"
        );
        assert!(auth.into_auth().unwrap().is_protected());
    }
    for domain in [
        "",
        "http://p-1.authkit.app",
        "https://p-1.authkit.app?x",
        "a b",
    ] {
        let error = AuthKitProvider::new(domain, BASE).unwrap_err();
        assert_eq!(error.field(), "authkit_domain", "{domain}");
    }
    let error = AuthKitProvider::new("p-1.authkit.app", "http://mcp.example.com").unwrap_err();
    assert_eq!(error.field(), "base_url");
}

#[tokio::test]
async fn a_preset_takes_an_audience_of_ones_own_and_then_wants_a_mark() {
    let (idp, clock) = idp("/oauth2/jwks", "").await;
    let auth = AuthKitProvider::new(idp.issuer().as_str(), BASE).unwrap();
    let app = app(auth.audience("env_1").clock(clock));
    let good = token(&idp, "").audience("env_1");
    assert_eq!(call(&app, good.clone()).await.status, StatusCode::OK);
    let resource = good.clone().audience(RESOURCE);
    assert_eq!(call(&app, resource).await.status, StatusCode::UNAUTHORIZED);
    let unmarked = good.without("scope").without("client_id");
    assert_eq!(call(&app, unmarked).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn auth0_has_a_slash_at_its_end() {
    let (idp, clock) = idp("/.well-known/jwks.json", "/").await;
    let url = format!("{}/.well-known/openid-configuration", idp.issuer());
    let auth = Auth0Provider::new(&url, BASE).unwrap().clock(clock);
    let app = app(auth);
    let bare = token(&idp, "");
    assert_eq!(call(&app, bare).await.status, StatusCode::UNAUTHORIZED);
    remote_contract(&idp, app, "/", token(&idp, "/")).await;
}

#[tokio::test]
async fn auth0_counts_permissions_as_scopes_when_it_is_told_to() {
    let (idp, clock) = idp("/.well-known/jwks.json", "/").await;
    let auth = Auth0Provider::new(idp.issuer().as_str(), BASE)
        .unwrap()
        .clock(clock);
    let good = token(&idp, "/").claim("permissions", vec!["notes:read"]);
    let plain = call(&app(auth.clone()), good.clone()).await;
    assert_eq!(plain.body, "user openid");
    let counted = call(&app(auth.permissions_as_scopes()), good).await;
    assert_eq!(counted.body, "user openid notes:read");
}

#[tokio::test]
async fn keycloak_has_its_keys_below_the_realm() {
    let realm = "/realms/staff";
    let (idp, clock) = idp("/realms/staff/protocol/openid-connect/certs", realm).await;
    let url = format!("{}{realm}", idp.issuer());
    let auth = KeycloakProvider::new(&url, BASE)
        .unwrap()
        .clock(clock.clone());
    remote_contract(&idp, app(auth.clone()), realm, token(&idp, realm)).await;

    // With an audience of one's own, the payload has to say that it is a bearer token.
    let app = app(auth.audience("notes"));
    let token = token(&idp, realm).audience("notes");
    let id_token = token.clone().claim("typ", "ID");
    assert_eq!(call(&app, id_token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        call(&app, token.clone()).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        call(&app, token.claim("typ", "Bearer")).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn descope_has_two_forms_of_url_and_the_project_as_audience() {
    for path in [
        "/v1/apps/P1",
        "/v1/apps/agentic/P1",
        "/v1/apps/agentic/P1/M1",
    ] {
        let (idp, clock) = idp("/P1/.well-known/jwks.json", path).await;
        let url = format!("{}{path}/.well-known/openid-configuration", idp.issuer());
        let auth = DescopeProvider::new(&url, BASE).unwrap().clock(clock);
        let app = app(auth);
        for issuer in ["/v1/apps/P1", "/v1/apps/agentic/P1", path] {
            let good = token(&idp, issuer).audience("P1");
            assert_eq!(
                call(&app, good).await.status,
                StatusCode::OK,
                "{path} {issuer}"
            );
        }
        let stranger = token(&idp, "/v1/apps/P2").audience("P1");
        assert_eq!(call(&app, stranger).await.status, StatusCode::UNAUTHORIZED);
        let unmarked = token(&idp, path)
            .audience("P1")
            .without("scope")
            .without("client_id");
        assert_eq!(call(&app, unmarked).await.status, StatusCode::UNAUTHORIZED);
        remote_contract(&idp, app, path, token(&idp, path).audience("P1")).await;
    }
    for url in [
        "https://api.descope.com",
        "https://api.descope.com/v1/apps/",
        "x",
    ] {
        assert_eq!(
            DescopeProvider::new(url, BASE).unwrap_err().field(),
            "config_url"
        );
    }
}

#[tokio::test]
async fn scalekit_has_two_issuers_and_the_resource_id_as_audience() {
    let server = "/resources/res_1";
    let (idp, clock) = idp("/keys", server).await;
    let auth = ScalekitProvider::new(idp.issuer().as_str(), "res_1", BASE).unwrap();
    let app = app(auth.clock(clock));
    let of_environment = token(&idp, "").audience("res_1");
    assert_eq!(call(&app, of_environment).await.status, StatusCode::OK);
    remote_contract(
        &idp,
        app,
        server,
        token(&idp, server).audience(vec!["res_1", RESOURCE]),
    )
    .await;
}

#[tokio::test]
async fn supabase_takes_tokens_of_oauth_clients_alone() {
    let (idp, clock) = idp("/auth/v1/.well-known/jwks.json", "/auth/v1").await;
    let (auth, log) = CapturedLogs::during(|| {
        let unsure = SupabaseProvider::dangerous(idp.issuer().as_str(), BASE).unwrap();
        unsure.accept_shared_audience()
    });
    assert!(log.contains("dangerous_setting"), "{log}");
    let app = app(auth.clock(clock));
    let good = token(&idp, "/auth/v1")
        .alg(Algorithm::Es256)
        .audience("authenticated");
    let session = good
        .clone()
        .without("client_id")
        .claim("role", "authenticated");
    assert_eq!(call(&app, session).await.status, StatusCode::UNAUTHORIZED);
    remote_contract(&idp, app, "/auth/v1", good).await;
}

#[tokio::test]
async fn propelauth_is_asked_about_each_token() {
    let path = "/oauth/2.1";
    let (idp, clock) = idp("/unused", path).await;
    idp.also_at("/oauth/2.1/introspect", "/introspect");
    idp.require_client("server", "kN3v8Qz1mWx7TtLr5yBc0dFg");
    let issuer = format!("{}{path}", idp.issuer());
    let answer = move |issuer: &str, audience: Value| {
        let body = json!({
            "active": true, "sub": "user", "scope": "openid", "client_id": "c",
            "iss": issuer, "aud": audience, "exp": NOW + 60, "token_type": "Bearer",
        });
        move |_: &portcullis_oauth::form::Form| body.clone()
    };
    let auth = PropelAuthProvider::new(idp.issuer().as_str(), BASE).unwrap();
    assert_eq!(auth.clone().into_auth().unwrap_err().field(), "client");
    let auth = auth.introspection_client("server", "kN3v8Qz1mWx7TtLr5yBc0dFg".into());
    let app = app(auth.clock(clock));
    let opaque = idp.token();
    assert_eq!(
        call(&app, opaque.clone()).await.status,
        StatusCode::UNAUTHORIZED,
        "inactive"
    );
    for (issuer, audience, status) in [
        (issuer.as_str(), json!(RESOURCE), StatusCode::OK),
        (issuer.as_str(), json!([RESOURCE]), StatusCode::OK),
        (
            issuer.as_str(),
            json!("https://other.example"),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "https://evil.example",
            json!(RESOURCE),
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        idp.introspection(answer(issuer, audience.clone()));
        assert_eq!(
            call(&app, opaque.clone()).await.status,
            status,
            "{issuer} {audience}"
        );
    }
    metadata_contract(&idp, &app, path).await;
}

/// What holds of every preset of a verifier.
async fn verifier_contract(
    verifier: JwtVerifierBuilder,
    clock: Arc<MockClock>,
    good: TokenBuilder,
) {
    let verifier = verifier.clock(clock).build().unwrap();
    assert_eq!(
        present(&verifier, &good.clone().sign())
            .await
            .unwrap()
            .subject(),
        "user"
    );
    for (what, bad, expected) in [
        (
            "issuer",
            good.clone().issuer("https://evil.example"),
            Rejection::WrongIssuer,
        ),
        (
            "ID token",
            good.clone().claim("nonce", "n"),
            Rejection::WrongType,
        ),
        ("type", good.clone().typ("logout+jwt"), Rejection::WrongType),
        (
            "audience",
            good.clone().audience("https://other.example"),
            Rejection::WrongAudience,
        ),
    ] {
        assert_eq!(
            rejection(present(&verifier, &bad.sign()).await),
            expected,
            "{what}"
        );
    }
}

#[tokio::test]
async fn clerk_compares_the_client_and_takes_no_session() {
    let (idp, clock) = idp("/.well-known/jwks.json", "").await;
    let verifier = ClerkVerifier::for_application(idp.issuer().as_str(), "app").unwrap();
    let good = token(&idp, "").without("aud").client_id("app");
    let built = verifier.clone().clock(clock.clone()).build().unwrap();
    let session = good.clone().without("client_id").claim("azp", "app");
    assert_eq!(
        rejection(present(&built, &session.sign()).await),
        Rejection::WrongType
    );
    let another = good.clone().client_id("other");
    assert_eq!(
        rejection(present(&built, &another.sign()).await),
        Rejection::WrongAudience
    );
    verifier_contract(verifier, clock, good).await;
}

#[tokio::test]
async fn cognito_wants_client_and_use() {
    let path = "/eu-central-1_Ab";
    let (idp, clock) = idp("/eu-central-1_Ab/.well-known/jwks.json", path).await;
    let issuer = format!("{}{path}", idp.issuer());
    let verifier = CognitoVerifier::for_issuer(&issuer, "app").unwrap();
    let good = token(&idp, path)
        .without_header("typ")
        .without("aud")
        .client_id("app")
        .claim("token_use", "access");
    let built = verifier.clone().clock(clock.clone()).build().unwrap();
    let id_token = good
        .clone()
        .audience("app")
        .without("client_id")
        .claim("token_use", "id");
    assert_eq!(
        rejection(present(&built, &id_token.sign()).await),
        Rejection::WrongType
    );
    let unmarked = good.clone().without("token_use");
    assert_eq!(
        rejection(present(&built, &unmarked.sign()).await),
        Rejection::WrongType
    );
    let another = good.clone().client_id("other");
    assert_eq!(
        rejection(present(&built, &another.sign()).await),
        Rejection::WrongAudience
    );
    let bound = good.clone().audience(RESOURCE);
    present(&built, &bound.sign()).await.unwrap();
    verifier_contract(verifier, clock, good).await;
}

#[test]
fn sec_jwt_14_a_name_cannot_become_a_path() {
    let error =
        |result: Result<_, ConfigError>| result.map(|_: JwtVerifierBuilder| ()).unwrap_err();
    for pool in [
        "",
        "eu-central-1",
        "a_b/../c",
        "a_b/c",
        "../a_b",
        "a_b?x",
        "a_b#x",
    ] {
        assert_eq!(
            error(CognitoVerifier::for_pool(pool, "app")).field(),
            "user_pool_id",
            "{pool}"
        );
    }
    CognitoVerifier::for_pool("eu-central-1_Ab", "app")
        .unwrap()
        .build()
        .unwrap();
    let error = ScalekitProvider::new("https://e.scalekit.com", "../x", BASE).unwrap_err();
    assert_eq!(error.field(), "resource_id");
}

#[tokio::test]
async fn entra_reads_scp_and_either_name_of_the_application() {
    let jwks = format!("/{TENANT}/discovery/v2.0/keys");
    let path = format!("/{TENANT}/v2.0");
    let (idp, clock) = idp(&jwks, &path).await;
    let verifier = EntraVerifier::for_tenants_at(idp.issuer().as_str(), [TENANT], "app").unwrap();
    let good = token(&idp, &path)
        .audience("app")
        .without("client_id")
        .without("scope")
        .claim("azp", "someone")
        .claim("scp", "notes.read");
    let built = verifier.clone().clock(clock.clone()).build().unwrap();
    let seen = present(&built, &good.clone().audience("api://app").sign())
        .await
        .unwrap();
    assert_eq!(seen.scopes(), &scopes!["notes.read"]);
    let daemon = good
        .clone()
        .without("scp")
        .claim("roles", vec!["Notes.Read"]);
    assert_eq!(
        rejection(present(&built, &daemon.sign()).await),
        Rejection::WrongType
    );
    let other_tenant = good.clone().issuer(&format!("{}/other/v2.0", idp.issuer()));
    assert_eq!(
        rejection(present(&built, &other_tenant.sign()).await),
        Rejection::WrongIssuer
    );
    verifier_contract(verifier, clock, good).await;
}

#[test]
fn sec_jwt_14_entra_needs_a_tenant_of_its_own() {
    for tenant in ["common", "organizations", "consumers", "Common", "", "a/b"] {
        let error = EntraVerifier::for_tenants([tenant], "app").unwrap_err();
        assert_eq!(error.field(), "tenant_id", "{tenant}");
    }
    let none = EntraVerifier::for_tenants([], "app")
        .unwrap()
        .build()
        .unwrap_err();
    assert_eq!(none.field(), "issuer");
    EntraVerifier::for_tenants([TENANT, "contoso.onmicrosoft.com"], "app")
        .unwrap()
        .build()
        .unwrap();
}

#[tokio::test]
async fn forwarding_does_not_trust_another_issuers_document() {
    let (idp, clock) = idp("/oauth2/jwks", "").await;
    idp.edit_metadata(|metadata| {
        metadata.insert("issuer".to_owned(), "https://evil.example".into());
    });
    let app = app(AuthKitProvider::new(idp.issuer().as_str(), BASE)
        .unwrap()
        .clock(clock));
    let path = "/.well-known/oauth-authorization-server";
    let answer = send(app, request("GET", path, &[], "")).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn an_outage_of_the_provider_is_not_the_tokens_fault() {
    let (idp, clock) = idp("/oauth2/jwks", "").await;
    idp.jwks_down(true);
    let auth = AuthKitProvider::new(idp.issuer().as_str(), BASE).unwrap();
    let app = app(auth.clock(clock.clone()));
    let good = token(&idp, "");
    assert_eq!(
        call(&app, good.clone()).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    idp.jwks_down(false);
    clock.advance(Duration::from_secs(60));
    assert_eq!(call(&app, good).await.status, StatusCode::OK);
}

#[test]
fn sec_jwt_13_nothing_said_to_a_preset_is_lost() {
    let own = || {
        portcullis_resource_server::JwtVerifier::builder("https://own.example")
            .build()
            .unwrap()
    };
    let auth0 = || Auth0Provider::new("t.example", BASE).unwrap();
    let propel = || PropelAuthProvider::new("https://auth.example", BASE).unwrap();
    let client = || propel().introspection_client("id", "secret".into());
    let field = |provider: Result<Auth, ConfigError>| provider.unwrap_err().field().to_owned();
    let es256 = &[Algorithm::Es256];
    for (lost, provider) in [
        (
            "audience",
            auth0().verifier(own()).audience("api").into_auth(),
        ),
        (
            "audience",
            auth0().audience("api").verifier(own()).into_auth(),
        ),
        (
            "algorithms",
            auth0().verifier(own()).algorithms(es256).into_auth(),
        ),
        (
            "permissions_as_scopes",
            auth0().verifier(own()).permissions_as_scopes().into_auth(),
        ),
        ("algorithms", client().algorithms(es256).into_auth()),
        (
            "introspection_client",
            propel()
                .verifier(own())
                .introspection_client("id", "s".into())
                .into_auth(),
        ),
    ] {
        assert_eq!(field(provider), lost);
    }
    assert!(auth0().verifier(own()).into_auth().is_ok());
    assert!(client().audience("api").into_auth().is_ok());
    assert!(client().verifier(own()).into_auth().is_ok());
}
