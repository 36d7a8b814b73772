#![forbid(unsafe_code)]
//! The one way out of the process: an HTTP client that cannot be talked into going elsewhere.
//!
//! ```no_run
//! use portcullis_fetch::{Accept, Fetcher};
//! use portcullis_oauth::EndpointUrl;
//!
//! # async fn keys() -> Result<(), Box<dyn std::error::Error>> {
//! let fetcher = Fetcher::trusted().max_bytes(256 * 1024).build()?;
//! let url = EndpointUrl::parse("https://idp.example/oauth/jwks")?;
//! let keys = fetcher.get(&url, Accept::JwkSet).await?.require_ok()?;
//! println!("{} bytes of keys", keys.body.len());
//! # Ok(())
//! # }
//! ```
//!
//! | who chose the URL | use | what differs |
//! |---|---|---|
//! | somebody else: a client id, a discovered document | [`Fetcher::guarded`] | public addresses and port 443 alone |
//! | the operator | [`Fetcher::trusted`] | private addresses and any port too |
//! | the operator, and the answer is to go on as it arrives | [`StreamClient`] | one URL for life, no bound on the body |
//!
//! # Rules
//!
//! * `https` alone; `http` reaches loopback, and that only after
//!   [`allow_loopback`](FetcherBuilder::allow_loopback).
//! * A name is looked up once for each connection, every address of the answer is checked, and
//!   the connection goes to one of those. A name that has a public address now and `127.0.0.1` a
//!   moment later gains nothing.
//! * Certificates are verified against the name, by the platform's roots and those that were
//!   added.
//! * Redirects are refused. Where they are allowed, each target passes the same checks, and only
//!   a request without credentials follows one.
//! * Size counts after decompression and while the body arrives; time counts from the first byte
//!   of the lookup to the last of the body.
//! * No environment variable names a proxy.
//!
//! # Failure
//!
//! A [`FetchError`] never repeats a piece of the answer. Each [`Refusal`] is also an event at
//! `WARN` with the target `portcullis::security` and the field `event = "outbound_refused"`; an
//! answer beyond the bound has `event = "answer_too_large"`. Both name the host and never the path
//! or the query.
//!
//! # Sources
//!
//! RFC 6890 and the registries that grew from it, RFC 9700 section 4.11, RFC 9111.

pub mod address;
mod authentication;
pub mod cache_control;
mod error;
mod event;
mod fetcher;
pub mod file;
mod policy;
mod resolver;
mod stream;
pub mod system;

pub use crate::authentication::ClientAuthentication;
pub use crate::error::{FetchError, Refusal, TransportError};
pub use crate::fetcher::{Accept, Fetched, Fetcher, FetcherBuilder, Probe, Probed};
pub use crate::resolver::{Lookup, LookupFuture};
pub use crate::stream::{StreamClient, StreamClientBuilder};
