//! The service that [`AuthLayer`](super::AuthLayer) makes.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use super::body::{Opener, guard};
use super::credentials::Credentials;
use super::denial::Denial;
use super::future::AuthFuture;
use super::policy::{Admitted, FirstLook, Policy};
use crate::AccessToken;
use crate::reload::{Again, Way};

/// Verifies, then calls the service inside.
#[derive(Debug, Clone)]
pub struct AuthService<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S> AuthService<S> {
    pub(super) fn new(inner: S, policy: Arc<Policy>) -> Self {
        Self { inner, policy }
    }

    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for AuthService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = AuthFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(again) = request.extensions_mut().remove::<Again>() {
            let policy = Arc::clone(&self.policy);
            return AuthFuture::verifying(async move {
                Ok(Again::answer(policy.admits_again(&again).await))
            });
        }
        let way = request.extensions_mut().remove::<Way>();
        let credentials = Credentials::take(&mut request);
        // SECURITY: a token in the extensions is this layer's word alone;
        // sec_rs_09_nothing_outside_can_plant_a_token
        request.extensions_mut().remove::<AccessToken>();
        let spare = self.inner.clone();
        // `poll_ready` said yes to this one.
        let mut ready = mem::replace(&mut self.inner, spare);
        match self.policy.first_look(credentials) {
            FirstLook::Denied(denial) => AuthFuture::denied(denial),
            FirstLook::Admitted(admitted) => {
                match admit(&self.policy, &mut request, (admitted, way)) {
                    Ok(opener) => AuthFuture::calling(ready.call(request), opener),
                    Err(denial) => AuthFuture::denied(denial),
                }
            }
            FirstLook::Verify(bearer) => {
                let policy = Arc::clone(&self.policy);
                AuthFuture::verifying(async move {
                    let verified = policy.verify(&bearer).await;
                    let admitted = verified.map(|token| (Some(Admitted { token, bearer }), way));
                    match admitted.and_then(|admitted| admit(&policy, &mut request, admitted)) {
                        Err(denial) => Ok(denial.into_response()),
                        Ok(opener) => Ok(guard(ready.call(request).await?, opener)),
                    }
                })
            }
        }
    }
}

/// Hands the token on, and answers who opened what comes back.
fn admit<B>(
    policy: &Arc<Policy>,
    request: &mut Request<B>,
    (admitted, way): (Option<Admitted>, Option<Way>),
) -> Result<Option<Opener>, Denial> {
    if let Some(Admitted { token, .. }) = &admitted {
        policy.tell(token, request.extensions_mut())?;
        request.extensions_mut().insert(token.clone());
    }
    Ok(Opener::new(Some(policy), admitted, way))
}
