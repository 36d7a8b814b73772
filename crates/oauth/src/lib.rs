#![forbid(unsafe_code)]
//! The vocabulary and the rules of OAuth 2.1, OpenID Connect and MCP authorization.
//!
//! This crate holds types and decisions, and nothing that acts: no IO, no clock, no random
//! numbers, no async. What needs the time takes a [`Clock`], what needs randomness takes an
//! [`Entropy`]. So every rule in here can be tested with a table.
//!
//! ```
//! use portcullis_oauth::{ResourceUrl, scopes};
//!
//! let resource = ResourceUrl::parse("https://mcp.example.com/mcp")?;
//! assert!(resource.is_same_resource("https://mcp.example.com/mcp/"));
//!
//! let granted = scopes!["notes:read", "notes:write"];
//! assert!(scopes!["notes:read"].is_subset(&granted));
//! # Ok::<(), portcullis_oauth::InvalidUrl>(())
//! ```
//!
//! | you have | you want | look at |
//! |---|---|---|
//! | scopes from a claim, a request or code | to compare and combine them | [`scope`] |
//! | a URL that names somebody | to keep it byte for byte | [`id`] |
//! | bytes that should be JSON or a form | one strict reading of them | [`json`], [`form`] |
//! | a redirect URI | to know whether a code may go there | [`redirect`] |
//! | a `WWW-Authenticate` header | to write it or to read it | [`challenge`] |
//! | a metadata document | to know that it is the right one's | [`metadata`] |
//! | a request or an answer of an endpoint | its parameters, checked | [`authorize`], [`token`], [`revoke`], [`introspect`], [`register`], [`pkce`] |
//! | something to refuse | a code of the registry and its status | [`error`] |
//! | a token, a key, a password | that it never reaches a log | [`secret`] |
//! | a signed token | to know whose it is and what it allows | [`jose`] |
//! | bytes | to hash, seal, encode or compare them | [`crypto`] |
//!
//! It does not fetch keys, keep state or mint tokens; signing exists only behind the feature
//! `sign`.

pub mod authorize;
pub mod challenge;
pub mod crypto;
pub mod entropy;
pub mod error;
pub mod form;
#[doc(hidden)]
pub mod fuzz;
pub mod id;
pub mod introspect;
pub mod jose;
pub mod json;
pub mod metadata;
pub mod pkce;
pub mod redirect;
pub mod register;
pub mod revoke;
pub mod scope;
pub mod secret;
pub mod time;
pub mod token;

pub use crate::challenge::{BearerError, Challenge};
pub use crate::entropy::{Entropy, EntropyError, SharedEntropy};
pub use crate::error::{OAuthError, OAuthErrorCode};
pub use crate::id::{
    BaseUrl, ClientId, EndpointUrl, InvalidId, InvalidUrl, Issuer, ResourceUrl, Subject, TokenId,
};
pub use crate::pkce::{CodeChallenge, CodeVerifier};
pub use crate::redirect::{RedirectPattern, RedirectUri};
pub use crate::scope::{InvalidScope, Scope, ScopeHierarchy, ScopeSet};
pub use crate::secret::{BearerToken, SecretBytes, SecretString};
pub use crate::time::{Clock, Monotonic, SharedClock, Timestamp};

#[cfg(any(test, feature = "testing"))]
pub use crate::{entropy::SeededEntropy, time::MockClock};
