//! The head of a request: what no route should see of it.
//!
//! hyper refuses what it cannot read: two lengths that differ, a coding whose last one is not
//! `chunked`, a name with a space behind it. A length beside `chunked` it drops, and it closes the
//! connection behind that answer (RFC 9112 section 6.3). What it lets through, and two readers could
//! read in two ways, ends here with 400 and with its connection.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
        header::{ALLOW, AUTHORIZATION, CONNECTION, HOST, TRANSFER_ENCODING},
        uri::{Authority, Scheme},
    },
    response::IntoResponse as _,
};

/// How many headers there may be, and bytes of one of them. A token may be longer than that; its
/// verifier has a bound of its own.
pub(super) const HEADER_COUNT: usize = 100;
const HEADER_LENGTH: usize = 8 * 1024;

/// The methods that some route may answer, for `Allow`.
const METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// The answer to a request that no route should see.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<Response<Body>> {
    // SECURITY: headers cost memory and time before anybody knows who sends them (RFC 6585
    // section 5); sec_ds_03_headers_have_limits
    if are_too_large(request.headers()) {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response());
    }
    // SECURITY: what two readers divide into other requests hides one from the first of them
    // (RFC 9112 sections 6.1 and 11.2); sec_ds_17_a_coding_is_chunked_or_none,
    // sec_ds_17_a_request_names_one_host, sec_ds_17_a_target_is_one_path
    if !is_framed(request.headers()) || !names_one_host(request) || !is_path(request.uri()) {
        let mut response = StatusCode::BAD_REQUEST.into_response();
        if request.version() < Version::HTTP_2 {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        return Some(response);
    }
    // SECURITY: neither a tunnel nor a mirror of the caller's credentials (RFC 9110 sections 9.3.6
    // and 9.3.8); sec_ds_15_no_tunnel_and_no_mirror
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Some((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, METHODS)]).into_response());
    }
    None
}

fn are_too_large(headers: &HeaderMap) -> bool {
    let too_long = |(name, value): (&HeaderName, &HeaderValue)| {
        name != AUTHORIZATION && value.len() > HEADER_LENGTH
    };
    headers.len() > HEADER_COUNT || headers.iter().any(too_long)
}

/// Whether the body is plain, or in chunks and nothing else.
fn is_framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// Whether `Host` and the target name one host, and the same (RFC 9112 section 3.2, RFC 9113
/// section 8.3.1).
fn names_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(host.as_bytes()),
        _ => return false,
    };
    let uri = request.uri();
    let is_http = |scheme: &Scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
    if !uri.scheme().is_none_or(is_http) {
        return false;
    }
    match (uri.authority(), host) {
        (None, None) => request.version() != Version::HTTP_11,
        // A target without a host may come with an empty one.
        (None, Some(host)) => host.is_empty() || is_plain(host),
        (Some(target), None) => {
            request.version() != Version::HTTP_11 && is_plain(target.as_str().as_bytes())
        }
        (Some(target), Some(host)) => {
            let port = default_port(uri);
            is_plain(host)
                && without(port, target.as_str().as_bytes())
                    .eq_ignore_ascii_case(without(port, host))
        }
    }
}

/// A host with or without a port, and nobody's name in front.
fn is_plain(host: &[u8]) -> bool {
    !host.contains(&b'@') && Authority::try_from(host).is_ok()
}

fn default_port(uri: &Uri) -> &'static [u8] {
    if uri.scheme() == Some(&Scheme::HTTPS) {
        b":443"
    } else {
        b":80"
    }
}

fn without<'a>(port: &[u8], host: &'a [u8]) -> &'a [u8] {
    host.strip_suffix(port).unwrap_or(host)
}

/// Whether the target is a path that nobody reads as a host or as no path.
fn is_path(uri: &Uri) -> bool {
    let path = uri.path();
    path.starts_with('/') && !path.starts_with("//")
}
