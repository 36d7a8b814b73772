//! A store and its keys, as one hands them to a server.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portcullis_oauth::{SharedClock, SharedEntropy};

use crate::{Records, SealingKeys, Store, StoreError};

/// How often expired records are swept, unless said otherwise.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// A store together with the keys that open it: what a server is given.
///
/// [`MemoryStore`](crate::MemoryStore) and `DiskStore` become one by themselves; a store of yours is
/// paired with its keys.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    store: Arc<dyn Store>,
    keys: Keys,
    sweep_interval: Duration,
}

#[derive(Clone, Debug)]
enum Keys {
    Given(SealingKeys),
    /// Made when it is opened first, for a store that ends with this process.
    Made(Arc<OnceLock<SealingKeys>>),
}

impl StoreHandle {
    /// A store, and its keys.
    pub fn new(store: Arc<dyn Store>, keys: SealingKeys) -> Self {
        Self {
            store,
            keys: Keys::Given(keys),
            sweep_interval: SWEEP_INTERVAL,
        }
    }

    /// A store whose keys need not outlive it.
    pub(crate) fn ephemeral(store: Arc<dyn Store>, keys: Arc<OnceLock<SealingKeys>>) -> Self {
        Self {
            store,
            keys: Keys::Made(keys),
            sweep_interval: SWEEP_INTERVAL,
        }
    }

    /// How often the server deletes expired records: every 60 seconds, unless said otherwise. What
    /// is expired is never given out, swept or not.
    #[must_use]
    pub fn sweep_interval(mut self, interval: Duration) -> Self {
        self.sweep_interval = interval;
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`Records::open`].
    pub async fn open(
        self,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Result<Records, StoreError> {
        let keys = match self.keys {
            Keys::Given(keys) => keys,
            Keys::Made(cell) => {
                let fresh = SealingKeys::generate(&*entropy)?;
                cell.get_or_init(|| fresh).clone()
            }
        };
        let records = Records::open(self.store, keys, clock, entropy).await?;
        Ok(records.with_sweep_interval(self.sweep_interval))
    }
}

impl<S: Store> From<(S, SealingKeys)> for StoreHandle {
    fn from((store, keys): (S, SealingKeys)) -> Self {
        Self::new(Arc::new(store), keys)
    }
}
