//! The outermost service of an endpoint: the guard, then CORS.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::IntoResponse as _;
use http::header::ORIGIN;
use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::cors;
use super::guard::Guard;

/// Lets in what the guard lets in, and answers preflights.
#[derive(Debug, Clone)]
pub(crate) struct Entrance<S> {
    inner: S,
    guard: Arc<Guard>,
}

impl<S> Entrance<S> {
    pub(crate) fn new(inner: S, guard: Arc<Guard>) -> Self {
        Self { inner, guard }
    }
}

impl<S> Service<Request<Body>> for Entrance<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = EntranceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Err(stray) = self.guard.check(&request) {
            return EntranceFuture::answered(stray.into_response());
        }
        if cors::is_preflight(&request) {
            return EntranceFuture::answered(cors::preflight(request.headers()));
        }
        let origin = request.headers().get(ORIGIN).cloned();
        EntranceFuture {
            state: State::Calling {
                inner: self.inner.call(request),
                origin,
            },
        }
    }
}

pin_project! {
    /// Resolves to the inner answer, which the request's page may read, or to one of our own.
    pub(crate) struct EntranceFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Answered { response: Option<Response<Body>> },
        Calling { #[pin] inner: F, origin: Option<HeaderValue> },
    }
}

impl<F> EntranceFuture<F> {
    fn answered(response: Response<Body>) -> Self {
        Self {
            state: State::Answered {
                response: Some(response),
            },
        }
    }
}

impl<F> Future for EntranceFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Answered { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
            StateProjection::Calling { inner, origin } => {
                let mut response = ready!(inner.poll(cx))?;
                cors::allow(origin.as_ref(), response.headers_mut());
                Poll::Ready(Ok(response))
            }
        }
    }
}
