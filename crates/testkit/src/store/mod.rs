//! The contract of a store, as tests that any store can be put to.
//!
//! Whoever writes a store of their own (for another database, say) puts one call of
//! [`store_contract!`](crate::store_contract) into their tests, with an expression that gives a
//! fresh, empty [`Subject`] each time:
//!
//! ```
//! use std::sync::Arc;
//!
//! use portcullis_store::MemoryStore;
//! use portcullis_testkit::store::Subject;
//!
//! portcullis_testkit::store_contract!(memory, async || {
//!     let store = Arc::new(MemoryStore::new());
//!     // Another handle on the same data, as another process would have it.
//!     Subject::new(store.clone()).shared(store)
//! });
//! # fn main() {}
//! ```
//!
//! This makes a module `memory` with one test for each promise of
//! [`Store`]: what each operation does and refuses, that an expired row is
//! as good as none, that a batch is whole or not there, that of 64 callers at once exactly one wins,
//! over thousands of rounds, and that every history of concurrent operations can be put into one
//! order. They take seconds on a disk. What they cannot see is whether an answer outlives a power
//! cut.
//!
//! [`FaultyStore`] is the other half: a store that fails when it is told to, to see what becomes of
//! those who use it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use portcullis_store::Store;

#[expect(
    clippy::missing_panics_doc,
    reason = "each of them panics when its promise is broken"
)]
mod contract;
mod faulty;
mod history;
#[expect(
    clippy::missing_panics_doc,
    reason = "each of them panics when its promise is broken"
)]
mod races;
#[expect(
    clippy::missing_panics_doc,
    reason = "each of them panics when its promise is broken"
)]
mod siblings;

pub use self::contract::{
    batches_are_whole, conditions_hold, endings_are_listed_and_swept, families_hold_together,
    pages_follow_one_another, rows_come_back_as_they_were, sweeping_reaches_every_collection,
};
pub use self::faulty::{Fault, FaultyStore};
pub use self::history::histories_have_one_order;
pub use self::races::{
    dropped_calls_leave_nothing_half, one_of_many_batches, one_of_many_inserts, one_of_many_swaps,
    one_of_many_takes, transfers_keep_the_sum,
};
pub use self::siblings::{foreign_changes_are_told, siblings_hear_of_each_other};

/// A store that is put to the tests.
pub struct Subject {
    stores: Vec<Arc<dyn Store>>,
    kept: Vec<Box<dyn Any>>,
}

impl Subject {
    /// An empty store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            stores: vec![store],
            kept: Vec::new(),
        }
    }

    /// Another handle on the same data, as another process has it. The tests use both at once.
    #[must_use]
    pub fn shared(mut self, store: Arc<dyn Store>) -> Self {
        self.stores.push(store);
        self
    }

    /// Keeps something until the test is over, such as a folder.
    #[must_use]
    pub fn keep(mut self, guard: impl Any) -> Self {
        self.kept.push(Box::new(guard));
        self
    }

    fn store(&self) -> &dyn Store {
        &**self.handle(0)
    }

    /// One of the handles; the numbers go round.
    fn handle(&self, at: usize) -> &Arc<dyn Store> {
        #[expect(clippy::indexing_slicing, reason = "there is at least one")]
        &self.stores[at % self.stores.len()]
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}

/// Runs one test of the contract: what [`store_contract!`](crate::store_contract) makes does this.
///
/// # Panics
/// When the store breaks the promise.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
pub fn run(open: impl AsyncFnOnce() -> Subject, test: impl AsyncFnOnce(&Subject)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let subject = open().await;
        test(&subject).await;
    });
}

/// Makes a module of tests that hold a store to its contract. See [`store`](mod@crate::store).
///
/// The first argument names the module, the second is an async closure that gives a fresh
/// [`Subject`](crate::store::Subject).
#[macro_export]
macro_rules! store_contract {
    ($name:ident, $open:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need none")]
            use super::*;
            use $crate::store::run;

            #[test]
            fn rows_come_back_as_they_were() {
                run($open, $crate::store::rows_come_back_as_they_were);
            }

            #[test]
            fn conditions_hold() {
                run($open, $crate::store::conditions_hold);
            }

            #[test]
            fn sec_st_11_no_batch_is_half_there() {
                run($open, $crate::store::batches_are_whole);
            }

            #[test]
            fn sec_st_11_transfers_keep_the_sum() {
                run($open, $crate::store::transfers_keep_the_sum);
            }

            #[test]
            fn sec_st_11_one_of_many_inserts() {
                run($open, $crate::store::one_of_many_inserts);
            }

            #[test]
            fn sec_st_11_one_of_many_takes() {
                run($open, $crate::store::one_of_many_takes);
            }

            #[test]
            fn sec_st_11_one_of_many_swaps() {
                run($open, $crate::store::one_of_many_swaps);
            }

            #[test]
            fn sec_st_11_one_of_many_batches() {
                run($open, $crate::store::one_of_many_batches);
            }

            #[test]
            fn sec_st_11_histories_have_one_order() {
                run($open, $crate::store::histories_have_one_order);
            }

            #[test]
            fn sec_st_11_dropped_calls_leave_nothing_half() {
                run($open, $crate::store::dropped_calls_leave_nothing_half);
            }

            #[test]
            fn sec_st_15_families_hold_together() {
                run($open, $crate::store::families_hold_together);
            }

            #[test]
            fn pages_follow_one_another() {
                run($open, $crate::store::pages_follow_one_another);
            }

            #[test]
            fn endings_are_listed_and_swept() {
                run($open, $crate::store::endings_are_listed_and_swept);
            }

            #[test]
            fn sweeping_reaches_every_collection() {
                run($open, $crate::store::sweeping_reaches_every_collection);
            }

            #[test]
            fn sec_rv_02_siblings_hear_of_each_other() {
                run($open, $crate::store::siblings_hear_of_each_other);
            }

            #[test]
            fn foreign_changes_are_told() {
                run($open, $crate::store::foreign_changes_are_told);
            }
        }
    };
}
