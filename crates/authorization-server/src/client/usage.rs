//! That a registered client is in use, so that its registration lives on.

use std::sync::Arc;

use portcullis_oauth::Timestamp;
use portcullis_store::{Batch, StoreError, Stored};

use super::remembered::Changing;
use super::{AuthenticatedClient, ClientRecord, Clients};

impl Clients {
    /// What is to be noted when the client is granted something or refreshes it, so that its
    /// registration lives on, at least until `grant_ends`; nothing where that is known already. Drop it once it
    /// was written or not, and ask again for each attempt: then it is read anew.
    ///
    /// # Errors
    /// [`StoreError`] when the registration cannot be read.
    pub(crate) async fn use_of(
        &self,
        client: &AuthenticatedClient,
        grant_ends: Timestamp,
    ) -> Result<Option<Use>, StoreError> {
        let Some(known) = client.registration() else {
            return Ok(None);
        };
        let now = self.clock.now();
        let lives_on = self.settings.registration.used;
        if known.used(now, lives_on, grant_ends).is_none() {
            return Ok(None);
        }
        let Some(read) = self.registered(known.id()).await? else {
            return Ok(None);
        };
        Ok(read.registration.and_then(|read| {
            let next = read.used(now, lives_on, grant_ends)?;
            let changing = self.remembered.changing(read.id());
            Some(Use {
                read,
                next,
                _changing: changing,
            })
        }))
    }
}

/// That a registered client is in use. It is noted together with what it is used for, so that it
/// costs no second wait for the disk.
#[derive(Debug)]
pub(crate) struct Use {
    read: Arc<Stored<ClientRecord>>,
    next: ClientRecord,
    _changing: Changing,
}

impl Use {
    /// The changes, and this note, if nobody changes the registration meanwhile.
    pub(crate) fn with<'a>(&self, changes: Batch<'a>) -> Batch<'a> {
        changes.swap(&self.read, &self.next)
    }
}
