//! Tokens of other APIs, which the provider gives for a user's own: asked for once by many, and kept in
//! memory until a minute before their end. None of them is stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use portcullis_oauth::Timestamp;
use portcullis_resource_server::{DownstreamApi, Unavailable, UpstreamToken, UpstreamTokenError};

use super::broker::Broker;
use crate::grant::GrantId;

/// How long before its end a token is not handed out any more.
const AHEAD: Duration = Duration::from_secs(60);
/// Of how many grants tokens are kept.
const MOST_GRANTS: usize = 4096;
/// How many are kept of one grant: of so many APIs.
const MOST_APIS: usize = 16;

type Outcome = Result<UpstreamToken, UpstreamTokenError>;

/// What is asked for just now, and what is kept.
#[derive(Default)]
pub(super) struct Exchanges(Mutex<Book>);

#[derive(Default)]
struct Book {
    grants: HashMap<GrantId, Vec<Entry>>,
    /// Tells flights apart.
    flights: u64,
}

struct Entry {
    api: DownstreamApi,
    state: State,
}

enum State {
    /// Somebody asks the provider, and all others wait for that answer.
    Flying(u64, Shared<BoxFuture<'static, Outcome>>),
    Held(UpstreamToken, Timestamp),
}

impl Broker {
    /// A token of another API for the user of a grant that stands, whose token is `own`.
    ///
    /// # Errors
    /// [`UpstreamTokenError`]
    pub(crate) async fn on_behalf_of(
        self: &Arc<Self>,
        id: GrantId,
        own: UpstreamToken,
        api: &DownstreamApi,
    ) -> Outcome {
        let flight = match self.exchanges.find(id, api, self.clock.now()) {
            Some(State::Held(token, _)) => return Ok(token),
            Some(State::Flying(_, flight)) => flight,
            None => self.fly(id, own, api),
        };
        flight.await
    }

    /// Asks the provider, unless somebody began meanwhile.
    fn fly(
        self: &Arc<Self>,
        id: GrantId,
        own: UpstreamToken,
        api: &DownstreamApi,
    ) -> Shared<BoxFuture<'static, Outcome>> {
        let mut book = self.exchanges.book();
        if let Some(State::Flying(_, flight)) = book.find(id, api, self.clock.now()) {
            return flight;
        }
        book.flights += 1;
        let (number, broker, asked) = (book.flights, Arc::clone(self), api.clone());
        let task = tokio::spawn(async move {
            let outcome = match broker.waiting() {
                Ok(_waiting) => broker.client.exchange(own.expose(), &asked).await,
                Err(full) => Err(full.into_unavailable().into()),
            };
            broker.exchanges.land((id, number), &outcome);
            outcome
        });
        let flight = async move {
            let failed = |_| Err(Unavailable::new("the exchange panicked").into());
            task.await.unwrap_or_else(failed)
        };
        let flight = flight.boxed().shared();
        book.keep(
            id,
            Entry {
                api: api.clone(),
                state: State::Flying(number, flight.clone()),
            },
        );
        flight
    }
}

impl Exchanges {
    /// What there was for a grant goes with it.
    pub(super) fn forget(&self, id: GrantId) {
        self.book().grants.remove(&id);
    }

    fn find(&self, id: GrantId, api: &DownstreamApi, now: Timestamp) -> Option<State> {
        self.book().find(id, api, now)
    }

    /// Keeps what came of a flight, as long as the grant is not forgotten.
    fn land(&self, (id, number): (GrantId, u64), outcome: &Outcome) {
        let mut book = self.book();
        let Some(entries) = book.grants.get_mut(&id) else {
            return;
        };
        let place = entries
            .iter()
            .position(|entry| matches!(entry.state, State::Flying(flying, _) if flying == number));
        let Some(place) = place else {
            return;
        };
        let entry = entries.swap_remove(place);
        // Of one that is not said to end nobody knows whether it is still good.
        if let Ok(token) = outcome
            && let Some(end) = token.expires_at()
        {
            entries.push(Entry {
                state: State::Held(token.clone(), end),
                ..entry
            });
        }
        if entries.is_empty() {
            book.grants.remove(&id);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// What there is for that API and is good.
    fn find(&mut self, id: GrantId, api: &DownstreamApi, now: Timestamp) -> Option<State> {
        let entries = self.grants.get_mut(&id)?;
        entries.retain(|entry| entry.is_good(now));
        let found = entries.iter().find(|entry| entry.api == *api)?;
        Some(match &found.state {
            State::Flying(number, flight) => State::Flying(*number, flight.clone()),
            State::Held(token, end) => State::Held(token.clone(), *end),
        })
    }

    fn keep(&mut self, id: GrantId, entry: Entry) {
        // What is asked for anew costs one request; what is kept without bounds costs the server.
        if self.grants.len() >= MOST_GRANTS && !self.grants.contains_key(&id) {
            let some = self.grants.keys().next().copied();
            some.and_then(|some| self.grants.remove(&some));
        }
        let entries = self.grants.entry(id).or_default();
        if entries.len() >= MOST_APIS {
            entries.remove(0);
        }
        entries.push(entry);
    }
}

impl Entry {
    fn is_good(&self, now: Timestamp) -> bool {
        match &self.state {
            State::Flying(..) => true,
            State::Held(_, end) => now.saturating_add(AHEAD) < *end,
        }
    }
}

impl std::fmt::Debug for Exchanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchanges")
            .field("grants", &self.book().grants.len())
            .finish()
    }
}
