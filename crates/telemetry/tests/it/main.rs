//! The three observers behind a real endpoint: what they write, count and send.
#![forbid(unsafe_code)]

#[cfg(test)]
mod audit;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod otel;
#[cfg(test)]
mod support;
