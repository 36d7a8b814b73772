//! Streams of events (HTML standard, section 9.2), within bounds.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use portcullis_oauth::json::{self, Limits};
use rmcp::transport::streamable_http_client::SseError;
use sse_stream::{Sse, SseStream};

use super::{Events, Shared};
use crate::error::TransportError;

/// The events of a body. What breaks the stream is noted.
pub(super) fn of(body: Incoming, limit: usize, shared: &Arc<Shared>) -> Events {
    let mut bound = Bound::new(limit);
    let for_bytes = Arc::clone(shared);
    let bytes = body.into_data_stream().map(move |chunk| {
        let chunk = chunk.map_err(|_| TransportError::Interrupted);
        let chunk = chunk.and_then(|chunk| bound.pass(chunk));
        chunk.inspect_err(|fault| for_bytes.note(fault))
    });
    let shared = Arc::clone(shared);
    let events =
        SseStream::from_bytes_stream(bytes).map(move |event| check(event?, limit, &shared));
    events.boxed()
}

/// An event whose data is JSON by our rules, or none.
fn check(event: Sse, limit: usize, shared: &Shared) -> Result<Sse, SseError> {
    let data = event.data.as_deref().unwrap_or_default().trim();
    if data.is_empty() {
        return Ok(event);
    }
    // SECURITY: rmcp's parser takes what names a member twice, and other parsers read another one;
    // sec_an_event_is_strict_json
    match json::scan(data.as_bytes(), Limits::MCP.with_bytes(limit)) {
        Ok(()) => Ok(event),
        Err(error) => {
            let fault = TransportError::from(error);
            shared.note(&fault);
            Err(SseError::Body(Box::new(fault)))
        }
    }
}

/// Counts the bytes of the event that is arriving.
struct Bound {
    limit: usize,
    event: usize,
    /// Whether the line that is arriving has anything in it yet.
    is_empty_line: bool,
    /// Whether the last byte was a carriage return, to which a line feed would belong.
    is_after_return: bool,
}

impl Bound {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            event: 0,
            is_empty_line: true,
            is_after_return: false,
        }
    }

    fn pass(&mut self, chunk: Bytes) -> Result<Bytes, TransportError> {
        for byte in &chunk {
            // The second half of a line end of two bytes.
            if mem::replace(&mut self.is_after_return, *byte == b'\r') && *byte == b'\n' {
                continue;
            }
            // SECURITY: an event without an end is no reason to keep all of it;
            // sec_an_event_has_a_bound
            if self.event >= self.limit {
                return Err(TransportError::TooLarge { limit: self.limit });
            }
            self.event += 1;
            match byte {
                b'\n' | b'\r' if self.is_empty_line => self.event = 0,
                b'\n' | b'\r' => self.is_empty_line = true,
                _ => self.is_empty_line = false,
            }
        }
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(limit: usize, chunks: &[&'static str]) -> bool {
        let mut bound = Bound::new(limit);
        let mut chunks = chunks
            .iter()
            .map(|chunk| Bytes::from_static(chunk.as_bytes()));
        chunks.all(|chunk| bound.pass(chunk).is_ok())
    }

    #[test]
    fn sec_an_event_has_a_bound() {
        assert!(passes(10, &["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]));
        assert!(!passes(10, &["data: 1", "2345"]));
        assert!(
            !passes(10, &["data: 1\n", "data: 2\n"]),
            "one event of two lines"
        );
        assert!(passes(10, &["data: 1\r\n\r", "\ndata: 2\r\n\r\n"]));
        assert!(
            !passes(10, &["data: 1\r\n", "data: 2\r\n"]),
            "also where its lines end with two bytes"
        );
        assert!(!passes(10, &[": comment that has no end"]));
    }
}
