use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::routing::any;
use axum::{Router, response::IntoResponse as _};
use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use portcullis_oauth::json::{self, Limits};
use portcullis_oauth::{MockClock, SeededEntropy, SharedClock, SharedEntropy, Timestamp, scopes};
use portcullis_resource_server::{
    AccessToken, ConfigError, ConfigErrors, IntoAuth as _, UpstreamTokenError, load_upstream_tokens,
};
use portcullis_store::{
    Change, Committed, MemoryStore, Record as _, Row, RowKey, SealingKeys, Store, StoreHandle,
};
use portcullis_testkit::store::{Fault, FaultyStore};
use tower::ServiceExt as _;

use super::*;
use crate::client::{DocumentPolicy, RegistrationPolicy};
use crate::grant::record::CodeRecord;
use crate::ui::Theme;

const BASE: &str = "https://mcp.example";

fn builder() -> OAuthProviderBuilder {
    OAuthProvider::builder().base_url(BASE)
}

/// The settings that are wrong.
fn field(built: Result<OAuthProvider, ConfigErrors>) -> String {
    let errors = built.unwrap_err();
    let fields: Vec<_> = errors.iter().map(ConfigError::field).collect();
    fields.join(" ")
}

fn mcp() -> Router {
    Router::new().fallback(any(async || "the tool's answer".into_response()))
}

async fn get(app: &Router, path: &str) -> (StatusCode, Vec<u8>) {
    let request = Request::get(path).header(HOST, "mcp.example");
    send(app, request.body(Body::empty()).unwrap()).await
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, Vec<u8>) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, body.to_vec())
}

#[test]
fn sec_key_17_a_guessable_registration_token_is_refused() {
    let with = |token: &str| {
        let policy = RegistrationPolicy::new().initial_access_token(token.into());
        builder().registration(policy).build()
    };
    for guessable in ["", "secret", "0123456789abcdef"] {
        assert_eq!(field(with(guessable)), "registration", "{guessable}");
    }
    assert!(with("3kTqm1yXw0pZ4n7cR8sUvA").is_ok());
}

#[test]
fn mistakes_are_found_before_anything_is_opened() {
    let none = OAuthProvider::builder().build();
    assert_eq!(field(none), "base_url");
    for url in ["http://mcp.example", "https://mcp.example/?x", "mcp"] {
        let bad = OAuthProvider::builder().base_url(url).build();
        assert_eq!(field(bad), "base_url", "{url}");
    }
    let zero = builder().access_token_lifetime(Duration::ZERO).build();
    assert_eq!(field(zero), "access_token_lifetime");
    let years = Duration::from_secs(365 * 24 * 3600);
    let long = builder().access_token_lifetime(years).build();
    assert_eq!(field(long), "access_token_lifetime");
    let unknown = builder()
        .scopes(scopes!["read"])
        .default_scopes(scopes!["write"])
        .build();
    assert_eq!(field(unknown), "default_scopes");
    let text = builder().scope_text("two words", "x").build();
    assert_eq!(field(text), "scope_text");
    let weak = builder().jwt_signing_key("secret").build();
    assert_eq!(field(weak), "jwt_signing_key");
    let pattern = builder().redirect_uris(["javascript:*"]).build();
    assert_eq!(field(pattern), "redirect_uris");
    let theme = Theme::new().accent("green").support("nobody");
    let all = OAuthProvider::builder()
        .access_token_lifetime(years)
        .redirect_uris(["javascript:*"])
        .documents(DocumentPolicy::new().allow_hosts(["https://a.example"]))
        .jwt_signing_key("secret")
        .theme(theme)
        .build();
    assert_eq!(
        field(all),
        "base_url access_token_lifetime redirect_uris documents jwt_signing_key theme.accent \
         theme.support"
    );
    assert!(builder().build().is_ok());
}

#[tokio::test]
async fn the_documents_are_at_all_the_places() {
    let auth = builder().build().unwrap().into_auth().unwrap();
    let app = auth.protect("/mcp", mcp()).unwrap();
    let oauth = get(&app, "/.well-known/oauth-authorization-server").await;
    let openid = get(&app, "/.well-known/openid-configuration").await;
    for (status, body) in [&oauth, &openid] {
        assert_eq!(*status, StatusCode::OK);
        let document = json::value(body, Limits::METADATA).unwrap();
        assert_eq!(document["issuer"], BASE);
    }
    for (path, same) in [
        ("/.well-known/oauth-authorization-server/mcp", &oauth),
        ("/.well-known/openid-configuration/mcp", &openid),
        ("/mcp/.well-known/openid-configuration", &openid),
    ] {
        assert_eq!(get(&app, path).await, *same, "{path}");
    }
    for path in [
        "/.well-known/oauth-authorization-server/other",
        "/other/.well-known/openid-configuration",
    ] {
        assert_eq!(get(&app, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let (status, body) = get(&app, "/oauth/jwks").await;
    assert_eq!(status, StatusCode::OK);
    let keys = json::value(&body, Limits::METADATA).unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_leads_to_the_server_itself() {
    let auth = builder().build().unwrap().into_auth().unwrap();
    let app = auth.protect("/mcp", mcp()).unwrap();
    assert_eq!(get(&app, "/mcp").await.0, StatusCode::UNAUTHORIZED);
    let (_, body) = get(&app, "/.well-known/oauth-protected-resource/mcp").await;
    let document = json::value(&body, Limits::METADATA).unwrap();
    assert_eq!(document["authorization_servers"][0], BASE);
    assert_eq!(document["resource"], "https://mcp.example/mcp");
}

/// Without a store nothing is granted and nothing opens, and it comes back by itself.
#[tokio::test]
async fn sec_st_14_a_server_that_cannot_start_answers_503_until_it_can() {
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(1));
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let keys = SealingKeys::generate(&*entropy).unwrap();
    let handle = StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys);
    let provider = builder().store(handle).build().unwrap();
    let auth = provider.clone().into_auth().unwrap();
    let app = auth.protect("/mcp", mcp()).unwrap();
    store.fail_from(0, Fault::Refused);
    assert!(auth.start().await.is_err());
    let form = || {
        let media = "application/x-www-form-urlencoded";
        let request = Request::post("/oauth/token").header(HOST, "mcp.example");
        let body = Body::from("grant_type=refresh_token&client_id=x");
        request.header("content-type", media).body(body).unwrap()
    };
    let call = || {
        let request = Request::get("/mcp").header(HOST, "mcp.example");
        let request = request.header(AUTHORIZATION, "Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA");
        request.body(Body::empty()).unwrap()
    };
    for request in [form(), call()] {
        let (status, body) = send(&app, request).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!String::from_utf8_lossy(&body).contains("told to fail"));
    }
    store.heal();
    assert_eq!(send(&app, form()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(&app, call()).await.0, StatusCode::UNAUTHORIZED);
    auth.start().await.unwrap();
}

async fn running(clock: &Arc<MockClock>) -> OAuthProvider {
    let provider = builder()
        .clock(Arc::clone(clock) as SharedClock)
        .store(MemoryStore::new())
        .build()
        .unwrap();
    provider.start().await.unwrap();
    provider
}

#[tokio::test(start_paused = true)]
async fn what_is_expired_is_swept_in_the_background() {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let provider = running(&clock).await;
    let context = provider.context().await;
    for n in 0..10 {
        let record = CodeRecord {
            interaction: [n; 16],
            expires_at: Timestamp::from_secs(1_800_000_000 + 10),
            state: crate::grant::record::CodeState::Denied,
        };
        context.records.insert_new(&record).await.unwrap();
    }
    clock.advance(Duration::from_secs(3600));
    assert_eq!(context.records.count::<CodeRecord>().await.unwrap(), 10);
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(context.records.count::<CodeRecord>().await.unwrap(), 0);
}

/// DS-08: what ends faster than one pause can delete does not pile up, and nobody waits for it.
#[tokio::test(start_paused = true)]
async fn sec_ds_08_all_that_is_expired_is_swept_however_much_it_is() {
    const ROWS: u64 = 25_000;
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let memory = MemoryStore::new();
    let provider = builder()
        .clock(Arc::clone(&clock) as SharedClock)
        .store(memory.clone())
        .build()
        .unwrap();
    provider.start().await.unwrap();
    let now = Timestamp::from_secs(1_800_000_000);
    let collection = CodeRecord::COLLECTION;
    let expired = (0..ROWS).map(|at| {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&at.to_be_bytes());
        let mut row = Row::new(RowKey::new(collection, digest), digest.to_vec().into());
        row.expires_at = Some(now);
        Change::Put(row)
    });
    let done = memory.commit(expired.collect(), now).await.unwrap();
    assert_eq!(done, Committed::Yes);
    let count = async || memory.count(collection).await.unwrap();

    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(count().await, ROWS, "it begins after a pause");
    let (mut before, mut seconds) = (ROWS, 0);
    while before > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = count().await;
        assert!(before - now <= 10_500, "{} within a second", before - now);
        (before, seconds) = (now, seconds + 1);
        assert!(seconds < 25, "{now} are left");
    }
}

#[tokio::test(start_paused = true)]
async fn the_background_ends_with_the_last_handle() {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let provider = running(&clock).await;
    let context = Arc::downgrade(provider.context().await);
    let clone = provider.clone();
    drop(provider);
    assert!(context.upgrade().is_some());
    drop(clone);
    // Whoever sleeps is woken up, or has no hold of it.
    tokio::task::yield_now().await;
    assert!(context.upgrade().is_none());
}

/// Asks for the tools with a token.
async fn call(app: &Router, token: &portcullis_oauth::BearerToken) -> StatusCode {
    ask(app, token).await.0
}

async fn ask(app: &Router, token: &portcullis_oauth::BearerToken) -> (StatusCode, Vec<u8>) {
    let request = Request::post("/mcp")
        .header(HOST, "mcp.example")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/list")
        .header(AUTHORIZATION, format!("Bearer {}", token.expose()));
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    send(app, request.body(Body::from(body)).unwrap()).await
}

/// A token for `alice` of that server.
async fn minted(provider: &OAuthProvider) -> portcullis_oauth::BearerToken {
    let client = portcullis_oauth::ClientId::parse("cli").unwrap();
    let alice = portcullis_oauth::Subject::parse("alice").unwrap();
    let resource = portcullis_oauth::ResourceUrl::parse(&format!("{BASE}/mcp")).unwrap();
    let mint = crate::Mint::new(alice, client, resource).scope(scopes!["read"]);
    provider.mint(&mint).await.unwrap()
}

#[tokio::test]
async fn sec_px_09_a_minted_token_is_for_one_provider() {
    let store = StoreHandle::from(MemoryStore::new());
    let proxy = |client: &str| {
        let provider = crate::Upstream::oauth2("https://idp.example/a", "https://idp.example/t")
            .userinfo_endpoint("https://idp.example/me");
        let proxy = crate::OAuthProxy::builder(provider).base_url(BASE);
        let proxy = proxy.client(client, "the upstream secret".into());
        let proxy = proxy.own_scopes(scopes!["read"]).store(store.clone());
        proxy.build().unwrap().server().clone()
    };
    let (one, other) = (proxy("one"), proxy("other"));
    let own = builder().store(store.clone()).scopes(scopes!["read"]);
    let own = own.build().unwrap();
    let app = |provider: &OAuthProvider| {
        let tool = async |user: AccessToken| match load_upstream_tokens(&user).await {
            Err(UpstreamTokenError::Absent) => "nothing of the provider's",
            _ => "the provider's",
        };
        let tools = Router::new().fallback(any(tool));
        let auth = provider.clone().into_auth().unwrap();
        auth.protect("/mcp", tools).unwrap()
    };
    let apps = [app(&one), app(&other), app(&own)];
    for (at, provider) in [&one, &other, &own].into_iter().enumerate() {
        let token = minted(provider).await;
        for (place, app) in apps.iter().enumerate() {
            let (status, said) = ask(app, &token).await;
            if place == at {
                assert_eq!(status, StatusCode::OK, "{at}");
                assert_eq!(said, b"nothing of the provider's", "{at}");
            } else {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "of {at} at {place}");
            }
        }
    }
}

#[tokio::test]
async fn sec_rt_11_a_program_ends_what_its_user_has() {
    let store = Arc::new(FaultyStore::new(
        StoreHandle::from(MemoryStore::new()).store(),
    ));
    let keys = SealingKeys::generate(&SeededEntropy::new(2)).unwrap();
    let handle = StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys);
    let provider = builder()
        .store(handle)
        .scopes(scopes!["read"])
        .build()
        .unwrap();
    let auth = provider.clone().into_auth().unwrap();
    let app = auth.protect("/mcp", mcp()).unwrap();
    let user = |name: &str| portcullis_oauth::Subject::parse(name).unwrap();
    let mint = async || {
        let client = portcullis_oauth::ClientId::parse("cli").unwrap();
        let resource = portcullis_oauth::ResourceUrl::parse(&format!("{BASE}/mcp")).unwrap();
        let mint = crate::Mint::new(user("alice"), client, resource).scope(scopes!["read"]);
        let token = provider.mint(&mint).await.unwrap();
        assert_eq!(call(&app, &token).await, StatusCode::OK);
        token
    };
    let token = mint().await;
    provider.end_user(&user("bob")).await.unwrap();
    assert_eq!(call(&app, &token).await, StatusCode::OK, "another's");
    provider.end_user(&user("alice")).await.unwrap();
    assert_eq!(call(&app, &token).await, StatusCode::UNAUTHORIZED);

    // The store did it, and its answer was lost.
    let token = mint().await;
    store.fail(0, Fault::AnswerLost);
    assert!(provider.end_user(&user("alice")).await.is_err());
    assert_eq!(call(&app, &token).await, StatusCode::UNAUTHORIZED);

    // By the id of the grant, and of the client.
    let token = mint().await;
    let grants = provider.grants().await.unwrap();
    let all = grants.list(&crate::GrantFilter::All).await.unwrap();
    assert!(grants.revoke(all[0].id).await.unwrap());
    assert_eq!(call(&app, &token).await, StatusCode::UNAUTHORIZED);
    let token = mint().await;
    let registrations = provider.registrations().await.unwrap();
    let client = portcullis_oauth::ClientId::parse("cli").unwrap();
    assert!(registrations.revoke(&client).await.unwrap());
    assert_eq!(call(&app, &token).await, StatusCode::UNAUTHORIZED);
}
