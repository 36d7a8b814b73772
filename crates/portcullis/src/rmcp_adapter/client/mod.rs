//! A connection to a server: rmcp's client, with a bound on every wait.

mod failure;
mod tap;

use std::sync::Arc;
use std::time::Duration;

use portcullis_client::Credentials;
use portcullis_client::transport::HttpTransport;
use portcullis_fetch::StreamClient;
use portcullis_oauth::EndpointUrl;
use portcullis_oauth::json::{Map, Value};
use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequest, CancelledNotificationParam, ClientRequest, ProtocolVersion, RequestId,
    ServerResult,
};
use rmcp::service::{
    ClientCacheConfig, ClientLifecycleMode, ClientServiceExt as _, Peer, PeerRequestOptions,
    RunningService, ServiceError,
};
use tokio::time;

pub(crate) use self::tap::Listener;
use self::tap::Tap;
use crate::client::{ClientError, ServerInfo};
use crate::model;

/// What a connection needs.
pub(crate) struct Opening {
    pub(crate) url: EndpointUrl,
    pub(crate) client: StreamClient,
    pub(crate) credentials: Credentials,
    pub(crate) name: model::Implementation,
    pub(crate) timeout: Duration,
    pub(crate) sessions_only: bool,
}

/// One call.
pub(crate) struct Request {
    pub(crate) call: model::CallToolRequestParams,
    pub(crate) listener: Listener,
    pub(crate) timeout: Option<Duration>,
}

/// rmcp's client, running.
#[derive(Debug)]
pub(crate) struct Connection {
    running: RunningService<RoleClient, model::ClientConfig>,
    http: HttpTransport,
    timeout: Duration,
}

type Result<T> = std::result::Result<T, ClientError>;

/// No list is longer.
const MAX_ITEMS: usize = 10_000;
const MAX_PAGES: usize = 1000;

/// No call takes longer, whatever its progress.
const MAX_CALL: Duration = Duration::from_secs(3600);

impl Connection {
    pub(crate) async fn open(opening: Opening) -> Result<Self> {
        let http = HttpTransport::new(opening.client, opening.credentials);
        // Nothing is declared: this client has no user to ask and no model to sample.
        let mut config =
            model::ClientConfig::new(model::ClientCapabilities::default(), opening.name);
        config.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
        let lifecycle = if opening.sessions_only {
            ClientLifecycleMode::Initialize
        } else {
            ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::LATEST],
                legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
            }
        };
        let transport = Tap::new(http.start(&opening.url));
        let starting = config.serve_with_lifecycle(transport, lifecycle);
        let running = match time::timeout(opening.timeout, starting).await {
            Ok(Ok(running)) => running,
            Ok(Err(error)) => return Err(failure::of_start(&error, &http)),
            Err(_) => return Err(ClientError::Timeout(opening.timeout)),
        };
        // A list is asked for whenever somebody wants it, and a failure is no older list.
        let no_cache = ClientCacheConfig::disabled().with_serve_stale_on_error(false);
        running.peer().set_response_cache_config(no_cache).await;
        Ok(Self {
            running,
            http,
            timeout: opening.timeout,
        })
    }

    pub(crate) fn server(&self) -> Option<ServerInfo> {
        let info = self.peer().peer_info()?;
        Some(ServerInfo {
            implementation: info.server_info.clone(),
            revision: info.protocol_version.as_str().to_owned(),
            has_session: info.protocol_version.has_initialize(),
            capabilities: info.capabilities.clone(),
            instructions: info.instructions.clone(),
        })
    }

    pub(crate) async fn tools(&self) -> Result<Vec<model::Tool>> {
        let page = async |page| {
            let page = self.peer().list_tools(page).await?;
            Ok((page.tools, page.next_cursor))
        };
        self.all(page).await
    }

    pub(crate) async fn resources(&self) -> Result<Vec<model::Resource>> {
        let page = async |page| {
            let page = self.peer().list_resources(page).await?;
            Ok((page.resources, page.next_cursor))
        };
        self.all(page).await
    }

    pub(crate) async fn resource_templates(&self) -> Result<Vec<model::ResourceTemplate>> {
        let page = async |page| {
            let page = self.peer().list_resource_templates(page).await?;
            Ok((page.resource_templates, page.next_cursor))
        };
        self.all(page).await
    }

    pub(crate) async fn prompts(&self) -> Result<Vec<model::Prompt>> {
        let page = async |page| {
            let page = self.peer().list_prompts(page).await?;
            Ok((page.prompts, page.next_cursor))
        };
        self.all(page).await
    }

    pub(crate) async fn read_resource(&self, uri: String) -> Result<model::ReadResourceResult> {
        let params = model::ReadResourceRequestParams::new(uri);
        match self.within(self.peer().read_resource_once(params)).await? {
            model::ReadResourceResponse::Complete(result) => Ok(result),
            _ => Err(ClientError::NeedsInput),
        }
    }

    pub(crate) async fn get_prompt(
        &self,
        name: String,
        arguments: Option<Map<String, Value>>,
    ) -> Result<model::GetPromptResult> {
        let mut params = model::GetPromptRequestParams::new(name);
        if let Some(arguments) = arguments {
            params = params.with_arguments(arguments);
        }
        match self.within(self.peer().get_prompt_once(params)).await? {
            model::GetPromptResponse::Complete(result) => Ok(result),
            _ => Err(ClientError::NeedsInput),
        }
    }

    /// Calls a tool, until `stop` is ready.
    pub(crate) async fn call(
        &self,
        request: Request,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<model::CallToolResult> {
        let timeout = request.timeout.unwrap_or(self.timeout);
        let mut options = PeerRequestOptions::with_timeout(timeout)
            .reset_timeout_on_progress()
            .with_max_total_timeout(MAX_CALL.max(timeout));
        if request.listener.message.is_some() && !self.has_session() {
            options = options.with_meta(tap::with_messages());
        }
        let mut call = CallToolRequest::new(request.call);
        call.extensions.insert(request.listener);
        let call = ClientRequest::CallToolRequest(call);
        let sent = self.peer().send_request_with_option(call, options).await;
        let handle = sent.map_err(|error| failure::of_request(error, &self.http))?;
        let mut abandoned = Abandoned::new(self.peer(), &handle.id);
        let answer = tokio::select! {
            answer = handle.await_response() => {
                abandoned.disarm();
                answer.map_err(|error| failure::of_request(error, &self.http))?
            }
            () = stop => {
                abandoned.cancel().await;
                return Err(ClientError::Cancelled);
            }
        };
        match answer {
            ServerResult::CallToolResult(result) => Ok(result),
            ServerResult::InputRequiredResult(_) => Err(ClientError::NeedsInput),
            _ => Err(ClientError::Unexpected),
        }
    }

    pub(crate) async fn close(mut self) {
        // rmcp waits for 5 s for the server to end the session.
        let _ = self
            .running
            .close_with_timeout(Duration::from_secs(6))
            .await;
    }

    fn peer(&self) -> &Peer<RoleClient> {
        self.running.peer()
    }

    fn has_session(&self) -> bool {
        let info = self.peer().peer_info();
        info.is_some_and(|info| info.protocol_version.has_initialize())
    }

    /// All pages of a list. The first one is late after the same time, and says so itself.
    async fn all<T>(
        &self,
        page: impl AsyncFn(Option<model::PaginatedRequestParams>) -> Page<T>,
    ) -> Result<Vec<T>> {
        // SECURITY: a page that comes in time, and another, and another, would hold its caller for
        // hours (CWE-770); sec_a_list_with_all_its_pages_has_a_time
        match time::timeout(self.timeout, self.pages(page)).await {
            Ok(listed) => listed,
            Err(_) => Err(ClientError::ListTimeout(self.timeout)),
        }
    }

    async fn pages<T>(
        &self,
        page: impl AsyncFn(Option<model::PaginatedRequestParams>) -> Page<T>,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let params = model::PaginatedRequestParams::default().with_cursor(cursor.clone());
            let (more, next) = self.within(page(Some(params))).await?;
            items.extend(more);
            // SECURITY: a server decides how long its list is, we decide how much of it we keep;
            // sec_a_list_without_an_end_is_given_up
            if items.len() > MAX_ITEMS || (next.is_some() && next == cursor) {
                return Err(ClientError::TooMuch);
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
        Err(ClientError::TooMuch)
    }

    /// The answer of a request that is cancelled where it takes too long.
    async fn within<T>(&self, request: impl Future<Output = Answer<T>>) -> Result<T> {
        match time::timeout(self.timeout, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failure::of_request(error, &self.http)),
            Err(_) => Err(ClientError::Timeout(self.timeout)),
        }
    }
}

type Answer<T> = std::result::Result<T, ServiceError>;
type Page<T> = Answer<(Vec<T>, Option<String>)>;

/// Tells the server that nobody waits any more, unless somebody got the answer.
struct Abandoned {
    request: Option<(Peer<RoleClient>, RequestId)>,
}

impl Abandoned {
    fn new(peer: &Peer<RoleClient>, id: &RequestId) -> Self {
        Self {
            request: Some((peer.clone(), id.clone())),
        }
    }

    fn disarm(&mut self) {
        self.request = None;
    }

    async fn cancel(&mut self) {
        if let Some((peer, id)) = self.request.take() {
            tell(peer, id).await;
        }
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some((peer, id)) = self.request.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tell(peer, id));
        }
    }
}

async fn tell(peer: Peer<RoleClient>, id: RequestId) {
    let cancelled = CancelledNotificationParam::new(Some(id), None);
    // Whoever is gone needs not be told.
    let _ = peer.notify_cancelled(cancelled).await;
}

/// A callback of a call.
type Hear<T> = Option<Arc<dyn Fn(&T) + Send + Sync>>;
