//! Who reached what: each request to a protected endpoint, as a value that observers are told.
//!
//! # Rules
//!
//! 1. Every request that comes to an endpoint of [`Auth::protect`](crate::Auth::protect) is one
//!    [`Exchange`], a CORS preflight alone is none: it asks for nothing.
//! 2. An observer is asked first whether it has [room](Observer::reserve). If one has none, the
//!    request is answered with 503 and goes no further: what cannot be accounted for does not
//!    happen.
//! 3. It is told once, when the head of the answer is there or its client left before.
//! 4. It is told again when the answer ended, which for a stream of events can be hours later.
//! 5. What is in an exchange comes from the verified token, from the body and from the listener:
//!    never from a header alone, but for the revision and the trace, which decide nothing. No token,
//!    no session id, no argument is in it.
//!
//! Without an observer nothing of this happens, and a request costs what it did.
//!
//! ```
//! use portcullis_resource_server::observe::{Exchange, Observer};
//! use portcullis_resource_server::{Auth, TokenVerifier};
//!
//! struct Refusals;
//!
//! impl Observer for Refusals {
//!     fn answered(&self, exchange: &Exchange) {
//!         if !exchange.reached_server() {
//!             println!("{} {}", exchange.outcome().word(), exchange.subject().unwrap_or("-"));
//!         }
//!     }
//! }
//!
//! # fn auth(verifier: impl TokenVerifier) -> Auth {
//! Auth::new(verifier).observer(Refusals)
//! # }
//! ```

mod authorization;
mod body;
mod exchange;
mod limiter;
mod notes;
mod outcome;
mod watch;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::{Monotonic, SharedClock};

pub use self::authorization::{
    AuthorizationEvent, AuthorizationEventKind, Observers, ReservedEvent,
};
pub use self::exchange::Exchange;
pub use self::limiter::Limiter;
pub(crate) use self::notes::Notes;
pub use self::outcome::Outcome;
pub(crate) use self::watch::Watch;

/// Hears of every request to a protected endpoint, and of its sessions.
///
/// All of it is called on the way of a request, so none of it may block: hand on what takes time.
/// One that panics is logged, and changes no answer; in [`reserve`](Self::reserve) it counts as
/// having no room.
pub trait Observer: Send + Sync + 'static {
    /// Whether there is room to take note of one more exchange; asked before anything else is done
    /// with a request. After each `true` comes exactly one [`answered`](Self::answered).
    fn reserve(&self) -> bool {
        true
    }

    /// The head of the answer is there, or its client left before.
    fn answered(&self, exchange: &Exchange);

    /// The answer ended, so long after the request came: a stream with its last event, anything
    /// else together with its head.
    fn ended(&self, exchange: &Exchange, lasted: Duration) {
        let _ = (exchange, lasted);
    }

    /// A session began at the endpoint of this name.
    fn session_opened(&self, endpoint: &str) {
        let _ = endpoint;
    }

    /// A session ended, by its client's wish or not.
    fn session_ended(&self, endpoint: &str, lasted: Duration) {
        let _ = (endpoint, lasted);
    }

    /// Whether there is room to take note of one event of the authorization server; asked before a
    /// grant is made, which without room is refused. After each `true` comes one
    /// [`release_event`](Self::release_event).
    fn reserve_event(&self) -> bool {
        true
    }

    /// The room is not needed any more: the event was told, or there was none.
    fn release_event(&self) {}

    /// Something happened at the authorization server. Not everything that happens was reserved for:
    /// what ends a grant happens in any case.
    fn authorization(&self, event: &AuthorizationEvent) {
        let _ = event;
    }
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn reserve(&self) -> bool {
        (**self).reserve()
    }

    fn answered(&self, exchange: &Exchange) {
        (**self).answered(exchange);
    }

    fn ended(&self, exchange: &Exchange, lasted: Duration) {
        (**self).ended(exchange, lasted);
    }

    fn session_opened(&self, endpoint: &str) {
        (**self).session_opened(endpoint);
    }

    fn session_ended(&self, endpoint: &str, lasted: Duration) {
        (**self).session_ended(endpoint, lasted);
    }

    fn reserve_event(&self) -> bool {
        (**self).reserve_event()
    }

    fn release_event(&self) {
        (**self).release_event();
    }

    fn authorization(&self, event: &AuthorizationEvent) {
        (**self).authorization(event);
    }
}

/// Who observes one endpoint.
pub(crate) struct Observation {
    pub(crate) endpoint: Arc<str>,
    pub(crate) resource: Arc<str>,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) clock: SharedClock,
}

impl Observation {
    fn tell(&self, about: impl Fn(&dyn Observer)) {
        for observer in &self.observers {
            isolated(|| about(&**observer));
        }
    }
}

impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observation")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// `None` when it panicked: an observer watches, and no request ends by it.
fn isolated<T>(call: impl FnOnce() -> T) -> Option<T> {
    let called = catch_unwind(AssertUnwindSafe(call));
    if called.is_err() {
        tracing::error!("an observer panicked");
    }
    called.ok()
}

/// A session's time, told when it is dropped.
#[derive(Debug)]
pub(crate) struct SessionLife {
    observation: Arc<Observation>,
    opened: Monotonic,
}

impl SessionLife {
    pub(crate) fn begin(observation: &Arc<Observation>) -> Self {
        observation.tell(|observer| observer.session_opened(&observation.endpoint));
        Self {
            observation: Arc::clone(observation),
            opened: observation.clock.monotonic(),
        }
    }
}

impl Drop for SessionLife {
    fn drop(&mut self) {
        let now = self.observation.clock.monotonic();
        let lasted = now.saturating_since(self.opened);
        let endpoint = &self.observation.endpoint;
        self.observation
            .tell(|observer| observer.session_ended(endpoint, lasted));
    }
}
