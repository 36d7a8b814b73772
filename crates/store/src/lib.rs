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
mod memory;
mod record;
mod records;
mod sealing_keys;
#[cfg(all(feature = "sqlite", unix))]
mod sqlite;
mod store;

#[cfg(all(feature = "sqlite", unix))]
pub use crate::disk::DiskStore;
pub use crate::error::StoreError;
pub use crate::handle::StoreHandle;
pub use crate::memory::MemoryStore;
pub use crate::record::{Collection, Family, Record};
pub use crate::records::{Batch, Cursor, Listing, Records, Stored};
pub use crate::sealing_keys::SealingKeys;
pub use crate::store::{Change, Committed, Page, Row, RowKey, Store};
