//! Whose grants there are, and how they end before their time.

use portcullis_oauth::Subject;
use portcullis_store::{Family, StoreError};

use super::ledger::Ledger;
use super::record::{GrantRecord, family_of_both, family_of_user};
use super::{Connection, EndReason, GrantId};
use crate::event::{Event, EventKind};

/// The most grants that a user can have given to one client; the oldest ends with the next one.
const MOST_ALIKE: usize = 50;
/// The most grants that a user can have given to all clients together, and a few more between two
/// looks.
const MOST_OF_USER: usize = 900;
/// One grant in so many makes us look at all of its user's.
const LOOKS: u8 = 64;
/// How many rows are read at a time.
const PAGE: usize = 100;
/// The most connections of one user that are shown.
const MOST_SHOWN: usize = 1000;

impl Ledger {
    /// Ends a grant and with it all of its tokens. Whether there was one.
    pub(crate) async fn end(&self, id: GrantId, why: EndReason) -> Result<bool, StoreError> {
        let grant = self.find(id).await?;
        let deleted = match &grant {
            Some(_) => self.records.delete::<GrantRecord>(id.as_bytes()).await,
            None => Ok(()),
        };
        // SECURITY: from here on nothing in memory says that the grant stands, also where nobody
        // knows whether it was deleted (RFC 7009 section 2.1); sec_rv_02_a_revoked_token_dies_at_once,
        // sec_rv_02_a_revocation_whose_answer_is_lost_counts
        self.live.ended(id);
        deleted?;
        let Some(grant) = grant else {
            return Ok(false);
        };
        self.events
            .note(grant.event(EventKind::GrantEnded).because(why.word()));
        Ok(true)
    }

    /// Somebody else ended the grants of a user, in this process.
    pub(crate) fn user_ended(&self, subject: &Subject) {
        self.live.some_ended();
        let event = Event::new(EventKind::GrantEnded).of_user(subject.as_str());
        self.events.note(event.because(EndReason::UserGone.word()));
    }

    /// Ends the oldest grants of a user, where there are too many to one client, or to all.
    pub(crate) async fn bound(&self, grant: &GrantRecord) -> Result<(), StoreError> {
        let Some(owner) = &grant.owner else {
            return Ok(());
        };
        // SECURITY: a client that asks again and again fills no disk, and the newest grants are the
        // ones in use (CWE-770); sec_cd_12_the_oldest_of_too_many_grants_ends
        let alike = family_of_both(&owner.subject, &grant.client);
        self.bound_family(&alike, MOST_ALIKE, grant.id).await?;
        // Ids are random, so nobody chooses which grants look, and few do.
        let [first, ..] = grant.id.as_bytes();
        if first % LOOKS == 0 {
            // SECURITY: clients cost nothing, so a user could have any number of them (CWE-770);
            // sec_ds_08_a_user_has_so_many_grants_and_no_more
            let all = family_of_user(&owner.subject);
            self.bound_family(&all, MOST_OF_USER, grant.id).await?;
        }
        Ok(())
    }

    /// Ends the oldest of a family, beyond so many. `latest` stays.
    async fn bound_family(
        &self,
        family: &Family,
        most: usize,
        latest: GrantId,
    ) -> Result<(), StoreError> {
        let mut all = self.of_family(family, most + PAGE).await?;
        all.sort_by_key(|one| std::cmp::Reverse((one.granted_at, one.last_used)));
        let others = all.into_iter().filter(|one| one.id != latest);
        for one in others.skip(most - 1) {
            self.end(one.id, EndReason::TooMany).await?;
        }
        Ok(())
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

    /// Grants, at most so many.
    async fn of_family(
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
