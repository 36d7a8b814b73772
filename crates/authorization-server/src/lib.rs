//! A complete OAuth 2.1 authorization server for MCP, inside the program that it protects or beside
//! it.

#![forbid(unsafe_code)]
#![expect(
    dead_code,
    unused_imports,
    reason = "not all that is there is mounted yet"
)]

pub mod client;
mod context;
mod csrf;
mod event;
pub mod grant;
mod interaction;
mod limits;
#[expect(dead_code, reason = "wired by the provider")]
#[cfg_attr(not(test), expect(unused_imports, reason = "wired by the provider"))]
mod interaction;
mod issuer;
#[cfg_attr(not(test), expect(dead_code, reason = "wired by the provider"))]
pub mod keyring;
#[cfg_attr(not(test), expect(dead_code, reason = "wired by the provider"))]
mod limits;
#[expect(dead_code, unused_imports, reason = "wired by the provider")]
mod provider;
mod resources;
pub mod users;

pub use crate::client::{Client, ClientRegistry};
pub use crate::issuer::{DerivedKey, JwtIssuer, Unsigned};
pub use crate::keyring::{
    KeyAlgorithm, KeyInfo, KeyState, Keyring, KeyringError, KeyringSettings, Rotation,
    SigningSecret,
};
pub use crate::limits::RateLimits;
pub use crate::users::{Authenticate, User};
