//! Tokens that clients register with (RFC 7591 section 3, "initial access token"), and how often they
//! were used.

use std::borrow::Cow;

use portcullis_oauth::crypto::{base64url, ct_eq, sha256};
use portcullis_oauth::secret::guessable;
use portcullis_oauth::{SecretString, Timestamp};
use portcullis_store::{Collection, Record};
use serde::{Deserialize, Serialize};

/// A token that clients register with.
#[derive(Clone, Debug)]
pub(super) struct InitialToken {
    token: SecretString,
    /// How many clients may; without end if nothing is said.
    most: Option<u64>,
}

/// Why somebody may register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Everybody may, or whoever has this token.
    Open,
    /// So many may who have this token.
    Counted {
        /// What the store knows it by.
        token: String,
        /// How many.
        most: u64,
    },
}

impl InitialToken {
    pub(super) const fn new(token: SecretString, most: Option<u64>) -> Self {
        Self { token, most }
    }

    /// Why it could be guessed, if it could.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        guessable(self.token.expose())
    }

    /// Whether whoever brings a token of that digest may register. It takes the same time in any case.
    pub(super) fn admits(&self, presented: &[u8; 32]) -> Option<Admission> {
        // Digests, so that not even the length of a token shows.
        let digest = sha256(self.token.expose().as_bytes());
        let is_it = ct_eq(&digest, presented) && !self.token.is_empty();
        is_it.then(|| match self.most {
            None => Admission::Open,
            Some(most) => Admission::Counted {
                token: base64url::encode(digest),
                most,
            },
        })
    }
}

/// How many clients registered with a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UsesRecord {
    token: String,
    uses: u64,
}

impl UsesRecord {
    /// What is known once another client has registered with that token; nothing if none may.
    pub(super) fn after(read: Option<&Self>, token: &str, most: u64) -> Option<Self> {
        let uses = read.map_or(0, |read| read.uses);
        // SECURITY: a token that gets about registers no more clients than it was made for (RFC 7591
        // section 3); sec_dr_10_a_token_registers_so_many_clients_and_no_more
        (uses < most).then(|| Self {
            token: token.to_owned(),
            uses: uses + 1,
        })
    }
}

impl Record for UsesRecord {
    const COLLECTION: Collection = Collection::new("initial_token");

    fn key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.token.as_bytes())
    }

    /// Never: a token that was used up stays so.
    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}
