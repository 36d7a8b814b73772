#![forbid(unsafe_code)]
//! The same auth in front of MCP servers that others wrote, in any language, over HTTP or stdio.
//!
//! Messages go through as bytes: no typed model stands in their way, so a member that this crate
//! has never heard of arrives as it was sent.

mod failure;
mod filter;
mod gateway;
mod http;
mod identity;
mod reload;
mod rules;
pub mod stdio;
mod upstream;

pub use crate::gateway::Gateway;
pub use crate::identity::{Identity, Template};
pub use crate::reload::Reloadable;
pub use crate::rules::{Needs, Pattern, Rules};
pub use crate::upstream::Upstream;
