//! The authorization server as a whole, mounted as its users mount it, in process.
#![forbid(unsafe_code)]

#[cfg(test)]
mod dialects;
#[cfg(test)]
mod world;
