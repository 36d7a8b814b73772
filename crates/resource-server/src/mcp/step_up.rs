//! A scope that turns out to be missing while a request is handled.

use std::sync::{Arc, OnceLock};

use http::Response;
use http::header::CONTENT_TYPE;
use portcullis_oauth::ScopeSet;

/// The way for a handler to ask for scopes that nobody could know of before: an argument decides,
/// for example. It is in the extensions of each request that passed [`Auth`](crate::Auth).
///
/// While the status of the answer is open, the request is answered as if the scopes had been
/// declared: 403 `insufficient_scope`. Once a stream has begun it is too late, and the handler
/// has to say so in its answer; it cannot know, so it always does.
#[derive(Debug, Clone, Default)]
pub struct StepUp(Arc<OnceLock<ScopeSet>>);

impl StepUp {
    /// Asks for `needed`, beside what was granted. The first wish counts.
    pub fn ask(&self, needed: ScopeSet) {
        let _ = self.0.set(needed);
    }

    /// The scopes that were asked for, if this answer can still become a challenge.
    pub(crate) fn for_answer<B>(&self, response: &Response<B>) -> Option<&ScopeSet> {
        let needed = self.0.get()?;
        let kind = response.headers().get(CONTENT_TYPE)?;
        kind.as_bytes()
            .starts_with(b"application/json")
            .then_some(needed)
    }
}
