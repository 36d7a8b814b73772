//! A server behind whose lists show each caller what it may use.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use portcullis_resource_server::AccessToken;
use portcullis_resource_server::mcp::peek::peek;
use tower::Service;

use super::Filter;
use crate::rules::Rules;

/// Stands in front of a transport. Without rules it does nothing.
#[derive(Debug, Clone)]
pub(crate) struct Filtered<T> {
    inner: T,
    rules: Arc<Rules>,
    upstream: Arc<str>,
}

impl<T> Filtered<T> {
    pub(crate) fn new(inner: T, rules: Arc<Rules>, upstream: Arc<str>) -> Self {
        Self {
            inner,
            rules,
            upstream,
        }
    }
}

type Answering = BoxFuture<'static, Result<Response<Body>, Infallible>>;

impl<T> Service<Request<Body>> for Filtered<T>
where
    T: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answering>
        + Clone
        + Send
        + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        if self.rules.is_empty() {
            return self.inner.call(request);
        }
        // `poll_ready` said yes to this one.
        let spare = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let (rules, upstream) = (Arc::clone(&self.rules), Arc::clone(&self.upstream));
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            // It was read whole before, so it is there at once.
            let body = body
                .collect()
                .await
                .map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
            let token = parts.extensions.get::<AccessToken>();
            let filter = concerns(&parts.method, &body)
                .then(|| Filter::new(rules, token.cloned(), Arc::clone(&upstream)));
            let again = Request::from_parts(parts, Body::from(body.clone()));
            let answer = inner.call(again).await?;
            let Some(filter) = filter else {
                return Ok(answer);
            };
            let shown = filter.apply(answer).await;
            Ok(shown.unwrap_or_else(|failure| failure.into_response(&upstream, &body)))
        })
    }
}

/// Whether the answer may hold a list.
fn concerns(method: &Method, body: &[u8]) -> bool {
    // SECURITY: a stream that is taken up again brings what was missed on another, lists too;
    // sec_gw_15_a_redelivered_list_is_filtered
    *method == Method::GET
        || peek(body).is_ok_and(|message| {
            let operation = message.operation();
            operation.is_some_and(|operation| Filter::concerns(operation.method()))
        })
}
