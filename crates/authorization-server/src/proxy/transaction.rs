//! What is under way at an identity provider.

use std::borrow::Cow;

use portcullis_oauth::{ScopeSet, Timestamp};
use portcullis_store::{Collection, Record};
use serde::{Deserialize, Serialize};

use crate::serial::{Digest, seconds};
use crate::upstream::Proof;

/// A login at an identity provider, of a user who has approved what comes of it. It is kept under the
/// digest of the `state` that the provider sends back, and taken once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) state: Digest,
    /// The interaction, sealed: only its browser can go on with it.
    pub(crate) interaction: String,
    /// All that was approved.
    pub(crate) scope: ScopeSet,
    pub(crate) proof: Proof,
    #[serde(with = "seconds")]
    pub(crate) expires_at: Timestamp,
}

impl Record for Transaction {
    const COLLECTION: Collection = Collection::new("transaction");

    fn key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.state.as_bytes())
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}
