//! Metadata documents: what a protected resource, an authorization server and a client say about
//! themselves (RFC 9728, RFC 8414, RFC 7591).
//!
//! # Rules
//!
//! * Names of issuers and resources are kept byte for byte and compared so.
//! * A document that is fetched for an issuer or a resource must name it; the readers take the
//!   expected name as an argument, so the check cannot be forgotten.
//! * Reading is lenient about the rest: unknown members are kept in `extra`, `null` and `""` count
//!   as absent. Writing is not: neither `null` nor `""` nor an empty list is ever written, because
//!   several clients refuse a whole document for one.
//!
//! A URL in a document is text until it is asked for by
//! [`AuthorizationServerMetadata::endpoint`](server::AuthorizationServerMetadata::endpoint), so a
//! member that nobody uses cannot make a document unusable.

pub mod client;
pub mod resource;
pub mod server;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

pub use client::ClientMetadata;
pub use resource::ProtectedResourceMetadata;
pub use server::AuthorizationServerMetadata;

use crate::id::InvalidUrl;
use crate::json::JsonError;

/// Why a metadata document is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// It is not the JSON document it should be.
    #[error("the metadata cannot be read")]
    Document(#[from] JsonError),
    /// `issuer` is not the issuer that was asked (RFC 8414 section 3.3).
    #[error("`issuer` in the metadata is not the issuer that was asked for")]
    WrongIssuer,
    /// `issuer` is the issuer that was asked but for the slash at its end, which counts (RFC 8414
    /// section 3.3).
    #[error(
        "`issuer` in the metadata differs from the issuer that was asked for only by the slash at \
         its end: write it as the metadata does"
    )]
    IssuerSlash,
    /// `resource` is not the resource that was asked (RFC 9728 section 3.3).
    #[error("`resource` in the metadata is not the resource that was asked for")]
    WrongResource,
    /// A member that is needed is absent.
    #[error("`{member}` is missing in the metadata")]
    Missing {
        /// The member's name.
        member: &'static str,
    },
    /// A member is no URL that may be called.
    #[error("`{member}` in the metadata cannot be used")]
    Endpoint {
        /// The member's name.
        member: &'static str,
        /// What is wrong with the URL.
        source: InvalidUrl,
    },
}
