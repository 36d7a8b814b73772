//! `GET /oauth/shown`: nothing to see. The consent page fetches it each time that it is shown.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use portcullis_oauth::crypto::base64url;

use super::fault::Fault;
use super::visitor::{Visitor, with_cookies};
use super::wire::keep_private;

/// `GET /oauth/shown`: 204, and a cookie that is another one each time. Nobody reads it.
pub(super) fn get(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let context = visitor.context;
    let mut mark = [0; 16];
    context.entropy.fill(&mut mark)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    keep_private(response.headers_mut());
    // SECURITY: Chromium brings a page back from memory, `no-store` or not, with the pointer on it that
    // was there before, and so without the pane before its answers; but no page of which a cookie
    // changed since it was loaded (RFC 6819 section 4.4.1.9);
    // sec_cn_18_a_page_that_is_left_does_not_come_back_as_it_was
    let age = context.settings.lifetimes.interaction;
    let cookie = context
        .cookies
        .shown
        .set(&base64url::encode(mark), Some(age));
    Ok(with_cookies(response, cookie.ok()))
}
