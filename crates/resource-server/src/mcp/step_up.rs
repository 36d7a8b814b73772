//! A scope that turns out to be missing while a request is handled.

use std::sync::{Arc, OnceLock};

use http::Response;
use http::header::CONTENT_TYPE;
use portcullis_oauth::ScopeSet;

use crate::AccessToken;
use crate::layer::Policy;

/// The way for a handler to ask for scopes that nobody could know of before: an argument decides,
/// for example. It is in the extensions of each request that passed [`Auth`](crate::Auth).
///
/// While the status of the answer is open, the request is answered as if the scopes had been
/// declared: 403 `insufficient_scope`. Once a stream has begun it is too late, and the handler
/// has to say so in its answer; it cannot know, so it always does.
#[derive(Debug, Clone, Default)]
pub struct StepUp {
    wish: Arc<OnceLock<ScopeSet>>,
    in_band: Option<Arc<InBand>>,
}

/// For a client that is told inside of answers what its calls lack.
#[derive(Debug)]
struct InBand {
    policy: Arc<Policy>,
    token: AccessToken,
}

impl StepUp {
    /// For a client that looks for challenges inside of answers.
    pub(super) fn in_band(policy: &Arc<Policy>, token: &AccessToken) -> Self {
        let (policy, token) = (Arc::clone(policy), token.clone());
        Self {
            wish: Arc::default(),
            in_band: Some(Arc::new(InBand { policy, token })),
        }
    }

    /// Asks for `needed`, beside what was granted. The first wish counts.
    pub fn ask(&self, needed: ScopeSet) {
        let _ = self.wish.set(needed);
    }

    /// The challenge for an answer that has begun, where the client looks for it in `_meta` of a
    /// tool's result, as the one text under [`CHALLENGE_MEMBER`](Self::CHALLENGE_MEMBER).
    pub fn challenge_in_band(&self, needed: &ScopeSet) -> Option<String> {
        let InBand { policy, token } = self.in_band.as_deref()?;
        let denial = policy.insufficient_scope(token, needed);
        let challenge = denial.challenge().filter(|_| token.can_get(needed))?;
        Some(challenge.to_header_value())
    }

    /// The member of `_meta` that holds an array of challenges.
    pub const CHALLENGE_MEMBER: &'static str = "mcp/www_authenticate";

    /// The scopes that were asked for, if this answer can still become a challenge.
    pub(crate) fn for_answer<B>(&self, response: &Response<B>) -> Option<&ScopeSet> {
        let needed = self.wish.get()?;
        let kind = response.headers().get(CONTENT_TYPE)?;
        kind.as_bytes()
            .starts_with(b"application/json")
            .then_some(needed)
    }
}
