//! Which grants stand, in memory, so that a request costs no look into the store.
//!
//! Only grants that were found standing are kept, each with the state of the world in which it was
//! read: once another process has changed something, or a grant of ours has ended, it counts as
//! unknown. So a token dies at once here and on every process that shares the database.

use std::sync::Arc;

use portcullis_oauth::{ScopeSet, Timestamp};
use portcullis_resource_server::AccessToken;
use quick_cache::sync::Cache;

use super::GrantId;
use super::record::GrantRecord;
use crate::moment::{Changes, Moment};

/// How many grants are kept in memory.
const MOST: usize = 65_536;

/// The grants that were found standing.
#[derive(Debug)]
pub(crate) struct Live {
    found: Cache<GrantId, Arc<Found>>,
    ends: Changes,
}

#[derive(Debug)]
struct Found {
    since: Moment,
    until: Timestamp,
    holder: Holder,
    reach: Option<ScopeSet>,
}

/// Whose grant it is.
#[derive(Debug)]
struct Holder {
    subject: Box<str>,
    client: Box<str>,
    resource: Box<str>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            found: Cache::new(MOST),
            ends: Changes::new(),
        }
    }

    /// Whether the grant behind a token is known to stand. No: it has to be read.
    pub(crate) fn stands(
        &self,
        id: GrantId,
        token: &AccessToken,
        foreign: u64,
        now: Timestamp,
    ) -> bool {
        // SECURITY: what ended since it was read does not stand, and neither does what ended while
        // it was read (RFC 7009 section 2.1); sec_rv_02_an_end_is_not_missed_by_whoever_reads
        let moment = self.moment(id, foreign);
        self.found.get(&id).is_some_and(|found| {
            found.since == moment && now < found.until && found.holder.holds(token)
        })
    }

    /// Asked before a grant is read.
    pub(crate) fn moment(&self, id: GrantId, foreign: u64) -> Moment {
        self.ends.moment(id.first_byte(), foreign)
    }

    /// Keeps a grant that was read since then, and says whether the token is one of its.
    pub(crate) fn keep(&self, grant: &GrantRecord, token: &AccessToken, since: Moment) -> bool {
        let holder = Holder::of(grant);
        if !holder.holds(token) {
            return false;
        }
        self.found.insert(
            grant.id,
            Arc::new(Found {
                since,
                until: grant.expires_at,
                holder,
                reach: grant.reach.clone(),
            }),
        );
        true
    }

    /// What the user could be granted, as far as it is known.
    pub(crate) fn reach(&self, id: GrantId) -> Option<ScopeSet> {
        self.found.get(&id)?.reach.clone()
    }

    /// This grant has ended.
    pub(crate) fn ended(&self, id: GrantId) {
        self.ends.note(id.first_byte());
        self.found.remove(&id);
    }

    /// Grants have ended, and nobody says which.
    pub(crate) fn some_ended(&self) {
        self.ends.note_all();
        self.found.clear();
    }
}

impl Holder {
    fn of(grant: &GrantRecord) -> Self {
        Self {
            subject: grant.subject().into(),
            client: grant.client.as_str().into(),
            resource: grant.resource.as_str().into(),
        }
    }

    /// Whether a token says the same.
    fn holds(&self, token: &AccessToken) -> bool {
        // SECURITY: whoever could sign would still be nobody but who granted: the record says whose
        // the grant is (RFC 9068 section 5); sec_jwt_37_a_signing_key_alone_makes_nobody
        *self.subject == *token.subject()
            && token.client_id() == Some(&self.client)
            && token.audience().iter().any(|one| **one == *self.resource)
    }
}

#[cfg(test)]
mod tests;
