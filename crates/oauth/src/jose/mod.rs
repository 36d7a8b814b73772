//! JOSE: signed tokens, the keys that check them, and the gate that a token has to pass.
//!
//! # Rules
//!
//! A token passes four doors, in this order, and each has a type of its own:
//!
//! 1. [`compact::CompactJws::parse`] knows its form: size first, then three canonical segments and
//!    a header without surprises. Nothing in it is trusted.
//! 2. [`jwks::JwkSet::candidates`] finds keys *of ours* that may answer for it. A key that the token
//!    brings along is a reason to refuse it.
//! 3. [`compact::CompactJws::verify`] checks the signature and gives a [`compact::Verified`], the
//!    only thing that [`claims::Claims`] can be read from.
//! 4. [`gate::AccessTokenPolicy::check`] does the last two steps and then judges the claims of an
//!    access token, [`id_token::IdTokenPolicy::check`] those of an ID token.
//!
//! Unencrypted, signed tokens in the compact form are all there is: no `none`, no JSON form, no
//! encryption, no detached payload.
//!
//! # Failure
//!
//! Each door has its error, and each error a `reason()`, a stable word for logs and metrics. None
//! carries a piece of the token.
//!
//! # Sources
//!
//! RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 (algorithms), RFC 7519 (JWT), RFC 7638 (thumbprints),
//! RFC 8037 (Ed25519), RFC 8725 (best current practice), RFC 9068 (access tokens).

mod algorithm;
pub mod claims;
pub mod compact;
pub mod gate;
pub mod id_token;
pub mod jwk;
pub mod jwks;
#[cfg(feature = "sign")]
pub mod sign;

pub use self::algorithm::Algorithm;

#[cfg(test)]
mod tests;
