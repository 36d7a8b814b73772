//! The clients that registered themselves, as whoever administers the server sees them.

use portcullis_oauth::{ClientId, Timestamp};
use portcullis_store::{Committed, Records, StoreError};

use super::ClientRecord;
use crate::grant::record::{GrantRecord, family_of_client};

/// The registrations in a store. A server may run on it at the same time, and feels every change.
#[derive(Clone, Debug)]
pub struct Registrations(Records);

/// A client that registered itself. All but the times is as it says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// Its id.
    pub id: ClientId,
    /// The name that it gives itself.
    pub name: Option<String>,
    /// Where codes for it may be sent.
    pub redirect_uris: Vec<String>,
    /// When it registered.
    pub issued_at: Timestamp,
    /// When it was last granted something, to a day; nothing if it never was.
    pub used_at: Option<Timestamp>,
    /// When it ends unless it is used before.
    pub ends_at: Timestamp,
}

/// Registrations that are read at a time.
const PAGE: usize = 500;

impl Registrations {
    /// Those in that store.
    pub fn new(records: Records) -> Self {
        Self(records)
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn list(&self) -> Result<Vec<RegisteredClient>, StoreError> {
        let mut clients = Vec::new();
        let mut after = None;
        loop {
            let page = self.0.list::<ClientRecord>(after, PAGE).await?;
            clients.extend(page.items.into_iter().map(RegisteredClient::from));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        clients.sort_by(|a, b| (a.issued_at, &a.id).cmp(&(b.issued_at, &b.id)));
        Ok(clients)
    }

    /// Takes from a client all that it was granted, and its registration if it has one, and says
    /// whether there was anything. A client with a metadata document, or a configured one, can ask
    /// users again.
    ///
    /// # Errors
    /// [`StoreError`] when that cannot be written; then nothing has changed.
    pub async fn revoke(&self, id: &ClientId) -> Result<bool, StoreError> {
        let key = id.as_str().as_bytes();
        let family = family_of_client(id);
        let registered = self.0.get::<ClientRecord>(key).await?.is_some();
        let granted = self.0.list_family::<GrantRecord>(&family, None, 1).await?;
        if !registered && granted.items.is_empty() {
            return Ok(false);
        }
        let batch = self.0.batch().delete::<ClientRecord>(key);
        Ok(batch.delete_family(&family).commit().await? == Committed::Yes)
    }
}

impl From<ClientRecord> for RegisteredClient {
    fn from(record: ClientRecord) -> Self {
        Self {
            name: record.name().map(str::to_owned),
            redirect_uris: record.redirect_uris().to_vec(),
            issued_at: record.issued_at(),
            used_at: record.used_at(),
            ends_at: record.ends_at(),
            id: record.id().clone(),
        }
    }
}
