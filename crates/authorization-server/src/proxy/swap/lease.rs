//! One exchange of a grant's tokens at a time among processes.
//!
//! Whoever exchanges them writes a lease into their record, by compare-and-swap, and renews it for as
//! long as it is at it. A lease holds for a few seconds, so that others need not wait for long for one
//! that was killed, however long a living one may take.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, pending, select};
use portcullis_oauth::Timestamp;
use portcullis_store::{StoreError, Stored};

use super::SwapError;
use crate::grant::GrantId;
use crate::proxy::broker::Broker;
use crate::proxy::record::{Lease, UpstreamRecord};

/// For how long a lease holds once it was renewed. The clocks of two processes may differ, and a store
/// may be slow, by what is left of it when it is renewed.
const HOLDS: Duration = Duration::from_secs(8);
/// How often it is renewed.
const RENEWED: Duration = Duration::from_secs(2);
/// How many answers an exchange may take: of the metadata, the token endpoint and the keys.
const ANSWERS: u32 = 3;
/// For how much longer than they may take it is renewed: what came has to be written.
const MARGIN: Duration = Duration::from_secs(12);

impl Lease {
    fn new(holder: u64, now: Timestamp) -> Self {
        Self {
            holder,
            until: now.saturating_add(HOLDS),
        }
    }

    /// Whether somebody is at it.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

impl UpstreamRecord {
    fn is_held_by(&self, holder: u64) -> bool {
        self.lease.is_some_and(|lease| lease.holder == holder)
    }

    /// Takes the lease of that holder away.
    pub(super) fn release(&mut self, holder: u64) {
        if self.is_held_by(holder) {
            self.lease = None;
        }
    }
}

impl Broker {
    /// The longest that anybody has a lease, dead or alive.
    pub(super) fn longest_lease(&self) -> Duration {
        self.longest_exchange() + HOLDS
    }

    fn longest_exchange(&self) -> Duration {
        self.client.timeout() * ANSWERS + MARGIN
    }

    /// Takes the lease of a record in which nobody has it. Who has it then; nothing if somebody else
    /// changed the record meanwhile.
    pub(super) async fn take_lease(
        &self,
        found: &Stored<UpstreamRecord>,
    ) -> Result<Option<u64>, SwapError> {
        let mut holder = [0; 8];
        self.entropy
            .fill(&mut holder)
            .map_err(|error| SwapError::Unavailable(error.into()))?;
        let holder = u64::from_be_bytes(holder);
        let taken = self.put_lease(found, holder).await?;
        Ok(taken.then_some(holder))
    }

    /// Does something while the lease is kept.
    pub(super) async fn holding<T>(
        &self,
        (id, holder): (GrantId, u64),
        work: impl Future<Output = T>,
    ) -> T {
        let keeping = async {
            let times = self.longest_exchange().as_secs() / RENEWED.as_secs();
            for _ in 0..times {
                tokio::time::sleep(RENEWED).await;
                self.keep_lease(id, holder).await;
            }
            // Whatever takes longer never ends.
            pending().await
        };
        match select(pin!(work), pin!(keeping)).await {
            Either::Left((done, _)) | Either::Right((done, _)) => done,
        }
    }

    /// Renews a lease, unless another has it or there is nothing any more.
    async fn keep_lease(&self, id: GrantId, holder: u64) {
        loop {
            let renewed = async {
                match self.find(id).await? {
                    Some(found) if found.is_held_by(holder) => self.put_lease(&found, holder).await,
                    _ => Ok(true),
                }
            };
            match renewed.await {
                Ok(true) => return,
                // Somebody wrote something else.
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "a lease is not renewed");
                    return;
                }
            }
        }
    }

    async fn put_lease(
        &self,
        found: &Stored<UpstreamRecord>,
        holder: u64,
    ) -> Result<bool, StoreError> {
        let leased = UpstreamRecord {
            lease: Some(Lease::new(holder, self.clock.now())),
            ..UpstreamRecord::clone(found)
        };
        self.records.compare_and_swap(found, &leased).await
    }
}
