//! MCP over HTTP, without any check of who calls.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::Request, response::Response};
use futures_util::{FutureExt as _, future::BoxFuture};
use http::{Method, header::CONTENT_TYPE};
use portcullis_resource_server::AccessToken;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::SessionConfig,
};
use tokio::task::futures::TaskLocalFuture;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{sessions::Sessions, together::together};
use crate::{
    access::Caller,
    rmcp_adapter::App,
    server::{BODY_LIMIT, Core},
};

/// The SDK's service, told who is calling. Shared, because the SDK would copy its configuration for
/// every request, and every layer in front clones.
#[derive(Clone)]
pub(crate) struct HttpService(Arc<StreamableHttpService<App, Sessions>>);

tokio::task_local! {
    /// Whose request the SDK is looking at, for what it asks without saying.
    static CALLER: Caller;
}

/// An idle session ends after this time.
const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);

/// `stop` ends every session and stream at once.
pub(crate) fn http_service(core: Arc<Core>, stop: CancellationToken) -> HttpService {
    let mut session = SessionConfig::default();
    session.keep_alive = Some(SESSION_IDLE);
    let sessions = Sessions::new(session, Arc::clone(&core.entropy));
    service(core, Arc::new(sessions), stop)
}

pub(super) fn service(
    core: Arc<Core>,
    sessions: Arc<Sessions>,
    stop: CancellationToken,
) -> HttpService {
    // The Host and Origin guard stands before auth, and so before this service.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_json_response(true)
        .with_max_request_body_bytes(BODY_LIMIT)
        .with_cancellation_token(stop);
    let factory = move || {
        let caller = CALLER.try_with(Clone::clone).unwrap_or(Caller::Nobody);
        Ok(App::for_request(Arc::clone(&core), caller))
    };
    let service = StreamableHttpService::new(factory, sessions, config);
    HttpService(Arc::new(service))
}

impl Service<Request> for HttpService {
    type Response = Response;
    type Error = Infallible;
    type Future = TaskLocalFuture<Caller, BoxFuture<'static, Result<Response, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let token = request.extensions().get::<AccessToken>().cloned();
        let caller = token.map_or(Caller::Nobody, Caller::Bearer);
        let service = Arc::clone(&self.0);
        let is_call = request.method() == Method::POST;
        // The SDK's future is large: into its box at once, so that it is moved no more.
        let answer = async move {
            let answer = service.handle(request).await;
            if is_call && is_event_stream(&answer) {
                return Ok(together(answer).await);
            }
            Ok(answer.map(Body::new))
        };
        CALLER.scope(caller, answer.boxed())
    }
}

fn is_event_stream<B>(answer: &Response<B>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
