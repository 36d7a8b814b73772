//! The way of one request, as a value.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Response;
use pin_project_lite::pin_project;

use super::body::{Opener, guard};
use super::denial::Denial;

pin_project! {
    /// Resolves to the inner answer or to a refusal.
    ///
    /// A token that was verified before needs no waiting, and this future then no allocation.
    pub struct AuthFuture<F, E> {
        #[pin]
        state: State<F, E>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, E> {
        Denied { denial: Option<Denial> },
        Calling { #[pin] inner: F, opener: Option<Opener> },
        Verifying { whole: BoxFuture<'static, Result<Response<Body>, E>> },
    }
}

impl<F, E> AuthFuture<F, E> {
    pub(super) fn denied(denial: Denial) -> Self {
        Self {
            state: State::Denied {
                denial: Some(denial),
            },
        }
    }

    pub(super) fn calling(inner: F, opener: Option<Opener>) -> Self {
        Self {
            state: State::Calling { inner, opener },
        }
    }

    pub(super) fn verifying(
        whole: impl Future<Output = Result<Response<Body>, E>> + Send + 'static,
    ) -> Self {
        Self {
            state: State::Verifying {
                whole: Box::pin(whole),
            },
        }
    }
}

impl<F, R, E> Future for AuthFuture<F, E>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Denied { denial } => match denial.take() {
                Some(denial) => Poll::Ready(Ok(denial.into_response())),
                None => Poll::Pending,
            },
            StateProjection::Calling { inner, opener } => inner
                .poll(cx)
                .map_ok(|response| guard(response, opener.take())),
            StateProjection::Verifying { whole } => whole.as_mut().poll(cx),
        }
    }
}

impl<F, E> fmt::Debug for AuthFuture<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Denied { .. } => "AuthFuture(denied)",
            State::Calling { .. } => "AuthFuture(calling)",
            State::Verifying { .. } => "AuthFuture(verifying)",
        })
    }
}
