//! The resource server, asked over HTTP, and its verifiers, attacked in process; the identity
//! providers are on loopback.
#![forbid(unsafe_code)]

#[cfg(test)]
<<<<<<< HEAD
mod attacks;
=======
mod env;
>>>>>>> 6dcd3d4 (Presets and env: tests in progress)
#[cfg(test)]
mod introspection;
#[cfg(test)]
mod jwks;
#[cfg(test)]
mod jwt;
#[cfg(test)]
mod jwt_settings;
#[cfg(test)]
mod layer;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod multi;
#[cfg(test)]
<<<<<<< HEAD
mod remote;
=======
mod presets;
>>>>>>> 6dcd3d4 (Presets and env: tests in progress)
#[cfg(test)]
mod static_tokens;
#[cfg(test)]
mod support;
#[cfg(test)]
mod world;
