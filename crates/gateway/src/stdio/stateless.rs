//! Revisions from 2026-07-28 on: each request stands alone.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use http::{HeaderMap, Response, StatusCode};
use portcullis_oauth::Monotonic;
use portcullis_oauth::json::{self, Limits, json};

use super::Inner;
use super::fault::{Fault, empty};
use super::frame::{Frame, Kind, text};
use super::headers::{self, Unfit, WITH_SESSIONS};
use super::mirrored;
use super::process::{Era, Opening, Process, Request};
use super::queue::Event;
use super::reply::reply;
use super::stateful::Incoming;
use crate::json_rpc::{error_body, json_response, refusal};

impl Inner {
    /// A message that belongs to no session.
    pub(super) async fn alone(
        self: &Arc<Self>,
        incoming: &Incoming<'_>,
        headers: &HeaderMap,
    ) -> Response<Body> {
        match incoming.kind {
            Kind::Request => {}
            Kind::Notification => return self.note(incoming).await,
            Kind::Answer => {
                let message = "This revision has no requests of the server's";
                return refusal(StatusCode::BAD_REQUEST, None, -32600, message);
            }
        }
        if let Err(unfit) = headers::check(headers, incoming.message, incoming.frame) {
            return refused(incoming, unfit);
        }
        match self.request_alone(incoming, headers).await {
            Ok(response) => response,
            Err(fault) => fault.response(&self.pool.setup().name, incoming.id()),
        }
    }

    async fn request_alone(
        self: &Arc<Self>,
        incoming: &Incoming<'_>,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Fault> {
        let key = self.key(incoming, Era::Stateless)?;
        let setup = self.pool.setup();
        if self.knows_sessions_only() {
            return Ok(sessions_only(incoming));
        }
        let process = self.pool.obtain(&key)?;
        if !matches!(process.open(discover).await?, Opening::Stateless) {
            process.end();
            self.learn_sessions_only();
            return Ok(sessions_only(incoming));
        }
        let method = incoming.method();
        if method == "tools/call" {
            let mirrored = process.mirrored(mirrored::load).await;
            let checked = mirrored.check(headers, incoming.message, incoming.frame);
            if let Err(unfit) = checked {
                return Ok(refused(incoming, unfit));
            }
        }
        let is_subscription = method == "subscriptions/listen";
        let request = Request {
            message: incoming.message,
            frame: incoming.frame,
            session: None,
            timeout: (!is_subscription).then_some(setup.limits.request_timeout),
            is_cancelled_with_stream: true,
        };
        let pending = process.request(request).await?;
        Ok(reply(pending, Era::Stateless).await)
    }

    /// The core protocol has no such notification; one of an extension's is handed over.
    async fn note(&self, incoming: &Incoming<'_>) -> Response<Body> {
        let process = self
            .key(incoming, Era::Stateless)
            .ok()
            .and_then(|key| self.pool.find(&key));
        if let Some(process) = process
            && let Err(fault) = process.notify(incoming.message, incoming.frame, None).await
        {
            return fault.response(&self.pool.setup().name, b"null");
        }
        empty(StatusCode::ACCEPTED)
    }

    fn knows_sessions_only(&self) -> bool {
        let until = *super::process::lock(&self.sessions_only_until);
        until.is_some_and(|until| self.now() < until)
    }

    /// Which era it is of belongs to the server, not to a request of it (MCP 2026-07-28,
    /// versioning). It is asked anew now and then: it may be another version by then.
    fn learn_sessions_only(&self) {
        let until = self.now().saturating_add(self.pool.setup().limits.idle);
        *super::process::lock(&self.sessions_only_until) = Some(until);
    }

    fn now(&self) -> Monotonic {
        self.pool.setup().clock.monotonic()
    }
}

fn refused(incoming: &Incoming<'_>, unfit: Unfit) -> Response<Body> {
    let id = Some(incoming.id());
    refusal(StatusCode::BAD_REQUEST, id, unfit.code, unfit.message)
}

/// Tells a client to start over with `initialize`.
///
/// A code of the stateless era, such as -32022, would say that the server is of that era, and a
/// client that goes by the specification would not fall back (MCP 2026-07-28, Streamable HTTP,
/// backward compatibility). So the code is none of those.
fn sessions_only(incoming: &Incoming<'_>) -> Response<Body> {
    let requested = text(
        incoming.message,
        incoming.frame.meta.protocol_version.as_ref(),
    );
    let data = json!({"supported": WITH_SESSIONS, "requested": requested.unwrap_or_default()});
    let message = "This server knows sessions only: start with `initialize`";
    let body = error_body(Some(incoming.id()), -32000, message, Some(data));
    json_response(StatusCode::BAD_REQUEST, body)
}

/// Asks a process of which era it is (MCP 2026-07-28, stdio, backward compatibility).
fn discover(process: Arc<Process>) -> BoxFuture<'static, Result<Opening, Fault>> {
    async move {
        let message = json!({
            "jsonrpc": "2.0",
            "id": 0,
            "method": "server/discover",
            "params": {"_meta": headers::own_meta()},
        });
        let message = Bytes::from(message.to_string());
        let frame = Frame::read(&message).ok_or(Fault::Gone)?;
        // A server of the other era may take the question for a reason to end.
        process.forgive(true);
        let opening = ask(&process, &message, &frame).await?;
        process.forgive(matches!(opening, Opening::SessionsOnly));
        Ok(opening)
    }
    .boxed()
}

async fn ask(process: &Arc<Process>, message: &Bytes, frame: &Frame) -> Result<Opening, Fault> {
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
        let is_stateless = match pending.next().await {
            Some(Event::Message(_)) => continue,
            Some(Event::Answer { message, error }) => match error {
                None => is_discovered(&message),
                Some(code) => matches!(code, -32022..=-32020),
            },
            // One that says nothing, or ends, is of the other era too.
            Some(Event::Failed(Fault::Late | Fault::Gone)) => false,
            Some(Event::Failed(fault)) => return Err(fault),
            Some(Event::Ended) | None => return Err(Fault::Gone),
        };
        return Ok(if is_stateless {
            Opening::Stateless
        } else {
            Opening::SessionsOnly
        });
    }
}

/// Whether a discovery names a revision without sessions.
fn is_discovered(answer: &[u8]) -> bool {
    let Ok(answer) = json::value(answer, Limits::MCP) else {
        return false;
    };
    let versions = answer.pointer("/result/supportedVersions");
    let mut versions = versions
        .and_then(json::Value::as_array)
        .into_iter()
        .flatten();
    versions.any(|version| version.as_str().is_some_and(headers::is_stateless))
}
