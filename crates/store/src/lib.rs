//! Where an authorization server keeps its state.
//!
//! Two layers. A [`Store`] is a database: it keeps [`Row`]s whose keys are digests and whose values
//! are sealed, and changes them atomically, without knowing what they are. What the server reads and
//! writes are [`Record`]s, which [`Records`] hashes and seals on their way down.
//!
//! # What a store promises
//!
//! * Every operation is linearizable: it takes effect at one point between its call and its answer,
//!   for every process that shares the data.
//! * A batch of changes happens whole or not at all ([`Store::commit`]).
//! * What was answered is there after `kill -9` and after a power cut, if the store is durable.
//! * An expired row is as good as none: it never stands in the way of a new one.
//!
//! ```
//! use std::sync::Arc;
//!
//! use portcullis_fetch::system::{SystemClock, SystemEntropy};
//! use portcullis_store::{MemoryStore, StoreHandle};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = StoreHandle::from(MemoryStore::new()); // or `DiskStore::open(folder).await?`
//! let records = store
//!     .open(Arc::new(SystemClock::new()), Arc::new(SystemEntropy::new()))
//!     .await?;
//! let sealed = records.seal("greeting", b"for ann", b"hello")?;
//! assert_eq!(records.open_sealed("greeting", b"for ann", &sealed)?, b"hello");
//! assert!(records.open_sealed("greeting", b"for ben", &sealed).is_err());
//! # Ok::<(), portcullis_store::StoreError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you want | take |
//! |---|---|
//! | state that survives | `DiskStore` (feature `sqlite`): a folder with a database and its key |
//! | state that ends with the process | [`MemoryStore`] |
//! | another database | a [`Store`] of your own, held to `portcullis_testkit::store_contract!` |
//! | to keep something | a [`Record`], and [`Records`] |
//! | to change several things as one | [`Records::batch`] |
//! | keys that come from somewhere else | [`SealingKeys`] |
//! | values that anybody reads who has the database | [`StoreHandle::dangerous`] |
//!
//! What it does not do: it does not know who may see a record, and it does not notice when somebody
//! who can write the database puts it back, whole or row by row, to what it once was.

#![forbid(unsafe_code)]

mod data_keys;
#[cfg(all(feature = "sqlite", unix))]
mod disk;
mod envelope;
mod error;
#[cfg(unix)]
mod files;
#[doc(hidden)]
pub mod fuzz;
mod handle;
#[cfg(unix)]
mod links;
mod lock;
mod memory;
mod record;
mod records;
mod sealing_keys;
mod siblings;
#[cfg(all(feature = "sqlite", unix))]
mod sqlite;
mod store;

#[cfg(all(feature = "sqlite", unix))]
pub use crate::disk::DiskStore;
pub use crate::error::StoreError;
pub use crate::handle::{DangerousStore, StoreHandle};
pub use crate::memory::MemoryStore;
pub use crate::record::{Collection, Family, Record};
pub use crate::records::{Batch, Cursor, Listing, Records, Stored};
pub use crate::sealing_keys::SealingKeys;
pub use crate::siblings::Siblings;
pub use crate::store::{Change, Committed, Page, Row, RowKey, Store};
