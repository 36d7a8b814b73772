//! Revisions up to 2025-11-25: a handshake, then messages in its session.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use http::{HeaderValue, Response, StatusCode};
use portcullis_oauth::json::json;
use portcullis_resource_server::AccessToken;
use portcullis_resource_server::mcp::session::SessionOwner;

use super::Inner;
use super::fault::{Fault, empty};
use super::frame::{Frame, Kind, text};
use super::headers::WITH_SESSIONS;
use super::limits::Isolation;
use super::pool::Key;
use super::process::{Era, Opening, Process, Request};
use super::queue::Event;
use super::reply::{listen, reply};
use super::sessions::{NewSession, Session};
use super::source::Values;
use crate::json_rpc::{json_response, refusal, unknown_session};

pub(super) const SESSION_ID: &str = "mcp-session-id";

/// One message of a client's, and who sent it.
pub(super) struct Incoming<'a> {
    pub(super) message: &'a Bytes,
    pub(super) frame: &'a Frame,
    pub(super) kind: Kind,
    pub(super) token: Option<&'a AccessToken>,
}

impl Incoming<'_> {
    /// The request's id as JSON text.
    pub(super) fn id(&self) -> &[u8] {
        let id = self.frame.id.clone().and_then(|id| self.message.get(id));
        id.unwrap_or(b"null")
    }

    pub(super) fn method(&self) -> std::borrow::Cow<'_, str> {
        text(self.message, self.frame.method.as_ref()).unwrap_or_default()
    }

    pub(super) fn owner(&self) -> SessionOwner {
        SessionOwner::of(self.token)
    }
}

impl Inner {
    /// A message without a session: only the handshake has none.
    pub(super) async fn outside(self: &Arc<Self>, incoming: &Incoming<'_>) -> Response<Body> {
        if incoming.kind != Kind::Request || incoming.method() != "initialize" {
            let id = (incoming.kind == Kind::Request).then(|| incoming.id());
            return refusal(
                StatusCode::BAD_REQUEST,
                id,
                -32000,
                "A session id is required",
            );
        }
        let opened = match self.pool.setup().isolation {
            Isolation::Session => self.open_alone(incoming).await,
            Isolation::User | Isolation::Shared => self.open_together(incoming).await,
        };
        opened.unwrap_or_else(|fault| fault.response(&self.pool.setup().name, incoming.id()))
    }

    /// The handshake with a process of the session's own.
    async fn open_alone(
        self: &Arc<Self>,
        incoming: &Incoming<'_>,
    ) -> Result<Response<Body>, Fault> {
        let key = self.key(incoming, Era::Sessions)?;
        let process = self.pool.start(&key)?;
        // Whoever leaves before the answer leaves no process behind.
        let started = EndsUnlessKept(Some(&process));
        let setup = self.pool.setup();
        let (number, inbox) = (self.sessions.number(), setup.inbox());
        process.attach(number, Arc::clone(&inbox));
        let mut pending = process
            .request(Request {
                message: incoming.message,
                frame: incoming.frame,
                session: Some(number),
                timeout: Some(setup.limits.start_timeout),
                is_cancelled_with_stream: false,
            })
            .await?;
        let answer = loop {
            match pending.next().await {
                // The session has no stream yet.
                Some(Event::Message(message)) => drop(inbox.push(Event::Message(message))),
                Some(Event::Answer { message, error }) => break (message, error),
                Some(Event::Failed(fault)) => return Err(fault),
                Some(Event::Ended) | None => return Err(Fault::Gone),
            }
        };
        let (message, None) = answer else {
            return Ok(json_response(StatusCode::OK, answer.0));
        };
        let new = NewSession {
            number,
            owner: incoming.owner(),
            values: key.values,
            process: Arc::clone(&process),
            inbox,
            is_alone: true,
        };
        let id = self.sessions.open(setup, new)?;
        started.keep();
        Ok(with_session(json_response(StatusCode::OK, message), &id))
    }

    /// The handshake with a process that serves other sessions too: its answer is remembered.
    async fn open_together(
        self: &Arc<Self>,
        incoming: &Incoming<'_>,
    ) -> Result<Response<Body>, Fault> {
        let key = self.key(incoming, Era::Sessions)?;
        let process = self.pool.obtain(&key)?;
        let setup = self.pool.setup();
        let opening = if setup.isolation == Isolation::Shared {
            process.open(introduce).await?
        } else {
            let (message, frame) = (incoming.message.clone(), incoming.frame.clone());
            process
                .open(|process| hand_on(process, message, frame))
                .await?
        };
        let (answer, is_open) = match opening {
            Opening::Initialized(answer) => (answer, true),
            Opening::Refused(answer) => (answer, false),
            Opening::Stateless | Opening::SessionsOnly => return Err(Fault::Gone),
        };
        let frame = Frame::read(&answer).ok_or(Fault::Gone)?;
        let id = frame.id.clone().ok_or(Fault::Gone)?;
        let answer = frame.splice(&answer, &mut [(id, incoming.id())]);
        let response = json_response(StatusCode::OK, answer.into());
        if !is_open {
            process.end();
            return Ok(response);
        }
        let (number, inbox) = (self.sessions.number(), setup.inbox());
        let new = NewSession {
            number,
            owner: incoming.owner(),
            values: key.values,
            process: Arc::clone(&process),
            inbox: Arc::clone(&inbox),
            is_alone: false,
        };
        let id = self.sessions.open(setup, new)?;
        process.attach(number, inbox);
        Ok(with_session(response, &id))
    }

    /// A message in a session.
    pub(super) async fn inside(
        &self,
        incoming: &Incoming<'_>,
        session: &Session,
    ) -> Response<Body> {
        let (message, frame) = (incoming.message, incoming.frame);
        let process = &session.process;
        let handed = match incoming.kind {
            Kind::Request => return self.request(incoming, session).await,
            Kind::Notification => process.notify(message, frame, Some(session.number)).await,
            Kind::Answer => process.answer(message, frame, session.number).await,
        };
        match handed {
            Ok(()) => empty(StatusCode::ACCEPTED),
            Err(fault) => fault.response(&self.pool.setup().name, b"null"),
        }
    }

    async fn request(&self, incoming: &Incoming<'_>, session: &Session) -> Response<Body> {
        let setup = self.pool.setup();
        let method = incoming.method();
        if let Some(response) = answered_here(&method, incoming, session) {
            return response;
        }
        let pending = session
            .process
            .request(Request {
                message: incoming.message,
                frame: incoming.frame,
                session: Some(session.number),
                timeout: Some(setup.limits.request_timeout),
                // A connection that breaks takes nothing back (2025-11-25, Streamable HTTP).
                is_cancelled_with_stream: false,
            })
            .await;
        match pending {
            Ok(pending) => reply(pending, Era::Sessions).await,
            Err(fault) => fault.response(&setup.name, incoming.id()),
        }
    }

    /// A session's own stream. Events have no ids, so there is nothing to resume.
    pub(super) fn stream(session: Option<&Session>, last_event: bool) -> Response<Body> {
        match session {
            // SECURITY: an event id is none of ours, so nobody reads another's stream by one;
            // sec_rs_18_a_stream_is_never_resumed_by_event_id
            Some(session) if !last_event => listen(Arc::clone(&session.inbox)),
            _ => unknown_session(),
        }
    }

    /// Whom a request is for.
    pub(super) fn key(&self, incoming: &Incoming<'_>, era: Era) -> Result<Key, Fault> {
        let values = self.values(incoming.token)?;
        let owner = match self.pool.setup().isolation {
            Isolation::Shared => None,
            Isolation::Session | Isolation::User => Some(incoming.owner()),
        };
        Ok(Key { owner, era, values })
    }

    /// What differs in the command for a caller.
    pub(super) fn values(&self, token: Option<&AccessToken>) -> Result<Values, Fault> {
        Ok(self.pool.source().values(token)?)
    }
}

/// Requests that the process need not or must not hear.
fn answered_here(
    method: &str,
    incoming: &Incoming<'_>,
    session: &Session,
) -> Option<Response<Body>> {
    let id = incoming.id();
    if method == "initialize" {
        let message = "The session is initialized already";
        return Some(refusal(StatusCode::BAD_REQUEST, Some(id), -32600, message));
    }
    if !matches!(method, "resources/subscribe" | "resources/unsubscribe") {
        return None;
    }
    let uri = text(incoming.message, incoming.frame.params.uri.as_ref())?;
    if method == "resources/subscribe" {
        let message = "The session has no room for the subscription";
        return (!session.process.subscribe(session.number, &uri))
            .then(|| refusal(StatusCode::OK, Some(id), -32000, message));
    }
    session.process.unsubscribe(session.number, &uri).then(|| {
        // Another session on the process still wants to hear.
        let id = String::from_utf8_lossy(id);
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
        json_response(StatusCode::OK, body.into())
    })
}

/// A process that serves one principal hears the handshake of its first session.
fn hand_on(
    process: Arc<Process>,
    message: Bytes,
    frame: Frame,
) -> BoxFuture<'static, Result<Opening, Fault>> {
    async move { shake_hands(&process, &message, &frame).await }.boxed()
}

/// A process that serves everybody hears from the gateway, which can do nothing for it.
fn introduce(process: Arc<Process>) -> BoxFuture<'static, Result<Opening, Fault>> {
    async move {
        let [newest, ..] = WITH_SESSIONS;
        let message = json!({
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {
                "protocolVersion": newest,
                "capabilities": {},
                "clientInfo": {"name": "portcullis", "version": env!("CARGO_PKG_VERSION")},
            },
        });
        let message = Bytes::from(message.to_string());
        let frame = Frame::read(&message).ok_or(Fault::Gone)?;
        let opening = shake_hands(&process, &message, &frame).await?;
        if let Opening::Initialized(_) = opening {
            process.initialized().await?;
        }
        Ok(opening)
    }
    .boxed()
}

async fn shake_hands(
    process: &Arc<Process>,
    message: &Bytes,
    frame: &Frame,
) -> Result<Opening, Fault> {
    let mut pending = process
        .request(Request {
            message,
            frame,
            session: None,
            timeout: Some(process.setup().limits.start_timeout),
            is_cancelled_with_stream: false,
        })
        .await?;
    loop {
        match pending.next().await {
            Some(Event::Message(_)) => {}
            Some(Event::Answer { message, error }) => {
                return Ok(match error {
                    None => Opening::Initialized(message),
                    Some(_) => Opening::Refused(message),
                });
            }
            Some(Event::Failed(fault)) => {
                process.end();
                return Err(fault);
            }
            Some(Event::Ended) | None => return Err(Fault::Gone),
        }
    }
}

fn with_session(mut response: Response<Body>, id: &str) -> Response<Body> {
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(SESSION_ID, id);
    }
    response
}

/// Ends a process when it goes, unless it was kept.
struct EndsUnlessKept<'a>(Option<&'a Process>);

impl EndsUnlessKept<'_> {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for EndsUnlessKept<'_> {
    fn drop(&mut self) {
        if let Some(process) = self.0 {
            process.end();
        }
    }
}
