//! The transports, as the SDK builds them.

use std::sync::Arc;

use portcullis_resource_server::AccessToken;
use rmcp::ServiceExt as _;
use tokio::io::{AsyncRead, AsyncWrite};

use super::App;
use crate::{Error, server::Core};

/// Serves one peer on a byte stream until it is gone.
pub(crate) async fn serve_stream(
    core: Arc<Core>,
    local: Option<AccessToken>,
    read: impl AsyncRead + Send + Unpin + 'static,
    write: impl AsyncWrite + Send + Unpin + 'static,
) -> Result<(), Error> {
    let draining = core.draining.clone();
    let running = App::new(core, local).serve_with_ct((read, write), draining).await;
    let running = running.map_err(|error| Error::Handshake(error.into()))?;
    running.waiting().await.map_err(|error| Error::Io(error.into()))?;
    Ok(())
}

/// Serves the process that started this one.
#[cfg(feature = "stdio")]
pub(crate) async fn serve_stdio(core: Arc<Core>, local: AccessToken) -> Result<(), Error> {
    let (read, write) = rmcp::transport::io::stdio_pipes();
    serve_stream(core, Some(local), read, write).await
}

#[cfg(feature = "http")]
mod http {
    use std::time::Duration;

    use rmcp::transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::local::{LocalSessionManager, SessionConfig},
    };
    use tokio_util::sync::CancellationToken;

    use super::{App, Arc, Core};

    /// MCP over HTTP, without any check of who calls.
    pub(crate) type HttpService = StreamableHttpService<App, LocalSessionManager>;

    /// An idle session ends after this time.
    const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);

    /// `stop` ends every session and stream at once.
    pub(crate) fn http_service(core: Arc<Core>, stop: CancellationToken) -> HttpService {
        let mut sessions = LocalSessionManager::default();
        let mut session = SessionConfig::default();
        session.keep_alive = Some(SESSION_IDLE);
        sessions.session_config = session;
        // The Host and Origin guard stands before auth, and so before this service.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_json_response(true)
            .with_max_request_body_bytes(crate::server::BODY_LIMIT)
            .with_cancellation_token(stop);
        let factory = move || Ok(App::new(Arc::clone(&core), None));
        StreamableHttpService::new(factory, Arc::new(sessions), config)
    }
}

#[cfg(feature = "http")]
pub(crate) use self::http::{HttpService, http_service};
