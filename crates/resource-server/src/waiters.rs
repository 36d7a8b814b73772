//! Places for requests that wait for an answer from elsewhere.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Unavailable;

/// So many requests wait for one issuer's keys, or for one introspection endpoint. A server takes
/// four times as many requests at a time, so one that hangs leaves room for the others.
pub(crate) const MOST: usize = 256;

/// The places in front of one endpoint.
#[derive(Debug)]
pub(crate) struct Waiters(Semaphore);

impl Waiters {
    /// So many places.
    pub(crate) fn new(places: usize) -> Self {
        Self(Semaphore::new(places))
    }

    /// Takes a place until the permit is dropped.
    ///
    /// # Errors
    /// At once when there is none.
    pub(crate) fn enter(&self) -> Result<SemaphorePermit<'_>, Unavailable> {
        // SECURITY: an endpoint that hangs does not hold all of the server's requests (CWE-400);
        // sec_ds_09_few_requests_wait_for_keys_that_hang
        self.0.try_acquire().map_err(|_| too_many())
    }
}

/// Trying again soon may help.
pub(crate) fn too_many() -> Unavailable {
    Unavailable::new("too many requests wait for the issuer").retry_after(Duration::from_secs(1))
}
