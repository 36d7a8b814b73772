//! The dispatcher against the SDK's own client, in memory and in both protocol eras.

#![expect(
    deprecated,
    reason = "sampling, roots and logging are deprecated in MCP and still spoken"
)]

mod access;
mod changes;
mod inputs;
mod pages;
mod plain;

use std::sync::Arc;

use portcullis_oauth::json::{Value, json};
use portcullis_resource_server::{AccessToken, TokenParts};
use rmcp::{
    ClientHandler, RoleClient,
    model::{
        CallToolRequestParams, CallToolResult, ClientCapabilities, ClientInfo,
        CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult,
        ElicitationAction, ErrorData, Implementation, ListRootsResult,
        LoggingMessageNotificationParam, ProgressNotificationParam, ProtocolVersion,
        ResourceUpdatedNotificationParam, Root, SamplingMessage,
    },
    service::{
        ClientLifecycleMode, ClientServiceExt as _, NotificationContext, RequestContext,
        RunningService, ServiceError,
    },
};
use tokio::sync::mpsc;

use crate::{Server, rmcp_adapter::serve_stream};

/// A protocol era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    /// A session, as up to 2025-11-25.
    Session,
    /// Requests that stand alone, as from 2026-07-28 on.
    Stateless,
}

const ERAS: [Era; 2] = [Era::Session, Era::Stateless];

type Client = RunningService<RoleClient, Person>;

/// A client whose user fills in every form, and who hears everything.
#[derive(Clone, Debug)]
struct Person(mpsc::UnboundedSender<Heard>);

#[derive(Debug, PartialEq)]
enum Heard {
    ToolsChanged,
    PromptsChanged,
    Updated(String),
    Progress(f64),
    Log(Value),
}

impl Person {
    fn hear(&self, heard: Heard) {
        // A test that does not listen has dropped its end.
        let _ = self.0.send(heard);
    }
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientInfo {
        let capabilities = ClientCapabilities::builder()
            .enable_sampling()
            .enable_elicitation()
            .enable_roots()
            .build();
        ClientInfo::new(capabilities, Implementation::new("person", "1"))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let content = json!({"name": "Ann", "color": "blue"});
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(content))
    }

    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        Ok(CreateMessageResult::new(
            SamplingMessage::assistant_text("Hi"),
            "model".to_owned(),
        ))
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(vec![Root::new("file:///home")]))
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.hear(Heard::ToolsChanged);
    }

    async fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.hear(Heard::PromptsChanged);
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.hear(Heard::Updated(params.uri));
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.hear(Heard::Progress(params.progress));
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.hear(Heard::Log(params.data));
    }
}

/// Connects to a server as nobody.
async fn connect(era: Era, server: Server) -> Client {
    connect_as(era, server, None).await.0
}

async fn connect_as(
    era: Era,
    server: Server,
    local: Option<AccessToken>,
) -> (Client, mpsc::UnboundedReceiver<Heard>) {
    let core = server.finish().unwrap();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (read, write) = tokio::io::split(theirs);
    tokio::spawn(serve_stream(core, local, read, write));
    let lifecycle = match era {
        Era::Session => ClientLifecycleMode::Initialize,
        Era::Stateless => ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        },
    };
    let (sender, heard) = mpsc::unbounded_channel();
    (
        Person(sender)
            .serve_with_lifecycle(ours, lifecycle)
            .await
            .unwrap(),
        heard,
    )
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> CallToolResult {
    try_call(client, tool, arguments).await.unwrap()
}

async fn try_call(
    client: &Client,
    tool: &'static str,
    arguments: Value,
) -> Result<CallToolResult, ServiceError> {
    let arguments = arguments.as_object().unwrap().clone();
    client
        .call_tool(CallToolRequestParams::new(tool).with_arguments(arguments))
        .await
}

fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

fn local_user() -> AccessToken {
    AccessToken::assert_verified(TokenParts::new("urn:portcullis:local", "local"))
}

/// Counts how often a handler ran.
#[derive(Clone, Debug, Default)]
struct Count(Arc<std::sync::atomic::AtomicUsize>);

impl Count {
    fn up(&self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    fn get(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}
