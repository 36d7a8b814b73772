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
const ATTEMPTS: usize = 8;
/// Among how many of the registrations that end first an unused one is looked for.
const CANDIDATES: usize = 64;

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
        for _ in 0..ATTEMPTS {
            let batch = self.records.batch().insert(record);
            let batch = self.count(batch, admission).await?;
            let (batch, evicted) =
                if self.records.count::<ClientRecord>().await? < self.settings.registration.limit {
                    (batch, None)
                } else {
                    let oldest = self.oldest_unused().await?.ok_or(RegisterError::Full)?;
                    (batch.remove(&oldest), Some(oldest))
                };
            if batch.commit().await? == Committed::Yes {
                if let Some(evicted) = evicted {
                    self.journal.registration_evicted(evicted.id());
                }
                return Ok(());
            }
        }
        Err(RegisterError::Full)
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

    /// The registration that was never used, and ends first.
    async fn oldest_unused(&self) -> Result<Option<Stored<ClientRecord>>, StoreError> {
        for record in self.records.list_ending::<ClientRecord>(CANDIDATES).await? {
            let stored = self
                .records
                .get::<ClientRecord>(record.id().as_str().as_bytes());
            // SECURITY: a flood of registrations does not take a client from anybody who uses it
            // (RFC 7591 section 5); sec_dr_01_a_used_registration_is_never_evicted
            let unused = stored.await?.filter(|record| record.used_at().is_none());
            if unused.is_some() {
                return Ok(unused);
            }
        }
        Ok(None)
    }

    fn random<const LENGTH: usize>(&self) -> Result<[u8; LENGTH], EntropyError> {
        let mut bytes = [0; LENGTH];
        self.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }
}
