//! The two paths of the transport, behind everything that protects them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::future::{Ready, ready};
use futures_util::stream::{self, StreamExt as _};
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_oauth::crypto::base64url;
use portcullis_oauth::form::{Form, Limits};
use portcullis_oauth::{EntropyError, SharedEntropy};
use tokio::sync::mpsc;
use tower::Service;

use super::connection::Undelivered;
use super::{LegacySse, Line};
use crate::mcp::refusal::{busy, no_room, unknown_session};
use crate::mcp::session::{InUse, SessionOwner, Sessions};
use crate::{AccessToken, Incident};

/// How often a stream without news shows that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The streams that are open, by the id that their clients post to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<HashMap<Arc<str>, Line>>>);

impl Lines {
    /// The id that a message's URL names.
    pub(crate) fn named<B>(request: &Request<B>) -> Option<String> {
        let query = request.uri().query()?;
        let form = Form::parse(query.as_bytes(), Limits::ENDPOINT).ok()?;
        form.one("sessionId").ok()?.map(str::to_owned)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Line> {
        self.lines().get(id).cloned()
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Arc<str>, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /sse`.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) legacy: LegacySse,
    /// The public path of the messages.
    pub(crate) endpoint: String,
    pub(crate) lines: Lines,
    pub(crate) sessions: Sessions,
    pub(crate) entropy: SharedEntropy,
}

impl Stream {
    fn open(&self, request: Request<Body>) -> Response {
        let (head, _) = request.into_parts();
        let token = head.extensions.get::<AccessToken>().cloned();
        let room = match self.sessions.reserve(SessionOwner::of(token.as_ref())) {
            Ok(room) => room,
            Err(fault) => return no_room(fault, None).into_response(),
        };
        let Ok(id) = self.new_id() else {
            let incident = Incident::new();
            tracing::error!(%incident, "no randomness for a session id");
            return incident.into_response();
        };
        room.open(&id);
        let in_use = self.sessions.hold(&id, token.as_ref());
        let (line, connection, outgoing) = Line::open(head);
        self.lines.lines().insert(Arc::clone(&id), line);
        let hung_up = HangUp {
            lines: self.lines.clone(),
            sessions: self.sessions.clone(),
            id: Arc::clone(&id),
        };
        tokio::spawn((self.legacy.serve)(connection));
        let endpoint = format!("{}?sessionId={id}", self.endpoint);
        events(endpoint, outgoing, in_use, hung_up)
    }

    /// 128 bits.
    fn new_id(&self) -> Result<Arc<str>, EntropyError> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes)?;
        Ok(base64url::encode(bytes).into())
    }
}

/// Forgets a stream when its body is dropped.
struct HangUp {
    lines: Lines,
    sessions: Sessions,
    id: Arc<str>,
}

impl Drop for HangUp {
    fn drop(&mut self) {
        self.lines.lines().remove(&self.id);
        self.sessions.close(&self.id);
    }
}

fn events(
    endpoint: String,
    outgoing: mpsc::Receiver<Bytes>,
    in_use: Option<InUse>,
    hung_up: HangUp,
) -> Response {
    let first = Event::default().event("endpoint").data(endpoint);
    let state = (outgoing, in_use, hung_up);
    let messages = stream::unfold(state, |(mut outgoing, in_use, hung_up)| async move {
        let ended = async {
            // Without one, it ended before it began.
            if let Some(in_use) = &in_use {
                in_use.end().cancelled().await;
            }
        };
        let message = tokio::select! {
            // SECURITY: a session that ended says nothing more;
            // sec_ds_08_legacy_streams_of_one_principal_are_capped
            biased;
            () = ended => None,
            message = outgoing.recv() => message,
        };
        let text = String::from_utf8(message?.into()).ok()?;
        let event = Event::default().event("message").data(text);
        Some((event, (outgoing, in_use, hung_up)))
    });
    let events = stream::once(ready(first)).chain(messages);
    let events = Sse::new(events.map(Ok::<_, Infallible>));
    let mut response = events
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response();
    let never = HeaderValue::from_static("no-cache, no-store");
    response.headers_mut().insert(CACHE_CONTROL, never);
    response
}

impl Service<Request<Body>> for Stream {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        ready(Ok(self.open(request)))
    }
}

/// `POST /messages`.
#[derive(Debug, Clone)]
pub(crate) struct Messages(pub(crate) Lines);

impl Messages {
    /// Its session is the caller's, and its body is whole and let in.
    pub(crate) async fn post(self, request: Request<Body>) -> Response {
        let line = Lines::named(&request).and_then(|id| self.0.get(&id));
        let Some(line) = line else {
            return unknown_session().into_response();
        };
        let (head, body) = request.into_parts();
        // It was read and is in memory.
        let Ok(body) = body.collect().await else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        accepted(line.deliver(head, body.to_bytes()))
    }
}

impl Line {
    /// Says an answer on the stream that was made before the message reached the server.
    pub(crate) async fn answer(&self, answer: Response) -> Response {
        let (head, body) = answer.into_parts();
        let mut said = match body.collect().await {
            Ok(body) => accepted(self.say(body.to_bytes())),
            Err(_) => StatusCode::BAD_GATEWAY.into_response(),
        };
        // Observers find there what became of the message.
        said.extensions_mut().extend(head.extensions);
        said
    }
}

fn accepted(delivered: Result<(), Undelivered>) -> Response {
    match delivered {
        Ok(()) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Err(Undelivered::Busy) => busy(None).into_response(),
        Err(Undelivered::Gone) => unknown_session().into_response(),
    }
}

pub(crate) fn not_allowed(method: &'static str) -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, method)]).into_response()
}
