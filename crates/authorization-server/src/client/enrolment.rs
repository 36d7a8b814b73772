//! How a client registers, and where there is room for it.

use portcullis_oauth::crypto::{base64url, hex};
use portcullis_oauth::register::{IssuedSecret, RegistrationRequest, RegistrationResponse};
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, EntropyError};
use portcullis_store::{Batch, Committed, StoreError, Stored};

use super::initial_token::{Admission, UsesRecord};
use super::registration::{RegisterError, Registration, narrow};
use super::{ClientRecord, Clients};

/// How often a registration is tried again that others get in the way of.
const ATTEMPTS: usize = 16;
/// Among how many of the registrations that end first an unused one is looked for; and if all of them
/// are in use, among how many then.
const CANDIDATES: [usize; 2] = [64, 1024];

impl Clients {
    /// Registers a client (RFC 7591 section 3).
    ///
    /// # Errors
    /// [`RegisterError`]; nothing has changed then.
    pub(crate) async fn register(
        &self,
        request: Registration<'_>,
    ) -> Result<RegistrationResponse, RegisterError> {
        let policy = &self.settings.registration;
        if !policy.enabled {
            return Err(RegisterError::Disabled);
        }
        let admission = policy.admits(request.token).ok_or(RegisterError::Token)?;
        let ceiling = &self.settings.ceiling;
        let said = RegistrationRequest::parse_allowing(request.body, &ceiling.schemes())?;
        let accepted = narrow(said, ceiling, request.scopes)?;
        let now = self.clock.now();
        // SECURITY: 128 random bits, which no document's URL can be
        // (draft-ietf-oauth-client-id-metadata-document section 3);
        // sec_dr_03_the_server_chooses_id_and_secret
        let id = ClientId::parse(&hex::encode(self.random::<16>()?));
        let id = id.map_err(|_| EntropyError::new())?;
        let mut record =
            ClientRecord::new(id.clone(), accepted.metadata.clone(), now, policy.unused);
        let mut answer = RegistrationResponse::new(id, accepted.metadata);
        answer.issued_at = Some(now);
        if accepted.method.needs_secret() {
            let secret = ClientSecret::new(base64url::encode(self.random::<32>()?));
            record = record.with_secret(self.secrets.digest(&answer.client_id, &secret));
            answer.secret = Some(IssuedSecret::new(secret, None));
        }
        self.keep(&record, &admission).await?;
        Ok(answer)
    }

    /// Stores a registration, in the place of the oldest unused one where there is no other room.
    async fn keep(
        &self,
        record: &ClientRecord,
        admission: &Admission,
    ) -> Result<(), RegisterError> {
        for attempt in 0..ATTEMPTS {
            let batch = self.records.batch().insert(record);
            let batch = self.count(batch, admission).await?;
            let limit = self.settings.registration.limit;
            if self.records.count::<ClientRecord>().await? < limit {
                if batch.commit().await? == Committed::Yes {
                    return Ok(());
                }
                continue;
            }
            let chosen = self.unused(attempt).await?.ok_or(RegisterError::Full)?;
            let Some(unused) = self.still_unused(&chosen).await? else {
                continue;
            };
            // SECURITY: it is gone from memory too, also where nobody knows whether it was removed
            // (RFC 7009 section 2.1); sec_rv_02_a_client_that_made_room_is_none_at_once
            let _changing = self.remembered.changing(&chosen);
            if batch.remove(&unused).commit().await? == Committed::Yes {
                self.journal.registration_evicted(&chosen);
                return Ok(());
            }
        }
        Err(RegisterError::Contended)
    }

    /// Counts the registration too, if it is one of so many.
    async fn count<'a>(
        &'a self,
        batch: Batch<'a>,
        admission: &Admission,
    ) -> Result<Batch<'a>, RegisterError> {
        let Admission::Counted { token, most } = admission else {
            return Ok(batch);
        };
        let read = self.records.get::<UsesRecord>(token.as_bytes()).await?;
        let next = UsesRecord::after(read.as_deref(), token, *most).ok_or(RegisterError::Token)?;
        Ok(match &read {
            Some(read) => batch.swap(read, &next),
            None => batch.insert(&next),
        })
    }

    /// A registration that was never used: the one that ends first, or, after the first attempt, any
    /// of those that end soon, so that not all who have to make room want the same.
    async fn unused(&self, attempt: usize) -> Result<Option<ClientId>, RegisterError> {
        for most in CANDIDATES {
            let ending = self.records.list_ending::<ClientRecord>(most).await?;
            let unused = ending.iter().filter(|record| record.used_at().is_none());
            let unused: Vec<&ClientId> = unused.map(ClientRecord::id).collect();
            let nth = match attempt {
                0 => 0,
                _ => usize::from(u16::from_le_bytes(self.random()?)) % unused.len().max(1),
            };
            if let Some(id) = unused.get(nth) {
                return Ok(Some(ClientId::clone(id)));
            }
        }
        Ok(None)
    }

    async fn still_unused(
        &self,
        id: &ClientId,
    ) -> Result<Option<Stored<ClientRecord>>, StoreError> {
        let stored = self.records.get::<ClientRecord>(id.as_str().as_bytes());
        // SECURITY: a flood of registrations does not take a client from anybody who uses it (RFC 7591
        // section 5); sec_dr_01_a_client_that_is_used_meanwhile_makes_no_room
        Ok(stored.await?.filter(|record| record.used_at().is_none()))
    }

    fn random<const LENGTH: usize>(&self) -> Result<[u8; LENGTH], EntropyError> {
        let mut bytes = [0; LENGTH];
        self.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }
}
