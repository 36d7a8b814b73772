#![forbid(unsafe_code)]
//! The program as its users meet it: real processes, real files, real sockets.

#[cfg(test)]
mod client;
#[cfg(test)]
mod config;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod help;
#[cfg(test)]
mod https;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod leftovers;
#[cfg(test)]
mod login;
mod mistakes;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod reload_login;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod stuck;
#[cfg(test)]
mod support;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod token;
#[cfg(test)]
mod user;
