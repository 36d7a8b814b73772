//! The authorization server as a whole, mounted as its users mount it, in process.
#![forbid(unsafe_code)]

#[cfg(test)]
mod advertised;
#[cfg(test)]
mod browsers;
#[cfg(test)]
mod client;
#[cfg(test)]
mod dialects;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod sessions;
#[cfg(feature = "sqlite")]
#[cfg(test)]
mod single_use;
#[cfg(test)]
mod status;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod world;
