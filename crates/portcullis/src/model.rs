//! The protocol's data: messages, content blocks, schemas of forms.
//!
//! These are the types of the official Rust SDK, re-exported: a stated public dependency. Types
//! that a server is built from, such as [`Tool`](crate::Tool), are our own and live at the root.

pub use crate::rmcp_adapter::data::*;
