//! One exchange of a grant's tokens at a time in this process, and what became of it for those who
//! waited.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::MutexGuard;

use crate::grant::GrantId;

/// Grants whose tokens are exchanged in this process.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Flights(Mutex<HashMap<GrantId, Weak<Flight>>>);

/// Those who need the tokens of one grant.
#[derive(Debug, Default)]
pub(super) struct Flight {
    failures: AtomicU64,
    last: tokio::sync::Mutex<Option<Failed>>,
}

/// How an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The provider does not stand by the tokens any more.
    Ended,
    /// Something did not answer.
    Unavailable,
}

/// The right to exchange.
pub(super) struct Turn<'a> {
    flight: &'a Flight,
    last: MutexGuard<'a, Option<Failed>>,
    before: u64,
}

impl Flights {
    pub(super) fn of(&self, id: GrantId) -> Arc<Flight> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&id).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::new(Flight::default());
        flights.insert(id, Arc::downgrade(&flight));
        flight
    }
}

/// How many may need the tokens of one grant at a time.
const MOST: usize = 128;

impl Flight {
    /// Whether so many need them that the next one is not to wait.
    pub(super) fn is_full(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > MOST
    }

    /// Waits until nobody else is at it.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let before = self.failures.load(Ordering::SeqCst);
        Turn {
            flight: self,
            last: self.last.lock().await,
            before,
        }
    }
}

impl Turn<'_> {
    /// What failed while this one waited. It need not be tried again at once.
    pub(super) fn shared(&self) -> Option<Failed> {
        let has_failed = self.flight.failures.load(Ordering::SeqCst) > self.before;
        (*self.last).filter(|_| has_failed)
    }

    /// Tells those who wait.
    pub(super) fn fail(&mut self, how: Failed) {
        *self.last = Some(how);
        self.flight.failures.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn those_who_waited_share_a_failure_and_the_next_one_tries() {
        let flight = Flight::default();
        let mut first = flight.turn().await;
        assert_eq!(first.shared(), None);
        let (mut second, mut third) = (Box::pin(flight.turn()), Box::pin(flight.turn()));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        first.fail(Failed::Unavailable);
        drop(first);
        // It comes while others still wait, but after the failure.
        let mut late = Box::pin(flight.turn());
        assert!((&mut late).now_or_never().is_none());
        for waiting in [second, third] {
            assert_eq!(waiting.await.shared(), Some(Failed::Unavailable));
        }
        let late = late.await;
        assert_eq!(late.shared(), None);
        let mut last = Box::pin(flight.turn());
        assert!((&mut last).now_or_never().is_none());
        drop(late);
        assert_eq!(last.await.shared(), None, "nothing failed meanwhile");
    }

    #[tokio::test]
    async fn a_grant_that_nobody_needs_takes_no_room() {
        let flights = Flights::default();
        let entropy = portcullis_oauth::SeededEntropy::new(1);
        for _ in 0..100 {
            let id = GrantId::generate(&entropy).unwrap();
            let (one, other) = (flights.of(id), flights.of(id));
            assert!(Arc::ptr_eq(&one, &other));
        }
        assert_eq!(flights.0.lock().unwrap().len(), 1);
    }
}
