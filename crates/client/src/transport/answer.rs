//! What comes back.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use portcullis_oauth::OAuthErrorCode;
use portcullis_oauth::challenge::Challenge;
use portcullis_oauth::json::{self, JsonError, Limits};
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::streamable_http_client::{StreamableHttpError, StreamableHttpPostResponse};

use super::{Exchange, Shared, events};
use crate::error::TransportError;

/// The longest body beside a status that is no success: 64 KiB.
const MAX_ERROR: usize = 64 * 1024;

/// The longest text of a header that is kept for the user.
const MAX_SHOWN: usize = 512;

/// The answer to a message.
pub(super) async fn to_post(
    shared: &std::sync::Arc<Shared>,
    message: &ClientJsonRpcMessage,
    had_session: bool,
    answer: Response<Incoming>,
    limit: usize,
) -> Exchange<StreamableHttpPostResponse> {
    if let Some(error) = shared.refusal(&answer) {
        return Err(error.into());
    }
    let status = answer.status();
    if status == StatusCode::NOT_FOUND && had_session {
        return Err(StreamableHttpError::SessionExpired);
    }
    if !status.is_success() {
        return failed(message, answer).await;
    }
    if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        return Ok(StreamableHttpPostResponse::Accepted);
    }
    let session = text(answer.headers(), &HeaderName::from_static("mcp-session-id"));
    if is_events(&answer) {
        let events = events::of(answer.into_body(), limit, shared);
        return Ok(StreamableHttpPostResponse::Sse(events, session));
    }
    let asks = id(message);
    if !is_json(&answer) {
        // Some servers answer a notification with an empty 200.
        return match asks {
            None => Ok(StreamableHttpPostResponse::Accepted),
            Some(_) => Err(no_mcp(&answer).into()),
        };
    }
    match read(answer.into_body(), limit)
        .await
        .and_then(|body| parse(&body))
    {
        Ok(message) => Ok(StreamableHttpPostResponse::Json(
            answering(message, asks),
            session,
        )),
        Err(_) if asks.is_none() => Ok(StreamableHttpPostResponse::Accepted),
        Err(error) => Err(error.into()),
    }
}

/// A status that is no success: a JSON-RPC error in the body says more than it.
async fn failed(
    message: &ClientJsonRpcMessage,
    answer: Response<Incoming>,
) -> Exchange<StreamableHttpPostResponse> {
    let status = answer.status();
    let said = if is_json(&answer) {
        let body = read(answer.into_body(), MAX_ERROR).await;
        body.and_then(|body| parse(&body)).ok()
    } else {
        None
    };
    let error = match said {
        Some(ServerJsonRpcMessage::Error(error)) => Some(error.error),
        _ => None,
    };
    let Some(id) = id(message) else {
        return Err(TransportError::Status(status).into());
    };
    let error = match error {
        Some(error) => error,
        // A server of an older revision knows nothing of `server/discover`, and need not say so in
        // JSON-RPC (2026-07-28, transports, section "Backward Compatibility").
        None if is_discovery(message) && status.is_client_error() => {
            ErrorData::invalid_request("the server knows no `server/discover`", None)
        }
        None => return Err(TransportError::Status(status).into()),
    };
    // Whoever refuses before reading cannot repeat the id; rmcp would wait for it.
    let error = ServerJsonRpcMessage::error(error, Some(id.clone()));
    Ok(StreamableHttpPostResponse::Json(error, None))
}

impl Shared {
    /// An answer that is about access or leads elsewhere, not about MCP.
    pub(super) fn refusal(&self, answer: &Response<Incoming>) -> Option<TransportError> {
        let status = answer.status();
        if status.is_redirection() {
            let location = text(answer.headers(), &LOCATION);
            return Some(TransportError::Redirected { location });
        }
        match status {
            StatusCode::UNAUTHORIZED => Some(TransportError::Unauthorized {
                challenge: bearer(answer.headers()).map(Box::new),
                had_token: !self.credentials.is_none(),
            }),
            StatusCode::FORBIDDEN => match bearer(answer.headers()) {
                Some(challenge) if wants_scopes(&challenge) => {
                    let challenge = Box::new(challenge);
                    Some(TransportError::InsufficientScope { challenge })
                }
                _ => Some(TransportError::Forbidden),
            },
            _ => None,
        }
    }
}

fn wants_scopes(challenge: &Challenge) -> bool {
    challenge.error_code() == Some(OAuthErrorCode::InsufficientScope)
}

fn bearer(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut all = texts
        .filter_map(|text| Challenge::parse_all(text).ok())
        .flatten();
    all.find(Challenge::is_bearer)
}

/// Reads a body to its end, which comes before the limit or not at all.
async fn read(body: Incoming, limit: usize) -> Result<Bytes, TransportError> {
    // SECURITY: a server decides how long its answer is, we decide how much of it we keep;
    // sec_an_answer_has_a_bound
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(TransportError::TooLarge { limit }),
        Err(_) => Err(TransportError::Interrupted),
    }
}

fn parse(body: &[u8]) -> Result<ServerJsonRpcMessage, TransportError> {
    match json::from_slice(body, Limits::MCP.with_bytes(super::MAX_MESSAGE)) {
        Ok(message) => Ok(message),
        Err(JsonError::Shape(_)) => Err(TransportError::NoMessage),
        Err(error) => Err(error.into()),
    }
}

/// An error without an id is about the request that it answers.
fn answering(mut message: ServerJsonRpcMessage, asks: Option<&RequestId>) -> ServerJsonRpcMessage {
    if let ServerJsonRpcMessage::Error(error) = &mut message
        && error.id.is_none()
    {
        error.id = asks.cloned();
    }
    message
}

fn id(message: &ClientJsonRpcMessage) -> Option<&RequestId> {
    match message {
        ClientJsonRpcMessage::Request(request) => Some(&request.id),
        _ => None,
    }
}

fn is_discovery(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, ClientJsonRpcMessage::Request(request)
        if matches!(request.request, ClientRequest::DiscoverRequest(_)))
}

pub(super) fn is_events(answer: &Response<Incoming>) -> bool {
    essence(answer.headers()).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}

fn is_json(answer: &Response<Incoming>) -> bool {
    essence(answer.headers()).is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
}

/// The content type without its parameters.
fn essence(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

pub(super) fn no_mcp(answer: &Response<Incoming>) -> TransportError {
    let content_type = text(answer.headers(), &CONTENT_TYPE);
    TransportError::NotMcp { content_type }
}

/// A header's text, if it is one that can be shown and kept.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (text.len() <= MAX_SHOWN).then(|| text.to_owned())
}
