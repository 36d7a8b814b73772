#![forbid(unsafe_code)]
//! The same auth in front of MCP servers that others wrote, in any language, over HTTP or stdio.
//!
//! Messages go through as bytes: no typed model stands in their way, so a member that this crate
//! has never heard of arrives as it was sent.

