//! Other routes while the listener stays, and streams that have to fit to them.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use http::header::{HOST, ORIGIN};
use http::{HeaderValue, Method, StatusCode, Uri};
use portcullis_oauth::BearerToken;
use tower::Service;

/// Routes that can be exchanged. Clones are the same routes.
///
/// A request is served to its end by the routes that it found. So is a stream of events, for as long
/// as the routes of now would open it for the same caller: every 30 seconds it asks them, and ends
/// where its path is gone, the caller's token is no longer accepted, or does no longer suffice.
///
/// ```
/// use axum::{Router, routing::get};
/// use portcullis_resource_server::Reloadable;
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

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let way = Way::of(self, &request);
        request.extensions_mut().insert(way);
        self.current().call(request)
    }
}

impl fmt::Debug for Reloadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reloadable")
    }
}

/// The way of a request through routes that can be exchanged, to be gone again by whatever it opened.
#[derive(Clone)]
pub(crate) struct Way {
    routes: Reloadable,
    uri: Uri,
    host: Option<HeaderValue>,
    origin: Option<HeaderValue>,
}

impl Way {
    fn of(routes: &Reloadable, request: &Request<Body>) -> Self {
        let headers = request.headers();
        Self {
            routes: routes.clone(),
            uri: request.uri().clone(),
            host: headers.get(HOST).cloned(),
            origin: headers.get(ORIGIN).cloned(),
        }
    }

    /// Whether the routes of now would let the same request in, with this token or without one. No
    /// service is called for it.
    pub(crate) async fn is_open(&self, bearer: Option<&Arc<BearerToken>>) -> bool {
        let mut request = Request::new(Body::empty());
        // No handler of another route waits for this method.
        *request.method_mut() = Method::TRACE;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.extend(self.host.clone().map(|host| (HOST, host)));
        headers.extend(self.origin.clone().map(|origin| (ORIGIN, origin)));
        let again = Again {
            bearer: bearer.cloned(),
        };
        request.extensions_mut().insert(again);
        let Ok(answer) = self.routes.current().call(request).await;
        answer.extensions().get::<Open>().is_some()
    }
}

/// In the extensions of a request that asks whether a stream may go on. Nobody outside can make one,
/// and whoever protects an endpoint answers it in the place of the service behind.
#[derive(Clone)]
pub(crate) struct Again {
    /// What the stream was opened with.
    pub(crate) bearer: Option<Arc<BearerToken>>,
}

/// In the extensions of the answer: yes.
#[derive(Clone, Copy)]
struct Open;

impl Again {
    /// The answer to such a request, which goes to nobody but the stream that asks.
    pub(crate) fn answer(is_open: bool) -> Response {
        let mut answer = Response::new(Body::empty());
        if is_open {
            answer.extensions_mut().insert(Open);
        } else {
            *answer.status_mut() = StatusCode::FORBIDDEN;
        }
        answer
    }
}
