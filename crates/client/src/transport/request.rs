//! What is sent.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use hyper::body::Incoming;
use portcullis_oauth::json;
use rmcp::model::ClientJsonRpcMessage;

use super::{Headers, Shared};
use crate::error::TransportError;

/// One request.
pub(super) struct Outgoing<'a> {
    pub(super) method: Method,
    pub(super) message: Option<&'a ClientJsonRpcMessage>,
    pub(super) session: Option<&'a str>,
    pub(super) last_event: Option<&'a str>,
    /// Those of the protocol, which rmcp writes.
    pub(super) headers: Headers,
}

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

impl Shared {
    /// Sends, and waits for the head of the answer.
    pub(super) async fn send(
        &self,
        outgoing: Outgoing<'_>,
    ) -> Result<Response<Incoming>, TransportError> {
        let body = match outgoing.message {
            Some(message) => Bytes::from(json::to_vec(message)?),
            None => Bytes::new(),
        };
        let method = outgoing.method.clone();
        let headers = self.headers(outgoing);
        Ok(self.client.send(method, headers, body).await?)
    }

    fn headers(&self, outgoing: Outgoing<'_>) -> HeaderMap {
        let mut headers: HeaderMap = outgoing.headers.into_iter().collect();
        let accept = match outgoing.method {
            Method::GET => "text/event-stream",
            _ => "application/json, text/event-stream",
        };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        if outgoing.message.is_some() {
            let json = HeaderValue::from_static("application/json");
            headers.insert(CONTENT_TYPE, json);
        }
        // What the server said itself; where no header can carry it, the server gets none back.
        for (name, text) in [
            (SESSION, outgoing.session),
            (LAST_EVENT, outgoing.last_event),
        ] {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
                headers.insert(name, value);
            }
        }
        // SECURITY: whatever else was put there, these are the credentials of this connection;
        // sec_cl_10_only_the_given_token_is_sent
        headers.remove(AUTHORIZATION);
        if let Some(value) = self.credentials.header() {
            headers.insert(AUTHORIZATION, value);
        }
        headers
    }
}
