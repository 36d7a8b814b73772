//! Between the token and the server: sessions, the body's operation, and the decision on it.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::IntoResponse as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::COOKIE;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use tower::{Service, ServiceExt as _};

use super::access::{AccessPolicy, Decision};
use super::intake;
use super::legacy_sse::{self, Line, Lines};
use super::listen;
use super::opening;
use super::peek::{Message, peek};
use super::peeked::PeekedMessage;
use super::refusal::{Refusal, busy, json_rpc, no_room, unknown, unknown_session};
use super::room::{Place, Room};
use super::schemes::SecuritySchemes;
use super::session::{InUse, NoRoom, Reservation, SessionOwner, Sessions};
use super::step_up::{StepUp, Wish};
use super::style::{Asker, ChallengeStyle, InBandCall};
use crate::events::Journal;
use crate::layer::{Opener, Policy, guard};
use crate::observe::Notes;
use crate::reload::{Again, Way};
use crate::{AccessToken, Incident};

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The first revision without sessions.
const STATELESS: &str = "2026-07-28";

/// What all requests to one MCP endpoint share.
pub(crate) struct Endpoint {
    pub(crate) access: Arc<dyn AccessPolicy>,
    pub(crate) sessions: Sessions,
    /// Absent where the server asks for no tokens.
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) room: Room,
    pub(crate) journal: Journal,
    pub(crate) transport: Transport,
    pub(crate) style: ChallengeStyle,
    /// Whether somebody wants to know what requests ask for.
    pub(crate) is_observed: bool,
    /// Whether the server behind gets what was read of a body.
    pub(crate) hands_on_message: bool,
}

/// How requests name their session.
pub(crate) enum Transport {
    /// By a header: Streamable HTTP.
    Streamable,
    /// Not at all: the stream of HTTP+SSE, which makes one.
    LegacyStream,
    /// In the URL: the messages of HTTP+SSE, which go to these.
    LegacyMessages(Lines),
}

/// The MCP endpoint behind the auth layer.
#[derive(Clone)]
pub(crate) struct McpService<S> {
    inner: S,
    endpoint: Arc<Endpoint>,
}

impl<S> McpService<S> {
    pub(crate) fn new(inner: S, endpoint: Arc<Endpoint>) -> Self {
        Self { inner, endpoint }
    }
}

impl<S> fmt::Debug for McpService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("McpService")
    }
}

impl<S> Service<Request<Body>> for McpService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Readiness of the inner service is awaited in `call`, by the clone that is used.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if request.extensions().get::<Again>().is_some() {
            // No layer has answered it: nobody is asked for a token.
            return Box::pin(ready(Ok(Again::answer(true))));
        }
        let (endpoint, inner) = (Arc::clone(&self.endpoint), self.inner.clone());
        let way = request.extensions_mut().remove::<Way>();
        Box::pin(async move {
            let line = endpoint.line(&request);
            let notes = Notes::of(&request, endpoint.is_observed);
            match endpoint.admit(request, &notes).await {
                Ok(mut admitted) => {
                    notes.dispatched();
                    let extensions = admitted.request.extensions_mut();
                    let token = extensions.get::<AccessToken>().cloned();
                    let wish = match (&admitted.in_band, &endpoint.policy, &token) {
                        (Some(_), Some(policy), Some(token)) => StepUp::in_band(policy, token),
                        _ => StepUp::default(),
                    };
                    extensions.insert(wish.clone());
                    let response = match admitted.session {
                        SessionEvent::Opening(opening) => {
                            opening::open(inner, admitted.request, opening).await?
                        }
                        event => {
                            let response = inner.oneshot(admitted.request).await?;
                            endpoint.note(response, event)
                        }
                    };
                    let token = token.as_ref().zip(wish.for_answer(&response));
                    let response = match token {
                        Some((token, wish)) => {
                            let call = admitted.in_band.as_ref();
                            endpoint.step_up(response, token, wish, call)
                        }
                        None => response,
                    };
                    let opener = Opener::new(None, None, way);
                    Ok(guard(admitted.place.hold(response), opener))
                }
                Err(refusal) => {
                    let response = refusal.into_response();
                    notes.refused(response.status());
                    match line.filter(|_| response.status() == StatusCode::OK) {
                        // An answer to the message, and this client looks for it on its stream.
                        Some(line) => Ok(line.answer(response).await),
                        None => Ok(response),
                    }
                }
            }
        })
    }
}

/// A request that may go on, and what its answer will say about sessions.
struct Admitted {
    request: Request<Body>,
    session: SessionEvent,
    place: Place,
    /// For a challenge that its handler asks for.
    in_band: Option<InBandCall>,
}

enum SessionEvent {
    None,
    /// The answer may open a session, whose client may be told in band what its calls lack.
    Opening((Reservation, bool)),
    /// The answer may end this one.
    Ending(String),
}

impl Endpoint {
    async fn admit(&self, mut request: Request<Body>, notes: &Notes) -> Result<Admitted, Refusal> {
        // SECURITY: cookies are a browser's credentials, and nothing here reads them;
        // sec_op_01_no_credentials_below_the_layer
        request.headers_mut().remove(COOKIE);
        intake::check_method(&mut request)?;
        let session = match &self.transport {
            Transport::Streamable => self.own_session(&mut request)?,
            Transport::LegacyStream if request.method() != Method::GET => {
                return Err(legacy_sse::not_allowed("GET").into());
            }
            Transport::LegacyStream => None,
            Transport::LegacyMessages(_) if request.method() != Method::POST => {
                return Err(legacy_sse::not_allowed("POST").into());
            }
            Transport::LegacyMessages(_) => {
                let id = Lines::named(&request).ok_or_else(unknown_session)?;
                self.check_owner(&id, &request)?;
                Some(id)
            }
        };
        notes.session(session.as_deref());
        let token = request.extensions().get::<AccessToken>();
        let user = SessionOwner::user_of(token);
        let in_use = session
            .as_deref()
            .and_then(|id| self.sessions.hold(id, token));
        let has_such_session = in_use.as_ref().is_some_and(InUse::is_told_in_band);
        let mut place = self.room.take(user, in_use).ok_or_else(|| busy(None))?;
        if request.method() != Method::POST {
            let session = match (session, request.method()) {
                (Some(id), &Method::DELETE) => SessionEvent::Ending(id),
                _ => SessionEvent::None,
            };
            return Ok(Admitted {
                request,
                session,
                place,
                in_band: None,
            });
        }
        let (mut parts, body) = request.into_parts();
        let body = intake::read(&parts.headers, body, &mut place).await?;
        let message =
            peek(&body).map_err(|error| json_rpc(StatusCode::BAD_REQUEST, error.body()))?;
        notes.message(&message);
        let token = parts.extensions.get::<AccessToken>();
        let asker = Asker {
            token,
            headers: &parts.headers,
            has_such_session,
        };
        let is_in_band = self.policy.is_some() && self.style.is_in_band(asker, &message);
        let in_band = is_in_band.then(|| InBandCall::of(&message)).flatten();
        self.decide(token, &message, in_band.as_ref(), notes)
            .await?;
        self.decide_each(token, (&message, &body), notes).await?;
        let session = match (&message, session) {
            (Message::Request { operation, id, .. }, session)
                if operation.method() == "initialize" =>
            {
                self.begin(SessionOwner::of(token), session, is_in_band)
                    .map_err(|fault| no_room(fault, Some(id)))?
            }
            _ => SessionEvent::None,
        };
        let policy = self.policy.as_deref();
        if let Some(schemes) = SecuritySchemes::wanted(policy, &message, is_in_band) {
            parts.extensions.insert(schemes);
        }
        if self.hands_on_message {
            let peeked = PeekedMessage::of(&message, &body);
            parts.extensions.insert(peeked);
        }
        Ok(Admitted {
            request: Request::from_parts(parts, Body::from(body)),
            session,
            place,
            in_band,
        })
    }

    /// What a handshake changes: it opens a session, or it is the first message in one.
    fn begin(
        &self,
        owner: SessionOwner,
        session: Option<String>,
        is_told_in_band: bool,
    ) -> Result<SessionEvent, NoRoom> {
        let Some(id) = session else {
            let reserved = self.sessions.reserve(owner)?;
            return Ok(SessionEvent::Opening((reserved, is_told_in_band)));
        };
        if is_told_in_band {
            self.sessions.tell_in_band(&id);
        }
        Ok(SessionEvent::None)
    }

    /// The session that a request names, if it is the caller's own.
    fn own_session(&self, request: &mut Request<Body>) -> Result<Option<String>, Refusal> {
        if is_stateless(request.headers()) {
            // SECURITY: a revision without sessions adopts none (MCP 2026-07-28, transports);
            // sec_rs_16_a_stateless_request_names_no_session
            request.headers_mut().remove(SESSION_ID);
            return Ok(None);
        }
        let mut ids = request.headers().get_all(SESSION_ID).iter();
        let id = match (ids.next(), ids.next()) {
            (None, _) => return Ok(None),
            (Some(id), None) => id.to_str().map_err(|_| unknown_session())?,
            _ => return Err(unknown_session()),
        };
        self.check_owner(id, request)?;
        Ok(Some(id.to_owned()))
    }

    fn check_owner(&self, id: &str, request: &Request<Body>) -> Result<(), Refusal> {
        let caller = SessionOwner::of(request.extensions().get::<AccessToken>());
        if !self.sessions.is_owned_by(id, &caller) {
            self.journal.session_refused();
            return Err(unknown_session());
        }
        Ok(())
    }

    /// The stream on which a message is answered, whoever sent it.
    fn line(&self, request: &Request<Body>) -> Option<Line> {
        match &self.transport {
            Transport::LegacyMessages(lines) => lines.get(&Lines::named(request)?),
            _ => None,
        }
    }

    /// Decides on what `message` subscribes to.
    async fn decide_each(
        &self,
        token: Option<&AccessToken>,
        (message, body): (&Message<'_>, &[u8]),
        notes: &Notes,
    ) -> Result<(), Refusal> {
        // SECURITY: one request subscribes to many resources, and none of them unasked (MCP
        // 2026-07-28, subscriptions); sec_gw_13_a_subscription_is_decided_for_each_resource
        let resources = listen::subscribed(message, body)
            .map_err(|error| json_rpc(StatusCode::BAD_REQUEST, error.body()))?;
        for resource in &resources {
            self.decide(token, resource, None, notes).await?;
        }
        Ok(())
    }

    async fn decide(
        &self,
        token: Option<&AccessToken>,
        message: &Message<'_>,
        in_band: Option<&InBandCall>,
        notes: &Notes,
    ) -> Result<(), Refusal> {
        let Some(operation) = message.operation() else {
            return Ok(());
        };
        let deciding = AssertUnwindSafe(async { self.access.decide(token, operation).await });
        // SECURITY: a policy that panics has not allowed (fail closed);
        // sec_rs_09_a_policy_that_panics_denies
        let decision = deciding.catch_unwind().await;
        let decision = decision.map_err(|_| self.failed())?;
        match (decision, &self.policy) {
            (Decision::Allow, _) => Ok(()),
            // SECURITY: before dispatch, while the status is open (MCP authorization, scope
            // challenge handling); sec_rs_07_a_tool_scope_is_403_before_dispatch
            (Decision::StepUp(needed), Some(policy))
                if token.is_none_or(|token| token.can_get(&needed)) =>
            {
                let denial = match token {
                    Some(token) => policy.insufficient_scope(token, &needed),
                    None => policy.token_needed(&needed),
                };
                // SECURITY: whatever a client says of itself, it is refused, in one form or the other;
                // sec_rs_07_who_passes_for_chatgpt_is_refused_all_the_same
                Err(denial.answer_to(in_band).into())
            }
            // Where no tokens are asked for, a challenge leads nowhere either.
            _ => {
                notes.hidden();
                if self.access.is_asked_at_dispatch() {
                    return Ok(());
                }
                // SECURITY: a server that asks nobody would run what is hidden;
                // sec_rs_09_a_hidden_tool_never_reaches_a_server_that_does_not_ask
                Err(unknown(message))
            }
        }
    }

    fn failed(&self) -> Refusal {
        let incident = Incident::new();
        self.journal.policy_failed(&incident);
        incident.into_response().into()
    }

    /// The challenge in place of an answer whose handler found a scope missing, or the sign-in ended.
    fn step_up(
        &self,
        response: Response<Body>,
        token: &AccessToken,
        wish: &Wish,
        in_band: Option<&InBandCall>,
    ) -> Response<Body> {
        let Some(policy) = &self.policy else {
            return response;
        };
        match wish {
            Wish::Scopes(needed) if token.can_get(needed) => {
                policy.insufficient_scope(token, needed).answer_to(in_band)
            }
            Wish::Scopes(_) => response,
            Wish::SignIn => policy.ended(token).answer_to(in_band),
        }
    }

    /// What an answer changes: a session that its client ended.
    fn note(&self, response: Response<Body>, event: SessionEvent) -> Response<Body> {
        if let SessionEvent::Ending(id) = event
            && response.status().is_success()
        {
            self.sessions.close(&id);
        }
        response
    }
}

/// Whether the request speaks a revision without sessions. Revisions are dates, so they sort.
fn is_stateless(headers: &HeaderMap) -> bool {
    headers
        .get(PROTOCOL_VERSION)
        .and_then(|version| version.to_str().ok())
        .is_some_and(|version| version.len() == STATELESS.len() && version >= STATELESS)
}
