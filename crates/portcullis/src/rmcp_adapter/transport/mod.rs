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
    let running = App::new(core, local)
        .serve_with_ct((read, write), draining)
        .await;
    let running = running.map_err(|error| Error::Handshake(error.into()))?;
    running
        .waiting()
        .await
        .map_err(|error| Error::Io(error.into()))?;
    Ok(())
}

/// Serves the process that started this one.
#[cfg(feature = "stdio")]
pub(crate) async fn serve_stdio(core: Arc<Core>, local: AccessToken) -> Result<(), Error> {
    let (read, write) = rmcp::transport::io::stdio_pipes();
    serve_stream(core, Some(local), read, write).await
}

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod legacy;
#[cfg(feature = "http")]
mod sessions;
#[cfg(feature = "http")]
mod together;

#[cfg(feature = "http")]
pub(crate) use self::{http::http_service, legacy::legacy_sse};

#[cfg(feature = "http")]
#[cfg(test)]
mod tests;
