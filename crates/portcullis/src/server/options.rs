//! Settings of a server that have nothing to do with what it offers.

use std::{sync::Arc, time::Duration};

use portcullis_fetch::system::{SystemClock, SystemEntropy};
use portcullis_oauth::{SecretBytes, SharedClock, SharedEntropy};
use tokio_util::task::TaskTracker;

use crate::{error::ConfigError, rmcp_adapter::StateCodec};

/// Settings, with their defaults.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) list_freshness: Duration,
    pub(crate) list_page: usize,
    pub(crate) state_key: Option<SecretBytes>,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
    /// The calls that are running.
    pub(crate) running: TaskTracker,
    #[cfg(feature = "http")]
    pub(crate) http: super::http::HttpOptions,
}

/// More than any model is shown, so few servers ever have a second page.
const LIST_PAGE: usize = 1000;

impl Default for Options {
    fn default() -> Self {
        Self {
            list_freshness: Duration::ZERO,
            list_page: LIST_PAGE,
            state_key: None,
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy::new()),
            running: TaskTracker::new(),
            #[cfg(feature = "http")]
            http: super::http::HttpOptions::default(),
        }
    }
}

impl Options {
    /// Whether callers are verified.
    #[cfg_attr(
        not(feature = "http"),
        expect(clippy::unused_self, reason = "only HTTP has auth")
    )]
    pub(crate) fn is_closed(&self) -> bool {
        #[cfg(feature = "http")]
        let closed = self.http.is_closed();
        #[cfg(not(feature = "http"))]
        let closed = false;
        closed
    }

    /// The codec of `requestState`: with the key that replicas share, or one of this process.
    pub(crate) fn state_codec(&self) -> Result<StateCodec, ConfigError> {
        let mut own = [0; 32];
        let key = if let Some(key) = &self.state_key {
            key.expose()
        } else {
            let drawn = self.entropy.fill(&mut own);
            drawn.map_err(|_| ConfigError::new("server", "the system has no randomness"))?;
            &own
        };
        StateCodec::new(key, Arc::clone(&self.clock), Arc::clone(&self.entropy))
            .ok_or_else(|| ConfigError::new("server", "`.state_key(..)` needs at least 32 bytes"))
    }
}
