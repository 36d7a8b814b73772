//! A store that fails when it is told to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use portcullis_oauth::Timestamp;
use portcullis_store::{
    Change, Collection, Committed, Page, Row, RowKey, Siblings, Store, StoreError,
};

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing happens, as when the database cannot be reached.
    Refused,
    /// It happens, and the answer is lost, as when the connection breaks too late.
    AnswerLost,
}

/// A store that does as another one, and fails when it is told to.
///
/// It is as another process has that store: whoever opens this one is no sibling of those who open the
/// other one, and hears of changes [when it is told to](Self::changed_elsewhere).
///
/// Every operation lets others run first, so that callers come between each other even on one thread.
///
/// To see that nothing is ever left half done, let a flow run once and count its operations, then
/// once for each of them with that one failing.
///
/// ```
/// use std::sync::Arc;
///
/// use portcullis_store::{Collection, MemoryStore, RowKey, Store as _};
/// use portcullis_testkit::store::{Fault, FaultyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = FaultyStore::new(Arc::new(MemoryStore::new()));
/// let key = RowKey::new(Collection::new("note"), [0; 32]);
/// store.fail(1, Fault::Refused); // not the next one, but the one after it
/// assert!(store.get(key).await.is_ok());
/// assert!(store.get(key).await.is_err());
/// assert!(store.get(key).await.is_ok());
/// assert_eq!(store.operations(), 3);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    operations: AtomicU64,
    fault: Mutex<Option<(u64, Duration, Fault)>>,
    foreign: AtomicU64,
    siblings: Siblings,
}

/// How long something is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duration {
    Once,
    UntilHealed,
}

impl FaultyStore {
    /// A store that works, so far.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            operations: AtomicU64::new(0),
            fault: Mutex::default(),
            foreign: AtomicU64::new(0),
            siblings: Siblings::default(),
        }
    }

    /// One operation fails: the next, or the one so many later.
    pub fn fail(&self, later: u64, fault: Fault) {
        self.set(later, Duration::Once, fault);
    }

    /// Every operation fails from the next on, or from the one so many later, until it is
    /// [healed](Self::heal).
    pub fn fail_from(&self, later: u64, fault: Fault) {
        self.set(later, Duration::UntilHealed, fault);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How many operations there were so far, failed ones included.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::SeqCst)
    }

    /// As if another process had changed something. What it did is up to the test.
    pub fn changed_elsewhere(&self) {
        self.foreign.fetch_add(1, Ordering::SeqCst);
    }

    fn set(&self, later: u64, duration: Duration, fault: Fault) {
        let at = self.operations().saturating_add(later);
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, duration, fault));
    }

    /// Counts an operation, and says how it is to fail.
    fn next(&self) -> Option<Fault> {
        let now = self.operations.fetch_add(1, Ordering::SeqCst);
        let fault = *self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, duration, fault) = fault?;
        let hit = match duration {
            Duration::Once => now == at,
            Duration::UntilHealed => now >= at,
        };
        hit.then_some(fault)
    }

    async fn judged<T>(
        &self,
        operation: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let lost = || StoreError::unavailable("the store was told to fail");
        tokio::task::yield_now().await;
        let answer = match self.next() {
            None => operation.await,
            Some(Fault::Refused) => Err(lost()),
            Some(Fault::AnswerLost) => operation.await.and_then(|_| Err(lost())),
        };
        // An answer takes its time as well, and whoever asked may have gone.
        tokio::task::yield_now().await;
        answer
    }
}

impl Store for FaultyStore {
    fn get(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        Box::pin(self.judged(self.inner.get(key)))
    }

    fn take(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        Box::pin(self.judged(self.inner.take(key)))
    }

    fn commit(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(self.judged(self.inner.commit(changes, now)))
    }

    fn list(
        &self,
        collection: Collection,
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(self.judged(self.inner.list(collection, page)))
    }

    fn list_family(
        &self,
        collection: Collection,
        family: [u8; 32],
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(self.judged(self.inner.list_family(collection, family, page)))
    }

    fn count(&self, collection: Collection) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.judged(self.inner.count(collection)))
    }

    fn count_family(
        &self,
        collection: Collection,
        family: [u8; 32],
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.judged(self.inner.count_family(collection, family)))
    }

    fn list_ending(
        &self,
        collection: Collection,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(self.judged(self.inner.list_ending(collection, limit)))
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.judged(self.inner.sweep(now, limit)))
    }

    fn siblings(&self) -> &Siblings {
        &self.siblings
    }

    fn foreign_changes(&self) -> u64 {
        let foreign = self.foreign.load(Ordering::SeqCst);
        self.inner.foreign_changes().wrapping_add(foreign)
    }
}
