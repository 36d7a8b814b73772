//! The resource server, asked over HTTP, and its verifiers, attacked in process; the identity
//! providers are on loopback.
#![forbid(unsafe_code)]

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod dialect;
#[cfg(test)]
mod env;
#[cfg(test)]
mod grantable;
#[cfg(test)]
mod hints;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod introspection;
#[cfg(test)]
mod jwks;
#[cfg(test)]
mod jwt;
#[cfg(test)]
mod jwt_settings;
#[cfg(test)]
mod key_set;
#[cfg(test)]
mod layer;
#[cfg(test)]
mod legacy_sse;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod multi;
#[cfg(test)]
mod observe;
#[cfg(test)]
mod presets;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod static_tokens;
#[cfg(test)]
mod support;
#[cfg(test)]
mod upstream_token;
#[cfg(test)]
mod world;
