//! Another configuration while the listener stays.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use tower::Service;

/// Routes that can be exchanged. Clones are the same routes.
///
/// A request is served to its end, streams too, by the routes that it found.
///
/// ```
/// use axum::{Router, routing::get};
/// use portcullis_gateway::Reloadable;
///
/// let routes = Reloadable::new(Router::new());
/// let app = Router::new().fallback_service(routes.clone());
/// routes.replace(Router::new().route("/", get("new")));
/// # let _: Router = app;
/// ```
#[derive(Clone)]
pub struct Reloadable(Arc<RwLock<Router>>);

impl Reloadable {
    /// Routes to begin with.
    pub fn new(routes: Router) -> Self {
        Self(Arc::new(RwLock::new(routes)))
    }

    /// Serves every request from now on by `routes`. Build them first: what cannot be built
    /// replaces nothing.
    pub fn replace(&self, routes: Router) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    fn current(&self) -> Router {
        let routes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        routes.clone()
    }
}

impl Service<Request<Body>> for Reloadable {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.current().call(request)
    }
}

impl fmt::Debug for Reloadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reloadable")
    }
}
