//! What a browser meets, from a client's request to its answer.

mod account;
mod authorize;
mod consent;
mod hostile;
mod login;
mod target;
mod world;
