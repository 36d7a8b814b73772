//! How much one principal has open at a time.
//!
//! A stream of events holds a connection and a place in the server for as long as its client
//! likes. So each request takes a place before it is dispatched; an answer gives it back at once,
//! a stream when it ends.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};

use super::session::{InUse, SessionOwner};
use crate::layer::is_event_stream;

/// The places that are taken. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    taken: Arc<Mutex<HashMap<SessionOwner, usize>>>,
    limit: usize,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Place {
    streams: Streams,
    owner: SessionOwner,
    #[expect(dead_code, reason = "it is held, not read")]
    session: Option<InUse>,
}

impl Streams {
    /// `limit` places for each principal.
    pub(crate) fn new(limit: usize) -> Self {
        let taken = Arc::default();
        Self { taken, limit }
    }

    /// Takes a place, and with it the session to which it belongs; `None` when the owner has them
    /// all.
    pub(super) fn take(&self, owner: &SessionOwner, session: Option<InUse>) -> Option<Place> {
        let owner = owner.user();
        let mut taken = self.taken();
        let count = taken.entry(owner.clone()).or_default();
        // SECURITY: one caller's streams cannot take the place of everybody's;
        // sec_ds_10_streams_of_one_principal_are_capped
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place {
            streams: self.clone(),
            owner,
            session,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<SessionOwner, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Keeps the place for as long as a stream of events lasts.
    pub(super) fn hold(self, response: Response<Body>) -> Response<Body> {
        if is_event_stream(response.headers()) {
            response.map(|inner| Body::new(Held { inner, place: self }))
        } else {
            response
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.streams.taken();
        if let Some(count) = taken.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.owner);
            }
        }
    }
}

/// A body with its place.
struct Held {
    inner: Body,
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
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
