//! The keys that everything in a store is hashed and sealed with. They live in the store itself, in
//! one row that is sealed under the [`SealingKeys`](crate::SealingKeys), if there are such.

use bytes::Bytes;
use portcullis_oauth::crypto::hmac_sha256;
use portcullis_oauth::{Entropy, Timestamp};
use zeroize::Zeroizing;

use crate::envelope::{self, Envelope, KeyId, Readable, SealKey};
use crate::lock::Lock;
use crate::{Collection, Family, Row, RowKey, StoreError};

/// Where the row is. Its key is no secret, so its digest needs no key.
pub(crate) const ROW: RowKey = RowKey::new(Collection::new("data_keys"), [0; 32]);

const FORMAT: u8 = 1;
/// Keys at most: a row of keys has a bound, as every other.
const MAX_KEYS: usize = 64;

type Secret = Zeroizing<[u8; 32]>;

/// The data keys of a store, as of one version of their row.
pub(crate) struct DataKeys {
    root: Secret,
    index: Secret,
    families: Secret,
    /// Seals what is not stored.
    values: SealKey,
    /// The first seals. There is always one.
    keys: Vec<DataKey>,
    /// Whether what is stored stays readable for whoever has the database.
    is_readable: bool,
}

struct DataKey {
    /// Since when another seals in its place.
    retired_at: Option<Timestamp>,
    secret: Secret,
    seal: SealKey,
}

/// A value could not be opened.
pub(crate) enum OpenError {
    /// It is sealed under a key that is not in this version of the row: there may be a newer one.
    UnknownKey,
    Store(StoreError),
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl DataKeys {
    /// Fresh keys, for a store that has none.
    pub(crate) fn generate(entropy: &dyn Entropy) -> Result<Self, StoreError> {
        let root = random(entropy)?;
        Self::new(root, vec![DataKey::new(random(entropy)?, None)?])
    }

    fn new(root: Secret, keys: Vec<DataKey>) -> Result<Self, StoreError> {
        Ok(Self {
            index: labelled(&root, b"portcullis index"),
            families: labelled(&root, b"portcullis families"),
            values: SealKey::new(labelled(&root, b"portcullis values").as_slice())?,
            root,
            keys,
            is_readable: false,
        })
    }

    /// The same keys behind that lock.
    pub(crate) fn behind(self, lock: &Lock) -> Self {
        let is_readable = lock.is_none();
        Self {
            is_readable,
            ..self
        }
    }

    /// The same keys behind a fresh one, which seals from now on.
    pub(crate) fn rotated(
        &self,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        if self.keys.len() >= MAX_KEYS {
            return Err(StoreError::TooLarge);
        }
        let mut keys = vec![DataKey::new(random(entropy)?, None)?];
        for key in &self.keys {
            let retired_at = key.retired_at.or(Some(now));
            keys.push(DataKey::new(key.secret.clone(), retired_at)?);
        }
        self.with(keys)
    }

    /// The same keys without those that were retired before that time; nothing if that is all.
    pub(crate) fn without_retired(&self, before: Timestamp) -> Result<Option<Self>, StoreError> {
        let is_old = |key: &DataKey| key.retired_at.is_some_and(|at| at < before);
        if !self.keys.iter().any(is_old) {
            return Ok(None);
        }
        let kept = self.keys.iter().filter(|key| !is_old(key));
        let keys: Result<Vec<_>, _> = kept
            .map(|key| DataKey::new(key.secret.clone(), key.retired_at))
            .collect();
        self.with(keys?).map(Some)
    }

    fn with(&self, keys: Vec<DataKey>) -> Result<Self, StoreError> {
        let is_readable = self.is_readable;
        let changed = Self::new(self.root.clone(), keys)?;
        Ok(Self {
            is_readable,
            ..changed
        })
    }

    /// The row, behind that lock.
    pub(crate) fn to_row(&self, lock: &Lock, entropy: &dyn Entropy) -> Result<Row, StoreError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(33 + self.keys.len() * 40));
        plain.push(FORMAT);
        plain.extend_from_slice(self.root.as_slice());
        for key in &self.keys {
            let retired_at = key.retired_at.map_or(i64::MAX, Timestamp::as_secs);
            plain.extend_from_slice(&retired_at.to_be_bytes());
            plain.extend_from_slice(key.secret.as_slice());
        }
        let mut row = Row::new(ROW, Bytes::new());
        row.value = lock.close(entropy, &place(&row), &plain)?;
        Ok(row)
    }

    /// Reads the row.
    pub(crate) fn from_row(lock: &Lock, row: &Row) -> Result<Self, StoreError> {
        let plain = lock.open(&place(row), row)?;
        Ok(Self::parse(&plain)?.behind(lock))
    }

    /// Reads what was in the seal.
    pub(crate) fn parse(plain: &[u8]) -> Result<Self, StoreError> {
        let (format, rest) = plain.split_first().ok_or(StoreError::Corrupt)?;
        if *format != FORMAT {
            return Err(StoreError::TooNew);
        }
        let (root, mut rest) = rest.split_first_chunk().ok_or(StoreError::Corrupt)?;
        let mut keys = Vec::new();
        while !rest.is_empty() {
            let (retired_at, after) = rest.split_first_chunk().ok_or(StoreError::Corrupt)?;
            let (secret, after) = after.split_first_chunk().ok_or(StoreError::Corrupt)?;
            let retired_at = i64::from_be_bytes(*retired_at);
            let retired_at = (retired_at != i64::MAX).then(|| Timestamp::from_secs(retired_at));
            keys.push(DataKey::new(Zeroizing::new(*secret), retired_at)?);
            rest = after;
        }
        if keys.is_empty() {
            return Err(StoreError::Corrupt);
        }
        Self::new(Zeroizing::new(*root), keys)
    }

    /// Seals a value to the place of its row, or binds it there where nothing is sealed.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        row: &Row,
        plain: &[u8],
    ) -> Result<Bytes, StoreError> {
        let key = self.keys.first().ok_or(StoreError::Corrupt)?;
        if self.is_readable {
            return key.seal.bind(&place(row), plain).map(Bytes::from);
        }
        key.seal.seal(entropy, &place(row), plain).map(Bytes::from)
    }

    /// Opens the value of a row.
    pub(crate) fn open(&self, row: &Row) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        // SECURITY: what anybody could write is not taken for sealed, nor the other way round;
        // sec_st_05_a_readable_row_is_none_of_an_encrypted_store
        if self.is_readable {
            let readable = Readable::parse(&row.value)?;
            let key = self.find(*readable.key).ok_or(OpenError::UnknownKey)?;
            return Ok(key.unbind(&place(row), &readable)?);
        }
        let envelope = Envelope::parse(&row.value)?;
        let key = self.find(*envelope.key).ok_or(OpenError::UnknownKey)?;
        Ok(key.open(&place(row), &envelope)?)
    }

    fn find(&self, id: KeyId) -> Option<&SealKey> {
        let mut keys = self.keys.iter().map(|key| &key.seal);
        keys.find(|key| key.id() == id)
    }

    /// Whether the value of a row is sealed under the key that seals now.
    pub(crate) fn is_newest(&self, row: &Row) -> bool {
        let newest = self.keys.first().map(|key| key.seal.id());
        let sealed_under = if self.is_readable {
            Readable::parse(&row.value).map(|readable| *readable.key)
        } else {
            Envelope::parse(&row.value).map(|envelope| *envelope.key)
        };
        sealed_under.is_ok_and(|id| Some(id) == newest)
    }

    /// The digest under which a record is stored.
    pub(crate) fn digest(&self, collection: Collection, key: &[u8]) -> [u8; 32] {
        // SECURITY: a digest without a key could be computed by whoever has the database and guesses
        // the name; sec_st_06_digests_differ_from_store_to_store
        hmac_sha256(self.index.as_slice(), &framed(collection.name(), key))
    }

    /// The digest of a family.
    pub(crate) fn family(&self, family: &Family) -> [u8; 32] {
        let name = framed(family.kind(), family.name().as_bytes());
        hmac_sha256(self.families.as_slice(), &name)
    }

    /// A key for one purpose. The root is random, so one HMAC is as good as HKDF.
    pub(crate) fn derive(&self, label: &str) -> Secret {
        labelled(&self.root, &framed("portcullis derive", label.as_bytes()))
    }

    /// The key of sealed values that are not stored.
    pub(crate) const fn value_key(&self) -> &SealKey {
        &self.values
    }
}

impl DataKey {
    fn new(secret: Secret, retired_at: Option<Timestamp>) -> Result<Self, StoreError> {
        Ok(Self {
            retired_at,
            seal: SealKey::new(secret.as_slice())?,
            secret,
        })
    }
}

/// What a value is sealed to: all of its row but itself.
fn place(row: &Row) -> Vec<u8> {
    let ends = row
        .expires_at
        .map(|end| end.as_secs().to_be_bytes().to_vec());
    // SECURITY: a value that is moved to another row, outlives its end or leaves its families opens
    // no more; sec_st_03_a_value_opens_at_its_own_place_alone
    envelope::associated(&[
        b"row",
        row.key.collection.name().as_bytes(),
        &row.key.digest,
        &ends.unwrap_or_default(),
        row.families.as_flattened(),
    ])
}

fn framed(name: &str, key: &[u8]) -> Vec<u8> {
    [name.as_bytes(), &[0], key].concat()
}

fn labelled(root: &Secret, label: &[u8]) -> Secret {
    Zeroizing::new(hmac_sha256(root.as_slice(), label))
}

fn random(entropy: &dyn Entropy) -> Result<Secret, StoreError> {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy.fill(bytes.as_mut_slice())?;
    Ok(bytes)
}
