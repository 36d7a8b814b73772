//! What a server may ask of this client, and what it hears.
#![expect(
    deprecated,
    reason = "sampling and log messages are of the era of sessions, which is met here too"
)]

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::{
    ClientHandler,
    model::{
        ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult,
        ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability, ErrorData,
        Implementation, LoggingMessageNotificationParam, ProgressNotificationParam,
        ResourceUpdatedNotificationParam, SamplingCapability, SamplingMessage,
    },
    service::{NotificationContext, RequestContext, RoleClient},
};
use serde_json::{Value, json};
use tokio::sync::watch;

/// Answers what servers ask, always the same.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    pub(crate) heard: Arc<Heard>,
}

/// What came without being asked for.
#[derive(Debug)]
pub(crate) struct Heard {
    progress: Mutex<Vec<f64>>,
    notes: Mutex<Vec<(String, Value)>>,
    changed: watch::Sender<()>,
}

impl Heard {
    pub(crate) fn new() -> Self {
        Self {
            progress: Mutex::default(),
            notes: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    pub(crate) fn take_progress(&self) -> Vec<f64> {
        std::mem::take(&mut *self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Until there was progress.
    pub(crate) async fn moved(&self) {
        let has_moved = || {
            let progress = self.progress.lock();
            !progress.unwrap_or_else(PoisonError::into_inner).is_empty()
        };
        self.until(|| has_moved().then_some(())).await;
    }

    /// The first notification of a method, waited for.
    pub(crate) async fn note(&self, method: &str) -> Value {
        let find = || {
            let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
            let note = notes.iter().find(|(name, _)| name == method)?;
            Some(note.1.clone())
        };
        self.until(find).await
    }

    pub(crate) fn add(&self, method: &str, params: Value) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push((method.to_owned(), params));
        self.changed.send_replace(());
    }

    async fn until<T>(&self, find: impl Fn() -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(found) = find() {
                return found;
            }
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }
}

impl ClientHandler for Handler {
    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let message = SamplingMessage::assistant_text("sampled by the client");
        Ok(CreateMessageResult::new(message, "peers".to_owned()))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let content = json!({"name": "Ada"});
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(content))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let mut progress = self
            .heard
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        progress.push(params.progress);
        self.heard.changed.send_replace(());
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.heard.add("notifications/message", params.data);
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let params = json!({"uri": params.uri});
        self.heard.add("notifications/resources/updated", params);
    }

    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        capabilities.sampling = Some(SamplingCapability::default());
        capabilities.elicitation = Some(ElicitationCapability::default());
        ClientConfig::new(capabilities, Implementation::new("rmcp", "1"))
    }
}
