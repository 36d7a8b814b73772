//! A call in the making.

use std::fmt;
use std::future::{IntoFuture, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::json::{Map, Value};
use serde::Serialize;

use super::{ClientError, Result};
use crate::model;
use crate::rmcp_adapter::client::{Connection, Listener, Request};

/// One call of a tool; from [`Client::call`](super::Client::call).
///
/// A call that is dropped is cancelled: the server is told, or its stream is closed.
#[must_use = "await it"]
pub struct Call<'a> {
    connection: &'a Connection,
    tool: String,
    arguments: Result<Option<Map<String, Value>>>,
    listener: Listener,
    timeout: Option<Duration>,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        tool: String,
        arguments: Result<Option<Map<String, Value>>>,
    ) -> Self {
        Self {
            connection,
            tool,
            arguments,
            listener: Listener::default(),
            timeout: None,
        }
    }

    /// Hears how far the call is, before its result and in order. `hear` must not block.
    pub fn on_progress(
        mut self,
        hear: impl Fn(&model::ProgressNotificationParam) + Send + Sync + 'static,
    ) -> Self {
        self.listener.progress = Some(Arc::new(hear));
        self
    }

    /// Hears what the server logs while the call runs: at `info` and above where the revision lets
    /// a client choose. `hear` must not block.
    pub fn on_message(mut self, hear: impl Fn(&Message) + Send + Sync + 'static) -> Self {
        self.listener.message = Some(Arc::new(hear));
        self
    }

    /// How long the server may be silent in this call, instead of what the connection says.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits for the result, or until `stop` is ready; then the server is told to stop.
    ///
    /// # Errors
    /// [`ClientError`]; [`Cancelled`](ClientError::Cancelled) after `stop`.
    pub async fn until(
        self,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<model::CallToolResult> {
        let mut call = model::CallToolRequestParams::new(self.tool);
        if let Some(arguments) = self.arguments? {
            call = call.with_arguments(arguments);
        }
        let request = Request {
            call,
            listener: self.listener,
            timeout: self.timeout,
        };
        self.connection.call(request, stop).await
    }
}

impl<'a> IntoFuture for Call<'a> {
    type Output = std::result::Result<model::CallToolResult, ClientError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.until(pending()))
    }
}

/// What a server logs while a call runs (`notifications/message`). All of it is untrusted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// `debug`, `info`, `notice`, `warning`, `error`, `critical`, `alert` or `emergency`.
    pub level: &'static str,
    /// The part of the server that speaks.
    pub logger: Option<String>,
    /// What it says: a text, or any other JSON.
    pub data: Value,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("tool", &self.tool)
            .finish_non_exhaustive()
    }
}

/// The arguments as a JSON object.
pub(super) fn object(arguments: &impl Serialize) -> Result<Option<Map<String, Value>>> {
    match serde_json::to_value(arguments) {
        Ok(Value::Object(arguments)) => Ok(Some(arguments)),
        Ok(Value::Null) => Ok(None),
        _ => Err(ClientError::Arguments),
    }
}
