//! How a session begins and ends in the server behind.
//!
//! That server makes the session while it answers the handshake, and it ends one by `DELETE`. So
//! both go by requests, and hold for whatever stands behind: a framework or an upstream.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use portcullis_oauth::ResourceUrl;
use tower::{Service, ServiceExt as _};

use super::service::SESSION_ID;
use super::session::{OnEnd, Reservation, Sessions};
use crate::AccessToken;
use crate::events::Journal;

/// Sends the handshake, and counts the session that its answer names.
pub(super) async fn open<S>(
    inner: S,
    request: Request<Body>,
    (reservation, is_told_in_band): (Reservation, bool),
) -> Result<Response<Body>, Infallible>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    // SECURITY: a client that leaves before the answer must not leave a session behind that
    // nobody counts, so the handshake goes on without it;
    // sec_ds_08_a_handshake_without_its_client_leaves_no_session
    let opening = tokio::spawn(async move {
        let token = request.extensions().get::<AccessToken>().cloned();
        let response = inner.oneshot(request).await?;
        let unclaimed = Unclaimed::note(&response, reservation, token.as_ref());
        if is_told_in_band {
            unclaimed.tell_in_band();
        }
        Ok((response, unclaimed))
    });
    match opening.await {
        Ok(answered) => answered.map(|(response, unclaimed)| {
            unclaimed.claim();
            response
        }),
        // As if it had happened here: whoever isolates panics finds it.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A session of which its client has not heard. Dropped, it ends.
struct Unclaimed(Option<(Sessions, String)>);

impl Unclaimed {
    fn note(
        response: &Response<Body>,
        reservation: Reservation,
        token: Option<&AccessToken>,
    ) -> Self {
        let id = response.headers().get(SESSION_ID);
        let id = id.filter(|_| response.status().is_success());
        let Some(id) = id.and_then(|id| id.to_str().ok()) else {
            return Self(None);
        };
        let sessions = reservation.sessions();
        let is_new = reservation.open(id);
        // What it is used with, from the start.
        drop(is_new.then(|| sessions.hold(id, token)));
        Self(is_new.then(|| (sessions, id.to_owned())))
    }

    fn tell_in_band(&self) {
        if let Some((sessions, id)) = &self.0 {
            sessions.tell_in_band(id);
        }
    }

    fn claim(mut self) {
        self.0 = None;
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some((sessions, id)) = self.0.take() {
            sessions.end(&id);
        }
    }
}

/// Ends a session in the server behind, as a client of `resource` would.
pub(crate) fn closing<S>(inner: S, path: &str, resource: &ResourceUrl, journal: Journal) -> OnEnd
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let path = path.parse::<Uri>().unwrap_or_default();
    let origin = resource.origin();
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    let host = HeaderValue::from_str(host).ok();
    Arc::new(move |id| {
        let (Ok(id), Ok(runtime)) = (
            HeaderValue::from_str(id),
            tokio::runtime::Handle::try_current(),
        ) else {
            return;
        };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::DELETE;
        *request.uri_mut() = path.clone();
        let headers = request.headers_mut();
        headers.insert(SESSION_ID, id);
        // SECURITY: a server refuses a request without a host (RFC 9112 section 3.2), or for one
        // that it does not know, and would keep every session that ends here;
        // sec_ds_08_sessions_that_make_room_end_in_an_existing_server_too
        headers.extend(host.clone().map(|host| (HOST, host)));
        let (inner, journal) = (inner.clone(), journal.clone());
        runtime.spawn(async move {
            let Ok(response) = inner.oneshot(request).await;
            if keeps(response.status()) {
                journal.session_not_ended(response.status());
            }
        });
    })
}

/// Whether a server that answers so to `DELETE` may still have the session, and should not.
fn keeps(status: StatusCode) -> bool {
    // It knows of none any more, or ends its sessions by itself (MCP 2025-11-25, transports).
    let excused = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
    !status.is_success() && !excused.contains(&status)
}
