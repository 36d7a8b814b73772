//! How much one user takes up at a time: places and memory.
//!
//! A stream of events holds a connection and a place in the server for as long as its client
//! likes, and the body of a request holds memory while the request runs. So each request takes a
//! place before its body is read, and a large body is counted; an answer gives both back at once,
//! a stream when it ends.

use std::collections::HashMap;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};

use tokio_util::sync::WaitForCancellationFutureOwned;

use super::session::{InUse, SessionLimits, SessionOwner};
use crate::layer::is_event_stream;

/// A body of up to so many bytes is not counted: an ordinary message passes also where somebody
/// has used up what all share, and costs no counting.
const UNCOUNTED: usize = 64 * 1024;

/// So many users are kept before one looks for those who have nothing any more.
const FEW_USERS: usize = 1024;

/// What is taken. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: SessionLimits,
    users: Mutex<Users>,
    body_bytes: AtomicUsize,
}

#[derive(Debug)]
struct Users {
    /// Also users who have nothing just now: most come back.
    taken: HashMap<SessionOwner, Arc<Taken>>,
    /// With so many it is time to forget those who have nothing.
    sweep_at: usize,
}

/// What one user has.
#[derive(Debug, Default)]
struct Taken {
    places: AtomicUsize,
    body_bytes: AtomicUsize,
}

/// A place that is taken until this is dropped, and the bytes of the body that came in it.
#[derive(Debug)]
#[must_use]
pub(super) struct Place {
    room: Room,
    taken: Arc<Taken>,
    body_bytes: usize,
    session: Option<InUse>,
}

/// Whose budget a body exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OverBudget {
    /// The user's own.
    Own,
    /// That of all together.
    All,
}

impl Room {
    /// Nothing is taken yet.
    pub(crate) fn new(limits: SessionLimits) -> Self {
        let users = Users {
            taken: HashMap::new(),
            sweep_at: FEW_USERS,
        };
        Self(Arc::new(Shared {
            limits,
            users: Mutex::new(users),
            body_bytes: AtomicUsize::new(0),
        }))
    }

    /// Takes a place, and with it the session to which it belongs; `None` when the user has them
    /// all.
    pub(super) fn take(&self, user: SessionOwner, session: Option<InUse>) -> Option<Place> {
        let taken = self.taken_by(user);
        // SECURITY: one caller's streams cannot take the place of everybody's;
        // sec_ds_10_streams_of_one_principal_are_capped
        if !add(&taken.places, 1, self.0.limits.streams_per_principal) {
            return None;
        }
        Some(Place {
            room: self.clone(),
            taken,
            body_bytes: 0,
            session,
        })
    }

    fn taken_by(&self, user: SessionOwner) -> Arc<Taken> {
        let users = self.0.users.lock();
        let mut users = users.unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = users.taken.get(&user) {
            return Arc::clone(taken);
        }
        users.forget_idle();
        Arc::clone(users.taken.entry(user).or_default())
    }
}

impl Users {
    /// Makes room for one more. Twice as many as have something are kept, so that the search costs
    /// each newcomer little.
    fn forget_idle(&mut self) {
        if self.taken.len() >= self.sweep_at {
            self.taken.retain(|_, taken| Arc::strong_count(taken) > 1);
            self.sweep_at = FEW_USERS.max(self.taken.len() * 2);
        }
    }
}

impl Place {
    /// Counts a body of `bytes` so far for as long as this place is taken.
    pub(super) fn hold_body(&mut self, bytes: usize) -> Result<(), OverBudget> {
        if bytes <= UNCOUNTED || bytes <= self.body_bytes {
            return Ok(());
        }
        let more = bytes - self.body_bytes;
        let limits = self.room.0.limits;
        // SECURITY: a few users with many large bodies at once must not fill the memory (CWE-770);
        // sec_ds_09_large_bodies_of_one_user_have_a_budget
        if !add(
            &self.taken.body_bytes,
            more,
            limits.body_bytes_per_principal,
        ) {
            return Err(OverBudget::Own);
        }
        // SECURITY: nor must many users; sec_ds_09_large_bodies_of_all_have_a_budget
        if !add(&self.room.0.body_bytes, more, limits.body_bytes) {
            self.taken.body_bytes.fetch_sub(more, Ordering::Relaxed);
            return Err(OverBudget::All);
        }
        self.body_bytes = bytes;
        Ok(())
    }

    /// Keeps the place for as long as a stream of events lasts.
    pub(super) fn hold(self, response: Response<Body>) -> Response<Body> {
        if is_event_stream(response.headers()) {
            let end = self.session.as_ref().map(InUse::end);
            let end = end.map(|end| Box::pin(end.clone().cancelled_owned()));
            response.map(|inner| {
                Body::new(Held {
                    inner,
                    end,
                    place: self,
                })
            })
        } else {
            response
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.places.fetch_sub(1, Ordering::Relaxed);
        if self.body_bytes > 0 {
            let bytes = self.body_bytes;
            self.taken.body_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.room.0.body_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

/// Adds to a count, unless that would exceed the limit.
fn add(count: &AtomicUsize, more: usize, limit: usize) -> bool {
    let within = |count: usize| count.checked_add(more).filter(|sum| *sum <= limit);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
        .is_ok()
}

/// A body with its place.
struct Held {
    inner: Body,
    /// It ends with its session.
    end: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    #[expect(dead_code, reason = "it is held, not read")]
    place: Place,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let end = self.end.as_mut();
        // SECURITY: a session that ended says nothing more, to nobody;
        // sec_rs_17_a_session_that_ends_takes_its_streams
        if end.is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            self.inner = Body::empty();
            self.end = None;
            return Poll::Ready(None);
        }
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccessToken, TokenParts};

    fn user(name: &str) -> SessionOwner {
        let parts = TokenParts::new("https://i.example", name).client_id("c");
        SessionOwner::user_of(Some(&AccessToken::assert_verified(parts)))
    }

    #[test]
    fn sec_ds_08_users_who_have_nothing_are_forgotten() {
        let limits = SessionLimits {
            streams_per_principal: 1,
            ..SessionLimits::default()
        };
        let room = Room::new(limits);
        let held = room.take(user("alice"), None).unwrap();
        for n in 0..10 * FEW_USERS {
            let _ = room.take(user(&n.to_string()), None).unwrap();
        }
        let kept = room.0.users.lock().unwrap().taken.len();
        assert!(kept <= FEW_USERS, "{kept}");
        assert!(room.take(user("alice"), None).is_none(), "hers is taken");
        drop(held);
        assert!(room.take(user("alice"), None).is_some());
    }

    #[test]
    fn what_is_refused_is_not_counted() {
        let limits = SessionLimits {
            body_bytes_per_principal: 300_000,
            body_bytes: 400_000,
            ..SessionLimits::default()
        };
        let room = Room::new(limits);
        let mut alice = room.take(user("alice"), None).unwrap();
        assert_eq!(alice.hold_body(300_000), Ok(()));
        assert_eq!(alice.hold_body(300_001), Err(OverBudget::Own));
        let mut bob = room.take(user("bob"), None).unwrap();
        for _ in 0..10 {
            assert_eq!(bob.hold_body(100_001), Err(OverBudget::All));
        }
        assert_eq!(bob.hold_body(100_000), Ok(()), "step by step");
        assert_eq!(bob.hold_body(90_000), Ok(()), "is counted already");
        drop((alice, bob));
        assert_eq!(room.0.body_bytes.load(Ordering::Relaxed), 0);
        let mut carol = room.take(user("carol"), None).unwrap();
        assert_eq!(carol.hold_body(300_000), Ok(()));
    }
}
