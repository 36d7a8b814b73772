//! Which sessions are open, and whose they are: the state behind one lock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::Monotonic;
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::{NoRoom, SessionLimits, SessionOwner};
use crate::AccessToken;
use crate::observe::SessionLife;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) open: HashMap<Arc<str>, Session>,
    /// What each user has, through whatever client.
    pub(super) users: HashMap<SessionOwner, Own>,
    pub(super) total: usize,
    /// Before this time it is not worth looking for idle sessions again.
    pub(super) next_sweep: Option<Monotonic>,
    /// Those that ended under this lock, to be told once it is free.
    pub(super) ended: Vec<Arc<str>>,
}

/// What one owner has.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) open: HashSet<Arc<str>>,
    pub(super) reserved: usize,
    /// Sessions that ended for the sake of others.
    replaced: Pace,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) owner: SessionOwner,
    pub(super) last_used: Monotonic,
    /// Shared with each [`InUse`].
    pub(super) uses: Arc<()>,
    /// What the last request in it was made with.
    pub(super) token: Option<AccessToken>,
    /// Cancelled when this is dropped, and with it every stream of the session.
    pub(super) end: CancellationToken,
    /// Its client is told inside of answers what its calls lack.
    pub(super) is_told_in_band: bool,
    /// Where somebody wants to know how long it lasted.
    life: Option<SessionLife>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end.cancel();
        drop(self.life.take());
    }
}

impl Session {
    pub(super) fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.uses) > 1
    }

    fn is_idle(&self, now: Monotonic, idle: Duration) -> bool {
        !self.is_in_use() && now.saturating_since(self.last_used) >= idle
    }
}

impl State {
    pub(super) fn has_room(&self, user: &SessionOwner, limits: SessionLimits) -> bool {
        let most = match user {
            // SECURITY: strangers, who are all one owner, leave room for those with a token;
            // sec_ds_08_strangers_leave_room
            SessionOwner::Anonymous => (limits.total / 2).max(1),
            SessionOwner::Principal(_) => limits.per_principal,
        };
        self.total < limits.total && self.count(user) < most
    }

    pub(super) fn has_all_of_its_own(&self, user: &SessionOwner, limits: SessionLimits) -> bool {
        // SECURITY: strangers must not end each other's sessions; sec_ds_08_strangers_leave_room
        matches!(user, SessionOwner::Principal(_)) && self.count(user) >= limits.per_principal
    }

    /// Open and reserved sessions of a user.
    pub(super) fn count(&self, user: &SessionOwner) -> usize {
        self.users
            .get(user)
            .map_or(0, |own| own.open.len() + own.reserved)
    }

    /// Ends a user's least recently used session, one that is in use last of all.
    pub(super) fn replace_least_recent(
        &mut self,
        user: &SessionOwner,
        now: Monotonic,
        limits: SessionLimits,
    ) -> Result<(), NoRoom> {
        let own = self.users.get(user).ok_or(NoRoom::Full)?;
        if own.open.is_empty() {
            return Err(NoRoom::Full);
        }
        // SECURITY: a client in a loop must not make the server open and end sessions all day, nor
        // end those that its user works in at once; sec_ds_08_sessions_end_each_other_at_a_pace
        let mut replaced = own.replaced;
        let paced = replaced.take(now, limits.replaced_per_minute);
        paced.map_err(|wait| NoRoom::TooOften { wait })?;
        let sessions = own.open.iter().filter_map(|id| self.open.get_key_value(id));
        let least = sessions
            .min_by_key(|(_, session)| (session.is_in_use(), session.last_used))
            .map(|(id, _)| Arc::clone(id))
            .ok_or(NoRoom::Full)?;
        self.end(&least);
        // It may have been the last one, and the user forgotten with it.
        self.users.entry(user.clone()).or_default().replaced = replaced;
        Ok(())
    }

    /// Whether a session is the caller's own; one that rested too long is nobody's.
    pub(super) fn is_owned_by(
        &mut self,
        id: &str,
        caller: &SessionOwner,
        (now, idle): (Monotonic, Duration),
    ) -> bool {
        let Some(session) = self.open.get_mut(id) else {
            return false;
        };
        if session.is_idle(now, idle) {
            self.end(id);
            return false;
        }
        // SECURITY: the id alone opens nothing (MCP security best practices, session hijacking);
        // sec_rs_15_a_foreign_session_does_not_exist
        let is_owned = session.owner == *caller;
        if is_owned {
            session.last_used = now;
        }
        is_owned
    }

    pub(super) fn end_idle(&mut self, now: Monotonic, idle: Duration) {
        let ended: Vec<Arc<str>> = self
            .open
            .iter()
            .filter(|(_, session)| session.is_idle(now, idle))
            .map(|(id, _)| Arc::clone(id))
            .collect();
        for id in ended {
            self.end(&id);
        }
    }

    /// Turns reserved room into a session.
    pub(super) fn open(
        &mut self,
        id: Arc<str>,
        owner: SessionOwner,
        (last_used, life): (Monotonic, Option<SessionLife>),
    ) {
        let own = self.users.entry(owner.user()).or_default();
        own.reserved = own.reserved.saturating_sub(1);
        own.open.insert(Arc::clone(&id));
        let uses = Arc::default();
        let session = Session {
            owner,
            last_used,
            uses,
            token: None,
            end: CancellationToken::new(),
            is_told_in_band: false,
            life,
        };
        self.open.insert(id, session);
    }

    /// Ends a session that the server behind still has.
    pub(super) fn end(&mut self, id: &str) {
        if let Some((id, _)) = self.open.get_key_value(id) {
            let id = Arc::clone(id);
            self.remove(&id);
            self.ended.push(id);
        }
    }

    pub(super) fn remove(&mut self, id: &str) {
        if let Some(session) = self.open.remove(id) {
            self.give_back(&session.owner, |own| {
                own.open.remove(id);
            });
        }
    }

    pub(super) fn release(&mut self, owner: &SessionOwner) {
        self.give_back(owner, |own| own.reserved = own.reserved.saturating_sub(1));
    }

    pub(super) fn give_back(&mut self, owner: &SessionOwner, change: impl FnOnce(&mut Own)) {
        self.total = self.total.saturating_sub(1);
        let user = owner.user();
        if let Some(own) = self.users.get_mut(&user) {
            change(own);
            if own.open.is_empty() && own.reserved == 0 {
                self.users.remove(&user);
            }
        }
    }
}
