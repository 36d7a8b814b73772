//! Why a store has no answer.

use std::error::Error;

/// Why a store has no answer. Whatever depended on it is refused: nothing is granted that was not
/// written, and nothing is honoured that could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, is full, or cannot write. Worth another try later.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The values were sealed under a key that is not among ours.
    #[error("the store was sealed under another key")]
    WrongKey,
    /// A row is not what was written there: it was changed, moved, or cut off.
    #[error("a row of the store is not authentic")]
    Corrupt,
    /// The place of the store, or its key, may not be used as it is.
    #[error("{what}")]
    Place {
        /// What is wrong, and with what, as a sentence.
        what: String,
        /// How to mend it.
        hint: &'static str,
    },
    /// A record is larger than a store takes: 64 KiB.
    #[error("a record is too large to be stored")]
    TooLarge,
    /// A format that this version does not know.
    #[error("the store was written by a newer version")]
    TooNew,
}
