//! Clients that speak HTTP+SSE, the transport of revision 2024-11-05, in front of any server behind.
//!
//! What they say becomes requests of Streamable HTTP in a session of their own, which they do not
//! see; what is answered becomes events of their one stream.
//!
//! # Sources
//!
//! MCP 2024-11-05, basic/transports, HTTP with SSE.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Collected, Limited};
use portcullis_oauth::json::json;
use portcullis_resource_server::Incident;
use portcullis_resource_server::mcp::PeekedMessage;
use portcullis_resource_server::mcp::legacy_sse::{Connection, LegacySse, Message, Sender};
use tokio::task::JoinSet;
use tower::{Service, ServiceExt as _};

use crate::filter::events::{Events, data};
use crate::json_rpc::error_body;

/// Where such clients reach a server: the stream, and the place of their messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LegacyPaths {
    pub(crate) stream: String,
    pub(crate) messages: String,
}

/// What a server behind is, to this module.
pub(crate) trait Behind:
    Service<
        Request<Body>,
        Response = Response<Body>,
        Error = Infallible,
        Future = BoxFuture<'static, Result<Response<Body>, Infallible>>,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Behind for T where
    T: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future = BoxFuture<'static, Result<Response<Body>, Infallible>>,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves such clients by `server`.
pub(crate) fn legacy_sse(server: impl Behind, paths: &LegacyPaths) -> LegacySse {
    let serve = move |client| serve(server.clone(), client);
    LegacySse::new(serve).paths(&paths.stream, &paths.messages)
}

/// The client's session with the server behind.
struct Session<S> {
    server: S,
    id: Option<HeaderValue>,
    answers: Sender,
}

/// The client hears no more, or its session is gone: it has to start over.
#[derive(Debug)]
struct Over;

async fn serve(server: impl Behind, mut client: Connection) {
    let opener = client.head().extensions.clone();
    let mut session = Session {
        server,
        id: None,
        answers: client.sender(),
    };
    let mut running = JoinSet::new();
    loop {
        let message = tokio::select! {
            Some(ended) = running.join_next() => match ended {
                Ok(Ok(())) => continue,
                _ => break,
            },
            message = client.receive() => message,
        };
        let Some(message) = message else { break };
        let peeked = message.head.extensions.get::<PeekedMessage>().cloned();
        let method = peeked.as_ref().and_then(PeekedMessage::operation);
        let is_request = peeked.as_ref().is_some_and(|it| it.id().is_some());
        if method.is_some_and(|operation| operation.method() == "initialize") {
            match session.initialize(message, peeked).await {
                Ok(()) => running.spawn(session.listen(&opener)),
                Err(Over) => break,
            };
        } else if is_request {
            running.spawn(session.pass_on(message, peeked));
        } else if session.pass_on(message, peeked).await.is_err() {
            // In its order: a server may refuse what comes before `notifications/initialized`.
            break;
        }
    }
    running.shutdown().await;
    session.end(opener).await;
}

impl<S: Behind> Session<S> {
    /// The one request whose answer names the session.
    async fn initialize(
        &mut self,
        message: Message,
        peeked: Option<PeekedMessage>,
    ) -> Result<(), Over> {
        if self.id.is_some() {
            return self.pass_on(message, peeked).await;
        }
        let answer = ask(&self.server, self.request(&message)).await;
        self.id = answer.headers().get(SESSION_ID).cloned();
        relay(answer, peeked.as_ref(), &self.answers).await
    }

    /// Passes a message on, and what is answered back.
    fn pass_on(
        &self,
        message: Message,
        peeked: Option<PeekedMessage>,
    ) -> impl Future<Output = Result<(), Over>> + Send + use<S> {
        let (request, server) = (self.request(&message), self.server.clone());
        let answers = self.answers.clone();
        async move {
            let answer = ask(&server, request).await;
            relay(answer, peeked.as_ref(), &answers).await?;
            // It has its place among those that run until here.
            drop(message);
            Ok(())
        }
    }

    /// Hears what the server says unasked, for as long as it says anything.
    fn listen(
        &self,
        opener: &Extensions,
    ) -> impl Future<Output = Result<(), Over>> + Send + use<S> {
        let request = self.id.clone().map(|id| {
            let mut request = Request::new(Body::empty());
            request.headers_mut().insert(SESSION_ID, id);
            let events = HeaderValue::from_static("text/event-stream");
            request.headers_mut().insert(ACCEPT, events);
            *request.extensions_mut() = opener.clone();
            request
        });
        let (server, answers) = (self.server.clone(), self.answers.clone());
        async move {
            let Some(request) = request else {
                return Ok(());
            };
            let answer = ask(&server, request).await;
            if answer.status() == StatusCode::OK {
                relay_events(answer.into_body(), &answers).await?;
            }
            // A server need not have such a stream, and may end it.
            Ok(())
        }
    }

    async fn end(self, opener: Extensions) {
        let Some(id) = self.id else { return };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::DELETE;
        request.headers_mut().insert(SESSION_ID, id);
        *request.extensions_mut() = opener;
        ask(&self.server, request).await;
    }

    fn request(&self, message: &Message) -> Request<Body> {
        let mut request = Request::new(Body::from(message.body.clone()));
        *request.method_mut() = Method::POST;
        // SECURITY: who calls is said by the token of this message, which was verified, and not by
        // that of the stream; sec_rs_16_a_legacy_message_is_its_senders
        *request.extensions_mut() = message.head.extensions.clone();
        let headers = request.headers_mut();
        *headers = kept(&message.head.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(ACCEPT, both);
        if let Some(id) = &self.id {
            headers.insert(SESSION_ID, id.clone());
        }
        request
    }
}

/// The fields of a message's request that mean the same in the other transport. Those that name a
/// session, a revision or an operation are none of this transport's.
fn kept(from: &HeaderMap) -> HeaderMap {
    let mut headers = from.clone();
    for name in [SESSION_ID, PROTOCOL_VERSION, METHOD, NAME, LAST_EVENT_ID] {
        headers.remove(name);
    }
    headers
}

async fn ask(server: &impl Behind, request: Request<Body>) -> Response<Body> {
    match server.clone().oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

/// Says on the client's stream what was answered to its message.
async fn relay(
    answer: Response<Body>,
    peeked: Option<&PeekedMessage>,
    answers: &Sender,
) -> Result<(), Over> {
    let (head, body) = answer.into_parts();
    let kind = head.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/event-stream") {
        return relay_events(body, answers).await;
    }
    let id = peeked.and_then(PeekedMessage::id);
    let whole = Limited::new(body, MOST_BYTES).collect().await;
    let whole = whole.map(Collected::to_bytes).unwrap_or_default();
    if kind.starts_with("application/json") && !whole.is_empty() {
        return answers.send(whole).await.map_err(|_| Over);
    }
    match id {
        // It ended: as with the server behind, whoever goes on starts over.
        _ if head.status == StatusCode::NOT_FOUND => Err(Over),
        Some(id) => answers.send(no_answer(id)).await.map_err(|_| Over),
        None => Ok(()),
    }
}

async fn relay_events(body: Body, answers: &Sender) -> Result<(), Over> {
    let mut body = body.into_data_stream();
    let mut events = Events::new(MOST_BYTES);
    while let Some(Ok(bytes)) = body.next().await {
        events.push(&bytes);
        while let Some(event) = events.next().map_err(|_| Over)? {
            if let Some(message) = data(&event).filter(|message| !message.is_empty()) {
                answers.send(message).await.map_err(|_| Over)?;
            }
        }
    }
    Ok(())
}

fn no_answer(id: &str) -> Bytes {
    let incident = Incident::new();
    tracing::warn!(target: "portcullis::upstream", %incident, "a message had no answer to pass on");
    let data = json!({"incident": incident.as_str()});
    let what = "The server behind did not answer as it should";
    error_body(Some(id.as_bytes()), -32000, what, Some(data))
}

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The longest message that is passed on.
const MOST_BYTES: usize = 16 * 1024 * 1024;
