#![forbid(unsafe_code)]
//! MCP servers in Rust whose authorization is one line.
//!
//! ```no_run
//! use portcullis::{Args, Server, Tool};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Greet { /** Who to greet. */ name: String }
//!
//! async fn greet(Args(Greet { name }): Args<Greet>) -> String { format!("Hello, {name}!") }
//!
//! #[tokio::main]
//! async fn main() -> portcullis::Result<()> {
//!     Server::new("hello")
//!         .tool(Tool::new("greet", greet).description("Greet someone by name"))
//!         .serve_http("127.0.0.1:8000")
//!         .await
//! }
//! ```
//!
//! | you want | look at |
//! |---|---|
//! | a function that a model calls | [`Tool`] and what its handler may ask for: [`args`] |
//! | data to read, messages to pick | [`Resource`], [`ResourceTemplate`], [`Prompt`] |
//! | to know who calls | [`auth`] |
//! | users who log in at the server itself | `auth::OAuthProvider`, behind the feature `authorization-server` |
//! | users who sign in at Google, GitHub or another provider | `auth::OAuthProxy`, behind the same feature |
//! | to say who may use what | [`access`] |
//! | progress, logs, questions to the user | [`Context`] |
//! | to change a running server | [`ServerHandle`] |
//! | to put servers together | [`Server::mount`] |
//! | to serve routes of another crate as safely | [`listener`] |
//! | to call a server | `Client`, behind the feature `client` |
//! | the protocol's own types | [`model`] |
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `http` (default) | Streamable HTTP: `Server::serve_http`, [`listener`] |
//! | `stdio` (default) | stdin and stdout: `Server::serve_stdio` |
//! | `client` | `Client` |
//! | `authorization-server` | `auth::OAuthProvider`, `auth::OAuthProxy`, and the crates behind it, whole, as `authorization_server` and `store` |
//! | `sqlite` | `auth::DiskStore`: what that server keeps, in a file |
//!
//! A feature adds API and changes nothing that is there.
//!
//! Both protocol eras are served from one definition: sessions up to revision 2025-11-25, and
//! stateless requests from 2026-07-28 on.
//!
//! # Logs
//!
//! A server speaks through `tracing` and writes nothing by itself; a program says where to and how
//! much. What matters to security has the target `portcullis::security`. No level shows a token, a
//! password or a cookie. For standard error, with the level from `RUST_LOG`:
//!
//! ```
//! use tracing_subscriber::EnvFilter;
//!
//! let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
//! tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(level).init();
//! ```
//!
//! `.json()` before `.init()` writes JSON lines (feature `json` of `tracing-subscriber`).

pub mod access;
pub mod args;
pub mod auth;
mod call;
#[cfg(feature = "client")]
pub mod client;
mod complete;
mod context;
mod definition;
mod error;
mod handler;
#[cfg(feature = "http")]
pub mod listener;
pub mod model;
mod prompt;
mod registry;
mod resource;
mod rmcp_adapter;
mod server;
mod text_args;
mod tool;

#[cfg(feature = "authorization-server")]
pub use portcullis_authorization_server as authorization_server;
pub use portcullis_oauth::scopes;
pub use portcullis_resource_server::{AccessToken, UpstreamToken};
#[cfg(feature = "authorization-server")]
pub use portcullis_store as store;

#[cfg(feature = "client")]
pub use crate::client::Client;
#[cfg(feature = "http")]
pub use crate::server::Dangerous;
pub use crate::{
    args::{Args, FromToolCall, Signature},
    call::ToolCall,
    complete::{Completion, Completions},
    context::{Answers, Context, Elicited, Inputs},
    error::{ConfigError, Error, Result, Signal, ToolError},
    handler::{Arguments, Handler},
    prompt::{IntoPromptResult, Prompt},
    registry::ServerHandle,
    resource::{IntoResourceResult, Resource, ResourceOutput, ResourceTemplate},
    server::Server,
    tool::{Background, IntoToolResult, Json, Tool, ToolOutput},
};

/// The front page's programs compile.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
