//! The clients that registered themselves, as whoever administers the server sees them.

use portcullis_oauth::{ClientId, Timestamp};
use portcullis_store::{Records, StoreError};

use super::ClientRecord;
use crate::grant::record::family_of_client;
use crate::grant::{GrantFilter, Grants};

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
    /// When it was last granted something or refreshed it, to a day; nothing if it never was.
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
    /// The registration goes first, and with it every way to new tokens. Grants follow in parts, so
    /// that nobody waits while a client of many users loses all of them.
    ///
    /// # Errors
    /// [`StoreError`] when that cannot be written. A part may have happened; the rest takes another
    /// call.
    pub async fn revoke(&self, id: &ClientId) -> Result<bool, StoreError> {
        let key = id.as_str().as_bytes();
        let registered = self.0.take::<ClientRecord>(key).await?.is_some();
        let grants = Grants::new(self.0.clone());
        let ended = grants.revoke_all(&GrantFilter::Client(id.clone())).await?;
        // What was granted meanwhile, and whatever else is the client's.
        self.0.delete_family(&family_of_client(id)).await?;
        Ok(registered || ended > 0)
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
