//! Client metadata (RFC 7591 section 2): what a client sends when it registers, and what a client
//! id metadata document holds.
//!
//! This is what the client *says*. Which of it is acceptable, the registration decides.

use super::{MetadataError, wire};
use crate::json;

wire::document! {
    /// What a client says about itself.
    ///
    /// `grant_types` and `response_types` tell a missing list from an empty one, because a missing
    /// one stands for a default.
    pub struct ClientMetadata {
        others {
            /// Grant types, if the client lists them.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            grant_types: Option<Vec<String>>,
            /// Response types, if the client lists them.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            response_types: Option<Vec<String>>,
            /// The client's public keys, not parsed.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            jwks: Option<json::Value>,
        }
        texts {
            /// How the client authenticates at the token endpoint.
            token_endpoint_auth_method,
            /// The algorithm of its assertions.
            token_endpoint_auth_signing_alg,
            /// A name to show to users; anybody may choose any name.
            client_name,
            /// The client's home page.
            client_uri,
            /// The client's picture.
            logo_uri,
            /// Scopes it may ask for, separated by spaces.
            scope,
            /// A page on how data may be used.
            policy_uri,
            /// The terms of service.
            tos_uri,
            /// Where the client's public keys are.
            jwks_uri,
            /// The software, the same for each of its instances.
            software_id,
            /// The software's version.
            software_version,
            /// Claims about the client, signed by a third party.
            software_statement,
            /// `native` or `web` (OpenID Connect Registration section 2).
            application_type,
        }
        lists {
            /// Where codes may be sent.
            redirect_uris,
            /// Whom to write to about the client.
            contacts,
            /// Several methods, as some documents list them in place of the one above.
            token_endpoint_auth_methods_supported,
        }
        flags {}
    }
}

impl ClientMetadata {
    /// Metadata without any member.
    pub fn new() -> Self {
        Self::bare(None, None, None)
    }

    /// Reads a registration request or a metadata document.
    ///
    /// # Errors
    /// [`MetadataError::Document`], also when `redirect_uris` is not a list of texts.
    pub fn parse(document: &[u8], limits: json::Limits) -> Result<Self, MetadataError> {
        Ok(json::from_slice(document, limits)?)
    }
}

impl Default for ClientMetadata {
    fn default() -> Self {
        Self::new()
    }
}
