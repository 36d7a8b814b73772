//! One file an endpoint.

pub(crate) mod jwks;
pub(crate) mod metadata;
pub(crate) mod path;
pub(crate) mod register;
