//! What presets are told, and what is wrong with it.

use portcullis_oauth::Issuer;
use portcullis_resource_server::ConfigError;

use crate::upstream::Upstream;

/// A provider that cannot be built: `fault` comes out where the proxy is.
pub(super) fn refused(fault: ConfigError) -> Upstream {
    Upstream::oidc("https://upstream.invalid").refuse(fault)
}

/// A URL without a slash at its end and without the path of a configuration document; `https` where
/// no scheme is written.
pub(super) fn base(field: &'static str, text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    let text = text
        .split_once("/.well-known/")
        .map_or(text, |(base, _)| base);
    let text = text.strip_suffix('/').unwrap_or(text);
    let url = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    match Issuer::parse(&url) {
        Ok(_) => Ok(url),
        Err(error) => Err(ConfigError::new(field, error.to_string())),
    }
}

/// A name that becomes a part of a URL.
pub(super) fn segment(field: &'static str, text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    // SECURITY: a slash or a dot segment in a name would lead to another provider (RFC 3986
    // section 5.2.4); sec_px_09_a_name_cannot_become_a_path
    if text.is_empty() || text.starts_with('.') || !text.bytes().all(plain) {
        let fault = "letters, digits, `-`, `_` and `.` are expected";
        return Err(ConfigError::new(field, fault));
    }
    Ok(text.to_owned())
}

/// The id of a directory of Microsoft: a GUID.
pub(super) fn directory(field: &'static str, text: &str) -> Result<String, ConfigError> {
    let text = text.trim().to_ascii_lowercase();
    let mut groups = text.split('-').map(|group| {
        let is_hex = group.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then_some(group.len())
    });
    if [8, 4, 4, 4, 12]
        .iter()
        .all(|len| groups.next() == Some(Some(*len)))
        && groups.next().is_none()
    {
        return Ok(text);
    }
    Err(ConfigError::new(field, "is no directory's id")
        .with_hint("the directory (tenant) id, as in `11111111-1111-1111-1111-111111111111`"))
}
