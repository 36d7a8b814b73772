//! A server behind that speaks Streamable HTTP: a reverse proxy that reads no more than it must.
//!
//! | | |
//! |---|---|
//! | where to | the configured URL; no part of a request chooses it |
//! | request | its body unchanged, the header fields on a list |
//! | answer | its status and body unchanged as they arrive, the header fields on a list |
//! | refused | challenges, redirects, failures and compressed bodies: 502 with an incident |
//! | ends | when either side leaves, or the answer does not begin in time |

mod answer;
mod headers;
mod idle;
mod request;
mod server;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_fetch::StreamClient;
use portcullis_resource_server::AccessToken;
use portcullis_resource_server::mcp::PeekedMessage;
use tower::Service;

use self::idle::Idle;
pub(crate) use self::request::Outgoing;
pub use self::server::{DangerousHttpServer, HttpServer};
use crate::failure::Failure;
use crate::json_rpc::{refusal, unknown_session};

/// Forwards requests to one server. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct HttpTransport(Arc<Route>);

#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: Arc<str>,
    pub(crate) client: StreamClient,
    pub(crate) outgoing: Outgoing,
    /// How long a body may pause.
    pub(crate) idle: Duration,
}

impl HttpTransport {
    pub(crate) fn new(route: Route) -> Self {
        Self(Arc::new(route))
    }
}

impl Service<Request<Body>> for HttpTransport {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let route = Arc::clone(&self.0);
        Box::pin(async move { Ok(route.serve(request).await) })
    }
}

impl Route {
    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        // It was read whole before, so it is there at once.
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::new(),
        };
        let message = parts.extensions.get::<PeekedMessage>();
        let id = message.and_then(PeekedMessage::id);
        if headers::check(&parts.headers, message).is_err() {
            let what = "The headers do not match the body";
            return refusal(StatusCode::BAD_REQUEST, id.map(str::as_bytes), -32020, what);
        }
        let token = parts.extensions.get::<AccessToken>();
        let headers = match self.outgoing.headers(&parts.headers, &parts.extensions) {
            Ok(headers) => headers,
            Err(fault) => return Failure::Identity(fault).into_response(&self.name, id),
        };
        // SECURITY: an event id alone names somebody's stream, and no session says whose;
        // sec_rs_18_an_event_id_without_a_session_resumes_nothing
        if token.is_some() && headers::resumes_for_nobody(&headers) {
            return unknown_session();
        }
        let answer = self.forward(parts.method, headers, body).await;
        answer.unwrap_or_else(|failure| failure.into_response(&self.name, id))
    }

    async fn forward(
        &self,
        method: Method,
        headers: http::HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, Failure> {
        let answer = self.client.send(method, headers, body).await?;
        let headers = answer::check(answer.status(), answer.headers())?;
        let (parts, body) = answer.into_parts();
        let mut response = Response::new(Body::new(Idle::new(body, self.idle)));
        *response.status_mut() = parts.status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
