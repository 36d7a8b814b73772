//! The way from a handler back to its client.

#![expect(
    deprecated,
    reason = "sampling, roots and logging are deprecated in MCP and still spoken"
)]

use std::{fmt, sync::Arc};

use portcullis_oauth::{ScopeSet, json::Value};
use portcullis_resource_server::mcp::StepUp;
use rmcp::{RoleServer, service::Peer, task_manager::TaskContext};

use super::{App, Cx, McpResult, listen::Session, tasks::Tasks};
use crate::{ToolError, ToolOutput, access::Caller, model, tool::Output};

/// One request's connection to the client that sent it.
#[derive(Clone)]
pub(crate) struct Link {
    request: Arc<Cx>,
    session: Arc<Session>,
    tasks: Arc<Tasks>,
    /// Set once the call goes on in the background.
    task: Option<TaskContext>,
}

/// From this revision on a server sends no requests and a client no handshake.
const MODERN: &str = "2026-07-28";

pub(super) fn is_modern(request: &Cx) -> bool {
    request
        .protocol_version()
        .is_some_and(|version| version.as_str() >= MODERN)
}

impl Link {
    pub(super) fn new(app: &App, request: Cx) -> Self {
        Self {
            request: Arc::new(request),
            session: Arc::clone(&app.session),
            tasks: Arc::clone(&app.core.tasks),
            task: None,
        }
    }

    pub(crate) fn http(&self) -> Option<&http::request::Parts> {
        self.request.extensions.get()
    }

    pub(crate) fn capabilities(&self) -> model::ClientCapabilities {
        self.request.client_capabilities().unwrap_or_default()
    }

    pub(crate) fn client_info(&self) -> Option<model::Implementation> {
        self.request.client_info()
    }

    /// Whether a question is an answer, and the client calls again.
    pub(crate) fn answers_in_rounds(&self) -> bool {
        self.task.is_none() && is_modern(&self.request)
    }

    pub(crate) async fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        let Some(token) = self.request.meta.get_progress_token() else {
            return;
        };
        if self.task.is_some() {
            return;
        }
        let mut params = model::ProgressNotificationParam::new(token, progress);
        params.total = total;
        params.message = message.map(str::to_owned);
        self.sent(self.peer().notify_progress(params).await);
    }

    pub(crate) async fn log(&self, level: model::LoggingLevel, data: Value) {
        let wanted = if is_modern(&self.request) {
            self.request.meta.log_level()
        } else {
            Some(self.session.level())
        };
        let loud = wanted.is_some_and(|wanted| severity(level) >= severity(wanted));
        if loud && self.task.is_none() {
            let params = model::LoggingMessageNotificationParam::new(level, data);
            self.sent(self.peer().notify_logging_message(params).await);
        }
    }

    /// Fails unless the client can answer these questions.
    pub(crate) fn require_capabilities<'a>(
        &self,
        requests: impl Iterator<Item = &'a model::InputRequest>,
    ) -> Result<(), ToolError> {
        let known = self.capabilities();
        let mut missing = model::ClientCapabilities::default();
        for request in requests {
            match request {
                model::InputRequest::CreateMessage(_) if known.sampling.is_none() => {
                    missing.sampling = Some(rmcp::model::SamplingCapability::default());
                }
                model::InputRequest::Elicitation(_) if known.elicitation.is_none() => {
                    missing.elicitation = Some(rmcp::model::ElicitationCapability::default());
                }
                model::InputRequest::ListRoots(_) if known.roots.is_none() => {
                    missing.roots = Some(rmcp::model::RootsCapabilities::default());
                }
                _ => {}
            }
        }
        if missing == model::ClientCapabilities::default() {
            Ok(())
        } else if is_modern(&self.request) {
            let error = model::ErrorData::missing_required_client_capability(missing);
            Err(ToolError::protocol(error))
        } else {
            Err(ToolError::new(
                "the client cannot answer what this tool asks",
            ))
        }
    }

    /// Asks while the call waits: of a task's client, or of one of an older revision.
    pub(crate) async fn ask(
        &self,
        key: &str,
        request: model::InputRequest,
    ) -> Result<Value, ToolError> {
        if let Some(task) = &self.task {
            let answer = task.request_input(key, request).await;
            return answer.map_err(|_| ToolError::new("the task was cancelled"));
        }
        let peer = self.peer();
        let answer = match request {
            model::InputRequest::CreateMessage(request) => {
                serde_json::to_value(peer.create_message(request.params).await?)
            }
            model::InputRequest::Elicitation(request) => {
                serde_json::to_value(peer.create_elicitation(request.params).await?)
            }
            _ => serde_json::to_value(peer.list_roots().await?),
        };
        Ok(answer?)
    }

    /// Asks for scopes while the HTTP status is open. Nobody can tell here whether it is, so the
    /// answer says the same in band.
    pub(super) fn step_up(&self, scopes: &ScopeSet) {
        if let Some(wish) = self
            .http()
            .and_then(|parts| parts.extensions.get::<StepUp>())
        {
            wish.ask(scopes.clone());
        }
    }

    /// The challenge for a client that looks for it inside of answers.
    pub(super) fn challenge(&self, scopes: &ScopeSet) -> Option<String> {
        let wish = self.http()?.extensions.get::<StepUp>()?;
        wish.challenge_in_band(scopes)
    }

    /// Asks for a new sign-in while the HTTP status is open, and gives the challenge for a client that
    /// looks for it inside of answers.
    pub(super) fn sign_in_again(&self) -> Option<String> {
        let wish = self.http()?.extensions.get::<StepUp>()?;
        wish.ask_to_sign_in();
        wish.sign_in_challenge_in_band()
    }

    /// Runs a handler until the client gives up on it; then drops it where it waits.
    pub(super) async fn until_cancelled<T>(
        &self,
        run: impl Future<Output = Result<T, ToolError>>,
    ) -> Result<T, ToolError> {
        tokio::select! {
            biased;
            result = run => result,
            () = self.request.ct.cancelled() => Err(ToolError::new("the call was cancelled")),
        }
    }

    pub(super) fn tasks_required() -> model::ErrorData {
        let mut missing = model::ClientCapabilities::default();
        missing.extensions = Some(
            [(
                rmcp::model::TASKS_EXTENSION_ID.to_owned(),
                model::JsonObject::new(),
            )]
            .into(),
        );
        model::ErrorData::missing_required_client_capability(missing)
    }

    pub(super) fn spawn_task<F, Fut>(
        &self,
        owner: &Caller,
        run: F,
    ) -> McpResult<model::CreateTaskResult>
    where
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = Result<ToolOutput, ToolError>> + Send + 'static,
    {
        self.tasks.start(owner, |task| {
            let link = Self {
                task: Some(task),
                ..self.clone()
            };
            run(link)
        })
    }

    /// [`Self::spawn_task`] for a handler that decides by itself.
    pub(crate) fn start_task<F, Fut>(&self, owner: &Caller, run: F) -> Result<ToolOutput, ToolError>
    where
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = Result<ToolOutput, ToolError>> + Send + 'static,
    {
        if !self.capabilities().supports_tasks() {
            return Err(ToolError::protocol(Self::tasks_required()));
        }
        let task = self.spawn_task(owner, run).map_err(ToolError::protocol)?;
        Ok(ToolOutput(Output::Task(task)))
    }

    fn peer(&self) -> &Peer<RoleServer> {
        &self.request.peer
    }

    /// A client that is gone needs no notification; its call ends by itself.
    #[expect(clippy::unused_self, reason = "reads as part of the sentence")]
    fn sent<E: fmt::Display>(&self, result: Result<(), E>) {
        if let Err(error) = result {
            tracing::debug!(%error, "a notification was not delivered");
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The request holds headers and arguments, which are nobody's business in a log.
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

/// RFC 5424 section 6.2.1, the other way round: higher is louder.
pub(super) fn severity(level: model::LoggingLevel) -> u8 {
    match level {
        model::LoggingLevel::Debug => 0,
        model::LoggingLevel::Info => 1,
        model::LoggingLevel::Notice => 2,
        model::LoggingLevel::Warning => 3,
        model::LoggingLevel::Error => 4,
        model::LoggingLevel::Critical => 5,
        model::LoggingLevel::Alert => 6,
        model::LoggingLevel::Emergency => 7,
    }
}
