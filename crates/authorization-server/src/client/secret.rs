//! Client secrets, of which only digests are kept.

use std::fmt;

use portcullis_oauth::crypto::{ct_eq, hmac_sha256};
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, SecretBytes};

/// A digest of a client secret, by which the secret can be checked and not found.
///
/// It is a fast digest, which is right for a secret that a machine has drawn: at least 128 random
/// bits. It is wrong for a word that somebody has made up.
#[derive(Clone, Copy)]
pub struct SecretDigest(Kind);

#[derive(Clone, Copy)]
enum Kind {
    /// Under a key of the store's.
    Keyed([u8; 32]),
    /// Under no key that is secret.
    Plain([u8; 32]),
}

impl SecretDigest {
    /// The digest of that secret, to be kept in its place. It is the same wherever it is made.
    pub fn of(secret: &ClientSecret) -> Self {
        Self(Kind::Plain(plain(secret)))
    }

    /// The digest that [`SecretDigest::to_bytes`] wrote.
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(Kind::Plain(digest))
    }

    /// The bytes of a digest that was made by [`SecretDigest::of`]; nothing for one of the server's
    /// own, which means nothing without its key.
    pub const fn to_bytes(&self) -> Option<[u8; 32]> {
        match self.0 {
            Kind::Plain(digest) => Some(digest),
            Kind::Keyed(_) => None,
        }
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(..)")
    }
}

/// The key under which digests of issued secrets are made, the same on every replica.
pub(super) struct SecretKey(SecretBytes);

impl SecretKey {
    pub(super) fn new(key: SecretBytes) -> Self {
        Self(key)
    }

    /// The digest of a secret that was issued to that client.
    pub(super) fn digest(&self, client: &ClientId, secret: &ClientSecret) -> [u8; 32] {
        let id = client.as_str().as_bytes();
        let message = [&id.len().to_be_bytes(), id, secret.expose().as_bytes()].concat();
        hmac_sha256(self.0.expose(), &message)
    }

    /// A digest that was stored.
    pub(super) fn stored(digest: [u8; 32]) -> SecretDigest {
        SecretDigest(Kind::Keyed(digest))
    }

    /// Whether `presented` is the secret of that client. Without a `kept` digest it is not, after as
    /// much work.
    pub(super) fn matches(
        &self,
        client: &ClientId,
        kept: Option<SecretDigest>,
        presented: &ClientSecret,
    ) -> bool {
        let keyed = self.digest(client, presented);
        let plain = plain(presented);
        // SECURITY: neither the time of a comparison tells how much of a secret is right, nor does
        // it tell a client that is unknown from one with another secret (CWE-208);
        // sec_op_03_an_unknown_client_costs_as_much_as_a_wrong_secret
        let (digest, of_presented) = match kept.map(|digest| digest.0) {
            Some(Kind::Keyed(digest)) => (digest, keyed),
            Some(Kind::Plain(digest)) => (digest, plain),
            None => (keyed, plain),
        };
        let same = ct_eq(&digest, &of_presented);
        same && kept.is_some()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

fn plain(secret: &ClientSecret) -> [u8; 32] {
    hmac_sha256(b"portcullis client secret", secret.expose().as_bytes())
}
