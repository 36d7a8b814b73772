//! A complete OAuth 2.1 authorization server for MCP, inside the program that it protects or beside
//! it.

#![forbid(unsafe_code)]

pub mod client;
pub mod grant;
#[cfg_attr(not(test), expect(dead_code, reason = "wired by the provider"))]
mod limits;
pub mod users;

pub use crate::client::{Client, ClientRegistry};
pub use crate::limits::RateLimits;
pub use crate::users::{Authenticate, User};
