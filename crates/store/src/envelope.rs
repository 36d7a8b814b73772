//! What a value looks like outside of this process: sealed, and bound to its place.
//!
//! ```text
//! version 1 | key id 8 | salt 16 | nonce 12 | AES-256-GCM of the value, and its tag of 16
//! ```
//!
//! Each value is sealed under a key of its own, derived from the named key and the random salt, with
//! a random nonce: 28 random bytes stand between two values, so no counter has to survive a restart
//! or the copy of a machine.
//!
//! In a store without encryption it is readable, and bound to its place all the same:
//!
//! ```text
//! version 2 | key id 8 | HMAC-SHA-256 of place and value 32 | the value
//! ```

use portcullis_oauth::Entropy;
use portcullis_oauth::crypto::{aead, ct_eq, hkdf_sha256, hmac_sha256};
use zeroize::Zeroizing;

use crate::StoreError;

const VERSION: u8 = 1;
/// The version of what is not sealed.
const READABLE: u8 = 2;
const ID_LEN: usize = 8;
const SALT_LEN: usize = 16;
const TAG_LEN: usize = 32;

/// Names a key among others, and tells nothing of it.
pub(crate) type KeyId = [u8; ID_LEN];

/// A key that seals.
#[derive(Clone)]
pub(crate) struct SealKey {
    id: KeyId,
    key: Zeroizing<[u8; 32]>,
}

impl SealKey {
    /// The key that follows from a secret, which is hard to guess.
    pub(crate) fn new(secret: &[u8]) -> Result<Self, StoreError> {
        let (mut id, mut key) = ([0; ID_LEN], Zeroizing::new([0; 32]));
        hkdf_sha256(secret, b"", b"portcullis seal key id", &mut id)
            .and_then(|()| hkdf_sha256(secret, b"", b"portcullis seal key", key.as_mut_slice()))
            .map_err(StoreError::unavailable)?;
        Ok(Self { id, key })
    }

    pub(crate) const fn id(&self) -> KeyId {
        self.id
    }

    /// Seals a value; whoever opens it must name the same associated data.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        associated: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let (mut salt, mut nonce) = ([0; SALT_LEN], [0; aead::NONCE_LEN]);
        entropy.fill(&mut salt)?;
        // SECURITY: a nonce that comes twice under one key gives both texts away (SP 800-38D section
        // 8); sec_st_02_no_two_envelopes_share_salt_or_nonce
        entropy.fill(&mut nonce)?;
        let sealed = aead::seal(&*self.subkey(&salt)?, &nonce, associated, plain)
            .map_err(|_| StoreError::TooLarge)?;
        Ok([&[VERSION], &self.id[..], &salt, &nonce, &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) made.
    pub(crate) fn open(
        &self,
        associated: &[u8],
        envelope: &Envelope<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let key = self.subkey(envelope.salt)?;
        aead::open(&key, envelope.nonce, associated, envelope.text)
            .map(Zeroizing::new)
            .map_err(|_| StoreError::Corrupt)
    }

    /// Binds a value to its associated data, and leaves it readable.
    pub(crate) fn bind(&self, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let tag = self.tag(associated, plain)?;
        Ok([&[READABLE], &self.id[..], &tag, plain].concat())
    }

    /// Reads what [`bind`](Self::bind) made.
    pub(crate) fn unbind(
        &self,
        associated: &[u8],
        readable: &Readable<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let tag = self.tag(associated, readable.text)?;
        // SECURITY: a row that was moved or changed by somebody who cannot read the keys is noticed;
        // sec_st_03_a_readable_value_is_good_at_its_own_place_alone
        if !ct_eq(&tag, readable.tag) {
            return Err(StoreError::Corrupt);
        }
        Ok(Zeroizing::new(readable.text.to_vec()))
    }

    fn tag(&self, associated: &[u8], plain: &[u8]) -> Result<[u8; TAG_LEN], StoreError> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf_sha256(
            self.key.as_slice(),
            b"",
            b"portcullis readable value",
            key.as_mut_slice(),
        )
        .map_err(StoreError::unavailable)?;
        let bound = self::associated(&[associated, plain]);
        Ok(hmac_sha256(key.as_slice(), &bound))
    }

    fn subkey(&self, salt: &[u8; SALT_LEN]) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf_sha256(
            self.key.as_slice(),
            salt,
            b"portcullis value key",
            key.as_mut_slice(),
        )
        .map_err(StoreError::unavailable)?;
        Ok(key)
    }
}

/// The parts of a sealed value, none of them proven yet.
pub(crate) struct Envelope<'a> {
    pub(crate) key: &'a KeyId,
    salt: &'a [u8; SALT_LEN],
    nonce: &'a [u8; aead::NONCE_LEN],
    text: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let (version, rest) = bytes.split_first().ok_or(StoreError::Corrupt)?;
        match *version {
            0 | READABLE => return Err(StoreError::Corrupt),
            VERSION => {}
            _ => return Err(StoreError::TooNew),
        }
        let (key, rest) = rest.split_first_chunk().ok_or(StoreError::Corrupt)?;
        let (salt, rest) = rest.split_first_chunk().ok_or(StoreError::Corrupt)?;
        let (nonce, text) = rest.split_first_chunk().ok_or(StoreError::Corrupt)?;
        let parts = Self {
            key,
            salt,
            nonce,
            text,
        };
        Ok(parts)
    }
}

/// What needs no key to be read, and is bound to nothing.
pub(crate) fn readable(plain: &[u8]) -> Vec<u8> {
    [&[READABLE], plain].concat()
}

/// What [`readable`] made, if it did.
pub(crate) fn read(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(&[READABLE])
}

/// The parts of a value that is not sealed, none of them proven yet.
pub(crate) struct Readable<'a> {
    pub(crate) key: &'a KeyId,
    tag: &'a [u8; TAG_LEN],
    text: &'a [u8],
}

impl<'a> Readable<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let rest = read(bytes).ok_or(StoreError::Corrupt)?;
        let (key, rest) = rest.split_first_chunk().ok_or(StoreError::Corrupt)?;
        let (tag, text) = rest.split_first_chunk().ok_or(StoreError::Corrupt)?;
        Ok(Self { key, tag, text })
    }
}

/// Associated data: the parts, each behind its length, so that no two lists give the same bytes.
pub(crate) fn associated(parts: &[&[u8]]) -> Vec<u8> {
    let mut all = vec![VERSION];
    for part in parts {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        all.extend_from_slice(&length.to_be_bytes());
        all.extend_from_slice(part);
    }
    all
}
