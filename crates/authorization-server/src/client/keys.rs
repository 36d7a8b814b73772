//! The keys of clients that publish them at a URL.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::Fetcher;
use portcullis_oauth::{EndpointUrl, SharedClock};
use portcullis_resource_server::{RemoteKeys, Unavailable};
use quick_cache::sync::Cache;

use super::document::hosts::Hosts;
use crate::limits::Standing;

/// The most URLs whose keys are kept.
const MOST_SETS: usize = 1000;

/// The keys at all URLs.
#[derive(Debug)]
pub(super) struct KeySets {
    sets: Cache<EndpointUrl, Arc<RemoteKeys>>,
    fetcher: Fetcher,
    hosts: Arc<Hosts>,
    clock: SharedClock,
}

impl KeySets {
    pub(super) fn new(fetcher: Fetcher, hosts: Arc<Hosts>, clock: SharedClock) -> Self {
        Self {
            sets: Cache::new(MOST_SETS),
            fetcher,
            hosts,
            clock,
        }
    }

    /// The keys at that URL, which was not asked for anything yet if it is new.
    ///
    /// # Errors
    /// [`Unavailable`] when so many URLs of that host are asked for that this one has to wait.
    pub(super) fn at(
        &self,
        url: &EndpointUrl,
        standing: Standing,
    ) -> Result<Arc<RemoteKeys>, Unavailable> {
        if let Some(keys) = self.sets.get(url) {
            return Ok(keys);
        }
        // SECURITY: whoever registers many clients with keys on one host makes few requests to it
        // (CWE-406); sec_ca_12_many_key_urls_on_one_host_make_few_requests
        let Some(admission) = self.hosts.admit(url, standing) else {
            return Err(Unavailable::new("too many keys of that host are asked for")
                .retry_after(Duration::from_secs(5)));
        };
        let (fetcher, clock) = (self.fetcher.clone(), Arc::clone(&self.clock));
        let made = RemoteKeys::taking_turns(url.clone(), fetcher, clock, admission.places())
            .map_err(|error| {
                Unavailable::new("the client's keys have no usable URL").caused_by(error)
            })?;
        let made = Arc::new(made);
        let kept = self
            .sets
            .get_or_insert_with(url, || Ok::<_, Infallible>(Arc::clone(&made)));
        Ok(kept.unwrap_or(made))
    }
}
