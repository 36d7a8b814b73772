//! One client of the HTTP+SSE transport, which comes as whole messages.

use std::sync::Arc;

use portcullis_oauth::json::{self, Limits};
use portcullis_resource_server::{
    AccessToken,
    mcp::legacy_sse::{Connection, Gone, LegacySse, Message},
};
use rmcp::{
    RoleServer, ServiceExt as _,
    model::{ClientJsonRpcMessage, GetExtensions as _, ServerJsonRpcMessage},
    transport::Transport,
};
use tokio_util::sync::CancellationToken;

use crate::{access::Caller, rmcp_adapter::App, server::Core};

/// What serves each client, until it is gone or `stop` ends all of them.
pub(crate) fn legacy_sse(core: Arc<Core>, stop: CancellationToken) -> LegacySse {
    LegacySse::new(move |connection: Connection| {
        let token = connection.head().extensions.get::<AccessToken>().cloned();
        let opener = token.map_or(Caller::Nobody, Caller::Bearer);
        let app = App::for_request(Arc::clone(&core), opener);
        let stop = stop.child_token();
        async move {
            match app.serve_with_ct(Client(connection), stop).await {
                Ok(running) => {
                    if let Err(error) = running.waiting().await {
                        tracing::warn!(%error, "a session ended badly");
                    }
                }
                Err(error) => tracing::debug!(%error, "no handshake"),
            }
        }
    })
}

/// The client as the SDK's transport.
struct Client(Connection);

impl Transport<RoleServer> for Client {
    type Error = Gone;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Gone>> + Send + 'static {
        let client = self.0.sender();
        async move {
            match json::to_vec(&message) {
                Ok(bytes) => client.send(bytes).await,
                Err(error) => {
                    tracing::error!(%error, "an answer has no JSON form");
                    Ok(())
                }
            }
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if let Some(message) = read(self.0.receive().await?) {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), Gone> {
        Ok(())
    }
}

/// A message with the head of its request, from which its caller is known.
fn read(Message { head, body, .. }: Message) -> Option<ClientJsonRpcMessage> {
    let mut message: ClientJsonRpcMessage = match json::from_slice(&body, Limits::MCP) {
        Ok(message) => message,
        Err(error) => {
            tracing::debug!(%error, "not a message that the SDK knows");
            return None;
        }
    };
    match &mut message {
        ClientJsonRpcMessage::Request(request) => {
            request.request.extensions_mut().insert(head);
        }
        ClientJsonRpcMessage::Notification(notification) => {
            notification.notification.extensions_mut().insert(head);
        }
        _ => {}
    }
    Some(message)
}
