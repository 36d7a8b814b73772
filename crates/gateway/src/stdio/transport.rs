//! The service that a gateway puts behind its auth.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use portcullis_fetch::system::{SystemClock, SystemEntropy};
use portcullis_oauth::Monotonic;
use portcullis_resource_server::mcp::session::SessionOwner;
use portcullis_resource_server::{AccessToken, ConfigError};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::builder::StdioTransportBuilder;
use super::command::StdioCommand;
use super::fault::{empty, method_not_allowed};
use super::frame::{Frame, MOST_ID, text};
use super::headers::{self, WITH_SESSIONS};
use super::limits::{Isolation, StdioLimits};
use super::pool::Pool;
use super::process::Setup;
use super::sessions::{Session, Sessions};
use super::source::Source;
use super::stateful::{Incoming, SESSION_ID};
use crate::http_sse::Dial;
use crate::json_rpc::{refusal, unknown_session};

/// A stdio upstream as a service: MCP over Streamable HTTP in front, lines behind.
///
/// It stands behind [`Auth::protect`](portcullis_resource_server::Auth::protect), which verified
/// the token, took the credentials away and read the body strictly. Cloning shares the processes;
/// they end with the last clone, and [`stop`](Self::stop) waits for that.
///
/// ```no_run
/// use portcullis_gateway::stdio::{Isolation, StdioCommand, StdioTransport};
///
/// # async fn f() -> Result<(), portcullis_resource_server::ConfigError> {
/// let command = StdioCommand::new("npx").args(["-y", "@modelcontextprotocol/server-memory"]);
/// let notes = StdioTransport::builder("notes", command)
///     .isolation(Isolation::User)
///     .build()?;
/// # notes.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StdioTransport(Arc<Inner>);

/// What all clones share.
pub(super) struct Inner {
    pub(super) pool: Arc<Pool>,
    pub(super) sessions: Sessions,
    /// Until then the server is known to be of the era of sessions.
    pub(super) sessions_only_until: Mutex<Option<Monotonic>>,
    /// Starts the housekeeper, once.
    housekeeper: std::sync::Once,
    stopped: CancellationToken,
}

impl StdioTransport {
    /// An upstream called `name` in the log, which runs `command`.
    pub fn builder(name: impl Into<String>, command: StdioCommand) -> StdioTransportBuilder {
        StdioTransportBuilder::new(name.into(), command)
    }

    /// Whether both are clones of one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// An upstream behind connections instead of processes.
    pub(crate) fn of_connections(
        name: &Arc<str>,
        dial: Dial,
        isolation: Isolation,
        limits: StdioLimits,
    ) -> Result<Self, ConfigError> {
        let setup = Setup {
            name: Arc::clone(name),
            isolation,
            limits,
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy::new()),
        };
        Self::new(setup, Source::Server(Box::new(dial)))
    }

    pub(super) fn new(setup: Setup, source: Source) -> Result<Self, ConfigError> {
        source.check(setup.isolation)?;
        Ok(Self(Arc::new(Inner {
            pool: Arc::new(Pool::new(Arc::new(setup), source)),
            sessions: Sessions::default(),
            sessions_only_until: Mutex::default(),
            housekeeper: std::sync::Once::new(),
            stopped: CancellationToken::new(),
        })))
    }

    /// Ends all processes and what they started, and waits until they are gone. What runs fails
    /// with 502; whatever comes after is answered 503.
    pub async fn stop(&self) {
        self.0.stopped.cancel();
        self.0.pool.end();
        self.0.pool.ended_all().await;
    }
}

impl Service<Request<Body>> for StdioTransport {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            inner.keep_house();
            Ok(inner.serve(request).await)
        })
    }
}

impl Inner {
    async fn serve(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(revision) = headers::single(&parts.headers, headers::PROTOCOL_VERSION) else {
            return bad_request("The revision is not said in one way");
        };
        let token = parts.extensions.get::<AccessToken>();
        let is_stateless = revision.is_some_and(headers::is_stateless);
        if parts.method == Method::POST {
            let limit = self.pool.setup().limits.line_bytes.max(BODY_BYTES);
            return match Limited::new(body, limit).collect().await {
                Ok(body) => {
                    let post = Post {
                        headers: &parts.headers,
                        revision,
                        is_stateless,
                        token,
                    };
                    self.post(&post, body.to_bytes()).await
                }
                Err(_) => bad_request("The body cannot be read"),
            };
        }
        if is_stateless || !matches!(parts.method, Method::GET | Method::DELETE) {
            return method_not_allowed("POST");
        }
        if parts.method == Method::DELETE && token.is_none() {
            return self.end_unnamed(&parts.headers);
        }
        let (id, session) = match self.session(&parts.headers, token) {
            Ok(Some(found)) => found,
            Ok(None) => return bad_request("A session id is required"),
            Err(Unknown) => return unknown_session(),
        };
        if parts.method == Method::DELETE {
            self.sessions.close(&id);
            return empty(StatusCode::NO_CONTENT);
        }
        if !accepts(&parts.headers, &["text/event-stream"]) {
            return not_acceptable();
        }
        Self::stream(Some(&session), parts.headers.contains_key(LAST_EVENT_ID))
    }

    /// The layer in front ends sessions in nobody's name, and lets no stranger name another's. So
    /// the id is enough to end a session, and for nothing else.
    fn end_unnamed(&self, headers: &HeaderMap) -> Response<Body> {
        match headers::single(headers, SESSION_ID) {
            Ok(None) => bad_request("A session id is required"),
            Ok(Some(id)) if self.sessions.close(id) => empty(StatusCode::NO_CONTENT),
            _ => unknown_session(),
        }
    }

    async fn post(self: &Arc<Self>, post: &Post<'_>, message: Bytes) -> Response<Body> {
        if !accepts(post.headers, &["application/json", "text/event-stream"]) {
            return not_acceptable();
        }
        let frame = Frame::read(&message);
        let Some((kind, frame)) = frame.and_then(|frame| Some((frame.kind(&message)?, frame)))
        else {
            return bad_request("The body is no message of JSON-RPC 2.0");
        };
        if frame.id.as_ref().is_some_and(|id| id.len() > MOST_ID) {
            return bad_request("The id is too long");
        }
        let incoming = Incoming {
            message: &message,
            frame: &frame,
            kind,
            token: post.token,
        };
        let session = match self.session(post.headers, post.token) {
            _ if post.is_stateless => None,
            Ok(session) => session,
            Err(Unknown) => return unknown_session(),
        };
        let says_revision = text(&message, frame.meta.protocol_version.as_ref()).is_some();
        let stands_alone = says_revision && session.is_none() && incoming.method() != "initialize";
        if post.is_stateless || stands_alone {
            return self.alone(&incoming, post.headers).await;
        }
        if post
            .revision
            .is_some_and(|revision| !WITH_SESSIONS.contains(&revision))
        {
            return bad_request("The revision is not supported");
        }
        match session {
            Some((_, session)) => self.inside(&incoming, &session).await,
            None => self.outside(&incoming).await,
        }
    }

    /// The caller's own session, if the request names one.
    fn session(
        &self,
        headers: &HeaderMap,
        token: Option<&AccessToken>,
    ) -> Result<Option<(String, Arc<Session>)>, Unknown> {
        let id = headers::single(headers, SESSION_ID).map_err(|_| Unknown)?;
        let Some(id) = id else {
            return Ok(None);
        };
        let owner = SessionOwner::of(token);
        let now = self.pool.setup().clock.monotonic();
        let session = self.sessions.find(id, &owner, now).ok_or(Unknown)?;
        // SECURITY: a process that was started for what an older token said does not serve a newer
        // one; sec_gw_18_a_changed_claim_is_another_process
        let is_same = self
            .values(token)
            .is_ok_and(|values| values == session.values);
        is_same
            .then(|| Some((id.to_owned(), session)))
            .ok_or(Unknown)
    }

    /// Starts the task that looks after processes and sessions, once.
    fn keep_house(self: &Arc<Self>) {
        self.housekeeper.call_once(|| {
            let limits = self.pool.setup().limits;
            let shortest = limits
                .request_timeout
                .min(limits.start_timeout)
                .min(limits.idle);
            let pause = (shortest / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            tokio::spawn(look_after(
                Arc::downgrade(self),
                pause,
                self.stopped.clone(),
            ));
        });
    }
}

async fn look_after(inner: Weak<Inner>, pause: Duration, stopped: CancellationToken) {
    loop {
        if tokio::time::timeout(pause, stopped.cancelled())
            .await
            .is_ok()
        {
            return;
        }
        let Some(inner) = inner.upgrade() else {
            return;
        };
        inner.pool.sweep();
        inner.sessions.sweep(inner.pool.setup());
    }
}

/// What a `POST` says beside its body.
struct Post<'a> {
    headers: &'a HeaderMap,
    revision: Option<&'a str>,
    is_stateless: bool,
    token: Option<&'a AccessToken>,
}

/// There is no such session, or it is another's.
#[derive(Debug)]
struct Unknown;

/// Whether a client takes all of these types. One that says nothing takes anything.
fn accepts(headers: &HeaderMap, types: &[&str]) -> bool {
    let values = headers.get_all(ACCEPT);
    let said = || {
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|v| v.split(','))
    };
    let takes = |wanted: &str| {
        said().any(|range| {
            let range = range.split(';').next().unwrap_or_default().trim();
            let kind = range.strip_suffix("/*");
            range.eq_ignore_ascii_case(wanted)
                || range == "*/*"
                || kind.is_some_and(|kind| wanted.split('/').next() == Some(kind))
        })
    };
    values.iter().next().is_none() || types.iter().all(|wanted| takes(wanted))
}

fn bad_request(message: &'static str) -> Response<Body> {
    refusal(StatusCode::BAD_REQUEST, None, -32600, message)
}

fn not_acceptable() -> Response<Body> {
    let message = "The client must accept application/json and text/event-stream";
    refusal(StatusCode::NOT_ACCEPTABLE, None, -32600, message)
}

impl fmt::Debug for StdioTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioTransport")
            .field("name", &self.0.pool.setup().name)
            .finish_non_exhaustive()
    }
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const BODY_BYTES: usize = 4 * 1024 * 1024;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
