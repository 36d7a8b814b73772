//! What turns out to be missing while a request is handled: a scope, or the sign-in itself.

use std::sync::{Arc, OnceLock};

use http::Response;
use http::header::CONTENT_TYPE;
use portcullis_oauth::ScopeSet;

use crate::AccessToken;
use crate::layer::Policy;

/// The way for a handler to ask for scopes that nobody could know of before: an argument decides,
/// for example. Or for a new sign-in, where what the token stands on turns out to have ended. It is in
/// the extensions of each request that passed [`Auth`](crate::Auth).
///
/// While the status of the answer is open, the request is answered as if the scopes had been
/// declared: 403 `insufficient_scope`; and 401 `invalid_token` where a new sign-in is asked for. Once
/// a stream has begun it is too late, and the handler has to say so in its answer; it cannot know, so
/// it always does.
#[derive(Debug, Clone, Default)]
pub struct StepUp {
    wish: Arc<OnceLock<Wish>>,
    in_band: Option<Arc<InBand>>,
}

/// What a handler asked for.
#[derive(Debug)]
pub(crate) enum Wish {
    Scopes(ScopeSet),
    SignIn,
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
        let _ = self.wish.set(Wish::Scopes(needed));
    }

    /// Asks for a new sign-in: the token is good, and what it stands on has ended. The first wish
    /// counts.
    pub fn ask_to_sign_in(&self) {
        let _ = self.wish.set(Wish::SignIn);
    }

    /// The challenge for an answer that has begun, where the client looks for it in `_meta` of a
    /// tool's result, as the one text under [`CHALLENGE_MEMBER`](Self::CHALLENGE_MEMBER).
    pub fn challenge_in_band(&self, needed: &ScopeSet) -> Option<String> {
        let InBand { policy, token } = self.in_band.as_deref()?;
        let denial = policy.insufficient_scope(token, needed);
        let challenge = denial.challenge().filter(|_| token.can_get(needed))?;
        Some(challenge.to_header_value())
    }

    /// The same challenge for a new sign-in.
    pub fn sign_in_challenge_in_band(&self) -> Option<String> {
        let InBand { policy, token } = self.in_band.as_deref()?;
        Some(policy.ended(token).challenge()?.to_header_value())
    }

    /// The member of `_meta` that holds an array of challenges.
    pub const CHALLENGE_MEMBER: &'static str = "mcp/www_authenticate";

    /// What was asked for, if this answer can still become a challenge.
    pub(crate) fn for_answer<B>(&self, response: &Response<B>) -> Option<&Wish> {
        let wish = self.wish.get()?;
        let kind = response.headers().get(CONTENT_TYPE)?;
        kind.as_bytes()
            .starts_with(b"application/json")
            .then_some(wish)
    }
}
