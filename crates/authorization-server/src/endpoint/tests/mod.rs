//! What a browser meets, from a client's request to its answer.

mod account;
mod authorize;
mod channel;
mod code;
mod consent;
#[cfg(feature = "sqlite")]
mod disk;
mod documents;
mod failing;
mod hostile;
mod leaving;
mod login;
mod meanwhile;
mod refresh;
mod register;
mod revoke;
mod server;
mod settling;
mod target;
mod tenants;
mod token;
mod world;
