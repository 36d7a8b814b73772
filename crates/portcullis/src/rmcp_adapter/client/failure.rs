//! What rmcp says of a failure, in our words.

use portcullis_client::TransportError;
use portcullis_client::transport::HttpTransport;
use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::DynamicTransportError;
use rmcp::transport::streamable_http_client::StreamableHttpError;

use crate::client::ClientError;

/// Why there is no connection.
pub(super) fn of_start(error: &ClientInitializeError, http: &HttpTransport) -> ClientError {
    match error {
        ClientInitializeError::TransportError { error, .. } => of_transport(error, http),
        ClientInitializeError::JsonRpcError(error) => ClientError::Server(error.clone()),
        ClientInitializeError::NoCompatibleProtocolVersion {
            server_supported, ..
        } => {
            let server = server_supported.iter();
            ClientError::NoCommonRevision {
                server: server.map(|version| version.as_str().to_owned()).collect(),
            }
        }
        // The first phase failed because the server is an older one: the second says why.
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => of_start(fallback, http),
        ClientInitializeError::ConnectionClosed(_) => broken(http),
        ClientInitializeError::Cancelled => ClientError::Cancelled,
        _ => ClientError::Unexpected,
    }
}

/// Why a request has no result.
pub(super) fn of_request(error: ServiceError, http: &HttpTransport) -> ClientError {
    match error {
        ServiceError::McpError(error) => ClientError::Server(error),
        ServiceError::TransportSend(error) => of_transport(&error, http),
        ServiceError::TransportClosed => broken(http),
        ServiceError::Timeout { timeout } => ClientError::Timeout(timeout),
        ServiceError::Cancelled { .. } => ClientError::Cancelled,
        _ => ClientError::Unexpected,
    }
}

fn of_transport(error: &DynamicTransportError, http: &HttpTransport) -> ClientError {
    let error = error
        .error
        .downcast_ref::<StreamableHttpError<TransportError>>();
    match error {
        Some(StreamableHttpError::Client(error)) => error.clone().into(),
        Some(
            StreamableHttpError::SessionExpired
            | StreamableHttpError::SessionRecoveryTimeout
            | StreamableHttpError::ReinitializationFailed(_),
        ) => TransportError::SessionEnded.into(),
        _ => broken(http),
    }
}

/// rmcp says only that the stream ended; the transport knows more if it broke it off.
fn broken(http: &HttpTransport) -> ClientError {
    http.fault().map_or(ClientError::Closed, Into::into)
}
