//! The outermost service of an endpoint: the guard, then CORS. Observers stand here too, so that
//! they see every answer.

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
use crate::observe::{Observation, Watch};
use crate::reload::Again;

/// Lets in what the guard lets in, and answers preflights.
#[derive(Debug, Clone)]
pub(crate) struct Entrance<S> {
    inner: S,
    guard: Arc<Guard>,
    observation: Option<Arc<Observation>>,
}

impl<S> Entrance<S> {
    pub(crate) fn new(inner: S, guard: Arc<Guard>, observation: Option<Arc<Observation>>) -> Self {
        Self {
            inner,
            guard,
            observation,
        }
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

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let checked = self.guard.check(&request);
        if checked.is_ok() && cors::is_preflight(&request) {
            return EntranceFuture::answered(cors::preflight(request.headers()));
        }
        // A stream that asks whether it may go on is no request of anybody.
        let is_stream = request.extensions().get::<Again>().is_some();
        let observation = self.observation.as_ref().filter(|_| !is_stream);
        let watch = observation.map(|observation| observation.begin(&mut request));
        let watch = match watch.transpose() {
            Ok(watch) => watch,
            Err(response) => return EntranceFuture::answered(*response),
        };
        if let Err(stray) = checked {
            let response = stray.into_response();
            return EntranceFuture::answered(match watch {
                Some(watch) => watch.stray(stray, response),
                None => response,
            });
        }
        let origin = request.headers().get(ORIGIN).cloned();
        EntranceFuture {
            state: State::Calling {
                inner: self.inner.call(request),
                origin,
                watch,
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
        Calling { #[pin] inner: F, origin: Option<HeaderValue>, watch: Option<Watch> },
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
            StateProjection::Calling {
                inner,
                origin,
                watch,
            } => {
                let mut response = ready!(inner.poll(cx))?;
                if let Some(watch) = watch.take() {
                    response = watch.answered(response);
                }
                cors::allow(origin.as_ref(), response.headers_mut());
                Poll::Ready(Ok(response))
            }
        }
    }
}
