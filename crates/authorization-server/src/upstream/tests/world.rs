//! A provider on a free port of 127.0.0.1, over plain HTTP: it answers what the test says, and keeps
//! what it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use portcullis_fetch::Fetcher;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::form::{Form, Limits};
use portcullis_oauth::jose::sign::JwtBuilder;
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{ClientId, CodeVerifier, MockClock, SecretString, SeededEntropy, Timestamp};
use tokio::task::AbortHandle;

use super::super::{
    Login, Proof, Upstream, UpstreamAuthentication, UpstreamClient, UpstreamError, UpstreamParts,
    Wants,
};

pub(super) const CLIENT: &str = "our-client";
pub(super) const SECRET: &str = "s3cret of ours";
pub(super) const CALLBACK: &str = "http://localhost:8000/oauth/callback";
pub(super) const NONCE: &str = "nonce-of-this-login";
pub(super) const NOW: i64 = 1_800_000_000;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// One request, as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Asked {
    pub(super) fn form(&self) -> Form {
        Form::parse(&self.body, Limits::ENDPOINT).unwrap()
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.form().one(name).unwrap().map(str::to_owned)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(body: &Value) -> Self {
        Self::of("application/json", body.to_string())
    }

    pub(super) fn of(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", kind.to_owned())],
            body: body.into(),
        }
    }

    pub(super) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

#[derive(Default)]
struct Script {
    answers: Mutex<BTreeMap<String, Answer>>,
    asked: Mutex<Vec<Asked>>,
    /// Paths that do not answer.
    stalled: Mutex<BTreeSet<String>>,
}

pub(super) struct World {
    pub(super) origin: String,
    pub(super) clock: Arc<MockClock>,
    pub(super) key: SigningKey,
    fetcher: Fetcher,
    script: Arc<Script>,
    server: AbortHandle,
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl World {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Script::default());
        let router = axum::Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&script));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let world = Self {
            origin,
            clock: Arc::new(MockClock::at(NOW)),
            fetcher: Fetcher::trusted().allow_loopback(true).build().unwrap(),
            key: SigningKey::ed25519_from_seed(&[7; 32]).unwrap(),
            script,
            server: server.abort_handle(),
        };
        world.publish(&world.key);
        world.tokens(&json!({}));
        world
    }

    pub(super) fn publish(&self, key: &SigningKey) {
        let jwks = json!({"keys": [key.public_jwk(None).unwrap()]});
        self.on("/jwks", Answer::json(&jwks));
    }

    /// Lets whoever asks there wait for ever.
    pub(super) fn stall(&self, path: &str) {
        self.script.stalled.lock().unwrap().insert(path.to_owned());
    }

    /// Nobody is there any more.
    pub(super) fn stop(&self) {
        self.server.abort();
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(super) fn on(&self, path: &str, answer: Answer) {
        let mut answers = self.script.answers.lock().unwrap();
        answers.insert(path.to_owned(), answer);
    }

    /// Answers `/token` with an access token and these members.
    pub(super) fn tokens(&self, members: &Value) {
        let mut body = json!({"access_token": "at-1", "token_type": "Bearer", "expires_in": 3600});
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.on("/token", Answer::json(&body));
    }

    pub(super) fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.script.asked.lock().unwrap();
        asked
            .iter()
            .filter(|asked| asked.path == path)
            .cloned()
            .collect()
    }

    pub(super) fn last(&self, path: &str) -> Asked {
        self.asked(path).pop().unwrap()
    }

    /// An ID token for this login, without a signature yet.
    pub(super) fn id_token(&self) -> JwtBuilder {
        JwtBuilder::new()
            .claim("iss", self.origin.as_str())
            .subject("alice")
            .audience(CLIENT)
            .claim("nonce", NONCE)
            .claim("name", "Alice")
            .valid(Timestamp::from_secs(NOW), Duration::from_secs(300))
    }

    pub(super) fn sign(&self, token: JwtBuilder) -> String {
        token.sign(&self.key).unwrap()
    }

    /// A provider of plain OAuth 2, whose users are at `/userinfo`.
    pub(super) fn oauth2(&self) -> Upstream {
        self.on(
            "/userinfo",
            Answer::json(&json!({"sub": "alice", "name": "Alice"})),
        );
        Upstream::oauth2(self.url("/authorize"), self.url("/token"))
            .userinfo_endpoint(self.url("/userinfo"))
    }

    /// An OpenID provider that is found by its metadata.
    pub(super) fn oidc(&self) -> Upstream {
        self.metadata(&json!({}));
        self.tokens(&json!({"id_token": self.sign(self.id_token())}));
        Upstream::oidc(self.origin.as_str())
    }

    /// Serves metadata with these members beside the usual ones.
    pub(super) fn metadata(&self, members: &Value) {
        let mut body = json!({
            "issuer": self.origin,
            "authorization_endpoint": self.url("/authorize"),
            "token_endpoint": self.url("/token"),
            "jwks_uri": self.url("/jwks"),
        });
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.on(METADATA, Answer::json(&body));
    }

    pub(super) fn parts(&self, upstream: Upstream) -> UpstreamParts {
        UpstreamParts {
            upstream,
            client_id: ClientId::parse(CLIENT).unwrap(),
            authentication: UpstreamAuthentication::Secret(SecretString::from(SECRET)),
            redirect_uri: CALLBACK.to_owned(),
            wants: Wants::default(),
            scopes: None,
            fetcher: Some(self.fetcher.clone()),
            clock: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::new(1)),
        }
    }

    pub(super) fn client(&self, upstream: Upstream) -> UpstreamClient {
        UpstreamClient::new(self.parts(upstream)).unwrap()
    }

    /// A client that makes its own way out.
    pub(super) fn client_of_its_own(&self, upstream: Upstream) -> UpstreamClient {
        let mut parts = self.parts(upstream);
        parts.fetcher = None;
        UpstreamClient::new(parts).unwrap()
    }

    pub(super) async fn redeem(&self, upstream: Upstream) -> Result<Login, UpstreamError> {
        redeem(&self.client(upstream)).await
    }
}

pub(super) const METADATA: &str = "/.well-known/openid-configuration";

pub(super) async fn redeem(client: &UpstreamClient) -> Result<Login, UpstreamError> {
    let code = AuthorizationCode::new("code-1");
    let tokens = client.redeem(&code, &proof()).await?;
    let evidence = Some(client.identify(&tokens, &proof()).await?);
    Ok(Login {
        tokens,
        evidence,
        doubt: None,
    })
}

pub(super) fn proof() -> Proof {
    Proof {
        verifier: CodeVerifier::parse(VERIFIER).unwrap(),
        nonce: NONCE.to_owned(),
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    script.asked.lock().unwrap().push(Asked {
        path: path.clone(),
        headers: head.headers,
        body,
    });
    let stalls = script.stalled.lock().unwrap().contains(&path);
    if stalls {
        std::future::pending::<()>().await;
    }
    let answer = script.answers.lock().unwrap().get(&path).cloned();
    let Some(answer) = answer else {
        return Response::builder().status(404).body(Body::empty()).unwrap();
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}
