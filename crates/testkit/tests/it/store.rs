//! The tests of the contract notice a store that breaks it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use portcullis_oauth::Timestamp;
use portcullis_store::{
    Change, Collection, Committed, MemoryStore, Page, Row, RowKey, Siblings, Store, StoreError,
};
use portcullis_testkit::store::{self, Subject, run};

/// How a store breaks its promise.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    LosesFamilies,
    LosesEnds,
    SwapsBlindly,
    InsertsOverAll,
    KeepsTheExpired,
    SplitsBatches,
    TakesInTwoSteps,
    ChecksBeforehand,
    ReadsOldRows,
    IgnoresLimits,
    SweepsAll,
    LeavesFamilies,
    CountsAllFamilies,
    TellsItsOwnChanges,
    ForgetsSiblings,
    SumsPageByPage,
}

#[derive(Debug)]
struct Flawed {
    inner: MemoryStore,
    flaw: Flaw,
    old: std::sync::Mutex<Option<Row>>,
    changes: std::sync::atomic::AtomicU64,
    stranger: Siblings,
    was_asked: std::sync::atomic::AtomicBool,
}

impl Flawed {
    fn new(flaw: Flaw) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            flaw,
            old: std::sync::Mutex::default(),
            changes: std::sync::atomic::AtomicU64::new(0),
            stranger: Siblings::default(),
            was_asked: std::sync::atomic::AtomicBool::new(false),
        })
    }

    fn bend(&self, change: Change) -> Change {
        let put = |row: Row| Change::Put(row);
        match (self.flaw, change) {
            (Flaw::SwapsBlindly, Change::Swap { row, .. })
            | (Flaw::InsertsOverAll, Change::Insert(row)) => put(row),
            (Flaw::LosesFamilies, Change::Put(mut row)) => {
                row.families.clear();
                put(row)
            }
            (Flaw::LosesEnds, Change::Put(mut row)) => {
                row.expires_at = None;
                put(row)
            }
            (_, change) => change,
        }
    }
}

/// Lets others run.
async fn pause() {
    tokio::task::yield_now().await;
}

impl Store for Flawed {
    fn get(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        Box::pin(async move {
            let row = self.inner.get(key).await?;
            if self.flaw != Flaw::ReadsOldRows {
                return Ok(row);
            }
            // Every other row comes from a replica that lags behind.
            let mut old = self.old.lock().unwrap();
            let lagging = old.take().filter(|old| old.key == key);
            old.clone_from(&row);
            Ok(lagging.or(row))
        })
    }

    fn take(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        Box::pin(async move {
            if self.flaw != Flaw::TakesInTwoSteps {
                return self.inner.take(key).await;
            }
            let row = self.inner.get(key).await?;
            pause().await;
            self.inner.take(key).await?;
            Ok(row)
        })
    }

    fn commit(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move {
            self.changes
                .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let now = match self.flaw {
                Flaw::KeepsTheExpired => Timestamp::from_secs(0),
                _ => now,
            };
            let changes: Vec<_> = changes.into_iter().map(|c| self.bend(c)).collect();
            match self.flaw {
                Flaw::SplitsBatches => {
                    for change in changes {
                        if self.inner.commit(vec![change], now).await? == Committed::No {
                            return Ok(Committed::No);
                        }
                        pause().await;
                    }
                    Ok(Committed::Yes)
                }
                Flaw::ChecksBeforehand => {
                    for change in &changes {
                        if let Change::Swap { expected, row } = change {
                            let found = self.inner.get(row.key).await?;
                            if found.is_none_or(|found| found.value != *expected) {
                                return Ok(Committed::No);
                            }
                        }
                    }
                    pause().await;
                    let blind = |change| match change {
                        Change::Swap { row, .. } => Change::Put(row),
                        change => change,
                    };
                    let changes = changes.into_iter().map(blind).collect();
                    self.inner.commit(changes, now).await
                }
                _ => self.inner.commit(changes, now).await,
            }
        })
    }

    fn list(
        &self,
        collection: Collection,
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            match self.flaw {
                Flaw::IgnoresLimits => self.inner.list(collection, Page::first(1000)).await,
                Flaw::SumsPageByPage => {
                    let mut all = Vec::new();
                    for at in 0..page.limit {
                        let first = Page::first(1);
                        let next = all
                            .last()
                            .map_or(first, |row: &Row| Page::after(row.key.digest, 1));
                        let some = self.inner.list(collection, next).await?;
                        if some.is_empty() || at > 10 {
                            break;
                        }
                        all.extend(some);
                        for _ in 0..50 {
                            pause().await;
                        }
                    }
                    Ok(all)
                }
                _ => self.inner.list(collection, page).await,
            }
        })
    }

    fn list_family(
        &self,
        collection: Collection,
        family: [u8; 32],
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            if self.flaw == Flaw::LeavesFamilies && family == [1; 32] {
                return self.inner.list(collection, page).await;
            }
            self.inner.list_family(collection, family, page).await
        })
    }

    fn count(&self, collection: Collection) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.count(collection)
    }

    fn count_family(
        &self,
        collection: Collection,
        family: [u8; 32],
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        match self.flaw {
            Flaw::CountsAllFamilies => self.inner.count(collection),
            _ => self.inner.count_family(collection, family),
        }
    }

    fn list_ending(
        &self,
        collection: Collection,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        self.inner.list_ending(collection, limit)
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreError>> {
        let limit = if self.flaw == Flaw::SweepsAll {
            1000
        } else {
            limit
        };
        self.inner.sweep(now, limit)
    }

    fn siblings(&self) -> &Siblings {
        let order = std::sync::atomic::Ordering::SeqCst;
        let was_asked = self.was_asked.swap(true, order);
        if self.flaw == Flaw::ForgetsSiblings && was_asked {
            return &self.stranger;
        }
        self.inner.siblings()
    }

    fn foreign_changes(&self) -> u64 {
        match self.flaw {
            Flaw::TellsItsOwnChanges => self.changes.load(std::sync::atomic::Ordering::SeqCst),
            _ => 0,
        }
    }
}

/// Whether a test of the contract fails on a store with that flaw.
fn notices(flaw: Flaw, test: impl AsyncFnOnce(&Subject)) -> bool {
    let subject = async || Subject::new(Flawed::new(flaw));
    catch_unwind(AssertUnwindSafe(|| run(subject, test))).is_err()
}

#[test]
fn a_broken_promise_is_noticed() {
    let seen = [
        notices(Flaw::LosesFamilies, store::rows_come_back_as_they_were),
        notices(Flaw::LosesFamilies, store::families_hold_together),
        notices(Flaw::LosesEnds, store::rows_come_back_as_they_were),
        notices(Flaw::SwapsBlindly, store::conditions_hold),
        notices(Flaw::InsertsOverAll, store::conditions_hold),
        notices(Flaw::KeepsTheExpired, store::conditions_hold),
        notices(Flaw::SplitsBatches, store::batches_are_whole),
        notices(Flaw::IgnoresLimits, store::pages_follow_one_another),
        notices(Flaw::SweepsAll, store::endings_are_listed_and_swept),
        notices(Flaw::LeavesFamilies, store::families_hold_together),
        notices(Flaw::CountsAllFamilies, store::families_hold_together),
        notices(Flaw::TellsItsOwnChanges, store::foreign_changes_are_told),
        notices(Flaw::ForgetsSiblings, store::siblings_hear_of_each_other),
    ];
    assert_eq!(seen, [true; 13]);
}

#[test]
fn a_race_that_can_be_lost_is_noticed() {
    let seen = [
        notices(Flaw::InsertsOverAll, store::one_of_many_inserts),
        notices(Flaw::TakesInTwoSteps, store::one_of_many_takes),
        notices(Flaw::ChecksBeforehand, store::one_of_many_swaps),
        notices(Flaw::ChecksBeforehand, store::one_of_many_batches),
        notices(Flaw::SplitsBatches, store::one_of_many_batches),
        notices(Flaw::SplitsBatches, store::transfers_keep_the_sum),
        notices(Flaw::SumsPageByPage, store::transfers_keep_the_sum),
        notices(Flaw::SplitsBatches, store::dropped_calls_leave_nothing_half),
        notices(Flaw::TakesInTwoSteps, store::histories_have_one_order),
        notices(Flaw::ChecksBeforehand, store::histories_have_one_order),
        notices(Flaw::ReadsOldRows, store::histories_have_one_order),
    ];
    assert_eq!(seen, [true; 11]);
}
