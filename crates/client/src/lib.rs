#![forbid(unsafe_code)]
//! The client's side of MCP authorization.
//!
//! A program that only wants to call tools takes `portcullis::Client`, which stands on this crate.
//!
//! | you want | look at |
//! |---|---|
//! | MCP over HTTP by rmcp's client, with credentials and bounds | [`transport`] |
//! | to know what a server answered instead of MCP | [`TransportError`] |
//! | to know where a server's tokens come from | [`discovery`] |
//!
//! # Rules
//!
//! * Credentials go to the one URL that the user named, over `https` or to this machine. No redirect
//!   is followed.
//! * No answer is kept beyond its bound: [`MAX_MESSAGE`] for a message or an event.
//! * An error repeats nothing of an answer's body, and never a token.
//!
//! # What it does not do yet
//!
//! Log in: there is no registration, no flow and no refresh. [`Credentials`] is where they will
//! come in.

mod credentials;
pub mod discovery;
mod error;
pub mod transport;

pub use crate::credentials::Credentials;
pub use crate::error::{ConnectFault, TransportError};
pub use crate::transport::MAX_MESSAGE;
