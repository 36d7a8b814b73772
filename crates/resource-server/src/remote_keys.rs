//! The keys at one URL.

use std::sync::Arc;

use portcullis_fetch::Fetcher;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::{EndpointUrl, InvalidUrl, Issuer, SharedClock};
use tokio::sync::Semaphore;

use crate::Unavailable;
use crate::jwks_cache::{Bounds, Fetchers, JwksCache, KeySet, KeySource};

/// The public keys at one URL, such as the `jwks_uri` of a client (RFC 7591 section 2): fetched when
/// they are needed, and kept while they are good.
///
/// A set is kept for as long as its server says, between one and ten minutes; when the server is out
/// of reach, for up to a day. There is one request at a time. A key that the set lacks is looked for
/// once in 30 seconds at most, so ask for a [newer](Self::newer_than) set only for a signature whose
/// form, algorithm and issuer are right.
#[derive(Debug)]
pub struct RemoteKeys(JwksCache);

/// A set of keys, as it was fetched last.
#[derive(Debug, Clone)]
pub struct RemoteKeySet {
    keys: Arc<KeySet>,
    fetched_now: bool,
}

impl RemoteKeys {
    /// The keys at `url`. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`InvalidUrl`] for a URL whose origin is no name for the keys in a log.
    pub fn at(url: EndpointUrl, fetcher: Fetcher, clock: SharedClock) -> Result<Self, InvalidUrl> {
        Self::taking_turns(url, fetcher, clock, None)
    }

    /// The same, where each request waits for one of these places with all others that do.
    ///
    /// # Errors
    /// [`InvalidUrl`] for a URL whose origin is no name for the keys in a log.
    pub fn taking_turns(
        url: EndpointUrl,
        fetcher: Fetcher,
        clock: SharedClock,
        places: Option<Arc<Semaphore>>,
    ) -> Result<Self, InvalidUrl> {
        let owner = Issuer::parse(&url.origin())?;
        let source = KeySource::at(owner, url, Fetchers::only(fetcher)).taking_turns(places);
        Ok(Self(JwksCache::new(source, Bounds::default(), clock)))
    }

    /// The set to use now. Waits only where there is none that is good.
    ///
    /// # Errors
    /// [`Unavailable`] when there is none.
    pub async fn current(&self) -> Result<RemoteKeySet, Unavailable> {
        let current = self.0.current().await?;
        Ok(RemoteKeySet {
            keys: current.keys,
            fetched_now: current.fetched_now,
        })
    }

    /// A set that is newer than `seen`, for a signature whose key `seen` lacks; nothing when there is
    /// none, or when the server was asked just now.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said whether there is one.
    pub async fn newer_than(
        &self,
        seen: &RemoteKeySet,
    ) -> Result<Option<RemoteKeySet>, Unavailable> {
        if seen.fetched_now {
            return Ok(None);
        }
        let newer = self.0.newer_than(&seen.keys).await?;
        Ok(newer.map(|keys| RemoteKeySet {
            keys,
            fetched_now: true,
        }))
    }
}

impl RemoteKeySet {
    /// The keys.
    pub fn keys(&self) -> &JwkSet {
        self.keys.keys()
    }
}
