#![forbid(unsafe_code)]
//! Verify OAuth 2.1 access tokens in front of any HTTP service, and answer those who have none
//! with the challenge that leads them to one.
//!
//! This is the *resource server* of OAuth: it holds no code that could mint a token.

mod config;
mod grant_status;
mod integration;
pub mod layer;
pub mod mcp;
mod metadata;
mod provider;
mod remote;
mod token;
mod verifier;

pub use crate::config::ConfigError;
pub use crate::grant_status::GrantStatus;
#[cfg(feature = "rmcp")]
pub use crate::integration::MaybeAccessToken;
pub use crate::layer::AuthLayer;
pub use crate::provider::{Auth, IntoAuth};
pub use crate::remote::RemoteAuthProvider;
pub use crate::token::{AccessToken, Principal, TokenParts};
pub use crate::verifier::{
    Rejection, SharedVerifier, TokenVerifier, Unavailable, VerifyContext, VerifyError,
};
