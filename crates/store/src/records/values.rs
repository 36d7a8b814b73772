//! What follows from a store's keys and is not stored: keys for other purposes, and sealed values
//! that others carry.

use crate::envelope::{self, Envelope};
use crate::{Records, StoreError};

impl Records {
    /// A key for one purpose, named by its label: the same for every process on this store, as long
    /// as there is the store. Keep it in a type that wipes itself, as `SecretBytes`.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        *self.keys().derive(label)
    }

    /// Seals a value that leaves this process and comes back: any process on this store opens it,
    /// under the same purpose and with the same associated data. It does not end by itself.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn seal(
        &self,
        purpose: &str,
        associated: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let keys = self.keys();
        let bound = bound(purpose, associated);
        keys.value_key().seal(&*self.inner.entropy, &bound, plain)
    }

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when one bit differs, of the value, its purpose or what it was bound
    /// to; [`StoreError::TooNew`] for a format of the future.
    pub fn open_sealed(
        &self,
        purpose: &str,
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let envelope = Envelope::parse(sealed)?;
        let keys = self.keys();
        let key = keys.value_key();
        if *envelope.key != key.id() {
            return Err(StoreError::Corrupt);
        }
        let mut plain = key.open(&bound(purpose, associated), &envelope)?;
        Ok(std::mem::take(&mut *plain))
    }
}

fn bound(purpose: &str, associated: &[u8]) -> Vec<u8> {
    envelope::associated(&[b"value", purpose.as_bytes(), associated])
}
