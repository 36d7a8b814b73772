//! Answers of our own, as JSON-RPC.

use axum::body::Body;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use portcullis_oauth::json::{Value, json};
use portcullis_resource_server::Incident;
use portcullis_resource_server::mcp::session;

/// An error; `id` is JSON text. A static message cannot repeat what a peer said.
pub(crate) fn error_body(
    id: Option<&[u8]>,
    code: i32,
    message: &'static str,
    data: Option<Value>,
) -> Bytes {
    let mut error = json!({"code": code, "message": message});
    if let (Some(data), Some(members)) = (data, error.as_object_mut()) {
        members.insert("data".to_owned(), data);
    }
    let id = id
        .and_then(|id| std::str::from_utf8(id).ok())
        .unwrap_or("null");
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

/// The error of a server behind that failed: it names the incident, whose cause stands in the log.
pub(crate) fn failure_body(id: Option<&[u8]>, message: &'static str, incident: &Incident) -> Bytes {
    let data = json!({"incident": incident.as_str()});
    error_body(id, -32000, message, Some(data))
}

/// A refusal with its status.
pub(crate) fn refusal(
    status: StatusCode,
    id: Option<&[u8]>,
    code: i32,
    message: &'static str,
) -> Response<Body> {
    json_response(status, error_body(id, code, message, None))
}

/// A body of JSON, for nobody but whoever asked.
pub(crate) fn json_response(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What clients start over on.
pub(crate) fn unknown_session() -> Response<Body> {
    let mut response = Response::new(Body::from(session::NOT_FOUND));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
