//! Whose session it is (MCP revisions up to 2025-11-25).
//!
//! A session id is a bearer secret of its own: whoever sends it reads what the session says. So
//! each id belongs to the [`Principal`] that opened it, and to nobody else, however valid another
//! token is. For all others the session does not exist.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_oauth::{Monotonic, SharedClock};

use crate::{AccessToken, Principal};

/// What a stranger is told of a session: the words of the MCP server library behind us, so that
/// nobody can tell a foreign session from one that never was. Clients start over on it.
pub const NOT_FOUND: &str = "Not Found: Session not found";

/// Owner of each open session. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    clock: SharedClock,
    limits: SessionLimits,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<Arc<str>, Session>,
    /// What each user has, through whatever client.
    users: HashMap<SessionOwner, Own>,
    total: usize,
    /// Before this time it is not worth looking for idle sessions again.
    next_sweep: Option<Monotonic>,
}

/// What one owner has.
#[derive(Debug, Default)]
struct Own {
    open: HashSet<Arc<str>>,
    reserved: usize,
}

/// How many sessions there may be, how long one may rest, and how much one user takes up.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SessionLimits {
    /// All sessions together; 10 000 unless set. Callers without a token have half of them.
    pub total: usize,
    /// Sessions of one user, through all clients; 100 unless set. One more ends the least recently
    /// used.
    pub per_principal: usize,
    /// A session that nobody used for so long ends; 30 minutes unless set. It is in use while a
    /// request in it runs or a stream of it is open.
    pub idle: Duration,
    /// Requests that run and event streams of one user, at a time; 250 unless set, a
    /// quarter of what a server takes on.
    pub streams_per_principal: usize,
    /// Bytes in large bodies of one user's requests, at a time; 16 MiB unless set, room for four
    /// messages of the largest size. One more is answered with 429. A body counts from its first
    /// byte, or its `Content-Length`, until its request is answered, or its stream ends; one of up
    /// to 64 KiB, as nearly all are, is never counted nor refused.
    pub body_bytes_per_principal: usize,
    /// The same of all users together; 128 MiB unless set: a message that was parsed takes several
    /// times its size. One more is answered with 503.
    pub body_bytes: usize,
}

/// How often a full server looks for sessions that ended by themselves.
const SWEEP: Duration = Duration::from_secs(1);

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            total: 10_000,
            per_principal: 100,
            idle: Duration::from_secs(30 * 60),
            streams_per_principal: 250,
            body_bytes_per_principal: 16 * 1024 * 1024,
            body_bytes: 128 * 1024 * 1024,
        }
    }
}

/// Who opened a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionOwner {
    /// Somebody without a token. No token inherits such a session: whoever opened it may still be
    /// listening.
    Anonymous,
    /// Whoever the token speaks for.
    Principal(Principal),
}

impl SessionOwner {
    /// The owner that a request's token makes.
    pub fn of(token: Option<&AccessToken>) -> Self {
        token.map_or(Self::Anonymous, |token| Self::Principal(token.principal()))
    }

    /// The user that a request's token makes: that is who limits count.
    pub(super) fn user_of(token: Option<&AccessToken>) -> Self {
        token.map_or(Self::Anonymous, |token| Self::Principal(token.user()))
    }

    /// The same user through whatever client.
    fn user(&self) -> Self {
        match self {
            Self::Anonymous => Self::Anonymous,
            // SECURITY: whoever can register clients has any number of principals;
            // sec_ds_08_limits_count_users_not_clients
            Self::Principal(principal) => Self::Principal(principal.without_client()),
        }
    }
}

#[derive(Debug)]
struct Session {
    owner: SessionOwner,
    last_used: Monotonic,
    /// Shared with each [`InUse`].
    uses: Arc<()>,
}

impl Session {
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.uses) > 1
    }

    fn is_idle(&self, now: Monotonic, idle: Duration) -> bool {
        !self.is_in_use() && now.saturating_since(self.last_used) >= idle
    }
}

/// Keeps a session from ending as idle until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct InUse {
    sessions: Sessions,
    id: Arc<str>,
    uses: Arc<()>,
}

impl Drop for InUse {
    fn drop(&mut self) {
        let now = self.sessions.0.clock.monotonic();
        let mut state = self.sessions.state();
        // Another session may have the id by now.
        if let Some(session) = state.open.get_mut(&self.id)
            && Arc::ptr_eq(&session.uses, &self.uses)
        {
            session.last_used = now;
        }
    }
}

/// There is no room for another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for another session")]
#[non_exhaustive]
pub struct Full;

/// Room for one session that is being opened. Dropped unused, the room is free again.
#[derive(Debug)]
#[must_use]
pub struct Reservation {
    sessions: Sessions,
    owner: Option<SessionOwner>,
}

impl Sessions {
    /// No sessions yet.
    pub fn new(clock: SharedClock, limits: SessionLimits) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            clock,
            limits,
        }))
    }

    /// Whether a session is the caller's own; if so it counts as used now.
    pub fn is_owned_by(&self, id: &str, caller: &SessionOwner) -> bool {
        let now = self.0.clock.monotonic();
        let mut state = self.state();
        let Some(session) = state.open.get_mut(id) else {
            return false;
        };
        if session.is_idle(now, self.0.limits.idle) {
            state.remove(id);
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

    /// A session counts as used for as long as the answer lives.
    pub(crate) fn hold(&self, id: &str) -> Option<InUse> {
        let state = self.state();
        let (id, session) = state.open.get_key_value(id)?;
        Some(InUse {
            sessions: self.clone(),
            id: Arc::clone(id),
            uses: Arc::clone(&session.uses),
        })
    }

    /// Takes room for one more session, before the handshake is dispatched. A principal that has as
    /// many as it may loses the one that it used least recently: a client that forgets its sessions
    /// still gets new ones, and whoever asks for a lost one starts over.
    ///
    /// # Errors
    /// [`Full`]: 503, to be tried again later.
    pub fn reserve(&self, owner: SessionOwner) -> Result<Reservation, Full> {
        let user = owner.user();
        let mut state = self.state();
        // SECURITY: sessions that somebody opens in a loop cannot fill memory, nor take the room
        // of others; sec_ds_08_sessions_are_capped
        if state.has_all_of_its_own(&user, self.0.limits) {
            state.end_least_recent(&user)?;
        }
        if !state.has_room(&user, self.0.limits) {
            let now = self.0.clock.monotonic();
            // SECURITY: whoever knocks at a full server makes it look through all sessions once a
            // second, not once a knock; sec_ds_06_a_full_server_does_not_search_at_each_knock
            if state.next_sweep.is_none_or(|next| now >= next) {
                state.end_idle(now, self.0.limits.idle);
                state.next_sweep = Some(now.saturating_add(SWEEP));
            }
            if !state.has_room(&user, self.0.limits) {
                return Err(Full);
            }
        }
        state.total += 1;
        state.users.entry(user).or_default().reserved += 1;
        Ok(Reservation {
            sessions: self.clone(),
            owner: Some(owner),
        })
    }

    /// The session ended.
    pub fn close(&self, id: &str) {
        self.state().remove(id);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// The server opened the session `id` for whoever reserved.
    pub fn open(mut self, id: &str) {
        let Some(owner) = self.owner.take() else {
            return;
        };
        let last_used = self.sessions.0.clock.monotonic();
        let mut state = self.sessions.state();
        // SECURITY: an id that is in use keeps its owner (session fixation);
        // sec_rs_16_a_known_id_is_not_taken_over
        if state.open.contains_key(id) {
            state.release(&owner);
        } else {
            state.open(id.into(), owner, last_used);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            self.sessions.state().release(&owner);
        }
    }
}

impl State {
    fn has_room(&self, user: &SessionOwner, limits: SessionLimits) -> bool {
        let most = match user {
            // SECURITY: strangers, who are all one owner, leave room for those with a token;
            // sec_ds_08_strangers_leave_room
            SessionOwner::Anonymous => (limits.total / 2).max(1),
            SessionOwner::Principal(_) => limits.per_principal,
        };
        self.total < limits.total && self.count(user) < most
    }

    fn has_all_of_its_own(&self, user: &SessionOwner, limits: SessionLimits) -> bool {
        // SECURITY: strangers must not end each other's sessions; sec_ds_08_strangers_leave_room
        matches!(user, SessionOwner::Principal(_)) && self.count(user) >= limits.per_principal
    }

    /// Open and reserved sessions of a user.
    fn count(&self, user: &SessionOwner) -> usize {
        self.users
            .get(user)
            .map_or(0, |own| own.open.len() + own.reserved)
    }

    /// Ends a user's least recently used session, one that is in use last of all.
    fn end_least_recent(&mut self, user: &SessionOwner) -> Result<(), Full> {
        let own = self.users.get(user).ok_or(Full)?;
        let sessions = own.open.iter().filter_map(|id| self.open.get_key_value(id));
        let least = sessions
            .min_by_key(|(_, session)| (session.is_in_use(), session.last_used))
            .map(|(id, _)| Arc::clone(id))
            .ok_or(Full)?;
        self.remove(&least);
        Ok(())
    }

    fn end_idle(&mut self, now: Monotonic, idle: Duration) {
        let ended: Vec<Arc<str>> = self
            .open
            .iter()
            .filter(|(_, session)| session.is_idle(now, idle))
            .map(|(id, _)| Arc::clone(id))
            .collect();
        for id in ended {
            self.remove(&id);
        }
    }

    /// Turns reserved room into a session.
    fn open(&mut self, id: Arc<str>, owner: SessionOwner, last_used: Monotonic) {
        let own = self.users.entry(owner.user()).or_default();
        own.reserved = own.reserved.saturating_sub(1);
        own.open.insert(Arc::clone(&id));
        let uses = Arc::default();
        let session = Session {
            owner,
            last_used,
            uses,
        };
        self.open.insert(id, session);
    }

    fn remove(&mut self, id: &str) {
        if let Some(session) = self.open.remove(id) {
            self.give_back(&session.owner, |own| {
                own.open.remove(id);
            });
        }
    }

    fn release(&mut self, owner: &SessionOwner) {
        self.give_back(owner, |own| own.reserved = own.reserved.saturating_sub(1));
    }

    fn give_back(&mut self, owner: &SessionOwner, change: impl FnOnce(&mut Own)) {
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

#[cfg(test)]
mod tests;
