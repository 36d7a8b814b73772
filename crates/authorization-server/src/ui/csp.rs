//! The headers of every page.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, InvalidHeaderValue,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};
use portcullis_oauth::BaseUrl;

const FIXED: [(HeaderName, &str); 7] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    // SECURITY: a form in a page names the user's session (RFC 6819 section 5.1.6);
    // sec_cn_17_every_page_has_every_header
    (CACHE_CONTROL, "no-store"),
    // SECURITY: addresses of pages carry sealed requests (RFC 9700 section 4.2.4);
    // sec_cn_17_every_page_has_every_header
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // SECURITY: nobody clicks through a frame (RFC 9700 section 4.16);
    // sec_cn_17_every_page_has_every_header
    (X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
         magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The headers of every page whose style has this hash and whose pictures come from these places.
///
/// Two headers that one might look for are missing on purpose. `form-action` also forbids where a
/// form's answer redirects to, and that is the client: a loopback port, another site, or a scheme of
/// an app's own. `Cross-Origin-Opener-Policy` cuts the tie to a client that waits in the window which
/// opened this one.
///
/// `Strict-Transport-Security` holds for all ports of a host. So it is sent where the host is this
/// server's own: at the port of `https`, and not on the user's computer. Other hosts of the domain are
/// their owners' business.
pub(super) fn headers(
    base: &BaseUrl,
    style: &str,
    pictures: &[&str],
) -> Result<HeaderMap, InvalidHeaderValue> {
    let pictures = match pictures {
        [] => String::new(),
        places => format!(" img-src {};", places.join(" ")),
    };
    // SECURITY: no script, frame or foreign style, whatever a name holds (CSP Level 3 section 6.1);
    // sec_cn_17_every_page_has_every_header
    let policy = format!(
        "default-src 'none'; style-src {style};{pictures} base-uri 'none'; frame-ancestors 'none'"
    );
    let mut headers = HeaderMap::with_capacity(FIXED.len() + 3);
    // SECURITY: the next visit does not begin without TLS, where somebody on the way could answer it
    // (RFC 6797 section 2.3); sec_cn_17_a_host_of_our_own_is_visited_by_tls_alone
    if base.is_https() && base.port() == 443 && !base.is_loopback() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy)?);
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(headers)
}
