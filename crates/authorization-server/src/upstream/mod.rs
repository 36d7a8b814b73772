//! Identity providers of others, for a server whose users sign in there.
//!
//! # Rules
//!
//! * A provider is data: an [`Upstream`]. What is peculiar about one is a value of it, and no flow asks
//!   which one it is.
//! * PKCE with S256, `state` and, where there are ID tokens, `nonce` are ours, and have nothing to do
//!   with those of the clients (RFC 9700 section 2.1).
//! * An answer is believed when it is well formed: strict JSON or a form, at most 1 MiB, no redirect, no
//!   `error` whatever the status, a bearer token.
//! * An ID token counts when its signature, `iss`, `aud`, `azp`, times, `nonce` and `at_hash` are right
//!   (OpenID Connect Core section 3.1.3.7). Where no keys are known, the TLS connection to the token
//!   endpoint stands for the signature (number 6 there).
//! * The user is the provider's subject, never an e-mail address.
//!
//! # Failure
//!
//! [`UpstreamError`] says who has to act. Neither it nor a log above `DEBUG` repeats the provider's
//! words, and no token is ever printed. An outage is told from a refusal: only words that mean it end a
//! grant.
//!
//! # Sources
//!
//! RFC 6749, RFC 7009, RFC 7523, RFC 8288, RFC 8414, RFC 8693, RFC 9207, RFC 9700, OpenID Connect Core and Discovery.

mod answer;
mod authentication;
mod authorize;
mod check;
mod claims;
mod client;
mod definition;
mod discovery;
mod error;
mod event;
mod evidence;
mod exchange;
mod id_token;
mod pages;
mod pointer;
pub(crate) mod preset;
mod request;
mod revocation;
mod scopes;
mod site;
mod source;
#[cfg(test)]
mod tests;
mod tokens;
mod user;
mod userinfo;

pub use self::authentication::{ClientKey, UpstreamAuthentication};
pub use self::definition::Upstream;
pub use self::exchange::TokenExchange;
pub use self::revocation::RevokedTokens;

pub(crate) use self::authorize::Ask;
pub(crate) use self::client::{UpstreamClient, UpstreamParts, Wants};
pub(crate) use self::error::UpstreamError;
pub(crate) use self::tokens::{Evidence, Login, Proof, TokenSet};
