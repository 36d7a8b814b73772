//! What presets are told, and what is wrong with it.

use portcullis_oauth::jose::id_token::IssuerRule;
use portcullis_resource_server::ConfigError;
pub(super) use portcullis_resource_server::argument::{base, segment};

use crate::upstream::Upstream;

/// A provider that cannot be built: `fault` comes out where the proxy is.
pub(super) fn refused(fault: ConfigError) -> Upstream {
    Upstream::oidc("https://upstream.invalid").refuse(fault)
}

/// The id of a directory of Microsoft: a GUID.
pub(super) fn directory(field: &'static str, text: &str) -> Result<String, ConfigError> {
    let text = text.trim().to_ascii_lowercase();
    if IssuerRule::is_tenant_id(&text) {
        return Ok(text);
    }
    Err(ConfigError::new(field, "is no directory's id")
        .with_hint("the directory (tenant) id, as in `11111111-1111-1111-1111-111111111111`"))
}
