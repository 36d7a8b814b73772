//! Protected resource metadata (RFC 9728), by which a client finds the authorization server.

use serde::Serializer;

use super::{MetadataError, wire};
use crate::id::ResourceUrl;
use crate::json;

wire::document! {
    /// What a protected resource says about itself (RFC 9728 section 2).
    ///
    /// ```
    /// use portcullis_oauth::{ResourceUrl, json, metadata::ProtectedResourceMetadata};
    ///
    /// let resource = ResourceUrl::parse("https://mcp.example.com/mcp")?;
    /// let mut document = ProtectedResourceMetadata::new(&resource);
    /// document.authorization_servers.push("https://auth.example.com".to_owned());
    /// assert_eq!(
    ///     json::to_string(&document)?,
    ///     r#"{"resource":"https://mcp.example.com/mcp","authorization_servers":["https://auth.example.com"],"bearer_methods_supported":["header"]}"#,
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct ProtectedResourceMetadata {
        others {
            /// The resource, byte for byte as its users write it.
            resource: String,
            /// The scopes to ask for. `offline_access` is never written: whether to ask for a
            /// refresh token is between the client and its authorization server.
            #[serde(
                default,
                deserialize_with = "wire::list",
                serialize_with = "scopes",
                skip_serializing_if = "no_scopes"
            )]
            scopes_supported: Vec<String>,
        }
        texts {
            /// Keys of the resource itself.
            jwks_uri,
            /// A name to show to users.
            resource_name,
            /// A page for developers.
            resource_documentation,
            /// A page on how data may be used.
            resource_policy_uri,
            /// The terms of service.
            resource_tos_uri,
            /// The members of this document as a signed JWT.
            signed_metadata,
        }
        lists {
            /// The issuers whose tokens are accepted.
            authorization_servers,
            /// How a token may be sent; MCP knows `header` alone.
            bearer_methods_supported,
            /// Algorithms by which the resource signs its answers.
            resource_signing_alg_values_supported,
            /// Types of authorization details (RFC 9396).
            authorization_details_types_supported,
            /// Algorithms for proofs of possession (RFC 9449).
            dpop_signing_alg_values_supported,
        }
        flags {
            /// Whether tokens must be bound to a certificate (RFC 8705).
            tls_client_certificate_bound_access_tokens,
            /// Whether tokens must be bound to a key (RFC 9449).
            dpop_bound_access_tokens_required,
        }
    }
}

impl ProtectedResourceMetadata {
    /// A document for a resource that takes tokens in the `Authorization` header.
    pub fn new(resource: &ResourceUrl) -> Self {
        let mut document = Self::bare(resource.as_str().to_owned(), Vec::new());
        document.bearer_methods_supported.push("header".to_owned());
        document
    }

    /// Reads a document that was fetched for `resource`, which it must name byte for byte.
    ///
    /// # Errors
    /// [`MetadataError::Document`], and [`MetadataError::WrongResource`] when it names another
    /// resource (RFC 9728 section 3.3).
    pub fn parse_for(resource: &ResourceUrl, document: &[u8]) -> Result<Self, MetadataError> {
        let document = Self::parse(document)?;
        // SECURITY: a document for another resource leads its tokens to the wrong place
        // (RFC 9728 section 3.3); sec_cl_03_a_document_for_another_resource_is_refused
        if document.resource != resource.as_str() {
            return Err(MetadataError::WrongResource);
        }
        Ok(document)
    }

    /// Reads a document whose `resource` the caller compares by a rule of its own, such as
    /// [`covers`](Self::covers).
    ///
    /// # Errors
    /// [`MetadataError::Document`].
    pub fn parse(document: &[u8]) -> Result<Self, MetadataError> {
        Ok(json::from_slice(document, json::Limits::METADATA)?)
    }

    /// Whether this document is about `server`: the same URL, or a parent path on its origin.
    ///
    /// One trailing slash is ignored, and a path is a parent only of whole segments.
    pub fn covers(&self, server: &ResourceUrl) -> bool {
        let Ok(resource) = ResourceUrl::parse(&self.resource) else {
            return false;
        };
        let parent = resource.as_str().trim_end_matches('/');
        // SECURITY: the slash ends the origin or a segment, so that neither `h.example.evil` nor a
        // sibling path is covered; sec_cl_03_a_document_for_another_resource_is_refused
        let below = |rest: &str| rest.starts_with('/');
        server.is_same_resource(resource.as_str())
            || server.as_str().strip_prefix(parent).is_some_and(below)
    }
}

/// The path of the document of `resource` on its own origin (RFC 9728 section 3.1).
///
/// ```
/// use portcullis_oauth::{ResourceUrl, metadata::resource::well_known_path};
///
/// let path = |text| ResourceUrl::parse(text).map(|resource| well_known_path(&resource));
/// assert_eq!(path("https://h.example")?, "/.well-known/oauth-protected-resource");
/// assert_eq!(path("https://h.example/mcp")?, "/.well-known/oauth-protected-resource/mcp");
/// assert_eq!(path("https://h.example/mcp/")?, "/.well-known/oauth-protected-resource/mcp/");
/// # Ok::<(), portcullis_oauth::InvalidUrl>(())
/// ```
pub fn well_known_path(resource: &ResourceUrl) -> String {
    match resource.path() {
        "/" => WELL_KNOWN.to_owned(),
        path => format!("{WELL_KNOWN}{path}"),
    }
}

/// The URL of the document of `resource`, its query included (RFC 9728 section 3.1).
pub fn well_known_url(resource: &ResourceUrl) -> String {
    let query = match resource.as_str().split_once('?') {
        Some((_, query)) => format!("?{query}"),
        None => String::new(),
    };
    format!("{}{}{query}", resource.origin(), well_known_path(resource))
}

/// Where the document of a resource without a path is.
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

fn is_listed(scope: &str) -> bool {
    scope != "offline_access" && !scope.is_empty()
}

fn no_scopes(scopes: &[String]) -> bool {
    !scopes.iter().any(|scope| is_listed(scope))
}

fn scopes<S: Serializer>(scopes: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    // SECURITY: asking for a refresh token is no resource's right;
    // sec_rs_30_offline_access_is_never_listed
    serializer.collect_seq(scopes.iter().filter(|scope| is_listed(scope)))
}
