//! How many requests wait for the provider at a time. One that hangs holds those up that need it, and
//! leaves room for all others.

use std::sync::Arc;

use portcullis_resource_server::Unavailable;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::broker::Broker;
use crate::endpoint::outage::Outage;

/// Half of the requests that a listener answers at a time, unless it is told otherwise.
const MOST: usize = 500;

/// Room for those who wait.
#[derive(Debug)]
pub(super) struct Patience(Arc<Semaphore>);

/// One who waits.
#[must_use]
pub(crate) struct Waiting(
    #[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit,
);

impl Default for Patience {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Broker {
    /// Room to wait for the provider.
    ///
    /// # Errors
    /// [`Outage`] where so many do already that it does not answer, or not fast enough.
    pub(crate) fn waiting(&self) -> Result<Waiting, Outage> {
        // SECURITY: a provider that hangs would take every request with it, also those that have nothing
        // to do with it (CWE-400); sec_ds_09_a_provider_that_hangs_leaves_room_for_others
        let room = Arc::clone(&self.patience.0).try_acquire_owned();
        let full = |_| Unavailable::new("too many requests wait for the identity provider");
        Ok(Waiting(room.map_err(full)?))
    }
}
