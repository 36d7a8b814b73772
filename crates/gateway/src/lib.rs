#![forbid(unsafe_code)]
//! The same auth in front of MCP servers that others wrote, in any language, over HTTP or stdio.
//!
//! Messages go through as bytes: no typed model stands in their way, so a member that this crate
//! has never heard of arrives as it was sent.
//!
//! | you want | look at |
//! |---|---|
//! | auth in front of one server or several | [`Gateway`], [`Upstream`] |
//! | a server that speaks HTTP | [`HttpServer`] |
//! | a server that is started by a command | [`stdio`] |
//! | to say who may use which tool | [`Rules`] |
//! | to tell the server who is calling | [`Identity`], [`Template`] |
//! | another configuration without a restart | [`Reloadable`] |

mod failure;
mod filter;
mod gateway;
mod http;
mod http_sse;
mod identity;
mod json_rpc;
mod legacy_sse;
mod rules;
pub mod stdio;
mod upstream;

pub use crate::gateway::{Gateway, MountedGateway};
pub use crate::http::{DangerousHttpServer, HttpServer};
pub use crate::http_sse::HttpSseServer;
pub use crate::identity::{Identity, IdentityToken, Template};
pub use crate::rules::{Needs, Pattern, Rules};
pub use crate::upstream::{Upstream, check_path};
pub use portcullis_resource_server::Reloadable;
