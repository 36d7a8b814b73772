//! How many grants a user can have.
//!
//! It is looked at behind the answer that made another grant: nobody waits for it, and nothing is
//! lost when the process ends first, for the next grant of that user looks again. Below the bounds
//! it reads no grant, but counts.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_oauth::{ClientId, Subject};
use portcullis_store::{Family, StoreError};

use super::ledger::Ledger;
use super::record::{GrantRecord, family_of_both, family_of_user};
use super::{EndReason, GrantId};

/// How many grants a family may have.
#[derive(Clone, Copy)]
struct Bound {
    /// With more, the oldest end.
    most: u64,
    /// So many of the latest stay then.
    kept: usize,
}

/// For those of a user to one client.
const ALIKE: Bound = Bound { most: 50, kept: 50 };
/// For all of a user. To find the oldest takes a look at each, so it shall not be done for each new
/// one.
const OF_USER: Bound = Bound {
    most: 1000,
    kept: 750,
};
/// One grant in so many makes us count all of its user's.
const LOOKS: u8 = 64;
/// How many more than are allowed are read at a time.
const SURPLUS: usize = 500;
/// For how many users it is looked at once.
const AT_ONCE: usize = 16;

/// The users whose grants are being looked at.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashSet<Subject>>);

/// A look at the grants of a user.
struct Look {
    ledger: Arc<Ledger>,
    subject: Subject,
}

/// A grant that was made just now.
struct Latest {
    subject: Subject,
    client: ClientId,
    id: GrantId,
}

impl Looks {
    /// Whether a look may begin: there is one of a user at a time, and few of all.
    fn begin(&self, subject: &Subject) -> bool {
        let mut looks = self.looks();
        // SECURITY: whoever makes grants faster than they are looked at makes no queue of it
        // (CWE-770); sec_cd_12_a_user_is_looked_at_once_at_a_time
        looks.len() < AT_ONCE && looks.insert(subject.clone())
    }

    fn end(&self, subject: &Subject) {
        self.looks().remove(subject);
    }

    fn looks(&self) -> MutexGuard<'_, HashSet<Subject>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.ledger.looks.end(&self.subject);
    }
}

impl Ledger {
    /// Sees to it, soon, that the user of a new grant does not have too many.
    pub(crate) fn settle(self: &Arc<Self>, grant: &GrantRecord) {
        let Some(latest) = Latest::of(grant) else {
            return;
        };
        let Some(look) = self.look(&latest.subject) else {
            return;
        };
        tokio::spawn(async move {
            if let Err(error) = look.ledger.bound(&latest).await {
                tracing::warn!(%error, "old grants could not be ended");
            }
        });
    }

    fn look(self: &Arc<Self>, subject: &Subject) -> Option<Look> {
        self.looks.begin(subject).then(|| Look {
            ledger: Arc::clone(self),
            subject: subject.clone(),
        })
    }

    /// Ends the oldest grants of a user, where there are too many to one client, or to all.
    async fn bound(&self, latest: &Latest) -> Result<(), StoreError> {
        // SECURITY: a client that asks again and again fills no disk, and the newest grants are the
        // ones in use (CWE-770); sec_cd_12_the_oldest_of_too_many_grants_ends
        let alike = family_of_both(&latest.subject, &latest.client);
        self.bound_family(&alike, ALIKE, latest.id).await?;
        // Ids are random, so nobody chooses which grants look, and few do.
        let [first, ..] = latest.id.as_bytes();
        if first % LOOKS == 0 {
            // SECURITY: clients cost nothing, so a user could have any number of them (CWE-770);
            // sec_ds_08_a_user_has_so_many_grants_and_no_more
            let all = family_of_user(&latest.subject);
            self.bound_family(&all, OF_USER, latest.id).await?;
        }
        Ok(())
    }

    /// Ends the oldest of a family, if there are too many. `latest` stays.
    async fn bound_family(
        &self,
        family: &Family,
        bound: Bound,
        latest: GrantId,
    ) -> Result<(), StoreError> {
        if self.records.count_family::<GrantRecord>(family).await? <= bound.most {
            return Ok(());
        }
        let mut all = self.of_family(family, bound.kept + SURPLUS).await?;
        all.retain(|one| one.id != latest);
        all.sort_by_key(|one| Reverse((one.granted_at, one.last_used)));
        let surplus = all.split_off(all.len().min(bound.kept - 1));
        self.end_all(&surplus, EndReason::TooMany).await
    }
}

impl Latest {
    /// Nothing where the grant has no user.
    fn of(grant: &GrantRecord) -> Option<Self> {
        let owner = grant.owner.as_ref()?;
        Some(Self {
            subject: owner.subject.clone(),
            client: grant.client.clone(),
            id: grant.id,
        })
    }
}

#[cfg(test)]
mod tests;
