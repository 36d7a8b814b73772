//! Users who sign in at an identity provider, from the first page to a tool that calls its API.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use portcullis::access::require_role;
use portcullis::auth::{
    BaseUrl, ClaimsPassthrough, ConfiguredClient, Fetcher, MemoryStore, OAuthProxy, SecretString,
    SharedClock, Upstream,
};
use portcullis::{AccessToken, Server, Tool, UpstreamToken, scopes};
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{form, pkce::CodeVerifier};
use portcullis_testkit::{
    Browser, CapturedLogs, MockClock, ScriptedUpstream, SeededEntropy, Visit,
};

use crate::support::{BASE, Mcp, parsed};

const REDIRECT: &str = "http://127.0.0.1:4711/callback";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

struct World {
    clock: Arc<MockClock>,
    upstream: ScriptedUpstream,
    router: Router,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(MockClock::at(1_790_000_000));
        let upstream = ScriptedUpstream::start_at(Arc::clone(&clock) as SharedClock).await;
        upstream.user(
            "alice",
            json!({"roles": ["admin", "staff"], "department": "it"}),
        );
        upstream.user(
            "bob",
            json!({"roles": ["staff"], "department": "finance", "scope": "admin"}),
        );
        let issuer = upstream.idp().issuer().as_str().to_owned();
        let proxy = OAuthProxy::builder(Upstream::oidc(issuer).name("Example Login"))
            .base_url(BASE)
            .client("proxy", SecretString::from("the upstream secret"))
            .scopes(scopes!["openid", "profile"])
            .claims_passthrough(ClaimsPassthrough::new().allowed(["roles", "department"]))
            .store(MemoryStore::new())
            .server(|server| {
                server.client(ConfiguredClient::new("notebook").redirect_uri(REDIRECT))
            })
            .upstream_fetcher(Fetcher::trusted().allow_loopback(true).build().unwrap())
            .clock(Arc::clone(&clock) as SharedClock)
            .entropy(Arc::new(SeededEntropy::new(12)))
            .build()
            .unwrap();
        let dashboard = async |user: AccessToken| format!("admin {}", user.subject());
        let calls_api = async |token: UpstreamToken| format!("{} bytes", token.expose().len());
        let server =
            Server::new("My Server")
                .tool(Tool::new("admin-dashboard", dashboard).authorize(require_role("admin")))
                .tool(Tool::new("budget", async || "42").allow_if(|user| {
                    user.claim::<String>("department").as_deref() == Some("finance")
                }))
                .tool(Tool::new("call-api", calls_api))
                .auth(proxy);
        let router = server.into_router().unwrap();
        Self {
            clock,
            upstream,
            router,
        }
    }

    fn mcp(&self) -> Mcp {
        Mcp(self.router.clone())
    }

    /// A whole login, in a browser of the user's own.
    async fn token(&self, user: &str) -> String {
        let browser = Browser::new(self.router.clone(), &BaseUrl::parse(BASE).unwrap());
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge();
        let query = form::encode(&[
            ("response_type", "code"),
            ("client_id", "notebook"),
            ("redirect_uri", REDIRECT),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("scope", "openid profile"),
            ("state", "abc"),
        ]);
        let page = browser.open(&format!("/oauth/authorize?{query}")).await;
        let away = browser.press(&page, "approve", &[]).await;
        let callback = self.upstream.sign_in(away.location().unwrap(), user);
        let back = browser.open(&callback).await;
        let code = back.answer().required("code").unwrap().to_owned();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", "notebook"),
        ];
        let request = Visit::post("/oauth/token", &fields).without_header("origin");
        let answer = browser.visit(request.without_cookies()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let tokens: Value = parsed(&answer.text);
        tokens["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn r_37_roles_of_the_provider_open_what_they_should_and_nothing_else() {
    let world = World::new().await;
    let (mcp, alice, bob) = (
        world.mcp(),
        world.token("alice").await,
        world.token("bob").await,
    );
    let tools = ["admin-dashboard", "call-api"];
    assert_eq!(mcp.names(Some(&alice), "tools").await, tools);
    assert_eq!(mcp.names(Some(&bob), "tools").await, ["budget", "call-api"]);
    let answer = mcp.call(Some(&alice), "admin-dashboard", json!({})).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "admin alice");
    // To whoever may not, it is a tool that does not exist.
    let hidden = mcp.call(Some(&bob), "admin-dashboard", json!({})).await;
    let unknown = mcp.call(Some(&bob), "no-such-tool", json!({})).await;
    assert_eq!(hidden.json()["error"], unknown.json()["error"]);
}

#[tokio::test]
async fn sec_px_05_a_tool_has_the_providers_token_and_no_answer_or_log_does() {
    let logs = CapturedLogs::start();
    let world = World::new().await;
    let (mcp, alice) = (world.mcp(), world.token("alice").await);
    let answer = mcp.call(Some(&alice), "call-api", json!({})).await;
    let said = answer.json()["result"]["content"][0]["text"].clone();
    assert!(
        said.as_str().is_some_and(|said| said.ends_with(" bytes")),
        "{said}"
    );
    let secrets = world.upstream.secrets();
    assert!(secrets.len() >= 3, "a code and tokens");
    for secret in &secrets {
        assert!(!alice.contains(secret.as_str()) && !answer.body.contains(secret.as_str()));
        logs.assert_free_of(secret);
    }
}

#[tokio::test]
async fn a_sign_in_that_the_provider_ends_is_401_at_the_tool_that_needs_it() {
    let world = World::new().await;
    let (mcp, alice) = (world.mcp(), world.token("alice").await);
    world.upstream.end("alice");
    // The provider's token is used up a little before ours is.
    world.clock.advance(Duration::from_secs(3570));
    let answer = mcp.call(Some(&alice), "call-api", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
    assert!(answer.challenge().contains("invalid_token"), "{answer:?}");
}
