#![forbid(unsafe_code)]
//! What a test of protected servers needs: an identity provider that does as it is told, a clock
//! that stands still, randomness that repeats itself, and an eye on the logs.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use portcullis_fetch::{Accept, Fetcher};
//! use portcullis_testkit::{FakeIdp, MockClock};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let clock = Arc::new(MockClock::at(1_800_000_000));
//! let idp = FakeIdp::start_at(clock.clone()).await;
//! let token = idp.token().subject("alice").audience("https://mcp.example/mcp").sign();
//! clock.advance(Duration::from_secs(301)); // and now it has expired
//!
//! idp.jwks_down(true); // an outage
//! let fetcher = Fetcher::trusted().allow_loopback(true).build()?;
//! let answer = fetcher.get(&idp.jwks_url(), Accept::JwkSet).await?;
//! assert_eq!(answer.status, 503);
//! assert_eq!(idp.hits("/jwks"), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you test | use |
//! |---|---|
//! | verification of tokens, key rotation, outages, introspection | [`FakeIdp`] |
//! | logins at an identity provider, and all that can go wrong with them | [`ScriptedUpstream`] |
//! | what a hostile or odd token does | [`TokenBuilder`] |
//! | expiry, caches, cool-downs | [`MockClock`] |
//! | what is drawn at random | [`SeededEntropy`] |
//! | login, consent, whatever a person does on pages | [`Browser`] |
//! | a database of your own, and whoever uses one that fails | [`store`](mod@store) |
//! | that no log holds a secret, and that an event was logged | [`CapturedLogs`] |
//!
//! A mistake in the use of these tools, such as a header that cannot be signed, panics: it is the
//! test that is wrong. Nothing in here belongs into a program that serves anybody.

mod browser;
mod idp;
mod logs;
pub mod store;
mod token;
mod upstream;

pub use crate::browser::{Browser, Page, Site, Visit};
pub use crate::idp::{FakeIdp, HeldJwks};
pub use crate::logs::CapturedLogs;
pub use crate::token::TokenBuilder;
pub use crate::upstream::{ClientProof, Fault, HeldPath, ScriptedUpstream, Seen};
pub use portcullis_oauth::{MockClock, SeededEntropy};
