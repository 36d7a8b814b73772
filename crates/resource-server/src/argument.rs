//! What a preset of a provider is told, and what is wrong with it.

use portcullis_oauth::Issuer;

use crate::ConfigError;

/// A URL without a slash at its end and without the path of a configuration document; `https` where no
/// scheme is written.
///
/// ```
/// use portcullis_resource_server::argument::base;
///
/// assert_eq!(base("domain", "example.eu.auth0.com/")?, "https://example.eu.auth0.com");
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
///
/// # Errors
/// [`ConfigError`] for `field` when it is no `https` URL; `http` is for loopback addresses alone.
pub fn base(field: &'static str, text: &str) -> Result<String, ConfigError> {
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

/// A name that becomes a part of a URL: a tenant, a project, a user pool.
///
/// # Errors
/// [`ConfigError`] for `field` when it has other than letters, digits, `-`, `_` and `.`, or begins with
/// a dot.
pub fn segment(field: &'static str, text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    // SECURITY: a slash or a dot segment in a name would lead to another provider (RFC 3986
    // section 5.2.4); sec_jwt_14_a_name_cannot_become_a_path, sec_px_09_a_name_cannot_become_a_path
    if text.is_empty() || text.starts_with('.') || !text.bytes().all(plain) {
        let fault = "letters, digits, `-`, `_` and `.` are expected";
        return Err(ConfigError::new(field, fault));
    }
    Ok(text.to_owned())
}
