//! One visit: connect, sign in when asked to, take the steps.

use std::{error::Error, sync::Arc, time::Duration};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use rmcp::{
    ClientLifecycleMode, ClientServiceExt as _,
    model::{
        CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, JsonObject,
        ProtocolVersion, ServerNotification, ServerResult, SubscriptionFilter,
    },
    service::{
        ClientInitializeError, PeerRequestOptions, RoleClient, RunningService, ServiceError,
    },
    transport::{
        StreamableHttpClientTransport,
        auth::AuthClient,
        streamable_http_client::{
            AuthRequiredError, InsufficientScopeError, StreamableHttpClientTransportConfig,
        },
    },
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    handler::{Handler, Heard},
    job::{Answer, Call, Job, Refusal, Report, Tool, described, read},
    person::Person,
};

type Connection = RunningService<RoleClient, Handler>;

/// A client that, sent to sign in, does so and tries again.
pub(crate) struct Session<'a> {
    job: &'a Job,
    person: Person<'a>,
    heard: Arc<Heard>,
    authorized: Option<AuthClient<reqwest::Client>>,
    report: Report,
}

impl<'a> Session<'a> {
    pub(crate) fn new(job: &'a Job, browser: &'a [String]) -> Self {
        let user = job.user.as_deref().unwrap_or("alice");
        Self {
            job,
            person: Person { user, browser },
            heard: Arc::new(Heard::new()),
            authorized: None,
            report: Report::default(),
        }
    }

    pub(crate) async fn work(mut self) -> Report {
        if let Err(error) = self.visit().await {
            self.report.error = Some(described("rmcp", error.as_ref()));
        }
        self.report
    }

    async fn visit(&mut self) -> anyhow::Result<()> {
        let connection = self.arrive().await?;
        let info = connection.peer().peer_info();
        self.report.protocol = info.map(|info| info.protocol_version.to_string());
        let tools = connection.list_all_tools().await?;
        let names = tools.into_iter().map(|tool| tool.name.into_owned());
        self.report.tools = Some(names.collect());
        for call in &self.job.calls {
            let answer = self.take(&connection, call).await;
            self.report.answers.push(answer);
        }
        connection.cancel().await?;
        Ok(())
    }

    /// A connection; with the job's leave, by way of the login.
    async fn arrive(&mut self) -> anyhow::Result<Connection> {
        match self.connect().await {
            Ok(connection) => Ok(connection),
            Err(error) => {
                let challenge = error.auth_challenge().map(str::to_owned);
                if let Some(challenge) = &challenge {
                    let is_scope = challenge.contains("insufficient_scope");
                    self.refused(if is_scope { 403 } else { 401 }, challenge.clone());
                }
                let Some(challenge) = challenge.filter(|_| self.job.login) else {
                    return Err(error.into());
                };
                let asked = &mut self.report.asked;
                let client = self.person.sign_in(&self.job.url, &challenge, asked);
                self.authorized = Some(client.await?);
                Ok(self.connect().await?)
            }
        }
    }

    async fn connect(&self) -> Result<Connection, ClientInitializeError> {
        let handler = Handler {
            heard: Arc::clone(&self.heard),
        };
        let mut config = StreamableHttpClientTransportConfig::with_uri(self.job.url.as_str());
        if let Some(token) = &self.job.token {
            config = config.auth_header(token);
        }
        let lifecycle = match self.job.era.as_str() {
            "2026-07-28" => ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                legacy_version: None,
            },
            _ => ClientLifecycleMode::Initialize,
        };
        if let Some(client) = self.authorized.clone() {
            let transport = StreamableHttpClientTransport::with_client(client, config);
            return handler.serve_with_lifecycle(transport, lifecycle).await;
        }
        let client = reqwest::Client::default();
        let transport = StreamableHttpClientTransport::with_client(client, config);
        handler.serve_with_lifecycle(transport, lifecycle).await
    }

    async fn take(&mut self, connection: &Connection, call: &Call) -> Answer {
        let taken = match call {
            Call::Tool {
                name,
                arguments,
                cancel: false,
            } => self.call(connection, name, arguments.as_ref()).await,
            Call::Tool {
                name, arguments, ..
            } => self.cancelled(connection, name, arguments.as_ref()).await,
            Call::All { all } => together(connection, all).await,
            Call::Request { method, params } => request(connection, method, params).await,
            Call::Heard { heard } => {
                let note = timeout(PATIENCE, self.heard.note(heard)).await;
                note.map_err(|_| json!({"type": "silence", "message": heard}))
            }
            Call::Signal { signal } => self.signal(signal).await,
            Call::Listen { listen } => self.listen(connection, listen.clone()).await,
        };
        let (value, error) = match taken {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        Answer {
            value,
            error,
            progress: self.heard.take_progress(),
        }
    }

    /// Calls a tool, and steps up once when that is what it takes.
    async fn call(
        &mut self,
        connection: &Connection,
        name: &str,
        arguments: Option<&JsonObject>,
    ) -> Result<Value, Value> {
        let params = tool(name, arguments);
        let error = match connection.call_tool(params.clone()).await {
            Ok(result) => return told(result),
            Err(error) => error,
        };
        let Some((challenge, scope)) = insufficient_scope(&error) else {
            if let Some(challenge) = unauthorized(&error) {
                self.refused(401, challenge);
            }
            return Err(described("ServiceError", &error));
        };
        self.refused(403, challenge);
        let (Some(client), Some(scope)) = (&self.authorized, scope) else {
            return Err(described("InsufficientScope", &error));
        };
        let asked = &mut self.report.asked;
        let stepped = self.person.step_up(client, &scope, asked).await;
        stepped.map_err(|error| described("step-up", error.as_ref()))?;
        let result = connection.call_tool(params).await;
        told(result.map_err(|error| described("ServiceError", &error))?)
    }

    /// Calls a tool, and takes it back at the first sign of progress.
    async fn cancelled(
        &self,
        connection: &Connection,
        name: &str,
        arguments: Option<&JsonObject>,
    ) -> Result<Value, Value> {
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(tool(name, arguments)));
        let options = PeerRequestOptions::no_options();
        let peer = connection.peer();
        let handle = peer.send_cancellable_request(request, options).await;
        let handle = handle.map_err(|error| described("ServiceError", &error))?;
        let moved = timeout(PATIENCE, self.heard.moved()).await;
        moved.map_err(|_| json!({"type": "silence", "message": "no progress"}))?;
        let cancelled = handle.cancel(Some("no longer wanted".to_owned())).await;
        cancelled.map_err(|error| described("ServiceError", &error))?;
        Err(json!({"type": "Cancelled", "message": "no longer wanted"}))
    }

    async fn signal(&self, url: &str) -> Result<Value, Value> {
        let sent = reqwest::Client::default().get(url).send().await;
        let answer = sent.map_err(|error| described("reqwest", &error))?;
        Ok(json!(answer.status().as_u16()))
    }

    /// Opens a stream of changes, which goes on being heard.
    async fn listen(
        &self,
        connection: &Connection,
        filter: SubscriptionFilter,
    ) -> Result<Value, Value> {
        let opened = connection.peer().listen(filter).await;
        let mut stream = opened.map_err(|error| described("ServiceError", &error))?;
        let heard = Arc::clone(&self.heard);
        tokio::spawn(async move {
            while let Ok(Some(note)) = stream.next().await {
                if let ServerNotification::ResourceUpdatedNotification(note) = note {
                    let params = json!({"uri": note.params.uri});
                    heard.add("notifications/resources/updated", params);
                }
            }
        });
        Ok(json!("listening"))
    }

    fn refused(&mut self, status: u16, challenge: String) {
        self.report.refused.push(Refusal {
            method: "POST",
            status,
            challenge,
        });
    }
}

fn tool(name: &str, arguments: Option<&JsonObject>) -> CallToolRequestParams {
    let params = CallToolRequestParams::new(name.to_owned());
    match arguments {
        Some(arguments) => params.with_arguments(arguments.clone()),
        None => params,
    }
}

fn told(result: CallToolResult) -> Result<Value, Value> {
    let text = result.content.first().and_then(|content| content.as_text());
    let text = text.map(|text| json!(text.text));
    if result.is_error == Some(true) {
        return Err(json!({"type": "isError", "message": text}));
    }
    Ok(result.structured_content.or(text).unwrap_or_default())
}

/// The answers of calls that run at the same time, in the order of the calls.
async fn together(connection: &Connection, all: &[Tool]) -> Result<Value, Value> {
    let calls = all.iter().map(|Tool { name, arguments }| async move {
        let result = connection.call_tool(tool(name, arguments.as_ref())).await;
        told(result.map_err(|error| described("ServiceError", &error))?)
    });
    Ok(Value::Array(try_join_all(calls).await?))
}

/// Any other request, and its result as it is.
async fn request(
    connection: &Connection,
    method: &str,
    params: &JsonObject,
) -> Result<Value, Value> {
    let sent = async {
        let request: ClientRequest = read(json!({"method": method, "params": params}))?;
        let result: ServerResult = connection.peer().send_request(request).await?;
        serde_json::to_value(result).context("the result is no JSON")
    };
    sent.await
        .map_err(|error| described("ServiceError", error.as_ref()))
}

fn insufficient_scope(error: &ServiceError) -> Option<(String, Option<String>)> {
    let found = below::<InsufficientScopeError>(error)?;
    let challenge = found.www_authenticate_header.clone();
    Some((challenge, found.required_scope.clone()))
}

fn unauthorized(error: &ServiceError) -> Option<String> {
    let found = below::<AuthRequiredError>(error)?;
    Some(found.www_authenticate_header.clone())
}

/// What the transport met.
fn below<E: Error + 'static>(error: &ServiceError) -> Option<&E> {
    let ServiceError::TransportSend(transport) = error else {
        return None;
    };
    let mut next: Option<&(dyn Error + 'static)> = Some(transport.error.as_ref());
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// How long to wait for what may never come.
const PATIENCE: Duration = Duration::from_secs(10);
