//! The HTTP+SSE transport of revision 2024-11-05, for clients that know no other.
//!
//! A client opens a stream with `GET /sse`. Its first event, `endpoint`, names the place to which
//! the client posts its messages; each `POST` is answered with 202, and all that the server says
//! comes as `message` events on the stream. Later revisions replaced it: serve it only where such
//! clients are left.
//!
//! [`Auth::protect_with_legacy_sse`](crate::Auth::protect_with_legacy_sse) mounts it, with all that
//! stands in front of the MCP endpoint in front of both paths: host and origin, token, scopes,
//! limits, the decision and its 403. This module knows neither a framework nor an MCP crate: what
//! serves a client is handed a [`Connection`] of whole JSON-RPC messages, whether it is a server
//! in this process or the way to one elsewhere.
//!
//! * The stream's id is in the URL, as the revision has it. It opens nothing by itself: a message
//!   counts only from the principal (issuer, subject and client) that opened the stream. It has 128
//!   bits of randomness.
//! * The stream is a session of its principal, and counts as one and as a stream. It ends with its
//!   token, with its grant, and when its client reads nothing for [half a minute](PATIENCE).
//! * At most [64](MOST_RUNNING) messages of a stream are worked on at a time; more are answered
//!   with 503. As many answers wait for their reader.

mod connection;
mod service;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

pub(crate) use self::connection::Line;
pub use self::connection::{Connection, Gone, MOST_RUNNING, Message, PATIENCE, Sender};
pub(crate) use self::service::{Lines, Messages, Stream, not_allowed};
use crate::ConfigError;

type Serve = Arc<dyn Fn(Connection) -> BoxFuture<'static, ()> + Send + Sync>;

/// The two paths, and what serves a client.
///
/// ```
/// use portcullis_resource_server::mcp::legacy_sse::LegacySse;
///
/// let echo = LegacySse::new(async |mut client| {
///     let answers = client.sender();
///     while let Some(message) = client.receive().await {
///         if answers.send(message.body).await.is_err() {
///             return;
///         }
///     }
/// });
/// let echo = echo.paths("/events", "/post");
/// ```
#[derive(Clone)]
#[must_use]
pub struct LegacySse {
    pub(crate) serve: Serve,
    pub(crate) stream: String,
    pub(crate) messages: String,
}

impl LegacySse {
    /// `serve` runs once for each stream, until its client is [gone](Connection::receive). The
    /// stream ends when it returns.
    pub fn new<F, R>(serve: F) -> Self
    where
        F: Fn(Connection) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self {
            serve: Arc::new(move |connection| serve(connection).boxed()),
            stream: "/sse".to_owned(),
            messages: "/messages".to_owned(),
        }
    }

    /// Where the stream is and where messages go. Default: `/sse` and `/messages`.
    pub fn paths(mut self, stream: impl Into<String>, messages: impl Into<String>) -> Self {
        self.stream = stream.into();
        self.messages = messages.into();
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let same = self.stream.trim_end_matches('/') == self.messages.trim_end_matches('/');
        if same {
            let fault = "is the path of the stream and of the messages";
            return Err(ConfigError::new("legacy_sse", fault));
        }
        Ok(())
    }
}

impl fmt::Debug for LegacySse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacySse")
            .field("stream", &self.stream)
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}
