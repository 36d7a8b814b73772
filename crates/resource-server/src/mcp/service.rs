//! Between the token and the server: sessions, the body's operation, and the decision on it.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower::{Service, ServiceExt as _};

use super::access::{AccessPolicy, Decision, Operation};
use super::peek::{Message, error_body, peek};
use super::session::{self, Reservation, SessionOwner, Sessions};
use super::step_up::StepUp;
use crate::AccessToken;
use crate::layer::Policy;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The first revision without sessions.
const STATELESS: &str = "2026-07-28";

/// What all requests to one MCP endpoint share.
pub(crate) struct Endpoint {
    pub(crate) access: Arc<dyn AccessPolicy>,
    pub(crate) sessions: Sessions,
    /// Absent where the server asks for no tokens.
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) limits: BodyLimits,
}

/// How large a request may be and how long its body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes: 4 * 1024 * 1024,
            time: Duration::from_secs(30),
        }
    }
}

/// The MCP endpoint behind the auth layer.
#[derive(Clone)]
pub(crate) struct McpService<S> {
    inner: S,
    endpoint: Arc<Endpoint>,
}

impl<S> McpService<S> {
    pub(crate) fn new(inner: S, endpoint: Arc<Endpoint>) -> Self {
        Self { inner, endpoint }
    }
}

impl<S> fmt::Debug for McpService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("McpService")
    }
}

impl<S> Service<Request<Body>> for McpService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Readiness of the inner service is awaited in `call`, by the clone that is used.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (endpoint, inner) = (Arc::clone(&self.endpoint), self.inner.clone());
        Box::pin(async move {
            match endpoint.admit(request).await {
                Ok(Admitted {
                    mut request,
                    session,
                }) => {
                    let wish = StepUp::default();
                    let token = request.extensions().get::<AccessToken>().cloned();
                    request.extensions_mut().insert(wish.clone());
                    let response = inner.oneshot(request).await?;
                    let response = endpoint.step_up(response, &wish, token.as_ref());
                    Ok(endpoint.note(response, session))
                }
                Err(Refusal(response)) => Ok(*response),
            }
        })
    }
}

/// A request that may go on, and what its answer will say about sessions.
struct Admitted {
    request: Request<Body>,
    session: SessionEvent,
}

enum SessionEvent {
    None,
    /// The answer may open a session.
    Opening(Reservation),
    /// The answer may end this one.
    Ending(String),
}

/// The answer to a request that goes no further.
struct Refusal(Box<Response<Body>>);

impl From<Response<Body>> for Refusal {
    fn from(response: Response<Body>) -> Self {
        Self(Box::new(response))
    }
}

impl Endpoint {
    async fn admit(&self, mut request: Request<Body>) -> Result<Admitted, Refusal> {
        // SECURITY: cookies are a browser's credentials, and nothing here reads them;
        // sec_op_01_no_credentials_below_the_layer
        request.headers_mut().remove(COOKIE);
        let session = self.own_session(&mut request)?;
        if request.method() != Method::POST {
            let session = match (session, request.method()) {
                (Some(id), &Method::DELETE) => SessionEvent::Ending(id),
                _ => SessionEvent::None,
            };
            return Ok(Admitted { request, session });
        }
        let (parts, body) = request.into_parts();
        let body = self.read(&parts.headers, body).await?;
        let message =
            peek(&body).map_err(|error| json_rpc(StatusCode::BAD_REQUEST, error.body()))?;
        let token = parts.extensions.get::<AccessToken>();
        if let Some(operation) = message.operation() {
            self.decide(token, operation).await?;
        }
        let session = match &message {
            Message::Request { operation, id, .. }
                if operation.method() == "initialize" && session.is_none() =>
            {
                let reserved = self.sessions.reserve(SessionOwner::of(token));
                SessionEvent::Opening(reserved.map_err(|_| busy(id))?)
            }
            _ => SessionEvent::None,
        };
        Ok(Admitted {
            request: Request::from_parts(parts, Body::from(body)),
            session,
        })
    }

    /// The session that a request names, if it is the caller's own.
    fn own_session(&self, request: &mut Request<Body>) -> Result<Option<String>, Refusal> {
        if is_stateless(request.headers()) {
            // SECURITY: a revision without sessions adopts none (MCP 2026-07-28, transports);
            // sec_rs_16_a_stateless_request_names_no_session
            request.headers_mut().remove(SESSION_ID);
            return Ok(None);
        }
        let mut ids = request.headers().get_all(SESSION_ID).iter();
        let id = match (ids.next(), ids.next()) {
            (None, _) => return Ok(None),
            (Some(id), None) => id.to_str().map_err(|_| unknown_session())?,
            _ => return Err(unknown_session()),
        };
        let caller = SessionOwner::of(request.extensions().get::<AccessToken>());
        if !self.sessions.is_owned_by(id, &caller) {
            tracing::info!(target: "portcullis::security", "session of another principal, or none");
            return Err(unknown_session());
        }
        Ok(Some(id.to_owned()))
    }

    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
        // SECURITY: a compressed body would be measured before it grows;
        // sec_ds_01_a_compressed_body_is_refused
        if headers
            .get(CONTENT_ENCODING)
            .is_some_and(|encoding| encoding != "identity")
        {
            let body = error_body(None, -32600, "Content-Encoding is not supported");
            return Err(json_rpc(StatusCode::UNSUPPORTED_MEDIA_TYPE, body));
        }
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        let announced = announced.and_then(|length| length.parse::<usize>().ok());
        // SECURITY: sec_ds_01_a_large_body_is_refused_while_it_streams
        if announced.is_some_and(|length| length > self.limits.bytes) {
            return Err(too_large());
        }
        let whole = Limited::new(body, self.limits.bytes).collect();
        // SECURITY: a body that trickles holds nothing for long; sec_ds_02_a_slow_body_times_out
        match tokio::time::timeout(self.limits.time, whole).await {
            Err(_) => Err(json_rpc(
                StatusCode::REQUEST_TIMEOUT,
                error_body(None, -32600, "The request took too long"),
            )),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(json_rpc(
                StatusCode::BAD_REQUEST,
                error_body(None, -32700, "The request ended early"),
            )),
            Ok(Ok(body)) => Ok(body.to_bytes()),
        }
    }

    async fn decide(
        &self,
        token: Option<&AccessToken>,
        operation: &Operation<'_>,
    ) -> Result<(), Refusal> {
        match (self.access.decide(token, operation).await, &self.policy) {
            // Where no tokens are asked for, a challenge leads nowhere: the dispatcher denies.
            (Decision::Allow | Decision::Hide, _) | (Decision::StepUp(_), None) => Ok(()),
            // SECURITY: before dispatch, while the status is open (MCP authorization, scope
            // challenge handling); sec_rs_07_a_tool_scope_is_403_before_dispatch
            (Decision::StepUp(needed), Some(policy)) => {
                let denial = match token {
                    Some(token) => policy.insufficient_scope(token, &needed),
                    None => policy.token_needed(&needed),
                };
                Err(denial.into_response().into())
            }
        }
    }

    /// The challenge in place of an answer whose handler found a scope missing.
    fn step_up(
        &self,
        response: Response<Body>,
        wish: &StepUp,
        token: Option<&AccessToken>,
    ) -> Response<Body> {
        match (wish.for_answer(&response), &self.policy, token) {
            (Some(needed), Some(policy), Some(token)) => {
                policy.insufficient_scope(token, needed).into_response()
            }
            _ => response,
        }
    }

    /// What an answer changes: a session that was opened, one that ended.
    fn note(&self, response: Response<Body>, event: SessionEvent) -> Response<Body> {
        match event {
            SessionEvent::Opening(reservation) if response.status().is_success() => {
                let id = response
                    .headers()
                    .get(SESSION_ID)
                    .and_then(|id| id.to_str().ok());
                if let Some(id) = id {
                    reservation.open(id);
                }
            }
            SessionEvent::Ending(id) if response.status().is_success() => self.sessions.close(&id),
            _ => {}
        }
        response
    }
}

/// Whether the request speaks a revision without sessions. Revisions are dates, so they sort.
fn is_stateless(headers: &HeaderMap) -> bool {
    headers
        .get(PROTOCOL_VERSION)
        .and_then(|version| version.to_str().ok())
        .is_some_and(|version| version.len() == STATELESS.len() && version >= STATELESS)
}

fn json_rpc(status: StatusCode, body: String) -> Refusal {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.into()
}

fn too_large() -> Refusal {
    let mut response = json_rpc(
        StatusCode::PAYLOAD_TOO_LARGE,
        error_body(None, -32600, "Request too large"),
    );
    response
        .0
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn busy(id: &str) -> Refusal {
    let body = error_body(Some(id), -32000, "Too many sessions, try again later");
    let mut response = json_rpc(StatusCode::SERVICE_UNAVAILABLE, body);
    response
        .0
        .headers_mut()
        .insert(http::header::RETRY_AFTER, HeaderValue::from_static("30"));
    response
}

fn unknown_session() -> Refusal {
    let mut response = Response::new(Body::from(session::NOT_FOUND));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.into()
}
