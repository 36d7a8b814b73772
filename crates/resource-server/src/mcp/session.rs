//! Whose session it is (MCP revisions up to 2025-11-25).
//!
//! A session id is a bearer secret of its own: whoever sends it reads what the session says. So
//! each id belongs to the [`Principal`] that opened it, and to nobody else, however valid another
//! token is. For all others the session does not exist.

mod pace;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_oauth::SharedClock;
use tokio_util::sync::CancellationToken;

use self::state::State;
use crate::grant_status::GrantStatuses;
use crate::observe::{Observation, SessionLife};
use crate::{AccessToken, Principal};

/// What a stranger is told of a session: the words of the MCP server library behind us, so that
/// nobody can tell a foreign session from one that never was. Clients start over on it.
pub const NOT_FOUND: &str = "Not Found: Session not found";

/// Owner of each open session. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    clock: SharedClock,
    limits: SessionLimits,
    on_end: Option<OnEnd>,
    observation: Option<Arc<Observation>>,
}

/// Told the id of each session that ends here and not by its client's wish.
pub(crate) type OnEnd = Arc<dyn Fn(&str) + Send + Sync>;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// How many sessions there may be, how long one may rest, and how much one user takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLimits {
    /// All sessions together; 10 000 unless set. Callers without a token have half of them.
    pub total: usize,
    /// Sessions of one user, through all clients; 100 unless set. One more ends the least recently
    /// used.
    pub per_principal: usize,
    /// Sessions of one user that may end in a minute because it opened more than
    /// [`per_principal`](Self::per_principal); 60 unless set, also all at once. One more is answered
    /// with 429: a client that starts again gets in, and one in a loop does not keep the server
    /// busy. Nothing else about opening sessions is counted.
    pub replaced_per_minute: usize,
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
            replaced_per_minute: 60,
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

    /// The same user through whatever client: that is who limits count.
    #[must_use]
    pub fn user(&self) -> Self {
        match self {
            Self::Anonymous => Self::Anonymous,
            // SECURITY: whoever can register clients has any number of principals;
            // sec_ds_08_limits_count_users_not_clients
            Self::Principal(principal) => Self::Principal(principal.without_client()),
        }
    }
}

/// Keeps a session from ending as idle until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct InUse {
    sessions: Sessions,
    id: Arc<str>,
    uses: Arc<()>,
    end: CancellationToken,
    is_told_in_band: bool,
}

impl InUse {
    /// Cancelled when the session ends, used or not.
    pub(crate) fn end(&self) -> &CancellationToken {
        &self.end
    }

    /// Whether its client is told inside of answers what its calls lack.
    pub(crate) fn is_told_in_band(&self) -> bool {
        self.is_told_in_band
    }
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

/// Why no session can be opened now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoom {
    /// All have as many as there may be, or the user is just opening all that it may have: 503.
    #[error("there is no room for another session")]
    Full,
    /// The user's sessions end each other too often: 429.
    #[error("the sessions of one user end each other too often")]
    TooOften {
        /// After this time there is room for one more.
        wait: Duration,
    },
}

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
        Self::watched(clock, limits, None)
    }

    /// No sessions yet; `on_end` hears of those that end for want of use, of room or of a grant.
    pub(crate) fn watched(
        clock: SharedClock,
        limits: SessionLimits,
        on_end: Option<OnEnd>,
    ) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            clock,
            limits,
            on_end,
            observation: None,
        }))
    }

    /// Tells of each session. To be said before anybody shares this.
    pub(crate) fn observed(mut self, observation: Option<Arc<Observation>>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.observation = observation;
        }
        self
    }

    /// Whether a session is the caller's own; if so it counts as used now.
    pub fn is_owned_by(&self, id: &str, caller: &SessionOwner) -> bool {
        let now = self.0.clock.monotonic();
        self.change(|state| state.is_owned_by(id, caller, (now, self.0.limits.idle)))
    }

    /// A session counts as used for as long as the answer lives. `token` is what it is used with.
    pub(crate) fn hold(&self, id: &str, token: Option<&AccessToken>) -> Option<InUse> {
        let mut state = self.state();
        let (id, _) = state.open.get_key_value(id)?;
        let id = Arc::clone(id);
        let session = state.open.get_mut(&id)?;
        session.token = token.cloned();
        Some(InUse {
            sessions: self.clone(),
            uses: Arc::clone(&session.uses),
            end: session.end.clone(),
            is_told_in_band: session.is_told_in_band,
            id,
        })
    }

    /// Takes room for one more session, before the handshake is dispatched. A principal that has as
    /// many as it may loses the one that it used least recently: a client that forgets its sessions
    /// still gets new ones, and whoever asks for a lost one starts over.
    ///
    /// # Errors
    /// [`NoRoom`], to be tried again later.
    pub fn reserve(&self, owner: SessionOwner) -> Result<Reservation, NoRoom> {
        let user = owner.user();
        self.change(|state| self.take_room(state, &user))?;
        Ok(Reservation {
            sessions: self.clone(),
            owner: Some(owner),
        })
    }

    fn take_room(&self, state: &mut State, user: &SessionOwner) -> Result<(), NoRoom> {
        // SECURITY: sessions that somebody opens in a loop cannot fill memory, nor take the room
        // of others; sec_ds_08_sessions_are_capped
        if state.has_all_of_its_own(user, self.0.limits) {
            let now = self.0.clock.monotonic();
            state.replace_least_recent(user, now, self.0.limits)?;
        }
        if !state.has_room(user, self.0.limits) {
            let now = self.0.clock.monotonic();
            // SECURITY: whoever knocks at a full server makes it look through all sessions once a
            // second, not once a knock; sec_ds_06_a_full_server_does_not_search_at_each_knock
            if state.next_sweep.is_none_or(|next| now >= next) {
                state.end_idle(now, self.0.limits.idle);
                state.next_sweep = Some(now.saturating_add(SWEEP));
            }
            if !state.has_room(user, self.0.limits) {
                return Err(NoRoom::Full);
            }
        }
        state.total += 1;
        state.users.entry(user.clone()).or_default().reserved += 1;
        Ok(())
    }

    /// The session's client is told inside of answers what its calls lack.
    pub(crate) fn tell_in_band(&self, id: &str) {
        if let Some(session) = self.state().open.get_mut(id) {
            session.is_told_in_band = true;
        }
    }

    /// The session ended, as its client wished: the server behind knows.
    pub fn close(&self, id: &str) {
        self.state().remove(id);
    }

    /// Ends a session, in the server behind too.
    pub(crate) fn end(&self, id: &str) {
        self.change(|state| state.end(id));
    }

    /// Ends the sessions that `token` or another one without a grant was last used in.
    pub(crate) fn end_revoked(&self, token: &AccessToken, status: &GrantStatuses) {
        for (id, last) in self.of_principal(&token.principal()) {
            // Who has no answer at hand does have one about the token it was just asked about.
            let is_same = || last.claims() == token.claims() && last.scopes() == token.scopes();
            let known = status.known(&last);
            // SECURITY: revocation ends what the grant opened, and nothing that another grant of
            // the same client did (RFC 7009 section 2.1);
            // sec_rs_17_a_revoked_grant_ends_its_sessions
            if known.map_or_else(is_same, |stands| !stands) {
                self.end(&id);
            }
        }
    }

    /// The sessions of a principal, each with the token that it was last used with.
    fn of_principal(&self, principal: &Principal) -> Vec<(Arc<str>, AccessToken)> {
        let owner = SessionOwner::Principal(principal.clone());
        let state = self.state();
        let ids = state.users.get(&owner.user()).map(|own| &own.open);
        let sessions = ids.into_iter().flatten().filter_map(|id| {
            let session = state
                .open
                .get(id)
                .filter(|session| session.owner == owner)?;
            Some((Arc::clone(id), session.token.clone()?))
        });
        sessions.collect()
    }

    /// Changes the state, then tells what ended by it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let value = change(&mut state);
        let ended = std::mem::take(&mut state.ended);
        drop(state);
        if let Some(on_end) = &self.0.on_end {
            for id in ended {
                on_end(&id);
            }
        }
        value
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// The server opened the session `id` for whoever reserved. `false` when the id is in use.
    pub fn open(mut self, id: &str) -> bool {
        let Some(owner) = self.owner.take() else {
            return false;
        };
        let last_used = self.sessions.0.clock.monotonic();
        let mut state = self.sessions.state();
        // SECURITY: an id that is in use keeps its owner (session fixation);
        // sec_rs_16_a_known_id_is_not_taken_over
        if state.open.contains_key(id) {
            state.release(&owner);
            return false;
        }
        let life = self.sessions.0.observation.as_ref();
        let life = life.map(SessionLife::begin);
        state.open(id.into(), owner, (last_used, life));
        true
    }

    /// Where it will be open.
    pub(crate) fn sessions(&self) -> Sessions {
        self.sessions.clone()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            self.sessions.state().release(&owner);
        }
    }
}

#[cfg(test)]
mod tests;
