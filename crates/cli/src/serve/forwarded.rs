//! Whom a server without a login of its own does not answer: those who come through a proxy.
//!
//! It listens on this machine alone. A tunnel or a proxy beside it connects from this machine for
//! whoever asks, under any host that it likes to write, so what it adds to requests is all that tells
//! them apart.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis::listener::is_forwarded;

use crate::config::Settings;

/// Refuses what a proxy passed on, where everybody who comes in may do everything.
pub(super) fn refuse(router: Router, settings: &Settings) -> Router {
    if !settings.is_for_this_machine() {
        return router;
    }
    let cure = if settings.is_dev() { DEV } else { NONE };
    router.layer(from_fn(move |request: Request, next: Next| async move {
        // SECURITY: who comes through a proxy is somebody else's user, and would be anybody here (MCP
        // authorization, local servers); sec_gw_09_what_a_proxy_passed_on_is_refused
        if is_forwarded(request.headers()) {
            tracing::warn!(cure, "{WHAT}");
            return refusal(request.headers(), cure);
        }
        next.run(request).await
    }))
}

fn refusal(headers: &HeaderMap, cure: &str) -> Response {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let is_page = accepted.is_some_and(|accepted| accepted.contains("text/html"));
    let (kind, body) = if is_page {
        let page = format!("{WHAT}\n\nTo the operator: {cure}\n");
        ("text/plain; charset=utf-8", page)
    } else {
        let body = serde_json::json!({
            "error": "access_denied",
            "error_description": format!("{WHAT}; to the operator: {cure}"),
        });
        ("application/json", body.to_string())
    };
    let mut response = (StatusCode::FORBIDDEN, body).into_response();
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

const WHAT: &str = "this server is for the machine that it runs on, and a proxy or a tunnel passed this request on";
const DEV: &str =
    "mode `dev` lets anybody in as an administrator; choose another auth mode to serve others";
const NONE: &str = "choose an auth mode, or set `danger_allow_anonymous = true` where everybody whom the proxy \
     lets in may do everything";
