//! The whole server as it is mounted, asked as a client asks it.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing::any};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Request, StatusCode};
use portcullis_oauth::crypto::base64;
use portcullis_oauth::form::Writer;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{
    ClientId, CodeVerifier, MockClock, RedirectUri, ResourceUrl, ScopeSet, SeededEntropy,
    SharedClock, SharedEntropy, Subject, Timestamp, scopes,
};
use portcullis_resource_server::{Auth, ClientAddress, IntoAuth as _};
use portcullis_store::{Collection, MemoryStore, Page, Row, SealingKeys, Store, StoreHandle};
use portcullis_testkit::store::FaultyStore;
use tower::ServiceExt as _;

use super::world::{BASE, Book, People, RESOURCE, known};
use crate::client::{ClientOrigin, ConfiguredClient, GrantType};
use crate::context::Shared;
use crate::grant::Approval;
use crate::provider::{OAuthProvider, OAuthProviderBuilder};

pub(super) const START: i64 = 1_800_000_000;
pub(super) const REDIRECT: &str = "http://127.0.0.1:7777/cb";
/// A public client that registered itself.
pub(super) const APP: &str = "app";
/// Another one.
pub(super) const OTHER: &str = "other";
/// A configured client with a secret.
pub(super) const DAEMON: &str = "daemon";
pub(super) const SECRET: &str = "2Yk8pQv5Zr1Xn7Lw9Bt3Hs6Fd4Gj0Mc";

/// The whole server.
pub(super) struct Server {
    pub(super) app: Router,
    pub(super) context: Shared,
    pub(super) clock: Arc<MockClock>,
    pub(super) people: People,
    pub(super) book: Book,
    pub(super) store: Arc<FaultyStore>,
}

/// An answer that was read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        json::value(&self.body, Limits::METADATA).unwrap()
    }

    /// Status and error.
    pub(super) fn error(&self) -> (u16, String) {
        let error = self.json()["error"].as_str().unwrap_or("none").to_owned();
        (self.status.as_u16(), error)
    }

    #[track_caller]
    pub(super) fn text(&self, name: &str) -> String {
        let value = self.json()[name].as_str().map(str::to_owned);
        value.unwrap_or_else(|| panic!("{name} is not in {self:?}"))
    }
}

pub(super) fn verifier() -> CodeVerifier {
    CodeVerifier::parse(&"v".repeat(43)).unwrap()
}

impl Server {
    pub(super) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(super) async fn with(
        change: impl FnOnce(OAuthProviderBuilder) -> OAuthProviderBuilder,
    ) -> Self {
        Self::mounted(change, |auth| auth).await
    }

    pub(super) async fn mounted(
        change: impl FnOnce(OAuthProviderBuilder) -> OAuthProviderBuilder,
        mount: impl FnOnce(Auth) -> Auth,
    ) -> Self {
        let clock = Arc::new(MockClock::at(START));
        let entropy: SharedEntropy = Arc::new(SeededEntropy::new(7));
        let (book, people) = (Book::default(), People::default());
        for id in [APP, OTHER] {
            book.put(known((id, "http://127.0.0.1/cb"), ClientOrigin::Registered));
        }
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let keys = SealingKeys::generate(&*entropy).unwrap();
        let daemon = ConfiguredClient::new(DAEMON)
            .secret(ClientSecret::new(SECRET))
            .grant_types([GrantType::CLIENT_CREDENTIALS])
            .scopes(scopes!["read"]);
        let builder = OAuthProvider::builder()
            .base_url(BASE)
            .users(people.clone())
            .registry(book.clone())
            .client(daemon)
            .store(StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys))
            .scopes(scopes!["read", "write"])
            .clock(Arc::clone(&clock) as SharedClock)
            .entropy(entropy);
        let provider = change(builder).build().unwrap();
        let context = Arc::clone(provider.context().await);
        let auth = mount(provider.into_auth().unwrap());
        let mcp = Router::new().fallback(any(async || "the tool's answer".into_response()));
        let app = auth.protect("/mcp", mcp).unwrap();
        Self {
            app,
            context,
            clock,
            people,
            book,
            store,
        }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        read(self.app.clone().oneshot(request).await.unwrap()).await
    }

    /// Posts a form.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path).body(body(fields)).unwrap()).await
    }

    /// Posts a form to the token endpoint from an address.
    pub(super) async fn post_from(&self, address: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_at("/oauth/token", address, fields).await
    }

    /// Posts a form from an address.
    pub(super) async fn post_at(
        &self,
        path: &str,
        address: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let mut request = form(path).body(body(fields)).unwrap();
        let address = ClientAddress::new(address.parse().unwrap());
        request.extensions_mut().insert(address);
        self.send(request).await
    }

    /// Posts a form as a client with a secret.
    pub(super) async fn post_as(
        &self,
        (id, secret): (&str, &str),
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let basic = format!("Basic {}", base64::encode(format!("{id}:{secret}")));
        let request = form(path).header(AUTHORIZATION, basic);
        self.send(request.body(body(fields)).unwrap()).await
    }

    /// A code that alice approved for a client.
    pub(super) async fn code(&self, client: &str) -> String {
        self.code_for(client, scopes!["read", "write"]).await
    }

    pub(super) async fn code_for(&self, client: &str, scope: ScopeSet) -> String {
        self.code_at(RESOURCE, client, scope).await
    }

    /// A code for another of the resources.
    pub(super) async fn code_at(&self, resource: &str, client: &str, scope: ScopeSet) -> String {
        let mut interaction = [0; 16];
        self.context.entropy.fill(&mut interaction).unwrap();
        let approval = Approval {
            interaction,
            session: [7; 32],
            client: ClientId::parse(client).unwrap(),
            redirect_uri: RedirectUri::parse(REDIRECT).unwrap(),
            code_challenge: verifier().challenge(),
            scope,
            resource: ResourceUrl::parse(resource).unwrap(),
            subject: Subject::parse("alice").unwrap(),
            generation: 0,
            authenticated_at: Timestamp::from_secs(START),
            refresh: true,
            address: None,
        };
        let code = self.context.ledger.approve(&approval, None).await.unwrap();
        code.expose().to_owned()
    }

    /// Redeems a code as its client should, with other or further fields.
    pub(super) async fn redeem(&self, client: &str, code: &str, other: &[(&str, &str)]) -> Answer {
        let verifier = verifier();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier.expose()),
        ];
        for (name, value) in other {
            fields.retain(|(known, _)| known != name);
            if !value.is_empty() {
                fields.push((name, value));
            }
        }
        self.post("/oauth/token", &fields).await
    }

    pub(super) async fn refresh(
        &self,
        client: &str,
        token: &str,
        other: &[(&str, &str)],
    ) -> Answer {
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("client_id", client),
            ("refresh_token", token),
        ];
        fields.extend(other);
        self.post("/oauth/token", &fields).await
    }

    /// Tokens of a fresh grant.
    pub(super) async fn tokens(&self, client: &str) -> (String, String) {
        let code = self.code(client).await;
        let answer = self.redeem(client, &code, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        (answer.text("access_token"), answer.text("refresh_token"))
    }

    /// What the protected server answers to whoever has that token.
    pub(super) async fn call(&self, token: &str) -> StatusCode {
        let request = Request::post("/mcp")
            .header(HOST, "mcp.example")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#));
        self.send(request.unwrap()).await.status
    }

    /// All that is stored, to be compared.
    pub(super) async fn stored(&self) -> Vec<Row> {
        let mut all = Vec::new();
        for name in [
            "account",
            "answer",
            "client_assertions",
            "clients",
            "code",
            "grant",
            "initial_token",
            "session",
        ] {
            let page = Page::first(10_000);
            all.extend(self.store.list(Collection::new(name), page).await.unwrap());
        }
        all
    }
}

fn form(path: &str) -> http::request::Builder {
    Request::post(path)
        .header(HOST, "mcp.example")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
}

pub(super) fn body(fields: &[(&str, &str)]) -> Body {
    let form = fields
        .iter()
        .fold(Writer::new(), |form, (name, value)| form.pair(name, value));
    Body::from(form.finish())
}

async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: to_bytes(body, 1 << 20).await.unwrap(),
    }
}
