//! One file an endpoint.

pub(crate) mod account;
pub(crate) mod authorize;
pub(crate) mod browser;
pub(crate) mod consent;
mod fault;
pub(crate) mod jwks;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod metadata;
pub(crate) mod path;
pub(crate) mod register;
mod target;
#[cfg(test)]
mod tests;
mod visitor;
