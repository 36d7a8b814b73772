//! Every store of ours, held to the contract of all.

use std::sync::Arc;

use portcullis_store::MemoryStore;
#[cfg(all(feature = "sqlite", unix))]
use portcullis_store::{DiskStore, StoreHandle};
use portcullis_testkit::store::Subject;
use portcullis_testkit::store_contract;

#[cfg(all(feature = "sqlite", unix))]
use crate::sample::Scratch;

store_contract!(memory, async || Subject::new(Arc::new(MemoryStore::new())));

#[cfg(all(feature = "sqlite", unix))]
store_contract!(disk, async || {
    let scratch = Scratch::new();
    let store = DiskStore::open(scratch.path("state")).await.unwrap();
    Subject::new(StoreHandle::from(store).store()).keep(scratch)
});

#[cfg(all(feature = "sqlite", unix))]
store_contract!(disk_with_two_handles, async || {
    let scratch = Scratch::new();
    let open = async || {
        let store = DiskStore::open(scratch.path("state")).await.unwrap();
        StoreHandle::from(store).store()
    };
    let (one, other) = (open().await, open().await);
    Subject::new(one).shared(other).keep(scratch)
});
