//! Whose grants there are, and how they end before their time.

use portcullis_oauth::{ClientId, Subject};
use portcullis_store::{Family, StoreError};

use super::ledger::Ledger;
use super::record::{GrantRecord, family_of_both, family_of_user};
use super::{Connection, EndReason, GrantId};
use crate::event::{Event, EventKind};
use crate::proxy::UpstreamRecord;

/// How many rows are read at a time.
const PAGE: usize = 100;
/// The most connections of one user that are shown.
const MOST_SHOWN: usize = 1000;

impl Ledger {
    /// Ends a grant and with it all of its tokens. Whether there was one: of many who end it at once,
    /// one is told so.
    pub(crate) async fn end(&self, id: GrantId, why: EndReason) -> Result<bool, StoreError> {
        let taken = self.records.take::<GrantRecord>(id.as_bytes()).await;
        // SECURITY: from here on nothing in memory says that the grant stands, also where nobody
        // knows whether it was deleted (RFC 7009 section 2.1); sec_rv_02_a_revoked_token_dies_at_once,
        // sec_rv_02_a_revocation_whose_answer_is_lost_counts
        self.live.ended(id);
        let Some(grant) = taken? else {
            return Ok(false);
        };
        self.forget_login(&grant).await;
        self.tell_end(&grant, why);
        Ok(true)
    }

    /// What the identity provider gave for a grant goes with it, also at the provider, as far as that
    /// can be reached.
    async fn forget_login(&self, grant: &GrantRecord) {
        if !grant.is_proxied {
            return;
        }
        match self
            .records
            .take::<UpstreamRecord>(grant.id.as_bytes())
            .await
        {
            Ok(Some(login)) => {
                if let Some(broker) = &self.broker {
                    broker.revoke_later(login);
                }
            }
            Ok(None) => {}
            // The grant is gone, and this goes with its time.
            Err(error) => {
                tracing::warn!(%error, "the tokens of an identity provider stay until they end");
            }
        }
    }

    /// Somebody else ended the grants of a user, in this process.
    pub(crate) fn user_ended(&self, subject: &Subject) {
        self.live.some_ended();
        let event = Event::new(EventKind::GrantEnded).of_user(subject.as_str());
        self.events.note(event.because(EndReason::UserGone.word()));
    }

    /// Ends these grants together. They were read just now.
    pub(super) async fn end_all(
        &self,
        grants: &[GrantRecord],
        why: EndReason,
    ) -> Result<(), StoreError> {
        // So many at a time that nobody else waits for long.
        for some in grants.chunks(PAGE) {
            let batch = some.iter().fold(self.records.batch(), |batch, grant| {
                batch.delete::<GrantRecord>(grant.id.as_bytes())
            });
            let deleted = batch.commit().await;
            for grant in some {
                self.live.ended(grant.id);
            }
            let _ = deleted?;
            for grant in some {
                self.forget_login(grant).await;
                self.tell_end(grant, why);
            }
        }
        Ok(())
    }

    fn tell_end(&self, grant: &GrantRecord, why: EndReason) {
        let event = grant.event(EventKind::GrantEnded);
        self.events.note(event.because(why.word()));
    }

    /// A user takes a grant back. Whether that user had one.
    pub(crate) async fn take_back(&self, user: &Subject, id: GrantId) -> Result<bool, StoreError> {
        let grant = self.find(id).await?;
        let owner = grant.as_ref().and_then(|grant| grant.owner.as_ref());
        // SECURITY: users end what is theirs: a grant's id is no secret (RFC 7009 section 2.1);
        // sec_rv_01_nobody_takes_back_what_is_another_users
        if owner.is_none_or(|owner| owner.subject != *user) {
            return Ok(false);
        }
        self.end(id, EndReason::RevokedByUser).await
    }

    /// A user takes back all that a client was granted. Whether there was something.
    pub(crate) async fn take_back_all(
        &self,
        user: &Subject,
        client: &ClientId,
    ) -> Result<bool, StoreError> {
        let family = family_of_both(user, client);
        let grants = self.of_family(&family, MOST_SHOWN).await?;
        self.end_all(&grants, EndReason::RevokedByUser).await?;
        Ok(!grants.is_empty())
    }

    /// What a user granted, the latest first.
    pub(crate) async fn connections(
        &self,
        subject: &Subject,
    ) -> Result<Vec<Connection>, StoreError> {
        let mut grants = self.of_family(&family_of_user(subject), MOST_SHOWN).await?;
        grants.sort_by_key(|grant| std::cmp::Reverse((grant.granted_at, grant.last_used)));
        Ok(grants.into_iter().map(Connection::from).collect())
    }

    /// Grants, at most so many, and whatever else was on the last page.
    pub(super) async fn of_family(
        &self,
        family: &Family,
        most: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < most {
            let page = self.records.list_family(family, after, PAGE).await?;
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(found)
    }
}
