//! The resource server, asked over HTTP.
#![forbid(unsafe_code)]

#[cfg(test)]
mod layer;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod support;
