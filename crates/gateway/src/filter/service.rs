//! A server behind that shows each caller what it may see, and keeps its tasks from others.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::{self, BoxFuture, FutureExt as _};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Collected};
use portcullis_oauth::json::{self, Limits, json};
use portcullis_resource_server::AccessToken;
use portcullis_resource_server::mcp::session::SessionOwner;
use portcullis_resource_server::mcp::{Operation, PeekedMessage, SecuritySchemes, Target};
use serde::Deserialize;
use tower::Service;

use super::tasks::{OwnTasks, Tasks};
use super::unmatched::Unmatched;
use super::{Filter, watch};
use crate::failure::Failure;
use crate::json_rpc::{error_body, json_response};
use crate::rules::Rules;

/// Stands in front of a transport. Most requests it lets through as they are.
#[derive(Debug, Clone)]
pub(crate) struct Filtered<T> {
    inner: T,
    rules: Arc<Rules>,
    /// Absent where nobody says who is calling.
    tasks: Option<Tasks>,
    unmatched: Unmatched,
    upstream: Arc<str>,
}

impl<T> Filtered<T> {
    pub(crate) fn new(
        inner: T,
        rules: Arc<Rules>,
        tasks: Option<Tasks>,
        upstream: Arc<str>,
    ) -> Self {
        let unmatched = Unmatched::new(&rules);
        Self {
            inner,
            rules,
            tasks,
            unmatched,
            upstream,
        }
    }

    /// What has to be done for a request; `None` where it is nothing.
    fn duty(&self, request: &Request<Body>) -> Option<Duty> {
        let message = request.extensions().get::<PeekedMessage>();
        let operation = message.and_then(PeekedMessage::operation);
        let method = operation.map(Operation::method);
        let is_get = *request.method() == Method::GET;
        // SECURITY: a stream that is taken up again brings what was missed on another, lists too;
        // sec_gw_15_a_redelivered_list_is_filtered
        let redelivers = is_get && request.headers().contains_key("last-event-id");
        let has_tasks = self.tasks.is_some();
        let has_lists = match method {
            Some("tasks/list") => has_tasks,
            Some(method) => !self.rules.is_empty() && is_list(method),
            None => is_get && !self.rules.is_empty() || has_tasks && redelivers,
        };
        let duty = Duty {
            reads: match has_lists {
                true => Reads::Lists,
                false if self.rules.names_resources() => Reads::Updates,
                false => Reads::Nothing,
            },
            notes: has_tasks && (redelivers || message.is_some_and(PeekedMessage::mentions_tasks)),
            names: has_tasks && method.is_some_and(may_name_tasks),
        };
        (duty.reads != Reads::Nothing || duty.notes || duty.names).then_some(duty)
    }
}

/// What a request needs beside being handed on.
#[derive(Debug, Clone, Copy)]
struct Duty {
    reads: Reads,
    /// Its answer may say that a task was made.
    notes: bool,
    /// It may name tasks.
    names: bool,
}

/// What may be in an answer that its caller must not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Nothing,
    /// Resources that changed, where it is a stream.
    Updates,
    /// A list as well, in an answer of any form.
    Lists,
}

type Answering = BoxFuture<'static, Result<Response<Body>, Infallible>>;

impl<T> Service<Request<Body>> for Filtered<T>
where
    T: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answering>
        + Clone
        + Send
        + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answering {
        let Some(duty) = self.duty(&request) else {
            return self.inner.call(request);
        };
        let token = request.extensions().get::<AccessToken>().cloned();
        let message = request.extensions().get::<PeekedMessage>().cloned();
        let owner = SessionOwner::of(token.as_ref());
        let tasks = self.tasks.as_ref().map(|tasks| tasks.of(owner));
        if let Some(tasks) = tasks.as_ref().filter(|_| duty.names)
            && !names_own(tasks, message.as_ref(), request.body_mut())
        {
            let refused = Refused::of(message.as_ref(), &mut request);
            return future::ready(Ok(refused.response(message.as_ref()))).boxed();
        }
        // `poll_ready` said yes to this one.
        let spare = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let upstream = Arc::clone(&self.upstream);
        let filter = Filter {
            rules: Arc::clone(&self.rules),
            token,
            tasks,
            unmatched: self.unmatched.clone(),
            schemes: request.extensions().get::<SecuritySchemes>().cloned(),
            upstream: Arc::clone(&upstream),
        };
        Box::pin(async move {
            let answer = inner.call(request).await?;
            let id = message.as_ref().and_then(PeekedMessage::id);
            let shown = shown(filter, duty, answer).await;
            Ok(shown.unwrap_or_else(|failure| failure.into_response(&upstream, id)))
        })
    }
}

/// The answer as its caller may see it.
async fn shown(
    filter: Filter,
    duty: Duty,
    mut answer: Response<Body>,
) -> Result<Response<Body>, Failure> {
    if let Some(tasks) = filter.tasks.clone().filter(|_| duty.notes) {
        answer = watch::watch(tasks, answer).await?;
    }
    match duty.reads {
        Reads::Lists => filter.apply(answer).await,
        Reads::Updates => Ok(filter.apply_to_stream(answer)),
        Reads::Nothing => Ok(answer),
    }
}

/// Whether all tasks that a message names are its sender's own.
fn names_own(tasks: &OwnTasks, message: Option<&PeekedMessage>, body: &mut Body) -> bool {
    // SECURITY: an id is no right, however hard to guess, and a task's owner is who made it (MCP
    // 2025-11-25, task isolation); sec_mt_01_another_principals_task_is_unknown
    let operation = message.and_then(PeekedMessage::operation);
    if let Some(Target::Task(id)) = operation.map(Operation::target) {
        return tasks.has(id);
    }
    // SECURITY: where a method of another revision names its task, nobody here knows;
    // sec_mt_01_another_principals_task_is_unknown
    if operation.is_none_or(|operation| operation.method() != LISTEN) {
        return false;
    }
    let read = read_again(body);
    let Ok(listen) = json::from_slice::<Listen<'_>>(&read, Limits::MCP) else {
        // Of another shape than it has: nobody knows what a server finds in it.
        return false;
    };
    let named = listen.params.and_then(|params| params.notifications);
    let mut named = named.into_iter().flat_map(|wanted| wanted.tasks);
    named.all(|id| tasks.has(&id))
}

/// The body, which was read whole before, so it is there at once.
fn read_again(body: &mut Body) -> Bytes {
    let read = std::mem::take(body).collect().now_or_never();
    let read = read.and_then(Result::ok).map(Collected::to_bytes);
    let read = read.unwrap_or_default();
    *body = Body::from(read.clone());
    read
}

/// Why a message about a task goes no further, in the order in which a server would say it.
#[derive(Debug, Clone, Copy)]
enum Refused {
    /// The revision has no such method.
    Method,
    /// Its sender does not say that it knows tasks (extension `io.modelcontextprotocol/tasks`).
    Capability,
    /// The task is another's, or nobody's.
    Task,
}

impl Refused {
    fn of(message: Option<&PeekedMessage>, request: &mut Request<Body>) -> Self {
        let revision = request.headers().get("mcp-protocol-version");
        let is_extension = revision.is_some_and(|revision| revision.as_bytes() >= EXTENDED);
        let operation = message.and_then(PeekedMessage::operation);
        let is_removed = operation.is_some_and(|it| it.method() == "tasks/result");
        if is_extension && is_removed {
            return Self::Method;
        }
        let body = read_again(request.body_mut());
        let is_declared = body.windows(7).any(|text| text == b"/tasks\"");
        if is_extension && !is_declared {
            return Self::Capability;
        }
        Self::Task
    }

    fn response(self, message: Option<&PeekedMessage>) -> Response<Body> {
        let Some(id) = message.and_then(PeekedMessage::id) else {
            // Nobody waits for the answer to a notification.
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::ACCEPTED;
            return response;
        };
        let (status, code, what, data) = match self {
            Self::Method => (StatusCode::NOT_FOUND, -32601, "Method not found", None),
            Self::Capability => {
                let needed = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
                let data = json!({"requiredCapabilities": needed});
                let what = "The client does not say that it knows tasks";
                (StatusCode::BAD_REQUEST, -32021, what, Some(data))
            }
            Self::Task => (StatusCode::OK, -32602, "Unknown task", None),
        };
        json_response(status, error_body(Some(id.as_bytes()), code, what, data))
    }
}

/// From this revision on tasks are an extension. Revisions are dates, so they sort.
const EXTENDED: &[u8] = b"2026-07-28";

fn may_name_tasks(method: &str) -> bool {
    method == LISTEN || method.starts_with("tasks/") && method != "tasks/list"
}

const LISTEN: &str = "subscriptions/listen";

/// Whether the answer to `method` holds a list.
fn is_list(method: &str) -> bool {
    matches!(
        method,
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list"
    )
}

/// What a subscription may say of tasks (extension `io.modelcontextprotocol/tasks`).
#[derive(Deserialize)]
struct Listen<'a> {
    #[serde(borrow)]
    params: Option<ListenParams<'a>>,
}

#[derive(Deserialize)]
struct ListenParams<'a> {
    #[serde(borrow)]
    notifications: Option<Wanted<'a>>,
}

#[derive(Deserialize)]
struct Wanted<'a> {
    #[serde(borrow, default, rename = "taskIds")]
    tasks: Vec<Cow<'a, str>>,
}
