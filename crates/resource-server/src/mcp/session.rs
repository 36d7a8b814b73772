//! Whose session it is (MCP revisions up to 2025-11-25).
//!
//! A session id is a bearer secret of its own: whoever sends it reads what the session says. So
//! each id belongs to the [`Principal`] that opened it, and to nobody else, however valid another
//! token is. For all others the session does not exist.

use std::collections::HashMap;
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
    open: HashMap<Box<str>, Session>,
    /// Open and reserved sessions of each principal.
    counts: HashMap<SessionOwner, usize>,
    total: usize,
    /// Before this time it is not worth looking for idle sessions again.
    next_sweep: Option<Monotonic>,
}

/// How many sessions there may be and how long one may rest.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SessionLimits {
    /// All sessions together; 10 000 unless set.
    pub total: usize,
    /// Sessions of one principal; 100 unless set.
    pub per_principal: usize,
    /// A session that nobody used for so long ends; 30 minutes unless set.
    pub idle: Duration,
    /// Requests that run and event streams of one principal, at a time; 1 000 unless set.
    pub streams_per_principal: usize,
}

/// How often a full server looks for sessions that ended by themselves.
const SWEEP: Duration = Duration::from_secs(1);

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            total: 10_000,
            per_principal: 100,
            idle: Duration::from_secs(30 * 60),
            streams_per_principal: 1000,
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
}

#[derive(Debug)]
struct Session {
    owner: SessionOwner,
    last_used: Monotonic,
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
        if now.saturating_since(session.last_used) >= self.0.limits.idle {
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

    /// Takes room for one more session, before the handshake is dispatched.
    ///
    /// # Errors
    /// [`Full`]: 503, to be tried again later.
    pub fn reserve(&self, owner: SessionOwner) -> Result<Reservation, Full> {
        let mut state = self.state();
        // SECURITY: sessions that somebody opens in a loop cannot fill memory, nor take the room
        // of others; sec_ds_08_sessions_are_capped
        if !state.has_room(&owner, self.0.limits) {
            let now = self.0.clock.monotonic();
            // SECURITY: whoever knocks at a full server makes it look through all sessions once a
            // second, not once a knock; sec_ds_06_a_full_server_does_not_search_at_each_knock
            if state.next_sweep.is_none_or(|next| now >= next) {
                state.end_idle(now, self.0.limits.idle);
                state.next_sweep = Some(now.saturating_add(SWEEP));
            }
            if !state.has_room(&owner, self.0.limits) {
                return Err(Full);
            }
        }
        state.total += 1;
        *state.counts.entry(owner.clone()).or_default() += 1;
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
            state.open.insert(id.into(), Session { owner, last_used });
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
    fn has_room(&self, owner: &SessionOwner, limits: SessionLimits) -> bool {
        let own = self.counts.get(owner).copied().unwrap_or(0);
        self.total < limits.total && own < limits.per_principal
    }

    fn end_idle(&mut self, now: Monotonic, idle: Duration) {
        let ended: Vec<Box<str>> = self
            .open
            .iter()
            .filter(|(_, session)| now.saturating_since(session.last_used) >= idle)
            .map(|(id, _)| id.clone())
            .collect();
        for id in ended {
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &str) {
        if let Some(session) = self.open.remove(id) {
            self.release(&session.owner);
        }
    }

    fn release(&mut self, owner: &SessionOwner) {
        self.total = self.total.saturating_sub(1);
        if let Some(count) = self.counts.get_mut(owner) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::MockClock;

    use super::*;
    use crate::TokenParts;

    fn who(subject: &str) -> SessionOwner {
        let parts = TokenParts::new("https://i.example", subject).client_id("c");
        SessionOwner::of(Some(&AccessToken::assert_verified(parts)))
    }

    fn sessions(clock: &Arc<MockClock>, total: usize, per_principal: usize) -> Sessions {
        let limits = SessionLimits {
            total,
            per_principal,
            ..SessionLimits::default()
        };
        Sessions::new(Arc::clone(clock) as SharedClock, limits)
    }

    #[test]
    fn sec_rs_15_a_foreign_session_does_not_exist() {
        let sessions = sessions(&Arc::new(MockClock::at(0)), 10, 10);
        let (alice, bob) = (who("alice"), who("bob"));
        sessions.reserve(alice.clone()).unwrap().open("s");
        assert!(sessions.is_owned_by("s", &alice));
        assert!(!sessions.is_owned_by("s", &bob));
        assert!(!sessions.is_owned_by("s", &SessionOwner::Anonymous));
        assert!(!sessions.is_owned_by("t", &alice));
        sessions
            .reserve(SessionOwner::Anonymous)
            .unwrap()
            .open("open");
        assert!(
            !sessions.is_owned_by("open", &alice),
            "a token does not inherit it"
        );
        sessions.close("s");
        assert!(!sessions.is_owned_by("s", &alice));
    }

    #[test]
    fn sec_rs_16_a_known_id_is_not_taken_over() {
        let sessions = sessions(&Arc::new(MockClock::at(0)), 10, 10);
        sessions.reserve(who("alice")).unwrap().open("s");
        sessions.reserve(who("bob")).unwrap().open("s");
        assert!(sessions.is_owned_by("s", &who("alice")));
        assert!(!sessions.is_owned_by("s", &who("bob")));
        assert_eq!(sessions.state().total, 1);
    }

    #[test]
    fn an_idle_session_ends() {
        let clock = Arc::new(MockClock::at(0));
        let sessions = sessions(&clock, 10, 10);
        sessions.reserve(who("alice")).unwrap().open("s");
        clock.advance(Duration::from_secs(30 * 60 - 1));
        assert!(
            sessions.is_owned_by("s", &who("alice")),
            "and is used again"
        );
        clock.advance(Duration::from_secs(30 * 60 - 1));
        assert!(sessions.is_owned_by("s", &who("alice")));
        clock.set_wall(-1_000_000);
        clock.advance(Duration::from_secs(30 * 60));
        assert!(!sessions.is_owned_by("s", &who("alice")));
    }

    #[test]
    fn sec_ds_06_a_full_server_does_not_search_at_each_knock() {
        let clock = Arc::new(MockClock::at(0));
        let limits = SessionLimits {
            total: 1,
            idle: Duration::from_millis(500),
            ..SessionLimits::default()
        };
        let sessions = Sessions::new(Arc::clone(&clock) as SharedClock, limits);
        sessions.reserve(who("alice")).unwrap().open("a");
        assert!(sessions.reserve(who("bob")).is_err());
        clock.advance(Duration::from_millis(600));
        assert!(sessions.reserve(who("bob")).is_err(), "searched at once");
        clock.advance(Duration::from_millis(400));
        assert!(sessions.reserve(who("bob")).is_ok());
    }

    #[test]
    fn sec_ds_08_sessions_are_capped() {
        let clock = Arc::new(MockClock::at(0));
        let sessions = sessions(&clock, 3, 2);
        sessions.reserve(who("alice")).unwrap().open("a");
        let pending = sessions.reserve(who("alice")).unwrap();
        assert_eq!(sessions.reserve(who("alice")).unwrap_err(), Full);
        sessions.reserve(who("bob")).unwrap().open("b");
        assert_eq!(
            sessions.reserve(who("carol")).unwrap_err(),
            Full,
            "all together"
        );
        drop(pending);
        sessions.reserve(who("carol")).unwrap().open("c");
        clock.advance(Duration::from_secs(30 * 60));
        sessions.reserve(who("dave")).unwrap().open("d");
        assert_eq!(sessions.state().total, 1, "idle sessions made room");
        assert_eq!(sessions.state().counts.len(), 1);
    }
}
