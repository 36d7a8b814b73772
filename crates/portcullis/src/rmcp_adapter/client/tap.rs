//! What a server says while a call runs, heard in the order in which it arrives.
//!
//! rmcp hands notifications to tasks of their own, which may run after the answer did. Here they are
//! heard on their way in, before the answer behind them.

#![expect(deprecated, reason = "logging is deprecated in MCP and still spoken")]

use std::borrow::Cow;
use std::collections::HashMap;

use rmcp::RoleClient;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, GetExtensions as _, GetMeta as _, ProgressToken,
    RequestId, RequestMetaObject, ServerJsonRpcMessage, ServerNotification,
};
use rmcp::transport::Transport;

use super::Hear;
use crate::client::Message;
use crate::model;

/// Who hears what a server says while one call runs.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    pub(crate) progress: Hear<model::ProgressNotificationParam>,
    pub(crate) message: Hear<Message>,
}

/// Asks for what the server logs, which it does not send unasked from revision 2026-07-28 on.
pub(super) fn with_messages() -> RequestMetaObject {
    let mut meta = RequestMetaObject::default();
    meta.set_log_level(model::LoggingLevel::Info);
    meta
}

/// A transport whose notifications are heard.
pub(super) struct Tap<T> {
    inner: T,
    calls: HashMap<RequestId, Listening>,
}

struct Listening {
    token: Option<ProgressToken>,
    listener: Listener,
}

impl<T> Tap<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            calls: HashMap::new(),
        }
    }

    /// Before it is sent: nothing can be missed.
    fn outgoing(&mut self, message: &ClientJsonRpcMessage) {
        match message {
            ClientJsonRpcMessage::Request(request) => {
                if let Some(listener) = request.request.extensions().get::<Listener>() {
                    let listening = Listening {
                        token: request.request.get_meta().get_progress_token(),
                        listener: listener.clone(),
                    };
                    self.calls.insert(request.id.clone(), listening);
                }
            }
            ClientJsonRpcMessage::Notification(said) => {
                if let ClientNotification::CancelledNotification(said) = &said.notification
                    && let Some(id) = &said.params.request_id
                {
                    self.calls.remove(id);
                }
            }
            _ => {}
        }
    }

    fn incoming(&mut self, arrived: &ServerJsonRpcMessage) {
        match arrived {
            ServerJsonRpcMessage::Response(answer) => {
                self.calls.remove(&answer.id);
            }
            ServerJsonRpcMessage::Error(answer) => {
                if let Some(id) = &answer.id {
                    self.calls.remove(id);
                }
            }
            ServerJsonRpcMessage::Notification(said) => match &said.notification {
                ServerNotification::ProgressNotification(said) => self.progress(&said.params),
                ServerNotification::LoggingMessageNotification(said) => {
                    let said = message(&said.params);
                    let listeners = self.calls.values().map(|call| &call.listener);
                    for hear in listeners.filter_map(|listener| listener.message.as_ref()) {
                        hear(&said);
                    }
                }
                _ => {}
            },
            ServerJsonRpcMessage::Request(_) => {}
        }
    }

    fn progress(&self, said: &model::ProgressNotificationParam) {
        let mut calls = self.calls.values();
        let call = calls.find(|call| call.token.as_ref() == Some(&said.progress_token));
        if let Some(hear) = call.and_then(|call| call.listener.progress.as_ref()) {
            hear(said);
        }
    }
}

fn message(said: &model::LoggingMessageNotificationParam) -> Message {
    Message {
        level: match said.level {
            model::LoggingLevel::Debug => "debug",
            model::LoggingLevel::Info => "info",
            model::LoggingLevel::Notice => "notice",
            model::LoggingLevel::Warning => "warning",
            model::LoggingLevel::Error => "error",
            model::LoggingLevel::Critical => "critical",
            model::LoggingLevel::Alert => "alert",
            model::LoggingLevel::Emergency => "emergency",
        },
        logger: said.logger.clone(),
        data: said.data.clone(),
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Tap<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), T::Error>> + Send + 'static {
        self.outgoing(&message);
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        let message = self.inner.receive().await?;
        self.incoming(&message);
        Some(message)
    }

    async fn close(&mut self) -> Result<(), T::Error> {
        self.inner.close().await
    }
}
