//! The identity provider behind every proxy: one, and so fast that no proxy waits for it.
//!
//! It keeps nothing: its codes say what it has to know when they come back. Everybody who comes is
//! let in at once, as a new user. What it does for a login is two redirects' worth of HTTP and two
//! signatures.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::{
    Clock as _,
    crypto::sign::SigningKey,
    form::{Form, Limits, encode},
    jose::sign::JwtBuilder,
    json::{Value, json},
};
use tokio::net::TcpListener;

use crate::host::Host;

/// What every proxy is registered as.
pub(super) const CLIENT: &str = "proxy";
pub(super) const SECRET: &str = "proxy-secret";

/// Longer than any benchmark.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

const KEY_ID: &str = "one";

/// Starts it on a thread of its own.
pub(super) async fn start() -> Result<Host> {
    Host::start(serve).await
}

async fn serve(listener: TcpListener) -> Result<()> {
    let upstream = Arc::new(Upstream::at(listener.local_addr()?)?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let upstream = Arc::clone(&upstream);
        let service = service_fn(move |request| {
            let upstream = Arc::clone(&upstream);
            async move { Ok::<_, Infallible>(upstream.answer(request).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

struct Upstream {
    issuer: String,
    key: SigningKey,
    clock: SystemClock,
    users: AtomicUsize,
}

impl Upstream {
    fn at(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            issuer: format!("http://{address}"),
            key: SigningKey::generate_es256()?,
            clock: SystemClock::new(),
            users: AtomicUsize::new(0),
        })
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let answered = match (request.method(), request.uri().path()) {
            (&Method::GET, "/.well-known/openid-configuration") => Ok(said(&self.metadata())),
            (&Method::GET, "/jwks") => {
                Ok(said(&json!({"keys": [self.key.public_jwk(Some(KEY_ID))]})))
            }
            (&Method::GET, "/authorize") => {
                self.authorize(request.uri().query().unwrap_or_default())
            }
            (&Method::POST, "/token") => self.token(request).await,
            (method, path) => Err(anyhow::anyhow!("{method} {path} is not answered")),
        };
        answered.unwrap_or_else(|error| {
            eprintln!("the upstream was asked for what it does not know: {error:#}");
            let mut refusal = said(&json!({"error": "invalid_request"}));
            *refusal.status_mut() = StatusCode::BAD_REQUEST;
            refusal
        })
    }

    fn metadata(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        })
    }

    /// Lets everybody in. The code is `USER.NONCE`.
    fn authorize(&self, query: &str) -> Result<Response<Full<Bytes>>> {
        let asked = Form::parse(query.as_bytes(), Limits::ENDPOINT)?;
        let user = self.users.fetch_add(1, Ordering::Relaxed);
        let nonce = asked.one("nonce")?.unwrap_or_default();
        let answer = encode(&[
            ("code", &format!("{user}.{nonce}")),
            ("state", asked.required("state")?),
            ("iss", &self.issuer),
        ]);
        let back = format!("{}?{answer}", asked.required("redirect_uri")?);
        let answer = Response::builder()
            .status(StatusCode::FOUND)
            .header(header::LOCATION, back);
        Ok(answer.body(Full::default())?)
    }

    async fn token(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let body = request.into_body().collect().await?.to_bytes();
        let asked = Form::parse(&body, Limits::ENDPOINT)?;
        let code = asked.required("code")?;
        let (user, nonce) = code.split_once('.').context("a code of another upstream")?;
        let subject = format!("user-{user}");
        let identity = JwtBuilder::new()
            .claim("iss", self.issuer.as_str())
            .claim("nonce", nonce);
        let access = JwtBuilder::access_token(&self.issuer)
            .claim("client_id", CLIENT)
            .claim("jti", code)
            .claim("scope", "openid notes:read");
        let sign = |token: JwtBuilder| {
            let token = token.kid(KEY_ID).subject(&subject).audience(CLIENT);
            token.valid(self.clock.now(), LIFETIME).sign(&self.key)
        };
        Ok(said(&json!({
            "access_token": sign(access)?,
            "id_token": sign(identity)?,
            "refresh_token": format!("refresh-{user}"),
            "token_type": "Bearer",
            "expires_in": LIFETIME.as_secs(),
            "scope": "openid notes:read",
        })))
    }
}

fn said(value: &Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(value.to_string()));
    let json = header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}
