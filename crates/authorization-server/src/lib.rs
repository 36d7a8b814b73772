//! A complete OAuth 2.1 authorization server for MCP, inside the program that it protects or beside
//! it.

#![forbid(unsafe_code)]

pub mod client;
#[expect(dead_code, reason = "wired by the provider")]
mod context;
#[cfg_attr(not(test), expect(dead_code, reason = "wired by the provider"))]
mod csrf;
#[expect(dead_code, reason = "wired by the provider")]
mod event;
#[cfg_attr(not(test), expect(dead_code, reason = "wired by the provider"))]
pub mod grant;
#[cfg_attr(not(test), expect(dead_code, reason = "wired by the provider"))]
mod limits;
#[expect(dead_code, reason = "wired by the provider")]
#[cfg_attr(not(test), expect(unused_imports, reason = "wired by the provider"))]
mod interaction;
#[expect(dead_code, unused_imports, reason = "wired by the provider")]
mod provider;
#[expect(dead_code, reason = "wired by the provider")]
mod resources;
pub mod users;

pub use crate::client::{Client, ClientRegistry};
pub use crate::limits::RateLimits;
pub use crate::users::{Authenticate, User};
