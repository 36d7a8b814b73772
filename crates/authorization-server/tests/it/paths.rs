//! A server below a path of its host, and one whose issuer has another name than its address, as
//! clients find their way that go by nothing but metadata.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use http::StatusCode;
use portcullis_authorization_server::{OAuthProvider, OAuthProxy, Upstream};
use portcullis_fetch::Fetcher;
use portcullis_oauth::crypto::base64url;
use portcullis_oauth::form;
use portcullis_oauth::json::{self, Limits, Value, json};
use portcullis_oauth::pkce::CodeVerifier;
use portcullis_oauth::{BaseUrl, SharedClock, scopes};
use portcullis_resource_server::IntoAuth;
use portcullis_testkit::{Browser, MockClock, ScriptedUpstream, SeededEntropy, Visit};
use tower::ServiceExt as _;

use crate::client::{VERIFIER, back_channel, text};
use crate::world::{self, Household, PASSWORD, welcome};

const HOST: &str = "https://tools.example";
const REDIRECT: &str = "http://127.0.0.1:7000/cb";

/// One host with servers below paths of it, as a router or a reverse proxy has them: the path is taken
/// away, and what is well-known is let through as it is.
fn host(sites: &[(&'static str, Router)]) -> Browser {
    let mut router = Router::new();
    for (path, site) in sites {
        router = router.nest_service(path, site.clone());
    }
    let sites = sites.to_vec();
    let router = router.fallback(move |request: Request| {
        let place = request.uri().path().to_owned();
        let of_site = |path: &str| {
            let (_, behind) = place.strip_prefix("/.well-known/")?.split_once('/')?;
            let rest = format!("/{behind}");
            (rest == path || rest.starts_with(&format!("{path}/"))).then_some(())
        };
        let found = sites.iter().find(|(path, _)| of_site(path).is_some());
        // What has no path is the first one's.
        let site = found.or(sites.first()).map(|(_, site)| site.clone());
        async move {
            match site {
                Some(site) => site.oneshot(request).await.into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
    });
    Browser::new(router, &BaseUrl::parse(HOST).unwrap())
}

fn site(provider: impl IntoAuth) -> Router {
    let auth = provider.into_auth().unwrap();
    auth.protect("/mcp", welcome()).unwrap()
}

fn own(base: &str, issuer: Option<&str>) -> Router {
    let clock = Arc::new(MockClock::at(1_790_000_000));
    let mut builder = OAuthProvider::builder()
        .base_url(base)
        .users(Household)
        .scopes(scopes!["notes:read", "notes:write"])
        .clock(clock as SharedClock)
        .entropy(Arc::new(SeededEntropy::new(7)));
    if let Some(issuer) = issuer {
        builder = builder.issuer_url(issuer);
    }
    site(builder.build().unwrap())
}

fn proxy(upstream: &ScriptedUpstream, base: &str, issuer: Option<&str>) -> Router {
    let clock = Arc::new(MockClock::at(1_790_000_000));
    let mut builder = OAuthProxy::builder(Upstream::oidc(upstream.issuer().as_str()))
        .base_url(base)
        .client("proxy", "the upstream secret".into())
        .scopes(scopes!["openid", "email"])
        .upstream_fetcher(Fetcher::trusted().allow_loopback(true).build().unwrap())
        .clock(clock as SharedClock)
        .entropy(Arc::new(SeededEntropy::new(9)));
    if let Some(issuer) = issuer {
        builder = builder.issuer_url(issuer);
    }
    site(builder.build().unwrap())
}

async fn upstream() -> ScriptedUpstream {
    let clock = Arc::new(MockClock::at(1_790_000_000));
    let upstream = ScriptedUpstream::start_at(clock as SharedClock).await;
    upstream.user("alice", json!({"email": "alice@example.com"}));
    upstream
}

async fn document(browser: &Browser, url: &str) -> Value {
    let page = back_channel(browser, Visit::get(url)).await;
    assert_eq!(page.status, StatusCode::OK, "{url}: {page:?}");
    world::json(&page)
}

/// What a client finds that knows the URL of the server alone.
struct Found {
    resource: String,
    issuer: String,
    metadata: Value,
}

/// From the challenge to the metadata of the issuer, at the place that its name says (RFC 8414 section
/// 3.1).
async fn discover(browser: &Browser, mcp: &str) -> Found {
    let page = back_channel(browser, Visit::get(mcp)).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{page:?}");
    let challenge = page.header("www-authenticate");
    let (_, rest) = challenge.split_once("resource_metadata=\"").unwrap();
    let (place, _) = rest.split_once('"').unwrap();
    let resource = document(browser, place).await;
    assert_eq!(resource["resource"], mcp, "RFC 9728 section 3.3");
    let issuer = resource["authorization_servers"][0].as_str().unwrap();
    let place = BaseUrl::parse(issuer).unwrap();
    let path = place.path().trim_end_matches('/');
    let place = format!(
        "{}/.well-known/oauth-authorization-server{path}",
        place.origin()
    );
    let metadata = document(browser, &place).await;
    assert_eq!(metadata["issuer"], issuer, "RFC 8414 section 3.3");
    Found {
        resource: mcp.to_owned(),
        issuer: issuer.to_owned(),
        metadata,
    }
}

impl Found {
    fn endpoint(&self, name: &str) -> &str {
        self.metadata[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}"))
    }

    /// A client registers, its user consents (`sign_in` says how that goes on), and it gets tokens.
    async fn tokens(&self, browser: &Browser, upstream: Option<&ScriptedUpstream>) -> Value {
        let registration =
            json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"});
        let request = Visit::post(self.endpoint("registration_endpoint"), &[])
            .header("content-type", "application/json")
            .body(registration.to_string());
        let registered = world::json(&back_channel(browser, request).await);
        let id = text(&registered, "client_id");
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge();
        let query = form::encode(&[
            ("response_type", "code"),
            ("client_id", id),
            ("redirect_uri", REDIRECT),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("resource", &self.resource),
            ("state", "abc"),
        ]);
        let url = format!("{}?{query}", self.endpoint("authorization_endpoint"));
        let mut page = browser.open(&url).await;
        if page.has_button("Sign in") {
            let fields = [("username", "casey"), ("password", PASSWORD)];
            page = browser.press(&page, "Sign in", &fields).await;
        }
        let mut back = browser.press(&page, "approve", &[]).await;
        if let Some(upstream) = upstream {
            let away = back.location().expect("the way to the provider");
            let callback = upstream.sign_in(away, "alice");
            back = browser.open(&callback).await;
        }
        let location = back.location().unwrap_or_else(|| panic!("{back:?}"));
        assert!(location.starts_with(REDIRECT), "{location}");
        let answer = back.answer();
        assert_eq!(answer.one("iss").unwrap(), Some(&*self.issuer), "RFC 9207");
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", answer.required("code").unwrap()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", id),
        ];
        let request = Visit::post(self.endpoint("token_endpoint"), &fields);
        let page = back_channel(browser, request).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        world::json(&page)
    }

    async fn call(&self, browser: &Browser, tokens: &Value) -> StatusCode {
        let bearer = format!("Bearer {}", text(tokens, "access_token"));
        let visit = Visit::get(&self.resource).header("authorization", &bearer);
        back_channel(browser, visit).await.status
    }
}

fn claims(tokens: &Value) -> Value {
    let payload = text(tokens, "access_token").split('.').nth(1).unwrap();
    json::value(&base64url::decode_strict(payload).unwrap(), Limits::JOSE).unwrap()
}

#[tokio::test]
async fn an_issuer_has_another_name_than_the_address() {
    let upstream = upstream().await;
    for (base, issuer) in [
        ("https://tools.example/api", "https://tools.example"),
        ("https://tools.example/api", "https://tools.example/"),
        ("https://tools.example/api", "https://tools.example/as"),
        ("https://tools.example/api", "https://tools.example/api"),
    ] {
        for (behind, site) in [
            (None, own(base, Some(issuer))),
            (Some(&upstream), proxy(&upstream, base, Some(issuer))),
        ] {
            let browser = host(&[("/api", site)]);
            let found = discover(&browser, "https://tools.example/api/mcp").await;
            assert_eq!(found.issuer, issuer);
            for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
                assert!(
                    found
                        .endpoint(name)
                        .starts_with("https://tools.example/api/oauth/")
                );
            }
            let tokens = found.tokens(&browser, behind).await;
            assert_eq!(claims(&tokens)["iss"], issuer);
            assert_eq!(claims(&tokens)["aud"], "https://tools.example/api/mcp");
            assert_eq!(found.call(&browser, &tokens).await, StatusCode::OK);
            // What clients try that know no issuer.
            for place in [
                "/.well-known/oauth-authorization-server/api",
                "/.well-known/openid-configuration/api",
                "/api/.well-known/openid-configuration",
                "/.well-known/openid-configuration",
            ] {
                let aliased = document(&browser, place).await;
                assert_eq!(aliased["issuer"], issuer, "{place}");
            }
            document(&browser, found.endpoint("jwks_uri")).await;
        }
    }
}

#[tokio::test]
async fn tokens_of_one_issuer_are_none_of_another() {
    let upstream = upstream().await;
    let base = "https://tools.example/api";
    let browser = host(&[(
        "/api",
        proxy(&upstream, base, Some("https://tools.example")),
    )]);
    let found = discover(&browser, "https://tools.example/api/mcp").await;
    let tokens = found.tokens(&browser, Some(&upstream)).await;
    let renamed = browser.at(Router::new().nest_service("/api", proxy(&upstream, base, None)));
    assert_eq!(
        found.call(&renamed, &tokens).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn two_servers_share_a_host_and_a_browser() {
    let upstream = upstream().await;
    let browser = host(&[
        ("/one", proxy(&upstream, "https://tools.example/one", None)),
        ("/two", proxy(&upstream, "https://tools.example/two", None)),
        ("/own", own("https://tools.example/own", None)),
        ("/too", own("https://tools.example/too", None)),
    ]);
    let mut all = Vec::new();
    for (path, behind) in [
        ("/one", Some(&upstream)),
        ("/two", Some(&upstream)),
        ("/own", None),
        ("/too", None),
    ] {
        let mcp = format!("{HOST}{path}/mcp");
        let found = discover(&browser, &mcp).await;
        assert_eq!(found.issuer, format!("{HOST}{path}"));
        let tokens = found.tokens(&browser, behind).await;
        all.push((found, tokens));
    }
    for (at, (found, _)) in all.iter().enumerate() {
        for (from, (_, tokens)) in all.iter().enumerate() {
            let expected = if at == from {
                StatusCode::OK
            } else {
                StatusCode::UNAUTHORIZED
            };
            assert_eq!(
                found.call(&browser, tokens).await,
                expected,
                "{from} at {at}"
            );
        }
    }
    // Nobody was logged out by the login next door.
    for path in ["/own", "/too"] {
        let page = browser.open(&format!("{path}/account")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.has_button("Sign in"), "{path}: {}", page.text);
        assert!(
            page.text.contains("casey") || page.has_button("revoke"),
            "{}",
            page.text
        );
    }
    let cookies = browser.cookie_names();
    let own = [
        "__Host-portcullis-session-own",
        "__Host-portcullis-session-too",
    ];
    assert!(
        own.iter()
            .all(|name| cookies.iter().any(|cookie| cookie == name)),
        "{cookies:?}"
    );
}

#[tokio::test]
async fn a_redirect_path_is_below_the_path_too() {
    let upstream = upstream().await;
    let base = "https://tools.example/api";
    let builder = || {
        OAuthProxy::builder(Upstream::oidc(upstream.issuer().as_str()))
            .base_url(base)
            .client("proxy", "the upstream secret".into())
            .scopes(scopes!["openid", "email"])
            .upstream_fetcher(Fetcher::trusted().allow_loopback(true).build().unwrap())
            .redirect_path("/back")
            .clock(Arc::new(MockClock::at(1_790_000_000)) as SharedClock)
    };
    assert_eq!(builder().redirect_uri(), "https://tools.example/api/back");
    upstream.redirect_uri("https://tools.example/api/back");
    let browser = host(&[("/api", site(builder().build().unwrap()))]);
    let found = discover(&browser, "https://tools.example/api/mcp").await;
    let tokens = found.tokens(&browser, Some(&upstream)).await;
    assert_eq!(found.call(&browser, &tokens).await, StatusCode::OK);
}

#[tokio::test]
async fn an_issuer_on_another_host_is_answered_for() {
    let browser = host(&[(
        "/api",
        own("https://tools.example/api", Some("https://login.example")),
    )]);
    let visit =
        Visit::get("/.well-known/oauth-authorization-server").header("host", "login.example");
    let page = back_channel(&browser, visit).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let visit =
        Visit::get("/.well-known/oauth-authorization-server").header("host", "evil.example");
    let page = back_channel(&browser, visit).await;
    assert!(page.status.is_client_error(), "{page:?}");
}

#[test]
fn a_name_that_is_none_is_told() {
    for name in [
        "",
        "tools.example",
        "http://tools.example",
        "https://tools.example/?a=b",
    ] {
        let built = OAuthProvider::builder()
            .base_url("https://tools.example/api")
            .issuer_url(name)
            .build();
        let errors = built.expect_err(name);
        assert!(
            errors.iter().any(|error| error.field() == "issuer_url"),
            "{name}: {errors:?}"
        );
    }
}
