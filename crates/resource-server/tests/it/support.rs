//! What the tests share: a verifier with three tokens, and a service that counts its calls.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_oauth::{BearerToken, Scope, ScopeSet, Timestamp, scopes};
use portcullis_resource_server::{
    AccessToken, Rejection, TokenParts, TokenVerifier, Unavailable, VerifyContext, VerifyError,
};
use tower::{Service, ServiceExt as _};

pub(crate) const BASE: &str = "https://mcp.example.com";

/// `Bearer <subject>.<scope>+<scope>`, with `~` for the colon, which a token cannot have; some
/// subjects bring trouble.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    pub(crate) required: ScopeSet,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) calls: Arc<AtomicUsize>,
}

impl TokenVerifier for Tokens {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let (subject, scopes) = token
            .expose()
            .split_once('.')
            .unwrap_or((token.expose(), ""));
        match subject {
            "expired" => return Err(Rejection::Expired.into()),
            "foreign" => return Err(Rejection::WrongAudience.into()),
            "down" => return Err(Unavailable::new("the key set is out of reach").into()),
            "panic" => panic!("a verifier with a bug"),
            _ => {}
        }
        let scopes = scopes.replace('~', ":");
        let scopes = scopes
            .split('+')
            .filter_map(|scope| Scope::parse(scope).ok())
            .collect();
        let mut parts = TokenParts::new("https://auth.example.com", subject)
            .client_id(match subject {
                "chatgpt" => "https://chatgpt.com/oauth/client.json",
                "codex" => "https://chatgpt.com/oauth/codex/client.json",
                _ => "cli",
            })
            .audience([cx.resource().as_str()])
            .scopes(scopes);
        if let Some(end) = self.expires_at {
            parts = parts.expires_at(end);
        }
        Ok(AccessToken::assert_verified(parts))
    }

    fn required_scopes(&self) -> ScopeSet {
        self.required.clone()
    }
}

pub(crate) fn with_required() -> Tokens {
    Tokens {
        required: scopes!["mcp:read"],
        ..Tokens::default()
    }
}

/// The answer as a test reads it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The challenge; there is exactly one.
    pub(crate) fn challenge(&self) -> &str {
        assert_eq!(
            self.headers.get_all("www-authenticate").iter().count(),
            1,
            "{self:?}"
        );
        self.header("www-authenticate").unwrap()
    }
}

pub(crate) async fn send<S, R>(service: S, request: Request<Body>) -> Answer
where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
    R: axum::body::HttpBody<Data = Bytes>,
    R::Error: std::fmt::Debug,
{
    let response = service.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// A request with headers in pairs; the host is ours unless given, and the body JSON.
pub(crate) fn request(
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        request = request.header("host", "mcp.example.com");
    }
    if method == "POST"
        && !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}
