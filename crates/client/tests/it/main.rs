#![forbid(unsafe_code)]
//! The transport and discovery against servers that answer what a test says.

#[cfg(test)]
mod discovery;
#[cfg(test)]
mod support;
#[cfg(test)]
mod transport;
