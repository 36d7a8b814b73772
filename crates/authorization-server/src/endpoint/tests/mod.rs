//! What a browser meets, from a client's request to its answer.

mod account;
mod authorize;
mod consent;
mod hostile;
mod login;
mod refresh;
mod revoke;
mod server;
mod target;
mod token;
mod world;
