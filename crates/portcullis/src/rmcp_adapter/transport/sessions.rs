//! The SDK's sessions, under ids of our own.

use std::sync::Arc;

use futures_util::Stream;
use portcullis_oauth::{SharedEntropy, crypto::base64url};
use rmcp::{
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::{
        WorkerTransport,
        streamable_http_server::{
            SessionId, SessionManager,
            session::{
                ServerSseMessage,
                local::{
                    LocalSessionManager, LocalSessionManagerError, LocalSessionWorker,
                    SessionConfig, SessionError, create_local_session,
                },
            },
        },
    },
};

/// The SDK would make ids of 122 random bits.
#[derive(Debug)]
pub(super) struct Sessions {
    inner: LocalSessionManager,
    entropy: SharedEntropy,
}

impl Sessions {
    pub(super) fn new(config: SessionConfig, entropy: SharedEntropy) -> Self {
        let mut inner = LocalSessionManager::default();
        inner.session_config = config;
        Self { inner, entropy }
    }

    #[cfg(test)]
    pub(super) async fn count(&self) -> usize {
        self.inner.sessions.read().await.len()
    }

    fn new_id(&self) -> Result<SessionId, SessionError> {
        let mut bytes = [0; 16];
        // SECURITY: 128 bits that nobody can guess (MCP security best practices, session
        // hijacking); sec_rs_15_a_session_id_has_128_random_bits
        let drawn = self.entropy.fill(&mut bytes);
        drawn.map_err(|_| SessionError::Io(std::io::ErrorKind::Other.into()))?;
        Ok(Arc::from(base64url::encode(bytes)))
    }
}

type Result<T, E = LocalSessionManagerError> = std::result::Result<T, E>;

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = WorkerTransport<LocalSessionWorker>;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport)> {
        let id = self.new_id()?;
        let config = self.inner.session_config.clone();
        let (handle, worker) = create_local_session(Arc::clone(&id), config);
        let mut sessions = self.inner.sessions.write().await;
        sessions.insert(Arc::clone(&id), handle);
        Ok((id, WorkerTransport::spawn(worker)))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage> {
        self.inner.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool> {
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<()> {
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        self.inner.create_stream(id, message).await
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<()> {
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        self.inner.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        self.inner.resume(id, last_event_id).await
    }
}
