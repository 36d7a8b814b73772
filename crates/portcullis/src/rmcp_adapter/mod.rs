//! The only folder that names rmcp: our server as its `ServerHandler`.
//!
//! | file | what |
//! |---|---|
//! | `calls` | `tools/call`, `prompts/get`, `resources/read`, `completion/complete` |
//! | `turn` | one turn of a call: what a client brought, and what it takes along |
//! | `lists` | the four lists, and what the server says about itself |
//! | `listen` | who hears of changes, in both protocol eras |
//! | `link` | the way from a handler back to its client |
//! | `state` | `requestState`, sealed |
//! | `tasks` | calls that go on in the background |
//! | `client` | the other side: rmcp's client, within bounds |
//! | `data` | the protocol's types, re-exported as [`crate::model`] |

mod answer;
mod calls;
#[cfg(feature = "client")]
pub(crate) mod client;
pub(crate) mod data;
mod link;
mod listen;
mod lists;
mod state;
mod tasks;
mod transport;
mod turn;

use std::sync::Arc;

use portcullis_resource_server::AccessToken;
use rmcp::{
    RoleServer, ServerHandler,
    service::{NotificationContext, RequestContext, SubscriptionContext},
};

use self::listen::Session;
#[cfg(feature = "stdio")]
pub(crate) use self::transport::serve_stdio;
#[cfg(feature = "http")]
pub(crate) use self::transport::{http_service, legacy_sse};
pub(crate) use self::{
    link::Link, lists::Introduction, state::StateCodec, tasks::Tasks, transport::serve_stream,
};
use crate::{access::Caller, model, server::Core};

/// One connection's view of a server: a session, a single request, or stdin and stdout.
#[derive(Clone, Debug)]
pub(crate) struct App {
    core: Arc<Core>,
    /// Who is calling where no HTTP request says so.
    local: Option<AccessToken>,
    session: Arc<Session>,
    /// Who sent the request this was made for. Only for what the SDK asks before it dispatches.
    opener: Caller,
}

impl App {
    /// For one peer on a byte stream.
    pub(crate) fn new(core: Arc<Core>, local: Option<AccessToken>) -> Self {
        Self {
            core,
            local,
            session: Arc::default(),
            opener: Caller::Nobody,
        }
    }

    /// For one HTTP request, or the session that it opens.
    #[cfg(feature = "http")]
    fn for_request(core: Arc<Core>, opener: Caller) -> Self {
        Self {
            core,
            local: None,
            session: Arc::default(),
            opener,
        }
    }

    /// Who sent this message: the token of *its* HTTP request, not of the session's first one.
    fn caller(&self, extensions: &model::Extensions) -> Caller {
        match extensions.get::<http::request::Parts>() {
            // SECURITY: an HTTP request without a token is nobody, also where a local user exists;
            // sec_rs_09_no_token_sees_no_restricted_tool
            Some(parts) => parts
                .extensions
                .get::<AccessToken>()
                .cloned()
                .map_or(Caller::Nobody, Caller::Bearer),
            None => self.local.clone().map_or(Caller::Nobody, Caller::Local),
        }
    }
}

type McpResult<T> = Result<T, model::ErrorData>;
type Cx = RequestContext<RoleServer>;

impl ServerHandler for App {
    fn get_info(&self) -> model::ServerConfig {
        self.info()
    }

    fn get_tool(&self, name: &str) -> Option<model::Tool> {
        // SECURITY: the SDK compares headers with this schema before it dispatches, and would tell
        // a hidden tool from one that does not exist; sec_schema_of_a_hidden_tool_is_not_shown
        let schema = self.core.schema_for(&self.opener, name)?;
        // Nothing else of the tool is read.
        Some(model::Tool::new_with_raw(name.to_owned(), None, schema))
    }

    async fn list_tools(
        &self,
        page: Option<model::PaginatedRequestParams>,
        cx: Cx,
    ) -> McpResult<model::ListToolsResult> {
        let mut list = self.tools(&self.caller(&cx.extensions), page).await?;
        self.add_schemes(&cx.extensions, &mut list.tools);
        Ok(list)
    }

    async fn list_prompts(
        &self,
        page: Option<model::PaginatedRequestParams>,
        cx: Cx,
    ) -> McpResult<model::ListPromptsResult> {
        self.prompts(&self.caller(&cx.extensions), page).await
    }

    async fn list_resources(
        &self,
        page: Option<model::PaginatedRequestParams>,
        cx: Cx,
    ) -> McpResult<model::ListResourcesResult> {
        self.resources(&self.caller(&cx.extensions), page).await
    }

    async fn list_resource_templates(
        &self,
        page: Option<model::PaginatedRequestParams>,
        cx: Cx,
    ) -> McpResult<model::ListResourceTemplatesResult> {
        self.resource_templates(&self.caller(&cx.extensions), page)
            .await
    }

    async fn call_tool(
        &self,
        params: model::CallToolRequestParams,
        cx: Cx,
    ) -> McpResult<model::CallToolResponse> {
        self.core
            .running
            .track_future(self.run_tool(params, cx))
            .await
    }

    async fn get_prompt(
        &self,
        params: model::GetPromptRequestParams,
        cx: Cx,
    ) -> McpResult<model::GetPromptResponse> {
        self.core
            .running
            .track_future(self.run_prompt(params, cx))
            .await
    }

    async fn read_resource(
        &self,
        params: model::ReadResourceRequestParams,
        cx: Cx,
    ) -> McpResult<model::ReadResourceResponse> {
        self.core
            .running
            .track_future(self.run_resource(params, cx))
            .await
    }

    async fn complete(
        &self,
        params: model::CompleteRequestParams,
        cx: Cx,
    ) -> McpResult<model::CompleteResult> {
        self.core
            .running
            .track_future(self.run_completion(params, cx))
            .await
    }

    #[expect(
        deprecated,
        reason = "sessions up to 2025-11-25 set the log level once"
    )]
    async fn set_level(&self, params: model::SetLevelRequestParams, cx: Cx) -> McpResult<()> {
        if link::is_modern(&cx) {
            return Err(model::ErrorData::new(
                model::ErrorCode::METHOD_NOT_FOUND,
                "this revision has no `logging/setLevel`",
                None,
            ));
        }
        self.session.set_level(params.level);
        Ok(())
    }

    async fn on_initialized(&self, cx: NotificationContext<RoleServer>) {
        self.announce_changes(cx.peer);
    }

    async fn subscribe(&self, params: model::SubscribeRequestParams, cx: Cx) -> McpResult<()> {
        self.subscribe_to(params.uri, &cx).await
    }

    async fn unsubscribe(&self, params: model::UnsubscribeRequestParams, _cx: Cx) -> McpResult<()> {
        self.session.unsubscribe(&params.uri);
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &model::SubscriptionFilter,
    ) -> Option<model::SubscriptionFilter> {
        self.begin_stream(requested);
        // Nothing is known of the caller here; `listen` asks before it sends.
        Some(requested.clone())
    }

    async fn listen(&self, cx: SubscriptionContext) -> McpResult<()> {
        self.stream_changes(&cx).await;
        Ok(())
    }

    async fn get_task(
        &self,
        params: model::GetTaskParams,
        cx: Cx,
    ) -> McpResult<model::GetTaskResult> {
        let task = self
            .core
            .tasks
            .get(&params.task_id, &self.caller(&cx.extensions))?;
        Ok(model::GetTaskResult::new(task))
    }

    async fn update_task(&self, params: model::UpdateTaskParams, cx: Cx) -> McpResult<()> {
        let caller = self.caller(&cx.extensions);
        self.core
            .tasks
            .update(&params.task_id, &caller, params.input_responses)
    }

    async fn cancel_task(&self, params: model::CancelTaskParams, cx: Cx) -> McpResult<()> {
        self.core
            .tasks
            .cancel(&params.task_id, &self.caller(&cx.extensions))
    }

    async fn on_custom_request(
        &self,
        request: model::CustomRequest,
        cx: Cx,
    ) -> McpResult<model::CustomResult> {
        Err(answer::unreadable(&request.method, link::is_modern(&cx)))
    }
}

#[cfg(test)]
mod tests;
