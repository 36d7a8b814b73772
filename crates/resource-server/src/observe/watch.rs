//! A request under observation, from its arrival to the end of its answer.

use std::sync::Arc;

use axum::body::Body;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, StatusCode};
use portcullis_oauth::Monotonic;

use super::body::Watched;
use super::exchange::{Arrival, Exchange};
use super::notes::{Facts, Notes, fingerprint};
use super::outcome::Outcome;
use super::{Observation, Observer, isolated};
use crate::layer::{Denial, is_event_stream};
use crate::mcp::SESSION_ID;
use crate::mcp::guard::Stray;
use crate::{ClientAddress, Incident};

/// Longer than any trace parent that is defined.
const MAX_TRACE: usize = 128;

/// A request of which observers will be told, whatever becomes of it.
#[derive(Debug)]
pub(crate) struct Watch {
    observation: Arc<Observation>,
    notes: Notes,
    /// Gone once it was told.
    arrival: Option<Arrival>,
    began: Monotonic,
}

impl Observation {
    /// Begins to watch a request.
    ///
    /// # Errors
    /// The answer, where an observer has no room.
    pub(crate) fn begin(
        self: &Arc<Self>,
        request: &mut Request<Body>,
    ) -> Result<Watch, Box<Response<Body>>> {
        let trace = request.headers().get("traceparent");
        let trace = trace.and_then(|trace| trace.to_str().ok());
        let arrival = Arrival {
            started_at: self.clock.since_epoch(),
            http_method: request.method().clone(),
            client_address: request.extensions().get::<ClientAddress>().copied(),
            trace_parent: trace
                .filter(|trace| trace.len() <= MAX_TRACE)
                .map(Into::into),
        };
        let mut watch = Watch {
            observation: Arc::clone(self),
            notes: Notes::begin(),
            arrival: Some(arrival),
            began: self.clock.monotonic(),
        };
        let full = |observer: &Arc<dyn Observer>| isolated(|| observer.reserve()) != Some(true);
        // SECURITY: what nobody could account for does not happen (fail closed);
        // sec_gw_25_without_room_nothing_is_dispatched
        if let Some(first) = self.observers.iter().position(full) {
            return Err(Box::new(watch.unrecorded(first)));
        }
        request.extensions_mut().insert(watch.notes.clone());
        Ok(watch)
    }
}

impl Watch {
    /// The guard sent it away.
    pub(crate) fn stray(self, stray: Stray, response: Response<Body>) -> Response<Body> {
        let reason = stray.reason();
        self.answered_as(response, Some(Outcome::Stray { reason }))
    }

    /// The head of the answer is there.
    pub(crate) fn answered(self, response: Response<Body>) -> Response<Body> {
        self.answered_as(response, None)
    }

    fn answered_as(mut self, response: Response<Body>, known: Option<Outcome>) -> Response<Body> {
        let mut facts = self.notes.take();
        if facts.session.is_none() && response.status().is_success() {
            let id = response.headers().get(SESSION_ID);
            let id = id.and_then(|id| id.to_str().ok());
            facts.session = id.map(fingerprint);
        }
        let extensions = response.extensions();
        let denial = extensions.get::<Denial>();
        let incident = denial
            .and_then(Denial::incident)
            .or_else(|| extensions.get::<Incident>());
        let correlation = incident.cloned().unwrap_or_else(Incident::new);
        if let (None, Some(denial)) = (&facts.caller, denial) {
            facts.caller = denial.caller().cloned();
        }
        let outcome = match (known, denial) {
            (Some(known), _) => known,
            (None, Some(denial)) => Outcome::of_denial(denial),
            (None, None) => with_failure(facts.outcome.take(), incident, response.status()),
        };
        let Some(exchange) = self.exchange(facts, outcome, Some(response.status()), correlation)
        else {
            return response;
        };
        let observation = &self.observation;
        observation.tell(|observer| observer.answered(&exchange));
        if is_event_stream(response.headers()) {
            return response.map(|body| Watched::wrap(body, exchange, self.began));
        }
        observation.tell(|observer| observer.ended(&exchange, exchange.elapsed));
        response
    }

    /// 503, told to those who have room. Those before `first` were asked already.
    fn unrecorded(&mut self, first: usize) -> Response<Body> {
        let incident = Incident::new();
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let told = Outcome::Unrecorded;
        if let Some(exchange) =
            self.exchange(Facts::default(), told, Some(status), incident.clone())
        {
            for (place, observer) in self.observation.observers.iter().enumerate() {
                let may = || place < first || (place > first && observer.reserve());
                isolated(|| {
                    if may() {
                        observer.answered(&exchange);
                        observer.ended(&exchange, exchange.elapsed);
                    }
                });
            }
        }
        let mut response = incident.into_response_with(status);
        let wait = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, wait);
        response
    }

    /// What is told; `None` where it was before.
    fn exchange(
        &mut self,
        facts: Facts,
        outcome: Outcome,
        status: Option<StatusCode>,
        correlation: Incident,
    ) -> Option<Exchange> {
        let now = self.observation.clock.monotonic();
        Some(Exchange {
            arrival: self.arrival.take()?,
            observation: Arc::clone(&self.observation),
            correlation,
            facts,
            outcome,
            status,
            elapsed: now.saturating_since(self.began),
        })
    }
}

/// What was noted, unless the answer is about a failure.
fn with_failure(
    noted: Option<Outcome>,
    incident: Option<&Incident>,
    status: StatusCode,
) -> Outcome {
    match (noted, incident) {
        (Some(Outcome::Allowed) | None, Some(_)) if status == StatusCode::INTERNAL_SERVER_ERROR => {
            Outcome::Failed {
                reason: "server_error",
            }
        }
        (Some(Outcome::Allowed), Some(_)) => Outcome::UpstreamFailed,
        (Some(noted), _) => noted,
        (None, _) => Outcome::of_refusal(status),
    }
}

impl Drop for Watch {
    /// The client left, or something panicked.
    fn drop(&mut self) {
        if self.arrival.is_none() {
            return;
        }
        let mut facts = self.notes.take();
        let outcome = if std::thread::panicking() {
            Outcome::Failed { reason: "panicked" }
        } else {
            facts.outcome.take().unwrap_or(Outcome::Abandoned)
        };
        if let Some(exchange) = self.exchange(facts, outcome, None, Incident::new()) {
            self.observation.tell(|observer| {
                observer.answered(&exchange);
                observer.ended(&exchange, exchange.elapsed);
            });
        }
    }
}
