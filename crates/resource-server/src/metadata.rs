//! The well-known routes of a protected resource (RFC 9728).

use std::time::Duration;

use axum::handler::Handler;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use portcullis_oauth::json;
use portcullis_oauth::metadata::{ProtectedResourceMetadata, resource::well_known_path};
use portcullis_oauth::{BaseUrl, EndpointUrl, ResourceUrl};
use tower_http::cors::{Any, CorsLayer};

use crate::ConfigError;

/// Where a resource without a path is described.
pub(crate) const ROOT: &str = "/.well-known/oauth-protected-resource";

/// A route for each spelling of the resource, whose document says that spelling.
pub(crate) fn routes(
    resource: &ResourceUrl,
    document: &ProtectedResourceMetadata,
) -> Result<Vec<(String, MethodRouter)>, ConfigError> {
    let described = spellings(resource)?.into_iter().map(|spelling| {
        let mut document = document.clone();
        spelling.as_str().clone_into(&mut document.resource);
        Ok((well_known_path(&spelling), route(&document)?))
    });
    described.collect()
}

/// A route that answers with one document.
pub(crate) fn route(document: &ProtectedResourceMetadata) -> Result<MethodRouter, ConfigError> {
    let body =
        json::to_vec(document).map_err(|_| ConfigError::new("resource", "has no JSON form"))?;
    Ok(PublicDocument::new(body, Duration::from_secs(3600)).route())
}

/// The resource as configured, then with its trailing slash added or taken away: `/mcp` and
/// `/mcp/` are one resource under two spellings, and a client insists on the one it knows.
pub(crate) fn spellings(resource: &ResourceUrl) -> Result<Vec<ResourceUrl>, ConfigError> {
    let mut spellings = vec![resource.clone()];
    if !matches!(resource.path(), "" | "/") && !resource.as_str().contains('?') {
        let raw = resource.as_str();
        let other = match raw.strip_suffix('/') {
            Some(bare) => bare.to_owned(),
            None => format!("{raw}/"),
        };
        let other = ResourceUrl::parse(&other)
            .map_err(|error| ConfigError::new("resource", error.to_string()))?;
        spellings.push(other);
    }
    Ok(spellings)
}

/// The URL of the document about `resource`, on the same origin.
pub(crate) fn url(base: &BaseUrl, resource: &ResourceUrl) -> String {
    format!("{}{}", base.origin(), well_known_path(resource))
}

/// The URL of a page, which may have a fragment.
pub(crate) fn check_page(text: &str) -> Result<(), ConfigError> {
    let (page, fragment) = text.split_once('#').unwrap_or((text, ""));
    let is_plain = fragment.bytes().all(|byte| byte.is_ascii_graphic());
    match EndpointUrl::parse(page) {
        Ok(_) if is_plain => Ok(()),
        Ok(_) => Err("the fragment has to be percent-encoded".to_owned()),
        Err(error) => Err(error.to_string()),
    }
    .map_err(|fault| ConfigError::new("resource_documentation", fault))
}

/// A route for a public document: it is read by `GET` and `HEAD`, by every page and without
/// credentials, which a preflight is told, too.
pub fn public_route<H, T>(handler: H) -> MethodRouter
where
    H: Handler<T, ()>,
    T: 'static,
{
    let may = async || StatusCode::NO_CONTENT;
    get(handler).options(may).layer(public_cors())
}

/// Metadata holds no secret: every page may read it, without credentials.
fn public_cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([http::Method::GET, http::Method::HEAD])
        .allow_headers([
            HeaderName::from_static("mcp-protocol-version"),
            CONTENT_TYPE,
        ])
}

/// A JSON document that anybody may read and keep for a while: metadata, public keys.
#[derive(Debug, Clone)]
pub struct PublicDocument {
    body: Bytes,
    cache_control: HeaderValue,
}

impl PublicDocument {
    /// A document that is good for `max_age`, in whole seconds.
    pub fn new(body: impl Into<Bytes>, max_age: Duration) -> Self {
        let cache_control = format!("public, max-age={}", max_age.as_secs());
        Self {
            body: body.into(),
            cache_control: HeaderValue::from_str(&cache_control)
                .unwrap_or(HeaderValue::from_static("no-store")),
        }
    }

    /// A route that answers with this document, always.
    pub fn route(self) -> MethodRouter {
        public_route(move || std::future::ready(self.clone()))
    }
}

impl axum::response::IntoResponse for PublicDocument {
    fn into_response(self) -> axum::response::Response {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, self.cache_control),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        (headers, self.body).into_response()
    }
}
