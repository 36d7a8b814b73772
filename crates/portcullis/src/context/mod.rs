//! What surrounds a call: its caller, its client, the running server.

#![expect(
    deprecated,
    reason = "sampling, roots and logging are deprecated in MCP and still spoken"
)]

mod inputs;

use std::{fmt, sync::Arc};

use portcullis_oauth::{ScopeSet, json::Value};
use portcullis_resource_server::AccessToken;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

pub use self::inputs::{Answers, Elicited, Inputs};
pub(crate) use self::inputs::{Carried, PendingInputs, Round};
use crate::{
    ServerHandle, ToolError, ToolOutput,
    access::{Caller, challenge},
    error::Kind,
    model,
    rmcp_adapter::Link,
};

/// What surrounds a call. Cheap to clone; useful until the call is answered.
///
/// A handler that asks the client for input looks the same in both protocol eras. Up to
/// 2025-11-25 the question travels while the handler waits. From 2026-07-28 on, the call is
/// answered with the question, and **the handler runs again from its beginning** when the client
/// calls back with the answer; what was answered before is remembered. So ask before you act.
///
/// ```
/// use portcullis::{Context, Elicited, ToolError};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Sure { /** Really delete it? */ sure: bool }
///
/// async fn delete(ctx: Context) -> Result<&'static str, ToolError> {
///     match ctx.elicit::<Sure>("confirm", "This cannot be undone.").await? {
///         Elicited::Accepted(Sure { sure: true }) => Ok("deleted"),
///         _ => Ok("kept"),
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    link: Link,
    caller: Caller,
    server: ServerHandle,
    round: Arc<Round>,
}

impl Context {
    pub(crate) fn new(link: Link, caller: Caller, server: ServerHandle, round: Arc<Round>) -> Self {
        Self(Arc::new(Inner {
            link,
            caller,
            server,
            round,
        }))
    }

    /// The same surroundings, with another way to the client.
    pub(crate) fn through(&self, link: Link) -> Self {
        let Inner {
            caller,
            server,
            round,
            ..
        } = &*self.0;
        Self::new(link, caller.clone(), server.clone(), Arc::clone(round))
    }

    /// The verified caller, if there is one.
    pub fn access_token(&self) -> Option<&AccessToken> {
        self.0.caller.token()
    }

    /// The running server: add, remove and announce components.
    pub fn server(&self) -> &ServerHandle {
        &self.0.server
    }

    /// What the client said it can do.
    pub fn client_capabilities(&self) -> model::ClientCapabilities {
        self.0.link.capabilities()
    }

    /// The client's name and version, if it gave them.
    pub fn client_info(&self) -> Option<model::Implementation> {
        self.0.link.client_info()
    }

    /// The HTTP request that carried the call, without its body and its credentials. `None` on
    /// stdio and in memory.
    pub fn http(&self) -> Option<&http::request::Parts> {
        self.0.link.http()
    }

    /// Reports how far the call is: `progress` of `total`, in any unit. Nothing is sent to a
    /// client that did not ask.
    pub async fn report_progress(&self, progress: f64, total: Option<f64>) {
        self.0.link.progress(progress, total, None).await;
    }

    /// Like [`report_progress`](Self::report_progress), with words for people.
    pub async fn report_progress_with(&self, progress: f64, total: Option<f64>, message: &str) {
        self.0.link.progress(progress, total, Some(message)).await;
    }

    /// Sends a log message to the client, if it asked for this level.
    pub async fn log(&self, level: model::LoggingLevel, data: impl Into<Value>) {
        self.0.link.log(level, data.into()).await;
    }

    /// A log message of level `debug`.
    pub async fn debug(&self, message: &str) {
        self.log(model::LoggingLevel::Debug, message).await;
    }

    /// A log message of level `info`.
    pub async fn info(&self, message: &str) {
        self.log(model::LoggingLevel::Info, message).await;
    }

    /// A log message of level `warning`.
    pub async fn warning(&self, message: &str) {
        self.log(model::LoggingLevel::Warning, message).await;
    }

    /// A log message of level `error`.
    pub async fn error(&self, message: &str) {
        self.log(model::LoggingLevel::Error, message).await;
    }

    /// Asks the user to fill in a form for `T`: a struct of texts, numbers, booleans and plain
    /// enums. `key` names the question within this call.
    ///
    /// # Errors
    /// When the client cannot ask its user, or the call must first go back to it. Pass the error
    /// on with `?`.
    pub async fn elicit<T: DeserializeOwned + JsonSchema>(
        &self,
        key: &str,
        message: impl Into<String>,
    ) -> Result<Elicited<T>, ToolError> {
        let inputs = Inputs::new().elicit_as::<T>(key, message)?;
        self.request_inputs(inputs).await?.elicited_as(key)
    }

    /// Asks the client's model. `key` names the question within this call.
    ///
    /// # Errors
    /// When the client offers no model, or the call must first go back to it. Pass the error on
    /// with `?`.
    pub async fn sample(
        &self,
        key: &str,
        params: model::CreateMessageRequestParams,
    ) -> Result<model::CreateMessageResult, ToolError> {
        let answers = self
            .request_inputs(Inputs::new().sample(key, params))
            .await?;
        answers.sampled(key).cloned().ok_or_else(unanswered)
    }

    /// The folders that the client works in. `key` names the question within this call.
    ///
    /// # Errors
    /// When the client has none to tell, or the call must first go back to it. Pass the error on
    /// with `?`.
    pub async fn roots(&self, key: &str) -> Result<Vec<model::Root>, ToolError> {
        let answers = self.request_inputs(Inputs::new().roots(key)).await?;
        answers.roots(key).map(<[_]>::to_vec).ok_or_else(unanswered)
    }

    /// Asks several questions at once.
    ///
    /// # Errors
    /// When the client cannot answer one of them, or the call must first go back to it. Pass the
    /// error on with `?`.
    pub async fn request_inputs(&self, inputs: Inputs) -> Result<Answers, ToolError> {
        let Inner { link, round, .. } = &*self.0;
        let (mut answers, missing) = round.answer(inputs);
        if missing.is_empty() {
            return Ok(answers);
        }
        link.require_capabilities(missing.values())?;
        if link.answers_in_rounds() {
            let message = "the client is asked for input";
            return Err(ToolError::with_kind(
                message,
                Kind::Inputs(PendingInputs(missing)),
            ));
        }
        let asked = missing.into_iter().map(async |(key, request)| {
            let answer = link.ask(&key, request.clone()).await?;
            Ok::<_, ToolError>((key, request, answer))
        });
        for asked in futures_util::future::join_all(asked).await {
            let (key, request, answer) = asked?;
            answers
                .insert(key, &request, &answer)
                .ok_or_else(unanswered)?;
        }
        Ok(answers)
    }

    /// What [`set_state`](Self::set_state) stored before the call went back to the client.
    /// `None` in the first round, and up to revision 2025-11-25, where a call has one round.
    pub fn state<T: DeserializeOwned>(&self) -> Option<T> {
        self.0.round.state()
    }

    /// Remembers a value for the next round, if there is one. It travels through the client,
    /// sealed, bound to this caller and these arguments, for ten minutes at most.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    pub fn set_state<T: Serialize>(&self, state: &T) -> Result<(), ToolError> {
        self.0.round.set_state(serde_json::to_value(state)?);
        Ok(())
    }

    /// Goes on in the background: the client gets a task at once and asks for its result later
    /// (extension `io.modelcontextprotocol/tasks`). Return what this returns.
    ///
    /// # Errors
    /// When the client does not know tasks, or too many are running.
    pub fn start_task<F, Fut, R>(&self, run: F) -> Result<ToolOutput, ToolError>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: crate::IntoToolResult + Send + 'static,
    {
        let context = self.clone();
        self.0.link.start_task(&self.0.caller, move |link| {
            let context = context.through(link);
            async move { run(context).await.into_tool_result() }
        })
    }

    /// Goes on only if the caller's token has all of these scopes; for scopes that depend on the
    /// arguments. Use [`Tool::require_scopes`](crate::Tool::require_scopes) for all others: it
    /// is checked before anything runs.
    ///
    /// # Errors
    /// A challenge that names the scopes. Pass it on with `?`.
    pub fn require_scopes(&self, scopes: &ScopeSet) -> Result<(), ToolError> {
        let granted = self.access_token().map(AccessToken::effective_scopes);
        let missing = granted.map_or_else(|| scopes.clone(), |granted| scopes.difference(granted));
        if missing.is_empty() {
            return Ok(());
        }
        let granted = self
            .access_token()
            .map(|token| token.scopes().clone())
            .unwrap_or_default();
        let kind = Kind::Scopes(challenge(&granted, &missing));
        Err(ToolError::with_kind(
            "the token lacks a scope that this needs",
            kind,
        ))
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.0.caller
    }

    pub(crate) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(crate) fn round(&self) -> &Round {
        &self.0.round
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("caller", &self.0.caller)
            .finish_non_exhaustive()
    }
}

fn unanswered() -> ToolError {
    ToolError::new("the client's answer cannot be read")
}
