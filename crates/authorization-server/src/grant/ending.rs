//! Whose grants there are, and how they end before their time.

use futures_util::future::join_all;
use portcullis_oauth::{ClientId, Subject};
use portcullis_store::{Batch, Committed, Family, Records, StoreError, Stored};

use super::ledger::Ledger;
use super::record::{GrantRecord, family_of_both, family_of_user};
use super::{Connection, EndReason, GrantId};
use crate::event::{Event, EventKind};
use crate::proxy::UpstreamRecord;

/// How many rows are read at a time.
const PAGE: usize = 100;
/// The most connections of one user that are shown.
const MOST_SHOWN: usize = 1000;

/// How often it is tried to remove what others change meanwhile. After that it ends whatever it is.
const TRIES: usize = 8;

/// A grant that ended, and what an identity provider gave for it.
pub(super) struct Ended {
    pub(super) grant: GrantRecord,
    login: Option<UpstreamRecord>,
}

impl Ledger {
    /// Ends a grant and with it all of its tokens. Whether there was one: of many who end it at once,
    /// one is told so.
    pub(crate) async fn end(&self, id: GrantId, why: EndReason) -> Result<bool, StoreError> {
        let ended = remove(&self.records, id).await;
        // SECURITY: from here on nothing in memory says that the grant stands, also where nobody
        // knows whether it was deleted (RFC 7009 section 2.1); sec_rv_02_a_revoked_token_dies_at_once,
        // sec_rv_02_a_revocation_whose_answer_is_lost_counts
        self.live.ended(id);
        let Some(ended) = ended? else {
            return Ok(false);
        };
        self.follow(ended, why);
        Ok(true)
    }

    /// What comes after the end of a grant: what an identity provider gave for it is given back, as
    /// far as that can be reached, and it is told.
    fn follow(&self, ended: Ended, why: EndReason) {
        if let (Some(login), Some(broker)) = (ended.login, &self.broker) {
            broker.revoke_later(login);
        }
        let event = ended.grant.event(EventKind::GrantEnded);
        self.events.note(event.because(why.word()));
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
            let ended = remove_all(&self.records, some).await;
            for grant in some {
                self.live.ended(grant.id);
            }
            for ended in ended? {
                self.follow(ended, why);
            }
        }
        Ok(())
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

/// Removes a grant and what an identity provider gave for it, in one change: no kill and no failure
/// leaves one without the other. Nothing if there is no grant, or somebody else was first.
pub(super) async fn remove(records: &Records, id: GrantId) -> Result<Option<Ended>, StoreError> {
    for left in (0..TRIES).rev() {
        let Some(grant) = records.get::<GrantRecord>(id.as_bytes()).await? else {
            return Ok(None);
        };
        let login = login_of(records, &grant).await;
        let batch = match left {
            // SECURITY: nobody keeps a grant by using it all the time (RFC 7009 section 2.1);
            // sec_rv_02_a_grant_that_changes_all_the_time_ends
            0 => records.batch().delete::<GrantRecord>(id.as_bytes()),
            _ => records.batch().remove(&grant),
        };
        let batch = without(batch, &grant, login.as_ref().filter(|_| left > 0));
        if batch.commit().await? == Committed::Yes {
            let (grant, login) = (grant.into_inner(), login.map(Stored::into_inner));
            return Ok(Some(Ended { grant, login }));
        }
    }
    Ok(None)
}

/// Removes these grants, and what identity providers gave for them, in one change.
async fn remove_all(records: &Records, grants: &[GrantRecord]) -> Result<Vec<Ended>, StoreError> {
    for left in (0..TRIES).rev() {
        let logins = join_all(grants.iter().map(|grant| login_of(records, grant))).await;
        let mut batch = records.batch();
        for (grant, login) in grants.iter().zip(&logins) {
            batch = batch.delete::<GrantRecord>(grant.id.as_bytes());
            batch = without(batch, grant, login.as_ref().filter(|_| left > 0));
        }
        if batch.commit().await? == Committed::Yes {
            let ended = grants.iter().cloned().zip(logins);
            let ended = ended.map(|(grant, login)| Ended {
                grant,
                login: login.map(Stored::into_inner),
            });
            return Ok(ended.collect());
        }
    }
    Ok(Vec::new())
}

/// What an identity provider gave for a grant.
async fn login_of(records: &Records, grant: &GrantRecord) -> Option<Stored<UpstreamRecord>> {
    if !grant.is_proxied {
        return None;
    }
    let login = records.get(grant.id.as_bytes()).await;
    login.unwrap_or_else(|error| {
        // What cannot be read ends all the same.
        tracing::warn!(%error, "what an identity provider gave for a grant is not given back");
        None
    })
}

/// Removes what an identity provider gave in the same change. Condition, where it was read: nobody has
/// exchanged it meanwhile, for then the new tokens are to be given back.
fn without<'a>(
    batch: Batch<'a>,
    grant: &GrantRecord,
    login: Option<&Stored<UpstreamRecord>>,
) -> Batch<'a> {
    match login {
        Some(login) => batch.remove(login),
        None if grant.is_proxied => batch.delete::<UpstreamRecord>(grant.id.as_bytes()),
        None => batch,
    }
}

#[cfg(test)]
mod tests;
