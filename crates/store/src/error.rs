//! Why a store has no answer.

use std::error::Error;

use portcullis_oauth::EntropyError;

/// Why a store has no answer. Whatever depended on it is refused: nothing is granted that was not
/// written, and nothing is honoured that could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, is full, or cannot write. Worth another try later.
    ///
    /// Whether a change happened that failed so, nobody can say. It is not half there.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The values were sealed under a key that is not among ours.
    #[error("the store was sealed under another key")]
    WrongKey,
    /// The store is encrypted, and was to be opened without a key.
    #[error("the store is encrypted, and was opened without encryption")]
    Encrypted,
    /// The store is not encrypted, and was to be opened with a key.
    #[error("the store is not encrypted, and was opened with a key")]
    NotEncrypted,
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
    /// A record is larger than a store takes: 64 KiB and four families.
    #[error("a record is too large to be stored")]
    TooLarge,
    /// A format that this version does not know.
    #[error("the store was written by a newer version")]
    TooNew,
}

impl StoreError {
    /// The database, or what it stands on, failed.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// How to mend it, where somebody can.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Place { hint, .. } => Some(hint),
            Self::WrongKey => {
                Some("give back the key that the store was made with; another cannot read it")
            }
            Self::Encrypted => {
                Some("give back the key that it was made with, or begin a new store")
            }
            Self::NotEncrypted => Some(
                "begin a new store, which is encrypted from its first row on; what this one says may \
                 have been read by others",
            ),
            Self::TooNew => Some("run the version that wrote it, or a newer one"),
            Self::Unavailable(_) | Self::Corrupt | Self::TooLarge => None,
        }
    }
}

/// Without randomness nothing can be sealed.
impl From<EntropyError> for StoreError {
    fn from(error: EntropyError) -> Self {
        Self::unavailable(error)
    }
}
