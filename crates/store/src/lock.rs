//! What keeps the data keys of a store from others.

use bytes::Bytes;
use portcullis_oauth::Entropy;
use zeroize::Zeroizing;

use crate::envelope::{self, Envelope};
use crate::{Row, SealingKeys, StoreError};

/// What keeps the data keys of a store from others, and with them all that it holds.
#[derive(Clone, Debug)]
pub(crate) enum Lock {
    /// Keys that are elsewhere.
    Keys(SealingKeys),
    /// Nothing.
    None,
}

impl Lock {
    /// Whether what is stored can be read without a key.
    pub(crate) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Locks the row of the data keys.
    pub(crate) fn close(
        &self,
        entropy: &dyn Entropy,
        place: &[u8],
        plain: &[u8],
    ) -> Result<Bytes, StoreError> {
        match self {
            Self::Keys(keys) => keys.first().seal(entropy, place, plain).map(Bytes::from),
            Self::None => Ok(envelope::readable(plain).into()),
        }
    }

    /// Opens what [`close`](Self::close) made.
    pub(crate) fn open(&self, place: &[u8], row: &Row) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let readable = envelope::read(&row.value);
        match (self, readable) {
            (Self::None, Some(plain)) => Ok(Zeroizing::new(plain.to_vec())),
            (Self::None, None) => Err(StoreError::Encrypted),
            // SECURITY: whoever can write the database could put keys of their own in the place of
            // ours; sec_st_05_keys_that_anybody_could_write_are_not_taken
            (Self::Keys(_), Some(_)) => Err(StoreError::NotEncrypted),
            (Self::Keys(keys), None) => {
                let envelope = Envelope::parse(&row.value)?;
                // SECURITY: fresh keys in the place of some that we cannot open would throw all that
                // is stored away; sec_st_05_a_wrong_key_is_loud_and_changes_nothing
                let key = keys.find(*envelope.key).ok_or(StoreError::WrongKey)?;
                key.open(place, &envelope)
            }
        }
    }

    /// Whether the row needs no other lock.
    pub(crate) fn is_newest(&self, row: &Row) -> bool {
        match self {
            Self::Keys(keys) => keys.is_newest(row),
            Self::None => true,
        }
    }
}
