//! What is told of what happens: to observers, of whom the audit log is one, and to the log.

use std::sync::{PoisonError, RwLock};

use portcullis_oauth::SharedClock;
pub(crate) use portcullis_resource_server::observe::{
    AuthorizationEvent as Event, AuthorizationEventKind as EventKind,
};
use portcullis_resource_server::observe::{Limiter, Observers, ReservedEvent};

const TARGET: &str = "portcullis::security";

/// Where events go.
#[derive(Debug)]
pub(crate) struct Events {
    observers: RwLock<Observers>,
    limiter: Limiter,
    clock: SharedClock,
}

/// Nobody could take note of it, so it must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no room to take note of it")]
pub(crate) struct Unrecorded;

/// Room for one event.
#[derive(Debug)]
#[must_use = "the room is given back when this is dropped"]
pub(crate) struct Room<'a> {
    events: &'a Events,
    reserved: ReservedEvent,
}

impl Events {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self {
            observers: RwLock::default(),
            limiter: Limiter::new(clock.clone()),
            clock,
        }
    }

    /// Tells these, too, from now on.
    pub(crate) fn also_observed_by(&self, observers: &Observers) {
        let mut all = self
            .observers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *all = all.and(observers);
    }

    /// Tells these alone from now on.
    #[cfg(test)]
    pub(crate) fn observed_by(&self, observers: Observers) {
        *self
            .observers
            .write()
            .unwrap_or_else(PoisonError::into_inner) = observers;
    }

    /// Room for one event, asked for before anything is granted.
    pub(crate) fn reserve(&self) -> Result<Room<'_>, Unrecorded> {
        // SECURITY: what cannot be accounted for does not happen (fail closed);
        // sec_st_14_what_cannot_be_noted_is_not_granted
        let reserved = self.observers().reserve_event().ok_or(Unrecorded)?;
        Ok(Room {
            events: self,
            reserved,
        })
    }

    /// Tells of what happens in any case: a failure, or the end of something.
    pub(crate) fn note(&self, event: Event) {
        let event = self.stamped(event);
        self.observers().tell(&event);
    }

    fn observers(&self) -> Observers {
        let observers = self.observers.read();
        observers.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stamped(&self, event: Event) -> Event {
        let event = event.at(self.clock.since_epoch());
        self.log(&event);
        event
    }

    fn log(&self, event: &Event) {
        let (kind, reason) = (event.kind().word(), event.reason().unwrap_or_default());
        let (allowed, left_out) = self.limiter.count((kind, reason));
        if left_out > 0 {
            tracing::warn!(
                target: TARGET,
                event = "events_left_out",
                of = kind,
                reason,
                count = left_out,
                "too many events of one kind",
            );
        }
        if !allowed {
            return;
        }
        match event.kind() {
            EventKind::CodeReplayed | EventKind::RefreshReused => tracing::warn!(
                target: TARGET,
                event = kind,
                client_id = event.client_id(),
                subject = event.subject(),
                grant = event.grant(),
                "something that was used before is used again: its grant is ended",
            ),
            EventKind::ChallengeReused => tracing::warn!(
                target: TARGET,
                event = kind,
                client_id = event.client_id(),
                "a client uses one code_verifier again and again: its codes are not protected",
            ),
            _ => tracing::info!(
                target: TARGET,
                event = kind,
                reason = event.reason(),
                client_id = event.client_id(),
                subject = event.subject(),
                grant = event.grant(),
            ),
        }
    }
}

impl Room<'_> {
    /// Tells of what happened.
    pub(crate) fn note(self, event: Event) {
        let event = self.events.stamped(event);
        self.reserved.tell(&event);
    }
}
